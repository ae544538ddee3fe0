/// @file
/// The flight recorder: what happened in one check, in memory that outlives the checked process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

namespace grader {

/// Whose deed an entry records.
enum class Side : std::uint8_t { program, peer, fault };

/// One call of the program, or one deed of the other side. Texts are cut to fit, never overrun.
struct Entry {
  std::int64_t start_ns;       ///< virtual time
  std::int64_t end_ns;         ///< virtual time; below 0 while the call has not returned
  std::uint64_t end_sequence;  ///< how many entries there were when it returned
  std::int64_t value;          ///< what the call returned; a peer's number of bytes
  std::int32_t fd;             ///< the descriptor it was about; -1: none
  std::int32_t error;          ///< errno when the call failed, else 0
  std::uint32_t scenario;      ///< of the check, counted from 1; 0: none yet
  std::uint32_t run;           ///< of the program in this scenario, counted from 1; 0: none yet
  Side side;
  char function[20];  ///< "recv"; of a peer: "sends", "receives", ...
  char who[20];       ///< the peer it was about or by; empty: none
  char by[20];        ///< of a call: "handler", or the name of another thread; empty: the main line
  char call[120];     ///< "recv(3, 16)"
  char result[72];    ///< "5 \"hello\"", "-1 ECONNRESET"
};

/// What the grader says about a check that did not run to its end, or ended in a way no program
/// may.
enum class Verdict : std::int32_t {
  none,
  blocked_for_ever,  ///< waits for something that cannot come
  busy_loop,         ///< goes on calling without progress and without waiting
  bad_close,         ///< closes a descriptor that is not open or not its own
  outside_set,       ///< asks an fd_set about a number that it has no room for
  descriptor_leak,   ///< leaves a descriptor open that nobody owns
  memory_leak,       ///< leaves an addrinfo list, or (with sanitizers) memory, behind
  expectation,       ///< the other side did not get what it was promised
  ended_process,     ///< calls exit or its like
  not_here,          ///< calls something this lesson has no use for
  unsafe_handler,    ///< calls something in a signal handler that is not async-signal-safe
  waiting_thread,    ///< lets another thread wait, which must not
  flood,             ///< sends, prints or opens without end
  infrastructure,    ///< the machine failed, not the program
  crash,             ///< killed by a signal
  cpu_loop,          ///< computes without end
  really_blocked,    ///< waits outside the simulation
  stopped,           ///< stopped itself
  out_of_time,       ///< ran into the real-time limit
};

/// "blocked for ever", "busy loop", ...: how the console names it.
const char* verdict_name(Verdict verdict);

/// A failed expectation of the check itself.
struct Failure {
  char file[160];
  int line;
  char message[3000];
};

/// Everything the parent process learns about a check. Lives in shared memory, is written by the
/// child and read by the parent, which trusts none of it: every text is cut at its size, every
/// count is clamped.
struct Recording {
  static constexpr unsigned entries_max = 4096;  ///< older entries are overwritten
  static constexpr unsigned failures_max = 8;
  static constexpr unsigned instants_max = 4096;

  std::atomic<std::uint64_t> count;  ///< entries so far, overwritten ones included
  std::atomic<std::uint32_t> failure_count;
  std::atomic<bool> finished;    ///< the check ran to its end: without this nothing passes
  std::atomic<bool> in_program;  ///< the child is inside the code under grading
  std::atomic<Verdict> verdict;
  std::atomic<bool> in_pipe_write;  ///< the child is inside a write to a pipe
  char other_thread[20];            ///< the other thread that runs just now; empty: none
  char not_started[64];             ///< the function whose stub was reached; empty: none
  char verdict_text[2000];
  char verdict_file[160];
  int verdict_line;
  char hint[600];  ///< a diagnosis from the arguments of the last calls
  char crash_note[240];
  std::atomic<int> handled_signal;  ///< the child is inside the program's handler of it; 0: of none
  char computing_note[240];  ///< what it means that the processor time is used up; empty: nothing
  char rule[400], why[600], read[160];   ///< Explanation of the check
  std::atomic<std::int64_t> virtual_ns;  ///< virtual time that has passed, in all scenarios
  std::atomic<std::int64_t> program_ns;  ///< as much of it as passed in the program's turns
  char only_simulated[64];  ///< what ended a check in real time, for no real system has it
  char lacked[64];  ///< the records that a check asked for in real time, where nobody keeps them
  std::atomic<std::uint32_t> scenario_count;             ///< so far
  std::atomic<std::uint32_t> run_count;                  ///< so far, in this scenario
  std::atomic<bool> in_scenario;                         ///< one is there now
  std::atomic<std::uint32_t> first_failed, last_failed;  ///< scenarios of the expectations; 0: none
  std::uint32_t instant_count;
  std::int64_t instants_ns[instants_max];  ///< when the virtual clock stood; later ones are dropped
  Failure failures[failures_max];
  Entry entries[entries_max];

  /// Shared anonymous memory for one recording; nullptr when the machine has none left.
  static Recording* create();

  /// Forgets the last check.
  void reset();

  /// The check begins or ends a scenario.
  void begin_scenario();
  void end_scenario() { in_scenario = false; }

  /// Begins an entry at virtual time `now_ns`.
  Entry& open(Side side, std::int64_t now_ns);

  /// The entry with this sequence number, counted from 0; it must not have been overwritten yet.
  [[nodiscard]] const Entry& at(std::uint64_t sequence) const {
    return entries[sequence % entries_max];
  }

  /// The sequence number of the oldest entry that is still there.
  [[nodiscard]] std::uint64_t first() const {
    const std::uint64_t n = count;
    return n > entries_max ? n - entries_max : 0;
  }

  /// Whether a report about this check is about this scenario: an expectation failed while it was
  /// there, or, when none did, it is the last one. All are, when nothing failed, or when it failed
  /// between them.
  [[nodiscard]] bool is_about(std::uint32_t scenario) const;

  /// The virtual clock has moved on by `passed_ns` and shows `now_ns`.
  void note_instant(std::int64_t passed_ns, std::int64_t now_ns);

  /// Records a failed expectation; the ninth and later ones are dropped.
  void add_failure(const char* file, int line, const std::string& message);
};

/// Copies `text` into a fixed field, cut to its size; "..." at the end tells that it was.
template <std::size_t Size>
void put(char (&field)[Size], const std::string& text) {
  const std::size_t length = text.size() < Size ? text.size() : Size - 1;
  std::memcpy(field, text.data(), length);
  field[length] = '\0';
  if (length < text.size()) std::memcpy(field + length - 3, "...", 3);
}

/// The text of a fixed field, even when its terminator was overwritten.
template <std::size_t Size>
std::string get(const char (&field)[Size]) {
  return {field, strnlen(field, Size)};
}

}  // namespace grader
