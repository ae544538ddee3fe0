// Other threads of the program: real ones, that run one at a time while the program's own stands
// still. One that would wait for a lock stands still as well, until the program's own thread has
// let go of one.
#include <cxxabi.h>

#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "simulation/other_thread.hpp"
#include "simulation/signal_mask.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

constinit thread_local OtherThread* own_thread =
    nullptr;  // of this thread; the program's own has none

// A thread stands still at last, however it ends: pthread_exit(3) is a way too.
class AtTheEnd {
 public:
  explicit AtTheEnd(OtherThread& thread) : thread_(thread) {}
  ~AtTheEnd() { thread_.stand_still(); }
  AtTheEnd(const AtTheEnd&) = delete;
  AtTheEnd& operator=(const AtTheEnd&) = delete;

 private:
  OtherThread& thread_;
};

// Runs `deed` with the signal mask `mask`; returns what it threw, in words: empty for nothing.
std::string done_by(const sigset_t& mask, const std::function<void()>& deed) {
  other_thread = own_thread->name.c_str();
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

void Simulation::run_in_thread(const std::string& name, const std::function<void()>& deed) {
  const auto other = std::make_shared<OtherThread>(name);
  stand_still_beside(*other, [&](const sigset_t& own_mask) {
    const sigset_t mask = driver ? driver->program_mask() : own_mask;
    other->thread = std::thread([other, mask, deed] {
      own_thread = other.get();
      const AtTheEnd at_the_end(*other);
      other->thrown = done_by(mask, deed);
    });
  });
  other_threads_waiting_.push_back(other);
  if (has_come_to_an_end(*other)) let_threads_go_on();
}

// The signals that come meanwhile are the program's own thread's, when it goes on.
void Simulation::stand_still_beside(OtherThread& other,
                                    const std::function<void(const sigset_t&)>& start) {
  const sigset_t all = all_signals();
  const AlsoBlocked none(&all);
  put(recorder.recording().other_thread, other.name);
  try {
    start(none.before());
  } catch (const std::system_error& error) {
    give_verdict(Verdict::infrastructure, std::string("no thread can be started: ") + error.what());
  }
  other.is_running.wait(true);
  put(recorder.recording().other_thread, "");
}

bool Simulation::has_come_to_an_end(OtherThread& other) {
  if (other.lock != nullptr) return false;
  other.thread.join();
  if (!other.thrown.empty())
    give_verdict(Verdict::crash,
                 format("\"%s\" threw an exception that nobody caught, and that ends the whole "
                        "process (std::terminate): %s",
                        other.name.c_str(), other.thrown.substr(0, 400).c_str()));
  std::erase_if(other_threads_waiting_, [&](const auto& each) { return each.get() == &other; });
  for (const int signal : std::exchange(signals_from_thread_, {})) deliver_signal(signal);
  return true;
}

void Simulation::let_threads_go_on() {
  const int saved = errno;
  for (bool again = !other_threads_waiting_.empty(); std::exchange(again, false);)
    for (const auto& other : std::vector(other_threads_waiting_)) {
      stand_still_beside(*other, [&](const sigset_t&) { other->go_on(); });
      again |= has_come_to_an_end(*other);
    }
  errno = saved;
}

void Simulation::stand_still_for_lock(const char* function) {
  own_thread->lock = function;
  own_thread->stand_still();
  own_thread->is_running.wait(false);
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

void Simulation::demand_that_no_thread_waits() {
  if (other_threads_waiting_.empty()) return;
  const OtherThread& other = *other_threads_waiting_.front();
  other_thread = other.name.c_str();
  recorder.begin(other.lock, -1, other.lock);
  give_verdict(
      Verdict::waiting_thread,
      format("waiting thread: \"%s\" waits in %s at %s for a lock that your own thread "
             "holds %s",
             other_thread, other.lock, to_text(clock.now()).c_str(),
             recorder.in_program() ? "while it waits itself. Let go of a lock before you wait."
                                   : "and has not let go of when it returned."));
}

}  // namespace grader
