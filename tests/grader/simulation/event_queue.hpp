/// @file
/// What is planned to happen, in one fixed order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "simulation/time.hpp"

namespace grader {

/// Planned deeds, by time; those of one instant in the order in which they were planned.
class EventQueue {
 public:
  /// Plans `deed` for the virtual time `when`; a time that has passed means: at the next
  /// opportunity.
  void plan(Time when, std::function<void()> deed) {
    planned_.emplace(std::pair(when, ++sequence_), std::move(deed));
  }

  /// When the next deed is due; nothing when none is planned.
  [[nodiscard]] std::optional<Time> next() const {
    if (planned_.empty()) return std::nullopt;
    return planned_.begin()->first.first;
  }

  /// Does the first deed that is due at `now`. False: none is.
  bool run_one(Time now) {
    if (planned_.empty() || planned_.begin()->first.first > now) return false;
    const std::function<void()> deed = std::move(planned_.begin()->second);
    planned_.erase(planned_.begin());
    deed();
    return true;
  }

 private:
  std::map<std::pair<Time, std::uint64_t>, std::function<void()>> planned_;
  std::uint64_t sequence_ = 0;
};

}  // namespace grader
