/// @file
/// Lesson 19: turn the loop inside-out once, and use it for everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "given/deadline.hpp"

namespace course {

/// What a descriptor is watched for, or found to be ready for.
struct Interest {
  bool read = false;   ///< select(2)'s "ready for reading"
  bool write = false;  ///< select(2)'s "ready for writing"

  /// Equal in both.
  friend bool operator==(const Interest&, const Interest&) = default;
};

/// Waits for everything at once, and calls whoever asked for it: descriptors, timers, and functions
/// that other threads post. One thread runs it; only post() and stop() may be called from others.
/// Neither copied nor moved. It owns no descriptor that is watched.
///
/// Functions are called one at a time, from run() only. They may call everything here but run(),
/// also about themselves: what a function watches, unwatches or modifies counts from its next
/// statement on. An exception of a function ends run(), which throws it; the loop is as good as
/// before, nothing that was still to be called is lost, and run() can be called again.
class Loop {
 public:
  /// Which watch, for modify() and unwatch(), or which timer, for cancel(). No watch gets the token
  /// of an earlier watch, and no timer that of an earlier timer.
  using Token = std::uint64_t;
  /// Called with what the descriptor is ready for: at least one of the two, and none that it is not
  /// watched for.
  using Watcher = std::function<void(Interest ready)>;
  /// What is called when a time has come, or another thread has asked.
  using Function = std::function<void()>;

  /// Nothing is watched. Throws std::system_error with errno and what() naming the call (EINVAL: a
  /// descriptor of its own would not fit into an fd_set that it needs); then nothing stays open.
  /// Starts no thread.
  Loop();

  /// Calls nobody any more, and closes what it opened itself. What the functions hold is released,
  /// and must not use the loop any more.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /// Calls `watcher` whenever `fd` is ready for something of `interest`, once in a turn: the same
  /// object each time, with what it remembers. `fd` is borrowed, keeps its mode, and is to be
  /// unwatched before it is closed; it may have several watches. An interest in nothing is allowed,
  /// and keeps the watch for later. Throws std::system_error with EINVAL when `fd` does not fit
  /// into an fd_set (FD_SETSIZE, 1024, or more; negative).
  Token watch(int fd, Interest interest, Watcher watcher);

  /// Another interest from now on. What the descriptor was found ready for in this turn, and is not
  /// watched for any more, is not reported. False when there is no such watch.
  bool modify(Token token, Interest interest);

  /// Ends a watch: its watcher is not called any more, though the descriptor may have been found
  /// ready in this turn. What it holds is released in this turn or the next, never while it runs. A
  /// new watch, be it of a descriptor with the same number, is not called before it has been waited
  /// for. False when there is no such watch.
  bool unwatch(Token token);

  /// Calls `function` once, `time` from now (zero or less: in this turn or the next; too long for
  /// the clock: never), never earlier, and later only by what else runs and the granularity of the
  /// wait (a millisecond with poll(2)). What is due runs in the order of the times, and timers of
  /// one time in the order in which they were set. What timers set comes in the turn after at the
  /// earliest.
  Token after(Duration time, Function function);

  /// Makes sure that a timer does not run any more, though it may be due. What it holds is released
  /// in this turn or the next. False when it has run or was cancelled already.
  bool cancel(Token timer);

  /// Calls `function` once, in the thread of run(), in this turn or the next, in the order of the
  /// posts; wakes the loop when it waits. Any thread may call it at any time while the loop lives,
  /// also when run() does not run: then run() will call it. What posted functions post, themselves
  /// or by what they hold when that is released, comes in the turn after. Never blocks for longer
  /// than it takes another thread to post. Not for signal handlers.
  void post(Function function);

  /// Runs until stop(), or until there is nothing to wait for: no watch with an interest, no timer
  /// (not even one that never comes), and nothing posted. Blocks in one select(2) or poll(2) a
  /// turn, without using the processor. Signals neither end nor lengthen a wait. In each turn, what
  /// is ready is called first, then due timers, then what was posted; a watcher, timer or post that
  /// always has more to do keeps none of the others waiting. Cost of a turn: that of the wait
  /// itself, and in proportion to the watches. Throws std::system_error when the wait fails (EBADF:
  /// a watched descriptor was closed).
  void run();

  /// Makes run() return: at the latest when the turn is over in which it is called, and at once
  /// when run() waits. What has not been called by then is called when run() is called again. When
  /// run() does not run, the next one returns without waiting. Any thread may call it.
  void stop() noexcept;

  /// How many watches there are.
  [[nodiscard]] std::size_t watches() const noexcept;

 private:
  struct State;  // yours to define in event_loop.cpp as you like
  std::unique_ptr<State> state_;
};

}  // namespace course
