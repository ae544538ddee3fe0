/// @file
/// The line of a check that a failure should point at.
#pragma once

namespace grader {

/// A source location; clang 14 with libstdc++ 12 has no std::source_location.
struct Where {
  const char* file = "";
  int line = 0;
  static constexpr Where here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

}  // namespace grader
