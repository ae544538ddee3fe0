// Sends back whatever a client sends, one client after the other: a server for nc.
#include <getopt.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "06-serve/serve.hpp"

namespace {

constexpr const char* usage =
    "usage: try_serve [--port N] [--bind ADDRESS]\n\n"
    "Sends back whatever a client sends, one client after the other.\n"
    "  --port N        port to listen on; 0 (default): the kernel chooses one\n"
    "  --bind ADDRESS  numeric address to listen on (127.0.0.1)\n"
    "Ctrl-C or SIGTERM stops it when the present client has left, a second one at once.\n\n"
    "Exit status: 0 stopped, 1 something failed, 2 wrong usage.\n";

constexpr int backlog = 8;
volatile std::sig_atomic_t stop_asked = 0;

// Without SA_RESTART, so that the signal ends a wait in accept (signal(7)). SA_RESETHAND: the
// second signal ends the program, as it would have done without us.
void ask_to_stop_at(int signal_number) {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  if (sigaction(signal_number, &action, nullptr) == -1)
    throw std::system_error(errno, std::system_category(), "sigaction");
}

std::uint16_t parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error == std::errc() && *stop == '\0') return port;
  std::fprintf(stderr, "try_serve: not from 0 to 65535: %s\n", text.c_str());
  std::exit(2);
}

void echo(int client, int number) {
  std::printf("client %d: connected\n", number);
  std::array<std::byte, 4096> buffer;
  std::size_t total_bytes = 0;
  course::IoResult got;
  while ((got = course::recv_some(client, buffer)).status == course::IoStatus::ok) {
    course::send_all(client, course::cbytes(buffer).first(got.bytes));
    total_bytes += got.bytes;
  }
  std::printf("client %d: left after %zu bytes\n", number, total_bytes);
}

void serve_until_stopped(const std::string& address, std::uint16_t port) {
  ask_to_stop_at(SIGINT);
  ask_to_stop_at(SIGTERM);
  const auto listener = course::listen_on(course::Endpoint::numeric(address, port), backlog);
  const auto bound = course::Endpoint::numeric(address, course::local_port(listener.get()));
  std::printf("listening on %s\n", bound.to_string().c_str());
  int clients = 0;
  const auto echo_next = [&](int client) { echo(client, ++clients); };
  course::serve(listener.get(), echo_next, [] { return stop_asked != 0; });
  std::printf("stopped; clients served: %d\n", clients);
}

}  // namespace

int main(int argc, char* argv[]) {
  const option names[] = {{"port", required_argument, nullptr, 'p'},
                          {"bind", required_argument, nullptr, 'b'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'p') port = parse_port(optarg);
    if (found == 'b') address = optarg;
    if (found == 'h') return std::fputs(usage, stdout) < 0;
    if (found == '?') return 2;
  }
  if (optind < argc) return std::fputs(usage, stderr), 2;
  try {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // each line should be readable when it happens
    serve_until_stopped(address, port);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_serve: %s\n", error.what());
    return 1;
  }
}
