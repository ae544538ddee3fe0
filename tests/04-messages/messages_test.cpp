// The graded checks of lesson 04, in the order of the stub: byte order and fixed sizes. The lengths
// in samples are written out, not made by to_be32.
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

LESSON("04-messages");

namespace {

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
  else if (seen->came_whole())
    tell("The message came in one piece, 6 bytes, and did not come out as it is.", *seen);
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
