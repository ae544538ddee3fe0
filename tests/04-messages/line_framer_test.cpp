// The graded checks of lesson 04 about lines.
#include "04-messages/messages.hpp"

#include <cstddef>
#include <ctime>
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
  else if (seen->came_whole())
    tell(
        "The line came in one piece, its ending too, and did not come out as it is. A line ends "
        "with LF, alone or behind a CR.",
        *seen);
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
  const std::vector<Stream> empty = {{{"\n", ""}}, {{"\r\n", ""}}};
  const auto seen_with_none = scenario.run([&] {
    return first_difference<LineFramer>(80, empty) ? std::nullopt
                                                   : first_difference<LineFramer>(0, empty);
  });

  if (seen && seen->is_refusal && seen->fed.back().ends_with('\r'))
    tell(
        "The limit is 6, 6 bytes and a CR had come, and they were refused. The CR may be the first "
        "half of the ending: only the next byte tells.",
        *seen);
  else if (seen && seen->is_refusal)
    tell(
        "The limit is 6, and a line of 6 bytes was refused. The bytes of its ending are not "
        "counted.",
        *seen);
  else if (seen)
    tell("The limit is 6, and a line of 6 bytes did not come out as it is.", *seen);
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
  else if (seen_with_none)
    tell("With a limit of 0, an empty line did not come out. It has 0 bytes, which is not more.",
         *seen_with_none);
}

// Rule: a line over the limit is not handed out, whole or in part.
TEST(LineFramer, RefusesALineOverTheLimit) {
  explain(
      {.rule =
           "For a line over the limit that has its ending, feed() or next() throws MessageTooLong, "
           "and no part of it is handed out. A limit of 0 allows only empty lines.",
       .why = "Whoever takes your lines relies on the limit, for a field or a column of that size.",
       .read = "Your task"});
  struct Sample {
    std::size_t limit;
    std::string line;
  };
  const Sample samples[] = {
      {6, "harbors\n"}, {6, "markets\r\n"}, {6, "a harbor at night\n"}, {0, "x\n"}};
  struct Accepted {
    std::size_t limit;
    Texts fed, got;
    bool was_refused = false;
  };
  Scenario scenario;

  const auto seen = scenario.run([&]() -> std::optional<Accepted> {
    for (const auto& [limit, line] : samples)
      for (const Texts& pieces : ways_to_feed<LineFramer>({{line, ""}})) {
        Accepted accepted{limit, {}, {}};
        LineFramer framer(limit);
        try {
          for (const std::string& piece : pieces) {
            accepted.fed.push_back(piece);
            feed(framer, piece);
            take(framer, accepted.got);
          }
          return accepted;
        } catch (const MessageTooLong&) {
          accepted.was_refused = true;
          for (const std::string& text : take_after_refusal(framer)) accepted.got.push_back(text);
          if (!accepted.got.empty()) return accepted;
        }
      }
    return std::nullopt;
  });

  if (!seen) return;
  const std::string but = format("The limit is %zu and the line is longer, but ", seen->limit);
  if (seen->got.empty())
    tell(but + "nobody said so. Throw MessageTooLong.", seen->fed);
  else if (seen->was_refused)
    tell(but + "MessageTooLong was thrown and next() still handed out " + listed(seen->got, ", ") +
             ". Nothing of a line that was refused may come out.",
         seen->fed);
  else
    tell(but + "next() handed out " + listed(seen->got, ", ") +
             ". Refuse it: a cut line is a different line.",
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
    std::size_t limit;
    Stream stream;
    std::size_t hopeless_at;  // from this many bytes on
  };
  const Sample samples[] = {{6, {{"harbors", ""}}, 7},
                            {6, {{"a harbor at night", ""}}, 7},
                            {6, {{"harbor\rs", ""}}, 8},
                            {6, {{"harbor\r\r", ""}}, 8},
                            {6, {{"inn\n", "inn"}, {"harbors", ""}}, 11},
                            {0, {{"x", ""}}, 1}};
  struct Kept {
    std::size_t limit;
    Texts fed, got;
  };
  Scenario scenario;

  const auto kept = scenario.run([&]() -> std::optional<Kept> {
    for (const Sample& sample : samples)
      for (const Texts& pieces : ways_to_feed<LineFramer>(sample.stream)) {
        Texts fed;
        LineFramer framer(sample.limit);
        try {
          for (const std::string& piece : pieces) {
            fed.push_back(piece);
            feed(framer, piece);
            if (joined(fed).size() >= sample.hopeless_at) return Kept{sample.limit, fed, {}};
            (void)take(framer);
          }
        } catch (const MessageTooLong&) {
          const Texts got = take_after_refusal(framer);
          if (!got.empty() && got.back() != sample.stream.front().text)
            return Kept{sample.limit, fed, got};
        }
      }
    return std::nullopt;
  });

  if (!kept) return;
  if (kept->got.empty())
    tell(format("The limit is %zu, and feed() kept %s of a line that has no ending yet. It cannot "
                "be within the limit any more: refuse it now, or it grows for as long as the peer "
                "likes.",
                kept->limit,
                byte_count(joined(kept->fed).size() - (joined(kept->fed).rfind('\n') + 1)).c_str()),
         kept->fed);
  else
    tell(format("The limit is %zu, feed() refused a line that has no ending, and next() still "
                "handed out ",
                kept->limit) +
             listed(kept->got, ", ") + ". Nothing of a line that was refused may come out.",
         kept->fed);
}

// Rule: what has been searched without success need not be searched again.
TEST(LineFramer, LooksAtEachByteOnce) {
  explain({.rule = "The work for an unfinished line grows with its length, not with the number of "
                   "its pieces.",
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
