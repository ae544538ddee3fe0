// The echo server once more, on the loop of lesson 19, for comparison.
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <utility>

#include "06-serve/serve.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "19-event-loop/event_loop.hpp"
#include "given/endpoint.hpp"

namespace {

struct Client {
  course::Fd fd{};
  course::OutQueue waiting{};
  course::Loop::Token token{};
  bool has_ended = false;
};

class LoopServer {
 public:
  explicit LoopServer(course::Fd listener) : listener_(std::move(listener)) {
    course::set_nonblocking(listener_.get(), true);
    loop_.watch(listener_.get(), {.read = true}, [this](course::Interest) { accept(); });
  }

  void run() { loop_.run(); }

 private:
  void accept() {
    while (auto fd = course::try_accept(listener_.get())) {
      if (fd->get() >= FD_SETSIZE) continue;
      const int number = fd->get();
      Client& client = clients_[number];
      client.fd = std::move(*fd);
      client.token = loop_.watch(number, {.read = true}, [this, number](course::Interest ready) {
        serve(clients_.at(number), ready);
      });
    }
  }

  void serve(Client& client, course::Interest ready) {
    std::array<std::byte, 16'384> buffer;
    course::IoResult got{.status = course::IoStatus::would_block};
    if (ready.read) got = course::try_recv(client.fd.get(), buffer);
    client.waiting.push(course::cbytes(buffer).first(got.bytes));
    const bool was_waiting = ready.write;
    const auto sent = client.waiting.flush(client.fd.get());
    client.has_ended |= got.status == course::IoStatus::eof;
    const bool has_failed =
        got.status == course::IoStatus::error || sent.status == course::IoStatus::error;
    const bool is_waiting = client.waiting.wants_write();
    if (has_failed || (client.has_ended && !is_waiting)) {
      loop_.unwatch(client.token);
      clients_.erase(client.fd.get());
    } else if (is_waiting || was_waiting) {  // what waits is sent before more is received
      loop_.modify(client.token, {.read = !is_waiting, .write = is_waiting});
    }
  }

  course::Fd listener_;
  course::Loop loop_{};
  std::map<int, Client> clients_{};
};

}  // namespace

int main(int argc, char* argv[]) {
  if (argc != 5) return 2;  // --port N --bind ADDRESS
  const auto port = static_cast<std::uint16_t>(std::atoi(argv[2]));
  course::Fd listener = course::listen_on(course::Endpoint::numeric(argv[4], port), SOMAXCONN);
  std::printf("listening on %s:%d\n", argv[4], course::local_port(listener.get()));
  (void)std::fflush(stdout);
  LoopServer(std::move(listener)).run();
}
