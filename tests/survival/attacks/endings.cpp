// Clients that leave in every way there is, in the moment that suits the server least.
#include <array>

#include "../attack.hpp"
#include "../harness/witness.hpp"

namespace survival {
namespace {

constexpr std::size_t reply_bytes = 8U << 20;  // more than two sockets and their buffers hold
constexpr int small_buffer_bytes = 4096;

}  // namespace

// The second who sends to a client that has closed is told EPIPE, and SIGPIPE with it: the first
// has only fetched the RST. In a pause, so that the server cannot see the end before it sends.
void close_while_two_send(Server& server) {
  const auto others = new_witness(server);
  for (std::size_t leaves = 0; leaves < 3; ++leaves) {
    std::array clients{new_client(server), new_client(server), new_client(server)};
    promise(others->settle(), verdict::others_wait);
    {
      const Pause pause(server);
      clients.at(leaves).close();
      for (Client& client : clients)
        if (client.fd() != -1) (void)client.send("hello\n");
    }
    promise(others->settle(), verdict::others_wait);
  }
}

namespace {

void close_half_of_an_echo(Server& server) {
  Client small(server.address());
  {
    const Pause pause(server);  // so that the request and the end come together
    (void)small.send("hello\n");
    small.half_close();
  }
  promise(small.receive_all() == "hello\n" && small.has_finished(), verdict::bytes_lost);

  Client large(server.address(), small_buffer_bytes);
  const std::string request(reply_bytes, 'x');
  promise(large.send(request), verdict::bytes_lost);
  large.half_close();
  promise(large.receive_all() == request && large.has_finished(), verdict::bytes_lost);
}

void close_half_of_a_chat(Server& server) {
  const auto others = new_witness(server);
  Client observer = new_client(server);
  promise(others->settle(), verdict::others_wait);
  const std::string name = new_name();
  Client leaver(server.address());
  {
    const Pause pause(server);
    (void)leaver.send(name + "\nlast words\n");
    leaver.half_close();
  }
  promise(observer.hears(name + ": last words"), verdict::bytes_lost);
  promise(observer.hears("* " + name + " left"), verdict::bytes_lost);
}

}  // namespace

void close_half(Server& server) {
  if (server.kind() == Kind::echo) close_half_of_an_echo(server);
  if (server.kind() == Kind::chat) close_half_of_a_chat(server);
}

void reset_before_accept(Server& server) {
  const auto others = new_witness(server);
  for (int round = 0; round < 20; ++round) {
    {
      const Pause pause(server);
      for (int i = 0; i < 4; ++i) {
        Client client(server.address());
        if (i % 2 == 1) (void)client.try_send("hello\n");
        client.reset();
      }
    }
    promise(others->ask(), verdict::others_wait);
  }
}

void reset_after_accept(Server& server) {
  const auto others = new_witness(server);
  for (int round = 0; round < 20; ++round) {
    Client client = new_client(server);
    promise(others->settle(), verdict::others_wait);
    client.reset();
    promise(others->ask(), verdict::others_wait);
  }
}

void reset_in_a_reply(Server& server) {
  const auto others = new_witness(server);
  for (int round = 0; round < 5; ++round) {
    Client client = new_client(server, small_buffer_bytes);
    if (server.kind() == Kind::chat) {
      for (int i = 0; i < 1000; ++i) promise(others->ask(16), verdict::others_wait);
    } else {
      const std::string piece(65'536, 'x');
      for (std::size_t sent = 0, taken = 1; sent < reply_bytes && taken > 0; sent += taken) {
        taken = client.send_without_receiving(piece);
        promise(others->ask(), verdict::others_wait);
      }
    }
    client.reset();
    promise(others->ask(), verdict::others_wait);
  }
}

// Whoever comes next gets the same descriptor, and must not get with it what the last has said.
void leave_in_a_line(Server& server) {
  const auto others = new_witness(server);
  Client observer = new_client(server);
  promise(others->settle(), verdict::others_wait);
  for (int round = 0; round < 3; ++round) {
    {
      Client leaver(server.address());
      (void)leaver.send(round == 0 ? "half a na" : new_name() + "\nhalf a li");
      promise(others->settle(), verdict::others_wait);
    }
    promise(others->settle(), verdict::others_wait);
    const std::string name = new_name();
    Client next(server.address());
    (void)next.send(name + "\nhello\n");
    promise(observer.hears(name + ": hello"), verdict::bytes_mixed);
  }
}

}  // namespace survival
