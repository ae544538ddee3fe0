/// @file
/// How long an attack waits, and what it says when it has waited in vain.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

namespace survival {

using std::chrono::milliseconds;

/// In which time a healthy client is to be served, whatever the others do.
inline constexpr milliseconds served_within{2000};

/// Time that runs only while this process is awake: it is used up in slices, and a slice during
/// which a busy machine let somebody else run counts no more than another.
class Patience {
 public:
  /// How long one wait lasts at the most.
  static constexpr milliseconds slice{10};

  explicit Patience(milliseconds total = served_within) : left_(total) {}

  /// Waits until `fd` (-1: none) is ready for `events` of poll(2), a slice at the most. Returns
  /// whether it is; false uses a slice up.
  bool wait(int fd, short events);

  [[nodiscard]] bool is_over() const { return left_ <= milliseconds::zero(); }

 private:
  milliseconds left_;
};

/// A promise that the server has broken. what() is the verdict, as the table has it.
class Broken : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws Broken unless `holds`; `verdict` is what a server does that does not keep it.
inline void promise(bool holds, const char* verdict) {
  if (!holds) throw Broken(verdict);
}

/// Whether `condition` becomes true before the patience is over.
template <typename Condition>
[[nodiscard]] bool becomes(Condition condition, Patience patience = Patience()) {
  while (!condition()) {
    if (patience.is_over()) return false;
    (void)patience.wait(-1, 0);
  }
  return true;
}

/// What a server can do wrong, in the words of the table.
namespace verdict {
inline constexpr const char* lives = "lives";
inline constexpr const char* others_wait = "leaves the others unanswered";
inline constexpr const char* nobody_enters = "lets nobody in any more";
inline constexpr const char* busy = "keeps a processor busy for nothing";
inline constexpr const char* memory = "takes memory without end";
inline constexpr const char* descriptors = "keeps the descriptors of those who left";
inline constexpr const char* bytes_lost = "loses what it had to send";
inline constexpr const char* bytes_changed = "changes what it had to send";
inline constexpr const char* bytes_mixed = "mixes up what clients say";
inline constexpr const char* does_not_stop = "does not stop when told to";
inline constexpr const char* does_not_start = "does not start again";
}  // namespace verdict

}  // namespace survival
