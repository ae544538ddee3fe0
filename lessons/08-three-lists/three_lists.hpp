/// @file
/// Lesson 08: three lists in, three subsets out, and a timeout.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "given/deadline.hpp"

namespace course {

/// Who is ready for what: three lists of descriptors, which are borrowed.
struct Ready {
  std::vector<int> readable;     ///< a receive, a read or an accept would not wait
  std::vector<int> writable;     ///< a send, a write or a connect would not wait
  std::vector<int> exceptional;  ///< an exceptional condition: on a socket, urgent data (tcp(7))

  /// Equal in all three lists, order included.
  friend bool operator==(const Ready&, const Ready&) = default;
};

/// Waits until at least one descriptor is ready for what it is asked about (select(2)), and returns
/// all that are ready then: each list is a subset of the one asked about, in the order asked, each
/// descriptor once even if it was asked about twice. A descriptor may stand in several lists. The
/// lists may be empty, all of them too: then it only waits. Nothing is received, sent or accepted,
/// no pending error is taken (SO_ERROR still tells it), no mode, flag or option is changed, and the
/// lists given can be used again.
///
/// Blocks for `timeout` (any, Duration::max() too) at the most; zero or less only looks, nothing
/// waits for ever. Returns three empty lists when it has passed, never earlier, and later only by
/// the granularity of the kernel's timers. A wait of a minute is one wait in the kernel, not many
/// short ones.
///
/// Throws std::system_error, and then there are no lists: before it waits, EINVAL when a descriptor
/// does not fit into an fd_set (FD_SETSIZE, 1024, or more), and EBADF when one is not open,
/// wherever its number lies, and what() contains that number (a negative one may be either); EINTR
/// when a signal handler ended the wait: unlike wait_readable() it does not wait again; whatever
/// else the waiting call fails with. Of several faults any one is reported.
[[nodiscard]] Ready select_on(std::span<const int> readers, std::span<const int> writers,
                              std::span<const int> exceptional, std::optional<Duration> timeout);

}  // namespace course
