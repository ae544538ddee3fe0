// An echo server that wants to know whom it talks with.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Nothing> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch))
      if (!answer(fd)) drop(clients, fd);
    if (!watch.can_read(listener)) continue;
    const int client = accept(listener);
    sockaddr_storage peer;
    socklen_t length = sizeof peer;
    if (::getpeername(client, reinterpret_cast<sockaddr*>(&peer), &length) == -1)
      fail("getpeername");  // ENOTCONN: it has left meanwhile, which is its own affair
    clients[client] = {};
  }
}
