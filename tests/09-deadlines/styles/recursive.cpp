// Right in another way: no loops. What is left to do is left to a call of the same function.
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

bool is_signal(const std::error_code& code) { return code.value() == EINTR; }

IoResult plus(std::size_t before, IoResult rest) {
  rest.bytes += before;
  return rest;
}

// Waits for one descriptor; an error_code instead of an exception.
std::error_code wait_for(int fd, Deadline deadline, bool& is_ready) {
  const int one[] = {fd};
  try {
    is_ready = !select_until(one, {}, {}, deadline).readable.empty();
    return {};
  } catch (const std::system_error& error) {
    return error.code();
  }
}

IoResult line_from(int fd, std::string& line, Duration idle, Deadline last) {
  Deadline nearest = last;
  const auto left = last.remaining();
  if (!left || idle < *left) nearest = Deadline::after(idle);
  bool is_ready = false;
  if (const auto code = wait_for(fd, nearest, is_ready)) return {IoStatus::error, 0, code};
  if (!is_ready) return {IoStatus::timed_out, 0, {}};
  std::byte next{};
  const IoResult piece = recv_some(fd, {&next, 1});
  if (piece.status != IoStatus::ok || next == std::byte{'\n'}) return piece;
  line += static_cast<char>(next);
  return plus(1, line_from(fd, line, idle, last));
}

}  // namespace

Ready select_until(std::span<const int> readers, std::span<const int> writers,
                   std::span<const int> exceptional, Deadline deadline) {
  try {
    return select_on(readers, writers, exceptional, deadline.remaining());
  } catch (const std::system_error& error) {
    if (!is_signal(error.code())) throw;
  }
  return select_until(readers, writers, exceptional, deadline);
}

IoResult recv_exact(int fd, bytes buffer, Deadline deadline) {
  if (buffer.empty()) return {};
  bool is_ready = false;
  if (const auto code = wait_for(fd, deadline, is_ready)) return {IoStatus::error, 0, code};
  if (!is_ready) return {IoStatus::timed_out, 0, {}};
  const IoResult piece = recv_some(fd, buffer);
  if (piece.status != IoStatus::ok) return piece;
  return plus(piece.bytes, recv_exact(fd, buffer.subspan(piece.bytes), deadline));
}

IoResult read_line(int fd, std::string& line, Duration idle, Duration total) {
  return line_from(fd, line, idle, Deadline::after(total));
}

}  // namespace course
