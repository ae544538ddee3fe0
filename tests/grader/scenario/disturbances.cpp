// Signals, their handlers, and other threads of the program.
#include <signal.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <utility>

#include "libc/real_libc.hpp"
#include "runner/check_process.hpp"
#include "scenario/scenario.hpp"
#include "simulation/simulation.hpp"

namespace grader {
namespace {

volatile sig_atomic_t handler_run_count = 0;

std::array<Time, NSIG> handlers_take{};                 // by signal
std::array<std::function<void()>, NSIG> handlers_do{};  // likewise: code of the program

// Until then, whatever handlers run meanwhile: std::this_thread::sleep_until() would sleep on for
// what was left when the first of them began.
void sleep_for_real(Time time) {
  const auto until = std::chrono::steady_clock::now() + time;
  for (Time left = time; left > Time{}; left = until - std::chrono::steady_clock::now()) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    const timespec rest{seconds.count(), (left - seconds).count()};
    real().nanosleep(&rest, nullptr);
  }
}

void do_deed(int signal) {
  const auto& deed = handlers_do.at(static_cast<std::size_t>(signal));
  if (!deed || !current_recording().in_program) return;
  const InHandler in_handler(signal);
  deed();
}

void count_run(int signal) {
  handler_run_count = handler_run_count + 1;
  do_deed(signal);
  const Time takes = handlers_take.at(static_cast<std::size_t>(signal));
  if (takes == Time{}) return;
  const Outside outside;
  Simulation* simulation = Simulation::current();
  if (simulation == nullptr) return sleep_for_real(takes);
  simulation->pass(takes);
  simulation->recorder.fault("its handler is done");
}

void install(int signal, Handler handler) {
  if (handler == Handler::own) return;
  struct sigaction action {};
  action.sa_handler = count_run;
  action.sa_flags = handler == Handler::restarting ? SA_RESTART : 0;
  sigaction(signal, &action, nullptr);
}

}  // namespace

void Scenario::begin_handlers() {
  handler_run_count = 0;
  reset_handler_watch();
}

void Scenario::end_handlers() {
  for (auto& deed : handlers_do) deed = nullptr;
}

void Scenario::signal_at(Time time, int signal, Handler handler, Time takes) {
  install(signal, handler);
  simulation_.signals.plan(time, [this, signal, takes] {
    handlers_take.at(static_cast<std::size_t>(signal)) = takes;
    simulation_.deliver_signal(signal);
  });
}

void Scenario::signal_before(const std::string& family, int signal, Handler handler, int skip) {
  only_simulated("signal_before()");
  install(signal, handler);
  simulation_.moments.plan(CallMoments::When::before, family, skip, [this, signal] {
    simulation_.signal_in_moment(signal, CallMoments::When::before);
  });
}

void Scenario::signal_after(const std::string& family, int signal, Handler handler, int skip) {
  only_simulated("signal_after()");
  install(signal, handler);
  simulation_.moments.plan(CallMoments::When::after, family, skip, [this, signal] {
    simulation_.signal_in_moment(signal, CallMoments::When::after);
  });
}

void Scenario::thread_before(const std::string& family, std::function<void()> deed, int skip,
                             const std::string& name) {
  only_simulated("thread_before()");
  simulation_.moments.plan(
      CallMoments::When::before, family, skip,
      [this, name, deed = std::move(deed)] { simulation_.run_in_thread(name, deed); });
}

void Scenario::thread_after(const std::string& family, std::function<void()> deed, int skip,
                            const std::string& name) {
  only_simulated("thread_after()");
  simulation_.moments.plan(
      CallMoments::When::after, family, skip,
      [this, name, deed = std::move(deed)] { simulation_.run_in_thread(name, deed); });
}

bool Scenario::awaits_a_moment() const { return !simulation_.moments.empty(); }

void Scenario::handle(int signal, std::function<void()> deed, Handler handler) {
  handlers_do.at(static_cast<std::size_t>(signal)) = std::move(deed);
  install(signal, handler);
}

void Scenario::thread_at(Time time, std::function<void()> deed, const std::string& name) {
  simulation_.other_threads.plan(
      time, [this, name, deed = std::move(deed)] { simulation_.run_in_thread(name, deed); });
}

int Scenario::handler_runs() const { return handler_run_count; }

int Scenario::own_handler_runs() const {
  if (lacks("own_handler_runs()")) return {};
  return watched_handler_runs();
}

std::optional<ErrnoChange> Scenario::errno_changed_by_handler() const {
  return first_errno_change();
}

}  // namespace grader
