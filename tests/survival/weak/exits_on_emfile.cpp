// An echo server that gives up when there is no descriptor left.
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
    if (client == -1) fail("accept");  // EMFILE passes when somebody leaves
    clients[client] = {};
  }
}
