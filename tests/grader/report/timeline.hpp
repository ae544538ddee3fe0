/// @file
/// The recording as the learner sees it: two columns, and as data.
#pragma once

#include <cstdint>
#include <string>

#include "report/recording.hpp"

namespace grader {

/// Your program on the left, the other side on the right, virtual time in front; at most 80 columns
/// and about `lines_max` lines, the newest, of the scenarios that the report is about. A line
/// across stands between two scenarios, a remark between two runs of the program. Repetitions are
/// folded; a call that did not return ends in "...". Empty when nothing was recorded.
std::string timeline_text(const Recording& recording, unsigned lines_max = 32);

/// The entries of all scenarios as a JSON array of objects with side, start_ns, end_ns (null: had
/// not returned), function, scenario and run (both counted from 1), fd, who, by (unless it is the
/// main line), call, result, value, error, bytes and end_sequence.
std::string recording_as_json(const Recording& recording);

/// `text` as a JSON string, with its quotes.
std::string json_string(const std::string& text);

}  // namespace grader
