/// @file
/// How an exported function of the interposer enters the simulation.
#pragma once

#include <cerrno>

#include "libc/caller_filter.hpp"
#include "simulation/system_calls.hpp"

/// In front of a definition that replaces libc's.
#define EXPORT extern "C" __attribute__((visibility("default"), used))

/// The simulated calls of the program, if this call comes from it; must be used in the exported
/// function itself, whose return address tells the caller.
#define PROGRAM_CALLS() grader::calls_of(__builtin_return_address(0))

namespace grader {

/// A simulation that is entered for one call. Converts to false when the call is not the program's.
class ProgramCalls {
 public:
  explicit ProgramCalls(Simulation* simulation) : simulation_(simulation) {}
  explicit operator bool() const { return simulation_ != nullptr; }

  /// The call is the program's, and the simulation knows the descriptor.
  [[nodiscard]] bool know(int fd) const {
    return simulation_ != nullptr && SystemCalls(*simulation_).knows(fd);
  }

  /// The call is the program's, and a peer is at the other end of the descriptor.
  [[nodiscard]] bool lead_to_a_peer(int fd) const {
    if (simulation_ == nullptr) return false;
    const OpenFile* file = simulation_->descriptors.file(fd);
    return file != nullptr && file->connection != nullptr;
  }

  /// Runs `call` outside the program and hands its answer to the program, errno included.
  template <class Call>
  long answer(Call call) const {
    const int saved = errno;
    Answer result{};
    {
      const Outside outside;
      result = call(SystemCalls(*simulation_));
    }
    errno = result.error != 0 ? result.error : saved;
    return result.value;
  }

  [[noreturn]] void not_here(const char* function, const char* advice = "") const {
    const Outside outside;
    SystemCalls(*simulation_).not_here(function, advice);
  }

  [[nodiscard]] Simulation& simulation() const { return *simulation_; }

 private:
  Simulation* simulation_;
};

/// The simulated calls for a call that returns to `return_address`.
inline ProgramCalls calls_of(const void* return_address) {
  const bool is_program = inside_program > 0 && is_program_code(return_address);
  return ProgramCalls(is_program ? Simulation::current() : nullptr);
}

}  // namespace grader
