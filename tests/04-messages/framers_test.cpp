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

  if (!seen) return;
  const bool comes_out = scenario.run([&] {
    return seen->framer == "LineFramer" ? hands_out_anything<LineFramer>()
                                        : hands_out_anything<PrefixFramer>();
  });
  if (!comes_out)
    tell(seen->framer +
             ": nothing comes out as it is yet, empty or not. See to the other messages first.",
         *seen);
  else
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
    try {
      if (take(framer) != Texts{whole.text}) continue;  // other checks are about that
    } catch (const MessageTooLong&) {
      continue;
    }
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
// never in step with them; 0 if not all of them come out, which is for other checks, and too_many
// if there was not enough.
constexpr std::size_t too_many = std::numeric_limits<std::size_t>::max();
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
    } catch (const std::bad_alloc&) {
      return too_many;
    }
  });
  if (came_out == too_many) return too_many;
  return came_out == messages ? scenario.allocated().peak_bytes : 0;
}

}  // namespace

// Rule: what has been handed out takes no memory any more.
TEST(Framers, ForgetWhatTheyHandedOut) {
  explain({.rule = "What next() has handed out takes no memory any more, at the latest from the "
                   "next feed() on, even if there is never a moment when nothing waits.",
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

  expect_that(peak != too_many,
              who +
                  ": 250 messages of about 1000 bytes came, and it asked for more memory than a "
                  "check may use (std::bad_alloc). Keep only what has not been handed out.");
  expect_that(peak < much_bytes || peak == too_many,
              who +
                  ": 250 messages of about 1000 bytes came, each was taken as soon as it was "
                  "whole, and in the end more than 64 KiB were in use. Remove what has been handed "
                  "out, also while part of the next message waits.");
}

namespace {

struct Heard {
  std::string framer;
  Texts fed, got;
  bool was_refused = false, was_refused_in_feed = false;
};

// Feeds and asks until something is refused, and then only asks.
template <class Framer>
Heard hear(const Texts& pieces, std::size_t first_size) {
  Heard heard{Kind<Framer>::name, {}, {}};
  Framer framer(6);
  for (const std::string& piece : pieces) {
    heard.fed.push_back(piece);
    try {
      feed(framer, piece);
    } catch (const MessageTooLong&) {
      heard.was_refused = heard.was_refused_in_feed = true;
    }
    try {
      if (!heard.was_refused && joined(heard.fed).size() >= first_size) take(framer, heard.got);
    } catch (const MessageTooLong&) {
      heard.was_refused = true;
    }
    if (!heard.was_refused) continue;
    for (const std::string& text : take_after_refusal(framer)) heard.got.push_back(text);
    break;
  }
  return heard;
}

// Whether a message that is too long is refused when it is the first, and nothing comes out.
template <class Framer>
bool refuses(const Message& message) {
  for (const Texts& pieces : ways_to_feed<Framer>({message})) {
    const Heard heard = hear<Framer>(pieces, 0);
    if (!heard.was_refused || !heard.got.empty()) return false;
  }
  return true;
}

// "north", then one that is too long for a limit of 6, and what may follow.
template <class Framer>
std::optional<Heard> first_loss(const Stream& stream) {
  const Message& first = stream.front();
  const bool feed_may_refuse = std::is_same_v<Framer, LineFramer>;
  const bool must_refuse = refuses<Framer>(stream[1]);
  for (const Texts& pieces : ways_to_feed<Framer>(stream)) {
    const Heard heard = hear<Framer>(pieces, first.wire.size());
    if (heard.got.empty() || heard.got.front() != first.text) return heard;
    if (heard.was_refused_in_feed && !feed_may_refuse) return heard;
    if (must_refuse && (!heard.was_refused || heard.got.size() > 1)) return heard;
  }
  return std::nullopt;
}

}  // namespace

// Rule: a refusal concerns one message, not those before it; and none comes after it.
TEST(Framers, HandOutWhatCameBeforeTheRefusal) {
  explain({.rule = "Messages that came whole before the one too long are still handed out, whether "
                   "they came with it or earlier. That one is refused, and nothing comes out after "
                   "it.",
           .why = "What is heard must not depend on where the stream happened to be cut.",
           .read = "Your task"});
  const Message north = {"north\n", "north"}, east = {"east\n", "east"};
  Scenario scenario;

  const auto seen = scenario.run([&] {
    auto loss = first_loss<LineFramer>({north, {"southwest\n", ""}, east});
    if (!loss) loss = first_loss<LineFramer>({north, {"southwest", ""}});
    if (!loss)
      loss = first_loss<PrefixFramer>(
          {{"\0\0\0\5north"s, "north"}, {"\0\0\0\x09southwest"s, ""}, {"\0\0\0\4east"s, "east"}});
    return loss;
  });

  if (!seen) return;
  if (seen->got.empty() || seen->got.front() != "north")
    tell(seen->framer +
             ": \"north\" came whole before the message that is too long, and was not handed out. "
             "Refuse the one, and keep the others.",
         seen->fed);
  else if (seen->was_refused_in_feed && seen->framer != "LineFramer")
    tell(seen->framer +
             ": feed() refused the second message before the first was taken. next() refuses it "
             "when its turn has come.",
         seen->fed);
  else if (!seen->was_refused)
    tell(seen->framer +
             ": the limit is 6, the second message has 9 bytes, and nobody refused it. The limit "
             "holds for every message, not only for the first.",
         seen->fed);
  else
    tell(seen->framer + ": the second message was refused, and next() still handed out " +
             listed({seen->got.begin() + 1, seen->got.end()}, ", ") +
             ". What follows a refusal may not be what the peer meant: hand out nothing more.",
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
