/// @file
/// Streams of messages, cut in every way, and what a framer makes of them.
///
/// A check of this lesson judges one thing only. A framer that cannot join or take apart plain
/// messages fails the checks that are about that; in all others it gets each message in a feed of
/// its own.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "04-messages/messages.hpp"
#include "scenario/check.hpp"

namespace cuts {

using namespace std::string_literals;

using Texts = std::vector<std::string>;

/// A message as it travels, and as it is handed out.
struct Message {
  std::string wire, text;
};
using Stream = std::vector<Message>;

/// The largest limit of a framer that there is: none.
constexpr std::size_t largest_limit = std::numeric_limits<std::size_t>::max();

/// The feed after which something else came out than should have.
struct Difference {
  std::string framer;  ///< "LineFramer"
  Texts fed;           ///< all pieces up to and with that feed
  Texts wanted, got;
  bool is_refusal = false;               ///< MessageTooLong
  std::optional<std::string> exception;  ///< what() of any exception

  [[nodiscard]] bool came_early() const { return wanted.empty() && !got.empty(); }
  /// Even uncut: the first feed brought all that was wanted.
  [[nodiscard]] bool came_whole() const { return fed.size() == 1 && !wanted.empty(); }
};

/// What a check is about, and so what it may not take for granted.
enum class About {
  pieces,    ///< joining one message
  together,  ///< taking apart messages that came together
  other,     ///< something else
};

/// What the checks must know about a framer: ordinary messages, and what to make it with for them.
template <class Framer>
struct Kind;
template <>
struct Kind<course::FixedFramer> {
  static constexpr const char* name = "FixedFramer";
  static constexpr std::size_t argument = 5;
  static Stream plain() { return {{"north", "north"}, {"south", "south"}}; }
};
template <>
struct Kind<course::LineFramer> {
  static constexpr const char* name = "LineFramer";
  static constexpr std::size_t argument = 80;
  static Stream plain() { return {{"north\n", "north"}, {"south\r\n", "south"}}; }
};
template <>
struct Kind<course::PrefixFramer> {
  static constexpr const char* name = "PrefixFramer";
  static constexpr std::size_t argument = 80;
  static Stream plain() { return {{"\0\0\0\5north"s, "north"}, {"\0\0\0\5south"s, "south"}}; }
};

/// Feeds a copy: feed() is to keep what it is given, and no more. So other bytes stand behind the
/// piece, and its memory is used again afterwards.
template <class Framer>
void feed(Framer& framer, const std::string& piece) {
  std::string lent = piece + "~~~~";
  framer.feed(course::as_bytes(std::string_view(lent).substr(0, piece.size())));
  std::fill(lent.begin(), lent.end(), '#');
}

/// Adds all that next() hands out to `texts`; not for ever.
template <class Framer>
void take(Framer& framer, Texts& texts) {
  constexpr std::size_t messages_max = 100;
  for (auto text = framer.next(); text && texts.size() < messages_max; text = framer.next())
    texts.push_back(*text);
}

template <class Framer>
Texts take(Framer& framer) {
  Texts texts;
  take(framer, texts);
  return texts;
}

/// What next() hands out after a refusal, which it may repeat. It is to be nothing, or what came
/// whole before.
template <class Framer>
Texts take_after_refusal(Framer& framer) {
  Texts texts;
  for (int i = 0; i < 4; ++i) {
    try {
      if (const auto text = framer.next()) texts.push_back(*text);
    } catch (const course::MessageTooLong&) {
    }
  }
  return texts;
}

inline std::string joined(const Texts& pieces) {
  std::string all;
  for (const std::string& piece : pieces) all += piece;
  return all;
}

inline Texts wires_of(const Stream& stream) {
  Texts wires;
  for (const Message& message : stream) wires.push_back(message.wire);
  return wires;
}

/// `bytes` in one piece, in two, cut at every place, and byte by byte with empty pieces between.
inline std::vector<Texts> every_cut(const std::string& bytes) {
  std::vector<Texts> ways = {{bytes}};
  for (std::size_t at = 1; at < bytes.size(); ++at)
    ways.push_back({bytes.substr(0, at), bytes.substr(at)});
  Texts single;
  for (const char byte : bytes) single.insert(single.end(), {std::string(1, byte), ""});
  ways.push_back(single);
  return ways;
}

/// Feeds a stream in each of these ways and asks for messages after each piece.
template <class Framer>
std::optional<Difference> first_difference(std::size_t argument, const Stream& stream,
                                           const std::vector<Texts>& ways) {
  for (const Texts& pieces : ways) {
    Framer framer(argument);
    Difference story;
    story.framer = Kind<Framer>::name;
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
        take(framer, story.got);
      } catch (const std::exception& exception) {
        story.is_refusal = dynamic_cast<const course::MessageTooLong*>(&exception) != nullptr;
        story.exception = exception.what();
      }
      if (story.exception || story.got != story.wanted) return story;
    }
  }
  return std::nullopt;
}

template <class Framer>
bool masters(const Stream& stream) {
  return !first_difference<Framer>(Kind<Framer>::argument, stream,
                                   every_cut(joined(wires_of(stream))));
}

/// Whether an ordinary message comes out that came in one piece.
template <class Framer>
bool hands_out_anything() {
  const Stream stream = {Kind<Framer>::plain().front()};
  return !first_difference<Framer>(Kind<Framer>::argument, stream, {wires_of(stream)});
}

/// The ways to feed `stream` that are fair in a check about `about`.
template <class Framer>
std::vector<Texts> ways_to_feed(const Stream& stream, About about = About::other) {
  const Stream plain = Kind<Framer>::plain();
  const std::string bytes = joined(wires_of(stream));
  if (about == About::together && !masters<Framer>({plain.front()})) return {{bytes}};
  if (about == About::other && !masters<Framer>(plain)) return {wires_of(stream)};
  return every_cut(bytes);
}

template <class Framer>
std::optional<Difference> first_difference(std::size_t argument, const std::vector<Stream>& streams,
                                           About about = About::other) {
  for (const Stream& stream : streams)
    if (auto difference =
            first_difference<Framer>(argument, stream, ways_to_feed<Framer>(stream, about)))
      return difference;
  return std::nullopt;
}

/// A stream for each framer; fixed messages have 4 bytes. An empty stream: not for this one.
struct Streams {
  Stream fixed, lines, prefixed;
};

inline std::optional<Difference> first_difference(const Streams& streams,
                                                  About about = About::other) {
  std::optional<Difference> seen;
  if (!streams.fixed.empty())
    seen = first_difference<course::FixedFramer>(4, {streams.fixed}, about);
  if (!seen) seen = first_difference<course::LineFramer>(80, {streams.lines}, about);
  if (!seen) seen = first_difference<course::PrefixFramer>(80, {streams.prefixed}, about);
  return seen;
}

/// "north" | "ea": the last few, if there are many.
inline std::string listed(const Texts& texts, const std::string& separator) {
  constexpr std::size_t texts_max = 4;
  if (texts.empty()) return "nothing";
  const std::size_t first = texts.size() > texts_max ? texts.size() - texts_max : 0;
  std::string list = first > 0 ? "..." + separator : "";
  for (std::size_t i = first; i < texts.size(); ++i)
    list += (i > first ? separator : "") + grader::shown(texts[i]);
  return list;
}

/// Fails the check with `sentence` and what was fed when it happened.
inline void tell(const std::string& sentence, const Texts& fed,
                 grader::Where where = grader::Where::here()) {
  grader::fail(sentence + "\n  fed:    " + listed(fed, " | "), where);
}

/// Fails the check with `sentence` and the difference.
inline void tell(const std::string& sentence, const Difference& seen,
                 grader::Where where = grader::Where::here()) {
  std::string got = seen.got.empty() && seen.exception ? "" : listed(seen.got, ", ");
  if (seen.exception) {
    if (!got.empty()) got += ", then ";
    got += seen.is_refusal ? "MessageTooLong" : "an exception, \"" + *seen.exception + "\"";
  }
  grader::fail(sentence + "\n  fed:    " + listed(seen.fed, " | ") +
                   "\n  wanted: " + listed(seen.wanted, ", ") + "\n  got:    " + got,
               where);
}

}  // namespace cuts
