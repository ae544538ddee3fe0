#include "report/style.hpp"

#include <cstdlib>
#include <cstring>

namespace grader {
namespace {

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"})
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0')
      return std::strstr(value, "UTF-8") != nullptr || std::strstr(value, "utf8") != nullptr;
  return false;
}

}  // namespace

const char* state_name(State state) {
  switch (state) {
    case State::passed:
      return "passed";
    case State::failing:
      return "failing";
    case State::stuck:
      return "stuck";
    case State::not_started:
      return "not started";
    case State::infrastructure:
      return "infrastructure";
  }
  return "unknown";
}

Style::Style(bool to_terminal)
    : has_colour_(to_terminal && std::getenv("NO_COLOR") == nullptr), has_utf8_(locale_is_utf8()) {}

std::string Style::wrap(const char* code, const std::string& text) const {
  return has_colour_ ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

std::string Style::mark(State state) const {
  switch (state) {
    case State::passed:
      return good(has_utf8_ ? "✓" : "+");
    case State::not_started:
      return faint(has_utf8_ ? "·" : ".");
    default:
      return bad(has_utf8_ ? "✗" : "x");
  }
}

}  // namespace grader
