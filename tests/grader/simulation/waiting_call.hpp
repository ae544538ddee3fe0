/// @file
/// What select, pselect, poll and ppoll were asked and what they answered, in one form for all.
#pragma once

#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <time.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "simulation/time.hpp"

namespace grader {

/// A timeout as it stands in the arguments of a call, whatever it is worth.
struct RawTimeout {
  std::int64_t seconds = 0;   ///< tv_sec; 0 for poll
  std::int64_t fraction = 0;  ///< tv_usec, tv_nsec, or all of poll's milliseconds
  Time unit{1us};             ///< of `fraction`: 1 us, 1 ns or 1 ms

  static RawTimeout of(const timeval& time) { return {time.tv_sec, time.tv_usec, 1us}; }
  static RawTimeout of(const timespec& time) { return {time.tv_sec, time.tv_nsec, 1ns}; }
  static RawTimeout of_poll(int milliseconds) { return {0, milliseconds, 1ms}; }

  /// Nothing negative, and less than a second in `fraction` (poll: no limit).
  [[nodiscard]] bool is_in_range() const;

  /// Linux takes more than POSIX demands: a tv_usec of a million and more (select(2)).
  [[nodiscard]] bool is_accepted() const;

  /// How long it is; the longest Time there is, when it is longer.
  [[nodiscard]] Time span() const;

  /// What is left of it after `passed`, as select(2) writes it into its timeval.
  [[nodiscard]] RawTimeout after(Time passed) const;

  /// "1.5 s"; out of range as it stands: "timeval{0, 1500000}".
  [[nodiscard]] std::string to_text() const;

  bool operator==(const RawTimeout&) const = default;
};

/// Descriptors by what they are watched for; each list sorted, each descriptor once.
struct Watched {
  std::vector<int> reading;      ///< select's first set; POLLIN, POLLRDNORM
  std::vector<int> writing;      ///< select's second set; POLLOUT, POLLWRNORM
  std::vector<int> exceptional;  ///< select's third set; POLLPRI

  [[nodiscard]] bool empty() const {
    return reading.empty() && writing.empty() && exceptional.empty();
  }
  bool operator==(const Watched&) const = default;
};

/// One call of select, pselect, poll or ppoll.
struct WaitingCall {
  std::string function;       ///< "select"
  long nfds = 0;              ///< as given: one above the highest; poll: the number of entries
  Watched watched;            ///< before the call; of select's sets what lies below nfds
  Watched overlooked;         ///< before the call, at and above nfds: select never looks there
  Watched found;              ///< after it; when select failed, its sets are as they were
  std::vector<int> not_open;  ///< those of `watched` for which it said EBADF or POLLNVAL
  std::optional<RawTimeout> raw_timeout;  ///< nothing: a null pointer
  std::optional<Time> timeout;     ///< nothing: it waits for ever; below 0: refused, as it stood
  std::optional<RawTimeout> left;  ///< what select left in its timeval
  std::optional<std::vector<int>> mask;  ///< pselect, ppoll: signals held back while it waits
  Time began{};                          ///< virtual time
  Time returned{-1};                     ///< virtual time; below 0: it has not returned
  long value = 0;                        ///< what it returned
  int error = 0;                         ///< errno when it failed, else 0

  [[nodiscard]] bool is_poll() const { return function == "poll" || function == "ppoll"; }
};

/// The waiting calls of a program, the newest `calls_max` of them.
class WaitLog {
 public:
  static constexpr std::size_t calls_max = 1000;
  using Id = std::uint64_t;

  /// A call has begun.
  Id begin(WaitingCall call);

  /// The call, to be completed; nullptr when it was so long ago that it is forgotten.
  [[nodiscard]] WaitingCall* find(Id id);

  /// Oldest first.
  [[nodiscard]] const std::deque<WaitingCall>& calls() const { return calls_; }

  /// How many there have been, the forgotten ones included.
  [[nodiscard]] std::uint64_t count() const { return first_ + calls_.size(); }

 private:
  std::deque<WaitingCall> calls_;
  Id first_ = 0;  // of calls_.front()
};

/// The three sets of select(2), each of which may be nullptr.
struct SelectSets {
  fd_set *read, *write, *except;

  /// What they hold from `first` to below `end`.
  [[nodiscard]] Watched members(int first, int end) const;
};

/// What poll's entries ask for; negative descriptors are left out.
Watched asked_of(const pollfd* entries, nfds_t count);

/// What poll's entries answer, put as select would put it: an error makes ready for all that was
/// asked.
Watched found_by(const pollfd* entries, nfds_t count);

/// ", read {3 4}, write {4}": the sets that are there.
std::string sets_text(const SelectSets& sets, int nfds);

/// "3:in+out 4:in": what is asked, or what came for those for whom something came.
std::string asked_text(const pollfd* entries, nfds_t count);
std::string found_text(const pollfd* entries, nfds_t count);

/// "no timeout", or what it is.
std::string timeout_text(const WaitingCall& call);

/// "4 is not open", "4 7 are not open"; empty for none.
std::string not_open_text(const std::vector<int>& descriptors);

}  // namespace grader
