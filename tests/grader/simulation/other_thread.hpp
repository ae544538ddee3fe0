/// @file
/// One of the program's other threads.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <utility>

namespace grader {

/// A real thread, that runs only while the program's own stands still. It belongs to that one,
/// except while it runs.
struct OtherThread {
  explicit OtherThread(std::string its_name) : name(std::move(its_name)) {}

  /// To be called by the thread itself, and by the program's own.
  void stand_still() { is_running = false, is_running.notify_one(); }
  void go_on() { lock = nullptr, is_running = true, is_running.notify_one(); }

  std::string name;
  std::string thrown{};        ///< what its deed threw, in words; empty: nothing
  const char* lock = nullptr;  ///< the function in which it waits for a lock; nullptr: none
  std::atomic<bool> is_running = true;  ///< who sets it false stands still until it is true again
  std::thread thread{};
};

}  // namespace grader
