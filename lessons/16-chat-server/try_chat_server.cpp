// A chat server; and, to see it go wrong, the echo server of lesson 15 with one change.
#include <signal.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "03-send-and-receive/send_and_receive.hpp"
#include "06-serve/serve.hpp"
#include "14-wake-ups/wake_ups.hpp"
#include "16-chat-server/chat_server.hpp"
#include "given/command_line.hpp"
#include "given/endpoint.hpp"
#include "given/wait_set.hpp"

namespace {

struct Options {
  std::uint16_t port = 7016;
  std::string address = "127.0.0.1";
  course::LineLimits limits{};
  bool is_naive = false;
};

// What one client says goes to all others, as it comes, in sends that wait until it is taken.
void pass_on(std::vector<course::Fd>& clients, course::Fd& from) {
  std::array<std::byte, 16'384> buffer;
  const course::IoResult result = course::recv_some(from.get(), buffer);
  if (result.status != course::IoStatus::ok) return from.reset();
  for (course::Fd& to : clients) {
    if (to.get() == -1 || to.get() == from.get()) continue;
    try {
      course::send_all(to.get(), course::cbytes(buffer).first(result.bytes));
    } catch (const std::system_error&) {
      to.reset();
    }
  }
}

void serve_naively(const course::Fd& listener, int stop) {
  std::vector<course::Fd> clients;
  course::WaitSet waits;
  while (!waits.is_readable(stop)) {
    waits.clear();
    waits.add_reader(stop);
    waits.add_reader(listener.get());
    for (const course::Fd& client : clients) waits.add_reader(client.get());
    waits.wait(course::Deadline::never());
    for (course::Fd& client : clients)
      if (waits.is_readable(client.get())) pass_on(clients, client);
    std::erase_if(clients, [](const course::Fd& client) { return client.get() == -1; });
    if (!waits.is_readable(listener.get())) continue;
    course::Fd client(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (course::WaitSet::fits(client.get())) clients.push_back(std::move(client));
  }
}

void serve(course::Fd listener, course::SignalPipe& signals, const course::LineLimits& limits) {
  course::ChatServer server(std::move(listener), limits);
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

void run(const Options& options) {
  const std::array stops = {SIGINT, SIGTERM};
  course::SignalPipe signals(stops);
  const auto at = [&](std::uint16_t port) {
    return course::Endpoint::numeric(options.address, port);
  };
  course::Fd listener = course::listen_on(at(options.port), 1000);
  std::printf("listening on %s\n", at(course::local_port(listener.get())).to_string().c_str());
  std::fflush(stdout);
  if (options.is_naive)
    serve_naively(listener, signals.fd());
  else
    serve(std::move(listener), signals, options.limits);
}

}  // namespace

int main(int argc, char* argv[]) {
  Options options;
  const auto size = [](std::size_t& into) {
    return [&into](const std::string& value) { into = course::parse_size(value); };
  };
  return course::run_program(
      argc, argv, "A chat for whoever connects. SIGINT (Ctrl-C) or SIGTERM ends it.",
      {{"port", "PORT", "where to listen; 0: the kernel chooses (default 7016)",
        [&](const std::string& value) { options.port = course::parse_port(value); }},
       {"bind", "ADDRESS", "numeric address to listen at (default 127.0.0.1)",
        [&](const std::string& value) { options.address = value; }},
       {"line-max", "SIZE", "longest line of a client (default 1KiB)",
        size(options.limits.line_max)},
       {"unsent-max", "SIZE", "what may wait for a client (default 64KiB)",
        size(options.limits.unsent_max)},
       {"naive", nullptr, "pass on bytes as they come, and wait in every send",
        [&](const std::string&) { options.is_naive = true; }}},
      [&] { run(options); });
}
