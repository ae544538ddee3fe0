// Right in another way: inside, a failure is an exception, and so are "not now" and "the end".
#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"

namespace course {
namespace {

struct NotNow {};
struct TheEnd {};

// The result of a call that may say -1; EINTR is none.
template <class Call>
auto checked(const char* name, Call call) {
  while (true) {
    const auto result = call();
    if (result != -1) return result;
    if (errno == EAGAIN) throw NotNow();
    if (errno != EINTR) throw std::system_error(errno, std::system_category(), name);
  }
}

// Catches what `moves` throws; what it moved before is in `bytes`.
template <class Moves>
IoResult caught(Moves moves) {
  std::size_t bytes = 0;
  try {
    moves(bytes);
    return {IoStatus::ok, bytes, {}};
  } catch (NotNow) {
    return {IoStatus::would_block, bytes, {}};
  } catch (TheEnd) {
    return {IoStatus::eof, bytes, {}};
  } catch (const std::system_error& error) {
    return {IoStatus::error, bytes, error.code()};
  }
}

std::size_t receive(int fd, bytes buffer) {
  const auto got = checked("recv", [&] { return ::recv(fd, buffer.data(), buffer.size(), 0); });
  if (got == 0) throw TheEnd();
  return static_cast<std::size_t>(got);
}

bool is_about_one_connection(const std::error_code& why) {
  constexpr std::array errors{ECONNABORTED, EPROTO,    ENOPROTOOPT,  ENETDOWN,
                              ENETUNREACH,  EHOSTDOWN, EHOSTUNREACH, ENONET};
  return std::ranges::find(errors, why.value()) != errors.end();
}

}  // namespace

void set_nonblocking(int fd, bool on) {
  int flags = checked("fcntl", [&] { return ::fcntl(fd, F_GETFL); });
  flags = on ? (flags | O_NONBLOCK) : (flags & ~O_NONBLOCK);
  checked("fcntl", [&] { return ::fcntl(fd, F_SETFL, flags); });
}

IoResult try_recv(int fd, bytes buffer) {
  return caught([&](std::size_t& received) {
    if (!buffer.empty()) received = receive(fd, buffer);
  });
}

IoResult try_send(int fd, cbytes data) {
  return caught([&](std::size_t& sent) {
    if (data.empty()) return;
    sent = static_cast<std::size_t>(
        checked("send", [&] { return ::send(fd, data.data(), data.size(), MSG_NOSIGNAL); }));
  });
}

std::optional<Fd> try_accept(int listener) try {
  Fd client(checked("accept", [&] {
    return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  }));
  return client;
} catch (NotNow) {
  return std::nullopt;
} catch (const std::system_error& error) {
  if (!is_about_one_connection(error.code())) throw;
  return try_accept(listener);
}

IoResult drain(int fd, std::string& into, std::size_t max_bytes) {
  return caught([&](std::size_t& received) {
    std::array<std::byte, 1024> piece;
    while (received < max_bytes) {
      const auto room = bytes(piece).first(std::min(piece.size(), max_bytes - received));
      const std::size_t got = receive(fd, room);
      into.append(as_text(room.first(got)));
      received += got;
    }
  });
}

IoResult recv_some(int fd, bytes buffer, Deadline deadline) {
  bool is_late = false;
  IoResult result = caught([&](std::size_t& received) {
    while (!buffer.empty() && !is_late && received == 0) {
      try {
        received = receive(fd, buffer);
      } catch (NotNow) {
        is_late = select_until(std::array{fd}, {}, {}, deadline).readable.empty();
      }
    }
  });
  if (is_late) result.status = IoStatus::timed_out;
  return result;
}

}  // namespace course
