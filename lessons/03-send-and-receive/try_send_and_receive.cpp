// Sends a line and shows in which pieces the answer arrives.
#include <getopt.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

#include "02-connect/connect.hpp"
#include "03-send-and-receive/send_and_receive.hpp"

namespace {

constexpr const char* usage =
    "usage: try_send_and_receive [--exactly N] [--repeat N] HOST SERVICE [LINE]\n"
    "\n"
    "Connects, sends LINE (hello), and shows each piece of the answer until the peer\n"
    "finishes.\n"
    "  --exactly N  receive exactly N bytes first, 1 to 1000000\n"
    "  --repeat N   send the line N times, 1 to 1000000000\n"
    "\n"
    "Exit status: 0 the peer finished, 1 something failed, 2 wrong usage.\n";

struct Options {
  std::size_t exactly = 0;
  std::size_t repeat = 1;
};

std::size_t number(const char* text, unsigned long most) {
  char* end = nullptr;
  const unsigned long value = std::strtoul(text, &end, 10);
  if (*end == '\0' && value >= 1 && value <= most) return value;
  std::fprintf(stderr, "try_send_and_receive: not from 1 to %lu: %s\n", most, text);
  std::exit(2);
}

Options parse(int argc, char* argv[]) {
  const option names[] = {{"exactly", required_argument, nullptr, 'e'},
                          {"repeat", required_argument, nullptr, 'r'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  Options options;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'e') options.exactly = number(optarg, 1'000'000);
    if (found == 'r') options.repeat = number(optarg, 1'000'000'000);
    if (found == 'h') std::exit(std::fputs(usage, stdout) < 0);
    if (found == '?') std::exit(2);
  }
  if (argc - optind == 2 || argc - optind == 3) return options;
  std::fputs(usage, stderr);
  std::exit(2);
}

void show(const char* function, const course::IoResult& result, course::cbytes buffer) {
  std::string start(course::as_text(buffer.first(std::min(result.bytes, std::size_t{40}))));
  for (char& c : start) c = c < ' ' || c > '~' ? '.' : c;
  constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  std::printf("%s: %s, %zu bytes \"%s\"\n", function, names[static_cast<int>(result.status)],
              result.bytes, start.c_str());
  std::fflush(stdout);  // each piece should be readable when it comes
  if (result.error) throw std::system_error(result.error, function);
}

void converse(int fd, const std::string& line, const Options& options) {
  for (std::size_t i = 0; i < options.repeat; ++i) course::send_all(fd, course::as_bytes(line));

  std::vector<std::byte> message(options.exactly);
  if (!message.empty()) show("recv_exact", course::recv_exact(fd, message), message);

  std::array<std::byte, 4096> buffer;
  course::IoResult piece;
  while (piece.status == course::IoStatus::ok)
    show("recv_some", piece = course::recv_some(fd, buffer), buffer);
}

}  // namespace

int main(int argc, char* argv[]) {
  const Options options = parse(argc, argv);
  try {
    const course::Fd connection = course::connect_to(argv[optind], argv[optind + 1]);
    converse(connection.get(), std::string(argc - optind == 3 ? argv[optind + 2] : "hello") + "\n",
             options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_send_and_receive: %s\n", error.what());
    return 1;
  }
}
