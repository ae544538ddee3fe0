// The graded checks of lesson 04: each framer's own, in the order of the stub, then what holds for
// all of them. The lengths in samples are written out, not made by to_be32.
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
#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace cuts;
using course::FixedFramer;
using course::LineFramer;
using course::MessageTooLong;
using course::PrefixFramer;

LESSON("04-messages");

namespace {

constexpr std::size_t largest_limit = std::numeric_limits<std::size_t>::max();

std::string hexadecimal(const std::array<std::byte, 4>& wire) {
  return format("%02x %02x %02x %02x", std::to_integer<unsigned>(wire[0]),
                std::to_integer<unsigned>(wire[1]), std::to_integer<unsigned>(wire[2]),
                std::to_integer<unsigned>(wire[3]));
}

}  // namespace

// Rule: on the wire the most significant byte goes first (RFC 1700, "Data Notations").
TEST(BigEndian, PutsTheMostSignificantByteFirst) {
  explain({.rule = "to_be32 puts the most significant byte first, on every machine, and from_be32 "
                   "reads it so.",
           .why = "The program at the other end may be somebody else's, on another machine: the "
                  "four bytes are all that the two share.",
           .read = "The rule"});
  struct Sample {
    std::uint32_t value;
    std::array<std::byte, 4> wire;
  };
  const auto wire = [](unsigned a, unsigned b, unsigned c, unsigned d) {
    return std::array{std::byte(a), std::byte(b), std::byte(c), std::byte(d)};
  };
  const Sample samples[] = {{9, wire(0, 0, 0, 9)},
                            {200, wire(0, 0, 0, 0xc8)},
                            {1'000'000, wire(0, 0x0f, 0x42, 0x40)},
                            {0x0a0b0c0d, wire(0x0a, 0x0b, 0x0c, 0x0d)},
                            {0xfeedbeef, wire(0xfe, 0xed, 0xbe, 0xef)}};
  Scenario scenario;

  for (const Sample& sample : samples) {
    const auto got = scenario.run([&] { return course::to_be32(sample.value); });
    if (got != sample.wire)
      return fail(format("to_be32(%u) went out as %s; the protocol wants %s.", sample.value,
                         hexadecimal(got).c_str(), hexadecimal(sample.wire).c_str()));
  }
  for (const Sample& sample : samples) {
    const auto got = scenario.run([&] { return course::from_be32(sample.wire); });
    if (got != sample.value)
      return fail(
          format("%s is %u; from_be32 read %u. The most significant byte comes first, and no byte "
                 "has a sign.",
                 hexadecimal(sample.wire).c_str(), sample.value, got));
  }
}

// Rule: a message of a fixed size has at least one byte, or every stream held infinitely many.
TEST(FixedFramer, RefusesASizeOfZero) {
  explain({.rule = "A FixedFramer of size 0 cannot be made: std::invalid_argument.",
           .why = "Any stream holds as many messages of no bytes as you like, so next() would "
                  "never say that there is none.",
           .read = "Your task"});
  Scenario scenario;

  const std::string answer = scenario.run([]() -> std::string {
    const FixedFramer smallest(1);
    try {
      const FixedFramer framer(0);
      return "it was made";
    } catch (const std::invalid_argument&) {
      return "refused";
    } catch (const std::exception& exception) {
      return format("another exception came, \"%s\"", exception.what());
    }
  });

  expect_that(
      answer == "refused",
      "A FixedFramer of size 0 was asked for, and " + answer +
          ". Messages of no bytes would be messages without end: throw std::invalid_argument.");
}

// Rule: a stream has no boundaries; a message can come in as many pieces as it has bytes.
TEST(FixedFramer, JoinsAMessageThatCameInPieces) {
  explain(
      {.rule = "However a message is cut, next() hands it out once, and not before it is whole.",
       .why = "Where one recv ends says nothing about where a message ends.",
       .read = "The rule"});
  Scenario scenario;

  const auto seen = scenario.run([] {
    return first_difference<FixedFramer>(6, {{{"harbor", "harbor"}}}, About::pieces);
  });

  if (!seen) return;
  if (seen->fed.back().empty())
    tell("A feed of no bytes changed something. It is neither a message nor the end of one.",
         *seen);
  else if (seen->came_early())
    tell(format("%zu of 6 bytes had come, and next() took them for a message. It is not whole yet: "
                "keep what came.",
                joined(seen->fed).size()),
         *seen);
  else
    tell(
        "The message came in pieces, and they were not put together. Keep the earlier ones until "
        "the last has come.",
        *seen);
}

// Rule: a line ends with LF; a CR straight before the LF belongs to the ending.
TEST(LineFramer, DropsOnlyTheCrOfTheEnding) {
  explain(
      {.rule = "A line ends with LF or CR LF, and neither is part of it; a CR anywhere else is.",
       .why = "Two programs that disagree on where a line ends can be made to disagree on what was "
              "said.",
       .read = "The rule"});
  const std::vector<Stream> streams = {
      {{"harbor\n", "harbor"}},     {{"harbor\r\n", "harbor"}},     {{"40%\r60%\n", "40%\r60%"}},
      {{"\rharbor\n", "\rharbor"}}, {{"harbor\r\r\n", "harbor\r"}}, {{"\r \r\r\n", "\r \r"}},
  };
  Scenario scenario;

  const auto seen = scenario.run([&] { return first_difference<LineFramer>(80, streams); });

  if (!seen) return;
  if (seen->got.size() != seen->wanted.size())
    tell("A line ends with LF, alone or behind a CR. Nothing else ends it.", *seen);
  else if (seen->got.front() == seen->wanted.front() + "\r")
    tell("The CR straight before the LF came out as part of the line. It belongs to the ending.",
         *seen);
  else
    tell(
        "Only the CR straight before the LF belongs to the ending. Every other one is part of the "
        "line.",
        *seen);
}

// Rule: a line can be cut anywhere, between the CR and the LF of its ending too.
TEST(LineFramer, JoinsALineThatCameInPieces) {
  explain({.rule = "However a line is cut, its ending too, next() hands it out once, and not "
                   "before its LF has come.",
           .why = "Where one recv ends says nothing about where a line ends.",
           .read = "The rule"});
  const std::vector<Stream> streams = {{{"harbor\n", "harbor"}}, {{"market\r\n", "market"}}};
  Scenario scenario;

  const auto seen =
      scenario.run([&] { return first_difference<LineFramer>(80, streams, About::pieces); });

  if (!seen) return;
  if (seen->fed.back().empty())
    tell("A feed of no bytes changed something. It is neither a line nor the end of one.", *seen);
  else if (seen->came_early())
    tell(
        "The line has no ending yet, and next() handed out what had come of it. Keep the pieces "
        "until its LF comes.",
        *seen);
  else if (seen->fed == Texts{"market\r", "\n"})
    tell(
        "The ending was cut between two feeds: the CR came with the first, the LF with the second. "
        "Look for it in the joined bytes.",
        *seen);
  else
    tell(
        "The line came in pieces, and they were not put together. Keep the earlier ones until its "
        "LF comes.",
        *seen);
}

// Rule: the limit is what a line may hold; its ending does not count.
TEST(LineFramer, AcceptsALineUpToTheLimit) {
  explain(
      {.rule = "A line may be as long as the limit, its ending not counted. One byte over it may "
               "still be the CR of the ending.",
       .why = "A limit that is off by one refuses what the protocol allows, perhaps once a year.",
       .read = "Your task"});
  const std::vector<Stream> streams = {{{"harbor\n", "harbor"}}, {{"market\r\n", "market"}}};
  Scenario scenario;

  const auto seen = scenario.run([&] { return first_difference<LineFramer>(6, streams); });
  const auto seen_with_largest =
      scenario.run([&] { return first_difference<LineFramer>(largest_limit, streams); });

  if (seen && seen->is_refusal && seen->fed.back().ends_with('\r'))
    tell(
        "The limit is 6, 6 bytes and a CR had come, and they were refused. The CR may be the first "
        "half of the ending: only the next byte tells.",
        *seen);
  else if (seen)
    tell(
        "The limit is 6, and a line of 6 bytes did not come out. The bytes of its ending are not "
        "counted.",
        *seen);
  else if (seen_with_largest && seen_with_largest->is_refusal)
    tell(
        "With the largest limit that there is, a line of 6 bytes was refused. The largest limit "
        "plus one is 0.",
        *seen_with_largest);
  else if (seen_with_largest)
    tell(
        "With the largest limit that there is, a line of 6 bytes did not come out. A limit is what "
        "you would keep, not what you need.",
        *seen_with_largest);
}

// Rule: a line over the limit is not handed out, whole or in part.
TEST(LineFramer, RefusesALineOverTheLimit) {
  explain(
      {.rule =
           "For a line over the limit that has its ending, feed() or next() throws MessageTooLong.",
       .why = "Whoever takes your lines relies on the limit, for a field or a column of that size.",
       .read = "Your task"});
  const std::string lines[] = {"harbors\n", "markets\r\n", "a harbor at night\n"};
  struct Accepted {
    Texts fed, got;
  };
  Scenario scenario;

  const auto seen = scenario.run([&]() -> std::optional<Accepted> {
    for (const std::string& line : lines)
      for (const Texts& pieces : ways_to_feed<LineFramer>({{line, ""}})) {
        Accepted accepted{pieces, {}};
        try {
          LineFramer framer(6);
          for (const std::string& piece : pieces) {
            feed(framer, piece);
            for (const std::string& text : take(framer)) accepted.got.push_back(text);
          }
          return accepted;
        } catch (const MessageTooLong&) {
          if (!accepted.got.empty()) return accepted;
        }
      }
    return std::nullopt;
  });

  if (seen)
    tell("The limit is 6 and the line is longer, but " +
             (seen->got.empty() ? "nobody said so"s
                                : "next() handed out " + listed(seen->got, ", ")) +
             ". Throw MessageTooLong: half an order is not an order.",
         seen->fed);
}

// Rule: what strangers send is kept up to a limit, so a line that cannot end in time is refused.
TEST(LineFramer, RefusesALineWithoutAnEnd) {
  explain(
      {.rule = "feed() throws MessageTooLong as soon as the unfinished line cannot be within the "
               "limit any more.",
       .why = "A peer that never sends LF would fill your memory, one harmless piece at a time.",
       .read = "The rule"});
  struct Sample {
    Stream stream;
    std::size_t hopeless_at;  // from this many bytes on
  };
  const Sample samples[] = {{{{"harbors", ""}}, 7},
                            {{{"a harbor at night", ""}}, 7},
                            {{{"harbor\rs", ""}}, 8},
                            {{{"harbor\r\r", ""}}, 8},
                            {{{"inn\n", "inn"}, {"harbors", ""}}, 11}};
  Scenario scenario;

  const Texts kept = scenario.run([&] {
    for (const Sample& sample : samples)
      for (const Texts& pieces : ways_to_feed<LineFramer>(sample.stream)) {
        Texts fed;
        try {
          LineFramer framer(6);
          for (const std::string& piece : pieces) {
            fed.push_back(piece);
            feed(framer, piece);
            if (joined(fed).size() >= sample.hopeless_at) return fed;
            (void)take(framer);
          }
        } catch (const MessageTooLong&) {
        }
      }
    return Texts{};
  });

  if (!kept.empty())
    tell(format("The limit is 6, and feed() kept %zu bytes of a line that has no ending yet. It "
                "cannot be within the limit any more: refuse it now, or it grows for as long as "
                "the peer likes.",
                joined(kept).size() - (joined(kept).rfind('\n') + 1)),
         kept);
}

// Rule: what has been searched without success need not be searched again.
TEST(LineFramer, LooksAtEachByteOnce) {
  explain({.rule = "However small its pieces, no byte of an unfinished line is searched twice.",
           .why = "Twice as many pieces, each searched from the start of the line, is four times "
                  "the work: one slow sender could keep your processor busy.",
           .read = "The rule"});
  constexpr std::size_t pieces = 65'536;
  const std::string piece(64, 'x');
  Scenario scenario;

  const bool in_time = scenario.run([&] {
    LineFramer framer(2 * pieces * piece.size());
    const std::clock_t start = std::clock();  // processor time: other programs do not count
    for (std::size_t i = 0; i < pieces; ++i) {
      framer.feed(course::as_bytes(piece));
      if (framer.next()) break;
      if (i % 256 == 0 && std::clock() - start > CLOCKS_PER_SEC) return false;
    }
    return true;
  });

  expect_that(in_time,
              "One line came in 65536 pieces of 64 bytes, and looking for its end took more than 1 "
              "s of processor time; a few hundredths are enough. There was no LF in what you had "
              "searched before: search only what is new.");
}

// Rule: the length comes in pieces like everything else, and then the message does.
TEST(PrefixFramer, JoinsAMessageThatCameInPieces) {
  explain({.rule = "However a message is cut, its length too, next() hands it out once, and not "
                   "before it is whole.",
           .why = "Where one recv ends says nothing about where a message ends, or its length.",
           .read = "The rule"});
  const std::string longer(258, 'x');
  const std::vector<Stream> streams = {{{"\0\0\0\6harbor"s, "harbor"}},
                                       {{"\0\0\1\2"s + longer, longer}}};
  Scenario scenario;

  const auto seen =
      scenario.run([&] { return first_difference<PrefixFramer>(1000, streams, About::pieces); });

  if (!seen) return;
  const std::size_t come = joined(seen->fed).size();
  if (seen->fed.back().empty())
    tell("A feed of no bytes changed something. It is neither a message nor the end of one.",
         *seen);
  else if (come < 4)
    tell(format("Only %zu of 4 length bytes had arrived, and they were taken for the whole length. "
                "Keep them, and wait for the rest.",
                come),
         *seen);
  else if (seen->came_early())
    tell(format("The length says %d bytes, %zu of them had come, and next() handed out what there "
                "was. The message is not whole yet: keep it until it is.",
                joined(seen->fed).starts_with("\0\0\0\6"s) ? 6 : 258, come - 4),
         *seen);
  else if (seen->fed.front().size() < 4)
    tell(
        "The length came in pieces, and they were not put together. Keep the earlier ones until "
        "all four bytes are there.",
        *seen);
  else
    tell(
        "The length had come and the message had not; when it came, the length was not there any "
        "more. Keep both until the message is whole.",
        *seen);
}

// Rule: the limit is what a message may hold; its length does not count, and has 32 bits.
TEST(PrefixFramer, AcceptsAMessageUpToTheLimit) {
  explain({.rule = "A message may be as long as the limit, the bytes of its length not counted, "
                   "and a length may be anything from 0 to 4294967295.",
           .why = "Sums and types that are too small fail late, at the first large message.",
           .read = "Your task"});
  const std::string page(65'600, 'x');
  const Stream large = {{"\0\1\0\x40"s + page, page}};
  Scenario scenario;

  const auto seen = scenario.run([] {
    return first_difference<PrefixFramer>(6, {{{"\0\0\0\6harbor"s, "harbor"}}});
  });
  const auto seen_with_large = scenario.run(
      [&] { return first_difference<PrefixFramer>(65'600, large, {wires_of(large)}); });
  const Texts beginning = {"\xff\xff\xff\xffharbor"};
  const auto seen_with_largest = scenario.run(
      [&] { return first_difference<PrefixFramer>(largest_limit, Stream{}, {beginning}); });

  if (seen)
    tell(
        "The limit is 6, and a message of 6 bytes did not come out. The bytes of its length are "
        "not counted.",
        *seen);
  else if (seen_with_large && !seen_with_large->got.empty())
    fail(
        format("The length 00 01 00 40 says 65600 bytes, and a message of %zu bytes came out. A "
               "length has 32 bits: keep them all.",
               seen_with_large->got.front().size()));
  else if (seen_with_large)
    fail("The limit is 65600, and a message of 65600 bytes did not come out.");
  else if (seen_with_largest && seen_with_largest->exception != "std::bad_alloc")  // may reserve it
    tell(
        "The length ff ff ff ff says 4294967295 bytes, 6 have come, and they seemed to be enough. "
        "In 32 bits, 4294967295 plus 4 is 3.",
        *seen_with_largest);
}

// Rule: a length is a claim; it is compared with the limit before anything else is done with it.
TEST(PrefixFramer, RefusesFromTheLengthAlone) {
  explain({.rule = "next() throws MessageTooLong as soon as the four bytes of a length over the "
                   "limit are there, before any memory is reserved.",
           .why = "Four bytes are enough for anybody to announce 4 GiB.",
           .read = "The rule"});
  const std::string samples[] = {"\0\0\0\7"s, "\0\0\0\7harbors"s, "\x80\0\0\6harbor"s,
                                 "\xff\xff\xff\xff"s};
  constexpr std::size_t much_bytes = 4 << 20;
  Scenario scenario;

  const Texts kept = scenario.run([&] {
    for (const std::string& sample : samples)
      for (const Texts& pieces : ways_to_feed<PrefixFramer>({{sample, ""}})) {
        Texts fed;
        try {
          PrefixFramer framer(6);
          for (const std::string& piece : pieces) {
            fed.push_back(piece);
            feed(framer, piece);
            (void)take(framer);
            if (joined(fed).size() >= 4) return fed;
          }
        } catch (const MessageTooLong&) {
        } catch (const std::bad_alloc&) {
          // it reserves first, as the next run will show
        } catch (const std::length_error&) {
          return fed;  // it reserved more than there can be: a negative number as a size
        }
      }
    return Texts{};
  });
  scenario.run([] {
    try {
      PrefixFramer framer(1'000'000);
      feed(framer, "\4\0\0\0"s);
      (void)framer.next();
    } catch (const std::exception&) {
    }
  });

  if (!kept.empty() && static_cast<unsigned char>(joined(kept).front()) >= 0x80)
    tell(
        "The limit is 6, and next() did not refuse this length. Read as signed, it is negative, "
        "and below every limit. Use std::uint32_t.",
        kept);
  else if (!kept.empty())
    tell(
        "The limit is 6, the length says 7, and next() did not refuse it. The length alone says "
        "that the message is too long: do not wait for it.",
        kept);
  else
    expect_that(scenario.allocated().largest_bytes < much_bytes,
                format("The limit is 1000000, the length says 67108864, and %zu bytes were "
                       "reserved before it was refused. Compare it with the limit first.",
                       scenario.allocated().largest_bytes));
}

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
