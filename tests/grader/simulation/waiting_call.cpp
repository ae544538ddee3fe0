#include "simulation/waiting_call.hpp"

#include <algorithm>
#include <limits>

#include "simulation/text.hpp"

namespace grader {
namespace {

constexpr std::int64_t seconds_max = std::numeric_limits<std::int64_t>::max();

struct EventName {
  short event;
  const char* name;
};
constexpr EventName event_names[] = {
    {POLLIN | POLLRDNORM, "in"}, {POLLPRI, "pri"}, {POLLOUT | POLLWRNORM, "out"},
    {POLLRDHUP, "rdhup"},        {POLLERR, "err"}, {POLLHUP, "hup"},
    {POLLNVAL, "nval"}};

// "in+out"; empty for none.
std::string events_text(short events) {
  std::string text;
  for (const auto& [event, name] : event_names)
    if ((events & event) != 0) text += (text.empty() ? "" : "+") + std::string(name);
  return text;
}

// A program's own set may be shorter than an fd_set. What lies behind it is read all the same, to
// explain a wrong nfds, and a sanitizer must not take that for the program's mistake.
__attribute__((no_sanitize("address"))) bool is_member(const fd_set* set, int fd) {
  return set != nullptr && FD_ISSET(fd, set);
}

std::string set_text(const char* name, const fd_set* set, int nfds) {
  if (set == nullptr) return {};
  std::string text = std::string(", ") + name + " {";
  for (int fd = 0; fd < std::min(nfds, FD_SETSIZE); ++fd)
    if (FD_ISSET(fd, set)) text += (text.back() == '{' ? "" : " ") + std::to_string(fd);
  return text + "}";
}

void make_a_set(std::vector<int>& descriptors) {
  std::sort(descriptors.begin(), descriptors.end());
  descriptors.erase(std::unique(descriptors.begin(), descriptors.end()), descriptors.end());
}

// Which of select's three conditions hold for `events` (fs/select.c: POLLIN_SET, POLLOUT_SET,
// POLLEX_SET).
bool is_reading(short events) { return (events & (POLLIN | POLLRDNORM | POLLRDBAND)) != 0; }
bool is_writing(short events) { return (events & (POLLOUT | POLLWRNORM | POLLWRBAND)) != 0; }

}  // namespace

bool RawTimeout::is_in_range() const {
  return unit == 1ms || (seconds >= 0 && fraction >= 0 && fraction < 1s / unit);
}

bool RawTimeout::is_accepted() const {
  return unit == 1us ? seconds >= 0 && fraction >= 0 : is_in_range();
}

Time RawTimeout::span() const {
  const std::int64_t per_second = 1s / unit;
  const Time below_a_second = unit * (fraction % per_second);
  const std::int64_t carried = fraction / per_second;
  constexpr std::int64_t longest = Time::max() / 1s - 1;
  if (seconds > longest - std::max<std::int64_t>(carried, 0)) return Time::max();
  if (seconds < -longest - std::min<std::int64_t>(carried, 0)) return -Time::max();
  return std::chrono::seconds(seconds + carried) + below_a_second;
}

RawTimeout RawTimeout::after(Time passed) const {
  const std::int64_t per_second = 1s / unit;
  const std::int64_t carried = fraction / per_second;
  std::int64_t whole = seconds > seconds_max - carried ? seconds_max : seconds + carried;
  Time rest = unit * (fraction % per_second) - passed % 1s;
  whole -= passed / 1s;
  if (rest < Time{}) {
    rest += 1s;
    --whole;
  }
  if (whole < 0) return {0, 0, unit};
  return {whole, rest / unit, unit};
}

std::string RawTimeout::to_text() const {
  if (is_in_range() && span() < Time::max()) return grader::to_text(span());
  return format("%s{%lld, %lld}", unit == 1us ? "timeval" : "timespec",
                static_cast<long long>(seconds), static_cast<long long>(fraction));
}

WaitLog::Id WaitLog::begin(WaitingCall call) {
  calls_.push_back(std::move(call));
  if (calls_.size() > calls_max) {
    calls_.pop_front();
    ++first_;
  }
  return count() - 1;
}

WaitingCall* WaitLog::find(Id id) { return id < first_ ? nullptr : &calls_[id - first_]; }

Watched SelectSets::members(int first, int end) const {
  Watched result;
  for (int fd = std::max(first, 0); fd < std::min(end, FD_SETSIZE); ++fd) {
    if (is_member(read, fd)) result.reading.push_back(fd);
    if (is_member(write, fd)) result.writing.push_back(fd);
    if (is_member(except, fd)) result.exceptional.push_back(fd);
  }
  return result;
}

Watched asked_of(const pollfd* entries, nfds_t count) {
  Watched result;
  for (const pollfd* entry = entries; entry != entries + count; ++entry) {
    if (entry->fd < 0) continue;
    if (is_reading(entry->events)) result.reading.push_back(entry->fd);
    if (is_writing(entry->events)) result.writing.push_back(entry->fd);
    if ((entry->events & POLLPRI) != 0) result.exceptional.push_back(entry->fd);
  }
  for (auto* list : {&result.reading, &result.writing, &result.exceptional}) make_a_set(*list);
  return result;
}

Watched found_by(const pollfd* entries, nfds_t count) {
  Watched result;
  for (const pollfd* entry = entries; entry != entries + count; ++entry) {
    const bool has_failed = (entry->revents & (POLLERR | POLLNVAL)) != 0;
    const bool has_ended = has_failed || (entry->revents & POLLHUP) != 0;
    if (is_reading(entry->events) && (has_ended || is_reading(entry->revents)))
      result.reading.push_back(entry->fd);
    if (is_writing(entry->events) && (has_failed || is_writing(entry->revents)))
      result.writing.push_back(entry->fd);
    if ((entry->revents & POLLPRI) != 0) result.exceptional.push_back(entry->fd);
  }
  for (auto* list : {&result.reading, &result.writing, &result.exceptional}) make_a_set(*list);
  return result;
}

std::string sets_text(const SelectSets& sets, int nfds) {
  return set_text("read", sets.read, nfds) + set_text("write", sets.write, nfds) +
         set_text("except", sets.except, nfds);
}

std::string asked_text(const pollfd* entries, nfds_t count) {
  std::string text;
  for (const pollfd* entry = entries; entry != entries + count; ++entry)
    text +=
        format("%s%d:%s", text.empty() ? "" : " ", entry->fd, events_text(entry->events).c_str());
  return text;
}

std::string found_text(const pollfd* entries, nfds_t count) {
  std::string text;
  for (const pollfd* entry = entries; entry != entries + count; ++entry)
    if (entry->revents != 0)
      text += format("%s%d:%s", text.empty() ? "" : " ", entry->fd,
                     events_text(entry->revents).c_str());
  return text;
}

std::string timeout_text(const WaitingCall& call) {
  const bool waits_for_ever = !call.timeout && call.raw_timeout && call.raw_timeout->unit == 1ms;
  if (waits_for_ever && call.raw_timeout->fraction < -1)
    return format("%lld: no timeout", static_cast<long long>(call.raw_timeout->fraction));
  return call.raw_timeout && !waits_for_ever ? call.raw_timeout->to_text() : "no timeout";
}

std::string not_open_text(const std::vector<int>& descriptors) {
  if (descriptors.empty()) return {};
  std::string text;
  for (const int fd : descriptors) text += std::to_string(fd) + " ";
  return text + (descriptors.size() == 1 ? "is not open" : "are not open");
}

}  // namespace grader
