/// @file
/// What happens just as the program enters a call, or when it has just returned from one.
#pragma once

#include <functional>
#include <list>
#include <string>
#include <utility>
#include <vector>

#include "simulation/faults.hpp"

namespace grader {

/// Deeds that wait for a certain call of the program.
class CallMoments {
 public:
  enum class When { before, after };

  /// The family of operator new, which is no call unless it is named.
  static constexpr const char* allocation = "new";

  /// Plans `deed` for the next call of `family` (family_of(); "": any call), after `skip` of them.
  void plan(When when, std::string family, int skip, std::function<void()> deed) {
    plans_.push_back({when, std::move(family), skip, std::move(deed)});
  }

  [[nodiscard]] bool empty() const { return plans_.empty(); }

  /// The deeds whose moment this is, in the order in which they were planned. `function` is as the
  /// interposer exports it.
  std::vector<std::function<void()>> take(When when, const char* function) {
    std::vector<std::function<void()>> due;
    const std::string family = family_of(function);
    for (auto plan = plans_.begin(); plan != plans_.end();) {
      const bool is_meant = plan->when == when &&
                            (plan->family.empty() ? family != allocation : plan->family == family);
      if (!is_meant || plan->skip-- > 0) {
        ++plan;
        continue;
      }
      due.push_back(std::move(plan->deed));
      plan = plans_.erase(plan);
    }
    return due;
  }

 private:
  struct Plan {
    When when;
    std::string family;
    int skip;
    std::function<void()> deed;
  };
  std::list<Plan> plans_;
};

}  // namespace grader
