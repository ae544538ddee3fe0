// An echo server that always wants to know whether it could write.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Nothing> clients;
  for (;;) {
    Watch watch;
    watch.add(listener, watch.readable);
    for (const auto& [fd, nothing] : clients) {
      watch.add(fd, watch.readable);
      watch.add(fd, watch.writable);  // a healthy socket is: select never waits
    }
    watch.wait();
    for (const int fd : readers(clients, watch))
      if (watch.can_write(fd) && !answer(fd)) drop(clients, fd);
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
