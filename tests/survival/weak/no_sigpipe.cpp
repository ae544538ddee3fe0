// A chat that does not know what send does to a process when the other side has closed.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Guest> guests;
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch)) {
      const std::string news = hear(guests, from);
      for (const auto& [fd, guest] : guests)
        if (fd != from) (void)::send(fd, news.data(), news.size(), 0);  // SIGPIPE ends a process
    }
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
