/// @file
/// What the facts about waiting need: calls that block, signals that are caught, children that may
/// die. Linking it also ends a test that hangs after 30 s, with its whole program.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <string>
#include <thread>

#include "loopback.hpp"

namespace facts {

/// A call that is expected to block, made on a thread of its own.
class BlockedCall {
 public:
  /// Starts `call`; what it returns and its errno are the result.
  explicit BlockedCall(std::function<long()> call);

  /// Interrupts the call (SIGUSR2) if it still blocks, and joins. When even that does not end it,
  /// the program ends with a sentence: a thread that hangs in the kernel cannot be given up.
  ~BlockedCall();

  BlockedCall(const BlockedCall&) = delete;
  BlockedCall& operator=(const BlockedCall&) = delete;

  /// Waits until the kernel shows the thread asleep inside the call; fails if the call returns.
  [[nodiscard]] testing::AssertionResult is_asleep();

  /// Sends the thread a signal and waits until it has got there.
  void interrupt(int signal);

  /// Waits for the end of the call.
  [[nodiscard]] Result result();

 private:
  std::atomic<pid_t> thread_id_{0};
  std::atomic<bool> started_{false};
  std::atomic<bool> done_{false};
  Result result_;
  std::thread thread_;
};

/// While it lives, one signal is caught and counted. Use one at a time: the counter is shared.
class SignalCounter {
 public:
  /// `flags` are those of sigaction(2), such as SA_RESTART.
  explicit SignalCounter(int signal, int flags = 0);
  ~SignalCounter();
  SignalCounter(const SignalCounter&) = delete;
  SignalCounter& operator=(const SignalCounter&) = delete;

  /// How often the handler has run.
  [[nodiscard]] int count() const;

 private:
  int signal_;
  struct sigaction before_ {};
};

/// Runs `body` in a forked child, killed after 5 s: what it returned, or "killed by SIGPIPE".
[[nodiscard]] std::string in_child(const std::function<std::string()>& body);

}  // namespace facts
