// Different here: an attempt that fails throws, and the last exception is kept to be thrown again;
// getpeername tells whether a socket is connected, and SO_ERROR only why not.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <exception>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "13-connect-in-time/connect_in_time.hpp"

namespace course {
namespace {

struct Failed : std::system_error {
  using std::system_error::system_error;
  [[nodiscard]] bool is_about_the_family() const { return code().value() == EAFNOSUPPORT; }
};

class Attempt {
 public:
  explicit Attempt(const Endpoint& to) : to_(&to) {
    fd_.reset(check(::socket(to.family(), SOCK_STREAM, 0)));
    check(::fcntl(fd_.get(), F_SETFD, FD_CLOEXEC));
    flags_ = check(::fcntl(fd_.get(), F_GETFL));
    check(::fcntl(fd_.get(), F_SETFL, flags_ | O_NONBLOCK));
    if (::connect(fd_.get(), to.data(), to.length()) == -1 && errno != EINPROGRESS) check(-1);
  }

  /// The connected socket; throws why it is not connected.
  Fd result() {
    const Endpoint other = end(::getpeername);
    if (other.length() == 0) throw Failed(so_error(), std::generic_category(), to_->to_string());
    if (other == end(::getsockname))
      throw Failed(ECONNREFUSED, std::generic_category(), to_->to_string());
    check(::fcntl(fd_.get(), F_SETFL, flags_));
    return std::move(fd_);
  }

  [[noreturn]] void time_is_over() const {
    throw Failed(ETIMEDOUT, std::generic_category(), to_->to_string());
  }

  [[nodiscard]] pollfd entry() const { return {fd_.get(), POLLOUT, 0}; }

 private:
  int check(int result) const {
    if (result == -1) throw Failed(errno, std::generic_category(), to_->to_string());
    return result;
  }

  template <class Name>
  [[nodiscard]] Endpoint end(Name name) const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    return name(fd_.get(), address, &length) == 0 ? Endpoint(address, length) : Endpoint();
  }

  [[nodiscard]] int so_error() const {
    int error = 0;
    socklen_t length = sizeof error;
    return ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
  }

  const Endpoint* to_;
  Fd fd_;
  int flags_ = 0;
};

class Failures {
 public:
  /// Call in a handler.
  void keep(const Failed& failed) {
    if (failed.is_about_the_family() && tells_something_) return;
    last_ = std::current_exception();
    tells_something_ = !failed.is_about_the_family();
  }
  [[noreturn]] void raise() const { std::rethrow_exception(last_); }

 private:
  std::exception_ptr last_;
  bool tells_something_ = false;
};

/// Waits until somebody has been answered or the time is over; nothing then, or after a signal.
std::vector<std::size_t> wait(const std::vector<Attempt>& attempts, std::optional<Duration> time) {
  std::vector<pollfd> entries;
  for (const Attempt& attempt : attempts) entries.push_back(attempt.entry());
  timespec rest{};
  if (time) rest = {time->count() / 1'000'000'000, time->count() % 1'000'000'000};
  if (::ppoll(entries.data(), entries.size(), time ? &rest : nullptr, nullptr) == -1) {
    if (errno == EINTR) return {};
    throw std::system_error(errno, std::generic_category(), "ppoll");
  }
  std::vector<std::size_t> answered;
  for (std::size_t i = entries.size(); i-- > 0;)  // from the back, so that they can be erased
    if (entries[i].revents != 0) answered.push_back(i);
  return answered;
}

}  // namespace

Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("connect to nowhere");
  Failures failures;
  for (const Endpoint& address : addresses) {
    std::vector<Attempt> attempt;
    try {
      attempt.emplace_back(address);
      bool is_over = false;
      while (!is_over) {
        const auto left = deadline.remaining();
        is_over = !wait(attempt, left).empty();
        if (!is_over && left == Duration::zero()) break;
      }
      if (is_over) return attempt.front().result();
    } catch (const Failed& failed) {
      failures.keep(failed);
      continue;
    }
    attempt.front().time_is_over();
  }
  failures.raise();
}

Fd connect_race(std::span<const Endpoint> addresses, std::chrono::milliseconds stagger,
                Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("connect to nowhere");
  Failures failures;
  std::vector<Attempt> attempts;
  auto next = addresses.begin();
  auto due = Deadline::after(Duration::zero());
  while (true) {
    while (next != addresses.end() && due.has_passed()) try {
        const Endpoint& address = *next++;
        attempts.emplace_back(address);
        due = Deadline::after(stagger);
      } catch (const Failed& failed) {
        failures.keep(failed);
      }
    if (attempts.empty()) failures.raise();
    const auto left = deadline.remaining();
    auto time = left;
    if (next != addresses.end()) time = std::min(left.value_or(Duration::max()), *due.remaining());
    const auto answered = wait(attempts, time);
    if (answered.empty() && left == Duration::zero()) attempts.front().time_is_over();
    for (const std::size_t i : answered) try {
        return attempts[i].result();
      } catch (const Failed& failed) {
        failures.keep(failed);
        attempts.erase(attempts.begin() + static_cast<std::ptrdiff_t>(i));
        due = Deadline::after(Duration::zero());
      }
  }
}

}  // namespace course
