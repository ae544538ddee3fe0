// Different: close_gracefully never works out one exact timeout; it sets a short receive timeout,
// wakes up often and looks at the clock each time.
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "05-endings/endings.hpp"

using namespace std::chrono;

namespace course {

void finish_sending(int fd) {
  if (::shutdown(fd, SHUT_WR) == -1) {
    const int error_number = errno;
    throw std::system_error(error_number, std::system_category(), "shutdown");
  }
}

IoResult read_to_eof(int fd, std::string& received) {
  std::byte memory[1000];
  IoResult sum;
  while (sum.status == IoStatus::ok) {
    const IoResult step = recv_some(fd, memory);
    received.append(as_text(cbytes(memory, step.bytes)));
    sum = {step.status, sum.bytes + step.bytes, step.error};
  }
  if (sum.error.value() == EAGAIN) sum = {IoStatus::timed_out, sum.bytes, {}};
  return sum;
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  bool sent = false;
  try {
    send_all(fd, request);
    sent = true;
    finish_sending(fd);
  } catch (const std::system_error& error) {
    if (!sent) {
      const int why = error.code().value();
      const bool over = why == EPIPE || why == ECONNRESET;
      return {IoStatus::error, over ? read_to_eof(fd, reply).bytes : 0, error.code()};
    }
  }
  return read_to_eof(fd, reply);
}

void close_gracefully(Fd connection, milliseconds linger) noexcept {
  constexpr auto nap = 5ms;
  const auto begin = steady_clock::now();
  std::array<std::byte, 64 * 1024> ignored;

  ::shutdown(connection.get(), SHUT_WR);
  for (int late_rounds = 0; late_rounds < 1024;) {
    const auto left = linger - (steady_clock::now() - begin);
    const bool late = left <= 0ms;
    if (late) {
      ++late_rounds;
    } else {
      timeval timeout{};
      timeout.tv_usec = ceil<microseconds>(std::min<nanoseconds>(left, nap)).count();
      if (::setsockopt(connection.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) {
        break;
      }
    }
    const ssize_t n =
        ::recv(connection.get(), ignored.data(), ignored.size(), late ? MSG_DONTWAIT : 0);
    if (n > 0) continue;
    if (n == 0) break;
    const bool nothing_yet = errno == EAGAIN && !late;
    if (errno != EINTR && !nothing_yet) break;
  }
  Fd{std::move(connection)};  // closed here
}

}  // namespace course
