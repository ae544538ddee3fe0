// Different here: a second connect tells how the first has ended (0 once, then EISCONN; or its
// errno), instead of SO_ERROR. As it can be asked at any time, everybody is asked in every turn.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <system_error>

#include "08-three-lists/three_lists.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "13-connect-in-time/connect_in_time.hpp"

namespace course {
namespace {

using Clock = std::chrono::steady_clock;
using Point = Clock::time_point;

class Attempt {
 public:
  explicit Attempt(const Endpoint& to)
      : to_(to), fd_(::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    error_ = fd_.get() < 0 ? errno : fd_.get() > 1023 ? EINVAL : EALREADY;
  }

  // 0: connected, EALREADY: under way, else it has failed.
  int progress() {
    if (error_ != EALREADY) return error_;
    error_ = ::connect(fd_.get(), to_.data(), to_.length()) == 0 ? 0 : errno;
    if (error_ == EINPROGRESS) error_ = EALREADY;
    if (error_ == EISCONN) error_ = 0;
    if (error_ == 0 && is_own_end()) error_ = ECONNREFUSED;
    if (error_ != 0 && error_ != EALREADY) fd_.reset();
    return error_;
  }

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] const Endpoint& to() const { return to_; }

  Fd take() {
    set_nonblocking(fd_.get(), false);
    return std::move(fd_);
  }

 private:
  [[nodiscard]] bool is_own_end() const {
    sockaddr_storage own{};
    socklen_t length = sizeof own;
    return ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&own), &length) == 0 &&
           Endpoint(reinterpret_cast<sockaddr*>(&own), length) == to_;
  }

  const Endpoint& to_;
  Fd fd_;
  int error_;
};

[[noreturn]] void raise(int error, const Endpoint& address) {
  throw std::system_error({error, std::system_category()}, address.to_string());
}

Fd run(std::span<const Endpoint> addresses, std::optional<Duration> stagger, Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("no address");
  std::vector<std::unique_ptr<Attempt>> attempts;
  std::size_t begun = 0;
  Point due = Clock::now();
  std::pair<int, const Endpoint*> last{EAFNOSUPPORT, &addresses.back()};
  for (;;) {
    if (begun < addresses.size() && (attempts.empty() || (stagger && Clock::now() >= due))) {
      attempts.push_back(std::make_unique<Attempt>(addresses[begun++]));
      (void)attempts.back()->progress();
      if (stagger) due = Clock::now() + *stagger;
    }
    bool has_failed = false;
    for (auto at = attempts.begin(); at != attempts.end();) {
      const int error = (*at)->progress();
      if (error == 0) return (*at)->take();
      if (error == EALREADY) {
        ++at;
        continue;
      }
      if (error != EAFNOSUPPORT) last = {error, &(*at)->to()};
      at = attempts.erase(at);
      has_failed = true;
    }
    if (has_failed) {
      due = Clock::now();
      continue;
    }
    if (attempts.empty()) {
      if (begun < addresses.size()) continue;
      raise(last.first, *last.second);
    }

    std::vector<int> fds;
    for (const auto& attempt : attempts) fds.push_back(attempt->fd());
    std::optional<Duration> time = deadline.remaining();
    if (stagger && begun < addresses.size())
      time = std::min(time.value_or(Duration::max()),
                      std::max(Duration(due - Clock::now()), Duration()));
    try {
      const bool nobody = select_on({}, fds, {}, time).writable.empty();
      if (nobody && deadline.has_passed()) raise(ETIMEDOUT, attempts.front()->to());
    } catch (const std::system_error& error) {
      if (error.code().value() != EINTR) throw;
    }
  }
}

}  // namespace

Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  return run(addresses, {}, deadline);
}

Fd connect_race(std::span<const Endpoint> addresses, std::chrono::milliseconds stagger,
                Deadline deadline) {
  return run(addresses, stagger, deadline);
}

}  // namespace course
