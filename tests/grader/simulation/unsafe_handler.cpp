// What is said of a handler that calls what it must not.
#include "libc/caller_filter.hpp"
#include "libc/handler_watch.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

// Why it is dangerous: one sentence about the program that the signal interrupts.
std::string danger(const char* function, Unsafe why) {
  switch (why) {
    case Unsafe::stdio:
      return format(
          "If the signal comes while the program is itself inside printf or malloc, %s waits for a "
          "lock that the program holds, and the program waits for the handler, for ever",
          function);
    case Unsafe::memory:
      return format(
          "If the signal comes while the program is itself inside malloc or free, %s finds the "
          "heap "
          "half changed, or waits for ever for the lock on it",
          function);
    case Unsafe::lock:
      return format(
          "If the signal comes while the program holds that lock, %s waits for it, and the program "
          "waits for the handler, for ever",
          function);
    case Unsafe::clean_up:
      return format(
          "%s runs destructors and writes buffers out, in the middle of whatever the program was "
          "doing to them",
          function);
    case Unsafe::lookup:
      return format("%s allocates memory and takes locks, which the program may be holding",
                    function);
  }
  return {};
}

}  // namespace

void Simulation::unsafe_handler(const char* function, Unsafe why) {
  const Outside outside;
  recorder.begin(function, -1, function);
  std::string reason = danger(function, why);
  give_verdict(
      Verdict::unsafe_handler,
      format("unsafe handler: the handler of %s called %s, which is not async-signal-safe "
             "(signal-safety(7)). %s. In a handler, set a flag or write one byte to a pipe, and do "
             "the rest in your loop.",
             signal_name(handled_signal).c_str(), function, reason.c_str()));
}

}  // namespace grader
