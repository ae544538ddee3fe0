#include "simulation/settle.hpp"

#include <linux/sockios.h>  // SIOCOUTQNSD; SIOCATMARK
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <optional>

#include "libc/real_libc.hpp"
#include "simulation/time.hpp"

namespace grader {
namespace {

constexpr Time settle_time_max = 10s;
constexpr Time kept_back_time_max = 1s;
constexpr int looks_before_sleeping = 50;

Time real_now() {
  timespec t{};
  real().clock_gettime(CLOCK_MONOTONIC, &t);
  return std::chrono::seconds(t.tv_sec) + Time(t.tv_nsec);
}

template <class Condition>
bool wait_until(Condition holds, Time time_max = settle_time_max) {
  if (holds()) return true;
  const Time start = real_now();
  for (int look = 0;; ++look) {
    if (holds()) return true;
    if (look >= looks_before_sleeping) {
      const timespec pause{0, 20'000};
      real().nanosleep(&pause, nullptr);
    }
    if (real_now() - start > time_max) return false;
  }
}

std::optional<tcp_info> tcp_information(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (real().getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return std::nullopt;
  return info;
}

// Bytes not yet handed to the network layer. (Not SIOCOUTQ, which also counts what waits for an
// ACK.)
std::uint64_t not_sent(int fd) {
  int count = 0;
  real().ioctl(fd, SIOCOUTQNSD, &count);
  return static_cast<std::uint64_t>(count);
}

bool has_arrived(std::uint64_t sent, std::uint64_t read, int to) {
  return sent <= read + static_cast<std::uint64_t>(bytes_to_read(to)) || is_tcp_closed(to);
}

// The kernel's tcp_info as far as it is needed here (linux/tcp.h); the C library's ends earlier.
struct LongTcpInfo {
  tcp_info known;
  std::uint64_t pacing_rate, pacing_rate_max, bytes_acked, bytes_received;
};
static_assert(sizeof(tcp_info) == 104);

// FIONREAD stops at the urgent mark, so the receiver's own count is asked.
bool has_reached_the_program(const Connection& c, std::uint64_t sent) {
  if (!c.peer_sent_urgent) return has_arrived(sent, c.program_read, c.program_fd);
  LongTcpInfo info{};
  socklen_t length = sizeof info;
  const bool is_told =
      real().getsockopt(c.program_fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
      length == sizeof info;
  return !is_told || info.known.tcpi_state == TCP_CLOSE || sent <= info.bytes_received;
}

// Waits until all bytes have arrived that a side was given to send. What fits into any buffer may
// be kept back by the kernel for a moment only; else, or when the moment is over, a closed window
// keeps it, and only what has left is waited for.
template <class Arrived>
bool wait_for_bytes(std::uint64_t sent, std::uint64_t read, std::uint64_t fits, int from,
                    Arrived arrived) {
  if (sent - read <= fits && wait_until([&] { return arrived(sent); }, kept_back_time_max))
    return true;
  return wait_until([&] { return arrived(sent - not_sent(from)); });
}

}  // namespace

bool is_tcp_closed(int fd) {
  const auto info = tcp_information(fd);
  return !info || info->tcpi_state == TCP_CLOSE;
}

bool can_still_send(int fd) {
  const auto info = tcp_information(fd);
  return info && (info->tcpi_state == TCP_ESTABLISHED || info->tcpi_state == TCP_CLOSE_WAIT);
}

short poll_now(int fd, short events) {
  pollfd entry{fd, events, 0};
  real().poll(&entry, 1, 0);
  return entry.revents;
}

std::uint16_t local_port(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  real().getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

int bytes_to_read(int fd) {
  int count = 0;
  real().ioctl(fd, FIONREAD, &count);
  return count;
}

unsigned accept_queue_length(int listener) {
  const auto info = tcp_information(listener);
  return info && info->tcpi_state == TCP_LISTEN ? info->tcpi_unacked : 0;
}

unsigned accept_queue_max(int listener) {
  const auto info = tcp_information(listener);
  return info && info->tcpi_state == TCP_LISTEN ? info->tcpi_sacked : 0;
}

bool settle_accept_queue(int listener, unsigned pending) {
  return wait_until([&] { return accept_queue_length(listener) >= pending; });
}

bool settle_urgent(const Connection& c) {
  return c.program_fd < 0 || wait_until([&] {
           return (poll_now(c.program_fd, POLLPRI) & POLLPRI) != 0 || is_tcp_closed(c.program_fd);
         });
}

bool is_at_urgent_mark(int fd) {
  int answer = 0;
  return real().ioctl(fd, SIOCATMARK, &answer) == 0 && answer != 0;
}

bool settle(const Connection& c) {
  if (c.is_pipe()) return true;
  const bool both = c.program_fd >= 0 && c.peer_fd >= 0;
  if (both && !c.peer_reset) {
    const bool have_arrived =
        wait_for_bytes(c.peer_sent, c.program_read, Connection::default_unread_max_bytes, c.peer_fd,
                       [&](std::uint64_t sent) { return has_reached_the_program(c, sent); }) &&
        wait_for_bytes(
            c.program_sent, c.peer_read, Connection::default_window_bytes, c.program_fd,
            [&](std::uint64_t sent) { return has_arrived(sent, c.peer_read, c.peer_fd); });
    if (!have_arrived) return false;
  }
  const bool peer_fin_is_out = c.peer_finished && (c.peer_fd < 0 || not_sent(c.peer_fd) == 0);
  if (c.program_fd >= 0 && peer_fin_is_out && !c.peer_reset &&
      !wait_until([&] { return poll_now(c.program_fd, POLLRDHUP) != 0; }))
    return false;
  if (c.program_fd >= 0 && (c.peer_reset || c.reset_expected) &&
      !wait_until([&] { return is_tcp_closed(c.program_fd); }))
    return false;
  if (c.program_reset && c.peer_fd >= 0)
    return wait_until([&] { return is_tcp_closed(c.peer_fd); });
  const bool program_fin_is_out = c.program_finished &&
                                  (c.program_fd < 0 || not_sent(c.program_fd) == 0) &&
                                  c.under_way() < Connection::default_window_bytes;
  return !(program_fin_is_out && c.peer_fd >= 0) ||
         wait_until([&] { return poll_now(c.peer_fd, POLLRDHUP) != 0; });
}

}  // namespace grader
