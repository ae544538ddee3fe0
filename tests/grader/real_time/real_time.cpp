#include "real_time/real_time.hpp"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "libc/real_libc.hpp"
#include "report/recording.hpp"
#include "runner/check_process.hpp"

namespace grader {
namespace {

bool real_time_is_on = false;
Instants predicted_instants;

}  // namespace

Instants instants_of(const Recording& recording) {
  std::set<Time> instants = {Time{}};
  const auto count = std::min<std::uint32_t>(recording.instant_count, Recording::instants_max);
  for (std::uint32_t i = 0; i < count; ++i) instants.insert(Time(recording.instants_ns[i]));
  return {instants.begin(), instants.end()};
}

void run_in_real_time(Instants predicted) {
  real_time_is_on = true;
  predicted_instants = std::move(predicted);
}

bool is_real_time() { return real_time_is_on; }

void only_simulated(const char* what) {
  if (!real_time_is_on) return;
  put(current_recording().only_simulated, what);
  real().exit_now(0);
}

bool lacks(const char* records) {
  if (real_time_is_on) put(current_recording().lacked, records);
  return real_time_is_on;
}

Time VirtualClock::real_now() const { return real_->now(); }

Time RealClock::elapsed() const {
  return before_ + (goes_ ? Time(std::chrono::steady_clock::now() - since_) : Time{});
}

Time RealClock::now() const {
  const Time time = elapsed();
  const auto later = std::upper_bound(predicted_instants.begin(), predicted_instants.end(), time);
  if (later == predicted_instants.begin()) return time;
  const Time instant = *std::prev(later);
  return time - instant <= slack ? instant : time;
}

void RealClock::go_on() {
  since_ = std::chrono::steady_clock::now();
  goes_ = true;
}

void RealClock::stand_still() {
  before_ = now();
  goes_ = false;
}

}  // namespace grader
