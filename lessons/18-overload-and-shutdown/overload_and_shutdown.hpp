/// @file
/// Lesson 18: say no early, and leave politely.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>

#include "01-descriptors/descriptors.hpp"
#include "17-timers/timers.hpp"
#include "given/deadline.hpp"

namespace course {

/// How much a server is ready to bear.
struct Limits {
  std::size_t clients_max = 1000;  ///< how many connections may be open at once; at least 1
  Duration rest = std::chrono::milliseconds(100);  ///< how long nobody is accepted after an accept
                                                   ///< that found no descriptor; more than zero
  ChatTimes times{};                               ///< how much time a client has
  LineLimits lines{};  ///< how much a client may send, and how much may wait for it
};

/// The chat server that stays up. Not to be copied; it can be moved, and a moved-from server is
/// only good for being destroyed.
class GuardedChatServer {
 public:
  /// Takes over the listening stream socket `listener`, in whichever mode it is. Nobody is accepted
  /// yet. Does not block. Throws std::system_error with errno and what() naming the call.
  explicit GuardedChatServer(Fd listener, Limits limits = {});

  /// Closes the listener and all connections at once.
  ~GuardedChatServer();
  /// Takes over all that the other has.
  GuardedChatServer(GuardedChatServer&&) noexcept;
  /// Gives up its own, and takes over all that the other has.
  GuardedChatServer& operator=(GuardedChatServer&&) noexcept;

  /// One turn of a TimedChat with the limits' times and lines, which accepts clients itself, no
  /// more than 64 in a turn, refused or not. Waits until the listener or a client is ready, a
  /// client's time or a rest (see below) is up, `wake_up` is readable (borrowed for this call, only
  /// looked at; -1: none), or `deadline` has passed, whichever is first; does what can be done now;
  /// returns. An idle server makes no calls.
  ///
  /// Whoever cannot be served is told at once, and not left to wait: when limits.clients_max
  /// connections are open, or the new client's descriptor does not fit into an fd_set (FD_SETSIZE,
  /// 1024, or more), it is sent the line "! full: try again later", as far as that fits at once,
  /// and closed, by an end and not by a reset: what it has said by then is received and discarded
  /// (no more than 65,536 bytes). It is never part of the chat.
  ///
  /// When accept finds no descriptor or no memory (EMFILE, ENFILE, ENOBUFS, ENOMEM), the listener
  /// stays readable, so it is left alone for limits.rest (or, as you like, until one of the
  /// connections is closed, if that is earlier); clients wait in its queue meanwhile, and those
  /// that are connected are served as ever. After that it is tried again, without anybody having to
  /// ask: no call is made for it in between, and nothing is forgotten. The errors that concern one
  /// client are passed over, as by try_accept() of lesson 11. Any other error of accept, and what
  /// the wait throws, is thrown; the next step() goes on.
  void step(Deadline deadline, int wake_up = -1);

  /// Ends the server: the listener is closed at once, so nobody new gets in and the port is free.
  /// Every client gets the line "* the server is closing: goodbye", is sent what waits for it, and
  /// is closed, by an end and not by a reset; nothing more that it says is passed on. Blocks until
  /// all are closed, `deadline` has passed, or `hurry` is readable (borrowed for this call, only
  /// looked at; -1: none), whichever is first; then those that are left are closed at once. Returns
  /// how many those were: 0 means that everybody has been sent everything. (Whether a deadline that
  /// has passed already leaves time for one look is up to you.) Waits in the kernel; signals
  /// neither end nor lengthen that. A second call has nobody left to say goodbye to, and returns 0
  /// at once; so does step() have nobody to wait for but `wake_up` and the deadline.
  std::size_t shutdown(Deadline deadline, int hurry = -1);

  /// How many connections are open.
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  struct State;  // yours to define in overload_and_shutdown.cpp as you like
  std::unique_ptr<State> state_;
};

}  // namespace course
