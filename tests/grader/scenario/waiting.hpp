/// @file
/// How the program waited: its calls of select, pselect, poll and ppoll, for checks that judge
/// them.
#pragma once

#include <string>
#include <vector>

#include "simulation/waiting_call.hpp"

namespace grader {

/// select, pselect, poll and ppoll look the same here, so that a check need not care which one the
/// program uses. Oldest first; at most WaitLog::calls_max.
using Waits = std::vector<WaitingCall>;

}  // namespace grader
