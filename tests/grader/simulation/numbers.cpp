// Which numbers descriptors have.
#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdio>

#include "libc/real_libc.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

constexpr int usual_first_own_descriptor = 700;
constexpr int room_for_the_program = 1000;
int first_own_descriptor = usual_first_own_descriptor;

}  // namespace

int Simulation::out_of_the_way(int fd) {
  if (fd < 0) return fd;
  const int moved = real().fcntl(fd, F_DUPFD_CLOEXEC, first_own_descriptor);
  const int error = errno;
  real().close(fd);
  errno = error;
  return moved;
}

bool Simulation::is_open(int fd) const {
  if (descriptors.find(fd) != nullptr) return true;
  return fd < first_own_descriptor && real().fcntl(fd, F_GETFD) >= 0;
}

// The limit on descriptors stays low until a scenario needs more.
void Simulation::allow_number(int number) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (static_cast<rlim_t>(number) < limit.rlim_cur) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (static_cast<rlim_t>(number) >= limit.rlim_max)
    give_verdict(Verdict::infrastructure,
                 format("this machine allows no descriptor %d (ulimit -H -n)", number));
}

void Simulation::renumber(int from, int to) {
  allow_number(to);
  const bool is_standard = to <= 2 && !standard_.contains(to);
  if (is_standard) {
    std::fflush(nullptr);
    standard_[to] = real().fcntl(to, F_DUPFD_CLOEXEC, first_own_descriptor);
  } else if (real().fcntl(to, F_GETFD) >= 0) {
    give_verdict(Verdict::infrastructure,
                 format("the check's script is wrong: descriptor %d is in use", to));
  }
  real().dup3(from, to, real().fcntl(from, F_GETFD) == FD_CLOEXEC && to > 2 ? O_CLOEXEC : 0);
  real().close(from);
  descriptors.renumber(from, to);
  OpenFile* file = descriptors.file(to);
  if (file->connection != nullptr) file->connection->program_fd = to;
}

void Simulation::take_numbers_below(int number) {
  first_own_descriptor = number + room_for_the_program;
  allow_number(first_own_descriptor + room_for_the_program);
  for (;;) {
    const int fd = real().open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fd < number) {
      number_takers_.push_back(fd);
      continue;
    }
    real().close(fd);
    return;
  }
}

void Simulation::give_back_numbers() {
  for (const int fd : number_takers_) real().close(fd);
  number_takers_.clear();
  first_own_descriptor = usual_first_own_descriptor;
  for (const auto& [number, kept] : standard_) {
    real().dup2(kept, number);
    real().close(kept);
  }
  standard_.clear();
}

}  // namespace grader
