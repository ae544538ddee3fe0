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

// That 192.0.2.10 has refused, and no other address is named.
bool is_refusal(const Outcome<course::Fd>& outcome) {
  return outcome.code == std::errc::connection_refused &&
         (says(outcome.what, "192.0.2.10") || !says(outcome.what, "2001:db8::7"));
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
  scenario.names().name_has("link.example", {"fe80::1%1", "fe80::1%4"});

  const auto outcome = resolving(scenario, "www.example");
  const auto links = resolving(scenario, "link.example");

  if (says(outcome.what, "address is too long"))
    return fail(told(outcome) + ". Was the list read after freeaddrinfo? Copy first, free last.");
  if (!outcome.value)
    return fail("The name has 3 addresses, but " + told(outcome) +
                ". Perhaps your hints held leftover bytes, or asked for too much. Start with "
                "addrinfo hints{};");
  std::vector<std::string> got;
  for (const course::Endpoint& address : *outcome.value) got.push_back(address.to_string());
  const std::vector<std::string> wanted = {"[2001:db8::7]:7967", "192.0.2.20:7967",
                                           "192.0.2.10:7967"};
  const std::string count = format("The name has 3 addresses, but resolve listed %zu", got.size());
  const bool is_whole = expect_equal(
      got, wanted,
      got.size() == 15 ? count +
                             ": every address came once per socket type. Ask for "
                             "SOCK_STREAM, and add only what is not there yet."
      : got.size() > 3 ? count + ": some came twice. Add only what is not there yet."
      : got.size() < 3 ? count + ". Walk the whole list, whatever the family."
                       : "resolve did not give what getaddrinfo gave. Keep its order.");
  if (!is_whole) return;
  expect_that(links.value && links.value->size() == 2,
              "The name has 2 addresses, fe80::1 on interface 1 and on interface 4, but " +
                  told(links) + ". They print alike; compare the Endpoints with ==.");
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
  if (outcome.value)
    return fail(told(outcome) + ", but getaddrinfo had failed. Throw std::system_error.");
  expect_that(outcome.code == std::errc::too_many_files_open,
              "getaddrinfo said EAI_SYSTEM, which means: look at errno. It was EMFILE, but " +
                  told(outcome) +
                  (is_stale ? ". A later call changed errno. Save it first."
                            : ". Throw errno with system_category()."));
  expect_that(says(outcome.what, "www.example"),
              told(outcome) + ", which does not say which host was looked up. Name it.");
}

// ---- connect_to

// Rule: the socket is of the address's family, and the address is given whole.
TEST(ConnectTo, SpeaksIpv6) {
  explain({.rule = "Make each socket of its address's family, and give connect the whole address.",
           .why = "Many names have IPv6 addresses, and they stand first.",
           .read = "An address accepts, refuses, or is silent"});
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

// Rule: the addresses are tried one after the other, and the first that accepts is taken.
TEST(ConnectTo, TakesTheFirstThatAccepts) {
  explain(
      {.rule = "Wait for each address as long as the kernel does; stop at the first that accepts.",
       .why = "The likely address stands first, and a slow one may still accept.",
       .read = "An address accepts, refuses, or is silent"});
  TolerantScenario scenario;
  Peer& first = scenario.peer("first").listens_at("192.0.2.10", port, 75300ms);
  Peer& second = scenario.peer("second").listens_at("2001:db8::7", port);
  scenario.names().name_has("www.example", {"192.0.2.10", "2001:db8::7"});

  const auto outcome = connecting(scenario, "www.example");

  std::string sentence = "The first address accepts after 75.3 s, but " + told(outcome) + " at " +
                         shown(scenario.now()) + ". Let the kernel say when it is over.";
  if (has_mixed_families(scenario))
    sentence = mixed_families_sentence;
  else if (second.is_connected() && first.is_connected())
    sentence = "The first address had accepted already, yet you went on. Stop at the first.";
  else if (second.is_connected())
    sentence = "The second address was tried before the first had failed. Keep the order.";
  expect_connected(scenario, outcome, first, sentence) &&
      expect_that(!second.is_connected(), sentence);
}

// Rule: a refusal says nothing about the next address; a socket that failed is used up.
TEST(ConnectTo, TriesTheNextAfterARefusal) {
  explain({.rule = "Try one address after the other, each on a new socket, until one accepts.",
           .why = "\"localhost\" alone often has two addresses, and many servers listen on one.",
           .read = "An address accepts, refuses, or is silent"});
  TolerantScenario scenario;
  scenario.peer("first").refuses_at("192.0.2.10", port, 1300ms);
  Peer& second = scenario.peer("second").listens_at("192.0.2.20", port, 2700ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  std::string sentence = "The second address accepts, but " + told(outcome) + ".";
  if (scenario.calls("connect").size() == 1)
    sentence = "The name gave 2 addresses and you tried one. Walk the list until one accepts.";
  else if (has_reused_a_socket(scenario))
    sentence = used_up_sentence;
  else if (has_mixed_families(scenario))
    sentence = mixed_families_sentence;
  expect_connected(scenario, outcome, second, sentence);
}

// Rule: a family that this machine does not have is no reason to give up.
TEST(ConnectTo, PassesOverAnUnavailableFamily) {
  explain({.rule = "Pass over an address whose family is not available here.",
           .why = "A machine without IPv6 still gets IPv6 addresses from name servers.",
           .read = "An address accepts, refuses, or is silent"});
  TolerantScenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  Peer& host = scenario.peer("host").listens_at("192.0.2.20", port, 1300ms);
  scenario.names().name_has("www.example", {"2001:db8::7", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  expect_connected(scenario, outcome, host,
                   "socket said EAFNOSUPPORT, and " + told(outcome) + ". This address family is " +
                       "unavailable here. Skip that address and try the next.");
}

// Rule: no failure says anything about the next address; when nobody accepts, the caller learns why
// the last one failed, and which it was.
TEST(ConnectTo, ReportsTheLastFailure) {
  explain(
      {.rule = "Try every address; when none accepts, throw the last errno and name its address.",
       .why = "An error without its address leaves open which of several hosts to look at.",
       .read = "Your task"});
  TolerantScenario scenario;
  scenario.peer("first").never_answers_at("192.0.2.10", port);
  scenario.peer("second").fails_at("192.0.2.11", port, ENETUNREACH);
  scenario.peer("third").fails_at("192.0.2.12", port, EHOSTUNREACH);
  scenario.peer("last").refuses_at("192.0.2.20", port, 1300ms);
  scenario.names().name_has("www.example",
                            {"192.0.2.10", "192.0.2.11", "192.0.2.12", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  if (outcome.value)
    return fail(told(outcome) + ", but no address had accepted. Throw std::system_error.");
  if (!outcome.code) return fail(told(outcome) + ", without an errno. Throw std::system_error.");
  const bool is_refusal = outcome.code == std::errc::connection_refused;
  const std::size_t tried = scenario.calls("connect").size();
  if (!is_refusal && has_reused_a_socket(scenario)) return fail(used_up_sentence);
  if (!is_refusal && tried < 4)
    return fail(told(outcome) + format(" after %zu of 4 addresses", tried) +
                ". Silence or a missing route says nothing about the next. Walk the whole list.");
  const bool is_first = outcome.code == std::errc::timed_out;
  if (!expect_that(is_refusal, told(outcome) + (is_first ? ": that was the first failure" : "") +
                                   ", but the last was ECONNREFUSED. Report the last."))
    return;
  expect_that(says(outcome.what, "192.0.2.20:7967"),
              told(outcome) + ", but the failure came from 192.0.2.20:7967. Name that address.");
}

// Rule: that a family is missing here says nothing about the host; any other reason says more.
TEST(ConnectTo, BlamesTheFamilyOnlyWhenNothingElseFailed) {
  explain({.rule = "Report EAFNOSUPPORT only when no address failed for another reason.",
           .why = "A refusal leads to the server; an unsupported family leads away from it.",
           .read = "An address accepts, refuses, or is silent"});
  TolerantScenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  scenario.peer("host").refuses_at("192.0.2.10", port, 1300ms);
  scenario.names().name_has("both.example", {"192.0.2.10", "2001:db8::7"});
  scenario.names().name_has("turned.example", {"2001:db8::7", "192.0.2.10"});
  scenario.names().name_has("six.example", {"2001:db8::7", "2001:db8::8"});
  scenario.names().name_has("four.example", {"192.0.2.10"});

  const auto both = connecting(scenario, "both.example");
  // Whether a missing family ends the walk is the subject of another check.
  const std::size_t connects = scenario.calls("connect").size();
  const auto turned = connecting(scenario, "turned.example");
  const bool has_gone_on = scenario.calls("connect").size() > connects;
  const auto six = connecting(scenario, "six.example");
  scenario.faults().fail("socket", EMFILE, 8);
  const auto four = connecting(scenario, "four.example");

  if (has_failed_with(scenario, "connect", EBADF) && !is_refusal(both))
    return fail("connect was called with -1: socket had failed. Check what socket returns.");
  if (!is_refusal(both))
    return fail("192.0.2.10 had refused, and the family of the last address is missing here, but " +
                told(both) + ". Report the refusal.");
  if (has_gone_on && !is_refusal(turned))
    return fail("The family of the first address is missing here, and 192.0.2.10 refused, but " +
                told(turned) + ". Report the refusal, whichever came first.");
  if (six.code != std::errc::address_family_not_supported)
    return fail("socket said EAFNOSUPPORT for both addresses, but " + told(six) +
                ". With nothing else to report, report that.");
  if (has_gone_on && says(six.what, "2001:db8::7") && !says(six.what, "2001:db8::8"))
    return fail("socket said EAFNOSUPPORT for both addresses, and " + told(six) +
                ": that is the first. Name the last.");
  expect_that(four.code == std::errc::too_many_files_open,
              "socket said EMFILE for the only address, but " + told(four) +
                  ". Only EAFNOSUPPORT means a missing family. Report any other reason as it is.");
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
              has_reused_a_socket(scenario)
                  ? used_up_sentence
                  : "connect said ECONNREFUSED, but " + told(outcome) +
                        ". A later call changed errno. Save it straight after the failure.");
}

// Rule: what was opened on the way is given back, however the function is left.
TEST(ConnectTo, LeavesNothingBehind) {
  explain({.rule = "Close every socket that failed and free every list, however you leave.",
           .why = "A program that tries once a second runs out of descriptors within the hour.",
           .read = "Your task"});
  Scenario scenario;
  scenario.peer("first").fails_at("192.0.2.10", port, EHOSTUNREACH);
  scenario.peer("second").refuses_at("192.0.2.20", port, 1300ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  const std::size_t open = scenario.open_descriptors().size();
  expect_that(open == 0, format("No address accepted, but %zu socket%s still open. Close the "
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
  expect_that((fcntl(outcome.value->get(), F_GETFL) & O_NONBLOCK) == 0,
              "After a signal connect_to handed over a non-blocking socket. Take O_NONBLOCK off, "
              "or never set it: "
              "poll and select wait for a blocking socket too.");
}

// Rule: writable means finished; SO_ERROR says how, and a failure leads to the next address.
TEST(Interrupted, AsksTheSocketHowItEnded) {
  explain({.rule = "Writable means that the attempt is over; SO_ERROR tells how it ended.",
           .why = "A refused socket is writable too, and would be handed out as a connection.",
           .read = "A signal ends your waiting, not the attempt"});
  TolerantScenario scenario;
  scenario.signal_at(1300ms, SIGUSR1);
  scenario.peer("first").never_answers_at("192.0.2.10", port);  // fails after 127 s
  scenario.signal_at(128300ms, SIGUSR1);
  scenario.peer("second").refuses_at("192.0.2.20", port, 3200ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  if (outcome.value)
    return fail("Both attempts failed after the interruption, but " + told(outcome) +
                ". Writable only means finished: SO_ERROR tells how.");
  const bool is_first = outcome.code == std::errc::timed_out;
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
  for (int i = 0; i < 20; ++i) scenario.signal_at(1300ms + i * 1400ms, SIGUSR1);
  Peer& host = scenario.peer("host").listens_at("192.0.2.10", port, 29300ms);
  scenario.names().name_has("www.example", {"192.0.2.10"});

  const auto outcome = connecting(scenario, "www.example");

  const int signals = scenario.handler_runs();
  const bool is_last_straw = signals > 1 && scenario.now() == 1300ms + (signals - 1) * 1400ms;
  const std::string straw = format("Signal %d of 20, at ", signals) + shown(scenario.now()) +
                            ", interrupted the wait, and " + told(outcome) +
                            ". After EINTR wait on, however many come.";
  expect_connected(scenario, outcome, host,
                   is_last_straw ? straw : told_of_interruption(scenario, outcome));
}
