// What a client may say: everything, and as much as it likes.
#include "../attack.hpp"
#include "../harness/witness.hpp"

namespace survival {

void send_every_byte(Server& server) {
  const auto others = new_witness(server);
  Client client = new_client(server);
  std::string all;
  for (int round = 0; round < 256; ++round)  // each byte after every other
    for (int i = 0; i < 256; ++i) all += static_cast<char>(i * (2 * round + 1) + round);
  if (server.kind() == Kind::echo) {
    promise(client.send(all), verdict::bytes_lost);
    promise(client.receive(all.size()) == all, verdict::bytes_changed);
  } else {
    (void)client.send(all);
  }
  promise(others->settle(), verdict::others_wait);
}

void send_an_endless_line(Server& server) {
  constexpr std::size_t piece_bytes = 65'536, all_bytes = 64U << 20;
  const auto others = new_witness(server);
  Client client = new_client(server);
  const std::string piece(piece_bytes, 'x');
  std::size_t sent = 0, received = 0;
  for (int i = 0; sent < all_bytes; ++i, sent += piece_bytes) {
    if (!client.send(piece)) break;
    received += client.stored();
    client.forget();
    if (i % 16 == 0) promise(others->ask(), verdict::others_wait);
  }
  if (server.kind() == Kind::echo) {
    received += client.receive(all_bytes - received).size();
    promise(sent == all_bytes && received == all_bytes, verdict::bytes_lost);
  }
  promise(others->settle(), verdict::others_wait);
}

}  // namespace survival
