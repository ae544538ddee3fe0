#include "report/recording.hpp"

#include <sys/mman.h>

namespace grader {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::none:
      return "none";
    case Verdict::blocked_for_ever:
      return "blocked for ever";
    case Verdict::busy_loop:
      return "busy loop";
    case Verdict::bad_close:
      return "bad close";
    case Verdict::outside_set:
      return "outside the set";
    case Verdict::descriptor_leak:
      return "descriptor leak";
    case Verdict::memory_leak:
      return "memory leak";
    case Verdict::expectation:
      return "expectation";
    case Verdict::ended_process:
      return "ended the process";
    case Verdict::not_here:
      return "not in this lesson";
    case Verdict::unsafe_handler:
      return "unsafe handler";
    case Verdict::waiting_thread:
      return "waiting thread";
    case Verdict::flood:
      return "flood";
    case Verdict::infrastructure:
      return "infrastructure";
    case Verdict::crash:
      return "crash";
    case Verdict::cpu_loop:
      return "CPU loop";
    case Verdict::really_blocked:
      return "really blocked";
    case Verdict::stopped:
      return "stopped";
    case Verdict::out_of_time:
      return "out of time";
  }
  return "unknown";
}

Recording* Recording::create() {
  void* memory =
      mmap(nullptr, sizeof(Recording), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<Recording*>(memory);
}

void Recording::reset() {
  count = 0;
  failure_count = 0;
  finished = false;
  in_program = false;
  in_pipe_write = false;
  handled_signal = 0;
  verdict = Verdict::none;
  verdict_line = 0;
  virtual_ns = 0;
  program_ns = 0;
  scenario_count = 0;
  run_count = 0;
  in_scenario = false;
  first_failed = 0;
  last_failed = 0;
  instant_count = 0;
  for (char* text : {not_started, verdict_text, verdict_file, hint, crash_note, computing_note,
                     rule, why, read, other_thread, only_simulated, lacked})
    *text = '\0';
}

void Recording::begin_scenario() {
  ++scenario_count;
  run_count = 0;
  in_scenario = true;
}

bool Recording::is_about(std::uint32_t scenario) const {
  if (failure_count > 0) return scenario >= first_failed && scenario <= last_failed;
  const bool is_well = finished && verdict == Verdict::none;
  return is_well || scenario == scenario_count;
}

Entry& Recording::open(Side side, std::int64_t now_ns) {
  Entry& entry = entries[count % entries_max];
  entry = Entry{};
  entry.start_ns = now_ns;
  entry.end_ns = -1;
  entry.fd = -1;
  entry.side = side;
  entry.scenario = scenario_count;
  entry.run = run_count;
  ++count;
  return entry;
}

void Recording::note_instant(std::int64_t passed_ns, std::int64_t now_ns) {
  virtual_ns += passed_ns;
  if (in_program) program_ns += passed_ns;
  if (instant_count < instants_max) instants_ns[instant_count++] = now_ns;
}

void Recording::add_failure(const char* file, int line, const std::string& message) {
  const std::uint32_t index = failure_count;
  if (index == 0) first_failed = in_scenario ? scenario_count.load() : 0;
  last_failed = scenario_count.load();
  if (index >= failures_max) return;
  put(failures[index].file, file == nullptr ? "" : file);
  failures[index].line = line;
  put(failures[index].message, message);
  ++failure_count;
}

}  // namespace grader
