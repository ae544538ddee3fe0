// One look without waiting, then a wait only if it is needed, then perhaps one more look.
#include <sys/select.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "07-will-it-block/will_it_block.hpp"

namespace course {
namespace {

constexpr std::size_t reading = 0, writing = 1;

enum class Outcome { ready, not_ready, interrupted };

Outcome select_one(int fd, std::size_t place, timeval* time) {
  std::array<fd_set, 2> sets;
  for (auto& set : sets) FD_ZERO(&set);
  FD_SET(fd, &sets.at(place));
  const int nfds = fd + 1;
  const int count = ::select(nfds, &sets[reading], &sets[writing], nullptr, time);
  if (count == -1 && errno == EINTR) return Outcome::interrupted;
  if (count == -1) {
    const std::error_code error(errno, std::generic_category());
    throw std::system_error(error, "select on descriptor " + std::to_string(fd));
  }
  return FD_ISSET(fd, &sets.at(place)) ? Outcome::ready : Outcome::not_ready;
}

Outcome look(int fd, std::size_t place) {
  timeval none{};
  return select_one(fd, place, &none);
}

bool wait(int fd, std::size_t place, std::optional<Duration> timeout) {
  if (fd < 0 || fd >= FD_SETSIZE)
    throw std::system_error(EINVAL, std::generic_category(), "descriptor " + std::to_string(fd));
  const auto deadline = timeout ? Deadline::after(*timeout) : Deadline::never();
  Outcome outcome = look(fd, place);
  while (outcome != Outcome::ready && !deadline.has_passed()) {
    timeval time{};
    const auto left = deadline.remaining();
    if (left) {
      const auto us = std::chrono::ceil<std::chrono::microseconds>(*left).count();
      time.tv_sec = us / 1'000'000;
      time.tv_usec = us % 1'000'000;
    }
    outcome = select_one(fd, place, left ? &time : nullptr);
  }
  return outcome == Outcome::ready || look(fd, place) == Outcome::ready;
}

}  // namespace

bool wait_readable(int fd, std::optional<Duration> timeout) { return wait(fd, reading, timeout); }
bool wait_writable(int fd, std::optional<Duration> timeout) { return wait(fd, writing, timeout); }

}  // namespace course
