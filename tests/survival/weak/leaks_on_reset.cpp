// An echo server that forgets a client which has failed, and its descriptor with it.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Nothing> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch)) {
      if (answer(fd)) continue;
      if (errno == ECONNRESET)
        clients.erase(fd);  // there is nothing left to close, is there?
      else
        drop(clients, fd);
      errno = 0;
    }
    if (watch.can_read(listener)) {
      const int client = accept(listener);
      if (client != -1) clients[client] = {};
    }
  }
}
