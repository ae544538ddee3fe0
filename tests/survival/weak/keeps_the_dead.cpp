// An echo server that marks a client as gone, and never throws it away.
#include <deque>

#include "right.hpp"

using namespace weak;

struct Client {
  int fd = -1;
  bool has_left = false;
  std::string buffer = std::string(16'384, '\0');
};

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  std::deque<Client> clients;
  for (;;) {
    Watch watch;
    watch.add(listener, watch.readable);
    for (const Client& client : clients)
      if (!client.has_left) watch.add(client.fd, watch.readable);
    watch.wait();
    for (Client& client : clients) {
      if (client.has_left || !watch.can_read(client.fd)) continue;
      client.has_left = !answer(client.fd);  // and who erases it?
      if (client.has_left) (void)::close(client.fd);
    }
    if (watch.can_read(listener)) clients.push_back({.fd = accept(listener)});
  }
}
