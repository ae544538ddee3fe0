/// @file
/// How the program waited: its calls of select, pselect, poll and ppoll, for checks that judge
/// them, and what they tell about a mistake.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "real_time/real_time.hpp"
#include "simulation/waiting_call.hpp"

namespace grader {

/// select, pselect, poll and ppoll look the same here, so that a check need not care which one the
/// program uses. Oldest first; at most WaitLog::calls_max.
///
/// In real time nobody records them: there are none. Only who looks at them is told so (lacks()).
class Waits : private std::vector<WaitingCall> {
  using Calls = std::vector<WaitingCall>;

 public:
  using Calls::Calls;
  using Calls::const_iterator;
  using Calls::value_type;
  [[nodiscard]] auto begin() const { return calls().begin(); }
  [[nodiscard]] auto end() const { return calls().end(); }
  [[nodiscard]] std::size_t size() const { return calls().size(); }
  [[nodiscard]] bool empty() const { return calls().empty(); }
  [[nodiscard]] const WaitingCall& front() const { return calls().front(); }
  [[nodiscard]] const WaitingCall& back() const { return calls().back(); }
  [[nodiscard]] const WaitingCall& operator[](std::size_t i) const { return calls()[i]; }

 private:
  [[nodiscard]] const Calls& calls() const {
    (void)lacks("waits()");
    return *this;
  }
};

/// Until when the program was asked to wait.
struct AskedTime {
  std::optional<Time> timeout = {};  ///< of all that it was asked; nothing: for ever
  std::optional<Time> idle = {};     ///< also between one thing found and the next; nothing: any
  std::optional<Time> since = {};    ///< virtual time when it was asked; nothing: at its first wait
};

/// What the program was asked to wait for.
struct Asked {
  std::vector<int> reading = {}, writing = {}, exceptional = {};  ///< in any order
  AskedTime time = {};
};

/// @name What went wrong with the waiting (in real time nothing is known of it)
/// One or two sentences to the learner that tell the mistake in these calls which explains most, or
/// an empty string: then the arguments and results of the calls show none. True of the calls as
/// they were; the program is not accused of what a right one may do (look before it waits, wait
/// anew after a signal, round up). Bits at and above nfds are garbage, unless they were asked
/// about.
/// `asked` must hold for all of `waits`: give the waits of one run, and of a program that stops
/// watching a descriptor on its way only AskedTime.
/// @{

/// Mistakes about which descriptors are watched, and for what.
std::string diagnose_descriptors(const Waits& waits, const Asked& asked);

/// Mistakes about how long. Only a timeout of a century and more (far_future) is as good as none. A
/// long wait may come in pieces of ten minutes and more.
std::string diagnose_time(const Waits& waits, const AskedTime& asked);

/// Both: the one that explains more.
std::string diagnose(const Waits& waits, const Asked& asked);
/// @}

}  // namespace grader
