/// @file
/// The language in which checks are written: who is on the other side, what goes wrong, and the
/// program's turn.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "libc/allocation_watch.hpp"
#include "libc/caller_filter.hpp"
#include "libc/handler_watch.hpp"
#include "scenario/waiting.hpp"
#include "simulation/faults.hpp"
#include "simulation/peer.hpp"
#include "simulation/resolver.hpp"
#include "simulation/time.hpp"
#include "simulation/where.hpp"

namespace grader {

/// How the program answers to a signal that the scenario sends it.
enum class Handler {
  plain,       ///< a handler without SA_RESTART
  restarting,  ///< a handler with SA_RESTART
  own,         ///< whatever the program has set up itself
};

/// A call that the program made, as the flight recorder kept it.
struct Call {
  std::string function;  ///< "recv"
  std::string text;      ///< "recv(3, 16)"
  std::string result;    ///< "5 \"hello\""
  std::string who;       ///< the peer it was about; empty: none
  std::string by;        ///< "handler", or the name of another thread; empty: the main line
  int fd = -1;
  long value = 0;  ///< what it returned
  int error = 0;   ///< errno when it failed, else 0
  Time began{}, returned{};
};

/// One check's world. Make it first, describe the other side, then run the program in it, once or
/// several times. Virtual time passes only while the program waits (and in finish()).
///
/// At its end it lets the peers finish their scripts and demands that the program has left no
/// descriptor open and no address list unfreed, so a Scenario must be declared before every object
/// that owns a descriptor.
class Scenario {
 public:
  Scenario();
  ~Scenario();
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;

  /// A new participant on the other side. The reference stays valid as long as the scenario.
  Peer& peer(const std::string& name);

  /// What goes wrong.
  Faults& faults();

  /// What getaddrinfo answers.
  Resolver& names();

  /// Sends `signal` to the program at this virtual time. A handler of the scenario's own then takes
  /// the virtual time `takes`, and the other side goes on meanwhile; only when the handler is done
  /// does the call return that it has interrupted. The time was measured before that, as in the
  /// kernel: the timeval that select(2) leaves does not tell of it. A signal that comes due when
  /// the program is not running waits for its next run.
  void signal_at(Time time, int signal, Handler handler = Handler::plain, Time takes = {});

  /// @name Signals and threads in the worst moment
  /// A family is named as in Faults ("select": select, pselect, poll and ppoll; "recv": also read,
  /// ...); "" is any call at all, and "new" an allocation (signal_before() and
  /// thread_before() only). `skip` calls of it are left alone first. Calls in handlers and in
  /// other threads are no occasion. What has found no occasion when the program returns waits for
  /// the next run. (No real system can be asked for that: only in the simulation.)
  /// @{

  /// Sends `signal` just as the program enters its next call of `family`: after its check and
  /// before its wait. A signal that is not blocked is handled then, and the call that begins
  /// afterwards knows nothing of it; one that is blocked stays pending, for pselect to let in.
  void signal_before(const std::string& family, int signal, Handler handler = Handler::own,
                     int skip = 0);

  /// Sends it when that call has returned: errno is as the call has left it.
  void signal_after(const std::string& family, int signal, Handler handler = Handler::own,
                    int skip = 0);

  /// Lets another thread do `deed`, as thread_at() does, in the same moments.
  void thread_before(const std::string& family, std::function<void()> deed, int skip = 0,
                     const std::string& name = "another thread");
  void thread_after(const std::string& family, std::function<void()> deed, int skip = 0,
                    const std::string& name = "another thread");

  /// Whether something of all that still waits for its moment.
  [[nodiscard]] bool awaits_a_moment() const;
  /// @}

  /// Installs a handler for `signal`, which signal_at() and the like can send with Handler::own: it
  /// runs `deed`, the program's code, and is judged as the program's own handlers are. What a
  /// handler calls must be async-signal-safe (signal-safety(7)); else the verdict is "unsafe
  /// handler". When the scenario is over, the handler does nothing.
  void handle(int signal, std::function<void()> deed, Handler handler = Handler::plain);

  /// Another thread does `deed`, the program's code, at this virtual time: while the program waits,
  /// or as soon as it makes a call, after all that the other side does in that instant. The
  /// program's own thread stands still meanwhile, so nothing is left to a scheduler. The deed must
  /// not wait: that is the verdict "waiting thread". (For a lock that the program's own thread
  /// holds just then it does wait, until that has let go of it; if the program begins to wait
  /// first, that is the verdict.) An exception that leaves it is the verdict "crash". What comes
  /// due when the program is not running waits for its next run.
  ///
  /// Signals of the scenario go to the program's own thread. In the timeline and in calls() the
  /// calls of the other thread bear its `name`.
  void thread_at(Time time, std::function<void()> deed, const std::string& name = "another thread");

  /// The wall clock jumps at this virtual time; the steady clock does not.
  void wall_clock_jumps_at(Time time, Time by);

  /// The check takes a look at its own peers at this virtual time, before they do what they do
  /// then.
  void looks_at(Time time, std::function<void()> look);

  /// @name What the check lends the program, besides connections and pipes (Peer)
  /// Lent descriptors are borrowed: for the program to close one is a mistake.
  /// @{

  /// A regular file with these contents, open for reading from its start. Always ready (select(2)).
  int file(const std::string& contents);

  /// An empty regular file, open for writing.
  int output_file();

  /// What is in a file lent by output_file() by now.
  [[nodiscard]] std::string contents_of(int fd) const;

  /// /dev/null, open for reading and writing.
  int null_device();

  /// Gives a lent descriptor the number `number` instead, which must be free, or 0, 1 or 2, and
  /// below 4096; returns it. (What the program prints while 1 is lent goes into what was lent, as
  /// it would anywhere. The three are the check's own again when the scenario ends.)
  ///
  /// stdio and select do not go together: bytes that wait in a FILE's buffer are no longer in the
  /// descriptor. So reading a lent pipe or socket by stdio (std::cin, fgets, fdopen) ends the check
  /// with "not in this lesson"; a lent file may be read that way.
  int lend_at(int fd, int number);

  /// The next descriptor that the program opens is `number`, as if it had all below open already.
  void next_descriptor_is(int number);
  /// @}

  /// The next time the program asks about `fd`, it is told "readable" though nothing is there.
  void spurious_readiness(int fd);

  /// Somebody else, `who`, holds the open file of `fd` too, as a parent and its child do after
  /// fork(2), waits for it as well, and is quicker: the next `times` times that a waiting call
  /// tells the program that `fd` is readable and something is there, `who` takes it all, bytes or
  /// the client that has waited longest, before the program can make another call. (The end of a
  /// stream nobody can take away.)
  void competitor(const std::string& who, int fd, int times = 1);

  /// select(2) leaves its timeval as it was, as on systems other than Linux.
  void select_leaves_timeout();

  /// Runs the program: its libc calls enter the simulation until `program` returns or throws.
  /// Returns what it returns.
  template <class Program>
  auto run(Program&& program) -> std::invoke_result_t<Program> {
    const Turn turn(*this);
    return std::forward<Program>(program)();
  }

  /// Lets the peers finish their scripts now; the destructor does it otherwise.
  void finish();

  /// Tells what the next runs are asked to wait for. When a wait, a busy loop or a flood then ends
  /// the check, the report says what diagnose() makes of the waits of that run. (A check that fails
  /// by an expectation says it itself.) `when_answered` says, without a full stop, what a program
  /// should do with an answer for which it asks again and again, where the grader would guess.
  void asks(const Asked& asked, const std::string& when_answered = {});

  /// The same for programs that wait with descriptors of their own: of those waits only the time is
  /// known.
  void asks_only_time(const AskedTime& asked);

  /// The same when a check knows more of its program than asks() can say: what `diagnosis` returns
  /// at such an end, one or two sentences, is what the report says (empty: nothing).
  void diagnoses(std::function<std::string()> diagnosis);

  /// Tells what it means that the next runs use up all the processor time that a check has, where
  /// the grader would guess: how its report goes on.
  void when_computing_too_long(const std::string& meaning);

  /// @name What came of it
  /// @{
  [[nodiscard]] Time now() const;   ///< virtual time
  [[nodiscard]] Time took() const;  ///< virtual time that the last run took
  /// How often the scenario's handlers, those of signal_at() and handle(), have run.
  [[nodiscard]] int handler_runs() const;

  /// How often handlers that the program itself has installed have run.
  [[nodiscard]] int own_handler_runs() const;

  /// The first handler, of the program's own or of handle(), that left errno other than it found
  /// it: the code that it interrupted may look at errno just then. Nothing: none did.
  [[nodiscard]] std::optional<ErrnoChange> errno_changed_by_handler() const;

  /// The calls of the program in this scenario so far, oldest first; of one function only, when it
  /// is named.
  [[nodiscard]] std::vector<Call> calls(const std::string& function = {}) const;

  /// The waiting calls (select, pselect, poll, ppoll) of the program so far, refused ones included.
  [[nodiscard]] Waits waits() const;

  /// Those of the last run only.
  [[nodiscard]] Waits waits_of_last_run() const;

  /// The descriptors that the program opened and that are still open, lowest first.
  [[nodiscard]] std::vector<int> open_descriptors() const;

  /// What the last run asked of operator new.
  [[nodiscard]] Allocations allocated() const;

  /// How many descriptors the program has open of those that were opened by calls of this name
  /// ("accept()").
  [[nodiscard]] std::size_t open_count(const std::string& opened_by) const;
  /// @}

  /// Descriptors that the program leaves open are this check's own business, not a leak.
  void allow_open_descriptors();

  /// Address lists that the program does not give to freeaddrinfo are this check's own business,
  /// not a leak.
  void allow_open_lists();

  /// Closing a descriptor that is not open is this check's own business: it fails with EBADF, as in
  /// the kernel, and is no verdict.
  void allow_bad_closes();

 private:
  // The program's turn: calls are simulated and marked in the recording while it lives.
  class Turn {
   public:
    explicit Turn(Scenario& scenario);
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Scenario& scenario_;
    Time began_;
    Inside inside_;
  };
  void begin_handlers();
  void end_handlers();
  void demand_nothing_left_open();

  Simulation& simulation_;
  std::uint32_t number_ = 0;  // in its check, counted from 1
  Time took_{};
  std::uint64_t waits_before_run_ = 0;
  Allocations allocated_{};
  int exceptions_in_flight_;
  bool is_finished_ = false;
  bool open_descriptors_are_allowed_ = false;
  bool open_lists_are_allowed_ = false;
};

}  // namespace grader
