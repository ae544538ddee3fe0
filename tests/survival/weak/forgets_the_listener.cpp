// An echo server that lets the listener be when there is no descriptor left.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Nothing> clients;
  for (bool is_open = true;;) {
    Watch watch;
    if (is_open) watch.add(listener, watch.readable);
    for (const auto& [fd, nothing] : clients) watch.add(fd, watch.readable);
    watch.wait();
    for (const int fd : readers(clients, watch))
      if (!answer(fd)) drop(clients, fd);  // now there is one again
    if (!watch.can_read(listener)) continue;
    const int client = accept(listener);
    if (client == -1)
      is_open = false;  // and when is it true?
    else
      clients[client] = {};
  }
}
