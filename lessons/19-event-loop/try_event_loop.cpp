// An echo server on the loop: its clients, its keyboard, its signals, a report now and then, and
// threads for what blocks, all in one run().
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "02-connect/connect.hpp"
#include "04-messages/messages.hpp"
#include "06-serve/serve.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "14-wake-ups/wake_ups.hpp"
#include "19-event-loop/event_loop.hpp"
#include "given/bytes.hpp"
#include "given/command_line.hpp"
#include "given/endpoint.hpp"

namespace {

using course::Interest;
using course::Loop;

constexpr Interest nothing{}, reading{.read = true};
constexpr std::size_t piece_bytes = 16'384;
constexpr std::size_t turn_bytes_max = 65'536;  // received from one client
constexpr int turn_accepts_max = 64;
constexpr course::WaterMarks marks;
constexpr auto rest = std::chrono::milliseconds(100);  // when there are no descriptors

struct Client {
  course::Fd fd;
  Loop::Token watch{};
  course::OutQueue waiting{};
  bool is_paused = false;  ///< so much waits that nothing is received
  bool has_ended = false;  ///< nothing more will be received
  bool has_failed = false;

  [[nodiscard]] Interest interest() const {
    return {.read = !is_paused && !has_ended, .write = waiting.wants_write()};
  }
  [[nodiscard]] bool is_done() const { return has_failed || (has_ended && !waiting.wants_write()); }

  void flush() {
    has_failed |= waiting.flush(fd.get()).status == course::IoStatus::error;
    if (waiting.size() >= marks.high) is_paused = true;
    if (waiting.size() <= marks.low) is_paused = false;  // in between: as it was
  }

  /// Receives a turn's worth, and sends it back as far as that goes. Returns how many bytes came.
  std::size_t echo() {
    std::array<std::byte, piece_bytes> buffer;
    std::size_t received = 0;
    while (received < turn_bytes_max && interest().read) {
      const course::IoResult result = course::try_recv(fd.get(), buffer);
      has_ended = result.status == course::IoStatus::eof;
      has_failed = result.status == course::IoStatus::error;
      if (result.status != course::IoStatus::ok) break;
      received += result.bytes;
      waiting.push(course::cbytes(buffer).first(result.bytes));
      flush();
      if (has_failed || result.bytes < buffer.size()) break;  // that was all there was
    }
    return received;
  }
};

/// The listener and its clients. Each has a watcher; nobody else need know of them.
class EchoServer {
 public:
  EchoServer(Loop& loop, course::Fd listener) : loop_(loop), listener_(std::move(listener)) {
    course::set_nonblocking(listener_.get(), true);
    listening_ = loop_.watch(listener_.get(), reading, [this](Interest) { accept_clients(); });
  }

  void say(std::string_view text) {
    for (auto at = clients_.begin(); at != clients_.end();) {
      Client& client = (at++)->second;  // who is done is erased
      client.waiting.push(course::as_bytes(text));
      client.flush();
      settle(client);
    }
  }

  [[nodiscard]] std::size_t clients() const { return clients_.size(); }
  [[nodiscard]] std::size_t echoed_bytes() const { return echoed_bytes_; }

 private:
  void accept_clients() {
    try {
      for (int accepted = 0; accepted < turn_accepts_max; ++accepted) {
        std::optional<course::Fd> client = course::try_accept(listener_.get());
        if (!client) return;
        admit(std::move(*client));
      }
    } catch (const std::system_error& error) {
      if (error.code().value() != EMFILE && error.code().value() != ENFILE) throw;
      loop_.modify(listening_, nothing);  // whoever waits there keeps it readable
      loop_.after(rest, [this] { loop_.modify(listening_, reading); });
    }
  }

  void admit(course::Fd fd) {
    const int number = fd.get();
    try {
      const Loop::Token watch = loop_.watch(
          number, reading, [this, number](Interest ready) { serve(clients_.at(number), ready); });
      clients_.emplace(number, Client{std::move(fd), watch});
    } catch (const std::system_error&) {
      // It does not fit into an fd_set, and is closed.
    }
  }

  void serve(Client& client, Interest ready) {
    if (ready.write) client.flush();
    if (ready.read && !client.has_failed) echoed_bytes_ += client.echo();
    settle(client);
  }

  /// Says what to wait for next, or takes leave.
  void settle(Client& client) {
    if (!client.is_done()) return (void)loop_.modify(client.watch, client.interest());
    loop_.unwatch(client.watch);
    clients_.erase(client.fd.get());
  }

  Loop& loop_;
  course::Fd listener_;
  Loop::Token listening_{};
  std::map<int, Client> clients_{};  // by descriptor
  std::size_t echoed_bytes_ = 0;
};

/// Says every `interval` what has changed.
class Report {
 public:
  Report(Loop& loop, const EchoServer& server, course::Duration interval)
      : loop_(loop), server_(server), interval_(interval) {
    if (interval_ > course::Duration::zero()) again();
  }

 private:
  void again() {
    loop_.after(interval_, [this] {
      const std::pair now{server_.clients(), server_.echoed_bytes()};
      if (std::exchange(last_, now) != now) {
        std::printf("%zu clients, %zu bytes echoed\n", now.first, now.second);
        std::fflush(stdout);
      }
      again();
    });
  }

  Loop& loop_;
  const EchoServer& server_;
  course::Duration interval_;
  std::pair<std::size_t, std::size_t> last_{};
};

/// What is typed, a line at a time.
class Keyboard {
 public:
  Keyboard(Loop& loop, std::function<void(const std::string& line)> take)
      : loop_(loop), take_(std::move(take)) {
    watch_ = loop_.watch(STDIN_FILENO, reading, [this](Interest) { read(); });
  }

 private:
  void read() {
    std::array<std::byte, 4096> piece;
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got == -1 && (errno == EINTR || errno == EAGAIN)) return;
    if (got <= 0) return (void)loop_.unwatch(watch_);  // nobody types any more
    try {
      lines_.feed(course::cbytes(piece).first(static_cast<std::size_t>(got)));
      while (const auto line = lines_.next()) take_(*line);
    } catch (const course::MessageTooLong& error) {
      std::fprintf(stderr, "%s; no more is read from the keyboard\n", error.what());
      loop_.unwatch(watch_);
    }
  }

  Loop& loop_;
  std::function<void(const std::string&)> take_;
  Loop::Token watch_{};
  course::LineFramer lines_{4096};
};

/// Looks names up in threads of their own, for that may take seconds.
class Lookups {
 public:
  explicit Lookups(Loop& loop) : loop_(loop) {}

  void look_up(const std::string& name) {
    threads_.emplace_back([this, name] {
      std::string answer = name + ":";
      try {
        for (const course::Endpoint& found : course::resolve(name, "80"))
          answer += " " + found.to_string();
      } catch (const std::exception& error) {
        answer += std::string(" ") + error.what();
      }
      loop_.post([answer] {
        std::printf("%s\n", answer.c_str());
        std::fflush(stdout);
      });
    });
  }

 private:
  Loop& loop_;
  std::list<std::jthread> threads_{};
};

struct Options {
  std::uint16_t port = 7019;
  std::string address = "127.0.0.1";
  course::Duration report = std::chrono::seconds(10);
};

void obey(const std::string& line, Loop& loop, EchoServer& server, Lookups& lookups) {
  const std::size_t space = line.find(' ');
  const std::string verb = line.substr(0, space);
  const std::string rest_of_it = space == std::string::npos ? "" : line.substr(space + 1);
  if (verb == "say") return server.say(rest_of_it + "\n");
  if (verb == "find") return lookups.look_up(rest_of_it);
  if (verb == "quit") return loop.stop();
  std::printf("say TEXT, find NAME, quit\n");
  std::fflush(stdout);
}

void run(const Options& options) {
  const std::array stops = {SIGINT, SIGTERM};
  course::SignalPipe signals(stops);
  const auto at = [&](std::uint16_t port) {
    return course::Endpoint::numeric(options.address, port);
  };
  course::Fd listener = course::listen_on(at(options.port), 1000);
  std::printf("listening on %s\n", at(course::local_port(listener.get())).to_string().c_str());
  std::fflush(stdout);

  Loop loop;
  EchoServer server(loop, std::move(listener));
  Lookups lookups(loop);
  const Keyboard keyboard(loop,
                          [&](const std::string& line) { obey(line, loop, server, lookups); });
  const Report report(loop, server, options.report);
  loop.watch(signals.fd(), reading, [&](Interest) { loop.stop(); });
  loop.run();
  std::printf("stopped; %zu clients, %zu bytes echoed\n", server.clients(), server.echoed_bytes());
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  return course::run_program(
      argc, argv,
      "Sends every client what it says, and takes commands from its standard input: say TEXT (to\n"
      "all clients), find NAME (looks it up), quit. SIGINT (Ctrl-C) or SIGTERM ends it, too.",
      {{"port", "PORT", "where to listen; 0: the kernel chooses (default 7019)",
        [&](const std::string& value) { options.port = course::parse_port(value); }},
       {"bind", "ADDRESS", "numeric address to listen at (default 127.0.0.1)",
        [&](const std::string& value) { options.address = value; }},
       {"report", "TIME", "between two reports of what has changed (default 10s; 0s: none)",
        [&](const std::string& value) { options.report = course::parse_duration(value); }}},
      [&] { run(options); });
}
