/// @file
/// What one turn of a server waits for.
#pragma once

#include <sys/select.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "given/deadline.hpp"

namespace course {

/// select_until() of lesson 09 for a server that knows its descriptors: the sets are kept as they
/// are, and nobody is asked whether a descriptor is open. So a turn costs one system call, however
/// many descriptors wait. A plain value; descriptors are borrowed.
class WaitSet {
 public:
  /// Waits for nobody yet.
  WaitSet() noexcept { clear(); }

  /// Whether `fd` can be waited for at all: it is no less than 0 and below FD_SETSIZE, 1024.
  [[nodiscard]] static bool fits(int fd) noexcept { return fd >= 0 && fd < FD_SETSIZE; }

  /// Waits for nobody any more.
  void clear() noexcept {
    FD_ZERO(&readers_);
    FD_ZERO(&writers_);
    readable_ = writable_ = readers_;
    nfds_ = 0;
  }

  /// Waits for `fd` to be readable as well. It must fit, and be open when it comes to
  /// wait().
  void add_reader(int fd) noexcept { add(fd, readers_); }
  /// The same for writing.
  void add_writer(int fd) noexcept { add(fd, writers_); }

  /// Blocks until somebody is ready or `deadline` has passed, whichever is first; signals neither
  /// end nor lengthen it. A deadline that has passed already still looks once. Returns whether
  /// anybody is ready. Throws std::system_error with errno (EBADF: one of them is not open); then
  /// nobody counts as ready.
  bool wait(Deadline deadline) {
    while (true) {
      readable_ = readers_;
      writable_ = writers_;
      const auto left = deadline.remaining();
      timeval time{};
      if (left) {  // never shorter: a part of a microsecond counts as a whole one
        const auto all = std::chrono::ceil<std::chrono::microseconds>(*left);
        const auto whole = std::chrono::floor<std::chrono::seconds>(all);
        time = {.tv_sec = whole.count(), .tv_usec = (all - whole).count()};
      }
      const int found = ::select(nfds_, &readable_, &writable_, nullptr, left ? &time : nullptr);
      if (found >= 0) return found > 0;
      const int error = errno;
      FD_ZERO(&readable_);
      FD_ZERO(&writable_);
      if (error != EINTR) throw std::system_error(error, std::system_category(), "select");
    }
  }

  /// Whether wait() found `fd` ready for reading. False for one that does not fit, -1 say.
  [[nodiscard]] bool is_readable(int fd) const noexcept {
    return fits(fd) && FD_ISSET(fd, &readable_);
  }
  /// The same for writing.
  [[nodiscard]] bool is_writable(int fd) const noexcept {
    return fits(fd) && FD_ISSET(fd, &writable_);
  }

 private:
  void add(int fd, fd_set& set) noexcept {
    FD_SET(fd, &set);
    nfds_ = std::max(nfds_, fd + 1);
  }

  fd_set readers_, writers_;    // asked about
  fd_set readable_, writable_;  // answered
  int nfds_ = 0;
};

}  // namespace course
