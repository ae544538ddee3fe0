// An echo server that leaves when every answer has been taken.
#include <sys/signalfd.h>

#include <algorithm>

#include "right.hpp"

using namespace weak;

int main(int argc, char* argv[]) {
  const int listener = listen_as_told(argc, argv);
  sigset_t stop;
  (void)::sigemptyset(&stop);
  (void)::sigaddset(&stop, SIGTERM);
  (void)::sigprocmask(SIG_BLOCK, &stop, nullptr);
  const int signals = ::signalfd(-1, &stop, 0);
  Clients<std::string> clients{{signals, ""}};  // readable when we are to stop
  const auto something_waits = [&] {
    return std::any_of(clients.begin(), clients.end(),
                       [](const auto& client) { return !client.second.empty(); });
  };
  for (bool is_stopping = false; !is_stopping || something_waits();) {  // and how long?
    const Watch watch = wait_for_room(listener, clients);
    is_stopping = is_stopping || watch.can_read(signals);
    for (const int fd : readers(clients, watch))
      if (fd != signals && !receive(fd, clients[fd])) drop(clients, fd);
    for (auto& [fd, queue] : clients)
      if (watch.can_write(fd)) (void)flush(fd, queue);
    if (watch.can_read(listener)) clients[accept(listener)] = {};
  }
}
