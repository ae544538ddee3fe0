// A chat that collects a line until it ends.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Guest> guests;
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch))
      tell(guests, from, hear(guests, from));  // Guest::line grows for as long as no LF comes
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
