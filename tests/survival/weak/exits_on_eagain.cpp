// An echo server in non-blocking mode, for which EAGAIN is an error.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<std::string> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch)) {
      if (!receive(fd, clients[fd])) {
        drop(clients, fd);
        continue;
      }
      while (!clients[fd].empty())
        if (flush(fd, clients[fd]) == -1) fail("send");  // EAGAIN means later
    }
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
