#include "simulation/faults.hpp"

#include <algorithm>
#include <cerrno>

namespace grader {
namespace {

std::size_t limit(std::size_t wanted, std::size_t max, std::deque<std::size_t>& sizes) {
  if (!sizes.empty()) {
    const std::size_t size = sizes.front();
    sizes.pop_front();
    return std::min(wanted, size);
  }
  return max == 0 ? wanted : std::min(wanted, max);
}

}  // namespace

void Faults::fail(const std::string& function, int error, int times, int skip) {
  plans_[function].push_back({skip, times, error});
}

std::optional<int> Faults::next_error(const std::string& function) {
  if (const auto it = interrupted_.find(function); it != interrupted_.end()) {
    it->second = !it->second;
    if (it->second) return EINTR;
  }
  const auto it = plans_.find(function);
  if (it == plans_.end() || it->second.empty()) return std::nullopt;
  Plan& plan = it->second.front();
  if (plan.skip > 0) {
    --plan.skip;
    return std::nullopt;
  }
  const int error = plan.error;
  if (--plan.times == 0) it->second.pop_front();
  return error;
}

std::size_t Faults::limit_send(std::size_t offered) {
  return limit(offered, send_max_, send_sizes_);
}

std::size_t Faults::limit_recv(std::size_t asked) { return limit(asked, recv_max_, recv_sizes_); }

}  // namespace grader
