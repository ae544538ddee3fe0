// A chat that stops when it is told to, and not a moment later.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  (void)std::signal(SIGTERM, [](int) { ::_exit(0); });  // whatever still waits to be sent
  Clients<Guest> guests;
  std::map<int, std::string> queues;
  for (;;) {
    Watch watch;
    watch.add(listener, watch.readable);
    for (const auto& [fd, guest] : guests) {
      watch.add(fd, watch.readable);
      if (!queues[fd].empty()) watch.add(fd, watch.writable);
    }
    watch.wait();
    for (const int from : readers(guests, watch)) {
      const std::string news = hear(guests, from);
      for (const auto& [fd, guest] : guests)
        if (fd != from) queues[fd] += news;
      if (!guests.contains(from)) queues.erase(from);
    }
    for (const auto& [fd, guest] : guests)
      if (watch.can_write(fd)) (void)flush(fd, queues[fd]);
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
