// A netcat: carries standard input to the network, and the network to standard output.
#include <getopt.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <system_error>

#include "02-connect/connect.hpp"
#include "06-serve/serve.hpp"
#include "10-two-sources/two_sources.hpp"

namespace {

constexpr const char* usage =
    "usage: try_two_sources --connect HOST:PORT\n"
    "       try_two_sources --listen PORT\n"
    "\n"
    "Carries standard input to the network, and the network to standard output, until\n"
    "the peer has finished.\n"
    "  --connect HOST:PORT  call there; HOST may be a name or a numeric address\n"
    "  --listen PORT        wait at 127.0.0.1 for one caller; 0: the kernel chooses\n"
    "                       the port\n"
    "\n"
    "Exit status: 0 the peer has finished, 1 something failed, 2 wrong usage.\n";

[[noreturn]] void refuse(const char* what, const std::string& text) {
  std::fprintf(stderr, "try_two_sources: %s: %s\n", what, text.c_str());
  std::exit(2);
}

std::uint16_t parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || *stop != '\0') refuse("not a port from 0 to 65535", text);
  return port;
}

course::Fd call(const std::string& target) {
  const auto colon = target.rfind(':');
  if (colon == std::string::npos || colon == 0) refuse("not HOST:PORT", target);
  std::string host = target.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::uint16_t port = parse_port(target.substr(colon + 1));
  course::Fd connection = course::connect_to(host, std::to_string(port));
  std::fprintf(stderr, "connected to %s\n", target.c_str());
  return connection;
}

course::Fd wait_for_a_caller(std::uint16_t port) {
  const auto here = [](std::uint16_t at) { return course::Endpoint::numeric("127.0.0.1", at); };
  const course::Fd listener = course::listen_on(here(port), 1);
  const auto bound = here(course::local_port(listener.get()));
  std::fprintf(stderr, "listening on %s\n", bound.to_string().c_str());
  sockaddr_storage storage{};
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  socklen_t length = sizeof storage;
  const int caller = ::accept4(listener.get(), address, &length, SOCK_CLOEXEC);
  if (caller == -1) throw std::system_error(errno, std::system_category(), "accept");
  std::fprintf(stderr, "%s has called\n", course::Endpoint(address, length).to_string().c_str());
  return course::Fd(caller);
}

}  // namespace

int main(int argc, char* argv[]) {
  const option names[] = {{"connect", required_argument, nullptr, 'c'},
                          {"listen", required_argument, nullptr, 'l'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  std::string target, port;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'c') target = optarg;
    if (found == 'l') port = optarg;
    if (found == 'h') return std::fputs(usage, stdout) < 0;
    if (found == '?') return 2;
  }
  if (optind < argc || target.empty() == port.empty()) return std::fputs(usage, stderr), 2;
  try {
    const course::Fd peer = port.empty() ? call(target) : wait_for_a_caller(parse_port(port));
    const int result = course::netcat(STDIN_FILENO, STDOUT_FILENO, peer.get());
    if (result != 0) std::fprintf(stderr, "try_two_sources: %s\n", std::strerror(errno));
    return result;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_two_sources: %s\n", error.what());
    return 1;
  }
}
