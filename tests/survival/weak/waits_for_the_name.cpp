// A chat that asks every client for its name at once, and waits for the answer.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Guest> guests;
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch)) tell(guests, from, hear(guests, from));
    if (!watch.can_read(listener)) continue;
    const int client = accept(listener);
    guests[client] = {};
    while (guests.contains(client) && guests[client].name.empty())
      tell(guests, client, hear(guests, client));  // select has not spoken of this one
  }
}
