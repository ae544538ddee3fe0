// Move assignment by swapping with a temporary, whose destructor closes the old descriptor last.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "01-descriptors/descriptors.hpp"

namespace course {

Fd::Fd(int fd) noexcept : fd_{fd} {}

Fd::Fd(Fd&& other) noexcept { std::swap(fd_, other.fd_); }

Fd& Fd::operator=(Fd&& other) noexcept {
  Fd taken(std::move(other));
  std::swap(fd_, taken.fd_);
  return *this;
}

Fd::~Fd() {
  if (fd_ == -1) return;
  ::close(fd_);
}

int Fd::get() const noexcept { return fd_; }

int Fd::release() noexcept {
  int given_up = -1;
  std::swap(fd_, given_up);
  return given_up;
}

void Fd::reset(int fd) noexcept {
  if (fd == fd_) return;
  Fd replacement(fd);
  std::swap(fd_, replacement.fd_);
}

std::pair<Fd, Fd> connected_pair() {
  std::array<int, 2> sockets{};
  if (::socketpair(PF_LOCAL, SOCK_CLOEXEC | SOCK_STREAM, 0, sockets.data()) != 0) {
    const std::error_code why(errno, std::system_category());
    throw std::system_error(why, "socketpair(AF_UNIX, SOCK_STREAM)");
  }
  return {Fd(sockets[0]), Fd(sockets[1])};
}

}  // namespace course
