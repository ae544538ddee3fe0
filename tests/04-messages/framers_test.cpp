// The graded checks of lesson 04 that hold for all three framers.
#include "04-messages/messages.hpp"

#include <cstddef>
#include <ctime>
#include <limits>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "cuts.hpp"
#include "runner/check_process.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace cuts;
using course::FixedFramer;
using course::LineFramer;
using course::MessageTooLong;
using course::PrefixFramer;

// Rule: one recv can bring many messages, and the beginning of another.
TEST(Framers, TakeApartMessagesThatCameTogether) {
  explain({.rule = "After one feed, next() hands out every message that is whole, one for each "
                   "call, in order.",
           .why = "The peer may be waiting for the answer to the very message that was left lying.",
           .read = "The rule"});
  Scenario scenario;

  const auto seen = scenario.run([] {
    return first_difference(
        {.fixed = {{"nort", "nort"}, {"hsou", "hsou"}, {"thea", "thea"}},
         .lines = {{"north\n", "north"}, {"south\n", "south"}, {"east\n", "east"}},
         .prefixed = {{"\0\0\0\5north"s, "north"},
                      {"\0\0\0\5south"s, "south"},
                      {"\0\0\0\4east"s, "east"}}},
        About::together);
  });

  if (!seen) return;
  if (seen->fed.size() == 1)
    tell(seen->framer +
             ": 3 messages came together, and not all came out, one by one. Hand out every one "
             "before you say that there is none.",
         *seen);
  else
    tell(seen->framer +
             ": one feed ended, and the next began, in the middle of a message. Hand out what is "
             "whole, and keep the rest.",
         *seen);
}

// Rule: a message of no bytes is a message.
TEST(Framers, HandOutEmptyMessages) {
  explain({.rule = "An empty line, and a message with the length 0, come out as \"\".",
           .why = "Protocols give them a meaning: in HTTP an empty line ends the headers.",
           .read = "Your task"});
  Scenario scenario;

  const auto seen = scenario.run([] {
    return first_difference(
        {.fixed = {},
         .lines = {{"\n", ""}, {"harbor\n", "harbor"}, {"\r\n", ""}},
         .prefixed = {{"\0\0\0\0"s, ""}, {"\0\0\0\6harbor"s, "harbor"}, {"\0\0\0\0"s, ""}}});
  });

  if (seen)
    tell(seen->framer +
             ": an empty message came, and next() did not hand it out. It is a message too: \"\" "
             "is not the same as nothing.",
         *seen);
}

// Rule: a message ends where the protocol says, not at the first zero byte.
TEST(Framers, KeepZeroBytes) {
  explain({.rule = "Every byte value may occur in a message, zero too.",
           .why = "In a C string a zero is the end: text passes every test, and the first picture "
                  "arrives cut off.",
           .read = "Your task"});
  Scenario scenario;

  const auto seen = scenario.run([] {
    return first_difference(
        {.fixed = {{"a\0b\0"s, "a\0b\0"s}, {"\0\0\0c"s, "\0\0\0c"s}},
         .lines = {{"a\0b\n"s, "a\0b"s}, {"\0\n"s, "\0"s}},
         .prefixed = {{"\0\0\0\4a\0b\0"s, "a\0b\0"s}, {"\0\0\0\2\0c"s, "\0c"s}}});
  });

  if (seen)
    tell(seen->framer +
             ": a message may contain zero bytes, and this one did not come out whole. Build "
             "strings from pointer and length.",
         *seen);
}

namespace {

struct Miscount {
  std::string framer;
  Texts fed;
  std::size_t wanted, got;
};

// One message whole, and each beginning of a second one, the longest first.
template <class Framer>
std::optional<Miscount> first_miscount() {
  const Message whole = Kind<Framer>::plain().front(), cut_off = Kind<Framer>::plain().back();
  const Framer fresh(Kind<Framer>::argument);
  if (fresh.unfinished() != 0) return Miscount{Kind<Framer>::name, {}, 0, fresh.unfinished()};
  for (std::size_t come = cut_off.wire.size(); come-- > 0;) {
    const std::string fed = whole.wire + cut_off.wire.substr(0, come);
    Framer framer(Kind<Framer>::argument);
    feed(framer, fed);
    if (take(framer) != Texts{whole.text}) continue;  // other checks are about that
    if (framer.unfinished() != come)
      return Miscount{Kind<Framer>::name, {fed}, come, framer.unfinished()};
  }
  return std::nullopt;
}

}  // namespace

// Rule: when the stream ends inside a message, that message was cut off.
TEST(Framers, CountTheUnfinishedBytes) {
  explain({.rule = "unfinished() counts the bytes of a message that has begun and is not complete, "
                   "a waiting CR and the bytes of a length among them.",
           .why = "Only that number tells the end of a conversation from the end of a cable: half "
                  "an order is not an order.",
           .read = "Your task"});
  Scenario scenario;

  const auto seen = scenario.run([] {
    auto miscount = first_miscount<FixedFramer>();
    if (!miscount) miscount = first_miscount<LineFramer>();
    if (!miscount) miscount = first_miscount<PrefixFramer>();
    return miscount;
  });

  if (!seen) return;
  const std::string count =
      format("%s: %s of an unfinished message, and unfinished() says %zu. ", seen->framer.c_str(),
             byte_count(seen->wanted).c_str(), seen->got);
  if (seen->wanted == 0)
    tell(count + "Only bytes that still wait for the rest of their message count.", seen->fed);
  else if (seen->got == 0)
    tell(count +
             "If the stream ends here, a message that was cut off looks like a clean end: count "
             "the bytes of it that have come.",
         seen->fed);
  else
    tell(count +
             "Count all that have come: a CR that waits for its LF is one of them, and so are the "
             "four of a length.",
         seen->fed);
}

namespace {

// What the program has in use at most while many messages go through a framer, in pieces that are
// never in step with them; 0 if not all of them come out, which is for other checks.
template <class Framer>
std::size_t peak_bytes(Scenario& scenario, std::size_t argument, const Message& message) {
  constexpr std::size_t piece_bytes = 1000, messages = 250;
  std::string all;
  for (std::size_t i = 0; i < messages; ++i) all += message.wire;
  const std::size_t came_out = scenario.run([&]() -> std::size_t {
    try {
      Framer framer(argument);
      std::size_t count = 0;
      for (std::size_t at = 0; at < all.size(); at += piece_bytes) {
        framer.feed(course::as_bytes(std::string_view(all).substr(at, piece_bytes)));
        while (count <= messages && framer.next()) ++count;
      }
      return count;
    } catch (const MessageTooLong&) {
      return 0;
    }
  });
  return came_out == messages ? scenario.allocated().peak_bytes : 0;
}

}  // namespace

// Rule: what has been handed out takes no memory any more.
TEST(Framers, ForgetWhatTheyHandedOut) {
  explain({.rule = "What next() has handed out takes no memory any more, even if there is never a "
                   "moment when nothing waits.",
           .why = "A connection may live for months.",
           .read = "Your task"});
  constexpr std::size_t much_bytes = 64 << 10;
  const std::string text(1021, 'x');
  Scenario scenario;

  std::string who = "FixedFramer";
  std::size_t peak = peak_bytes<FixedFramer>(scenario, text.size(), {text, text});
  if (peak < much_bytes) {
    who = "LineFramer";
    peak = peak_bytes<LineFramer>(scenario, 2000, {text + "\n", text});
  }
  if (peak < much_bytes) {
    who = "PrefixFramer";
    peak = peak_bytes<PrefixFramer>(scenario, 2000, {"\0\0\3\x7d"s + text.substr(128), text});
  }

  expect_that(peak < much_bytes,
              who +
                  ": 250 messages of about 1000 bytes came, each was taken as soon as it was "
                  "whole, and in the end more than 64 KiB were in use. Remove what has been handed "
                  "out, also while part of the next message waits.");
}

namespace {

struct Heard {
  std::string framer;
  Texts fed, got;
  bool was_refused_in_feed = false;
};

// "north", then one that is too long for a limit of 6.
template <class Framer>
std::optional<Heard> first_loss(const Stream& stream) {
  const Message& first = stream.front();
  for (const Texts& pieces : ways_to_feed<Framer>(stream)) {
    Heard heard{Kind<Framer>::name, {}, {}, false};
    Framer framer(6);
    for (const std::string& piece : pieces) {
      heard.fed.push_back(piece);
      try {
        feed(framer, piece);
      } catch (const MessageTooLong&) {
        heard.was_refused_in_feed = true;
      }
      const bool is_due = joined(heard.fed).size() >= first.wire.size();
      try {
        if (is_due && heard.got.empty()) heard.got.push_back(framer.next().value_or("nothing"));
      } catch (const MessageTooLong&) {
        break;
      }
      if (heard.was_refused_in_feed) break;
    }
    const bool feed_may_refuse = std::is_same_v<Framer, LineFramer>;
    if (heard.got != Texts{first.text} || (heard.was_refused_in_feed && !feed_may_refuse))
      return heard;
  }
  return std::nullopt;
}

}  // namespace

// Rule: a refusal concerns one message, and not those before it.
TEST(Framers, HandOutWhatCameBeforeTheRefusal) {
  explain({.rule = "Messages that came whole before the one too long are still handed out, whether "
                   "they came with it or earlier.",
           .why = "What is heard must not depend on where the stream happened to be cut.",
           .read = "Your task"});
  Scenario scenario;

  const auto seen = scenario.run([] {
    auto loss = first_loss<LineFramer>({{"north\n", "north"}, {"southwest\n", ""}});
    if (!loss) loss = first_loss<LineFramer>({{"north\n", "north"}, {"southwest", ""}});
    if (!loss)
      loss = first_loss<PrefixFramer>({{"\0\0\0\5north"s, "north"}, {"\0\0\0\x09southwest"s, ""}});
    return loss;
  });

  if (!seen) return;
  if (seen->got == Texts{"north"})
    tell(seen->framer +
             ": feed() refused the second message before the first was taken. next() refuses it "
             "when its turn has come.",
         seen->fed);
  else
    tell(seen->framer +
             ": \"north\" came whole before the message that is too long, and was not handed out. "
             "Refuse the one, and keep the others.",
         seen->fed);
}

namespace {

// Two conversations at once; true when each gets its own message.
template <class Framer>
bool keeps_apart() {
  const Message one = Kind<Framer>::plain().front(), other = Kind<Framer>::plain().back();
  Framer first(Kind<Framer>::argument), second(Kind<Framer>::argument);
  feed(first, one.wire.substr(0, 3));
  feed(second, other.wire.substr(0, 2));
  feed(first, one.wire.substr(3));
  feed(second, other.wire.substr(2));
  return take(first) == Texts{one.text} && take(second) == Texts{other.text};
}

}  // namespace

// Rule: every conversation has a framer of its own.
TEST(Framers, ShareNothing) {
  explain(
      {.rule = "Two framers have nothing to do with each other.",
       .why = "A server has one for each client, and one client's bytes are no other's business.",
       .read = "Your task"});
  std::string mixed;
  Scenario scenario;

  scenario.run([&] {
    if (masters<FixedFramer>(Kind<FixedFramer>::plain()) && !keeps_apart<FixedFramer>())
      mixed = "FixedFramer";
    else if (masters<LineFramer>(Kind<LineFramer>::plain()) && !keeps_apart<LineFramer>())
      mixed = "LineFramer";
    else if (masters<PrefixFramer>(Kind<PrefixFramer>::plain()) && !keeps_apart<PrefixFramer>())
      mixed = "PrefixFramer";
  });

  expect_that(mixed.empty(), mixed +
                                 ": two of them were fed in turn, and what came out was mixed up. "
                                 "Keep the bytes in members, and in nothing static.");
}
