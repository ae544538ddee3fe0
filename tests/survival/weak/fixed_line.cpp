// A chat that has room for lines of 1,024 bytes, and does not count.
#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  static struct {
    std::size_t used[FD_SETSIZE];
    char lines[FD_SETSIZE][1024];
  } all;
  Clients<Guest> guests;
  for (;;) {
    const Watch watch = wait_for(listener, guests);
    for (const int from : readers(guests, watch)) {
      std::string text;
      if (!receive(from, text)) {
        all.used[from] = 0;
        tell(guests, from, "* " + guests[from].name + " left\n");
        drop(guests, from);
      }
      char* line = all.lines[from];
      for (const char byte : text) {
        line[all.used[from]++] = byte;  // the 1,025th is somebody else's
        if (byte != '\n') continue;
        tell(guests, from, told(guests[from], {line, all.used[from]}));
        all.used[from] = 0;
      }
    }
    if (watch.can_read(listener)) guests[accept(listener)] = {};
  }
}
