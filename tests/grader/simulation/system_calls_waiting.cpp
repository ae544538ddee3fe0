// What the waiting calls have in common; sleeping and telling the time.
#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

std::vector<int> signals_in(const sigset_t& mask) {
  std::vector<int> result;
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigismember(&mask, signal) == 1) result.push_back(signal);
  return result;
}

}  // namespace

WaitingCall SystemCalls::waiting_call(const char* function, long nfds,
                                      std::optional<RawTimeout> timeout,
                                      const sigset_t* mask) const {
  WaitingCall call;
  call.function = function;
  call.nfds = nfds;
  call.raw_timeout = timeout;
  const bool waits_for_ever = timeout && timeout->unit == 1ms && timeout->fraction < 0;
  if (timeout && !waits_for_ever) call.timeout = timeout->span();
  if (mask != nullptr) call.mask = signals_in(*mask);
  call.began = simulation_.clock.now();
  return call;
}

void SystemCalls::note_wait(WaitLog::Id wait, const WaitingCall& call) {
  if (WaitingCall* entry = simulation_.waits.find(wait)) *entry = call;
}

Answer SystemCalls::wait_failed(Recorder::Call call, WaitLog::Id wait, WaitingCall& asked,
                                int error) {
  asked.returned = simulation_.clock.now();
  asked.value = -1;
  asked.error = error;
  note_wait(wait, asked);
  return failed(asked.function.c_str(), -1, call, error, not_open_text(asked.not_open));
}

Answer SystemCalls::wait_done(Recorder::Call call, WaitLog::Id wait, WaitingCall& asked, long count,
                              const std::string& found) {
  asked.returned = simulation_.clock.now();
  asked.value = count;
  note_wait(wait, asked);
  const std::string shown = count == 0 ? "0, timeout" : std::to_string(count) + found;
  const Answer answer = simulation_.recorder.done(call, count, shown);
  simulation_.let_competitors_take(asked.found.reading);
  if (asked.returned == asked.began) simulation_.useless(asked.function.c_str(), -1, call);
  return answer;
}

Answer SystemCalls::sleep(const char* function, Time time, Time* left) {
  const std::string text = format("%s(%s)", function, to_text(time).c_str());
  const auto call = begin(function, -1, text);
  const Time until = sum(simulation_.clock.now(), time);
  const auto woken = simulation_.wait({[] { return false; }, until, text, false});
  if (left != nullptr) *left = std::max(Time{}, until - simulation_.woken_at());
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
