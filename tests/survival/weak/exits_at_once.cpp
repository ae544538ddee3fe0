// An echo server that stops when it is told to, and not a moment later.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  (void)std::signal(SIGTERM, [](int) { ::_exit(0); });  // with whatever still waits to be sent
  Clients<std::string> clients;
  for (;;) {
    const Watch watch = wait_for_room(listener, clients);
    for (const int fd : readers(clients, watch))
      if (!receive(fd, clients[fd])) drop(clients, fd);
    for (auto& [fd, queue] : clients)
      if (watch.can_write(fd)) (void)flush(fd, queue);
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
