// select and pselect.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>

#include "libc/real_libc.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

// Copies the words that hold bits below nfds: select(2) touches no others (FDS_BYTES in the
// kernel's include/linux/poll.h), so a program's own sets may be no longer.
void copy_below(int nfds, const SelectSets& from, const SelectSets& to) {
  const auto words = static_cast<std::size_t>((std::min(nfds, FD_SETSIZE) + NFDBITS - 1) / NFDBITS);
  const auto copy = [words](const fd_set* source, fd_set* target) {
    if (source != nullptr) std::memcpy(target, source, words * sizeof(fd_mask));
  };
  copy(from.read, to.read);
  copy(from.write, to.write);
  copy(from.except, to.except);
}

}  // namespace

// A diagnosis: descriptors in the sets that select never looks at.
std::string SystemCalls::hidden_by_nfds(int nfds, const SelectSets& sets) const {
  std::string hidden;
  for (const auto& [fd, descriptor] : simulation_.descriptors.all())
    if (fd >= nfds && fd < FD_SETSIZE && !sets.members(fd, fd + 1).empty())
      hidden += format(" %d", fd);
  if (hidden.empty()) return {};
  return format(
      "select was called with nfds = %d while its sets hold descriptor%s; select looks only at "
      "descriptors "
      "below nfds",
      nfds, hidden.c_str());
}

void SystemCalls::outside_set(long fd) {
  simulation_.give_verdict(
      Verdict::outside_set,
      format("outside the set: FD_SET, FD_CLR or FD_ISSET was called with %ld, and an fd_set holds "
             "0 to %d. Refuse any other number before you touch the set.",
             fd, FD_SETSIZE - 1));
}

// The descriptors of the sets that are not open, lowest first; those at and above `end` do not
// count.
std::vector<int> SystemCalls::not_open(const Watched& watched, int end) const {
  std::vector<int> result;
  for (const auto* list : {&watched.reading, &watched.writing, &watched.exceptional})
    for (const int fd : *list)
      if (fd < end && !simulation_.is_open(fd)) result.push_back(fd);
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

// select(2) without waiting, with the kernel's answer corrected by what the simulation models.
int SystemCalls::look(int nfds, const SelectSets& sets) const {
  timeval zero{0, 0};
  fd_set asked_read;
  if (sets.read != nullptr) asked_read = *sets.read;
  int count = real().select(nfds, sets.read, sets.write, sets.except, &zero);
  if (count < 0) return count;
  for (const auto& [fd, descriptor] : simulation_.descriptors.all()) {
    if (fd >= nfds || fd >= FD_SETSIZE) continue;
    OpenFile& file = *descriptor.file;
    if (sets.write != nullptr && FD_ISSET(fd, sets.write) && !is_ready(fd, POLLOUT)) {
      FD_CLR(fd, sets.write);
      --count;
    }
    if (sets.read != nullptr && FD_ISSET(fd, sets.read) && file.is_connecting()) {
      FD_CLR(fd, sets.read);
      --count;
    }
    if (file.spurious_readiness && sets.read != nullptr && FD_ISSET(fd, &asked_read)) {
      file.spurious_readiness = false;
      if (!FD_ISSET(fd, sets.read)) {
        FD_SET(fd, sets.read);
        ++count;
      }
    }
  }
  return count;
}

Answer SystemCalls::select(const char* function, int nfds, const SelectSets& sets,
                           std::optional<RawTimeout> timeout, const sigset_t* mask,
                           std::optional<RawTimeout>* left) {
  const Time start = simulation_.clock.now();
  WaitingCall asked = waiting_call(function, nfds, timeout, mask);
  asked.watched = sets.members(0, nfds);
  asked.overlooked = sets.members(nfds, FD_SETSIZE);
  const std::string text = format("%s(%d%s, %s)", function, nfds, sets_text(sets, nfds).c_str(),
                                  timeout_text(asked).c_str());
  const auto call = begin(function, -1, text);
  if (!simulation_.diagnosis || simulation_.diagnoses_only_time)
    simulation_.recorder.hint(hidden_by_nfds(nfds, sets));
  const auto wait = simulation_.waits.begin(asked);
  asked.found = asked.watched;  // a failure leaves the sets alone
  // Also when it fails (poll_select_finish() in fs/select.c), and before handlers run.
  const auto leave_time = [&](Time used) {
    if (timeout && left != nullptr) *left = asked.left = timeout->after(used);
  };
  if (timeout && timeout->is_accepted()) leave_time(Time{});
  if (nfds < 0 || (timeout && !timeout->is_accepted()))
    return wait_failed(call, wait, asked, EINVAL);
  if (const auto error = simulation_.faults.next_error("select"))
    return wait_failed(call, wait, asked, *error);

  const auto deadline = asked.timeout ? std::optional(sum(start, *asked.timeout)) : std::nullopt;
  fd_set read, write, except;
  const SelectSets found{sets.read != nullptr ? &read : nullptr,
                         sets.write != nullptr ? &write : nullptr,
                         sets.except != nullptr ? &except : nullptr};
  int count = 0, error = 0;
  const auto ready = [&] {
    // Never beyond an fd_set: the copies looked at are not larger.
    const int end = std::min({nfds, simulation_.descriptors.table_size(), FD_SETSIZE});
    asked.not_open = not_open(asked.watched, end);
    if (!asked.not_open.empty()) {
      count = -1;
      error = EBADF;
      return true;
    }
    copy_below(nfds, sets, found);
    count = look(end, found);
    error = errno;
    return count != 0;
  };
  const auto woken = simulation_.wait({ready, deadline, text, false, mask});
  leave_time(simulation_.woken_at() - start);
  if (woken == Simulation::Woken::interrupted) return wait_failed(call, wait, asked, EINTR);
  if (count < 0) return wait_failed(call, wait, asked, error);
  copy_below(nfds, found, sets);
  asked.found = sets.members(0, nfds);
  return wait_done(call, wait, asked, count, sets_text(sets, nfds));
}

}  // namespace grader
