// Close-on-exec with ioctl(FIOCLEX) instead of fcntl, over a range of owners; errors as error_code;
// close_range(2) of one descriptor instead of close, after an assertion that it is open.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <string>
#include <system_error>

#include "01-descriptors/descriptors.hpp"

namespace course {
namespace {

constexpr int nothing = -1;

void close_one(int fd) noexcept {
  assert(::fcntl(fd, F_GETFD) != -1);
  const auto number = static_cast<unsigned>(fd);
  (void)::close_range(number, number, 0);
}

[[noreturn]] void fail(const std::string& call) {
  throw std::system_error(std::make_error_code(static_cast<std::errc>(errno)), call);
}

}  // namespace

Fd::Fd(int fd) noexcept : fd_(fd) {}
Fd::Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, nothing)) {}

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) reset(other.release());
  return *this;
}

Fd::~Fd() {
  if (fd_ != nothing) close_one(std::exchange(fd_, nothing));
}

int Fd::get() const noexcept { return fd_; }
int Fd::release() noexcept { return std::exchange(fd_, nothing); }

void Fd::reset(int fd) noexcept {
  if (fd == fd_) return;
  if (fd_ != nothing) close_one(fd_);
  fd_ = fd;
}

std::pair<Fd, Fd> connected_pair() {
  std::array<int, 2> numbers{nothing, nothing};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, numbers.data()) < 0) fail("socketpair");
  std::array<Fd, 2> owners{Fd{numbers[0]}, Fd{numbers[1]}};
  const auto marked = [](const Fd& owner) { return ::ioctl(owner.get(), FIOCLEX) == 0; };
  if (!std::ranges::all_of(owners, marked)) fail("ioctl");
  return {std::move(owners[0]), std::move(owners[1])};
}

}  // namespace course
