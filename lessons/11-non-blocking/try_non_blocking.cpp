// Several workers at one door: processes that share a listening socket. Tells what select says to
// each, and what came of it.
#include <getopt.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "03-send-and-receive/send_and_receive.hpp"
#include "06-serve/serve.hpp"
#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"

namespace {

using namespace std::chrono_literals;

constexpr const char* usage =
    "usage: try_non_blocking [--port N] [--workers N] [--seconds S] [--limit BYTES]\n"
    "                        [--flood BYTES] [--trust]\n\n"
    "Workers, each a process of its own, share one listening socket. Each asks select\n"
    "about it and about its clients, does something else for 0.1 s, and then tries:\n"
    "accepts, or receives and tells what came.\n"
    "  --port N       port of 127.0.0.1 to listen on; 0 (default): the kernel chooses\n"
    "  --workers N    how many (2)\n"
    "  --seconds S    leave after S seconds (5)\n"
    "  --limit BYTES  of one client at a time (65536)\n"
    "  --flood BYTES  first send each client that much, as far as it takes it (0)\n"
    "  --trust        all sockets block, and what select says is trusted\n\n"
    "Exit status: 0 all have left in time, 1 something failed, 2 wrong usage.\n";

constexpr auto something_else = 100ms;
constexpr auto patience = 1s;  // with a worker that does not leave
constexpr int backlog = 8;

struct Options {
  std::uint16_t port = 0;
  int workers = 2;
  course::Duration time = 5s;
  std::size_t limit = 65'536, flood = 0;
  bool trust = false;
};

class Worker {
 public:
  Worker(int number, int door, const Options& options)
      : number_(number), door_(door), options_(options) {}

  void work() {
    const auto deadline = course::Deadline::after(options_.time);
    while (!deadline.has_passed()) {
      std::vector<int> watched = {door_};
      for (const course::Fd& client : clients_) watched.push_back(client.get());
      const auto ready = course::select_until(watched, {}, {}, deadline);
      if (ready.readable.empty()) break;
      if (ready.readable.front() == door_)
        std::printf("worker %d: select says that somebody is at the door\n", number_);
      std::this_thread::sleep_for(something_else);
      for (const int fd : ready.readable) fd == door_ ? answer_the_door() : hear(fd);
    }
    std::printf("worker %d: leaves\n", number_);
  }

 private:
  [[nodiscard]] std::optional<course::Fd> next_client() const {
    if (!options_.trust) return course::try_accept(door_);
    course::Fd client(::accept4(door_, nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() < 0) throw std::system_error(errno, std::system_category(), "accept");
    return client;
  }

  void answer_the_door() {
    std::optional<course::Fd> client = next_client();
    if (!client) {
      std::printf("worker %d: nobody there (EAGAIN): back to select\n", number_);
      return;
    }
    std::printf("worker %d: has a new client, descriptor %d\n", number_, client->get());
    flood(client->get());
    clients_.push_back(std::move(*client));
  }

  void flood(int client) const {
    const std::string water(options_.flood, '~');
    std::size_t sent = 0;
    int attempts = 0;
    course::IoResult result;
    while (sent < water.size() && result.status == course::IoStatus::ok) {
      result = course::try_send(client, course::as_bytes(water).subspan(sent));
      sent += result.bytes;
      ++attempts;
    }
    if (attempts > 0)
      std::printf("worker %d: %d took %zu of %zu bytes in %d attempts; at last: %s\n", number_,
                  client, sent, water.size(), attempts, name_of(result));
  }

  void hear(int client) {
    std::string text;
    course::IoResult result;
    if (options_.trust) {
      std::array<std::byte, 4096> buffer;
      result = course::recv_some(client, buffer);
      text = course::as_text(course::cbytes(buffer).first(result.bytes));
    } else {
      result = course::drain(client, text, options_.limit);
    }
    const std::string shown = text.substr(0, text.find('\n')).substr(0, 32);
    std::printf("worker %d: %d said %zu bytes, \"%s\"; then: %s\n", number_, client, result.bytes,
                shown.c_str(), name_of(result));
    const bool goes_on =
        result.status == course::IoStatus::ok || result.status == course::IoStatus::would_block;
    if (!goes_on)
      std::erase_if(clients_, [client](const course::Fd& fd) { return fd.get() == client; });
  }

  static const char* name_of(const course::IoResult& result) {
    constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
    return names[static_cast<int>(result.status)];
  }

  int number_, door_;
  const Options& options_;
  std::vector<course::Fd> clients_;
};

pid_t start(int number, int door, const Options& options) {
  const pid_t process = ::fork();
  if (process == -1) throw std::system_error(errno, std::system_category(), "fork");
  if (process != 0) return process;
  try {
    Worker(number, door, options).work();
    std::exit(0);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "worker %d: %s\n", number, error.what());
    std::exit(1);
  }
}

// Whether all have left by themselves, and well. Whoever has not is ended.
bool all_leave(const std::vector<pid_t>& processes, course::Deadline deadline) {
  bool are_well = true;
  int number = 0;
  for (const pid_t process : processes) {
    ++number;
    int status = 0;
    while (::waitpid(process, &status, WNOHANG) == 0) {
      if (deadline.has_passed()) {
        std::printf("worker %d has not left: it is waiting for somebody\n", number);
        ::kill(process, SIGKILL);
      }
      std::this_thread::sleep_for(20ms);
    }
    are_well &= status == 0;
  }
  return are_well;
}

bool run(const Options& options) {
  const auto door =
      course::listen_on(course::Endpoint::numeric("127.0.0.1", options.port), backlog);
  if (!options.trust) course::set_nonblocking(door.get(), true);
  std::printf("listening on port %d\n", course::local_port(door.get()));
  const auto deadline = course::Deadline::after(options.time + patience);
  std::vector<pid_t> processes;
  for (int number = 1; number <= options.workers; ++number)
    processes.push_back(start(number, door.get(), options));
  return all_leave(processes, deadline);
}

template <class Number>
Number parsed(std::string_view text, Number least, Number most) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && *stop == '\0' && number >= least && number <= most) return number;
  std::fprintf(stderr, "try_non_blocking: not a number that fits here: %s\n", text.data());
  std::exit(2);
}

Options options_of(int argc, char* argv[]) {
  const option names[] = {
      {"port", required_argument, nullptr, 'p'},    {"workers", required_argument, nullptr, 'w'},
      {"seconds", required_argument, nullptr, 's'}, {"limit", required_argument, nullptr, 'l'},
      {"flood", required_argument, nullptr, 'f'},   {"trust", no_argument, nullptr, 't'},
      {"help", no_argument, nullptr, 'h'},          {}};
  Options options;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'p') options.port = parsed<std::uint16_t>(optarg, 0, 65535);
    if (found == 'w') options.workers = parsed(optarg, 1, 16);
    if (found == 's') options.time = std::chrono::seconds(parsed(optarg, 1, 3600));
    if (found == 'l') options.limit = parsed<std::size_t>(optarg, 1, 1U << 30);
    if (found == 'f') options.flood = parsed<std::size_t>(optarg, 0, 1U << 30);
    if (found == 't') options.trust = true;
    if (found == 'h') std::exit(std::fputs(usage, stdout) < 0);
    if (found == '?') std::exit(2);
  }
  if (optind < argc || (options.trust && options.flood > 0))
    std::exit((std::fputs(usage, stderr), 2));
  return options;
}

}  // namespace

int main(int argc, char* argv[]) {
  const Options options = options_of(argc, argv);
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // each line should be readable when it happens
    return run(options) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_non_blocking: %s\n", error.what());
    return 1;
  }
}
