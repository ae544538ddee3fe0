// Reads lines from clients with an idle and a total limit; tells what came, how it ended and after
// how long.
#include <getopt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>

#include "01-descriptors/descriptors.hpp"
#include "03-send-and-receive/send_and_receive.hpp"
#include "06-serve/serve.hpp"
#include "08-three-lists/three_lists.hpp"
#include "09-deadlines/deadlines.hpp"

namespace {

using Seconds = std::chrono::duration<double>;

constexpr const char* usage =
    "usage: try_deadlines [--port N] [--clients N] [--idle S] [--total S] [--per-wait S]\n\n"
    "Waits for clients, one after the other, and reads their lines; tells what came, how it ended\n"
    "and after how long. Ends a conversation when a line does not come in time. SIGUSR1 does\n"
    "nothing but interrupt.\n"
    "  --port N      port of 127.0.0.1 to listen on; 0 (default): the kernel chooses one\n"
    "  --clients N   end after N clients (1)\n"
    "  --idle S      wait S seconds for each byte (1; 0.5 is allowed)\n"
    "  --total S     wait S seconds for each line (5)\n"
    "  --per-wait S  do without deadlines: give each select_on of lesson 08 all of S seconds,\n"
    "                after a signal as well\n\n"
    "Exit status: 0 ended, 1 something failed, 2 wrong usage.\n";

constexpr int backlog = 8;

struct Options {
  std::uint16_t port = 0;
  int clients = 1;
  course::Duration idle = std::chrono::seconds(1);
  course::Duration total = std::chrono::seconds(5);
  std::optional<course::Duration> per_wait;
};

// With SA_RESTART; a select is interrupted all the same (signal(7)).
void take_note_of(int signal_number) {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  action.sa_flags = SA_RESTART;
  if (sigaction(signal_number, &action, nullptr) == -1)
    throw std::system_error(errno, std::system_category(), "sigaction");
}

// What lesson 08 can do: a timeout for each call.
course::IoResult read_line_per_wait(int fd, std::string& line, course::Duration time) {
  std::size_t received = 0;
  while (true) {
    try {
      if (course::select_on(std::array{fd}, {}, {}, time).readable.empty())
        return {course::IoStatus::timed_out, received, {}};
    } catch (const std::system_error& failure) {
      if (failure.code().value() == EINTR) continue;
      throw;
    }
    std::byte next{};
    const course::IoResult piece = course::recv_some(fd, {&next, 1});
    if (piece.status != course::IoStatus::ok) return {piece.status, received, piece.error};
    ++received;
    if (next == std::byte{'\n'}) return {course::IoStatus::ok, received, {}};
    line += static_cast<char>(next);
  }
}

void show(const course::IoResult& result, std::string line, Seconds took) {
  constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  if (line.size() > 40) line.resize(40);
  for (char& c : line) c = c < ' ' || c > '~' ? '.' : c;
  const std::string reason =
      result.status == course::IoStatus::error ? " (" + result.error.message() + ")" : "";
  std::printf("%s%s after %.1f s, %zu bytes: \"%s\"\n", names[static_cast<int>(result.status)],
              reason.c_str(), took.count(), result.bytes, line.c_str());
}

void converse(int client, const Options& options) {
  course::IoResult result;
  while (result.status == course::IoStatus::ok) {
    const auto began = std::chrono::steady_clock::now();
    std::string line;
    result = options.per_wait ? read_line_per_wait(client, line, *options.per_wait)
                              : course::read_line(client, line, options.idle, options.total);
    show(result, line, std::chrono::steady_clock::now() - began);
  }
}

course::Fd next_client(int listener) {
  while (true) {
    const int client = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) return course::Fd(client);
    if (errno != EINTR && errno != ECONNABORTED)
      throw std::system_error(errno, std::system_category(), "accept");
  }
}

void run(const Options& options) {
  take_note_of(SIGUSR1);
  const auto listener =
      course::listen_on(course::Endpoint::numeric("127.0.0.1", options.port), backlog);
  std::printf("listening on port %d\n", course::local_port(listener.get()));
  for (int i = 0; i < options.clients; ++i) converse(next_client(listener.get()).get(), options);
}

template <class Number>
Number parsed(std::string_view text, Number least, Number most) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && *stop == '\0' && number >= least && number <= most) return number;
  std::fprintf(stderr, "try_deadlines: not a number that fits here: %s\n", text.data());
  std::exit(2);
}

course::Duration parsed_seconds(std::string_view text) {
  return std::chrono::duration_cast<course::Duration>(Seconds(parsed(text, 0.0, 86'400.0)));
}

Options options_of(int argc, char* argv[]) {
  const option names[] = {{"port", required_argument, nullptr, 'p'},
                          {"clients", required_argument, nullptr, 'c'},
                          {"idle", required_argument, nullptr, 'i'},
                          {"total", required_argument, nullptr, 't'},
                          {"per-wait", required_argument, nullptr, 'w'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  Options options;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'p') options.port = parsed<std::uint16_t>(optarg, 0, 65535);
    if (found == 'c') options.clients = parsed(optarg, 1, 1000);
    if (found == 'i') options.idle = parsed_seconds(optarg);
    if (found == 't') options.total = parsed_seconds(optarg);
    if (found == 'w') options.per_wait = parsed_seconds(optarg);
    if (found == 'h') std::exit(std::fputs(usage, stdout) < 0);
    if (found == '?') std::exit(2);
  }
  if (optind < argc) std::exit((std::fputs(usage, stderr), 2));
  return options;
}

}  // namespace

int main(int argc, char* argv[]) {
  const Options options = options_of(argc, argv);
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // each line should be readable when it happens
    run(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_deadlines: %s\n", error.what());
    return 1;
  }
}
