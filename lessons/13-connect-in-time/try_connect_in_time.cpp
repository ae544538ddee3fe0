// Connects with a deadline, one address after the other or in a race, and shows each attempt. Can
// also be the server that never answers.
#include <getopt.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "02-connect/connect.hpp"
#include "06-serve/serve.hpp"
#include "13-connect-in-time/connect_in_time.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr const char* usage =
    "usage: try_connect_in_time [--timeout S] [--race MS] [--times N] HOST:PORT...\n"
    "       try_connect_in_time --blocking HOST:PORT\n"
    "       try_connect_in_time --full PORT [--seconds S]\n"
    "\n"
    "Connects to the first address that accepts (connect_until) and shows each attempt:\n"
    "what connect said, what SO_ERROR said, and when its socket was closed.\n"
    "  --timeout S    give up after S seconds (5; 0.5 is allowed)\n"
    "  --race MS      begin with the next address after MS milliseconds (connect_race)\n"
    "  --times N      do it N times, or until it connects; shows no attempts (1)\n"
    "  --blocking     use connect_to of lesson 02, which waits as long as the kernel tries\n"
    "  --full PORT    be a server instead: listen at 127.0.0.1:PORT with a full backlog,\n"
    "                 so that nobody gets an answer\n"
    "  --seconds S    for so long (60)\n"
    "\n"
    "Exit status: 0 connected, or the server's time is over; 1 something failed;\n"
    "2 wrong usage.\n";

struct Options {
  course::Duration timeout = std::chrono::seconds(5);
  std::optional<std::chrono::milliseconds> stagger;
  int times = 1;
  bool is_blocking = false;
  std::optional<std::uint16_t> full;
  course::Duration seconds = std::chrono::minutes(1);
  std::vector<std::string> targets;
};

// What the program's calls tell; nothing is shown while there is no beginning.
struct Attempts {
  std::optional<Clock::time_point> beginning;
  std::array<std::string, 1024> address;  // by descriptor; empty: none of ours

  void begins(int fd, const std::string& to) {
    if (beginning && fd >= 0 && static_cast<std::size_t>(fd) < address.size())
      address[static_cast<std::size_t>(fd)] = to;
  }
  [[nodiscard]] bool knows(int fd) const {
    return beginning && fd >= 0 && static_cast<std::size_t>(fd) < address.size() &&
           !address[static_cast<std::size_t>(fd)].empty();
  }
  void show(int fd, const char* what, const char* answer = "") const {
    const Seconds time = Clock::now() - *beginning;
    std::printf("%7.3f s  %-16s %s%s\n", time.count(),
                address[static_cast<std::size_t>(fd)].c_str(), what, answer);
  }
};
Attempts attempts;

}  // namespace

// connect_until() and connect_race() show nothing, so this program listens in, as the grader does:
// their calls come to these three functions first, which pass them on to the kernel
// (docs/how-the-grader-works.md).
extern "C" int connect(int fd, const sockaddr* to, socklen_t length) {
  attempts.begins(fd, course::Endpoint(to, length).to_string());
  const long result = ::syscall(SYS_connect, fd, to, length);
  const int error = errno;
  if (attempts.knows(fd)) attempts.show(fd, "connect: ", result == 0 ? "0" : std::strerror(error));
  errno = error;
  return static_cast<int>(result);
}

extern "C" int getsockopt(int fd, int level, int name, void* value, socklen_t* length) noexcept {
  const long result = ::syscall(SYS_getsockopt, fd, level, name, value, length);
  if (result == 0 && level == SOL_SOCKET && name == SO_ERROR && attempts.knows(fd)) {
    int error = 0;
    std::memcpy(&error, value, sizeof error);
    attempts.show(fd, "SO_ERROR: ", error == 0 ? "0" : std::strerror(error));
  }
  return static_cast<int>(result);
}

extern "C" int close(int fd) {
  if (attempts.knows(fd)) attempts.show(fd, "closed");
  attempts.begins(fd, "");
  return static_cast<int>(::syscall(SYS_close, fd));
}

namespace {

[[noreturn]] void refuse(const char* what, std::string_view text) {
  std::fprintf(stderr, "try_connect_in_time: %s: %s\n", what, text.data());
  std::exit(2);
}

template <class Number>
Number parsed(const std::string& text, Number least, Number most) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && *stop == '\0' && number >= least && number <= most) return number;
  refuse("not a number that fits here", text);
}

course::Duration parsed_seconds(const std::string& text, double most) {
  return std::chrono::duration_cast<course::Duration>(Seconds(parsed(text, 0.0, most)));
}

struct Target {
  std::string host, port;
};

Target target_of(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) refuse("not HOST:PORT", text);
  Target target{text.substr(0, colon), text.substr(colon + 1)};
  (void)parsed<std::uint16_t>(target.port, 1, 65535);
  if (target.host.front() == '[' && target.host.back() == ']')
    target.host = target.host.substr(1, target.host.size() - 2);
  return target;
}

course::Fd connection(const Options& options, const std::vector<course::Endpoint>& addresses) {
  const auto deadline = course::Deadline::after(options.timeout);
  if (options.is_blocking) {
    const Target target = target_of(options.targets.front());
    return course::connect_to(target.host, target.port);
  }
  return options.stagger ? course::connect_race(addresses, *options.stagger, deadline)
                         : course::connect_until(addresses, deadline);
}

int connect_in_time(const Options& options) {
  std::vector<course::Endpoint> addresses;
  for (const std::string& text : options.targets) {
    const Target target = target_of(text);
    for (const course::Endpoint& address : course::resolve(target.host, target.port))
      addresses.push_back(address);
  }
  std::string reason;
  for (int i = 0; i < options.times; ++i) {
    if (options.times == 1) attempts.beginning = Clock::now();
    try {
      const course::Fd socket = connection(options, addresses);
      if (options.times == 1) attempts.show(socket.get(), "is connected");
      if (options.times > 1) std::printf("connected at last, in round %d\n", i + 1);
      attempts.beginning.reset();
      return 0;
    } catch (const std::system_error& error) {
      reason = error.what();
    }
  }
  const std::string rounds =
      options.times > 1 ? " (" + std::to_string(options.times) + " times)" : "";
  std::fprintf(stderr, "try_connect_in_time: %s%s\n", reason.c_str(), rounds.c_str());
  return 1;
}

// With a backlog of 0, Linux lets one connection wait; it is this program's own.
void be_full(std::uint16_t port, course::Duration time) {
  const auto here = course::Endpoint::numeric("127.0.0.1", port);
  const course::Fd listener = course::listen_on(here, 0);
  const course::Fd first = course::connect_to("127.0.0.1", std::to_string(port));
  std::printf("127.0.0.1:%d is full for %g s\n", port, Seconds(time).count());
  const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(time);
  const timespec rest{whole.count() / 1'000'000, whole.count() % 1'000'000 * 1'000};
  (void)nanosleep(&rest, nullptr);
}

Options options_of(int argc, char* argv[]) {
  const option names[] = {
      {"timeout", required_argument, nullptr, 't'}, {"race", required_argument, nullptr, 'r'},
      {"times", required_argument, nullptr, 'n'},   {"blocking", no_argument, nullptr, 'b'},
      {"full", required_argument, nullptr, 'f'},    {"seconds", required_argument, nullptr, 's'},
      {"help", no_argument, nullptr, 'h'},          {}};
  Options options;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 't') options.timeout = parsed_seconds(optarg, 3'600.0);
    if (found == 'r') options.stagger = std::chrono::milliseconds(parsed(optarg, 1, 60'000));
    if (found == 'n') options.times = parsed(optarg, 1, 1'000'000);
    if (found == 'b') options.is_blocking = true;
    if (found == 'f') options.full = parsed<std::uint16_t>(optarg, 1, 65535);
    if (found == 's') options.seconds = parsed_seconds(optarg, 600.0);
    if (found == 'h') std::exit(std::fputs(usage, stdout) < 0);
    if (found == '?') std::exit(2);
  }
  options.targets.assign(argv + optind, argv + argc);
  const bool is_too_many = options.is_blocking && options.targets.size() > 1;
  if (options.targets.empty() != options.full.has_value() || is_too_many)
    std::exit((std::fputs(usage, stderr), 2));
  return options;
}

}  // namespace

int main(int argc, char* argv[]) {
  const Options options = options_of(argc, argv);
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // each line should be readable when it happens
    if (!options.full) return connect_in_time(options);
    be_full(*options.full, options.seconds);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_connect_in_time: %s\n", error.what());
    return 1;
  }
}
