// Lists the addresses of a name, connects to the first that accepts and says which one that was.
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <exception>
#include <string>
#include <system_error>

#include "02-connect/connect.hpp"

namespace {

constexpr const char* usage =
    "usage: try_connect HOST SERVICE\n"
    "\n"
    "Lists the addresses of HOST, connects to the first that accepts and says which\n"
    "one that was. HOST is a name or a numeric address, SERVICE a name or a port.\n"
    "\n"
    "Example: nc -l 127.0.0.1 7000 &\n"
    "         try_connect localhost 7000\n"
    "\n"
    "Exit status: 0 connected, 1 not connected, 2 wrong usage.\n";

course::Endpoint peer_of(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) == -1)
    throw std::system_error(errno, std::system_category(), "getpeername");
  return {reinterpret_cast<const sockaddr*>(&address), length};
}

void try_connect(const std::string& host, const std::string& service) {
  int number = 0;
  for (const course::Endpoint& address : course::resolve(host, service))
    std::printf("address %d: %s\n", ++number, address.to_string().c_str());
  std::fflush(stdout);  // the list should be readable while connect_to() waits

  const course::Fd connection = course::connect_to(host, service);
  std::printf("connected to %s\n", peer_of(connection.get()).to_string().c_str());
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc == 2 && std::string(argv[1]) == "--help") {
    std::fputs(usage, stdout);
    return 0;
  }
  if (argc != 3) {
    std::fputs(usage, stderr);
    return 2;
  }
  try {
    try_connect(argv[1], argv[2]);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_connect: %s\n", error.what());
    return 1;
  }
}
