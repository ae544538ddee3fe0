// A chat that remembers under the number of a descriptor, and forgets the name only.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Guest> guests;
  std::map<int, std::string> lines;  // by descriptor; the number soon belongs to somebody else
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch)) {
      guests[from].line = lines[from];
      const std::string news = hear(guests, from);
      if (guests.contains(from)) lines[from] = guests[from].line;
      tell(guests, from, news);
    }
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
