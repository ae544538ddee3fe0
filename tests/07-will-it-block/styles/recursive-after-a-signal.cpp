// A signal ends one call of the function and begins the next, with what is left.
#include <sys/select.h>

#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "07-will-it-block/will_it_block.hpp"

using namespace std::chrono;

namespace course {
namespace {

using Sets = struct { fd_set *read, *write; };

void refuse(int error) { throw std::system_error(std::make_error_code(std::errc(error))); }

std::optional<timeval> rounded_up(std::optional<Duration> timeout) {
  if (!timeout) return std::nullopt;
  if (*timeout < Duration::zero()) return timeval{};
  const long long us = (timeout->count() - 1) / 1000 + (timeout->count() > 0 ? 1 : 0);
  return timeval{us / 1'000'000, us % 1'000'000};
}

template <class Place>
bool wait(int fd, std::optional<Duration> timeout, Place place) {
  if (unsigned(fd) >= unsigned(FD_SETSIZE)) refuse(EINVAL);
  const auto start = steady_clock::now();
  auto set = fd_set();
  FD_SET(fd, &set);
  const auto [read, write] = place(&set);
  auto time = rounded_up(timeout);
  const int count = ::select(fd + 1, read, write, nullptr, time ? &*time : nullptr);
  if (count != -1) return count != 0 && FD_ISSET(fd, &set);
  if (errno != EINTR) refuse(errno);
  if (timeout) *timeout = std::max(*timeout, Duration(0)) - (steady_clock::now() - start);
  return wait(fd, timeout, place);
}

}  // namespace

bool wait_readable(int fd, std::optional<Duration> timeout) {
  return wait(fd, timeout, [](fd_set* set) { return Sets{set, nullptr}; });
}

bool wait_writable(int fd, std::optional<Duration> timeout) {
  return wait(fd, timeout, [](fd_set* set) { return Sets{nullptr, set}; });
}

}  // namespace course
