/// @file
/// How an exported function of the interposer enters the simulation.
///
/// The executable defines libc functions of its own. The dynamic linker prefers them to libc's, so
/// ordinary POSIX code enters the simulation without knowing it. Outside a scenario, and for
/// callers that are not the program, every one of them only passes on to the real function. One
/// file for each family: interposed_*.cpp, refused_calls.cpp.
#pragma once

#include <cerrno>

#include "libc/caller_filter.hpp"
#include "simulation/system_calls.hpp"

/// In front of a definition that replaces the C++ runtime's. Its return address tells the caller,
/// so it is never inlined.
#define REPLACEMENT __attribute__((visibility("default"), used, noinline))

/// In front of a definition that replaces libc's.
#define EXPORT extern "C" REPLACEMENT

/// The simulated calls of the program, if this call comes from it; must be used in the exported
/// function itself, whose return address tells the caller and whose name tells the call.
#define PROGRAM_CALLS() grader::calls_of(__builtin_return_address(0), __func__)

/// The ledger of descriptors, if this call comes from the check's own code between two runs of the
/// program, which opens and closes descriptors too; else nullptr. Likewise for the function itself.
#define CHECK_LEDGER() grader::ledger_for(__builtin_return_address(0))

/// What _FORTIFY_SOURCE calls when a buffer is too small.
extern "C" void __chk_fail(void) __attribute__((noreturn));

namespace grader {

/// A simulation that is entered for one call. Converts to false when the call is not the program's.
class ProgramCalls {
 public:
  ProgramCalls(Simulation* simulation, const char* function)
      : simulation_(simulation), function_(function) {}
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

  /// Runs `call` outside the program and hands its answer to the program, errno included; before
  /// and after it, what is planned for these moments.
  template <class Result = long, class Call>
  Result answer(Call call) const {
    simulation_->do_moment(CallMoments::When::before, function_);
    const int saved = errno;
    Answer result{};
    {
      const Outside outside;
      result = call(SystemCalls(*simulation_));
    }
    errno = result.error != 0 ? result.error : saved;
    simulation_->do_moment(CallMoments::When::after, function_);
    return static_cast<Result>(result.value);
  }

  [[noreturn]] void not_here(const char* function, const char* advice = "") const {
    const Outside outside;
    SystemCalls(*simulation_).not_here(function, advice);
  }

  [[nodiscard]] Simulation& simulation() const { return *simulation_; }

 private:
  Simulation* simulation_;
  const char* function_;
};

/// The simulated calls for a call of `function` that returns to `return_address`.
inline ProgramCalls calls_of(const void* return_address, const char* function) {
  const bool is_program = inside_program > 0 && is_program_code(return_address);
  return {is_program ? Simulation::current() : nullptr, function};
}

inline Simulation* ledger_for(const void* return_address) {
  const bool is_check = inside_program == 0 && is_program_code(return_address);
  return is_check ? Simulation::current() : nullptr;
}

}  // namespace grader
