// A chat server with times, which can tell the time.
#include <signal.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "06-serve/serve.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "14-wake-ups/wake_ups.hpp"
#include "17-timers/timers.hpp"
#include "given/command_line.hpp"
#include "given/endpoint.hpp"
#include "given/wait_set.hpp"

namespace {

struct Options {
  std::uint16_t port = 7017;
  std::string address = "127.0.0.1";
  course::ChatTimes times{};
  std::optional<course::Duration> tell_time{};
};

course::TimerQueue::Point now() { return std::chrono::steady_clock::now(); }

std::string time_of_day() {
  const std::time_t time = std::time(nullptr);
  std::tm local{};
  localtime_r(&time, &local);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "* it is %H:%M:%S", &local);
  return text.data();
}

class Server {
 public:
  explicit Server(const Options& options)
      : listener_(
            course::listen_on(course::Endpoint::numeric(options.address, options.port), 1000)),
        chat_(options.times) {
    course::set_nonblocking(listener_.get(), true);
    if (options.tell_time)
      timers_.every(now() + *options.tell_time, *options.tell_time,
                    [this] { chat_.announce(time_of_day()); });
  }

  [[nodiscard]] std::uint16_t port() const { return course::local_port(listener_.get()); }

  /// One turn; returns whether `stop` is readable.
  bool step(int stop) {
    const auto next = timers_.until_next(now());
    const auto readable =
        chat_.step(next ? course::Deadline::after(*next) : course::Deadline::never(),
                   std::array{listener_.get(), stop});
    timers_.run_due(now());
    const auto is_readable = [&](int fd) {
      return std::find(readable.begin(), readable.end(), fd) != readable.end();
    };
    if (is_readable(listener_.get())) accept_clients();
    return is_readable(stop);
  }

  /// Until everybody has taken its last line, or `stop` is readable again.
  void end(int stop) {
    listener_.reset();
    chat_.end("* the server closes: goodbye");
    while (chat_.connections() > 0)
      if (!chat_.step(course::Deadline::never(), std::array{stop}).empty()) chat_.drop_all();
  }

 private:
  void accept_clients() {
    try {
      while (auto client = course::try_accept(listener_.get()))
        if (course::WaitSet::fits(client->get())) chat_.admit(std::move(*client));
    } catch (const std::system_error& error) {
      if (error.code().value() != EMFILE && error.code().value() != ENFILE) throw;
      // Who waits keeps the listener readable: without a nap this would spin. Lesson 18 does
      // better.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }

  course::Fd listener_;
  course::TimedChat chat_;
  course::TimerQueue timers_{};
};

void run(const Options& options) {
  const std::array stops = {SIGINT, SIGTERM};
  course::SignalPipe signals(stops);
  Server server(options);
  const auto at = course::Endpoint::numeric(options.address, server.port());
  std::printf("listening on %s\n", at.to_string().c_str());
  std::fflush(stdout);
  while (!server.step(signals.fd())) {
  }
  (void)signals.take();
  server.end(signals.fd());
}

course::Duration parse_time(const std::string& text) {
  const course::Duration time = course::parse_duration(text);
  if (time > course::Duration::zero()) return time;
  throw std::invalid_argument("must be more than zero: " + text);
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  const auto time = [](course::Duration& into) {
    return [&into](const std::string& value) { into = parse_time(value); };
  };
  return course::run_program(
      argc, argv, "A chat for whoever connects. SIGINT (Ctrl-C) or SIGTERM ends it politely.",
      {{"port", "PORT", "where to listen; 0: the kernel chooses (default 7017)",
        [&](const std::string& value) { options.port = course::parse_port(value); }},
       {"bind", "ADDRESS", "numeric address to listen at (default 127.0.0.1)",
        [&](const std::string& value) { options.address = value; }},
       {"naming-time", "TIME", "to say a name (default 30s)", time(options.times.naming)},
       {"line-time", "TIME", "to finish a line (default 30s)", time(options.times.line)},
       {"idle-time", "TIME", "between two lines (default 10min)", time(options.times.idle)},
       {"tell-time", "TIME", "how often to tell everybody what time it is (default never)",
        [&](const std::string& value) { options.tell_time = parse_time(value); }}},
      [&] { run(options); });
}
