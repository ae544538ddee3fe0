/// @file
/// Real-time mode: a check's scenario with the real clock and the kernel's own waiting.
///
/// It belongs to the proofs of the course and never grades. The program's calls are its own affair:
/// none is intercepted, recorded or judged. Beside it a thread does what the other side's script
/// says. So it shows that every script is possible on a real system, and that the simulation
/// answers as the kernel does.
#pragma once

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <thread>
#include <vector>

#include "simulation/time.hpp"

namespace grader {

class Simulation;
struct Recording;

/// The instants at which the virtual clock stood in a run of a check in the simulation, ascending.
/// They predict what a run in real time should see.
using Instants = std::vector<Time>;

/// What a run in the simulation has left in its recording.
Instants instants_of(const Recording& recording);

/// From now on the scenarios of this process run in real time.
void run_in_real_time(Instants predicted);
bool is_real_time();

/// No real system has `what`, "faults()" say: in real time the check ends here, neither passed nor
/// failed.
void only_simulated(const char* what);

/// Nobody keeps `records`, "calls()" say, in real time: the check is given none. When it then
/// fails, that says nothing. Returns whether this is real time.
bool lacks(const char* records);

/// What takes longer is left to the simulation.
constexpr Time patience = 6s;

/// Real time since the scenario began, without what passes between the turns of the program.
///
/// What happens for real happens a little late, and a timeout of SO_RCVTIMEO by up to an eighth:
/// 32 or 64 ms for those of 0.5 to 2 s, depending on HZ (kernel/time/timer.c). A time up to `slack`
/// behind a predicted instant is taken for that instant, so that a check can compare times as
/// exactly as in the simulation, and any other difference shows.
class RealClock {
 public:
  static constexpr Time slack = 75ms;

  [[nodiscard]] Time now() const;
  [[nodiscard]] Time elapsed() const;  ///< the same as it is, late
  void go_on();
  void stand_still();

 private:
  Time before_{};
  std::chrono::steady_clock::time_point since_;
  bool goes_ = false;
};

/// Does what the script of a scenario says at its time, while the program's thread makes its calls.
class Driver {
 public:
  explicit Driver(Simulation& simulation);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  /// That of this process; nullptr when there is none, as in the simulation.
  static Driver* current();

  /// Time since the scenario began.
  [[nodiscard]] Time now() const { return clock_.now(); }

  /// The turn of the calling thread, the program's, begins: what is due has been done.
  void start();

  /// Its turn ends: the other side stands still, and so does time.
  void stop();

  /// Lets the other side finish its script, unless that takes longer than `patience`. Returns
  /// whether it has finished.
  bool finish();

  /// Sends the program's thread a signal.
  void deliver(int signal);

  /// The signal mask of the program's thread when its turn began.
  [[nodiscard]] const sigset_t& program_mask() const { return program_mask_; }

  /// A socket of the program's that listens at `port` (0: any). -1: none.
  static int listener_at(std::uint16_t port);

 private:
  void drive();
  void wait();  // for the next event, or for the program to do something
  void see_what_is_under_way();
  Simulation& simulation_;
  RealClock clock_;
  pthread_t program_;
  sigset_t program_mask_{};
  std::thread thread_;
  std::atomic<bool> is_over_ = false;
  int wake_up_;  // an eventfd
};

/// Gives this process a loopback of its own, so that checks which run at the same time can use the
/// same port, and leave none in TIME_WAIT. A machine that does not allow that (EPERM) is no
/// failure: then they share its loopback. False: the new loopback does not start.
bool enter_own_network();

/// main() for `PROGRAM --real-time SUITE.NAME`: runs that check in the simulation and then in real
/// time, and writes one JSON object: "outcome" ("agrees", "disagrees", "simulation only", "too
/// long", "broken"), "detail", "lacks" (the records that it asked for and did not get, and why it
/// may have failed; empty: none), and the check's "rule". Status 2: wrong usage.
int real_time_main(int argc, char** argv);

}  // namespace grader
