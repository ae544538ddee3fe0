// Told to stop in the middle of something.
#include <algorithm>
#include <csignal>

#include "../attack.hpp"
#include "../harness/witness.hpp"

namespace survival {
namespace {

constexpr int buffer_bytes = 131'072;  // small, but not so small that the rest comes in drops
constexpr std::size_t reply_bytes = 8U << 20, piece_bytes = 65'536;
constexpr milliseconds stops_within{8000};  // however its last clients behave

bool stops(Server& server) {
  return becomes([&] { return server.end().has_value(); }, Patience(stops_within)) &&
         server.end() == "exit status 0";
}

/// Sends and does not receive, as long as the server takes it. Returns what the server has read and
/// therefore owes; it may have been sent more.
std::string owed_by_an_echo(const Server& server, Client& client) {
  std::string all;
  for (std::size_t i = 0; i < reply_bytes / piece_bytes; ++i)
    all.append(piece_bytes, static_cast<char>('a' + i % 26));
  const std::size_t sent = client.send_without_receiving(all);
  const std::size_t unread = server.unread_bytes() + client.unacknowledged_bytes();
  return all.substr(0, sent - std::min(sent, unread));
}

}  // namespace

// What the server has read, it answers, even when it is told to stop.
void stop_in_a_flush(Server& server) {
  if (server.kind() == Kind::echo) {
    Client client(server.address(), buffer_bytes);
    const std::string owed = owed_by_an_echo(server, client);
    server.signal(SIGTERM);
    promise(client.receive_all().starts_with(owed), verdict::bytes_lost);
  } else {
    const std::string name = new_name();
    const auto others = new_witness(server);
    Client reader = new_client(server, buffer_bytes);
    promise(others->settle() && others->ask(40), verdict::others_wait);
    Client speaker(server.address());
    (void)speaker.send(name + "\nlast words\n");
    promise(becomes([&] { return server.unread_bytes() == 0; }), verdict::others_wait);
    server.signal(SIGTERM);
    promise(reader.hears(name + ": last words"), verdict::bytes_lost);
  }
  promise(stops(server), verdict::does_not_stop);
}

void stop_with_a_mute_client(Server& server) {
  const auto others = new_witness(server);
  Client mute = new_client(server, buffer_bytes);
  promise(others->settle(), verdict::others_wait);
  if (server.kind() == Kind::chat)
    for (int i = 0; i < 500; ++i) promise(others->ask(16), verdict::others_wait);
  else
    (void)owed_by_an_echo(server, mute);
  server.signal(SIGTERM);
  promise(stops(server), verdict::does_not_stop);
}

// The connections of the last run are still in TIME_WAIT.
void start_again_at_once(Server& server) {
  const auto others = new_witness(server);
  server.signal(SIGKILL);
  promise(becomes([&] { return server.end().has_value(); }), verdict::does_not_stop);
  server.start_again();
  const auto newcomers = new_witness(server);
}

}  // namespace survival
