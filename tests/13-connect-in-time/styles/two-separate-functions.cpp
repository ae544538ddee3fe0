// Different here: two functions that share only what an attempt is. connect_until waits for one
// socket with wait_writable() of lesson 07; the race keeps a map and asks poll.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "07-will-it-block/will_it_block.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "13-connect-in-time/connect_in_time.hpp"

namespace course {
namespace {

struct Reason {
  int error = 0;
  std::string address;

  void update(int new_error, const Endpoint& from) {
    if (new_error == EAFNOSUPPORT && error != 0 && error != EAFNOSUPPORT) return;
    *this = {new_error, from.to_string()};
  }
  [[noreturn]] void raise() const {
    throw std::system_error(error, std::generic_category(), "no connection to " + address);
  }
};

enum class State { connected, pending, failed };

struct Begun {
  State state;
  Fd fd;
  int error = 0;
};

bool is_loop(int fd) {
  sockaddr_storage a{}, b{};
  socklen_t a_size = sizeof a, b_size = sizeof b;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&a), &a_size) != 0) return false;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&b), &b_size) != 0) return false;
  return Endpoint(reinterpret_cast<sockaddr*>(&a), a_size) ==
         Endpoint(reinterpret_cast<sockaddr*>(&b), b_size);
}

Begun begin(const Endpoint& to) {
  Fd fd(socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return {State::failed, Fd(), errno};
  set_nonblocking(fd.get(), true);
  if (connect(fd.get(), to.data(), to.length()) == 0) return {State::connected, std::move(fd)};
  const int error = errno;
  if (error == EINPROGRESS) return {State::pending, std::move(fd)};
  return {State::failed, std::move(fd), error};
}

int ask(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 && is_loop(fd) ? ECONNREFUSED : error;
}

Fd blocking(Fd fd) {
  set_nonblocking(fd.get(), false);
  return fd;
}

int milliseconds_until(const Deadline& deadline) {
  const auto left = deadline.remaining();
  if (!left) return -1;
  const auto whole = std::chrono::ceil<std::chrono::milliseconds>(*left).count();
  return whole > 1'000'000'000 ? 1'000'000'000 : static_cast<int>(whole);
}

}  // namespace

Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("connect_until: no addresses");
  Reason reason;
  for (const Endpoint& address : addresses) {
    Begun attempt = begin(address);
    if (attempt.state == State::pending) {
      if (attempt.fd.get() >= FD_SETSIZE) {
        reason.update(EINVAL, address);
        continue;
      }
      if (!wait_writable(attempt.fd.get(), deadline.remaining())) {
        reason = {ETIMEDOUT, address.to_string()};
        break;
      }
    }
    const int error = attempt.state == State::failed ? attempt.error : ask(attempt.fd.get());
    if (error == 0) return blocking(std::move(attempt.fd));
    reason.update(error, address);
  }
  reason.raise();
}

Fd connect_race(std::span<const Endpoint> addresses, std::chrono::milliseconds stagger,
                Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("connect_race: no addresses");
  std::map<std::size_t, Fd> pending;  // by index
  Reason reason;
  std::size_t next = 0;
  Deadline next_start = Deadline::after(Duration::zero());
  for (;;) {
    if (next < addresses.size() && next_start.has_passed()) {
      Begun attempt = begin(addresses[next]);
      next_start = Deadline::after(stagger);
      if (attempt.state != State::failed) {
        pending.emplace(next, std::move(attempt.fd));
      } else {
        reason.update(attempt.error, addresses[next]);
        next_start = Deadline::after(Duration::zero());
      }
      ++next;
      if (next < addresses.size() && next_start.has_passed()) continue;
    }
    if (pending.empty() && next == addresses.size()) reason.raise();

    std::vector<pollfd> entries;
    std::vector<std::size_t> indexes;
    for (const auto& [index, fd] : pending) {
      entries.push_back({fd.get(), POLLOUT, 0});
      indexes.push_back(index);
    }
    int time = milliseconds_until(deadline);
    if (next < addresses.size()) {
      const int to_start = milliseconds_until(next_start);
      if (time < 0 || to_start < time) time = to_start;
    }
    const int count = poll(entries.data(), entries.size(), time);
    if (count < 0 && errno != EINTR)
      throw std::system_error(errno, std::generic_category(), "poll");
    for (std::size_t i = 0; count > 0 && i < entries.size(); ++i) {
      if (entries[i].revents == 0) continue;
      const int error = ask(entries[i].fd);
      if (error == 0) return blocking(std::move(pending[indexes[i]]));
      reason.update(error, addresses[indexes[i]]);
      pending.erase(indexes[i]);
      next_start = Deadline::after(Duration::zero());
    }
    if (count == 0 && deadline.has_passed())
      Reason{ETIMEDOUT, addresses[pending.begin()->first].to_string()}.raise();
  }
}

}  // namespace course
