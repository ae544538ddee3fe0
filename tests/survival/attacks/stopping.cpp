// Told to stop in the middle of something.
#include <csignal>

#include "../attack.hpp"
#include "../harness/witness.hpp"

namespace survival {
namespace {

constexpr int small_buffer_bytes = 4096;
constexpr int lines_at_once = 24;           // 12 kB: three times that is not yet too much to wait
constexpr milliseconds stops_within{8000};  // however its last clients behave

bool stops(Server& server) {
  return becomes([&] { return server.end().has_value(); }, Patience(stops_within)) &&
         server.end() == "exit status 0";
}

/// Has something wait for `mute`, a client that does not receive: more than the kernel takes, so
/// that the rest is with the server.
void fill_up(Server& server, Client& mute, Witness& others) {
  if (server.kind() == Kind::echo) {
    (void)mute.send_without_receiving(std::string(8U << 20, 'x'));
    return;
  }
  // The others talk until the kernel takes no more: until what it has taken does not grow.
  std::size_t before = 0;
  for (int rounds = 0, full = 0; full < 2 && rounds < 2000; ++rounds) {
    promise(others.ask(lines_at_once), verdict::others_wait);
    const std::size_t unsent = server.buffered(mute.port()).unsent_bytes;
    full = unsent > 0 && unsent == before ? full + 1 : 0;
    before = unsent;
  }
}

}  // namespace

// What has been said before, everybody hears, even when the server has been told to stop.
void stop_in_a_flush(Server& server) {
  const auto others = new_witness(server);
  Client reader = new_client(server, small_buffer_bytes);
  promise(others->settle(), verdict::others_wait);
  fill_up(server, reader, *others);
  const std::string name = new_name();
  Client speaker(server.address());
  (void)speaker.send(name + "\nlast words\n");
  promise(others->settle(), verdict::others_wait);
  server.signal(SIGTERM);
  promise(reader.hears(name + ": last words"), verdict::bytes_lost);
  reader.close();
  promise(stops(server), verdict::does_not_stop);
}

void stop_with_a_mute_client(Server& server) {
  const auto others = new_witness(server);
  Client mute = new_client(server, small_buffer_bytes);
  promise(others->settle(), verdict::others_wait);
  fill_up(server, mute, *others);
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
