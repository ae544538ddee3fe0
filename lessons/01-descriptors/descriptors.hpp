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

  /// Takes ownership of `fd`, which nobody else may close from now on. -1 means: owns nothing.
  explicit Fd(int fd) noexcept;

  /// Closes what it owns, if anything. An error from close(2) is ignored: on Linux the descriptor
  /// is gone either way, and a second close could hit somebody else's (close(2), "Dealing with
  /// error returns").
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

  /// Closes what it owns, if anything, and takes ownership of `fd`. Given the descriptor that it
  /// owns already, it changes nothing.
  void reset(int fd = -1) noexcept;

 private:
  int fd_ = -1;
};

/// Two stream sockets connected to each other (socketpair(2), AF_UNIX, SOCK_STREAM). Neither
/// survives an exec: both have FD_CLOEXEC. Does not block. Throws std::system_error naming the call
/// when there are no descriptors left (EMFILE, ENFILE); then nothing stays open.
[[nodiscard]] std::pair<Fd, Fd> connected_pair();

}  // namespace course
