// An echo server for which every error is the last.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Nothing> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch)) {
      char buffer[4096];
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got == -1) fail("recv");  // ECONNRESET concerns one client
      if (got == 0) drop(clients, fd);
      (void)::send(fd, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
    }
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
