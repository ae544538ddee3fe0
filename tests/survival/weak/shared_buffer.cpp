// A chat with one place for the beginnings of lines, whoever they are from.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  Clients<Guest> guests;
  std::string line;  // should be each guest's own
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch)) {
      std::swap(line, guests[from].line);
      const std::string news = hear(guests, from);
      if (guests.contains(from)) std::swap(line, guests[from].line);
      tell(guests, from, news);
    }
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
