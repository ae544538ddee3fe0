#include "scenario/scenario.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <exception>

#include "libc/real_libc.hpp"
#include "runner/check_process.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

volatile sig_atomic_t handler_run_count = 0;

std::array<Time, NSIG> handlers_take{};  // by signal

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

void count_run(int signal) {
  handler_run_count = handler_run_count + 1;
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

// What earlier calls leave on the stack is not always zero; a program that relies on it should not
// pass by luck.
__attribute__((noinline)) void leave_garbage_on_the_stack() {
  volatile unsigned char garbage[32 * 1024];
  for (volatile unsigned char& byte : garbage) byte = 0xa5;
}

std::string leak_text(const DescriptorTable::Descriptor& descriptor, int fd) {
  return format("descriptor %d is still open: %s, opened by %s at %s", fd,
                descriptor.file->description.c_str(), descriptor.opened_by.c_str(),
                to_text(descriptor.opened_at).c_str());
}

}  // namespace

Scenario::Scenario()
    : simulation_(*new Simulation(current_recording())),
      exceptions_in_flight_(std::uncaught_exceptions()) {
  handler_run_count = 0;
}

Scenario::~Scenario() {
  const bool is_unwinding = std::uncaught_exceptions() > exceptions_in_flight_;
  const bool has_failed = current_recording().failure_count > 0;
  if (!is_unwinding && !has_failed) {
    finish();
    demand_nothing_left_open();
  }
  delete &simulation_;
}

void Scenario::demand_nothing_left_open() {
  if (is_real_time()) return;  // nobody keeps the books
  const auto open = simulation_.descriptors.owned_by_program();
  if (!open_descriptors_are_allowed_ && !open.empty())
    simulation_.give_verdict(
        Verdict::descriptor_leak,
        leak_text(*simulation_.descriptors.find(open.front()), open.front()) +
            (open.size() > 1 ? format("; and %zu more", open.size() - 1) : ""));
  if (!open_lists_are_allowed_ && simulation_.resolver.lists_in_use() > 0)
    simulation_.give_verdict(Verdict::memory_leak,
                             "an address list of getaddrinfo was never given to freeaddrinfo");
}

Peer& Scenario::peer(const std::string& name) { return simulation_.add_peer(name); }
Faults& Scenario::faults() {
  only_simulated("faults()");
  return simulation_.faults;
}
Resolver& Scenario::names() {
  only_simulated("names()");
  return simulation_.resolver;
}

void Scenario::signal_at(Time time, int signal, Handler handler, Time takes) {
  install(signal, handler);
  simulation_.events.plan(time, [this, signal, takes] {
    handlers_take.at(static_cast<std::size_t>(signal)) = takes;
    simulation_.deliver_signal(signal);
  });
}

void Scenario::wall_clock_jumps_at(Time time, Time by) {
  only_simulated("wall_clock_jumps_at()");
  simulation_.events.plan(time, [this, by] {
    simulation_.clock.step_wall_clock(by);
    simulation_.recorder.fault("the wall clock jumps by " + to_text(by));
  });
}

void Scenario::spurious_readiness(int fd) {
  only_simulated("spurious_readiness()");
  if (OpenFile* file = simulation_.descriptors.file(fd)) file->spurious_readiness = true;
}

void Scenario::competitor(const std::string& who, int fd, int times) {
  only_simulated("competitor()");
  OpenFile* file = simulation_.descriptors.file(fd);
  if (file == nullptr) return;
  file->competitor = who;
  file->competitor_takes = times;
}

void Scenario::select_leaves_timeout() {
  only_simulated("select_leaves_timeout()");
  simulation_.select_leaves_timeout = true;
}

void Scenario::asks(const Asked& asked, const std::string& when_answered) {
  simulation_.when_answered = when_answered;
  simulation_.diagnosis = [this, asked] { return diagnose(waits_of_last_run(), asked); };
}

void Scenario::finish() {
  if (std::exchange(is_finished_, true)) return;
  simulation_.finish_script();
}

Time Scenario::now() const { return simulation_.clock.now(); }
Time Scenario::took() const { return took_; }
int Scenario::handler_runs() const { return handler_run_count; }

std::vector<Call> Scenario::calls(const std::string& function) const {
  if (lacks("calls()")) return {};
  const Recording& recording = simulation_.recorder.recording();
  std::vector<Call> result;
  for (std::uint64_t i = recording.first(); i < recording.count; ++i) {
    const Entry& entry = recording.at(i);
    if (entry.side != Side::program || (!function.empty() && function != entry.function)) continue;
    result.push_back({get(entry.function), get(entry.call), get(entry.result), get(entry.who),
                      entry.fd, entry.value, entry.error, Time(entry.start_ns),
                      Time(entry.end_ns)});
  }
  return result;
}

Waits Scenario::waits() const {
  const auto& calls = simulation_.waits.calls();
  return {calls.begin(), calls.end()};
}

Waits Scenario::waits_of_last_run() const {
  const auto& calls = simulation_.waits.calls();
  const std::uint64_t forgotten = simulation_.waits.count() - calls.size();
  const auto before =
      static_cast<std::ptrdiff_t>(waits_before_run_ - std::min(waits_before_run_, forgotten));
  return {calls.begin() + before, calls.end()};
}

std::vector<int> Scenario::open_descriptors() const {
  if (lacks("open_descriptors()")) return {};
  return simulation_.descriptors.owned_by_program();
}

std::size_t Scenario::open_count(const std::string& opened_by) const {
  if (lacks("open_count()")) return {};
  std::size_t count = 0;
  for (const auto& [fd, descriptor] : simulation_.descriptors.all())
    if (!descriptor.lent && descriptor.opened_by == opened_by) ++count;
  return count;
}

void Scenario::allow_open_descriptors() { open_descriptors_are_allowed_ = true; }

void Scenario::allow_open_lists() { open_lists_are_allowed_ = true; }

void Scenario::allow_bad_closes() { simulation_.bad_closes_are_allowed = true; }
Allocations Scenario::allocated() const {
  if (lacks("allocated()")) return {};
  return allocated_;
}

Scenario::Turn::Turn(Scenario& scenario) : scenario_(scenario), began_(scenario.now()) {
  current_recording().in_program = true;
  scenario.waits_before_run_ = scenario.simulation_.waits.count();
  reset_allocations();
  leave_garbage_on_the_stack();
  if (scenario.simulation_.driver) scenario.simulation_.driver->start();
}

Scenario::Turn::~Turn() {
  inside_program = 0;
  if (scenario_.simulation_.driver) scenario_.simulation_.driver->stop();
  current_recording().in_program = false;
  scenario_.allocated_ = allocations();
  scenario_.took_ = scenario_.now() - began_;
  scenario_.simulation_.run_due();
}

}  // namespace grader
