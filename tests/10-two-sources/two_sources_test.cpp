// The graded checks of lesson 10: carrying bytes both ways. Those about the ends of a conversation
// and about what is left behind are in ending_test.cpp.
#include "10-two-sources/two_sources.hpp"

#include <signal.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "desk.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace std::string_literals;

LESSON("10-two-sources");

namespace {

constexpr std::size_t much = 4'000;

// A conversation in which a source with much to say stays ready for forty turns, however large
// the program's buffer: every call gives a hundred bytes at the most.
struct Busy : Desk {
  Busy() { faults().recv_gives_at_most(100); }
};

// How many bytes the program had moved from or to alice before it first wrote to `other`; all of
// them, when it never did.
std::size_t moved_before(const Desk& desk, bool (*moves)(const Call&), const Peer& other) {
  std::size_t bytes = 0;
  for (const Call& call : desk.calls()) {
    if (call.who == other.name() && sends(call) && call.value > 0) break;
    if (call.who == desk.alice.name() && moves(call) && call.value > 0)
      bytes += static_cast<std::size_t>(call.value);
  }
  return bytes;
}

bool expect_early(const Desk& desk, const Outcome& outcome, std::size_t moved_before,
                  const std::string& what) {
  return desk.expect(
      moved_before <= much / 2, outcome,
      what + format(" waited until %zu of %zu bytes had gone the other way. When select says that "
                    "both are ready, serve both, each with an if of its own, and then ask again.",
                    moved_before, much));
}

struct Sizes {
  std::size_t from_keyboard = 0, from_alice = 0;
};

// How much the program takes from either source with its first read, when there is plenty; the same
// from both, when it came to one only. Nothing: the check has failed.
std::optional<Sizes> sizes_of_the_reads() {
  Desk desk;
  handle_sigpipe_with(SIG_IGN);  // another check's subject
  desk.keyboard.sends(std::string(65'536, 'x')).at(2900ms).closes();
  desk.alice.sends(std::string(32'768, 'x')).at(2700ms).closes();
  desk.screen.receives("x", 1h).closes();
  const Outcome outcome = desk.netcat_alone();
  if (desk.screen.received().empty()) {
    desk.fails(outcome, "alice sent 32768 bytes, and none of them came to the screen. netcat " +
                            outcome.told() + ".");
    return std::nullopt;
  }
  Sizes sizes;
  std::vector<Call> reads = desk.calls();
  std::reverse(reads.begin(), reads.end());  // the first of each is the last to be noted
  for (const Call& call : reads) {
    if (!receives(call) || call.value <= 0) continue;
    auto& size = call.who == desk.alice.name() ? sizes.from_alice : sizes.from_keyboard;
    size = static_cast<std::size_t>(call.value);
  }
  if (sizes.from_alice == 0) sizes.from_alice = sizes.from_keyboard;
  if (sizes.from_alice == 0) sizes.from_alice = 4096;  // nothing is known of it
  if (sizes.from_keyboard == 0) sizes.from_keyboard = sizes.from_alice;
  return sizes;
}

// What its waits tell about descriptors with other numbers than 3, 4 and 5.
std::string advice_about_numbers(const Desk& desk) {
  const auto has = [](const std::vector<int>& fds, int fd) {
    return std::find(fds.begin(), fds.end(), fd) != fds.end();
  };
  const std::vector<int> sources = {desk.in, desk.sock};
  for (const WaitingCall& wait : desk.waits_of_last_run())
    for (const int fd : sources)
      if (has(wait.overlooked.reading, fd))
        return "nfds is one above the highest descriptor in any set.";
  if (has(sources, 0)) return "0 is a descriptor like any other.";
  return "A descriptor may have any number below FD_SETSIZE.";
}

}  // namespace

// Rule: nobody knows who speaks next, so the program waits for both at once.
TEST(Netcat, CarriesBothWaysAsItComes) {
  explain({.rule = "Wait for both sources in one call, and pass on what has come at once.",
           .why = "People pause in the middle of a line, and a prompt has no newline at all.",
           .read = "One wait for both"});
  Desk desk;
  desk.alice.at(31ms)
      .sends("name")
      .at(53ms)
      .sends("? ")
      .at(1219ms)
      .sends("Hello, ")
      .at(2700ms)
      .closes();
  desk.keyboard.at(347ms).sends("ad").at(583ms).sends("a\n").at(2900ms).closes();

  const Outcome outcome = desk.netcat();

  const std::string on_the_screen = "name? Hello, ", for_alice = "ada\n";
  const struct {
    const char* what;
    Time came;
    const Peer& reader;
    std::size_t index;
    const Peer& other;
  } pieces[] = {{"alice sent \"name\"", 31ms, desk.screen, 0, desk.keyboard},
                {"alice sent \"? \"", 53ms, desk.screen, 4, desk.keyboard},
                {"The keyboard gave \"ad\"", 347ms, desk.alice, 0, desk.alice},
                {"The keyboard gave \"a\\n\"", 583ms, desk.alice, 2, desk.alice},
                {"alice sent \"Hello, \"", 1219ms, desk.screen, 6, desk.keyboard}};
  for (const auto& [what, came, reader, index, other] : pieces) {
    const std::string& wanted = reader.name() == "alice" ? for_alice : on_the_screen;
    if (reader.received_at(index) == came && is_start(reader.received(), wanted)) continue;
    const std::string start =
        format("%s at %s, and it %s. ", what, shown(came).c_str(), arrival(reader, index).c_str());
    if (!is_start(reader.received(), wanted)) break;
    if (desk.was_reading_from(other, came))
      return fail(start + "Just then you were waiting for " +
                  (other.name() == "alice" ? "alice" : "the keyboard") +
                  " alone. Ask select about both.");
    if (!outcome.is(0) || desk.took() < came)
      return fail(start + "netcat " + outcome.told() + ". " +
                  desk.advice_about(outcome, "Go on until alice has finished."));
    const Peer& source = reader.name() == "alice" ? desk.keyboard : desk.alice;
    const bool was_taken = desk.taken_from(source) > index;
    return fail(start + desk.advice_about(
                            outcome, was_taken ? "Meanwhile it lay in a buffer of yours. Pass on "
                                                 "what a read gave before you wait again."
                                               : "You never took it. Ask about both sources before "
                                                 "every read."));
  }
  expect_texts(desk, outcome, on_the_screen, for_alice, "", as_they_are);
}

// Rule: what has ended is readable for ever, so it must not be asked about again.
TEST(Netcat, AsksAnEndedInNoMore) {
  explain({.rule = "When in has ended, take it out of the set; from then on only the peer decides.",
           .why = "A source at its end is always ready: select returns at once, for ever.",
           .read = "Two ends"});
  enum class Source { pipe, null_device, untold };
  for (const Source source : {Source::pipe, Source::null_device, Source::untold}) {
    Desk desk;
    if (source == Source::null_device) desk.in = desk.null_device();
    if (source == Source::untold) desk.faults().fail("shutdown", ENOTCONN, 1'000);
    desk.keyboard.at(31ms).closes();
    desk.alice.at(1219ms).sends("hello").at(2700ms).sends(", world").closes();

    const Outcome outcome = desk.netcat();

    if (!expect_that(desk.screen.received_at(0).value_or(1219ms) == 1219ms,
                     "in had ended, alice said \"hello\" at 1.219 s, and it " +
                         arrival(desk.screen, 0) + ". " +
                         desk.advice_about(outcome, "Go on writing at once what comes.")))
      return;
    if (outcome.is(0) && desk.screen.received() == "hello, world") continue;
    const std::string start = source == Source::pipe          ? "The pipe at in was closed, "
                              : source == Source::null_device ? "in is /dev/null, which ends at "
                                                                "once, "
                                                              : "in had ended, shutdown said "
                                                                "ENOTCONN, ";
    const std::string end = source == Source::untold
                                ? "Whether the peer could be told or not: what it says decides."
                                : "Go on until alice has finished.";
    const bool is_part = is_start(desk.screen.received(), "hello, world");
    return fail(start + "alice said \"hello\" and later \", world\", and netcat " + outcome.told() +
                " with " + quoted(desk.screen.received()) + " on the screen. " +
                desk.advice_about(outcome, is_part ? end : as_they_are));
  }
}

// Rule: several descriptors can be ready after one wait; each of them is served (select_tut(2)).
TEST(Netcat, ServesBothInEveryTurn) {
  explain({.rule = "When both sources are ready, serve both, a piece of each.",
           .why = "A source that always has something would silence the other.",
           .read = "Both, and a piece of each"});
  {
    Busy talking;
    talking.in = talking.file(std::string(much, 'x'));
    talking.alice.sends("stop!").at(2700ms).closes();

    const Outcome outcome = talking.netcat();

    if (!expect_early(talking, outcome, moved_before(talking, sends, talking.screen),
                      "in is a file, which is always ready. What alice said"))
      return;
  }
  Busy listening;
  listening.keyboard.sends("stop!\n").at(2900ms).closes();
  listening.alice.sends(std::string(much, 'x')).at(2700ms).closes();

  const Outcome outcome = listening.netcat();

  expect_early(listening, outcome, moved_before(listening, receives, listening.alice),
               "alice sent much at once. What had been typed");
}

// Rule: a read that filled the buffer says nothing about what is left (read(2)).
TEST(Netcat, AsksBeforeEveryRead) {
  explain({.rule = "Before every read ask whether it would wait, however much the last one gave.",
           .why = "A full buffer need not mean that more is there: the next read may wait.",
           .read = "Both, and a piece of each"});
  const auto sizes = sizes_of_the_reads();
  if (!sizes) return;
  const auto [from_keyboard, from_alice] = *sizes;
  for (const bool types : {true, false}) {
    const std::string piece = std::string((types ? from_keyboard : from_alice) - 1, 'x') + '\n';
    Desk desk;
    Peer& first = types ? desk.keyboard : desk.alice;
    Peer& second = types ? desk.alice : desk.keyboard;
    first.at(31ms).sends(piece);
    second.at(583ms).sends("hello\n");
    desk.alice.at(2700ms).closes();
    desk.keyboard.at(2900ms).closes();

    const Outcome outcome = desk.netcat();

    const Peer& reader = types ? desk.screen : desk.alice;
    const std::string& carried = types ? desk.alice.received() : desk.screen.received();
    const std::string start =
        format("%s gave %s, as many as a read of yours takes, and fell silent; ",
               types ? "The keyboard" : "alice", byte_count(piece.size()).c_str());
    const std::string advice =
        desk.was_reading_from(first, 583ms)
            ? "A full buffer does not mean that more is there: read once, and ask again."
            : desk.advice_about(outcome, "Wait for both in one call.");
    if (!expect_that(reader.received_at(0) == 583ms,
                     start + format("what %s at 0.583 s %s, and netcat %s. %s",
                                    types ? "alice sent" : "was typed", arrival(reader, 0).c_str(),
                                    outcome.told().c_str(), advice.c_str())) ||
        !expect_that(carried == piece, start +
                                           format("%zu bytes arrived, and netcat %s. ",
                                                  carried.size(), outcome.told().c_str()) +
                                           desk.advice_about(outcome, as_they_are)))
      return;
  }
}

// Rule: write(2) and send(2) may take fewer bytes than they are offered.
TEST(Netcat, OffersTheRestAfterAShortWrite) {
  explain({.rule = "When a write takes only a part, offer it the rest, whichever way it goes.",
           .why = "A signal, a full disk or a quota leaves a short count, and the rest would be "
                  "missing from the middle.",
           .read = "What you know already"});
  for (const std::size_t taken : {5, 1, 11}) {
    Desk desk;
    desk.faults().send_takes_at_most(taken);
    desk.alice.at(31ms).sends("hello, world").at(2700ms).closes();
    desk.keyboard.at(347ms).sends("how are you\n").at(2900ms).closes();

    const Outcome outcome = desk.netcat();

    if (!expect_texts(desk, outcome, "hello, world", "how are you\n",
                      format("Every write took %zu of 12 bytes at the most: ", taken),
                      "Offer the rest, until none is left."))
      return;
  }
}

// Rule: EINTR is no failure, and after it the sets say nothing (select(2)).
TEST(Netcat, GoesOnAfterASignal) {
  explain({.rule = "A signal ends neither the wait, nor a read, nor a write for good, and says "
                   "nothing about who is ready.",
           .why = "Whoever makes the window larger sends one (SIGWINCH).",
           .read = "What you know already"});
  {
    Desk waiting;
    for (int i = 0; i < 20; ++i) waiting.signal_at(100ms + i * 130ms, SIGWINCH);
    waiting.alice.at(1219ms).sends("hello").at(2700ms).closes();
    waiting.keyboard.at(1583ms).sends("bye\n").at(2900ms).closes();

    const Outcome outcome = waiting.netcat();

    if (waiting.took() < 2700ms)
      return fail("A signal came while you waited, and netcat " + outcome.told() + " at " +
                  shown(waiting.took()) + ". " +
                  waiting.advice_about(outcome, "EINTR is no failure: wait again."));
    if (waiting.was_reading_after_eintr(waiting.keyboard, 1219ms) ||
        waiting.was_reading_after_eintr(waiting.alice, 1583ms))
      return fail(
          "A signal came while nobody had anything, and after it you were reading from one "
          "source alone. After EINTR the sets still hold all that you asked about: do not "
          "look at them.");
    if (!expect_texts(waiting, outcome, "hello", "bye\n",
                      "Twenty signals came: ", "Nothing was lost: go on."))
      return;
  }
  for (const char* call : {"select", "recv", "send"}) {
    Desk desk;
    desk.faults().interrupt_every_other(call);
    desk.alice.at(31ms).sends("hello").at(583ms).sends(", world").at(2700ms).closes();
    desk.keyboard.at(347ms).sends("bye").at(1219ms).sends(" bye\n").at(2900ms).closes();

    const Outcome outcome = desk.netcat();

    const std::string what = call == std::string("recv")   ? "read"
                             : call == std::string("send") ? "write"
                                                           : "wait";
    const std::string start = "Every other " + what + " was interrupted (EINTR): ";
    const char* const advice = "EINTR is neither a failure nor an end: do it again.";
    if (!expect_texts(desk, outcome, "hello, world", "bye bye\n", start, advice) ||
        !expect_that(outcome.is(0), start + "netcat " + outcome.told() + ". " +
                                        desk.advice_about(outcome, advice)))
      return;
  }
}

// Rule: bytes are bytes: zero ends nothing, and 255 is not the end of the file.
TEST(Netcat, CarriesEveryByteAsItIs) {
  explain({.rule = "Carry every byte as it is, in order: zeros, 255, CR and LF.",
           .why = "What people send through a netcat are archives and pictures.",
           .read = "Your task"});
  const std::string data = all_values(3'000) + '\n', answer = all_values(2'983);
  Desk desk;
  desk.in = desk.file(data);
  desk.out = desk.output_file();
  desk.sock = desk.lend_at(desk.sock, 9);
  desk.alice.at(347ms).sends(answer).at(2700ms).closes();

  const Outcome outcome = desk.netcat();

  const std::string written = desk.contents_of(desk.out);
  const struct {
    const char* who;
    const std::string &got, &wanted;
  } ways[] = {{"alice", desk.alice.received(), data}, {"the file at out", written, answer}};
  for (const auto& [who, got, wanted] : ways) {
    if (got == wanted) continue;
    const auto differs = std::mismatch(got.begin(), got.end(), wanted.begin(), wanted.end());
    return fail(
        format("%zu bytes of every value went to %s, which got %zu of them; the first that "
               "is missing or wrong is number %zu, with the value %d. netcat %s. ",
               wanted.size(), who, got.size(),
               static_cast<std::size_t>(differs.second - wanted.begin()) + 1,
               differs.second == wanted.end() ? -1 : static_cast<unsigned char>(*differs.second),
               outcome.told().c_str()) +
        desk.advice_about(outcome, got.empty()
                                       ? as_they_are
                                       : "Carry bytes, not text: the count that read returned says "
                                         "how many."));
  }
}

// Rule: a wait without a timeout costs nothing, however long it is.
TEST(Netcat, WaitsWithoutUsingTheProcessor) {
  explain({.rule = "While nobody says anything, wait in the kernel, for as long as it takes.",
           .why = "A program that looks ten times a second keeps a laptop awake for nothing, and "
                  "silence is no reason to leave.",
           .read = "One wait for both"});
  constexpr std::size_t calls_max = 2'000;
  Desk desk;
  desk.alice.at(7min + 31ms).sends("hello").at(20min).closes();
  desk.keyboard.at(13min + 347ms).sends("hi\n").at(21min).closes();

  const Outcome outcome = desk.netcat();

  const std::string start =
      "Nobody said anything, and netcat " + outcome.told() + " at " + shown(desk.took()) + ". ";
  if (outcome.is(0) && desk.took() > 0s && desk.took() < 7min)
    return fail(start + "Silence is no end: wait without a timeout.");
  if (!desk.expect(desk.took() >= 20min, outcome,
                   start + "Go on until alice has finished: wait without a timeout.") ||
      !expect_that(desk.calls().size() < calls_max,
                   "Hardly anything was said in 20 minutes, and you made more than 2000 calls. Let "
                   "select wait without a timeout: it wakes you."))
    return;
  expect_texts(desk, outcome, "hello", "hi\n", "After the silence ",
               "Pass on what comes, however late.");
}

// Rule: nfds is one above the highest descriptor of all sets, and 0 is a descriptor like any other.
TEST(Netcat, TakesAnyDescriptors) {
  explain({.rule = "in, out and sock may have any numbers, in any order, 0 and 1023 among them.",
           .why = "Standard input is 0, and a server that inetd starts has its client there.",
           .read = "One wait for both"});
  struct Numbers {
    int in, out, sock;
  };
  for (const Numbers& numbers : {Numbers{0, 1, 5}, Numbers{9, 4, 5}, Numbers{1023, 4, 5},
                                 Numbers{3, 4, 1023}, Numbers{3, 1, 0}}) {
    Desk desk;
    desk.in = desk.lend_at(desk.in, numbers.in);
    desk.out = desk.lend_at(desk.out, numbers.out);
    desk.sock = desk.lend_at(desk.sock, numbers.sock);
    desk.alice.at(31ms).sends("hello").at(2700ms).closes();
    desk.keyboard.at(347ms).sends("bye\n").at(2900ms).closes();

    const Outcome outcome = desk.netcat();

    const std::string start =
        format("in is %d, out %d and sock %d, and ", numbers.in, numbers.out, numbers.sock);
    const std::string any_number = advice_about_numbers(desk);
    const std::string advice = desk.advice_about(outcome, any_number);
    if (!expect_that(desk.alice.received_at(0) == 347ms,
                     start + format("what was typed at 0.347 s %s. %s",
                                    arrival(desk.alice, 0).c_str(), advice.c_str())) ||
        !expect_that(desk.screen.received_at(0) == 31ms,
                     start + format("what alice sent at 0.031 s %s. %s",
                                    arrival(desk.screen, 0).c_str(), advice.c_str())) ||
        !expect_texts(desk, outcome, "hello", "bye\n", start, any_number))
      return;
  }
}
