// The other side's script, in real time.
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "libc/real_libc.hpp"
#include "real_time/real_time.hpp"
#include "simulation/settle.hpp"
#include "simulation/simulation.hpp"

namespace grader {
namespace {

Driver* the_driver = nullptr;

constexpr Time look_again = 5ms;  // for what no descriptor of the peers tells
constexpr int rounds_max = 8;
constexpr int program_fd_end = 4096;  // Limits::descriptors_hard

// The kernel delivers in order what was sent on one processor. From two of them, the handshake of a
// later connection may be done before that of an earlier one, and accept gives them in that order.
void stay_on_this_processor() {
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(sched_getcpu(), &one);
  (void)sched_setaffinity(0, sizeof one, &one);  // else it is in order nearly always
}

}  // namespace

Driver::Driver(Simulation& simulation)
    : simulation_(simulation),
      program_(pthread_self()),
      wake_up_(Simulation::out_of_the_way(real().eventfd(0, EFD_CLOEXEC))) {
  simulation_.clock.follow(clock_);
  the_driver = this;
}

Driver::~Driver() {
  the_driver = nullptr;
  real().close(wake_up_);
}

Driver* Driver::current() { return the_driver; }

void Driver::start() {
  program_ = pthread_self();
  real().pthread_sigmask(SIG_BLOCK, nullptr, &program_mask_);
  clock_.go_on();
  simulation_.run_due();
  is_over_ = false;
  thread_ = std::thread([this] { drive(); });
}

void Driver::stop() {
  const std::uint64_t one = 1;
  is_over_ = true;
  (void)!real().write(wake_up_, &one, sizeof one);
  thread_.join();
  std::uint64_t drained = 0;
  (void)!real().read(wake_up_, &drained, sizeof drained);
  clock_.stand_still();
  see_what_is_under_way();
}

// What the program has done last, closing above all, may not have come to the peers yet.
void Driver::see_what_is_under_way() {
  for (int round = 0; round < rounds_max; ++round) {
    std::vector<pollfd> entries;
    for (const auto& peer : simulation_.peers())
      if (const int fd = peer->connection().peer_fd; fd >= 0)
        entries.push_back({fd, static_cast<short>(peer->reads_from() >= 0 ? POLLIN : 0), 0});
    const timespec timeout{0, look_again.count()};
    if (real().ppoll(entries.data(), entries.size(), &timeout, nullptr) <= 0) return;
    simulation_.run_due();
  }
}

// The signals are for the program.
void Driver::drive() {
  stay_on_this_processor();
  sigset_t all;
  sigfillset(&all);
  real().pthread_sigmask(SIG_SETMASK, &all, nullptr);
  while (!is_over_) {
    wait();
    if (!is_over_) simulation_.run_due();
  }
}

bool Driver::finish() {
  clock_.go_on();
  simulation_.run_due();
  while (simulation_.next_event().value_or(Time::max()) < patience) {
    wait();
    simulation_.run_due();
  }
  clock_.stand_still();
  return !simulation_.next_event();
}

void Driver::wait() {
  std::vector<pollfd> entries = {{wake_up_, POLLIN, 0}};
  for (const auto& peer : simulation_.peers())
    if (const int fd = peer->reads_from(); fd >= 0) entries.push_back({fd, POLLIN, 0});
  const Time left = simulation_.next_event().value_or(Time::max()) - clock_.elapsed();
  const timespec timeout{0, std::clamp<Time>(left, 100us, look_again).count()};
  real().ppoll(entries.data(), entries.size(), &timeout, nullptr);
}

void Driver::deliver(int signal) { pthread_kill(program_, signal); }

int Driver::listener_at(std::uint16_t port) {
  for (int fd = 3; fd < program_fd_end; ++fd) {
    int listens = 0;
    socklen_t length = sizeof listens;
    if (real().getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0 &&
        (port == 0 || local_port(fd) == port))
      return fd;
  }
  return -1;
}

}  // namespace grader
