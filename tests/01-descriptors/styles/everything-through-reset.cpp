// Written like a smart pointer: everything is get(), release() and reset(); the pair is owned first
// and marked close-on-exec afterwards, keeping the flags that are there.
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "01-descriptors/descriptors.hpp"

namespace course {
namespace {

int checked(int result, const char* call) {
  if (result == -1) throw std::system_error(errno, std::system_category(), call);
  return result;
}

void close_on_exec(const Fd& socket) {
  const int flags = checked(::fcntl(socket.get(), F_GETFD), "fcntl(F_GETFD)");
  checked(::fcntl(socket.get(), F_SETFD, flags | FD_CLOEXEC), "fcntl(F_SETFD)");
}

}  // namespace

Fd::Fd(int fd) noexcept { reset(fd); }

Fd::Fd(Fd&& other) noexcept { reset(other.release()); }

Fd::~Fd() { reset(); }

Fd& Fd::operator=(Fd&& other) noexcept {
  reset(other.release());
  return *this;
}

int Fd::get() const noexcept { return fd_; }

int Fd::release() noexcept { return std::exchange(fd_, -1); }

void Fd::reset(int fd) noexcept {
  const int old = release();
  if (old != -1 && old != fd) ::close(old);
  fd_ = fd;
}

std::pair<Fd, Fd> connected_pair() {
  int ends[2];
  checked(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
  std::pair<Fd, Fd> both(ends[0], ends[1]);
  close_on_exec(both.first);
  close_on_exec(both.second);
  return both;
}

}  // namespace course
