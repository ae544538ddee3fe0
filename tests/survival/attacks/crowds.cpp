// More clients than there is room for, at once or one after the other.
#include <vector>

#include "../attack.hpp"
#include "../harness/idleness.hpp"
#include "../harness/witness.hpp"

namespace survival {
namespace {

/// Whether an echo server answers; of a chat server nothing is to be heard here.
bool is_answered(Client& client, Kind kind, Patience patience = Patience()) {
  return kind == Kind::chat ||
         (client.send("hello\n", patience) && client.hears("hello", patience));
}

}  // namespace

// FD_SETSIZE is 1024, and the server is allowed 4,096 descriptors. In a chat they say no name: a
// thousand who are told of a thousand would be another attack.
void open_1100(Server& server) {
  const auto others = new_witness(server);
  {
    std::vector<Client> clients;
    std::size_t served = 0;
    bool is_full = false;
    for (int i = 0; i < 1100; ++i) {
      clients.emplace_back(server.address());
      if (i % 20 == 0) promise(others->ask(), verdict::others_wait);
      if (is_full) continue;
      if (is_answered(clients.back(), server.kind(), Patience(milliseconds(500))))
        ++served;
      else
        is_full = !clients.back().has_ended();  // neither served nor refused: it is kept waiting
    }
    promise(others->settle(), verdict::others_wait);
    promise(served >= 900, verdict::nobody_enters);
    promise(is_idle(server), verdict::busy);
  }
  const auto newcomers = new_witness(server);
  promise(others->settle(), verdict::others_wait);
}

// The server is allowed 32 descriptors. A listener for whom there is no descriptor stays readable.
void use_up_descriptors(Server& server) {
  const auto others = new_witness(server);
  {
    std::vector<Client> clients;
    clients.reserve(60);
    for (int i = 0; i < 60; ++i) clients.push_back(new_client(server));
    promise(others->settle(), verdict::others_wait);
    promise(is_idle(server), verdict::busy);
    promise(others->settle(), verdict::others_wait);
    clients.erase(clients.begin(), clients.begin() + 50);
    for (Client& client : clients)  // there is room again, for those who have not been sent away
      if (client.take())
        promise(is_answered(client, server.kind()) || client.has_ended(), verdict::nobody_enters);
  }
  const auto newcomers = new_witness(server);
  promise(others->settle(), verdict::others_wait);
}

void storm(Server& server) {
  const auto others = new_witness(server);
  for (int i = 0; i < 2000; ++i) {
    Client client(server.address());
    if (i % 2 == 0) client.reset();
    if (i % 3 == 0) (void)client.try_send("h");
    client.close();
    if (i % 8 == 7) promise(others->ask(), verdict::others_wait);
  }
}

void come_and_go(Server& server) {
  const auto others = new_witness(server);
  for (int i = 0; i < 10'000; ++i) {
    Client client = new_client(server);
    promise(is_answered(client, server.kind()), verdict::nobody_enters);
    if (i % 8 == 7) promise(others->ask(), verdict::others_wait);
  }
}

}  // namespace survival
