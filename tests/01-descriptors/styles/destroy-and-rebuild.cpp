// Move assignment destroys the object and builds it anew in its place (placement new).
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "01-descriptors/descriptors.hpp"

namespace course {

Fd::Fd(int fd) noexcept : fd_(fd) {}

Fd::Fd(Fd&& other) noexcept : Fd(other.release()) {}

Fd::~Fd() {
  if (fd_ != -1) static_cast<void>(::close(fd_));
}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (std::addressof(other) == this) return *this;
  std::destroy_at(this);
  return *std::construct_at(this, std::move(other));
}

int Fd::get() const noexcept { return fd_; }

int Fd::release() noexcept {
  const int fd = fd_;
  std::construct_at(this);
  return fd;
}

void Fd::reset(int fd) noexcept {
  if (fd != get()) *this = Fd(fd);
}

std::pair<Fd, Fd> connected_pair() {
  int pair[2]{-1, -1};
  const int result = ::socketpair(AF_LOCAL, SOCK_STREAM | SOCK_CLOEXEC, AF_UNSPEC, pair);
  if (result < 0) throw std::system_error({errno, std::generic_category()}, "socketpair failed");
  return std::make_pair(Fd(pair[0]), Fd(pair[1]));
}

}  // namespace course
