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

std::string family_of(std::string_view function) {
  if (function.starts_with("__")) function.remove_prefix(2);
  if (function.ends_with("_chk")) function.remove_suffix(4);
  static const std::map<std::string_view, const char*> families = {
      {"recvfrom", "recv"},  {"recvmsg", "recv"}, {"read", "recv"},    {"readv", "recv"},
      {"sendto", "send"},    {"sendmsg", "send"}, {"write", "send"},   {"writev", "send"},
      {"pselect", "select"}, {"poll", "select"},  {"ppoll", "select"}, {"accept4", "accept"},
      {"dup2", "dup"},       {"dup3", "dup"},     {"pipe2", "pipe"},   {"eventfd_read", "recv"},
      {"fcntl64", "fcntl"},  {"open64", "open"},  {"openat", "open"},  {"eventfd_write", "send"}};
  const auto found = families.find(function);
  return found == families.end() ? std::string(function) : found->second;
}

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
