// An echo server that cannot have its port back while its last connections linger.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv, false);  // without SO_REUSEADDR
  Clients<Nothing> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch))
      if (!answer(fd)) drop(clients, fd);
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
