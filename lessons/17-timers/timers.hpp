/// @file
/// Lesson 17: the select timeout is the time until the nearest deadline.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "16-chat-server/chat_server.hpp"
#include "given/deadline.hpp"

namespace course {

/// Functions to be called later, each at its time. It looks at no clock: the caller says what time
/// it is, zero or more, which never goes backwards. Never blocks. With n timers, adding, cancelling
/// and calling one takes time that grows no faster than log n. Not to be copied; it can be moved,
/// and a moved-from queue is only good for being destroyed.
class TimerQueue {
 public:
  /// A point in time on std::chrono::steady_clock. Any will do, Point::min() (long past) and
  /// Point::max() (never) too.
  using Point = std::chrono::time_point<std::chrono::steady_clock, Duration>;

  /// Which timer. Never used again: not when the timer has run, nor when it was cancelled.
  using Id = std::uint64_t;

  /// What a timer does. It may add and cancel timers, itself included: it lives until its call has
  /// returned. An exception passes through run_due(); its timer counts as run, an `every` goes on,
  /// and what else is due stays due.
  using Function = std::function<void()>;

  TimerQueue();
  ~TimerQueue();
  /// Takes over all that the other has.
  TimerQueue(TimerQueue&&) noexcept;
  /// Gives up its own, and takes over all that the other has.
  TimerQueue& operator=(TimerQueue&&) noexcept;

  /// Calls `function` once, when it is `when`; at the next run_due() if that has passed.
  Id add(Point when, Function function);

  /// Calls `function` at `first`, and then every `interval` (more than zero, else
  /// std::invalid_argument): at first + interval, first + 2 * interval, …, however late each call
  /// was (no drift). Times that have passed without a call are skipped, not made up for: after a
  /// pause it is called once, and then again at the next of its times that is still to come. It is
  /// the same object each time, with what it remembers. A time beyond Point::max() never comes.
  Id every(Point first, Duration interval, Function function);

  /// Makes sure that the timer does not run any more, though it may be due already, or be the
  /// `every` whose function is just running, and destroys its function (a running one when its call
  /// has returned). Returns whether it was still to run (again).
  bool cancel(Id id);

  /// How long to wait, at `now`, until the first timer is due: zero when one is due already, never
  /// less; nothing when there is no timer. This is a timeout for select(2).
  [[nodiscard]] std::optional<Duration> until_next(Point now) const;

  /// Calls what is due at `now`, the earliest first, and those of one time in the order in which
  /// they were added (an `every`: added or last called, as you like). A timer that is added
  /// meanwhile, by a function, is not called before the next run_due(), though it may be due
  /// already; so this ends. Returns how many it has called.
  std::size_t run_due(Point now);

  /// How many timers are still to run.
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct State;  // yours to define in timers.cpp as you like
  std::unique_ptr<State> state_;
};

/// How much time a client of TimedChat has; each more than zero; Duration::max() is no limit.
struct ChatTimes {
  Duration naming = std::chrono::seconds(30);  ///< to be in the room, from admit() on
  /// To finish a line that it has begun; and, when it has left, to take what waits for it.
  Duration line = std::chrono::seconds(30);
  Duration idle = std::chrono::minutes(10);  ///< between two lines
};

/// The chat of lesson 16 with a sense of time. It has no listener: whoever accepts a client brings
/// it here. Not to be copied; it can be moved, and a moved-from chat is only good for being
/// destroyed.
class TimedChat {
 public:
  /// Nobody is connected. Does not block.
  explicit TimedChat(ChatTimes times = {}, LineLimits limits = {});

  /// Closes all connections at once.
  ~TimedChat();
  /// Takes over all that the other has.
  TimedChat(TimedChat&&) noexcept;
  /// Gives up its own, and takes over all that the other has.
  TimedChat& operator=(TimedChat&&) noexcept;

  /// Takes over the connected stream socket `client`, in whichever mode it is, as
  /// LineClients::admit() does: throws std::system_error with EINVAL when it does not fit into an
  /// fd_set. Its time begins.
  void admit(Fd client);

  /// One turn: waits in one select(2) until something happens to a client, a client's time is up,
  /// one of `others` (borrowed, each fits into an fd_set; none is -1) is readable, or `deadline`
  /// has passed, whichever is first; does what can be done now, without waiting; and returns those
  /// of `others` that are readable. Signals neither end nor lengthen the wait. Of several ends the
  /// wait is only as long as to the nearest, and it is one wait: an idle chat makes no calls.
  ///
  /// The Room's rules are those of lesson 16. Besides, each client has its times. When one is up,
  /// the client gets a last line, is sent what waits for it, and is closed (as by
  /// LineClients::disconnect()); all others get "* ada left (why)", if it had a name:
  /// - it is not in the room `naming` after admit(): "! no name: goodbye"; nobody is told.
  /// - it has begun a line and not finished it within `line`, however steadily it sends: "! a line
  ///   takes too long: goodbye", why is "line takes too long". The time runs from the turn in which
  ///   the line's first byte was received.
  /// - it is in the room and has not finished a line for `idle`: "! idle: goodbye", why is "idle".
  ///   The time runs from the turn in which its last line, or its name, was received.
  ///
  /// A client that has sent its line in time is not late because it was received late: what is
  /// there is received, as much as a turn receives, before the times are looked at. What others say
  /// to it is no line of its own. A client that does not read is treated as in lesson 16; if its
  /// last line is one too many for it, either reason may be told.
  ///
  /// Whoever has left, because its time was up, because it has finished sending, or by end(), has
  /// one time more: what it has not taken `line` after it left is dropped, and it is closed.
  /// A client that is closed has no times any more: they wake nobody.
  ///
  /// Throws like LineClients::step().
  [[nodiscard]] std::vector<int> step(Deadline deadline, std::span<const int> others = {});

  /// Sends `line` to every client, those without a name included, as far as it fits now; the rest
  /// follows in later turns. It is no line of theirs: their times go on. Never blocks.
  void announce(std::string_view line);

  /// Ends all conversations politely: sends `line` to every client that has not left, receives
  /// nothing more, and closes each as soon as it has been sent what waits for it, in this call or
  /// in later turns. Nobody is told that the others left. Never blocks. Not to be followed by
  /// admit(), unless drop_all() comes between.
  void end(std::string_view line);

  /// Closes all connections at once; what waits for them is dropped. A chat that is empty again.
  void drop_all();

  /// How many connections are open.
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  struct State;  // yours to define in timers.cpp as you like
  std::unique_ptr<State> state_;
};

}  // namespace course
