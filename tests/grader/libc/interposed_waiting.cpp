// Waiting for descriptors.
#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"

using grader::ProgramCalls;
using grader::RawTimeout;
using grader::real;
using grader::SystemCalls;

namespace {

template <class Timeout>
std::optional<RawTimeout> raw(const Timeout* timeout) {
  return timeout == nullptr ? std::nullopt : std::optional(RawTimeout::of(*timeout));
}

// The body of a call and of its fortified form, for the caller whose `calls` these are.
int poll_for(const ProgramCalls& calls, pollfd* entries, nfds_t count, int timeout_ms) {
  if (!calls) return real().poll(entries, count, timeout_ms);
  return calls.answer<int>([&](SystemCalls c) {
    return c.poll("poll", entries, count, RawTimeout::of_poll(timeout_ms), nullptr);
  });
}
int ppoll_for(const ProgramCalls& calls, pollfd* entries, nfds_t count, const timespec* timeout,
              const sigset_t* mask) {
  if (!calls) return real().ppoll(entries, count, timeout, mask);
  return calls.answer<int>(
      [&](SystemCalls c) { return c.poll("ppoll", entries, count, raw(timeout), mask); });
}

// What _FORTIFY_SOURCE asks before the call when it knows how many entries there are.
void demand_entries(nfds_t count, size_t room) {
  if (room / sizeof(pollfd) < count) __chk_fail();
}

}  // namespace

EXPORT int select(int nfds, fd_set* read, fd_set* write, fd_set* except, timeval* timeout) {
  if (auto calls = PROGRAM_CALLS()) {
    const bool leaves_time = timeout != nullptr && !calls.simulation().select_leaves_timeout;
    std::optional<RawTimeout> left;
    const long result = calls.answer([&](SystemCalls c) {
      return c.select("select", nfds, {read, write, except}, raw(timeout), nullptr,
                      leaves_time ? &left : nullptr);
    });
    if (left) *timeout = {left->seconds, left->fraction};
    return static_cast<int>(result);
  }
  return real().select(nfds, read, write, except, timeout);
}
EXPORT int pselect(int nfds, fd_set* read, fd_set* write, fd_set* except, const timespec* timeout,
                   const sigset_t* mask) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) {
      return c.select("pselect", nfds, {read, write, except}, raw(timeout), mask, nullptr);
    });
  return real().pselect(nfds, read, write, except, timeout, mask);
}
EXPORT int poll(pollfd* entries, nfds_t count, int timeout_ms) {
  return poll_for(PROGRAM_CALLS(), entries, count, timeout_ms);
}
EXPORT int __poll_chk(pollfd* entries, nfds_t count, int timeout_ms, size_t room) {
  demand_entries(count, room);
  return poll_for(PROGRAM_CALLS(), entries, count, timeout_ms);
}
EXPORT int ppoll(pollfd* entries, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  return ppoll_for(PROGRAM_CALLS(), entries, count, timeout, mask);
}
EXPORT int __ppoll_chk(pollfd* entries, nfds_t count, const timespec* timeout, const sigset_t* mask,
                       size_t room) {
  demand_entries(count, room);
  return ppoll_for(PROGRAM_CALLS(), entries, count, timeout, mask);
}

// What _FORTIFY_SOURCE makes of FD_SET, FD_CLR and FD_ISSET (bits/select2.h): the second one when
// the number is a constant.
#define ELEMENT_OF_SET(name)                             \
  EXPORT long name(long fd) {                            \
    if (fd >= 0 && fd < FD_SETSIZE) return fd / NFDBITS; \
    if (auto calls = PROGRAM_CALLS()) {                  \
      const grader::Outside outside;                     \
      SystemCalls(calls.simulation()).outside_set(fd);   \
    }                                                    \
    __chk_fail();                                        \
  }
ELEMENT_OF_SET(__fdelt_chk)
ELEMENT_OF_SET(__fdelt_warn)
