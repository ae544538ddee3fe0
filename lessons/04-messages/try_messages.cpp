// Shows each read from a stream, and the lines that end in it.
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "02-connect/connect.hpp"
#include "03-send-and-receive/send_and_receive.hpp"
#include "04-messages/messages.hpp"

namespace {

constexpr std::size_t max_line = 200;
constexpr const char* usage =
    "usage: try_messages [--naive] [HOST SERVICE]\n"
    "\n"
    "Reads from HOST, or else from standard input, and shows each read and the lines that\n"
    "end in it, of 200 bytes at the most.\n"
    "  --naive  take each read for one message, as if the two were the same\n"
    "\n"
    "Exit status: 0 the last line was whole, 1 it was not or something failed, 2 wrong usage.\n";

void show(const char* what, std::string_view text) {
  std::printf("    %s, %zu bytes: ", what, text.size());
  for (const char c : text) {
    const bool is_plain = c >= ' ' && c <= '~';
    std::printf(is_plain ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
  }
  std::putchar('\n');
}

// recv_some() is for sockets; standard input can be a pipe, a file or a terminal.
course::IoResult read_some(int fd, course::bytes buffer) {
  ssize_t n = -1;
  while ((n = read(fd, buffer.data(), buffer.size())) < 0 && errno == EINTR) continue;
  if (n < 0) return {course::IoStatus::error, 0, {errno, std::system_category()}};
  return {n > 0 ? course::IoStatus::ok : course::IoStatus::eof, static_cast<std::size_t>(n), {}};
}

void show_lines(course::LineFramer& lines, course::cbytes piece) try {
  lines.feed(piece);
  while (const auto line = lines.next()) show("line", *line);
} catch (const course::MessageTooLong&) {
  while (const auto line = lines.next()) show("line", *line);  // those before the one too long
  throw;
}

int read_to_the_end(int fd, bool is_socket, std::optional<course::LineFramer> lines) {
  std::array<std::byte, 4096> buffer;
  while (true) {
    const auto result = is_socket ? course::recv_some(fd, buffer) : read_some(fd, buffer);
    if (result.error) throw std::system_error(result.error, "read");
    if (result.status != course::IoStatus::ok) break;
    const course::cbytes piece = course::cbytes(buffer).first(result.bytes);
    std::printf("read %zu bytes\n", piece.size());
    lines ? show_lines(*lines, piece) : show("message", course::as_text(piece));
    std::fflush(stdout);  // each read should be visible when it happens
  }
  const bool whole = !lines || lines->unfinished() == 0;
  std::printf("the end%s\n", whole ? "" : ", in the middle of a line");
  return whole ? 0 : 1;
}

}  // namespace

int main(int argc, char* argv[]) {
  const std::string option = argc > 1 ? argv[1] : "";
  const int place = option == "--naive" ? 2 : 1;  // of HOST
  if (option == "--help") return std::fputs(usage, stdout) < 0;
  if (argc != place && argc != place + 2) return std::fputs(usage, stderr), 2;
  try {
    std::optional<course::LineFramer> lines;
    if (option != "--naive") lines.emplace(max_line);
    if (argc == place) return read_to_the_end(STDIN_FILENO, false, lines);
    const course::Fd connection = course::connect_to(argv[place], argv[place + 1]);
    return read_to_the_end(connection.get(), true, lines);
  } catch (const std::exception& error) {
    std::fflush(stdout);
    std::fprintf(stderr, "try_messages: %s\n", error.what());
    return 1;
  }
}
