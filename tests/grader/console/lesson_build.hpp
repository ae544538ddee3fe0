/// @file
/// Building a lesson's grading program when it is about to be run, so that one lesson that does not
/// compile keeps no other from being graded.
#pragma once

#include <string>
#include <vector>

namespace console {

/// What came of building.
struct Build {
  bool ok = false;
  std::string output;  ///< the compiler's and linker's words, without ninja's own
};

/// Brings `targets` up to date with ninja, going on after errors; one ninja at a time in this build
/// directory (a second one waits for the first). Blocks as long as that takes.
Build build(const std::vector<std::string>& targets);

/// `text` as one word of a shell command.
std::string shell_quoted(const std::string& text);

/// Writes for the learner that `lesson` does not build, with the compiler's words and where the
/// contract stands.
std::string build_failure_text(const std::string& lesson, const Build& build);

}  // namespace console
