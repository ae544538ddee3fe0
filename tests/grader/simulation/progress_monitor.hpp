/// @file
/// Tells a program that makes headway from one that only makes calls.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace grader {

/// Counts calls that brought nothing since something last did, or since time last passed.
class ProgressMonitor {
 public:
  static constexpr unsigned useless_calls_max = 100;  ///< of the same kind on the same descriptor
  static constexpr unsigned useless_calls_total_max = 20'000;
  static constexpr unsigned useless_wake_ups_max = 10'000;  ///< written to a full pipe of its own
  static constexpr std::uint64_t clock_reads_max = 100'000;
  static constexpr std::uint64_t calls_max = 50'000;  ///< of one check, useful or not

  /// Bytes moved, a connection came, a descriptor was closed, or time passed.
  void useful() {
    useless_.clear();
    useless_total_ = 0;
    clock_reads_ = 0;
  }

  /// A call brought nothing. True: that is one too many.
  bool useless(const std::string& function, int fd, unsigned max = useless_calls_max) {
    return ++useless_[{function, fd}] >= max || ++useless_total_ >= useless_calls_total_max;
  }

  /// The program read the clock. True: that is one too many.
  bool clock_read() { return ++clock_reads_ > clock_reads_max; }

  /// Any call. True: that is one too many.
  bool call() { return ++calls_ > calls_max; }

 private:
  std::map<std::pair<std::string, int>, unsigned> useless_;
  unsigned useless_total_ = 0;
  std::uint64_t clock_reads_ = 0, calls_ = 0;
};

}  // namespace grader
