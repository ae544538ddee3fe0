#include "13-connect-in-time/connect_in_time.hpp"

#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"

namespace course {
namespace {

[[noreturn]] void fail(int error, const Endpoint& address) {
  throw std::system_error(error, std::system_category(), "connect to " + address.to_string());
}

/// Begins to connect a new, non-blocking `socket` to `address`, without waiting. Returns 0 when the
/// attempt is under way or done, else the errno with which it has failed.
int begin(Fd& socket, const Endpoint& address) {
  socket.reset(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() == -1) return errno;
  if (socket.get() >= FD_SETSIZE) return EINVAL;
  if (::connect(socket.get(), address.data(), address.length()) == 0) return 0;
  return errno == EINPROGRESS ? 0 : errno;
}

/// The address of one end of the connection: name is getsockname or getpeername.
template <class Name>
Endpoint end_of(int fd, Name name) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  return name(fd, generic, &length) == 0 ? Endpoint(generic, length) : Endpoint();
}

/// How the attempt ended on `fd`, which has become writable: 0 when it is connected, else an errno.
/// To ask is to take: a second look would find 0 (socket(7), SO_ERROR).
int outcome(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1) return errno;
  const bool is_itself = error == 0 && end_of(fd, ::getsockname) == end_of(fd, ::getpeername);
  return is_itself ? ECONNREFUSED : error;
}

Deadline earlier(Deadline a, Deadline b) {
  const auto left_a = a.remaining(), left_b = b.remaining();
  if (!left_a) return b;
  if (!left_b) return a;
  return *left_a < *left_b ? a : b;
}

/// The attempts at a list of addresses, one for each; where there is no stagger, one at a time.
class Attempts {
 public:
  Attempts(std::span<const Endpoint> addresses, std::optional<Duration> stagger)
      : untried_(addresses), stagger_(stagger) {}

  /// The socket of the first to accept.
  Fd first_to_accept(Deadline deadline) {
    while (true) {
      begin_what_is_due();
      if (under_way_.empty()) fail(reason_, *failed_);
      const auto answered = select_until({}, sockets(), {}, earlier(deadline, next_)).writable;
      for (const int fd : answered)
        if (auto winner = take_answer(fd)) return std::move(*winner);
      if (answered.empty() && deadline.has_passed()) fail(ETIMEDOUT, *under_way_.front().to);
    }
  }

 private:
  struct Attempt {
    Fd socket;
    const Endpoint* to;
  };

  /// Begins the next attempt, when nothing else goes on, the last one has had its time, or one has
  /// failed; and so on while they fail at once.
  void begin_what_is_due() {
    while (!untried_.empty() && (under_way_.empty() || next_.has_passed())) {
      Attempt attempt{Fd(), &untried_.front()};
      untried_ = untried_.subspan(1);
      const int error = begin(attempt.socket, *attempt.to);
      next_ = stagger_ ? Deadline::after(*stagger_) : Deadline::never();
      if (error == 0)
        under_way_.push_back(std::move(attempt));
      else
        has_failed(error, *attempt.to);
    }
    if (untried_.empty()) next_ = Deadline::never();
  }

  /// Notes the failure, if it tells more than what is known: that a family is not available here
  /// says nothing about the host.
  void has_failed(int error, const Endpoint& address) {
    next_ = Deadline::after(Duration::zero());
    if (error == EAFNOSUPPORT && failed_ != nullptr && reason_ != EAFNOSUPPORT) return;
    reason_ = error;
    failed_ = &address;
  }

  /// The socket `fd`, when it is connected; else its attempt is over.
  std::optional<Fd> take_answer(int fd) {
    const auto attempt = std::find_if(under_way_.begin(), under_way_.end(),
                                      [fd](const Attempt& a) { return a.socket.get() == fd; });
    const int error = outcome(fd);
    if (error == 0) {
      set_nonblocking(fd, false);
      return std::move(attempt->socket);
    }
    has_failed(error, *attempt->to);
    under_way_.erase(attempt);
    return std::nullopt;
  }

  [[nodiscard]] std::vector<int> sockets() const {
    std::vector<int> fds;
    for (const Attempt& attempt : under_way_) fds.push_back(attempt.socket.get());
    return fds;
  }

  std::span<const Endpoint> untried_;
  std::optional<Duration> stagger_;
  std::vector<Attempt> under_way_;
  Deadline next_ = Deadline::never();  // when the next attempt begins
  int reason_ = 0;
  const Endpoint* failed_ = nullptr;
};

Fd connect_to_first(std::span<const Endpoint> addresses, std::optional<Duration> stagger,
                    Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("no address to connect to");
  return Attempts(addresses, stagger).first_to_accept(deadline);
}

}  // namespace

Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  return connect_to_first(addresses, std::nullopt, deadline);
}

Fd connect_race(std::span<const Endpoint> addresses, std::chrono::milliseconds stagger,
                Deadline deadline) {
  return connect_to_first(addresses, stagger, deadline);
}

}  // namespace course
