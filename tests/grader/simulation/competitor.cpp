// Somebody else who holds a file of the program's too, and is quicker.
#include <netinet/in.h>

#include <string>

#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {

void Simulation::let_competitors_take(const std::vector<int>& readable) {
  for (const int fd : readable) {
    OpenFile* file = descriptors.file(fd);
    if (file == nullptr || file->competitor_takes == 0) continue;
    const bool took =
        file->listening ? competitor_accepts(fd, *file) : competitor_receives(fd, *file);
    if (took) --file->competitor_takes;
  }
}

// All that is there. Of an end of the stream there is enough for everybody.
bool Simulation::competitor_receives(int fd, const OpenFile& file) {
  std::string taken(static_cast<std::size_t>(bytes_to_read(fd)), '\0');
  if (taken.empty()) return false;
  const ssize_t got = real().read(fd, taken.data(), taken.size());
  if (got <= 0) return false;
  if (file.connection != nullptr) {
    file.connection->program_read += static_cast<std::uint64_t>(got);
    settle(*file.connection);
  }
  recorder.peer(file.competitor, "takes",
                format("%s takes %s from the same %s", file.competitor.c_str(),
                       quoted(taken.data(), static_cast<std::size_t>(got)).c_str(),
                       file.is_socket() ? "socket" : "pipe"),
                static_cast<long>(got));
  return true;
}

// The client that has waited longest; it stays connected to the end.
bool Simulation::competitor_accepts(int listener, const OpenFile& file) {
  if (accept_queue_length(listener) == 0) return false;
  sockaddr_in from{};
  socklen_t length = sizeof from;
  const int accepted = out_of_the_way(
      real().accept4(listener, reinterpret_cast<sockaddr*>(&from), &length, SOCK_CLOEXEC));
  if (accepted < 0) return false;
  competitors_clients_.push_back(accepted);
  Peer* const client = unaccepted_peer(ntohs(from.sin_port));
  if (client != nullptr) {
    client->connection().was_accepted = true;
    client->connection().program_fd = accepted;
    settle(client->connection());
  }
  recorder.peer(file.competitor, "accepts",
                format("%s accepts %s from the same queue", file.competitor.c_str(),
                       client != nullptr ? client->name().c_str() : "a client"));
  return true;
}

}  // namespace grader
