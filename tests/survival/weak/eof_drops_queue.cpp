// An echo server for which a client that has finished sending has left.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<std::string> clients;
  for (;;) {
    const Watch watch = wait_for_room(listener, clients);
    for (const int fd : readers(clients, watch))
      if (!receive(fd, clients[fd])) drop(clients, fd);  // and whatever waits for it
    for (auto& [fd, queue] : clients)
      if (watch.can_write(fd)) (void)flush(fd, queue);
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
