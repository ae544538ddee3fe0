/// @file
/// Counting the system calls of another process, with ptrace(2).
#pragma once

#include <atomic>
#include <cstdint>

namespace benchmark {

/// The counters, in memory shared with the process that counts.
struct CallCounts {
  std::atomic<bool> is_counting{false};
  std::atomic<std::uint64_t> waits{0};   ///< select(2) and its kin: poll, epoll_wait …
  std::atomic<std::uint64_t> others{0};  ///< every other call
};

/// Becomes the parent of `command` (ended by a null pointer), and counts into the memory of `fd`
/// the calls of all its threads, until it ends or this process is killed. Returns an exit status.
int count_calls(int fd, char* const* command);

/// Shared memory for counters; its descriptor is inherited by children.
class SharedCounts {
 public:
  SharedCounts();
  SharedCounts(const SharedCounts&) = delete;
  SharedCounts& operator=(const SharedCounts&) = delete;
  ~SharedCounts();

  [[nodiscard]] int fd() const { return fd_; }
  CallCounts* operator->() { return counts_; }

 private:
  int fd_;
  CallCounts* counts_;
};

}  // namespace benchmark
