/// @file
/// How checks and states are worded for the learner.
#pragma once

#include <string>

#include "runner/check_runner.hpp"

namespace grader {

/// "SendAll", "OffersTheRestAfterAShortSend" -> "SendAll offers the rest after a short send".
std::string title_of(const std::string& suite, const std::string& name);

/// `text` cut into lines of at most `width` columns, each indented by `indent` spaces; line breaks
/// in it stay.
std::string paragraph(const std::string& text, std::size_t indent, std::size_t width = 80);

/// The whole story of one check that did not pass: what went wrong, the timeline, the rule, why it
/// matters, where to read. Deterministic: no real time, no path of the machine. `lesson` is
/// "03-send-and-receive".
std::string report_text(const CheckResult& result, const std::string& lesson);

}  // namespace grader
