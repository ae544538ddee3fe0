/// @file
/// How long to wait, and until when.
#pragma once

#include <chrono>
#include <optional>

namespace course {

/// A length of time. Any std::chrono duration from nanoseconds to hours converts to it: 250ms,
/// 1min.
using Duration = std::chrono::nanoseconds;

/// A point on std::chrono::steady_clock (the clock that nobody sets, clock_gettime(2),
/// CLOCK_MONOTONIC), or never. A plain value; owns nothing, blocks nowhere, never throws.
class Deadline {
 public:
  /// The deadline that lies `time` in the future; in the past, when it is negative. A time too long
  /// for the clock means never.
  [[nodiscard]] static Deadline after(Duration time) {
    const Point now = Clock::now();
    if (time > Point::max() - now) return never();
    return Deadline(now + time);
  }

  /// The deadline that never comes.
  [[nodiscard]] static Deadline never() { return Deadline(std::nullopt); }

  /// How much time is left, by the clock: zero when the deadline has passed,
  /// never less; nothing when it never comes.
  [[nodiscard]] std::optional<Duration> remaining() const {
    if (!at_) return std::nullopt;
    const Point now = Clock::now();
    return now < *at_ ? *at_ - now : Duration::zero();
  }

  /// Whether no time is left.
  [[nodiscard]] bool has_passed() const { return at_ && Clock::now() >= *at_; }

 private:
  using Clock = std::chrono::steady_clock;
  using Point = std::chrono::time_point<Clock, Duration>;
  explicit Deadline(std::optional<Point> at) : at_(at) {}

  std::optional<Point> at_;
};

}  // namespace course
