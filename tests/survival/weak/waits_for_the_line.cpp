// An echo server that answers lines, and receives until it has one.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<std::string> clients;
  for (;;) {
    const Watch watch = wait_for(listener, clients);
    for (const int fd : readers(clients, watch)) {
      std::string& line = clients[fd];
      char buffer[4096];
      ssize_t got = 1;
      while (got > 0 && !line.ends_with('\n')) {  // select has spoken of one recv only
        got = ::recv(fd, buffer, sizeof buffer, 0);
        line.append(buffer, static_cast<std::size_t>(got > 0 ? got : 0));
      }
      (void)::send(fd, line.data(), line.size(), MSG_NOSIGNAL);
      line.clear();
      if (got <= 0) drop(clients, fd);
    }
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
