#include "report/wording.hpp"

#include <cctype>
#include <map>
#include <sstream>

#include "simulation/text.hpp"
#include "simulation/time.hpp"

namespace grader {
namespace {

// Words of check names that are not ordinary words.
const std::map<std::string, std::string>& proper_words() {
  static const std::map<std::string, std::string> words = {{"eof", "EOF"},
                                                           {"eintr", "EINTR"},
                                                           {"eagain", "EAGAIN"},
                                                           {"emfile", "EMFILE"},
                                                           {"epipe", "EPIPE"},
                                                           {"errno", "errno"},
                                                           {"fin", "FIN"},
                                                           {"rst", "RST"},
                                                           {"sigpipe", "SIGPIPE"},
                                                           {"nul", "NUL"},
                                                           {"nuls", "NULs"},
                                                           {"cr", "CR"},
                                                           {"lf", "LF"},
                                                           {"ipv4", "IPv4"},
                                                           {"ipv6", "IPv6"},
                                                           {"tcp", "TCP"},
                                                           {"crlf", "CRLF"},
                                                           {"backlog", "backlog"},
                                                           {"cloexec", "CLOEXEC"},
                                                           {"ecanceled", "ECANCELED"},
                                                           {"econnreset", "ECONNRESET"},
                                                           {"econnaborted", "ECONNABORTED"}};
  return words;
}

std::string spaced(const std::string& camel_case) {
  std::string text, word;
  const auto flush = [&] {
    if (word.empty()) return;
    const auto proper = proper_words().find(word);
    text += (text.empty() ? "" : " ") + (proper == proper_words().end() ? word : proper->second);
    word.clear();
  };
  for (const char c : camel_case) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0) flush();
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  flush();
  return text;
}

std::string within_repository(const std::string& path) {
  const auto at = path.rfind("tests/");
  return at == std::string::npos ? path : path.substr(at);
}

// Verdicts that can end any check, whatever its rule.
bool speaks_for_itself(Verdict verdict) {
  switch (verdict) {
    case Verdict::none:
    case Verdict::expectation:
    case Verdict::blocked_for_ever:
    case Verdict::busy_loop:
      return false;
    default:
      return true;
  }
}

// "tests/03-send-and-receive/send_and_receive_test.cpp, " where a line of the check complained.
std::string place_of(const CheckResult& result) {
  for (const Complaint& complaint : result.complaints)
    if (complaint.line > 0) return within_repository(complaint.file) + ", ";
  return {};
}

// "Verdict: crash", unless the complaint says so itself.
std::string verdict_line(const CheckResult& result) {
  if (result.verdict == Verdict::none || result.verdict == Verdict::expectation) return {};
  const std::string name = verdict_name(result.verdict);
  if (!result.complaints.empty() && result.complaints.back().text.rfind(name, 0) == 0) return {};
  return "Verdict: " + name;
}

}  // namespace

std::string title_of(const std::string& suite, const std::string& name) {
  return suite + " " + spaced(name);
}

std::string paragraph(const std::string& text, std::size_t indent, std::size_t width) {
  std::string result;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t own_indent = std::min(line.find_first_not_of(' '), line.size());
    if (indent + line.size() <= width) {
      result += line.empty() ? "\n" : std::string(indent, ' ') + line + '\n';
      continue;
    }
    std::size_t at = indent + own_indent;
    result.append(at, ' ');
    std::istringstream words(line);
    bool is_first = true;
    for (std::string word; words >> word; is_first = false) {
      if (!is_first && at + 1 + word.size() > width) {
        result += "\n";
        at = indent + own_indent + (own_indent > 0 ? 2 : 0);
        result.append(at, ' ');
      } else if (!is_first) {
        result += ' ';
        ++at;
      }
      result += word;
      at += word.size();
    }
    result += '\n';
  }
  return result;
}

std::string report_text(const CheckResult& result, const std::string& lesson) {
  std::string text = title_of(result.suite, result.name) + "\n\n";
  if (!verdict_line(result).empty()) text += paragraph(verdict_line(result), 2);
  for (const Complaint& complaint : result.complaints) text += paragraph(complaint.text, 2) + "\n";
  if (!result.hint.empty()) text += paragraph("Note: " + result.hint + ".", 2) + "\n";
  if (!result.timeline.empty()) text += result.timeline + "\n";
  if (!result.output.empty())
    text += "  Printed by your program:\n" + paragraph(result.output.substr(0, 600), 4) + "\n";
  if (!result.rule.empty())
    text += paragraph(
        (speaks_for_itself(result.verdict) ? "The check was about: " : "The rule: ") + result.rule,
        2);
  const bool why_can_fit = !speaks_for_itself(result.verdict) || result.verdict == Verdict::crash;
  if (!result.why.empty() && why_can_fit) text += paragraph("Why it matters: " + result.why, 2);
  if (!result.read.empty())
    text += paragraph("Read: lessons/" + lesson + "/README.md, \"" + result.read + "\"", 2);
  return text + paragraph("The check: " + place_of(result) + result.suite + "." + result.name, 2);
}

}  // namespace grader
