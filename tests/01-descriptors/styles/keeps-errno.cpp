// The destructor keeps errno, so that cleaning up cannot hide why something failed; the number is
// forgotten before it is closed.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "01-descriptors/descriptors.hpp"

namespace course {
namespace {

class KeepErrno {
 public:
  KeepErrno() = default;
  KeepErrno(const KeepErrno&) = delete;
  KeepErrno& operator=(const KeepErrno&) = delete;
  ~KeepErrno() { errno = saved_; }

 private:
  int saved_ = errno;
};

}  // namespace

Fd::Fd(int fd) noexcept : fd_(fd) {}

Fd::Fd(Fd&& other) noexcept : fd_(other.release()) {}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this == &other) return *this;
  reset();
  fd_ = other.release();
  return *this;
}

Fd::~Fd() { reset(); }

int Fd::get() const noexcept { return fd_; }

int Fd::release() noexcept {
  const int given_up = fd_;
  fd_ = -1;
  return given_up;
}

void Fd::reset(int fd) noexcept {
  const int old = fd_;
  if (old == fd) return;
  fd_ = fd;
  if (old == -1) return;
  const KeepErrno guard;
  if (::close(old) == -1) {
    // The number has been freed nevertheless.
  }
}

std::pair<Fd, Fd> connected_pair() {
  int both[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0)
    return {Fd(both[0]), Fd(both[1])};
  const int error = errno;
  throw std::system_error(error, std::system_category(), std::string("cannot make a socketpair"));
}

}  // namespace course
