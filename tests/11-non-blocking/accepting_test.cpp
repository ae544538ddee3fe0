// The graded checks of lesson 11: try_accept().
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "11-non-blocking/non_blocking.hpp"
#include "attempts.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace attempts;
using namespace std::string_literals;

namespace {

// A non-blocking socket of this type, bound to a port of 127.0.0.1, which listens if `listens`; for
// use inside a run.
int bound_socket(int type, bool listens) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  (void)::bind(fd, reinterpret_cast<const sockaddr*>(&where), sizeof where);
  if (listens) (void)::listen(fd, 32);
  return fd;
}

// What came of try_accept(): a client, nobody, or an exception.
struct Accepted {
  Ending ending;
  std::optional<course::Fd> client = {};
  Time took{};

  [[nodiscard]] bool is_nobody() const { return ending.has_returned && !client; }

  // "a client", "nobody", "threw ...".
  [[nodiscard]] std::string told() const {
    if (!ending.has_returned) return ending.told();
    if (!client) return "nobody";
    return client->get() < 0 ? "a client without a descriptor" : "a client";
  }
};

// A server's door: a listening socket in non-blocking mode.
class Door : public AttemptScenario {
 public:
  Door() : listener(run([] { return bound_socket(SOCK_STREAM, true); })) {
    allow_open_descriptors();
  }
  const int listener;

  Accepted try_accept() { return try_accept(listener); }
  Accepted try_accept(int fd) {
    Accepted made;
    made.ending = ending_of(*this, [&] { made.client = course::try_accept(fd); });
    made.took = took();
    return made;
  }

  // The check's own turn: asks poll about the listener, which waits until it is told "readable".
  bool waits_for_readability() {
    pollfd entry{listener, POLLIN, 0};
    return run([&] { return ::poll(&entry, 1, -1); }) == 1;
  }

  // The check's own turn: what `client` has said.
  std::string said_by(const course::Fd& client) {
    std::string text(24, '\0');
    const auto got = run([&] { return ::recv(client.get(), text.data(), text.size(), 0); });
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
  }

  // Whether a call of the program has failed with `error`.
  [[nodiscard]] bool was_told(int error) const {
    const auto made = calls();
    return std::any_of(made.begin(), made.end(),
                       [error](const Call& call) { return call.error == error; });
  }

  // How many descriptors of clients the program has open.
  [[nodiscard]] std::size_t open_clients() const {
    return open_count("accept()") + open_count("accept4()");
  }
};

// It must be the client who says `name`.
bool expect_client(Door& door, const Accepted& accepted, const std::string& name,
                   const std::string& situation, const std::string& advice) {
  return expect_equal(accepted.told(), "a client", situation + " " + advice) &&
         expect_equal(door.said_by(*accepted.client), name,
                      situation + " But it was another client who was accepted.");
}

bool expect_nobody(const Accepted& accepted, const std::string& situation) {
  const std::string advice =
      accepted.ending.error == EAGAIN
          ? "EAGAIN is the answer \"nobody\", not a failure: return std::nullopt."
      : accepted.client ? "accept said -1, which is no descriptor: return std::nullopt."
                        : "Nobody is there: return std::nullopt, at once.";
  return expect_equal(accepted.told(), "nobody", situation + " " + advice) &&
         expect_that(was_at_once(accepted.took),
                     situation + " That was the answer, but only after " + to_text(accepted.took) +
                         ": an attempt never waits, not even a little.");
}

}  // namespace

// Rule: accept(2): the new socket inherits no status flags on Linux; accept4() sets them.
TEST(TryAccept, MakesClientsThatAreNonBlockingToo) {
  explain({.rule = "Each client comes with O_NONBLOCK and FD_CLOEXEC set, in the order in which "
                   "they connected.",
           .why = "The listener does not hand its mode on: the first receive that finds nothing "
                  "would stop everybody.",
           .read = "The client who is not there"});
  Door door;
  for (const char* name : {"alice", "bob", "carol"})
    door.peer(name).at(31ms).connects().sends(name);
  door.waits_for_readability();

  for (const char* name : {"alice", "bob", "carol"}) {
    const Accepted accepted = door.try_accept();

    const std::string situation =
        "alice, bob and carol had connected, and it was "s + name + "'s turn.";
    if (!expect_client(door, accepted, name, situation,
                       "Take the one who has waited longest, one with each call.") ||
        !expect_that(is_nonblocking(accepted.client->get()),
                     name + "'s socket blocks. Only your listener is non-blocking, and it does not "
                            "hand its mode on (accept(2)): set it on what you accept."s) ||
        !expect_that((::fcntl(accepted.client->get(), F_GETFD) & FD_CLOEXEC) != 0,
                     name + "'s socket would survive an exec. Ask for SOCK_CLOEXEC as well."s))
      return;
  }
  expect_nobody(door.try_accept(), "All three had been accepted.");
}

// Rule: who was there a moment ago may be gone, or be somebody else's (select(2), BUGS).
TEST(TryAccept, SaysNobodyWhenNobodyIsThereAnyMore) {
  explain(
      {.rule = "When nobody waits to be accepted, it says so at once, whatever select said.",
       .why = "Several processes may wait at one door, and a client may hang up in front of it.",
       .read = "The client who is not there"});
  Door door;
  if (!expect_nobody(door.try_accept(), "Nobody had connected yet.")) return;
  door.spurious_readiness(door.listener);
  door.waits_for_readability();
  if (!expect_nobody(door.try_accept(), "poll said \"readable\", and nobody had connected."))
    return;

  door.competitor("bob", door.listener);
  door.peer("alice").at(347ms).connects().sends("alice");
  door.waits_for_readability();
  if (!expect_nobody(door.try_accept(),
                     "alice had connected, and bob, who waits at the same door, took her first."))
    return;

  door.faults().reset_before_accept_vanishes();
  door.peer("carol").at(700ms).connects().resets();
  door.waits_for_readability();
  if (!expect_nobody(door.try_accept(), "carol had connected, and hung up before you came."))
    return;

  door.peer("dave").at(1219ms).connects().sends("dave");
  door.waits_for_readability();
  const Accepted late = door.try_accept();
  expect_client(door, late, "dave", "After all that dave connected.",
                "The door is still open: accept him.");
}

// Rule: accept(2), "Error handling": network errors of the connection are told by accept.
TEST(TryAccept, PassesOverWhatConcernsOneConnection) {
  explain({.rule = "When accept fails because of one connection, or of a signal, try the next.",
           .why = "One client's misfortune must neither end the server nor keep the next one "
                  "waiting.",
           .read = "The client who is not there"});
  Door door;
  constexpr int errors[] = {ECONNABORTED, EPROTO,       ENOPROTOOPT, ENETDOWN, ENETUNREACH,
                            EHOSTDOWN,    EHOSTUNREACH, ENONET,      EINTR};
  for (const int error : errors)
    door.peer(error_name(error)).at(31ms).connects().sends(error_name(error));
  door.waits_for_readability();
  for (const int error : errors) {
    const std::string name = error_name(error);
    const int times = error == ECONNABORTED || error == EINTR ? 7 : 1;
    door.faults().fail("accept", error, times);

    const Accepted accepted = door.try_accept();

    const std::string situation = format("accept said %s%s, and a client was waiting.",
                                         name.c_str(), times > 1 ? " seven times in a row" : "");
    const std::string advice =
        accepted.is_nobody() ? "\"Nobody\" is for EAGAIN only: try again at once."
        : error == EINTR     ? "A signal says nothing about the clients: try again at once."
                             : "That concerns one connection that did not come to be (accept(2)); "
                               "the next is another: try again at once.";
    if (!expect_client(door, accepted, name, situation, advice)) return;
  }

  door.faults().fail("accept", ECONNABORTED, 2);
  expect_nobody(door.try_accept(), "accept said ECONNABORTED twice, and nobody was waiting.");
}

// Rule: EMFILE leaves the client in the queue, and would come again at once (accept(2)).
TEST(TryAccept, ThrowsWhatWouldComeAgain) {
  explain({.rule = "Any other error of accept is thrown with its errno; no descriptor stays open, "
                   "and the client stays in the queue.",
           .why = "Asked again at once it would be the same: a busy loop. Taken for \"nobody\", it "
                  "would never be noticed.",
           .read = "The client who is not there"});
  Door door;
  door.peer("alice").at(31ms).connects().sends("alice");
  door.waits_for_readability();
  const auto expect_thrown = [&](const Accepted& accepted, int error, const std::string& cause) {
    const std::string name = error_name(error);
    // Who looks before it tries has no reason to, when nobody can come that way.
    if (accepted.is_nobody() && !door.was_told(error)) return true;
    const std::string start = cause + "accept said " + name + ", and try_accept() " +
                              (accepted.ending.has_returned ? "gave " : "") + accepted.told() + ".";
    return expect_equal(accepted.ending.thrown(), name,
                        start + " That concerns the listener or the process: throw it.") &&
           expect_that(says(accepted.ending.what, "accept"),
                       start + " That does not name the call. Add it.");
  };
  for (const int error : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) {
    door.faults().fail("accept", error);
    const Accepted accepted = door.try_accept();
    const std::string cause =
        error == EMFILE ? "The process had no descriptor left: " : "For lack of something: ";
    if (!expect_thrown(accepted, error, cause)) return;
  }
  const int silent = door.run([] { return bound_socket(SOCK_STREAM, false); });
  const int datagrams = door.run([] { return bound_socket(SOCK_DGRAM, false); });
  const int pipe = door.peer("bob").pipe_to_program();
  constexpr int closed = 61;
  const std::size_t clients = door.open_clients();
  if (!expect_thrown(door.try_accept(silent), EINVAL, "The socket does not listen: ") ||
      !expect_thrown(door.try_accept(datagrams), EOPNOTSUPP, "It is a socket for datagrams: ") ||
      !expect_thrown(door.try_accept(pipe), ENOTSOCK, "It is a pipe: ") ||
      !expect_thrown(door.try_accept(closed), EBADF, "Descriptor 61 is not open: "))
    return;

  door.faults().fail("fcntl", ENOMEM);  // of those that make it non-blocking afterwards
  Accepted accepted = door.try_accept();
  if (!accepted.ending.has_returned) {
    if (!expect_that(door.open_clients() == clients,
                     "The client could not be made non-blocking, and try_accept() " +
                         accepted.told() +
                         " and left it open; nobody knows it any more. Give it an owner first."))
      return;
    door.peer("carol").connects().sends("alice");
    accepted = door.try_accept();
  }
  expect_client(door, accepted, "alice", "Then all was well, and a client was waiting.",
                "Accept it.");
}
