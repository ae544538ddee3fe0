/// @file
/// Lesson 01: a socket is a small integer that somebody must close exactly once.
#pragma once

#include <utility>

namespace course {

/// The one owner of one descriptor: closes it exactly once. Move-only; no function here blocks or
/// throws.
class Fd {
 public:
  /// Owns nothing: get() is -1.
  Fd() noexcept = default;

  /// Takes ownership of `fd` itself (no dup), an open descriptor that nobody else may close from
  /// now on, or -1: then it owns nothing. Other negative numbers are not allowed.
  explicit Fd(int fd) noexcept;

  /// Closes what it owns, if anything, and does no more: other descriptors of the same socket stay
  /// usable. An error from close(2) is ignored: on Linux the descriptor is gone either way, and a
  /// second close could hit somebody else's (close(2), "Dealing with error returns").
  ~Fd();

  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  /// Takes the descriptor of `other`, which then owns nothing.
  Fd(Fd&& other) noexcept;

  /// Closes its own descriptor, then takes that of `other`, which then owns nothing.
  /// Moving an Fd into itself changes nothing.
  Fd& operator=(Fd&& other) noexcept;

  /// The descriptor, lent: the caller must not close it. -1 when nothing is owned.
  [[nodiscard]] int get() const noexcept;

  /// Gives the descriptor up without closing it; the caller now owns it. -1 when nothing was owned.
  [[nodiscard]] int release() noexcept;

  /// Closes what it owns, if anything, and takes ownership of `fd`, an open descriptor or -1 as
  /// above. Given the descriptor that it owns already, it changes nothing.
  void reset(int fd = -1) noexcept;

 private:
  [[maybe_unused]] int fd_ = -1;
};

/// Two blocking stream sockets connected to each other (socketpair(2), AF_UNIX, SOCK_STREAM).
/// Neither survives an exec: both have FD_CLOEXEC. Does not block. Throws std::system_error with
/// errno and what() naming the call, "socketpair" say, whenever a call that it makes fails; then
/// nothing that it opened stays open. Changes nothing else in the process.
[[nodiscard]] std::pair<Fd, Fd> connected_pair();

}  // namespace course
