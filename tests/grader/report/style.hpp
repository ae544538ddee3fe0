/// @file
/// Colours and marks for the terminal.
#pragma once

#include <string>

#include "report/state.hpp"

namespace grader {

/// Terminal colours, or nothing: colours only on a terminal and without NO_COLOR
/// (https://no-color.org).
class Style {
 public:
  explicit Style(bool to_terminal);
  [[nodiscard]] std::string good(const std::string& text) const { return wrap("32", text); }
  [[nodiscard]] std::string bad(const std::string& text) const { return wrap("31", text); }
  [[nodiscard]] std::string faint(const std::string& text) const { return wrap("2", text); }
  [[nodiscard]] std::string strong(const std::string& text) const { return wrap("1", text); }
  /// "✓", "✗", "·" or, where the locale is not UTF-8, "+", "x", "."
  [[nodiscard]] std::string mark(State state) const;

 private:
  [[nodiscard]] std::string wrap(const char* code, const std::string& text) const;
  bool has_colour_, has_utf8_;
};

}  // namespace grader
