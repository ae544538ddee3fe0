#include "real_time/filler.hpp"

#include <fcntl.h>
#include <linux/sockios.h>  // SIOCOUTQ, SIOCOUTQNSD
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "libc/real_libc.hpp"

namespace grader {
namespace {

using FillerClock = std::chrono::steady_clock;
constexpr auto filling_max = std::chrono::seconds(1);
constexpr std::size_t filler_block_bytes = 16'384;

// Sent, and not yet acknowledged: each acknowledgement makes room, and may enlarge the buffer.
bool is_under_way(int fd) {
  int queued = 0, not_sent = 0;
  return real().ioctl(fd, SIOCOUTQ, &queued) == 0 &&
         real().ioctl(fd, SIOCOUTQNSD, &not_sent) == 0 && queued != not_sent;
}

}  // namespace

bool Filler::write_what_fits(int program_fd) {
  static constexpr std::array<char, filler_block_bytes> block{};
  const std::uint64_t before = bytes_;
  ssize_t written = 0;
  while ((written = real().write(program_fd, block.data(), block.size())) > 0)
    bytes_ += static_cast<std::uint64_t>(written);
  return bytes_ > before;
}

bool Filler::fill(int program_fd) {
  const int flags = real().fcntl(program_fd, F_GETFL);
  (void)real().fcntl(program_fd, F_SETFL, flags | O_NONBLOCK);
  const auto start = FillerClock::now();
  bool is_full = false;
  while (!is_full && FillerClock::now() - start < filling_max) {
    const bool was_quiet = !is_under_way(program_fd);
    is_full = !write_what_fits(program_fd) && was_quiet;
    if (!is_full) real().poll(nullptr, 0, 1);
  }
  (void)real().fcntl(program_fd, F_SETFL, flags);
  return is_full;
}

bool Filler::drop(int peer_fd) {
  std::array<char, filler_block_bytes> block;
  const auto start = FillerClock::now();
  while (bytes_ > 0 && FillerClock::now() - start < filling_max) {
    pollfd entry{peer_fd, POLLIN, 0};
    if (real().poll(&entry, 1, 1) <= 0) continue;
    const ssize_t got =
        real().read(peer_fd, block.data(), std::min<std::uint64_t>(bytes_, block.size()));
    if (got <= 0) break;
    bytes_ -= static_cast<std::uint64_t>(got);
  }
  return bytes_ == 0;
}

}  // namespace grader
