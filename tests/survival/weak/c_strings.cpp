// An echo server that takes what it receives for text with a zero at its end.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Nothing> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch)) {
      char buffer[4097];
      const ssize_t got = ::recv(fd, buffer, sizeof buffer - 1, 0);
      if (got > 0) {
        buffer[got] = '\0';
        (void)::send(fd, buffer, std::strlen(buffer),
                     MSG_NOSIGNAL);  // a zero is a byte like others
      } else {
        drop(clients, fd);
      }
    }
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
