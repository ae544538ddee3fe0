// C style: plain ifs, close-on-exec in a second step, one clean-up label, errno saved around it.
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <system_error>

#include "01-descriptors/descriptors.hpp"

namespace course {

Fd::Fd(int fd) noexcept { fd_ = fd; }

Fd::~Fd() {
  if (fd_ >= 0) close(fd_);
}

Fd::Fd(Fd&& other) noexcept {
  fd_ = other.fd_;
  other.fd_ = -1;
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this == &other) return *this;
  if (fd_ >= 0) close(fd_);
  fd_ = other.fd_;
  other.fd_ = -1;
  return *this;
}

int Fd::get() const noexcept { return fd_; }

int Fd::release() noexcept {
  int fd = fd_;
  fd_ = -1;
  return fd;
}

void Fd::reset(int fd) noexcept {
  if (fd == fd_) return;
  if (fd_ >= 0) close(fd_);
  fd_ = fd;
}

std::pair<Fd, Fd> connected_pair() {
  const char* call = "socketpair";
  int error = 0;
  int sv[2];

  if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) < 0) {
    error = errno;
    goto failed;
  }
  call = "fcntl";
  if (fcntl(sv[0], F_SETFD, FD_CLOEXEC) < 0 || fcntl(sv[1], F_SETFD, FD_CLOEXEC) < 0) {
    error = errno;
    goto close_both;
  }
  return std::pair<Fd, Fd>(sv[0], sv[1]);

close_both:
  close(sv[1]);
  close(sv[0]);
failed:
  throw std::system_error(error, std::generic_category(), call);
}

}  // namespace course
