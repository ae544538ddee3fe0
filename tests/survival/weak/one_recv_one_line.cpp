// A chat that takes a stream for a series of messages.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Guest> guests;
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch)) {
      std::string news = hear(guests, from);
      if (guests.contains(from) && news.empty()) news = told(guests[from], "\n");  // "it is over"
      tell(guests, from, news);
    }
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
