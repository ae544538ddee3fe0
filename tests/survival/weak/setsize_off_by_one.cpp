// An echo server that knows FD_SETSIZE, and takes it for the highest descriptor.
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
    if (client > FD_SETSIZE)  // the highest is FD_SETSIZE - 1
      (void)::close(client);
    else
      clients[client] = {};
  }
}
