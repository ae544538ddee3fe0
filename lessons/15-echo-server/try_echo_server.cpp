// An echo server for as many clients as there are numbers in an fd_set; or, to compare, the one of
// lesson 06.
#include <signal.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "03-send-and-receive/send_and_receive.hpp"
#include "06-serve/serve.hpp"
#include "14-wake-ups/wake_ups.hpp"
#include "15-echo-server/echo_server.hpp"
#include "given/command_line.hpp"
#include "given/endpoint.hpp"

namespace {

constexpr int backlog = 1000;

struct Options {
  std::uint16_t port = 7015;
  std::string address = "127.0.0.1";
  bool one_at_a_time = false;
};

course::Fd listen_at(const Options& options) {
  const auto at = [&](std::uint16_t port) {
    return course::Endpoint::numeric(options.address, port);
  };
  course::Fd listener = course::listen_on(at(options.port), backlog);
  std::printf("listening on %s\n", at(course::local_port(listener.get())).to_string().c_str());
  return listener;
}

double processor_seconds() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

// Blocking calls, as in lesson 06. A signal ends it as it ends any program.
void serve_one_at_a_time(const Options& options) {
  const course::Fd listener = listen_at(options);
  const auto echo = [](int client) {
    std::array<std::byte, 4096> buffer;
    course::IoResult got;
    while ((got = course::recv_some(client, buffer)).status == course::IoStatus::ok)
      course::send_all(client, course::cbytes(buffer).first(got.bytes));
  };
  course::serve(listener.get(), echo, [] { return false; });
}

// A SignalPipe would be asked in every turn, with a system call. Here a flag says that it is over,
// and the pipe only wakes the server.
std::atomic<bool> is_over = false;
course::Wakeup* wakeup = nullptr;  // set before a handler is installed

void end(int /*signal*/) {
  is_over = true;  // first: who is woken must find it
  wakeup->notify();
}

void end_on_signals() {
  static course::Wakeup of_the_process;  // for as long as there are handlers
  wakeup = &of_the_process;
  struct sigaction action {};
  action.sa_handler = end;
  for (const int signal : {SIGINT, SIGTERM}) ::sigaction(signal, &action, nullptr);
}

void serve_all(const Options& options) {
  end_on_signals();
  course::EchoServer server(listen_at(options));
  std::size_t turns = 0, most = 0;
  for (; !is_over; ++turns) {
    try {
      server.step(course::Deadline::never(), wakeup->fd());
      most = std::max(most, server.connections());
    } catch (const std::system_error& error) {
      if (error.code().value() != EMFILE && error.code().value() != ENFILE) throw;
      // Whoever waits to be accepted keeps the listener ready: without a pause this would spin.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  }
  std::printf("stopped: at most %zu clients at once, %zu turns, %.2f s of work\n", most, turns,
              processor_seconds());
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // each line is to be read when it happens
  return course::run_program(
      argc, argv, "Sends every client what it says. SIGINT (Ctrl-C) or SIGTERM ends it.",
      {{"port", "PORT", "where to listen; 0: the kernel chooses (default 7015)",
        [&](const std::string& value) { options.port = course::parse_port(value); }},
       {"bind", "ADDRESS", "numeric address to listen at (default 127.0.0.1)",
        [&](const std::string& value) { options.address = value; }},
       {"one-at-a-time", nullptr, "serve as in lesson 06, with blocking calls",
        [&](const std::string&) { options.one_at_a_time = true; }}},
      [&] { options.one_at_a_time ? serve_one_at_a_time(options) : serve_all(options); });
}
