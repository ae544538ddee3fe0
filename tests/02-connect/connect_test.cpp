#include "02-connect/connect.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>

#include <cerrno>
#include <system_error>

#include "given/resolver_error.hpp"
#include "outcome.hpp"
#include "scenario/check.hpp"

using namespace grader;

LESSON("02-connect");

namespace {

// The port reads the same with its bytes swapped (0x1f1f): byte order is the subject of one check.
constexpr const char* service = "7967";
constexpr std::uint16_t port = 7967;

// What the program leaves behind is the subject of one check; the others look away.
class TolerantScenario : public Scenario {
 public:
  TolerantScenario() {
    allow_open_descriptors();
    allow_open_lists();
  }
};

auto resolving(Scenario& scenario, const char* host, const char* of_service = service) {
  return outcome_of(scenario, [=] { return course::resolve(host, of_service); });
}

auto connecting(Scenario& scenario, const char* host) {
  return outcome_of(scenario, [=] { return course::connect_to(host, service); });
}

// What the program made of an interrupted attempt that should have gone on.
std::string told_of_interruption(const Scenario& scenario, const Outcome<course::Fd>& outcome) {
  std::string text = "connect was interrupted at 1.3 s but continues, and " + told(outcome);
  if (has_failed_with(scenario, "connect", EALREADY))
    text = "connect was interrupted at 1.3 s but continues; you called it again: EALREADY";
  else if (outcome.value)
    text = told(outcome) + " at " + shown(scenario.now()) + ", before the host had answered";
  else if (!has_failed_with(scenario, "connect", EINTR))
    return "The only address accepts, but " + told(outcome) + ".";
  return text + ". Wait until the socket is writable, then read SO_ERROR.";
}

}  // namespace

// ---- resolve

// Rule: a name is a list of addresses; the order is getaddrinfo's, and each counts once.
TEST(Resolve, ListsEachAddressOnceInOrder) {
  explain({.rule = "List every address of the name once, in getaddrinfo's order.",
           .why = "A missing address is never tried; a double one costs its wait twice.",
           .read = "A name is a list"});
  TolerantScenario scenario;
  scenario.names().name_has(
      "www.example", {"2001:db8::7", "192.0.2.20", "2001:db8::7", "192.0.2.10", "192.0.2.20"});

  const auto outcome = resolving(scenario, "www.example");

  if (!outcome.value)
    return fail("The name has 3 addresses, but " + told(outcome) +
                ". Perhaps your hints held leftover bytes, or asked for too much. Start with "
                "addrinfo hints{};");
  std::vector<std::string> got;
  for (const course::Endpoint& address : *outcome.value) got.push_back(address.to_string());
  const std::vector<std::string> wanted = {"[2001:db8::7]:7967", "192.0.2.20:7967",
                                           "192.0.2.10:7967"};
  const std::string count = format("The name has 3 addresses, but resolve listed %zu", got.size());
  expect_equal(got, wanted,
               got.size() > 3   ? count + ": some came twice. Add only what is not there yet."
               : got.size() < 3 ? count + ". Walk the whole list, whatever the family."
                                : "resolve did not give what getaddrinfo gave. Keep its order.");
}

// Rule: without a socket type getaddrinfo answers for datagrams too.
TEST(Resolve, AsksForAStream) {
  explain(
      {.rule = "Ask getaddrinfo for SOCK_STREAM.",
       .why = "Without it every address comes once for each socket type, useless ones among them.",
       .read = "A name is a list"});
  TolerantScenario scenario;
  scenario.names().service_is("tftp", 69, SOCK_DGRAM);

  const auto outcome = resolving(scenario, "192.0.2.10", "tftp");

  expect_that(!outcome.value, "tftp is a service for datagrams only, yet " + told(outcome) +
                                  ". Ask for SOCK_STREAM in the hints.");
}

// Rule: the service becomes a port in network byte order; getaddrinfo has done that already.
TEST(Resolve, FindsThePortOfTheService) {
  explain({.rule = "A service is a port number or a name; both become a port of the address.",
           .why = "With the wrong port somebody else answers, or nobody.",
           .read = "A name is a list"});
  TolerantScenario scenario;
  scenario.names().service_is("http", 80);

  const auto number = resolving(scenario, "192.0.2.10", "8080");
  const auto name = resolving(scenario, "192.0.2.10", "http");

  const int got = number.value && !number.value->empty() ? number.value->front().port() : -1;
  if (!expect_equal(got, 8080,
                    got < 0 ? told(number) + " for port 8080."
                    : got == 36895
                        ? "You asked for port 36895: that is 8080 with its bytes swapped. What "
                          "getaddrinfo gives is ready for use; otherwise use htons once."
                        : "The service says the port: give it to getaddrinfo."))
    return;
  const bool is_80 = name.value && !name.value->empty() && name.value->front().port() == 80;
  expect_that(is_80, "The service http is port 80, but " + told(name) +
                         ". A service may be a name: leave it to getaddrinfo.");
}

// Rule: getaddrinfo returns its error; errno belongs to others.
TEST(Resolve, ReportsWhatTheResolverSaid) {
  explain({.rule = "Throw what getaddrinfo returned, with resolver_category(), and name the host.",
           .why = "errno holds whatever an earlier call left there, and a wrong reason misleads.",
           .read = "Its errors are its own"});
  TolerantScenario scenario;
  scenario.names().name_fails("www.example", EAI_AGAIN, ENOENT);  // ENOENT was in errno before

  const auto outcome = resolving(scenario, "www.example");
  const auto connection = connecting(scenario, "www.example");

  const std::error_code said(EAI_AGAIN, course::resolver_category());
  if (outcome.value)
    return fail(told(outcome) + ", but getaddrinfo had failed. Throw std::system_error.");
  if (!expect_that(outcome.code == said,
                   "getaddrinfo said \"Temporary failure in name resolution\", but " +
                       told(outcome) + ". getaddrinfo returns its own codes: throw " +
                       "std::system_error with that value and resolver_category(), not errno."))
    return;
  expect_that(says(outcome.what, "www.example"),
              told(outcome) + ", which does not say which host was looked up. Name it.");
  expect_that(connection.code == said,
              told(connection) + ", but getaddrinfo had said why. Let that through.");
}

// Rule: EAI_SYSTEM is the exception: it says that errno has the reason.
TEST(Resolve, ReportsASystemErrorAsErrno) {
  explain({.rule = "When getaddrinfo returns EAI_SYSTEM, the reason is in errno.",
           .why = "\"System error\" helps nobody; \"Too many open files\" does.",
           .read = "Its errors are its own"});
  TolerantScenario scenario;
  scenario.names().name_fails("www.example", EAI_SYSTEM, EMFILE);
  scenario.faults().clean_up_overwrites_errno_with(EIO);

  const auto outcome = resolving(scenario, "www.example");

  const bool is_stale = outcome.code == std::errc::io_error;
  expect_that(outcome.code == std::errc::too_many_files_open,
              "getaddrinfo said EAI_SYSTEM, which means: look at errno. It was EMFILE, but " +
                  told(outcome) +
                  (is_stale ? ". A later call changed errno. Save it first." : "."));
}

// ---- connect_to

// Rule: the socket is of the address's family, and the address is given whole.
TEST(ConnectTo, SpeaksIpv6) {
  explain({.rule = "Make each socket of its address's family, and give connect the whole address.",
           .why = "Many names have IPv6 addresses, and they stand first.",
           .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  Peer& host = scenario.peer("host").listens_at("2001:db8::7", port, 1300ms);
  scenario.names().name_has("www.example", {"2001:db8::7"});

  const auto outcome = connecting(scenario, "www.example");

  std::string sentence = "The only address is IPv6 and accepts, but " + told(outcome) + ".";
  if (has_failed_with(scenario, "connect", EAFNOSUPPORT))
    sentence =
        "connect said EAFNOSUPPORT: the socket is of another family than its address. "
        "Endpoint::family() knows the right one.";
  if (has_failed_with(scenario, "connect", EINVAL))
    sentence =
        "connect said EINVAL: it did not get the whole address. An IPv6 address takes "
        "28 bytes; Endpoint::length() knows.";
  expect_connected(scenario, outcome, host, sentence);
}

// Rule: the addresses are tried one after the other, and the first that answers is taken.
TEST(ConnectTo, TakesTheFirstThatAnswers) {
  explain(
      {.rule = "Wait for each address as long as the kernel does; stop at the first that answers.",
       .why = "The likely address stands first, and a slow answer is an answer.",
       .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  Peer& first = scenario.peer("first").listens_at("192.0.2.10", port, 75300ms);
  Peer& second = scenario.peer("second").listens_at("2001:db8::7", port);
  scenario.names().name_has("www.example", {"192.0.2.10", "2001:db8::7"});

  const auto outcome = connecting(scenario, "www.example");

  std::string sentence = "The first address answers after 75.3 s, but " + told(outcome) + " at " +
                         shown(scenario.now()) + ". Let the kernel say when it is over.";
  if (second.is_connected() && first.is_connected())
    sentence = "The first address had answered already, yet you went on. Stop at the first.";
  else if (second.is_connected())
    sentence = "The second address was tried before the first had failed. Keep the order.";
  expect_connected(scenario, outcome, first, sentence) &&
      expect_that(!second.is_connected(), sentence);
}

// Rule: a refusal says nothing about the next address; a socket that failed is used up.
TEST(ConnectTo, TriesTheNextAfterARefusal) {
  explain({.rule = "Try one address after the other, each on a new socket, until one answers.",
           .why = "\"localhost\" alone often has two addresses, and many servers listen on one.",
           .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  scenario.peer("first").refuses_at("192.0.2.10", port, 1300ms);
  Peer& second = scenario.peer("second").listens_at("192.0.2.20", port, 2700ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  std::string sentence = "The second address accepts, but " + told(outcome) + ".";
  if (scenario.calls("connect").size() == 1)
    sentence = "The name gave 2 addresses and you tried one. Walk the list until one answers.";
  else if (has_failed_with(scenario, "connect", EINVAL))
    sentence =
        "connect said EINVAL: this socket has failed and is used up. After a failed "
        "connect, make a new socket for the next address.";
  expect_connected(scenario, outcome, second, sentence);
}

// Rule: a family that this machine does not have is no reason to give up.
TEST(ConnectTo, PassesOverAnUnavailableFamily) {
  explain({.rule = "Pass over an address whose family is not available here.",
           .why = "A machine without IPv6 still gets IPv6 addresses from name servers.",
           .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  Peer& host = scenario.peer("host").listens_at("192.0.2.20", port, 1300ms);
  scenario.names().name_has("www.example", {"2001:db8::7", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  expect_connected(scenario, outcome, host,
                   "socket said EAFNOSUPPORT, and " + told(outcome) + ". This address family is " +
                       "unavailable here. Skip that address and try the next.");
}

// Rule: when nobody answers, the caller learns why the last address failed, and which it was.
TEST(ConnectTo, ReportsTheLastFailure) {
  explain(
      {.rule = "When no address answers, throw the last errno, and name the address it came from.",
       .why = "An error without its address leaves open which of several hosts to look at.",
       .read = "Your task"});
  TolerantScenario scenario;
  scenario.peer("first").fails_at("192.0.2.10", port, EHOSTUNREACH);
  scenario.peer("second").refuses_at("192.0.2.20", port, 1300ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  if (outcome.value)
    return fail(told(outcome) + ", but no address had answered. Throw std::system_error.");
  if (!outcome.code) return fail(told(outcome) + ", without an errno. Throw std::system_error.");
  const bool is_first = outcome.code == std::errc::host_unreachable;
  if (!expect_that(outcome.code == std::errc::connection_refused,
                   told(outcome) + (is_first ? ": that was the first failure" : "") +
                       ", but the last was ECONNREFUSED. Report the last."))
    return;
  expect_that(says(outcome.what, "192.0.2.20:7967"),
              told(outcome) + ", but the failure came from 192.0.2.20:7967. Name that address.");
}

// Rule: that a family is missing here says nothing about the host; any other reason says more.
TEST(ConnectTo, BlamesTheFamilyOnlyWhenNothingElseFailed) {
  explain({.rule = "Report EAFNOSUPPORT only when no address failed for another reason.",
           .why = "A refusal leads to the server; an unsupported family leads away from it.",
           .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  scenario.peer("host").refuses_at("192.0.2.10", port, 1300ms);
  scenario.names().name_has("both.example", {"192.0.2.10", "2001:db8::7"});
  scenario.names().name_has("six.example", {"2001:db8::7"});

  const auto both = connecting(scenario, "both.example");
  const auto six = connecting(scenario, "six.example");

  const bool is_refusal = both.code == std::errc::connection_refused &&
                          (says(both.what, "192.0.2.10") || !says(both.what, "2001:db8::7"));
  if (has_failed_with(scenario, "connect", EBADF) && !is_refusal)
    return fail("connect was called with -1: socket had failed. Check what socket returns.");
  if (!is_refusal)
    return fail("192.0.2.10 had refused, and the family of the last address is missing here, but " +
                told(both) + ". Report the refusal.");
  expect_that(six.code == std::errc::address_family_not_supported,
              "socket said EAFNOSUPPORT for the only address, but " + told(six) +
                  ". With nothing else to report, report that.");
}

// Rule: errno lasts until the next call; what is needed later is saved.
TEST(ConnectTo, KeepsTheReasonThroughTheCleanUp) {
  explain({.rule = "Save errno before anything else is called, close included.",
           .why = "A call that succeeds may change errno; the error then names the wrong cause.",
           .read = "A failed socket is used up"});
  TolerantScenario scenario;
  scenario.faults().clean_up_overwrites_errno_with(EIO);
  scenario.peer("host").refuses_at("192.0.2.10", port, 1300ms);
  scenario.names().name_has("www.example", {"192.0.2.10"});

  const auto outcome = connecting(scenario, "www.example");

  expect_that(outcome.code == std::errc::connection_refused,
              "connect said ECONNREFUSED, but " + told(outcome) +
                  ". A later call changed errno. Save it straight after the failure.");
}

// Rule: what was opened on the way is given back, however the function is left.
TEST(ConnectTo, LeavesNothingBehind) {
  explain({.rule = "Close every socket that failed and free every list, however you leave.",
           .why = "A program that tries once a second runs out of descriptors within the hour.",
           .read = "A failed socket is used up"});
  Scenario scenario;
  scenario.peer("first").fails_at("192.0.2.10", port, EHOSTUNREACH);
  scenario.peer("second").refuses_at("192.0.2.20", port, 1300ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  const std::size_t open = scenario.open_descriptors().size();
  expect_that(open == 0, format("No address answered, but %zu socket%s still open. Close the "
                                "socket of a failed attempt before you go on or throw.",
                                open, open == 1 ? " is" : "s are"));
}

// Rule: the caller gets an ordinary blocking socket, which no other program inherits.
TEST(ConnectTo, HandsOverABlockingSocketClosedOnExec) {
  explain({.rule = "Hand over a blocking socket with FD_CLOEXEC.",
           .why = "The caller expects recv to wait, and no program started later to hold the line.",
           .read = "Your task"});
  TolerantScenario scenario;
  Peer& host = scenario.peer("host").listens_at("192.0.2.10", port, 1300ms);
  scenario.names().name_has("www.example", {"192.0.2.10"});

  const auto outcome = connecting(scenario, "www.example");

  if (!expect_connected(scenario, outcome, host,
                        "The only address accepts after 1.3 s, but " + told(outcome) + "."))
    return;
  const int fd = outcome.value->get();
  expect_that((fcntl(fd, F_GETFL) & O_NONBLOCK) == 0,
              "connect_to handed over a non-blocking socket. Take O_NONBLOCK off again.");
  expect_that((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
              "connect_to handed over a socket without FD_CLOEXEC. Ask socket for SOCK_CLOEXEC.");
}

// ---- a signal while connect waits; its handler is installed without SA_RESTART

// Rule: a signal ends the waiting, not the attempt (POSIX, connect(), EINTR).
TEST(Interrupted, WaitsForTheSameConnection) {
  explain({.rule = "After EINTR wait until the socket is writable, then read SO_ERROR.",
           .why = "A good connection is lost, or begun a second time, whenever a signal comes.",
           .read = "A signal ends your waiting, not the attempt"});
  TolerantScenario scenario;
  scenario.signal_at(1300ms, SIGUSR1);
  Peer& host = scenario.peer("host").listens_at("192.0.2.10", port, 75300ms);
  scenario.names().name_has("www.example", {"192.0.2.10"});

  const auto outcome = connecting(scenario, "www.example");

  if (!expect_connected(scenario, outcome, host, told_of_interruption(scenario, outcome))) return;
  expect_that(scenario.took() < 76600ms,
              "connect was interrupted at 1.3 s but continues: its answer was due at 75.3 s. You "
              "began a second connection, which took until " +
                  shown(scenario.took()) + ".");
}

// Rule: writable means finished; SO_ERROR says how, and a failure leads to the next address.
TEST(Interrupted, AsksTheSocketHowItEnded) {
  explain({.rule = "Writable means that the attempt is over; SO_ERROR tells how it ended.",
           .why = "A refused socket is writable too, and would be handed out as a connection.",
           .read = "A signal ends your waiting, not the attempt"});
  TolerantScenario scenario;
  scenario.signal_at(1300ms, SIGUSR1);
  scenario.peer("first").fails_at("192.0.2.10", port, EHOSTUNREACH, 2700ms);
  scenario.signal_at(4100ms, SIGUSR1);
  scenario.peer("second").refuses_at("192.0.2.20", port, 3200ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  if (outcome.value)
    return fail("Both attempts failed after the interruption, but " + told(outcome) +
                ". Writable only means finished: SO_ERROR tells how.");
  const bool is_first = outcome.code == std::errc::host_unreachable;
  const std::string first = "The first address failed after the interruption, and " + told(outcome);
  const std::string last = "The last address refused after the interruption, but " + told(outcome);
  expect_that(outcome.code == std::errc::connection_refused,
              is_first ? first + ". Go on to the next, as after any other failure."
                       : last + ". The reason is the value of SO_ERROR.");
}

// Rule: the wait for an interrupted attempt can be interrupted as well.
TEST(Interrupted, OutlastsMoreSignals) {
  explain({.rule = "A signal that interrupts the wait only means: wait on.",
           .why = "Programs with a timer or with child processes get signals all the time.",
           .read = "A signal ends your waiting, not the attempt"});
  TolerantScenario scenario;
  scenario.signal_at(1300ms, SIGUSR1);
  scenario.signal_at(2700ms, SIGUSR1);
  scenario.signal_at(4100ms, SIGUSR1);
  Peer& host = scenario.peer("host").listens_at("192.0.2.10", port, 5900ms);
  scenario.names().name_has("www.example", {"192.0.2.10"});

  const auto outcome = connecting(scenario, "www.example");

  const std::string second = "The second signal, at 2.7 s, interrupted the wait, and ";
  expect_connected(scenario, outcome, host,
                   scenario.now() == 2700ms ? second + told(outcome) + ". After EINTR wait on."
                                            : told_of_interruption(scenario, outcome));
}
