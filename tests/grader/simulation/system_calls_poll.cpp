// poll and ppoll.
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "libc/real_libc.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

// poll(2): EINVAL when there are more entries than a process may have descriptors.
bool are_too_many(nfds_t count) {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 && count > limit.rlim_cur;
}

}  // namespace

// What holds for one entry: the kernel's answer, corrected by what the simulation models.
short SystemCalls::events_now(const pollfd& asked) const {
  if (asked.fd < 0) return 0;
  if (!simulation_.is_open(asked.fd)) return POLLNVAL;
  pollfd entry{asked.fd, asked.events, 0};
  if (real().poll(&entry, 1, 0) < 0) return 0;
  OpenFile* file = simulation_.descriptors.file(asked.fd);
  if (file == nullptr) return entry.revents;
  constexpr short to_read = POLLIN | POLLRDNORM, to_write = POLLOUT | POLLWRNORM;
  if ((asked.events & to_read) != 0 && std::exchange(file->spurious_readiness, false))
    return static_cast<short>(entry.revents | (asked.events & to_read));
  if (entry.revents == 0) return 0;
  if (file->attempt && file->attempt->error_is_modelled)
    entry.revents = static_cast<short>(entry.revents | POLLERR);
  if (file->is_connecting()) return 0;
  const Connection* c = file->connection;
  const bool is_full = c != nullptr && c->is_orphaned_pipe() && !c->is_writable();  // POLLERR alone
  if ((entry.revents & to_write) != 0 && (is_full || !is_ready(asked.fd, POLLOUT)))
    return static_cast<short>(entry.revents & ~to_write);
  return entry.revents;
}

Answer SystemCalls::poll(const char* function, pollfd* entries, nfds_t count,
                         std::optional<RawTimeout> timeout, const sigset_t* mask) {
  const Time start = simulation_.clock.now();
  const nfds_t readable_count = are_too_many(count) ? 0 : count;
  WaitingCall asked = waiting_call(function, static_cast<long>(count), timeout, mask);
  asked.watched = asked_of(entries, readable_count);
  const std::string what = readable_count == count
                               ? "{" + asked_text(entries, count) + "}"
                               : format("%llu entries", static_cast<unsigned long long>(count));
  const std::string text =
      format("%s(%s, %s)", function, what.c_str(), timeout_text(asked).c_str());
  const auto call = begin(function, -1, text);
  const auto wait = simulation_.waits.begin(asked);
  if (readable_count != count || (timeout && !timeout->is_accepted()))
    return wait_failed(call, wait, asked, EINVAL);
  if (const auto error = simulation_.faults.next_error("select"))
    return wait_failed(call, wait, asked, *error);

  const auto deadline = asked.timeout ? std::optional(sum(start, *asked.timeout)) : std::nullopt;
  std::vector<short> found(count);
  const auto ready = [&] {
    for (nfds_t i = 0; i < count; ++i) found[i] = events_now(entries[i]);
    return std::any_of(found.begin(), found.end(), [](short events) { return events != 0; });
  };
  const auto woken = simulation_.wait({ready, deadline, text, false, mask});
  for (nfds_t i = 0; i < count; ++i) {
    entries[i].revents = found[i];
    if (found[i] == POLLNVAL) asked.not_open.push_back(entries[i].fd);
  }
  if (woken == Simulation::Woken::interrupted) return wait_failed(call, wait, asked, EINTR);
  asked.found = found_by(entries, count);
  const auto ready_count =
      std::count_if(found.begin(), found.end(), [](short events) { return events != 0; });
  return wait_done(call, wait, asked, ready_count, ", ready {" + found_text(entries, count) + "}");
}

}  // namespace grader
