/// @file
/// Lesson 15: one thread, many clients.
#pragma once

#include <cstddef>
#include <memory>

#include "01-descriptors/descriptors.hpp"
#include "given/deadline.hpp"

namespace course {

/// Sends every client what it says, at its own speed, all in one thread. Not to be copied; it can
/// be moved, and a moved-from server is only good for being destroyed.
class EchoServer {
 public:
  /// Takes over the listening stream socket `listener`, in whichever mode it is; its number fits
  /// into an fd_set. Nobody is accepted yet. Does not block. Throws std::system_error with errno
  /// and what() naming the call.
  explicit EchoServer(Fd listener);

  /// Closes the listener and all clients at once; what waits for them is dropped.
  ~EchoServer();
  /// Takes over all that the other has.
  EchoServer(EchoServer&&) noexcept;
  /// Gives up its own, and takes over all that the other has.
  EchoServer& operator=(EchoServer&&) noexcept;

  /// One turn: waits in one select(2) until the listener or a client is ready, `wake_up` is
  /// readable (borrowed for this call, only looked at; it fits into an fd_set; -1: none), or
  /// `deadline` has passed, whichever is first; does what can be done now, without waiting;
  /// returns. A deadline that has passed already still looks once. Signals neither end nor lengthen
  /// the wait. No client waits for another: of each that is ready no more than 65,536 bytes are
  /// received in a turn, and no more than 64 clients are accepted, those that are closed at once
  /// included.
  ///
  /// What a client sends comes back to it as it is, in order, as soon as the kernel takes it. While
  /// 65,536 bytes or more wait for a client nothing is received from it; when no more than 16,384
  /// are left, receiving goes on. (A turn that begins below the mark may receive its 65,536, so
  /// never more than 131,071 wait.) A client is watched for writing only while something waits for
  /// it, so an idle server makes no calls.
  ///
  /// A client that has finished sending is sent what is still due, and then closed. One whose
  /// connection fails (ECONNRESET, EPIPE, …) is closed at once, before this returns; the others do
  /// not notice. EPIPE comes without a SIGPIPE, whose disposition and mask are left alone. A client
  /// whose descriptor does not fit into an fd_set (FD_SETSIZE, 1024, or more) is closed as soon as
  /// it is accepted. Whoever left before it was accepted is passed over, as try_accept() of lesson
  /// 11 does.
  ///
  /// Throws std::system_error with errno and what() naming the call when the wait fails, or accept
  /// does for a reason that is not one client's (EMFILE, …). Whoever was ready in that turn has
  /// been served all the same, and the next step() goes on.
  void step(Deadline deadline, int wake_up = -1);

  /// How many clients are connected: accepted, and not closed yet.
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  struct State;  // what it remembers; yours to define in echo_server.cpp as you like
  std::unique_ptr<State> state_;
};

}  // namespace course
