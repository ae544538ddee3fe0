/// @file
/// What goes wrong on demand.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace grader {

/// The family of a function that the interposer exports ("__recv_chk": "recv"), as Faults names it;
/// fcntl is "fcntl", whatever it does.
std::string family_of(std::string_view function);

/// The faults of one scenario. Functions are named by family: "recv" stands for recv, recvfrom,
/// recvmsg, read and readv; "send" for send, sendto, sendmsg, write and writev; "accept" for accept
/// and accept4; "select" for select, pselect, poll and ppoll; "dup" for dup, dup2, dup3 and
/// fcntl(F_DUPFD); "pipe" for pipe and pipe2; the others for themselves.
class Faults {
 public:
  /// Every send takes at most `bytes` bytes; 0: as many as fit.
  void send_takes_at_most(std::size_t bytes) { send_max_ = bytes; }

  /// Every recv gives at most `bytes` bytes; 0: as many as there are.
  void recv_gives_at_most(std::size_t bytes) { recv_max_ = bytes; }

  /// The next sends take at most these numbers of bytes, one after the other.
  void next_sends_take(std::vector<std::size_t> sizes) {
    send_sizes_.assign(sizes.begin(), sizes.end());
  }

  /// The next recvs give at most these numbers of bytes, one after the other.
  void next_recvs_give(std::vector<std::size_t> sizes) {
    recv_sizes_.assign(sizes.begin(), sizes.end());
  }

  /// After `skip` calls that work, the next `times` calls of `function` fail with `error` before
  /// they do anything.
  void fail(const std::string& function, int error, int times = 1, int skip = 0);

  /// Every other call of `function`, beginning with the first, is interrupted (EINTR) before it
  /// does anything; a connect goes on by itself.
  void interrupt_every_other(const std::string& function) { interrupted_[function] = false; }

  /// close(2) closes, but reports `error`.
  void close_reports(int error) { close_error_ = error; }

  /// Calls that clean up (close, shutdown, freeaddrinfo) leave this in errno although they succeed.
  void clean_up_overwrites_errno_with(int error) { clean_up_errno_ = error; }

  /// A connect whose answer takes no time tells it at once, also on a non-blocking socket, as on
  /// systems other than Linux, and not with EINPROGRESS.
  void connect_may_end_at_once() { connect_may_end_at_once_ = true; }

  /// socket(2) for this family fails with EAFNOSUPPORT.
  void family_is_unavailable(int family) { unavailable_families_.insert(family); }

  /// A client that resets before it is accepted makes accept fail with ECONNABORTED, as on systems
  /// other than Linux.
  void reset_before_accept_aborts() { reset_before_accept_aborts_ = true; }

  /// A client that resets before it is accepted is gone from the queue when accept looks, although
  /// the listener was readable: accept waits for the next, or fails with EAGAIN, as on systems
  /// other than Linux.
  void reset_before_accept_vanishes() { reset_before_accept_vanishes_ = true; }

  // What the calls ask:
  std::optional<int> next_error(const std::string& function);
  std::size_t limit_send(std::size_t offered);
  std::size_t limit_recv(std::size_t asked);
  [[nodiscard]] int close_error() const { return close_error_; }
  [[nodiscard]] int clean_up_errno() const { return clean_up_errno_; }
  [[nodiscard]] bool is_unavailable(int family) const {
    return unavailable_families_.contains(family);
  }
  [[nodiscard]] bool tells_connects_at_once() const { return connect_may_end_at_once_; }
  [[nodiscard]] bool aborts_reset_connections() const { return reset_before_accept_aborts_; }
  [[nodiscard]] bool drops_reset_connections() const { return reset_before_accept_vanishes_; }
  [[nodiscard]] bool sends_are_short() const { return send_max_ != 0 || !send_sizes_.empty(); }

 private:
  struct Plan {
    int skip, times, error;
  };
  std::size_t send_max_ = 0, recv_max_ = 0;
  std::deque<std::size_t> send_sizes_, recv_sizes_;
  std::map<std::string, std::deque<Plan>> plans_;
  std::map<std::string, bool> interrupted_;
  std::set<int> unavailable_families_;
  int close_error_ = 0, clean_up_errno_ = 0;
  bool connect_may_end_at_once_ = false;
  bool reset_before_accept_aborts_ = false, reset_before_accept_vanishes_ = false;
};

}  // namespace grader
