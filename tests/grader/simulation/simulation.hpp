/// @file
/// The discrete-event simulation: one program, its peers, a virtual clock, real loopback sockets.
#pragma once

#include <poll.h>
#include <signal.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libc/handler_watch.hpp"
#include "real_time/real_time.hpp"
#include "simulation/call_moments.hpp"
#include "simulation/descriptor_table.hpp"
#include "simulation/event_queue.hpp"
#include "simulation/faults.hpp"
#include "simulation/network.hpp"
#include "simulation/peer.hpp"
#include "simulation/progress_monitor.hpp"
#include "simulation/recorder.hpp"
#include "simulation/resolver.hpp"
#include "simulation/waiting_call.hpp"
#include "simulation/where.hpp"

namespace grader {

struct OtherThread;

/// How a scripted address answers connect(2).
struct HostAnswer {
  enum class Kind { accepts, refuses, fails, itself } kind = Kind::refuses;
  Time after{};          ///< virtual time from connect to answer
  int error = 0;         ///< for fails
  Peer* peer = nullptr;  ///< who answers; borrowed
  int real_listener = -1;
};

/// All of one scenario's state, and the loop that lets time pass. When the program waits, the next
/// event of the other side runs on the same thread, and the clock moves to it or to the timeout,
/// whichever comes first; due deeds of the other side come before the program wakes, events before
/// timeouts.
class Simulation {
 public:
  explicit Simulation(Recording& recording);
  ~Simulation();
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;

  /// The simulation of this process; nullptr when there is none, as in real time. The interposer's
  /// one hook, and the only process-wide state of the grader besides it: whose calls it takes
  /// (caller_filter.hpp).
  static Simulation* current();

  VirtualClock clock;
  Recorder recorder;
  EventQueue events;
  EventQueue signals;        ///< for the program: they come only in its turn
  EventQueue other_threads;  ///< deeds of its other threads, likewise
  CallMoments moments;       ///< what comes just before or after a call of the program
  Network network;
  DescriptorTable descriptors;
  Faults faults;
  Resolver resolver;
  ProgressMonitor progress;
  WaitLog waits;                        ///< the program's select, pselect, poll and ppoll
  std::map<Address, HostAnswer> hosts;  ///< who answers the program's connect

  std::unique_ptr<Driver> driver;  ///< in real time only

  /// @name Options of a scenario
  /// @{
  bool select_leaves_timeout = false;  ///< as on systems other than Linux
  bool bad_closes_are_allowed = false;
  std::function<std::string()> diagnosis;  ///< of the waits, for verdicts about them; may be empty
  bool diagnoses_only_time = false;        ///< and so not which descriptors are watched
  std::string when_answered;  ///< what to do with an answer that is asked for again; empty: guess
  /// @}

  Peer& add_peer(const std::string& name);
  [[nodiscard]] Peer* peer_of(const Connection* connection) const;
  /// The client at this port of the kernel's that has not been accepted yet. (The kernel may give
  /// the port of one who has left to the next.)
  [[nodiscard]] Peer* unaccepted_peer(std::uint16_t real_port) const;
  [[nodiscard]] const std::vector<std::unique_ptr<Peer>>& peers() const { return peers_; }

  /// How a wait ended.
  enum class Woken { ready, timed_out, interrupted };

  /// What a call waits for.
  struct Wait {
    std::function<bool()> ready;
    std::optional<Time> deadline;
    std::string call;                ///< for the verdict
    bool restarts = false;           ///< a handler with SA_RESTART does not end it (signal(7))
    const sigset_t* mask = nullptr;  ///< the signal mask while it waits, as of pselect(2)
  };

  /// Lets time pass until the wait is over; a deadline beyond `far_future` never comes. Gives the
  /// verdict "blocked for ever" when nothing can end it.
  Woken wait(const Wait& wait);

  /// When the last wait was over. What interrupted it has been handled since, and that may have
  /// taken time.
  [[nodiscard]] Time woken_at() const { return woken_at_; }

  /// Lets time pass while the program is busy: it waits for nothing, and the other side goes on.
  void pass(Time time);

  /// Lets the other side do all that is due now.
  void run_due();

  /// When the other side will do something by itself.
  [[nodiscard]] std::optional<Time> next_event() const;

  /// A listening socket of the program's at `port`, as the program sees it (0: any). -1: none.
  [[nodiscard]] int listener_at(std::uint16_t port) const;

  /// How many connections its accept queue takes.
  [[nodiscard]] unsigned backlog_of(int listener) const;

  /// Lets those who hold a file of the program's too (Scenario::competitor()) take what one of its
  /// waits has just found in these descriptors.
  void let_competitors_take(const std::vector<int>& readable);

  /// Lets the other side finish its script, and fails the check when it cannot.
  void finish_script();

  /// Delivers `signal` to the program's own thread now, as the kernel would while it runs or waits.
  void deliver_signal(int signal);

  /// The program's own thread enters `function`, or has just returned from it: does what is planned
  /// for that moment. errno is the program's, and stays so unless a handler changes it.
  void do_moment(CallMoments::When when, const char* function);

  /// Delivers `signal` in such a moment; errno as above.
  void signal_in_moment(int signal, CallMoments::When when);

  /// Another thread, called `name`, does `deed` now; returns when it has ended, or stands still
  /// because it waits for a lock.
  void run_in_thread(const std::string& name, const std::function<void()>& deed);

  /// Another thread sends the program's own thread a signal, which arrives when that goes on.
  void signal_from_thread(int signal) { signals_from_thread_.push_back(signal); }

  /// Ends the check: a handler called `function`.
  [[noreturn]] void unsafe_handler(const char* function, Unsafe why);

  /// Another thread would wait for a lock in `function`: it stands still until the program's own
  /// thread has let go of one.
  static void stand_still_for_lock(const char* function);

  /// The program's own thread has let go of a lock.
  void let_threads_go_on();

  /// Ends the check when another thread still waits for a lock: the program's own thread waits
  /// itself now, or has returned.
  void demand_that_no_thread_waits();

  /// SIGALRM arrives after `time`, and no longer when an earlier call said; 0: never. Returns how
  /// long it would still have taken (alarm(2)).
  Time set_alarm(Time time);

  /// Ends the check here and now.
  [[noreturn]] void give_verdict(Verdict verdict, const std::string& text, Where where = {"", 0});

  /// A call of `function` on `fd` brought nothing; ends the check when it is one too many.
  void useless(const char* function, int fd, Recorder::Call call,
               unsigned max = ProgressMonitor::useless_calls_max);

  /// Waits for the loopback; ends the check as an infrastructure failure when it does not settle.
  void settle(const Connection& connection);

  /// Enters a new descriptor of the program.
  void adopt(int fd, std::shared_ptr<OpenFile> file, bool lent, const std::string& opened_by);

  /// Gives the program's descriptor `from` another number, which must be free, or 0, 1 or 2: what
  /// stands there comes back when the scenario ends.
  void renumber(int from, int to);

  /// From now on the lowest free number is `number`: those below are taken, by nobody the program
  /// knows of.
  void take_numbers_below(int number);

  /// close(2), by the program or by the check's own code between two runs of it: the ledger
  /// follows, and the other side notices.
  int close(int fd);

  /// A socket option of the program's was set: notes SO_RCVTIMEO and SO_SNDTIMEO, which the kernel
  /// would round up to its own ticks.
  void note_option(int fd, int level, int option, const void* value, socklen_t length) const;

  /// Whether `fd` is open for the program: the grader's own descriptors are not.
  [[nodiscard]] bool is_open(int fd) const;

  /// A descriptor of the grader's own, moved out of the program's way (700 and above, or higher
  /// after take_numbers_below()), close-on-exec.
  static int out_of_the_way(int fd);

 private:
  enum class Interruption { none, restartable, final };
  bool run_peers();
  void advance_to(Time time);
  static Interruption caused_by(int signal);
  [[nodiscard]] bool is_held_back(int signal) const;
  void raise_now(int signal);
  void let_signals_in(const sigset_t& mask);
  void settle_refused_clients(int listener_port);
  void allow_number(int number);
  bool competitor_receives(int fd, const OpenFile& file);
  bool competitor_accepts(int listener, const OpenFile& file);
  void give_back_numbers();
  [[nodiscard]] std::string waiting_peers() const;
  [[nodiscard]] bool tells_the_end_by_hup_alone(int fd) const;
  [[nodiscard]] std::string why_readable(int fd) const;
  [[nodiscard]] std::string what_wakes() const;
  void note_diagnosis();
  [[noreturn]] void blocked_for_ever(const std::string& call);
  [[nodiscard]] std::string what_the_gap_swallowed() const;
  Woken wait_in_other_thread(const Wait& wait);
  void stand_still_beside(OtherThread& other, const std::function<void(const sigset_t&)>& start);
  bool has_come_to_an_end(OtherThread& other);

  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<pollfd> looks_;  ///< of run_peers(); kept for its memory
  Interruption interruption_ = Interruption::none;
  Time woken_at_{};
  bool is_asleep_ = false;  ///< a call waits: its handlers run when it has looked what is ready
  const sigset_t* mask_ = nullptr;  ///< the signal mask of the last wait; nullptr: the thread's own
  std::vector<int> arrived_;        ///< signals whose handlers have yet to run
  std::vector<int> signals_from_thread_;                             ///< see signal_from_thread()
  std::vector<std::shared_ptr<OtherThread>> other_threads_waiting_;  ///< for a lock
  int gap_signal_ = 0;              ///< was handled just before the current call began; 0: none was
  const char* current_call_ = "";   ///< the function, when gap_signal_ is not 0
  std::map<int, int> standard_;     ///< 0, 1, 2 as they were -> where they are kept
  std::vector<int> number_takers_;  ///< see take_numbers_below()
  std::vector<int> competitors_clients_;  ///< descriptors of theirs, open until the end
  std::optional<Time> alarm_at_;
  unsigned alarm_number_ = 0;  ///< an alarm that has been replaced knows it by this
};

}  // namespace grader
