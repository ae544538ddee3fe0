/// @file
/// Virtual time: nanoseconds since the scenario began.
#pragma once

#include <chrono>
#include <string>

namespace grader {

using namespace std::chrono_literals;

/// A point in virtual time (since the scenario began) or a span of it.
using Time = std::chrono::nanoseconds;

/// `start` + `span`, and no overflow: the longest Time at the most.
constexpr Time sum(Time start, Time span) {
  return span > Time::max() - start ? Time::max() : start + span;
}

/// No scenario lasts that long: a wait until then is a wait for ever.
constexpr Time far_future = 24h * 365 * 100;

/// "2.5 s": seconds with as many digits as are needed, at most nine.
std::string to_text(Time time);

class RealClock;

/// The clock that the program sees. It stands still while the program computes and moves only when
/// a simulated call waits, to the next event or to the call's timeout.
class VirtualClock {
 public:
  [[nodiscard]] Time now() const { return real_ == nullptr ? now_ : real_now(); }

  /// Shows the time of `clock`, in real time.
  void follow(const RealClock& clock) { real_ = &clock; }

  /// Never moves backwards.
  void advance_to(Time time) {
    if (time > now_) now_ = time;
  }

  /// What CLOCK_REALTIME shows beyond the steady clock: a step of the wall clock changes only this.
  void step_wall_clock(Time by) { wall_offset_ += by; }

  [[nodiscard]] Time steady() const { return std::chrono::seconds(5000) + now_; }
  [[nodiscard]] Time wall() const {
    return std::chrono::seconds(1'700'000'000) + now_ + wall_offset_;
  }

 private:
  [[nodiscard]] Time real_now() const;
  Time now_{0};
  Time wall_offset_{0};
  const RealClock* real_ = nullptr;  ///< borrowed; none in the simulation
};

}  // namespace grader
