// Asks whether a call on a descriptor would wait; and a server that asks before it waits.
#include <getopt.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "02-connect/connect.hpp"
#include "03-send-and-receive/send_and_receive.hpp"
#include "06-serve/serve.hpp"
#include "07-will-it-block/will_it_block.hpp"

namespace {

constexpr const char* usage =
    "usage: try_will_it_block [--timeout TIME] [--listen PORT] [--connect HOST:PORT] [--fill]\n"
    "                         [DESCRIPTOR...]\n"
    "       try_will_it_block [--timeout TIME] --serve PORT\n\n"
    "Asks of each descriptor whether it is readable, then whether it is writable.\n"
    "  --timeout TIME       wait so long for each answer: 2s, 250ms, 30us, 0, ever (0)\n"
    "  --listen PORT        ask of a socket that listens there, too\n"
    "  --connect HOST:PORT  ask of a socket that is connected there, too\n"
    "  --fill               first, send until that socket takes no more\n"
    "  --serve PORT         send back what clients send, one client after the other; hang up on\n"
    "                       one that is silent for the timeout (ever). Ctrl-C ends it.\n\n"
    "Exit status: 0 answered, 1 something failed, 2 wrong usage.\n";

using Timeout = std::optional<course::Duration>;

struct Options {
  std::optional<Timeout> timeout;
  std::optional<std::uint16_t> listen, serve;
  std::string host, service;
  bool is_filling = false;
  std::vector<int> descriptors;
};

[[noreturn]] void refuse(const char* what, const std::string& text) {
  std::fprintf(stderr, "try_will_it_block: not %s: %s\n", what, text.c_str());
  std::exit(2);
}

template <class Number>
Number parse_number(const char* what, const std::string& text) {
  Number number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || *stop != '\0') refuse(what, text);
  return number;
}

// Up to a year of nanoseconds fits a Duration; longer is refused.
Timeout parse_timeout(const std::string& text) {
  using namespace std::chrono_literals;
  if (text == "ever") return std::nullopt;
  const std::map<std::string, course::Duration> units = {
      {"", 0ns}, {"ns", 1ns}, {"us", 1us}, {"ms", 1ms}, {"s", 1s}};
  const std::size_t digits = text.find_first_not_of("-0123456789");
  const auto unit = units.find(digits == std::string::npos ? "" : text.substr(digits));
  if (unit == units.end()) refuse("a time (2s, 250ms, 0, ever)", text);
  const auto count = parse_number<int>("a time (2s, 250ms, 0, ever)", text.substr(0, digits));
  if (unit->second == 0ns && count != 0) refuse("a time with its unit (2s, 250ms)", text);
  return count * unit->second;
}

const char* kind_of(int fd) {
  struct stat status {};
  if (fstat(fd, &status) == -1) return "closed";
  int listens = 0;
  socklen_t length = sizeof listens;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0)
    return listens != 0 ? "listening socket" : "socket";
  if (isatty(fd) != 0) return "terminal";
  return S_ISREG(status.st_mode) ? "file" : S_ISFIFO(status.st_mode) ? "pipe" : "device";
}

std::string ask(const char* what, bool (*wait)(int, Timeout), int fd, Timeout timeout) {
  const auto start = std::chrono::steady_clock::now();
  const bool is_ready = wait(fd, timeout);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%3s %s (%.3f s)", is_ready ? "" : "not", what,
                took.count());
  return text.data();
}

void probe(int fd, Timeout timeout) {
  const std::string reading = ask("readable", course::wait_readable, fd, timeout);
  const std::string writing = ask("writable", course::wait_writable, fd, timeout);
  std::printf("%4d %-16s %s %s\n", fd, kind_of(fd), reading.c_str(), writing.c_str());
}

void fill(int fd) {
  static constexpr std::array<char, 4096> page{};
  std::size_t total_bytes = 0;
  for (ssize_t taken; (taken = send(fd, page.data(), page.size(), MSG_DONTWAIT)) > 0;)
    total_bytes += static_cast<std::size_t>(taken);
  if (errno != EAGAIN) throw std::system_error(errno, std::system_category(), "send");
  std::printf("descriptor %d took %zu bytes\n", fd, total_bytes);
}

void probe_all(const Options& options) {
  const Timeout timeout = options.timeout.value_or(course::Duration::zero());
  for (const int fd : options.descriptors) probe(fd, timeout);
  course::Fd listener, connection;
  if (options.listen) {
    listener = course::listen_on(course::Endpoint::numeric("127.0.0.1", *options.listen), 1);
    probe(listener.get(), timeout);
  }
  if (options.host.empty()) return;
  connection = course::connect_to(options.host, options.service);
  if (options.is_filling) fill(connection.get());
  probe(connection.get(), timeout);
  if (options.listen) probe(listener.get(), timeout);
}

// Says what happened, and when: in seconds since the program's start.
void tell(int client, const char* what) {
  static const auto start = std::chrono::steady_clock::now();
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  std::printf("%4.1f s  client %d %s\n", time.count(), client, what);
}

void talk(int client, int number, Timeout patience) {
  tell(number, "is here");
  std::array<std::byte, 4096> buffer;
  for (;;) {
    if (patience && !course::wait_readable(client, patience))
      return tell(number, "has been silent for too long");
    const course::IoResult got = course::recv_some(client, buffer);
    if (got.status != course::IoStatus::ok) return tell(number, "has left");
    course::send_all(client, course::cbytes(buffer).first(got.bytes));
  }
}

void serve(std::uint16_t port, Timeout patience) {
  const auto listener = course::listen_on(course::Endpoint::numeric("127.0.0.1", port), 8);
  std::printf("listening on 127.0.0.1:%d\n", course::local_port(listener.get()));
  int clients = 0;
  const auto talk_with = [&](int client) { talk(client, ++clients, patience); };
  course::serve(listener.get(), talk_with, [] { return false; });
}

void set_address(Options& options, const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) refuse("HOST:PORT", text);
  options.host = text.substr(0, colon);
  options.service = text.substr(colon + 1);
}

Options parse(int argc, char* argv[]) {
  const option names[] = {{"timeout", required_argument, nullptr, 't'},
                          {"listen", required_argument, nullptr, 'l'},
                          {"connect", required_argument, nullptr, 'c'},
                          {"fill", no_argument, nullptr, 'f'},
                          {"serve", required_argument, nullptr, 's'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  constexpr const char* port = "a port from 0 to 65535";
  Options options;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 't') options.timeout = parse_timeout(optarg);
    if (found == 'l') options.listen = parse_number<std::uint16_t>(port, optarg);
    if (found == 'c') set_address(options, optarg);
    if (found == 'f') options.is_filling = true;
    if (found == 's') options.serve = parse_number<std::uint16_t>(port, optarg);
    if (found == 'h') std::exit(std::fputs(usage, stdout) < 0);
    if (found == '?') std::exit(2);
  }
  for (; optind < argc; ++optind)
    options.descriptors.push_back(parse_number<int>("a descriptor", argv[optind]));
  if (!options.serve && !options.listen && options.host.empty() && options.descriptors.empty()) {
    std::fputs(usage, stderr);
    std::exit(2);
  }
  return options;
}

}  // namespace

int main(int argc, char* argv[]) {
  try {
    const Options options = parse(argc, argv);
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);  // each line should be readable when it happens
    if (options.serve)
      serve(*options.serve, options.timeout.value_or(std::nullopt));
    else
      probe_all(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_will_it_block: %s\n", error.what());
    return 1;
  }
}
