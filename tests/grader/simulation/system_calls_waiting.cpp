// Waiting and telling the time.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

std::string set_text(const char* name, int nfds, const fd_set* set) {
  if (set == nullptr) return {};
  std::string text = std::string(", ") + name + " {";
  bool is_first = true;
  for (int fd = 0; fd < std::min(nfds, FD_SETSIZE); ++fd)
    if (FD_ISSET(fd, set)) {
      text += format("%s%d", is_first ? "" : " ", fd);
      is_first = false;
    }
  return text + "}";
}

std::string sets_text(int nfds, const fd_set* read, const fd_set* write, const fd_set* except) {
  return set_text("read", nfds, read) + set_text("write", nfds, write) +
         set_text("except", nfds, except);
}

std::string timeout_text(std::optional<Time> timeout) {
  return timeout ? to_text(*timeout) : "no timeout";
}

}  // namespace

// A diagnosis: descriptors in the sets that select never looks at.
std::string SystemCalls::hidden_by_nfds(int nfds, const fd_set* read, const fd_set* write,
                                        const fd_set* except) const {
  std::string hidden;
  for (const auto& [fd, descriptor] : simulation_.descriptors.all()) {
    if (fd < nfds || fd >= FD_SETSIZE) continue;
    const auto holds = [fd = fd](const fd_set* set) { return set != nullptr && FD_ISSET(fd, set); };
    if (holds(read) || holds(write) || holds(except)) hidden += format(" %d", fd);
  }
  if (hidden.empty()) return {};
  return format(
      "select was called with nfds = %d while its sets hold descriptor%s; select looks only at "
      "descriptors "
      "below nfds",
      nfds, hidden.c_str());
}

// select(2) without waiting, with the kernel's answer corrected by what the simulation models.
int SystemCalls::look(int nfds, fd_set* read, fd_set* write, fd_set* except) const {
  timeval zero{0, 0};
  fd_set asked_read;
  if (read != nullptr) asked_read = *read;
  int count = real().select(nfds, read, write, except, &zero);
  if (count < 0) return count;
  for (const auto& [fd, descriptor] : simulation_.descriptors.all()) {
    if (fd >= nfds || fd >= FD_SETSIZE) continue;
    OpenFile& file = *descriptor.file;
    if (write != nullptr && FD_ISSET(fd, write) && !is_ready(fd, POLLOUT)) {
      FD_CLR(fd, write);
      --count;
    }
    if (read != nullptr && FD_ISSET(fd, read) && file.is_connecting()) {
      FD_CLR(fd, read);
      --count;
    }
    if (file.spurious_readiness && read != nullptr && FD_ISSET(fd, &asked_read)) {
      file.spurious_readiness = false;
      if (!FD_ISSET(fd, read)) {
        FD_SET(fd, read);
        ++count;
      }
    }
  }
  return count;
}

Answer SystemCalls::select(const char* function, int nfds, fd_set* read, fd_set* write,
                           fd_set* except, std::optional<Time> timeout, const sigset_t* mask,
                           Time* left) {
  const std::string text =
      format("%s(%d%s, %s)", function, nfds, sets_text(nfds, read, write, except).c_str(),
             timeout_text(timeout).c_str());
  const auto call = begin(function, -1, text);
  simulation_.recorder.hint(hidden_by_nfds(nfds, read, write, except));
  if (auto failure = planned_failure("select", function, -1, call)) return *failure;
  const Time start = simulation_.clock.now();
  const auto deadline = timeout ? std::optional(start + *timeout) : std::nullopt;
  fd_set found_read, found_write, found_except;
  int count = 0, error = 0;
  const auto ready = [&] {
    if (read != nullptr) found_read = *read;
    if (write != nullptr) found_write = *write;
    if (except != nullptr) found_except = *except;
    count = look(nfds, read != nullptr ? &found_read : nullptr,
                 write != nullptr ? &found_write : nullptr,
                 except != nullptr ? &found_except : nullptr);
    error = errno;
    return count != 0;
  };
  const auto woken = simulation_.wait({ready, deadline, text, false, mask});
  if (left != nullptr)
    *left = deadline ? std::max(Time{}, *deadline - simulation_.clock.now()) : Time{};
  if (woken == Simulation::Woken::interrupted) return failed(function, -1, call, EINTR);
  if (count < 0) return failed(function, -1, call, error);
  if (read != nullptr) *read = found_read;
  if (write != nullptr) *write = found_write;
  if (except != nullptr) *except = found_except;
  const std::string shown =
      count == 0 ? "0, timeout" : format("%d", count) + sets_text(nfds, read, write, except);
  const Answer answer = simulation_.recorder.done(call, count, shown);
  if (simulation_.clock.now() == start) simulation_.useless(function, -1, call);
  return answer;
}

Answer SystemCalls::poll(const char* function, pollfd* entries, nfds_t count,
                         std::optional<Time> timeout, const sigset_t* mask) {
  std::string text = format("%s({", function);
  for (nfds_t i = 0; i < count; ++i)
    text += format("%s%d:%s%s", i == 0 ? "" : " ", entries[i].fd,
                   (entries[i].events & POLLIN) != 0 ? "in" : "",
                   (entries[i].events & POLLOUT) != 0 ? "out" : "");
  text += "}, " + timeout_text(timeout) + ")";
  const auto call = begin(function, -1, text);
  if (auto failure = planned_failure("select", function, -1, call)) return *failure;
  const Time start = simulation_.clock.now();
  const auto deadline = timeout ? std::optional(start + *timeout) : std::nullopt;
  int ready_count = 0, error = 0;
  const auto ready = [&] {
    ready_count = real().poll(entries, count, 0);
    error = errno;
    for (nfds_t i = 0; ready_count >= 0 && i < count; ++i) {
      OpenFile* file = simulation_.descriptors.file(entries[i].fd);
      if (file != nullptr && (entries[i].events & POLLIN) != 0 &&
          std::exchange(file->spurious_readiness, false)) {
        if (entries[i].revents == 0) ++ready_count;
        entries[i].revents = static_cast<short>(entries[i].revents | POLLIN);
        continue;
      }
      if (entries[i].revents == 0 || entries[i].revents == POLLNVAL) continue;
      if (file != nullptr && file->attempt && file->attempt->error_is_modelled)
        entries[i].revents = static_cast<short>(entries[i].revents | POLLERR);
      if (file != nullptr && file->is_connecting())
        entries[i].revents = 0;
      else if ((entries[i].revents & POLLOUT) != 0 && !is_ready(entries[i].fd, POLLOUT))
        entries[i].revents = static_cast<short>(entries[i].revents & ~(POLLOUT | POLLWRNORM));
      if (entries[i].revents == 0) --ready_count;
    }
    return ready_count != 0;
  };
  const auto woken = simulation_.wait({ready, deadline, text, false, mask});
  if (woken == Simulation::Woken::interrupted) return failed(function, -1, call, EINTR);
  if (ready_count < 0) return failed(function, -1, call, error);
  std::string shown = ready_count == 0 ? "0, timeout" : std::to_string(ready_count);
  const Answer answer = simulation_.recorder.done(call, ready_count, shown);
  if (simulation_.clock.now() == start) simulation_.useless(function, -1, call);
  return answer;
}

Answer SystemCalls::sleep(const char* function, Time time, Time* left) {
  const std::string text = format("%s(%s)", function, to_text(time).c_str());
  const auto call = begin(function, -1, text);
  const Time until = simulation_.clock.now() + time;
  const auto woken = simulation_.wait({[] { return false; }, until, text, false});
  if (left != nullptr) *left = std::max(Time{}, until - simulation_.clock.now());
  if (woken == Simulation::Woken::interrupted) return failed(function, -1, call, EINTR);
  const Answer answer = simulation_.recorder.done(call, 0);
  if (time == Time{}) simulation_.useless(function, -1, call);
  return answer;
}

Answer SystemCalls::sleep_for_ever(const char* function, const sigset_t* mask) {
  const std::string text = format("%s()", function);
  const auto call = begin(function, -1, text);
  (void)simulation_.wait({[] { return false; }, std::nullopt, text, false, mask});
  return failed(function, -1, call, EINTR);
}

Answer SystemCalls::clock_gettime(clockid_t clock, timespec* time) {
  if (simulation_.progress.clock_read())
    simulation_.give_verdict(
        Verdict::busy_loop,
        "busy loop at " + to_text(simulation_.clock.now()) +
            ": the program reads the clock again and again without waiting for anything");
  simulation_.run_due();
  const bool is_wall_clock =
      clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
  const Time value = is_wall_clock ? simulation_.clock.wall() : simulation_.clock.steady();
  time->tv_sec = value / 1s;
  time->tv_nsec = (value % 1s).count();
  return {0, 0};
}

Answer SystemCalls::alarm(const char* function, Time time, Time& left) {
  const auto call = begin(function, -1, format("%s(%s)", function, to_text(time).c_str()));
  left = simulation_.set_alarm(time);
  return simulation_.recorder.done(call, 0, to_text(left));
}

}  // namespace grader
