#include "01-descriptors/descriptors.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace course {
namespace {

void close_if_open(int fd) noexcept {
  // close(2), "Dealing with error returns": whatever it answers, the number is free again. There is
  // nothing to repeat, and nobody here to tell.
  if (fd != -1) (void)::close(fd);
}

}  // namespace

Fd::Fd(int fd) noexcept : fd_(fd) {}

Fd::~Fd() { close_if_open(fd_); }

Fd::Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Fd& Fd::operator=(Fd&& other) noexcept {
  // Taken before anything is closed: an Fd moved into itself then has nothing left to close.
  const int taken = std::exchange(other.fd_, -1);
  close_if_open(std::exchange(fd_, taken));
  return *this;
}

int Fd::get() const noexcept { return fd_; }

int Fd::release() noexcept { return std::exchange(fd_, -1); }

void Fd::reset(int fd) noexcept {
  if (fd != fd_) close_if_open(std::exchange(fd_, fd));
}

std::pair<Fd, Fd> connected_pair() {
  int ends[2] = {-1, -1};
  // SOCK_CLOEXEC rather than fcntl(2) afterwards: no other thread can exec in between (open(2),
  // O_CLOEXEC).
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == -1)
    throw std::system_error(errno, std::system_category(), "socketpair");
  return std::pair<Fd, Fd>(ends[0], ends[1]);
}

}  // namespace course
