// The graded checks of lesson 04 about messages that follow their length, which is written out in
// the samples, not made by to_be32.
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
  else if (seen->came_whole())
    tell(
        "Length and message came in one piece, and the message did not come out as it is. The "
        "first four bytes are its length, as from_be32 reads it; the message follows.",
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
  // The limit allows to reserve 4 GiB: that is std::bad_alloc here, but a sanitizer provides them.
  const Stream beginning = {{"\xff\xff\xff\xffharbor", ""}};
  const auto seen_with_largest = scenario.run([&]() -> std::optional<Difference> {
    if (is_sanitized()) return std::nullopt;
    for (const Texts& pieces : ways_to_feed<PrefixFramer>(beginning))
      if (auto difference = first_difference<PrefixFramer>(largest_limit, Stream{}, {pieces}))
        if (difference->exception != "std::bad_alloc" || !difference->got.empty())
          return difference;
    return std::nullopt;
  });
  const Stream empty = {{"\0\0\0\0"s, ""}};
  const auto seen_with_none = scenario.run([&] {
    return first_difference<PrefixFramer>(80, {empty}) ? std::nullopt
                                                       : first_difference<PrefixFramer>(0, {empty});
  });

  if (seen && seen->is_refusal)
    tell(
        "The limit is 6, and a message of 6 bytes was refused. The bytes of its length are not "
        "counted.",
        *seen);
  else if (seen)
    tell("The limit is 6, and a message of 6 bytes did not come out as it is.", *seen);
  else if (seen_with_large && !seen_with_large->got.empty())
    fail(
        format("The length 00 01 00 40 says 65600 bytes, and a message of %zu bytes came out. A "
               "length has 32 bits: keep them all.",
               seen_with_large->got.front().size()));
  else if (seen_with_large)
    fail("The limit is 65600, and a message of 65600 bytes did not come out.");
  else if (seen_with_largest)
    tell(
        "The length ff ff ff ff says 4294967295 bytes, 6 have come, and they seemed to be enough. "
        "In 32 bits, 4294967295 plus 4 is 3.",
        *seen_with_largest);
  else if (seen_with_none)
    tell("With a limit of 0, an empty message did not come out. It has 0 bytes, which is not more.",
         *seen_with_none);
}

// Rule: a length is a claim; it is compared with the limit before anything else is done with it.
TEST(PrefixFramer, RefusesFromTheLengthAlone) {
  explain({.rule = "next() throws MessageTooLong as soon as the four bytes of a length over the "
                   "limit are there, before any memory is reserved. A limit of 0 allows only empty "
                   "messages.",
           .why = "Four bytes are enough for anybody to announce 4 GiB.",
           .read = "The rule"});
  struct Sample {
    std::size_t limit;
    std::string wire;
  };
  const Sample samples[] = {{6, "\0\0\0\7"s},
                            {6, "\0\0\0\7harbors"s},
                            {6, "\x80\0\0\6harbor"s},
                            {6, "\xff\xff\xff\xff"s},
                            {0, "\0\0\0\1x"s}};
  constexpr std::size_t much_bytes = 256 << 10;
  std::size_t limit = 0;
  Scenario scenario;

  const Texts kept = scenario.run([&] {
    for (const Sample& sample : samples)
      for (const Texts& pieces : ways_to_feed<PrefixFramer>({{sample.wire, ""}})) {
        Texts fed;
        limit = sample.limit;
        try {
          PrefixFramer framer(limit);
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
      PrefixFramer framer(1000);
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
    tell(format("The limit is %zu, the length says %zu, and next() did not refuse it. The length "
                "alone says that the message is too long: do not wait for it.",
                limit, limit + 1),
         kept);
  else
    expect_that(scenario.allocated().largest_bytes < much_bytes,
                format("The limit is 1000, the length says 67108864, and %zu bytes were "
                       "reserved before it was refused. Compare it with the limit first.",
                       scenario.allocated().largest_bytes));
}
