/// @file
/// A TimedChat with a listener, the people who come to it, and what the learner reads when somebody
/// is told something at the wrong time.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../15-echo-server/serving.hpp"
#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "17-timers/timers.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// Accepts clients for a TimedChat: what a program with such a chat does.
class AcceptingChat {
 public:
  AcceptingChat(course::Fd listener, course::ChatTimes times, course::LineLimits limits)
      : listener_(std::move(listener)), chat_(std::make_unique<course::TimedChat>(times, limits)) {
    course::set_nonblocking(listener_.get(), true);
  }

  void step(course::Deadline deadline, int /*wake_up*/) {
    const std::array others = {listener_.get()};
    if (chat_->step(deadline, others).empty()) return;
    while (auto client = course::try_accept(listener_.get())) chat_->admit(std::move(*client));
  }

  /// The chat moves to another object; the old one stays, empty.
  void move_house() {
    old_ = std::move(chat_);
    chat_ = std::make_unique<course::TimedChat>(std::move(*old_));
  }

  [[nodiscard]] course::TimedChat& chat() { return *chat_; }
  [[nodiscard]] std::size_t connections() const { return chat_->connections(); }

 private:
  course::Fd listener_;
  std::unique_ptr<course::TimedChat> chat_, old_;
};

/// A chat with these times, and whoever comes.
class Chatting : public Serving<AcceptingChat> {
 public:
  explicit Chatting(const course::ChatTimes& times, const course::LineLimits& limits = {}) {
    start(times, limits);
  }

  /// Somebody who connects at `time`, and says at once that this is its name.
  Peer& joins(const std::string& name, Time time) {
    return peer(name).at(time).connects().sends(name + "\n");
  }

  /// Lets it take turns until then, in one run, but no more than `turns_max`: of a chat that looks
  /// at its times again and again the check shall say how often. Returns how many.
  std::size_t serve_some(Time end, std::size_t turns_max) {
    std::size_t turns = 0;
    run([&] {
      for (; now() < end && turns < turns_max; ++turns)
        server().step(course::Deadline::after(end - now()), -1);
    });
    return turns;
  }

  /// The program waits for something else until then: the chat gets no turn.
  void is_busy_until(Time end) {
    run([&] {
      while (now() < end)
        (void)course::select_until({}, {}, {}, course::Deadline::after(end - now()));
    });
  }

  /// It takes turns until then, within a run.
  void take_turns_until(Time end) {
    while (now() < end) server().step(course::Deadline::after(end - now()), -1);
  }

  /// @name Runs of their own
  /// @{
  void end(const std::string& line) {
    run([&] { server().chat().end(line); });
  }
  void drop_all() {
    run([&] { server().chat().drop_all(); });
  }
  /// @}

  [[nodiscard]] course::TimedChat& chat() { return server().chat(); }
  [[nodiscard]] std::size_t connections() { return server().connections(); }
};

/// For who counts in milliseconds and rounds up.
constexpr Time rounding_max = 2ms;

inline bool is_on_time(std::optional<Time> came, Time wanted) {
  return came && *came >= wanted && *came <= wanted + rounding_max;
}

inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

/// When `who` had all of `line`.
inline std::optional<Time> time_of(const Peer& who, const std::string& line) {
  const std::size_t begin = who.received().find(line + "\n");
  return begin == std::string::npos ? std::nullopt : who.received_at(begin + line.size());
}

/// `who` must have been told `line` at `wanted`. `story` says what happened before; `advice` what
/// to do.
inline bool expect_line(const Peer& who, const std::string& line, Time wanted,
                        const std::string& story, const std::string& advice,
                        Where where = Where::here()) {
  const auto came = time_of(who, line);
  const std::string what = came ? "got it at " + shown(*came) : "never did";
  return expect_that(
      is_on_time(came, wanted),
      format("%s. So %s was to get %s at %s, and %s. %s", story.c_str(), who.name().c_str(),
             quoted(line, 60).c_str(), shown(wanted).c_str(), what.c_str(), advice.c_str()),
      where);
}

/// `who` must have been told `line`, be closed at the same time, and be told nothing after it.
inline bool expect_goodbye(const Peer& who, const std::string& line, Time wanted,
                           const std::string& story, const std::string& advice,
                           Where where = Where::here()) {
  if (!expect_line(who, line, wanted, story, advice, where)) return false;
  const auto end = who.end_at();
  const bool is_last = who.received().ends_with(line + "\n");
  return expect_that(is_on_time(end, wanted) && is_last,
                     format("%s: %s got %s, and after that %s. It is the last line: close the "
                            "connection when it is sent.",
                            story.c_str(), who.name().c_str(), quoted(line, 60).c_str(),
                            !is_last            ? "others"
                            : end               ? ("the end only at " + shown(*end)).c_str()
                            : who.saw_a_reset() ? "a reset"
                                                : "nothing, and no end"),
                     where);
}

/// `who` must still be connected.
inline bool expect_stays(const Peer& who, const std::string& story, Where where = Where::here()) {
  const bool is_gone = who.saw_the_end() || who.saw_a_reset();
  const auto lines = lines_of(who.received());
  return expect_that(
      !is_gone,
      format("%s Its time was not up, and %s was sent away with %s.", story.c_str(),
             who.name().c_str(), lines.empty() ? "nothing" : quoted(lines.back(), 60).c_str()),
      where);
}

/// `who` must have been told these lines and nothing else.
inline bool expect_heard(const Peer& who, const std::vector<std::string>& wanted,
                         const std::string& story, Where where = Where::here()) {
  const auto got = lines_of(who.received());
  for (std::size_t i = 0; i < std::max(got.size(), wanted.size()); ++i) {
    const std::string is = i < got.size() ? quoted(got[i], 60) : "nothing";
    const std::string should_be = i < wanted.size() ? quoted(wanted[i], 60) : "nothing";
    if (is != should_be)
      return expect_that(false,
                         format("%s Line %zu for %s was %s, and not %s.", story.c_str(), i + 1,
                                who.name().c_str(), is.c_str(), should_be.c_str()),
                         where);
  }
  return true;
}

/// The last lines of those whose time is up.
inline const std::string no_name = "! no name: goodbye";
inline const std::string line_late = "! a line takes too long: goodbye";
inline const std::string idle = "! idle: goodbye";

}  // namespace grader
