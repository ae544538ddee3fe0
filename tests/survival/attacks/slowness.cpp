// Clients that are slow: to read, to write, or both, and some that never do.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

#include "../attack.hpp"
#include "../harness/idleness.hpp"
#include "../harness/witness.hpp"

namespace survival {
namespace {

constexpr int small_buffer_bytes = 4096;
constexpr std::size_t stream_bytes = 32U << 20;
constexpr int lines_at_once = 16;               // 8,000 bytes: nobody falls behind
constexpr int rounds = 32 * 1'048'576 / 8'000;  // stream_bytes, in lines

}  // namespace

void never_read(Server& server) {
  const auto others = new_witness(server);
  Client mute = new_client(server, small_buffer_bytes);
  promise(others->settle(), verdict::others_wait);
  if (server.kind() == Kind::chat) {
    for (int i = 0; i < rounds; ++i) promise(others->ask(lines_at_once), verdict::others_wait);
    return;
  }
  const std::string piece(65'536, 'x');
  for (std::size_t sent = 0, taken = 1; sent < stream_bytes && taken > 0; sent += taken) {
    taken = mute.send_without_receiving(piece);
    promise(others->ask(), verdict::others_wait);
  }
}

namespace {

constexpr std::string_view pattern = "0123456789abcdef0123456789abcde\n";  // 32 bytes
constexpr std::size_t reply_bytes = 8U << 20;
constexpr int buffer_bytes = 131'072;  // small, but not so small that the rest comes in drops

/// Sends until no more is taken, stands still, and then wants everything back.
bool stand_still_in_an_echo(const sockaddr_in& address) {
  std::string all;
  while (all.size() < reply_bytes) all += pattern;
  Client client(address, buffer_bytes);
  const std::size_t sent = client.send_without_receiving(all);
  (void)::raise(SIGSTOP);
  if (!client.send(std::string_view(all).substr(sent))) return false;
  return client.receive(all.size()) == all;
}

/// Stands still while the others talk. What it hears then may end early, but has no gap.
bool stand_still_in_a_chat(const sockaddr_in& address) {
  Client client(address, buffer_bytes);
  (void)client.send("sleeper\n");
  (void)::raise(SIGSTOP);
  long expected = 0;
  while (const auto heard = client.line()) {
    const std::size_t colon = heard->find(": ");
    if (colon == std::string::npos || !heard->starts_with('n')) continue;  // not from a guest
    const long number = std::strtol(heard->c_str() + colon + 2, nullptr, 10);
    if (expected != 0 && number != expected) return false;
    expected = number + 1;
  }
  return true;
}

}  // namespace

// Another process is the client, stopped in the middle with SIGSTOP, and later continued.
void stop_the_reader(Server& server) {
  const auto others = new_witness(server);
  const pid_t reader = must(::fork(), "fork");
  if (reader == 0) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const bool is_content = server.kind() == Kind::echo ? stand_still_in_an_echo(server.address())
                                                        : stand_still_in_a_chat(server.address());
    ::_exit(is_content ? 0 : 1);
  }
  int status = 0;
  must(::waitpid(reader, &status, WUNTRACED), "waitpid");
  bool all_answered = true;
  for (int i = 0; i < 1000 && all_answered; ++i) all_answered = others->ask(lines_at_once);
  must(::kill(reader, SIGCONT), "kill");
  while (all_answered && ::waitpid(reader, &status, WNOHANG) == 0) all_answered = others->ask();
  if (!all_answered) (void)::kill(reader, SIGKILL);
  (void)::waitpid(reader, &status, 0);
  promise(all_answered, verdict::others_wait);
  promise(WIFEXITED(status) && WEXITSTATUS(status) == 0, verdict::bytes_lost);
}

void say_nothing(Server& server) {
  const auto others = new_witness(server);
  const Client silent(server.address());
  promise(others->settle(), verdict::others_wait);
  const auto more = new_witness(server);
}

// A byte, and then a round of everybody else: no two bytes can come together.
void drip(Server& server) {
  const auto others = new_witness(server);
  Client observer = new_client(server);
  const std::string name = server.kind() == Kind::chat ? new_name() : "";
  Client dripper(server.address());
  const std::string said = "slow and steady";
  const std::string lines = (name.empty() ? name : name + '\n') + said + '\n';
  for (const char byte : lines) {
    (void)dripper.send(std::string_view(&byte, 1));
    promise(others->settle(), verdict::others_wait);
  }
  if (server.kind() == Kind::echo)
    promise(dripper.hears(said), verdict::bytes_changed);
  else
    promise(observer.hears(name + ": " + said), verdict::bytes_changed);
}

// Two say a line each, half of it at a time.
void drip_in_turn(Server& server) {
  const auto others = new_witness(server);
  Client observer = new_client(server);
  promise(others->settle(), verdict::others_wait);
  const std::string one = new_name(), two = new_name();
  Client first(server.address()), second(server.address());
  for (const auto& [client, piece] : {std::pair<Client*, std::string>{&first, one + '\n'},
                                      {&second, two + '\n'},
                                      {&first, "one "},
                                      {&second, "two "},
                                      {&first, "and one\n"},
                                      {&second, "and two\n"}}) {
    (void)client->send(piece);
    promise(becomes([&] { return server.buffered().unread_bytes == 0; }), verdict::others_wait);
  }
  promise(observer.hears(one + ": one and one"), verdict::bytes_mixed);
  promise(observer.hears(two + ": two and two"), verdict::bytes_mixed);
}

void do_nothing(Server& server) {
  const auto others = new_witness(server);
  const Client one = new_client(server), two = new_client(server);
  promise(others->settle(), verdict::others_wait);
  promise(is_idle(server), verdict::busy);
}

}  // namespace survival
