/// @file
/// The process in which one check runs: its limits, and what it tells its parent.
#pragma once

#include <sys/types.h>

#include "report/recording.hpp"

namespace grader {

/// The recording of the check that runs in this process. Aborts when there is none.
Recording& current_recording();

/// Where this process records from now on; the runner calls it before it forks.
void set_current_recording(Recording* recording);

/// What a check may use. Small enough that a runaway is noticed within seconds, large enough for
/// everything honest.
struct Limits {
  double cpu_seconds = 2;      ///< processor time, so a loaded machine fails nobody
  double real_seconds = 60;    ///< the last resort
  double blocked_seconds = 1;  ///< asleep that long it waits outside the simulation
  std::size_t output_bytes = 1 << 20;
  std::size_t data_bytes = 256ull << 20;  ///< memory of its own; addresses may be twice that
  unsigned descriptors = 1024;
  unsigned descriptors_hard = 4096;  ///< for scenarios that need a number above 1023
  bool filter_system_calls = true;   ///< seccomp; never with sanitizers
};

/// Turns the forked process into the check's: its own session, standard input empty, output to
/// `output_fd`, no other descriptor below 700, limits in force, dying with its parent.
void become_check_process(const Limits& limits, int output_fd, pid_t parent);

/// True when this program was built with a sanitizer.
bool is_sanitized();

}  // namespace grader
