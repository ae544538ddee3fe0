/// @file
/// A TimerQueue whose functions say their names.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "17-timers/timers.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// Times are counted from a moment at which the machine has been running for a while.
class TimerLog {
 public:
  using Id = course::TimerQueue::Id;

  static course::TimerQueue::Point at(Time time) { return course::TimerQueue::Point(5000s + time); }

  /// Says its name, and then does `more`.
  std::function<void()> function(
      const std::string& name, std::function<void()> more = [] {}) {
    return [this, name, more = std::move(more)] {
      called += (called.empty() ? "" : " ") + name;
      more();
    };
  }

  Id add(
      const std::string& name, Time when, std::function<void()> more = [] {}) {
    return timers.add(at(when), function(name, std::move(more)));
  }
  Id every(
      const std::string& name, Time first, Time interval, std::function<void()> more = [] {}) {
    return timers.every(at(first), interval, function(name, std::move(more)));
  }

  /// run_due() at `now` must call these, in this order, and count them. `story` says what was due.
  bool expect_calls(Time now, const std::string& wanted, const std::string& story,
                    Where where = Where::here()) {
    called.clear();
    const std::size_t count = timers.run_due(at(now));
    std::size_t calls = called.empty() ? 0 : 1;
    for (const char c : called) calls += c == ' ' ? 1 : 0;
    const std::string instead = called.empty()   ? "nobody instead of " + wanted
                                : wanted.empty() ? called + ", and nobody was due"
                                                 : called + " instead of " + wanted;
    return expect_that(called == wanted,
                       format("%s. run_due() at %s called %s.", story.c_str(), shown(now).c_str(),
                              instead.c_str()),
                       where) &&
           expect_that(count == calls,
                       format("%s. run_due() at %s called %zu and returned %zu.", story.c_str(),
                              shown(now).c_str(), calls, count),
                       where);
  }

  /// cancel() must say `wanted`.
  bool expect_cancel(Id id, bool wanted, const std::string& story, Where where = Where::here()) {
    return expect_that(
        timers.cancel(id) == wanted,
        format("%s, and cancel() said %s.", story.c_str(), wanted ? "false" : "true"), where);
  }

  course::TimerQueue timers{};
  std::string called{};  ///< "a b c"
};

}  // namespace grader
