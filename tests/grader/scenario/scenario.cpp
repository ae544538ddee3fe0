#include "scenario/scenario.hpp"

#include <algorithm>
#include <cstddef>
#include <exception>

#include "libc/real_libc.hpp"
#include "runner/check_process.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

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
  begin_handlers();
  current_recording().begin_scenario();
  number_ = current_recording().scenario_count;
}

Scenario::~Scenario() {
  const bool is_unwinding = std::uncaught_exceptions() > exceptions_in_flight_;
  const bool has_failed = current_recording().failure_count > 0;
  if (!is_unwinding && !has_failed) {
    finish();
    demand_nothing_left_open();
  }
  current_recording().end_scenario();
  end_handlers();
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

void Scenario::wall_clock_jumps_at(Time time, Time by) {
  only_simulated("wall_clock_jumps_at()");
  simulation_.events.plan(time, [this, by] {
    simulation_.clock.step_wall_clock(by);
    simulation_.recorder.fault("the wall clock jumps by " + to_text(by));
  });
}

void Scenario::looks_at(Time time, std::function<void()> look) {
  only_simulated("looks_at()");
  simulation_.events.plan(time, std::move(look));
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
  simulation_.diagnoses_only_time = false;
  simulation_.diagnosis = [this, asked] { return diagnose(waits_of_last_run(), asked); };
}

void Scenario::asks_only_time(const AskedTime& asked) {
  simulation_.diagnoses_only_time = true;
  simulation_.diagnosis = [this, asked] { return diagnose_time(waits_of_last_run(), asked); };
}

void Scenario::diagnoses(std::function<std::string()> diagnosis) {
  simulation_.diagnosis = std::move(diagnosis);
}

void Scenario::when_computing_too_long(const std::string& meaning) {
  put(current_recording().computing_note, meaning);
}

void Scenario::finish() {
  if (std::exchange(is_finished_, true)) return;
  simulation_.finish_script();
}

Time Scenario::now() const { return simulation_.clock.now(); }
Time Scenario::took() const { return took_; }

std::vector<Call> Scenario::calls(const std::string& function) const {
  if (lacks("calls()")) return {};
  const Recording& recording = simulation_.recorder.recording();
  std::vector<Call> result;
  for (std::uint64_t i = recording.first(); i < recording.count; ++i) {
    const Entry& entry = recording.at(i);
    if (entry.side != Side::program || entry.scenario != number_ ||
        (!function.empty() && function != entry.function))
      continue;
    result.push_back({get(entry.function), get(entry.call), get(entry.result), get(entry.who),
                      get(entry.by), entry.fd, entry.value, entry.error, Time(entry.start_ns),
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
  ++current_recording().run_count;
  scenario.waits_before_run_ = scenario.simulation_.waits.count();
  reset_allocations();
  leave_garbage_on_the_stack();
  if (scenario.simulation_.driver) scenario.simulation_.driver->start();
}

Scenario::Turn::~Turn() {
  inside_program = 0;
  if (scenario_.simulation_.driver) scenario_.simulation_.driver->stop();
  current_recording().in_program = false;
  scenario_.simulation_.demand_that_no_thread_waits();
  scenario_.allocated_ = allocations();
  scenario_.took_ = scenario_.now() - began_;
  scenario_.simulation_.run_due();
}

}  // namespace grader
