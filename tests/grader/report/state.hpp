/// @file
/// How a check can stand.
#pragma once

namespace grader {

/// The four honest states of a check, and the one that is nobody's fault.
enum class State { passed, failing, stuck, not_started, infrastructure };

/// "passed", "failing", ...
const char* state_name(State state);

}  // namespace grader
