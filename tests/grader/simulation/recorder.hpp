/// @file
/// Writes the recording while the simulation runs.
#pragma once

#include <cstdint>
#include <string>

#include "report/recording.hpp"
#include "simulation/time.hpp"

namespace grader {

/// What a simulated call gives back to the program.
struct Answer {
  long value;
  int error;  ///< what becomes of errno; 0: it stays as it is
};

/// Writes entries with the virtual time at which they happen.
class Recorder {
 public:
  Recorder(Recording& recording, const VirtualClock& clock)
      : recording_(recording), clock_(clock) {}

  /// A call of the program that has begun: its place in the recording.
  using Call = std::uint64_t;

  /// Begins a call. `text` is the call as the learner would write it.
  Call begin(const char* function, int fd, const std::string& text, const std::string& who = {});

  /// The call returned `value`, shown as `text`.
  Answer done(Call call, long value, const std::string& text);
  Answer done(Call call, long value) { return done(call, value, std::to_string(value)); }

  /// The call returned -1 with `error`.
  Answer failed(Call call, int error, const std::string& remark = {});

  /// Something the other side did.
  void peer(const std::string& who, const char* function, const std::string& text, long value = 0);

  /// A fault, or something else the system did.
  void fault(const std::string& text);

  /// Says what the arguments of the latest calls suggest; shown with a failure. Empty: nothing.
  void hint(const std::string& text) { put(recording_.hint, text); }

  /// What the call did, for hints: the text given to begin().
  [[nodiscard]] std::string text_of(Call call) const { return get(recording_.at(call).call); }

  Recording& recording() { return recording_; }

  /// It is the program's turn.
  [[nodiscard]] bool in_program() const { return recording_.in_program; }

 private:
  void note(Side side, const std::string& who, const char* function, const std::string& text,
            long value);
  Recording& recording_;
  const VirtualClock& clock_;
};

}  // namespace grader
