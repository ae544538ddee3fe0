// A chat server with limits, which leaves politely.
#include <signal.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>

#include "06-serve/serve.hpp"
#include "14-wake-ups/wake_ups.hpp"
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"
#include "given/command_line.hpp"
#include "given/endpoint.hpp"

namespace {

struct Options {
  std::uint16_t port = 7018;
  std::string address = "127.0.0.1";
  course::Limits limits{};
  course::Duration closing = std::chrono::seconds(5);
};

void run(const Options& options) {
  const std::array stops = {SIGINT, SIGTERM};
  course::SignalPipe signals(stops);
  const auto at = [&](std::uint16_t port) {
    return course::Endpoint::numeric(options.address, port);
  };
  course::Fd listener = course::listen_on(at(options.port), 1000);
  std::printf("listening on %s\n", at(course::local_port(listener.get())).to_string().c_str());
  std::fflush(stdout);
  course::GuardedChatServer server(std::move(listener), options.limits);
  while (signals.take().empty()) server.step(course::Deadline::never(), signals.fd());

  std::printf("closing; once more to hurry\n");
  std::fflush(stdout);
  // The second signal makes the pipe readable again, and so ends the wait for slow clients.
  const std::size_t dropped =
      server.shutdown(course::Deadline::after(options.closing), signals.fd());
  std::printf("%zu dropped\n", dropped);
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  course::Limits& limits = options.limits;
  const auto time = [](course::Duration& into) {
    return [&into](const std::string& value) { into = course::parse_duration(value); };
  };
  const auto size = [](std::size_t& into) {
    return [&into](const std::string& value) { into = course::parse_size(value); };
  };
  return course::run_program(
      argc, argv, "A chat for whoever connects. SIGINT (Ctrl-C) or SIGTERM ends it politely.",
      {{"port", "PORT", "where to listen; 0: the kernel chooses (default 7018)",
        [&](const std::string& value) { options.port = course::parse_port(value); }},
       {"bind", "ADDRESS", "numeric address to listen at (default 127.0.0.1)",
        [&](const std::string& value) { options.address = value; }},
       {"clients-max", "N", "connections at once (default 1000)", size(limits.clients_max)},
       {"line-max", "SIZE", "longest line of a client (default 1KiB)", size(limits.lines.line_max)},
       {"unsent-max", "SIZE", "what may wait for a client (default 64KiB)",
        size(limits.lines.unsent_max)},
       {"naming-time", "TIME", "to say a name (default 30s)", time(limits.times.naming)},
       {"line-time", "TIME", "to finish a line (default 30s)", time(limits.times.line)},
       {"idle-time", "TIME", "between two lines (default 10min)", time(limits.times.idle)},
       {"rest", "TIME", "when there are no descriptors (default 100ms)", time(limits.rest)},
       {"closing-time", "TIME", "to leave politely (default 5s)", time(options.closing)}},
      [&] { run(options); });
}
