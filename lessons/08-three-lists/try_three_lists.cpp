// A keyboard, a listening socket and its clients at once: prints what is asked and what comes back.
#include <getopt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "06-serve/serve.hpp"
#include "07-will-it-block/will_it_block.hpp"
#include "08-three-lists/three_lists.hpp"

namespace {

using Seconds = std::chrono::duration<double>;

constexpr const char* usage =
    "usage: try_three_lists [--port N] [--timeout S] [--turns N] [--writers] [--in-turn S]\n\n"
    "Waits for the keyboard, for clients, and for what they send; prints each answer of "
    "select_on.\n"
    "  --port N     port of 127.0.0.1 to listen on; 0 (default): the kernel chooses one\n"
    "  --timeout S  how many seconds to wait each time (60; 0.5 is allowed); \"none\": for ever\n"
    "  --turns N    stop after N questions (100)\n"
    "  --writers    put the clients among the writers too\n"
    "  --in-turn S  ask about one descriptor after the other, with wait_readable of lesson 07 and "
    "S\n"
    "               seconds for each; no end but the keyboard's\n"
    "Ends at the end of the keyboard (Ctrl-D).\n\n"
    "Exit status: 0 ended, 1 something failed, 2 wrong usage.\n";

constexpr int keyboard = STDIN_FILENO;
constexpr int backlog = 8;
constexpr std::size_t clients_max = 100;

struct Options {
  std::uint16_t port = 0;
  std::optional<course::Duration> timeout = std::chrono::minutes(1);
  int turns_max = 100;
  bool watches_writers = false;
  std::optional<course::Duration> in_turn;
};

using Clients = std::map<int, course::Fd>;  // by number

std::string text_of(std::string_view name, const std::vector<int>& fds) {
  std::string text = std::string(name) + " {";
  for (const int fd : fds) text += (text.back() == '{' ? "" : " ") + std::to_string(fd);
  return text + "}";
}

// What came, as far as it can be printed on one line.
std::string shown(std::string_view data) {
  std::string text = "\"";
  for (const char c : data) text += c >= ' ' && c <= '~' ? c : '.';
  return text + "\"";
}

// What lesson 07 can do: one question after the other.
course::Ready ask_in_turn(const std::vector<int>& readers, course::Duration each) {
  course::Ready ready;
  for (const int fd : readers)
    if (course::wait_readable(fd, each)) ready.readable.push_back(fd);
  return ready;
}

class Session {
 public:
  explicit Session(const Options& options)
      : options_(options),
        listener_(
            course::listen_on(course::Endpoint::numeric("127.0.0.1", options.port), backlog)) {
    say("listening on port " + std::to_string(course::local_port(listener_.get())) +
        ": descriptor " + std::to_string(listener_.get()));
  }

  void run() {
    while (!has_ended_) {
      if (!options_.in_turn && turns_ == options_.turns_max) break;
      const auto ready = options_.in_turn ? in_turn(*options_.in_turn) : at_once();
      ++turns_;
      for (const int fd : ready.exceptional) take_urgent(fd);
      for (const int fd : ready.readable) take(fd);
    }
    char text[80];
    std::snprintf(text, sizeof text, "ended; questions: %zu, processor time: %.2f s", questions_,
                  static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
    say(text);
  }

 private:
  void say(const std::string& line) const {
    const Seconds since = std::chrono::steady_clock::now() - began_;
    std::printf("%5.1f s  %s\n", since.count(), line.c_str());
  }

  std::vector<int> clients() const {
    std::vector<int> fds;
    for (const auto& [fd, owner] : clients_) fds.push_back(fd);
    return fds;
  }

  std::vector<int> readers() const {
    std::vector<int> fds{keyboard};
    if (clients_.size() < clients_max) fds.push_back(listener_.get());
    for (const int fd : clients()) fds.push_back(fd);
    return fds;
  }

  course::Ready at_once() {
    const std::vector<int> writers = options_.watches_writers ? clients() : std::vector<int>{};
    say("asked: " + text_of("readers", readers()) + text_of(", writers", writers) +
        text_of(", exceptional", clients()));
    ++questions_;
    auto ready = course::select_on(readers(), writers, clients(), options_.timeout);
    say("ready: " + text_of("readable", ready.readable) + text_of(", writable", ready.writable) +
        text_of(", exceptional", ready.exceptional));
    return ready;
  }

  course::Ready in_turn(course::Duration each) {
    const std::vector<int> fds = readers();
    questions_ += fds.size();
    return ask_in_turn(fds, each);
  }

  void take(int fd) {
    if (fd == listener_.get()) {
      const int client = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) throw std::system_error(errno, std::system_category(), "accept");
      clients_.emplace(client, course::Fd(client));
      return say("  " + std::to_string(fd) + ": accept gave descriptor " + std::to_string(client));
    }
    std::array<char, 64> buffer;
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    const std::string name = "  " + std::to_string(fd) + ": ";
    if (got > 0)
      return say(name + "read gave " + shown({buffer.data(), static_cast<std::size_t>(got)}));
    say(name + (got == 0 ? "read gave 0, the end"
                         : "read failed: " + std::generic_category().message(errno)));
    if (fd == keyboard) has_ended_ = true;
    clients_.erase(fd);
  }

  void take_urgent(int fd) {
    char byte = 0;
    if (::recv(fd, &byte, 1, MSG_OOB) == 1)
      say("  " + std::to_string(fd) + ": recv with MSG_OOB gave " + shown({&byte, 1}));
  }

  const Options options_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  course::Fd listener_;
  Clients clients_;
  int turns_ = 0;
  std::size_t questions_ = 0;
  bool has_ended_ = false;
};

template <class Number>
Number parsed(std::string_view text, Number least, Number most) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && *stop == '\0' && number >= least && number <= most) return number;
  std::fprintf(stderr, "try_three_lists: not a number that fits here: %s\n", text.data());
  std::exit(2);
}

course::Duration parsed_seconds(std::string_view text) {
  return std::chrono::duration_cast<course::Duration>(Seconds(parsed(text, 0.0, 86'400.0)));
}

Options options_of(int argc, char* argv[]) {
  const option names[] = {{"port", required_argument, nullptr, 'p'},
                          {"timeout", required_argument, nullptr, 't'},
                          {"turns", required_argument, nullptr, 'n'},
                          {"writers", no_argument, nullptr, 'w'},
                          {"in-turn", required_argument, nullptr, 'i'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  Options options;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'p') options.port = parsed<std::uint16_t>(optarg, 0, 65535);
    if (found == 't' && std::string_view(optarg) == "none")
      options.timeout.reset();
    else if (found == 't')
      options.timeout = parsed_seconds(optarg);
    if (found == 'n') options.turns_max = parsed(optarg, 1, 1'000'000);
    if (found == 'w') options.watches_writers = true;
    if (found == 'i') options.in_turn = parsed_seconds(optarg);
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
    Session(options).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_three_lists: %s\n", error.what());
    return 1;
  }
}
