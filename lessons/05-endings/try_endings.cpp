// Asks a peer something, prints the answer and says how the conversation ended.
#include <getopt.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>
#include <utility>

#include "02-connect/connect.hpp"
#include "05-endings/endings.hpp"

namespace {

constexpr const char* usage =
    "usage: try_endings [--timeout SECONDS] HOST SERVICE [LINE...]\n"
    "\n"
    "Connects, sends the lines (hello), finishes sending, prints all that the peer\n"
    "answers and says how the conversation ended. Then closes, with a linger of 1 s.\n"
    "  --timeout SECONDS  call it silence after this long without a byte, 1 to 3600\n"
    "\n"
    "Exit status: 0 the peer finished, 1 anything else, 2 wrong usage.\n";

using std::chrono::steady_clock;

long seconds_from(const char* text) {
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*end == '\0' && value >= 1 && value <= 3600) return value;
  std::fprintf(stderr, "try_endings: not from 1 to 3600: %s\n", text);
  std::exit(2);
}

void set_receive_timeout(int fd, long timeout_s) {
  const timeval timeout{timeout_s, 0};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == -1)
    throw std::system_error(errno, std::system_category(), "setsockopt");
}

std::string how(const course::IoResult& ending) {
  if (ending.status == course::IoStatus::eof) return "FIN: the peer has finished";
  if (ending.status == course::IoStatus::timed_out) return "silence: no byte, no end";
  if (ending.error == std::errc::connection_reset) return "RST: the peer has reset the connection";
  return ending.error.message();
}

bool try_endings(const char* host, const char* service, const std::string& request,
                 long timeout_s) {
  course::Fd connection = course::connect_to(host, service);
  if (timeout_s > 0) set_receive_timeout(connection.get(), timeout_s);

  std::string reply;
  const auto ending = course::ask(connection.get(), course::as_bytes(request), reply);
  std::fwrite(reply.data(), 1, reply.size(), stdout);
  std::printf("[%zu bytes, then %s]\n", ending.bytes, how(ending).c_str());
  std::fflush(stdout);  // the end should be readable while close_gracefully() waits

  const auto start = steady_clock::now();
  course::close_gracefully(std::move(connection), std::chrono::seconds(1));
  const std::chrono::duration<double> waited = steady_clock::now() - start;
  std::printf("[closed after %.1f s]\n", waited.count());
  return ending.status == course::IoStatus::eof;
}

}  // namespace

int main(int argc, char* argv[]) {
  const option names[] = {
      {"timeout", required_argument, nullptr, 't'}, {"help", no_argument, nullptr, 'h'}, {}};
  long timeout_s = 0;  // no limit
  for (int found; (found = getopt_long(argc, argv, "+", names, nullptr)) != -1;) {
    if (found == 't') timeout_s = seconds_from(optarg);
    if (found == 'h') return std::fputs(usage, stdout) < 0;
    if (found == '?') return 2;
  }
  if (argc - optind < 2) {
    std::fputs(usage, stderr);
    return 2;
  }
  std::string request;
  for (int i = optind + 2; i < argc; ++i) request += std::string(argv[i]) + "\n";
  try {
    if (request.empty()) request = "hello\n";
    return try_endings(argv[optind], argv[optind + 1], request, timeout_s) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_endings: %s\n", error.what());
    return 1;
  }
}
