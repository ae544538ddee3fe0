// A chat that goes on when everybody has taken what was said.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Guest> guests;
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch)) {
      const std::string news = hear(guests, from);
      for (const auto& [fd, guest] : guests)  // in blocking mode: send waits for room
        if (fd != from) (void)::send(fd, news.data(), news.size(), MSG_NOSIGNAL);
    }
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
