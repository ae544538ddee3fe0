// An echo server that has never heard of FD_SETSIZE.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Nothing> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch))
      if (!answer(fd)) drop(clients, fd);
    if (watch.can_read(listener)) clients[accept(listener)] = {};  // FD_SET(1024): beyond the set
  }
}
