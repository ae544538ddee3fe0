#include "02-connect/connect.hpp"

#include <fcntl.h>
#include <netdb.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>
#include <type_traits>

#include "given/resolver_error.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

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

// What came of a run: a value, or what was thrown.
template <class Value>
struct Outcome {
  std::optional<Value> value;
  std::optional<std::error_code> code;  // of a std::system_error
  std::string what;
};

template <class Program>
auto outcome_of(Scenario& scenario, Program program) {
  Outcome<std::invoke_result_t<Program>> outcome;
  try {
    outcome.value = scenario.run(program);
  } catch (const std::system_error& error) {
    outcome.code = error.code();
    outcome.what = error.what();
  } catch (const std::exception& error) {
    outcome.what = error.what();
  }
  return outcome;
}

auto resolving(Scenario& scenario, const char* host, const char* of_service = service) {
  return outcome_of(scenario, [=] { return course::resolve(host, of_service); });
}

auto connecting(Scenario& scenario, const char* host) {
  return outcome_of(scenario, [=] { return course::connect_to(host, service); });
}

std::string told(const Outcome<std::vector<course::Endpoint>>& outcome) {
  if (!outcome.value) return format("resolve threw \"%s\"", outcome.what.c_str());
  const std::size_t count = outcome.value->size();
  return format("resolve returned %zu address%s", count, count == 1 ? "" : "es");
}

std::string told(const Outcome<course::Fd>& outcome) {
  if (!outcome.value) return format("connect_to threw \"%s\"", outcome.what.c_str());
  if (outcome.value->get() < 0) return "connect_to returned an Fd that owns nothing";
  return format("connect_to returned descriptor %d", outcome.value->get());
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool is_open(const Scenario& scenario, const Outcome<course::Fd>& outcome) {
  const auto open = scenario.open_descriptors();
  return outcome.value && std::count(open.begin(), open.end(), outcome.value->get()) == 1;
}

// connect_to returned an open descriptor, and `host` was connected; `sentence` if not.
bool expect_connected(const Scenario& scenario, const Outcome<course::Fd>& outcome,
                      const Peer& host, const std::string& sentence, Where where = Where::here()) {
  const bool is_dead = outcome.value && host.is_connected() && !is_open(scenario, outcome);
  return expect_that(
      is_open(scenario, outcome) && host.is_connected(),
      is_dead ? told(outcome) + ", but that is closed already. Who owned it?" : sentence, where);
}

bool has_failed_with(const Scenario& scenario, const char* function, int error) {
  const auto calls = scenario.calls(function);
  return std::any_of(calls.begin(), calls.end(),
                     [error](const Call& call) { return call.error == error; });
}

// An interrupted attempt that should have come to its end: what the program made of it.
std::string told_of_interruption(const Scenario& scenario, const Outcome<course::Fd>& outcome) {
  if (has_failed_with(scenario, "connect", EALREADY))
    return "connect was interrupted at 1.3 s but continues; you called it again, and it said "
           "EALREADY. Wait until the socket is writable, then read SO_ERROR.";
  if (outcome.value)
    return told(outcome) + " at " + shown(scenario.now()) +
           ", before the host had answered. Wait until the socket is writable, then read SO_ERROR.";
  return "connect was interrupted at 1.3 s but continues, and " + told(outcome) +
         ". Wait until the socket is writable, then read SO_ERROR.";
}

}  // namespace

// ---- resolve

// Rule: a name is a list of addresses; the order is getaddrinfo's, and each counts once.
TEST(Resolve, ListsEachAddressOnceInOrder) {
  explain({.rule = "List every address of the name once, in getaddrinfo's order.",
           .why = "An address that is missing is never tried, one that is there twice costs its "
                  "wait twice, and the order puts the likely ones first.",
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
  const std::string numbers =
      format("resolve listed %zu addresses, but the name has 3", got.size());
  expect_equal(got, wanted,
               got.size() > 3   ? numbers + ": some came twice. Add only what is not there yet."
               : got.size() < 3 ? numbers + ". Walk the whole list, whatever the family."
                                : "resolve did not give what getaddrinfo gave. Keep its order.");
}

// Rule: without a socket type getaddrinfo answers for datagrams too.
TEST(Resolve, AsksForAStream) {
  explain({.rule = "Ask getaddrinfo for SOCK_STREAM.",
           .why = "Without it every address comes once for each socket type, and with a service "
                  "that no stream can reach.",
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

  if (!number.value || number.value->empty()) return fail(told(number) + " for port 8080.");
  const int got = number.value->front().port();
  if (!expect_equal(got, 8080,
                    got == 36895
                        ? "You asked for port 36895: that is 8080 with its bytes swapped. "
                          "getaddrinfo has swapped them already; otherwise use htons once."
                        : format("The address has port %d. Give getaddrinfo the service.", got)))
    return;
  if (!name.value || name.value->empty())
    return fail("The service http is port 80, but " + told(name) +
                ". A service may be a name: leave it to getaddrinfo.");
  expect_equal(name.value->front().port(), 80, "The service http is port 80.");
}

// Rule: getaddrinfo returns its error; errno belongs to others.
TEST(Resolve, ReportsWhatTheResolverSaid) {
  explain({.rule = "Throw std::system_error with the code that getaddrinfo returned, in "
                   "resolver_category(), and name the host.",
           .why = "errno then holds whatever an earlier call left there, and a wrong reason sends "
                  "people looking in the wrong place.",
           .read = "Its errors are its own"});
  TolerantScenario scenario;
  scenario.names().name_fails("www.example", EAI_FAIL, ENOENT);  // ENOENT: what errno happens to be

  const auto outcome = resolving(scenario, "www.example");

  if (outcome.value)
    return fail(told(outcome) + ", but getaddrinfo had failed. Throw std::system_error.");
  const std::string said = "getaddrinfo said \"Non-recoverable failure in name resolution\", but " +
                           told(outcome) + ". ";
  if (!outcome.code) return fail(said + "Throw std::system_error, which carries the code.");
  if (!expect_that(*outcome.code == std::error_code(EAI_FAIL, course::resolver_category()),
                   said + "getaddrinfo returns its own codes: use that value with "
                          "resolver_category(), not errno."))
    return;
  expect_that(says(outcome.what, "www.example"),
              told(outcome) + ", which does not say which host was looked up. Name it.");
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

  const bool is_errno = outcome.code && *outcome.code == std::errc::too_many_files_open;
  const bool is_stale = outcome.code && *outcome.code == std::errc::io_error;
  expect_that(is_errno, is_stale
                            ? told(outcome) +
                                  ", but errno was EMFILE when getaddrinfo returned. A later "
                                  "call changed errno. Save it straight after the failure."
                            : "getaddrinfo said EAI_SYSTEM, which means: look at errno. It was "
                              "EMFILE (Too many open files), but " +
                                  told(outcome) + ".");
}

// ---- connect_to

// Rule: the socket is of the address's family, and the address is given whole.
TEST(ConnectTo, SpeaksIpv6) {
  explain({.rule = "Make each socket with the family of its address, and give connect the length "
                   "of that address.",
           .why = "Many names have IPv6 addresses, and they stand first.",
           .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  Peer& host = scenario.peer("host").listens_at("2001:db8::7", port, 1300ms);
  scenario.names().name_has("www.example", {"2001:db8::7"});

  const auto outcome = connecting(scenario, "www.example");

  std::string sentence =
      "The name has one address, an IPv6 one, which accepts, but " + told(outcome) + ".";
  if (has_failed_with(scenario, "connect", EAFNOSUPPORT))
    sentence =
        "connect said EAFNOSUPPORT: the socket is of another family than its address. "
        "Endpoint::family() knows the right one.";
  else if (has_failed_with(scenario, "connect", EINVAL))
    sentence =
        "connect said EINVAL: it did not get the whole address. An IPv6 address takes 28 "
        "bytes; Endpoint::length() knows.";
  expect_connected(scenario, outcome, host, sentence);
}

// Rule: the addresses are tried one after the other, and the first that answers is taken.
TEST(ConnectTo, TakesTheFirstThatAnswers) {
  explain({.rule = "Wait for each address as long as the kernel does; stop at the first that "
                   "answers.",
           .why = "The order says which address is the likely one, and a slow answer is an answer.",
           .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  Peer& first = scenario.peer("first").listens_at("192.0.2.10", port, 75300ms);
  Peer& second = scenario.peer("second").listens_at("2001:db8::7", port);
  scenario.names().name_has("www.example", {"192.0.2.10", "2001:db8::7"});

  const auto outcome = connecting(scenario, "www.example");

  std::string sentence = "The first address answers after 75.3 s, but " + told(outcome) + " at " +
                         shown(scenario.now()) + ". Let the kernel say when it is over.";
  if (second.is_connected())
    sentence = first.is_connected()
                   ? "The first address had answered already, yet the second was connected too. "
                     "Stop at the first that answers."
                   : "The second address was connected while the first had yet to answer. Try "
                     "them in order, and let the kernel say when an attempt is over.";
  expect_connected(scenario, outcome, first, sentence) &&
      expect_that(!second.is_connected(), sentence);
}

// Rule: a refusal says nothing about the next address; a socket that failed is used up.
TEST(ConnectTo, TriesTheNextAfterARefusal) {
  explain({.rule = "Try the addresses one after the other, each on a socket of its own, until one "
                   "answers.",
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
        "connect said EINVAL: this socket has failed once and is used up. After a failed "
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
                   "socket said EAFNOSUPPORT for the first address, and " + told(outcome) +
                       ". This address family is unavailable here. Skip that address and try the "
                       "next.");
}

// Rule: when nobody answers, the caller learns why the last address failed, and which it was.
TEST(ConnectTo, ReportsTheLastFailure) {
  explain({.rule = "When no address answers, throw std::system_error with the last errno, and "
                   "name the address it came from.",
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
  const bool is_first = *outcome.code == std::errc::host_unreachable;
  if (!expect_that(*outcome.code == std::errc::connection_refused,
                   told(outcome) + (is_first ? ": that was the first failure" : "") +
                       ", but the last was ECONNREFUSED. Report the last."))
    return;
  expect_that(says(outcome.what, "192.0.2.20:7967"),
              told(outcome) +
                  ", but the failure came from 192.0.2.20:7967. Say which address it "
                  "was: Endpoint::to_string().");
}

// Rule: that a family is missing here says nothing about the host; any other reason says more.
TEST(ConnectTo, BlamesTheFamilyOnlyWhenNothingElseFailed) {
  explain({.rule = "Report EAFNOSUPPORT only when no address failed for another reason.",
           .why = "\"Connection refused\" leads to the server; \"address family not supported\" "
                  "leads away from it.",
           .read = "An address answers, refuses, or is silent"});
  TolerantScenario scenario;
  scenario.faults().family_is_unavailable(AF_INET6);
  scenario.peer("host").refuses_at("192.0.2.10", port, 1300ms);
  scenario.names().name_has("both.example", {"192.0.2.10", "2001:db8::7"});
  scenario.names().name_has("six.example", {"2001:db8::7"});

  const auto both = connecting(scenario, "both.example");
  const auto six = connecting(scenario, "six.example");

  if (has_failed_with(scenario, "connect", EBADF))
    return fail("connect was called with -1: socket had failed. Check what socket returns.");
  if (!expect_that(both.code && *both.code == std::errc::connection_refused &&
                       says(both.what, "192.0.2.10:7967"),
                   "192.0.2.10:7967 had refused and the family of the last address is unavailable "
                   "here, but " +
                       told(both) + ". Report the refusal."))
    return;
  expect_that(six.code && *six.code == std::errc::address_family_not_supported,
              "socket said EAFNOSUPPORT for the only address, but " + told(six) +
                  ". With nothing else to report, report that.");
}

// Rule: errno lasts until the next call; what is needed later is saved.
TEST(ConnectTo, KeepsTheReasonThroughTheCleanUp) {
  explain(
      {.rule = "Save errno before anything else is called, close included.",
       .why = "A call that succeeds may change errno, and then the error names the wrong cause.",
       .read = "A failed socket is used up"});
  TolerantScenario scenario;
  scenario.faults().clean_up_overwrites_errno_with(EIO);
  scenario.peer("host").refuses_at("192.0.2.10", port, 1300ms);
  scenario.names().name_has("www.example", {"192.0.2.10"});

  const auto outcome = connecting(scenario, "www.example");

  expect_that(outcome.code && *outcome.code == std::errc::connection_refused,
              "connect said ECONNREFUSED, but " + told(outcome) +
                  ". A later call changed errno. Save it straight after the failure.");
}

// Rule: what was opened on the way is given back, however the function is left.
TEST(ConnectTo, LeavesNothingBehind) {
  explain({.rule = "Close every socket that failed and free every list, however you leave.",
           .why = "A program that tries again every second runs out of descriptors within the "
                  "hour.",
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
           .why = "A caller that expects recv to wait reads an error instead, and a program "
                  "started later would hold the connection open.",
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
              "connect_to handed over a non-blocking socket. Take O_NONBLOCK off again, or never "
              "set it.");
  expect_that((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0,
              "connect_to handed over a socket without FD_CLOEXEC. Ask socket for SOCK_CLOEXEC, as "
              "in lesson 01.");
}

// ---- a signal while connect waits; its handler is installed without SA_RESTART

// Rule: a signal ends the waiting, not the attempt (POSIX, connect(), EINTR).
TEST(Interrupted, WaitsForTheSameConnection) {
  explain({.rule = "After EINTR the attempt goes on by itself: wait until the socket is writable, "
                   "then read SO_ERROR.",
           .why = "A good connection is lost, or begun a second time, whenever a signal comes.",
           .read = "A signal ends your waiting, not the attempt"});
  TolerantScenario scenario;
  scenario.signal_at(1300ms, SIGUSR1);
  Peer& host = scenario.peer("host").listens_at("192.0.2.10", port, 75300ms);
  scenario.names().name_has("www.example", {"192.0.2.10"});

  const auto outcome = connecting(scenario, "www.example");

  if (!expect_connected(scenario, outcome, host, told_of_interruption(scenario, outcome))) return;
  expect_equal(scenario.took(), 75300ms,
               "connect was interrupted at 1.3 s but continues: its answer was due at 75.3 s. You "
               "began a second connection. Wait for the first instead.");
}

// Rule: writable means finished; SO_ERROR says how, and a failure leads to the next address.
TEST(Interrupted, AsksTheSocketHowItEnded) {
  explain({.rule = "Writable means that the attempt is over; SO_ERROR tells how it ended.",
           .why = "A refused socket is writable too, and would be handed out as a connection.",
           .read = "A signal ends your waiting, not the attempt"});
  TolerantScenario scenario;
  scenario.signal_at(1300ms, SIGUSR1);
  scenario.peer("first").fails_at("192.0.2.10", port, EHOSTUNREACH, 2700ms);
  Peer& second = scenario.peer("second").listens_at("192.0.2.20", port, 4100ms);
  scenario.names().name_has("www.example", {"192.0.2.10", "192.0.2.20"});

  const auto outcome = connecting(scenario, "www.example");

  const bool was_decided = scenario.now() >= 2700ms;
  expect_connected(
      scenario, outcome, second,
      !was_decided ? told_of_interruption(scenario, outcome)
      : outcome.value
          ? "The first address failed at 2.7 s (EHOSTUNREACH), but " + told(outcome) +
                ". Writable only means finished: SO_ERROR tells how."
          : "The first address failed at 2.7 s, after the interruption, and the second accepts, "
            "but " +
                told(outcome) + ". Go on as after any other failure.");
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

  const bool was_second = scenario.now() == 2700ms;
  expect_connected(scenario, outcome, host,
                   was_second ? "The second signal, at 2.7 s, interrupted the wait, and " +
                                    told(outcome) + ". After EINTR wait on."
                              : told_of_interruption(scenario, outcome));
}
