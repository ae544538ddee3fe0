// The graded checks of lesson 04: first each framer's own, in the order of the stub, then what
// holds for all of them.
//
// A sample is cut at every place. But each check judges one thing only: a framer that cannot join
// or take apart plain messages fails the checks that are about that, and elsewhere it gets each
// message in a feed of its own. The lengths in samples are written out, not made by to_be32.
#include "04-messages/messages.hpp"

#include <algorithm>
#include <ctime>
#include <exception>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/check.hpp"
#include "simulation/text.hpp"

using namespace grader;
using namespace std::string_literals;
using course::FixedFramer;
using course::LineFramer;
using course::MessageTooLong;
using course::PrefixFramer;

LESSON("04-messages");

namespace {

using Texts = std::vector<std::string>;

// A message as it travels, and as it is handed out.
struct Message {
  std::string wire, text;
};
using Stream = std::vector<Message>;

// The feed after which something else came out than should have.
struct Difference {
  Texts fed;  // up to and with that feed
  Texts wanted, got;
  bool is_refusal = false;            // MessageTooLong
  std::optional<std::string> thrown;  // what() of any exception

  [[nodiscard]] bool came_early() const { return wanted.empty() && !got.empty(); }
  [[nodiscard]] std::size_t bytes_fed() const {
    std::size_t sum = 0;
    for (const std::string& piece : fed) sum += piece.size();
    return sum;
  }
};

constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();

// feed() is to keep a copy, of no more than it was given: other bytes stand behind the piece, and
// its memory is used again afterwards.
template <class Framer>
void feed(Framer& framer, const std::string& piece) {
  std::string lent = piece + "~~~~";
  framer.feed(course::as_bytes(std::string_view(lent).substr(0, piece.size())));
  std::fill(lent.begin(), lent.end(), '#');
}

// All that next() hands out; not for ever.
template <class Framer>
Texts take(Framer& framer) {
  constexpr std::size_t messages_max = 100;
  Texts texts;
  for (auto text = framer.next(); text && texts.size() < messages_max; text = framer.next())
    texts.push_back(*text);
  return texts;
}

// A stream in one piece, in two, cut at every place, and byte by byte with empty pieces between.
std::vector<Texts> every_cut(const Stream& stream) {
  std::string all;
  for (const Message& message : stream) all += message.wire;
  std::vector<Texts> ways = {{all}};
  for (std::size_t at = 1; at < all.size(); ++at)
    ways.push_back({all.substr(0, at), all.substr(at)});
  Texts single_bytes;
  for (const char byte : all) single_bytes.insert(single_bytes.end(), {std::string(1, byte), ""});
  ways.push_back(single_bytes);
  return ways;
}

std::vector<Texts> one_piece(const Stream& stream) { return {every_cut(stream).front()}; }

std::vector<Texts> message_by_message(const Stream& stream) {
  Texts pieces;
  for (const Message& message : stream) pieces.push_back(message.wire);
  return {pieces};
}

// Feeds a stream in several ways and asks for messages after each piece.
template <class Framer>
std::optional<Difference> first_difference(std::size_t argument, const Stream& stream,
                                           const std::vector<Texts>& ways) {
  for (const Texts& pieces : ways) {
    Framer framer(argument);
    Difference story;
    auto message = stream.begin();
    std::size_t waiting = 0;
    for (const std::string& piece : pieces) {
      story.fed.push_back(piece);
      story.wanted.clear();
      story.got.clear();
      for (waiting += piece.size(); message != stream.end() && message->wire.size() <= waiting;
           ++message) {
        waiting -= message->wire.size();
        story.wanted.push_back(message->text);
      }
      try {
        feed(framer, piece);
        story.got = take(framer);
      } catch (const std::exception& exception) {
        story.is_refusal = dynamic_cast<const MessageTooLong*>(&exception) != nullptr;
        story.thrown = exception.what();
      }
      if (story.thrown || story.got != story.wanted) return story;
    }
  }
  return std::nullopt;
}

// Ordinary messages, for a framer made with plain_argument<Framer>.
template <class Framer>
constexpr std::size_t plain_argument = 1000;
template <>
constexpr std::size_t plain_argument<FixedFramer> = 5;

template <class Framer>
Stream plain();
template <>
Stream plain<FixedFramer>() {
  return {{"north", "north"}, {"south", "south"}};
}
template <>
Stream plain<LineFramer>() {
  return {{"north\n", "north"}, {"south\r\n", "south"}};
}
template <>
Stream plain<PrefixFramer>() {
  return {{"\0\0\0\5north"s, "north"}, {"\0\0\0\5south"s, "south"}};
}

template <class Framer>
bool joins_plain_pieces() {
  const Stream one = {plain<Framer>().front()};
  return !first_difference<Framer>(plain_argument<Framer>, one, every_cut(one));
}

template <class Framer>
bool masters_cuts() {
  const Stream two = plain<Framer>();
  return !first_difference<Framer>(plain_argument<Framer>, two, every_cut(two));
}

// The ways to feed a stream where cuts are not what the check is about.
template <class Framer>
std::vector<Texts> fair_ways(const Stream& stream) {
  return masters_cuts<Framer>() ? every_cut(stream) : message_by_message(stream);
}

template <class Framer>
std::optional<Difference> first_difference(std::size_t argument, const Stream& stream) {
  return first_difference<Framer>(argument, stream, fair_ways<Framer>(stream));
}

std::string listed(const Texts& texts, const std::string& separator) {
  constexpr std::size_t texts_max = 4;
  std::string list;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i == 0 && texts.size() > texts_max) list = "... ";
    if (i + texts_max < texts.size()) continue;
    list += (list.empty() || i + texts_max == texts.size() ? "" : separator) + shown(texts[i]);
  }
  return list.empty() ? "nothing" : list;
}

// Fails the check with `sentence` and what it was seen in.
void tell(const std::string& sentence, const Difference& difference) {
  const std::string got = difference.thrown ? "an exception, \"" + *difference.thrown + "\""
                                            : listed(difference.got, ", ");
  fail(sentence + "\n  fed:    " + listed(difference.fed, " | ") +
       "\n  wanted: " + listed(difference.wanted, ", ") + "\n  got:    " + got);
}

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
           .why = "The program at the other end may be written by somebody else and run on another "
                  "machine: the four bytes are all that the two share.",
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
      return grader::fail(format("to_be32(%u) went out as %s; the protocol wants %s.", sample.value,
                                 hexadecimal(got).c_str(), hexadecimal(sample.wire).c_str()));
  }
  for (const Sample& sample : samples) {
    const auto got = scenario.run([&] { return course::from_be32(sample.wire); });
    if (got != sample.value)
      return grader::fail(format("%s is %u; from_be32 read %u. Keep to unsigned types, and the most "
                                 "significant byte comes first.",
                                 hexadecimal(sample.wire).c_str(), sample.value, got));
  }
}

// Rule: a message of a fixed size has at least one byte, or there would be infinitely many.
TEST(FixedFramer, RefusesASizeOfZero) {
  explain({.rule = "A FixedFramer of size 0 cannot be made: std::invalid_argument.",
           .why = "Any stream holds as many messages of no bytes as you like, so next() would never "
                  "say that there is none.",
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
      return format("the exception was not std::invalid_argument, but said \"%s\"",
                    exception.what());
    }
  });

  expect_that(answer == "refused", "A FixedFramer of size 0 was asked for, and " + answer +
                                       ". Messages of no bytes would be messages without end: "
                                       "throw std::invalid_argument.");
}

// Rule: a stream has no boundaries; a message can come in as many pieces as it has bytes.
TEST(FixedFramer, JoinsAMessageThatCameInPieces) {
  explain({.rule = "However a message is cut, next() hands it out once, and not before it is whole.",
           .why = "Where one recv ends says nothing about where a message ends.",
           .read = "The rule"});
  const Stream stream = {{"harbor", "harbor"}};
  Scenario scenario;

  const auto seen = scenario.run(
      [&] { return first_difference<FixedFramer>(6, stream, every_cut(stream)); });

  if (!seen) return;
  if (seen->came_early())
    tell(format("%zu of 6 bytes had come, and next() took them for a message. It is not whole yet: "
                "keep what came.",
                seen->bytes_fed()),
         *seen);
  else if (seen->fed.back().empty())
    tell("A feed of no bytes changed something. It is neither a message nor the end of one.",
         *seen);
  else
    tell("The message came in pieces, and they were not put together. Keep the earlier ones until "
         "the last has come.",
         *seen);
}

// Rule: a line ends with LF; a CR straight before the LF belongs to the ending.
TEST(LineFramer, DropsOnlyTheCrOfTheEnding) {
  explain({.rule = "A line ends with LF or CR LF, and neither is part of it; a CR anywhere else is.",
           .why = "Two programs that disagree on where a line ends can be made to disagree on what "
                  "was said.",
           .read = "The rule"});
  const Stream streams[] = {{{"harbor\n", "harbor"}},       {{"harbor\r\n", "harbor"}},
                            {{"40%\r60%\n", "40%\r60%"}},   {{"\rharbor\n", "\rharbor"}},
                            {{"harbor\r\r\n", "harbor\r"}}, {{"\r \r\r\n", "\r \r"}}};
  Scenario scenario;

  const auto seen = scenario.run([&]() -> std::optional<Difference> {
    for (const Stream& stream : streams)
      if (auto difference = first_difference<LineFramer>(80, stream)) return difference;
    return std::nullopt;
  });

  if (!seen) return;
  if (seen->got.size() != seen->wanted.size())
    tell("A line ends with LF, alone or behind a CR. Nothing else ends it.", *seen);
  else if (seen->got.front() == seen->wanted.front() + "\r")
    tell("The CR straight before the LF came out as part of the line. It belongs to the ending.",
         *seen);
  else
    tell("Only the CR straight before the LF belongs to the ending. Every other one is part of the "
         "line.",
         *seen);
}

// Rule: a line can be cut anywhere, between the CR and the LF of its ending too.
TEST(LineFramer, JoinsALineThatCameInPieces) {
  explain({.rule = "However a line is cut, its ending too, next() hands it out once, and not before "
                   "its LF has come.",
           .why = "Where one recv ends says nothing about where a line ends.",
           .read = "The rule"});
  const Stream streams[] = {{{"harbor\n", "harbor"}}, {{"market\r\n", "market"}}};
  Scenario scenario;

  const auto seen = scenario.run([&]() -> std::optional<Difference> {
    for (const Stream& stream : streams)
      if (auto difference = first_difference<LineFramer>(80, stream, every_cut(stream)))
        return difference;
    return std::nullopt;
  });

  if (!seen) return;
  const bool is_cut_in_the_ending = seen->fed.size() == 2 && seen->fed.back() == "\n";
  if (seen->fed.back().empty())
    tell("A feed of no bytes changed something. It is neither a line nor the end of one.", *seen);
  else if (seen->came_early())
    tell("The line has no ending yet, and next() handed out what had come of it. Keep the pieces "
         "until its LF comes.",
         *seen);
  else if (is_cut_in_the_ending && seen->fed.front().ends_with('\r'))
    tell("The ending was cut between two feeds: the CR came with the first, the LF with the second. "
         "Look for it in the joined bytes.",
         *seen);
  else
    tell("The line came in pieces, and they were not put together. Keep the earlier ones until its "
         "LF comes.",
         *seen);
}

// Rule: the limit is what a line may hold; its ending does not count.
TEST(LineFramer, AcceptsALineUpToTheLimit) {
  explain({.rule = "A line may be as long as the limit, its ending not counted. One byte over it "
                   "may still be the CR of the ending.",
           .why = "A limit that is off by one refuses what the protocol allows, perhaps once a year.",
           .read = "Your task"});
  const Stream streams[] = {{{"harbor\n", "harbor"}}, {{"market\r\n", "market"}}};
  Scenario scenario;

  const auto seen = scenario.run([&]() -> std::optional<Difference> {
    for (const Stream& stream : streams)
      if (auto difference = first_difference<LineFramer>(6, stream)) return difference;
    return std::nullopt;
  });
  const auto seen_without_limit =
      scenario.run([&] { return first_difference<LineFramer>(largest, streams[1]); });

  if (seen && seen->is_refusal && seen->fed.back().ends_with('\r'))
    tell("The limit is 6, 6 bytes and a CR had come, and they were refused. The CR may be the first "
         "half of the ending: only the next byte tells.",
         *seen);
  else if (seen)
    tell("The limit is 6, and a line of 6 bytes did not come out. The bytes of its ending are not "
         "counted.",
         *seen);
  else if (seen_without_limit && seen_without_limit->is_refusal)
    tell("With the largest limit that there is, a line of 6 bytes was refused. The largest limit "
         "plus one is 0.",
         *seen_without_limit);
  else if (seen_without_limit)
    tell("With the largest limit that there is, a line of 6 bytes did not come out. A limit is what "
         "you would keep, not what you need.",
         *seen_without_limit);
}

// Rule: a line over the limit is not handed out, whole or in part.
TEST(LineFramer, RefusesALineOverTheLimit) {
  explain({.rule = "For a whole line that is over the limit feed() or next() throws MessageTooLong.",
           .why = "Whoever reads your lines relies on the limit, for a buffer or a column of that "
                  "size.",
           .read = "Your task"});
  const Stream streams[] = {{{"harbors\n", ""}}, {{"markets\r\n", ""}}, {{"harbor\r\r\n", ""}},
                            {{"a harbor at night\n", ""}}};
  Scenario scenario;

  const auto seen = scenario.run([&]() -> std::optional<Difference> {
    for (const Stream& stream : streams)
      for (const Texts& pieces : fair_ways<LineFramer>(stream)) {
        LineFramer framer(6);
        Difference story{.fed = pieces};
        try {
          for (const std::string& piece : pieces) {
            feed(framer, piece);
            for (const std::string& text : take(framer)) story.got.push_back(text);
          }
          return story;
        } catch (const MessageTooLong&) {
          if (!story.got.empty()) return story;
        }
      }
    return std::nullopt;
  });

  if (!seen) return;
  const std::size_t size = seen->fed.size() == 1 ? seen->fed.front().find_first_of("\n") : 0;
  (void)size;
  grader::fail("The limit is 6, the line is longer, and next() " +
               (seen->got.empty() ? "says nothing"s : "handed out " + listed(seen->got, ", ")) +
               ". Throw MessageTooLong: half an order is not an order.\n  fed:    " +
               listed(seen->fed, " | "));
}

// Rule: what strangers send is kept up to a limit; a line without an end is refused while it grows.
TEST(LineFramer, RefusesALineWithoutAnEnd) {
  explain({.rule = "feed() throws MessageTooLong as soon as the unfinished line cannot be within the "
                   "limit any more.",
           .why = "A peer that never sends LF would fill your memory, one harmless piece at a time.",
           .read = "The rule"});
  struct Sample {
    std::string bytes;
    std::size_t hopeless_at;  // from this many bytes on
  };
  const Sample samples[] = {{"harbors", 7},
                            {"a harbor at night", 7},
                            {"harbor\rs", 8},
                            {"harbor\r\r", 8},
                            {"inn\nharbors", 11}};
  Scenario scenario;

  const auto seen = scenario.run([&]() -> std::optional<Difference> {
    for (const Sample& sample : samples)
      for (const Texts& pieces : fair_ways<LineFramer>({{sample.bytes, ""}})) {
        LineFramer framer(6);
        Difference story;
        try {
          for (const std::string& piece : pieces) {
            story.fed.push_back(piece);
            feed(framer, piece);
            if (story.bytes_fed() >= sample.hopeless_at) return story;
            (void)take(framer);
          }
        } catch (const MessageTooLong&) {
        }
      }
    return std::nullopt;
  });

  if (!seen) return;
  grader::fail("The limit is 6, and feed() kept more of a line that has no ending yet" +
               (seen->fed.back().back() == '\r' || seen->bytes_fed() == 8
                    ? ", and only one CR can belong to the ending"s
                    : ""s) +
               ". It cannot be within the limit any more: refuse it now, or it grows for as long as "
               "the peer likes.\n  fed:    " +
               listed(seen->fed, " | "));
}
