// An echo server for as many clients as there are descriptors in an fd_set.
#include <signal.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "06-serve/serve.hpp"
#include "14-wake-ups/wake_ups.hpp"
#include "15-echo-server/echo_server.hpp"
#include "given/command_line.hpp"
#include "given/endpoint.hpp"

namespace {

struct Options {
  std::uint16_t port = 7015;
  std::string address = "127.0.0.1";
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
  course::EchoServer server(std::move(listener));
  while (signals.take().empty()) {
    try {
      server.step(course::Deadline::never(), signals.fd());
    } catch (const std::system_error& error) {
      if (error.code().value() != EMFILE && error.code().value() != ENFILE) throw;
      // Who waits keeps the listener readable: without a nap this would spin. Lesson 18 does
      // better.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  return course::run_program(
      argc, argv, "Sends every client what it says. SIGINT (Ctrl-C) or SIGTERM ends it.",
      {{"port", "PORT", "where to listen; 0: the kernel chooses (default 7015)",
        [&](const std::string& value) { options.port = course::parse_port(value); }},
       {"bind", "ADDRESS", "numeric address to listen at (default 127.0.0.1)",
        [&](const std::string& value) { options.address = value; }}},
      [&] { run(options); });
}
