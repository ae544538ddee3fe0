// Other threads of the program: real ones, that run one at a time while the program's own stands
// still.
#include <cxxabi.h>

#include <exception>
#include <system_error>
#include <thread>
#include <utility>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "simulation/signal_mask.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

// Runs `deed` with the signal mask `mask`; returns what it threw, in words: empty for nothing.
std::string done_by(const char* name, const sigset_t& mask, const std::function<void()>& deed) {
  other_thread = name;
  real().pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  try {
    const Inside inside;
    deed();
  } catch (const abi::__forced_unwind&) {  // pthread_exit
    throw;
  } catch (const std::exception& error) {
    return error.what()[0] == '\0' ? "an exception without a text" : error.what();
  } catch (...) {
    return "something that is no std::exception";
  }
  return {};
}

}  // namespace

// The signals that come meanwhile are the program's own thread's, when it goes on.
void Simulation::run_in_thread(const std::string& name, const std::function<void()>& deed) {
  std::string thrown;
  {
    const sigset_t all = all_signals();
    const AlsoBlocked none(&all);
    put(recorder.recording().other_thread, name);
    const sigset_t& mask = driver ? driver->program_mask() : none.before();
    try {
      std::thread([&] { thrown = done_by(name.c_str(), mask, deed); }).join();
    } catch (const std::system_error& error) {
      give_verdict(Verdict::infrastructure,
                   std::string("no thread can be started: ") + error.what());
    }
    put(recorder.recording().other_thread, "");
  }
  if (!thrown.empty())
    give_verdict(Verdict::crash,
                 format("\"%s\" threw an exception that nobody caught, and that ends the whole "
                        "process (std::terminate): %s",
                        name.c_str(), thrown.substr(0, 400).c_str()));
  for (const int signal : std::exchange(signals_from_thread_, {})) deliver_signal(signal);
}

Simulation::Woken Simulation::wait_in_other_thread(const Wait& wait) {
  if (wait.ready()) return Woken::ready;
  if (wait.deadline && *wait.deadline <= clock.now()) return Woken::timed_out;
  const bool writes = wait.call.starts_with("write") || wait.call.starts_with("send");
  give_verdict(
      Verdict::waiting_thread,
      format(
          "waiting thread: \"%s\" waits in %s at %s. What another thread calls to wake yours must "
          "return at once, however busy yours is.%s",
          other_thread, wait.call.c_str(), to_text(clock.now()).c_str(),
          writes ? " Make the descriptor non-blocking: a full pipe wakes your thread all the same."
                 : ""));
}

void Simulation::waits_for_lock(const char* function) {
  recorder.begin(function, -1, function);
  give_verdict(
      Verdict::waiting_thread,
      format("waiting thread: \"%s\" waits in %s at %s for a lock that your own thread holds "
             "while it waits itself. Let go of a lock before you wait.",
             other_thread, function, to_text(clock.now()).c_str()));
}

}  // namespace grader
