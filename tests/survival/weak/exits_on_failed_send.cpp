// An echo server whose sends have always succeeded so far.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<std::string> clients;
  for (;;) {
    const Watch watch = wait_for_room(listener, clients);
    for (auto& [fd, queue] : clients)
      if (watch.can_write(fd) && flush(fd, queue) == -1) fail("send");  // ECONNRESET or EPIPE
    for (const int fd : readers(clients, watch))
      if (!receive(fd, clients[fd])) drop(clients, fd);
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
