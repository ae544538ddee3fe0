// Sleeping, clocks and timers.
#include <algorithm>
#include <cerrno>

#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"

using grader::ProgramCalls;
using grader::RawTimeout;
using grader::real;
using grader::SystemCalls;
using grader::Time;

namespace {

Time from(const timespec& time) { return RawTimeout::of(time).span(); }
Time from(const timeval& time) { return RawTimeout::of(time).span(); }
bool is_valid(const timespec& time) { return RawTimeout::of(time).is_accepted(); }

timespec to_timespec(Time time) {
  return {time / std::chrono::seconds(1), (time % std::chrono::seconds(1)).count()};
}

long invalid() {
  errno = EINVAL;
  return -1;
}

constexpr const char* one_alarm = "a single real-time alarm is all that is supported";

}  // namespace

EXPORT int nanosleep(const timespec* time, timespec* left) {
  if (auto calls = PROGRAM_CALLS()) {
    if (!is_valid(*time)) return static_cast<int>(invalid());
    Time rest{};
    const long result =
        calls.answer([&](SystemCalls c) { return c.sleep("nanosleep", from(*time), &rest); });
    if (left != nullptr) *left = to_timespec(rest);
    return static_cast<int>(result);
  }
  return real().nanosleep(time, left);
}
EXPORT int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  if (auto calls = PROGRAM_CALLS()) {
    if (!is_valid(*time)) return EINVAL;
    const int saved = errno;
    Time span = from(*time), rest{};
    const long result = calls.answer([&](SystemCalls c) {
      timespec now{};
      if ((flags & TIMER_ABSTIME) != 0) {
        c.clock_gettime(clock, &now);
        span = std::max(Time{}, span - from(now));
      }
      return c.sleep("clock_nanosleep", span, &rest);
    });
    if (left != nullptr) *left = to_timespec(rest);
    const int error = result < 0 ? errno : 0;
    errno = saved;
    return error;
  }
  return real().clock_nanosleep(clock, flags, time, left);
}
EXPORT int usleep(useconds_t time_us) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) {
      return c.sleep("usleep", std::chrono::microseconds(time_us), nullptr);
    });
  return real().usleep(time_us);
}
EXPORT unsigned sleep(unsigned time_s) {
  if (auto calls = PROGRAM_CALLS()) {
    Time left{};
    calls.answer(
        [&](SystemCalls c) { return c.sleep("sleep", std::chrono::seconds(time_s), &left); });
    return static_cast<unsigned>(left / std::chrono::seconds(1));
  }
  return real().sleep(time_s);
}
EXPORT int pause() {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.sleep_for_ever("pause", nullptr); });
  return real().pause();
}
EXPORT int sigsuspend(const sigset_t* mask) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.sleep_for_ever("sigsuspend", mask); });
  return real().sigsuspend(mask);
}

// ---- clocks and timers

EXPORT int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const bool is_cpu_time = clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
  if (auto calls = PROGRAM_CALLS(); calls && !is_cpu_time)
    return calls.answer<int>([&](SystemCalls c) { return c.clock_gettime(clock, time); });
  return real().clock_gettime(clock, time);
}
EXPORT int gettimeofday(timeval* time, void* zone) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    timespec now{};
    calls.answer([&](SystemCalls c) { return c.clock_gettime(CLOCK_REALTIME, &now); });
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
  }
  return real().gettimeofday(time, zone);
}
EXPORT time_t time(time_t* result) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    timespec now{};
    calls.answer([&](SystemCalls c) { return c.clock_gettime(CLOCK_REALTIME, &now); });
    if (result != nullptr) *result = now.tv_sec;
    return now.tv_sec;
  }
  return real().time(result);
}
EXPORT int timespec_get(timespec* time, int base) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    calls.answer([&](SystemCalls c) { return c.clock_gettime(CLOCK_REALTIME, time); });
    return base;
  }
  return real().timespec_get(time, base);
}
// Sets the alarm; returns how long the one before it would still have taken.
static Time simulated_alarm(const ProgramCalls& calls, const char* function, Time time) {
  Time left{};
  calls.answer([&](SystemCalls c) { return c.alarm(function, time, left); });
  return left;
}
EXPORT unsigned alarm(unsigned seconds) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    const Time left = simulated_alarm(calls, "alarm", std::chrono::seconds(seconds));
    const auto rounded = std::chrono::round<std::chrono::seconds>(left);  // as the kernel does
    return left > Time{} ? std::max(1U, static_cast<unsigned>(rounded.count())) : 0;
  }
  return real().alarm(seconds);
}
EXPORT useconds_t ualarm(useconds_t value, useconds_t interval) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    if (interval != 0) calls.not_here("ualarm", one_alarm);
    const Time left = simulated_alarm(calls, "ualarm", std::chrono::microseconds(value));
    return static_cast<useconds_t>(left / std::chrono::microseconds(1));
  }
  return real().ualarm(value, interval);
}
EXPORT int setitimer(__itimer_which_t which, const itimerval* value, itimerval* old) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    if (which != ITIMER_REAL || value->it_interval.tv_sec != 0 || value->it_interval.tv_usec != 0)
      calls.not_here("setitimer", one_alarm);
    const timespec left = to_timespec(simulated_alarm(calls, "setitimer", from(value->it_value)));
    if (old != nullptr) *old = {{0, 0}, {left.tv_sec, left.tv_nsec / 1000}};
    return 0;
  }
  return real().setitimer(which, value, old);
}
