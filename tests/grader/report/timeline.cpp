#include "report/timeline.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "simulation/text.hpp"
#include "simulation/time.hpp"

namespace grader {
namespace {

constexpr std::size_t time_width_min = 9;  // up to 9999.999 s
constexpr std::size_t before_bar = 48;
constexpr std::size_t right_width = 29;

struct Line {
  std::int64_t time_ns;
  Side side;
  std::string text;
  std::uint32_t new_scenario = 0;  // it stands between two, and the second has this number
  bool operator==(const Line&) const = default;
};

constexpr const char* next_run = "(the check calls again)";

// What stands between two entries of which one begins something new.
void add_mark(std::vector<Line>& lines, const Entry& before, const Entry& entry) {
  if (entry.scenario != before.scenario)
    lines.push_back({entry.start_ns, Side::program, {}, entry.scenario});
  else if (entry.run != before.run && before.run > 0)
    lines.push_back({entry.start_ns, Side::program, next_run});
}

// Whose call it is, when it is not one of the main line: "handler: ".
std::string by_text(const Entry& entry) {
  const std::string by = get(entry.by);
  return by.empty() ? "" : by + ": ";
}

// A call is one line, or two when something else happened before it returned.
std::vector<Line> lines_of(const Recording& recording) {
  std::vector<Line> lines;
  std::multimap<std::uint64_t, std::uint64_t> unfinished;  // when it returned -> entry
  const std::uint64_t end = recording.count;
  for (std::uint64_t i = recording.first(); i < end; ++i) {
    const Entry& entry = recording.at(i);
    if (!recording.is_about(entry.scenario)) continue;
    if (!lines.empty()) add_mark(lines, recording.at(i - 1), entry);
    const bool has_returned = entry.end_ns >= 0;
    const bool is_split = entry.side == Side::program && has_returned &&
                          (entry.end_sequence > i + 1 || entry.end_ns != entry.start_ns);
    std::string text = by_text(entry) + get(entry.call);
    if (entry.side == Side::program && !has_returned)
      text += " ...";
    else if (entry.side == Side::program && !is_split)
      text += " = " + get(entry.result);
    lines.push_back({entry.start_ns, entry.side, text});
    if (is_split) unfinished.emplace(entry.end_sequence, i);
    for (auto it = unfinished.begin(); it != unfinished.end() && it->first <= i + 1;
         it = unfinished.erase(it)) {
      const Entry& returned = recording.at(it->second);
      lines.push_back(
          {returned.end_ns, returned.side, by_text(returned) + "    = " + get(returned.result)});
    }
  }
  return lines;
}

// How often the `period` lines from `at` on come again straight after themselves.
std::size_t repetitions(const std::vector<Line>& lines, std::size_t at, std::size_t period) {
  std::size_t count = 1;
  while (at + (count + 1) * period <= lines.size() &&
         std::equal(lines.begin() + static_cast<std::ptrdiff_t>(at),
                    lines.begin() + static_cast<std::ptrdiff_t>(at + period),
                    lines.begin() + static_cast<std::ptrdiff_t>(at + count * period)))
    ++count;
  return count;
}

std::vector<Line> folded(const std::vector<Line>& lines) {
  constexpr std::size_t longest_period = 8, fewest_repetitions = 4;
  std::vector<Line> result;
  for (std::size_t i = 0; i < lines.size();) {
    std::size_t period = 1, count = 1;
    for (std::size_t p = 1; p <= longest_period && count < fewest_repetitions; ++p)
      if (i + p <= lines.size()) count = repetitions(lines, i, period = p);
    if (count < fewest_repetitions) {
      result.push_back(lines[i++]);
      continue;
    }
    for (std::size_t k = 0; k < period; ++k) result.push_back(lines[i + k]);
    result.push_back(
        {lines[i].time_ns, Side::program, format("  (the same %zu times more)", count - 1)});
    i += count * period;
  }
  return result;
}

// Cuts `text` into pieces of at most `width` columns, if possible between words or behind a "|";
// pieces after the first are indented.
std::vector<std::string> wrapped(std::string text, std::size_t width) {
  std::vector<std::string> pieces;
  while (text.size() > width) {
    std::size_t cut = text.rfind(' ', width);
    if (cut == std::string::npos || cut < width / 2) cut = text.rfind('|', width - 1) + 1;
    if (cut < width / 2) cut = width;
    pieces.push_back(text.substr(0, cut));
    text = "    " + text.substr(text[cut] == ' ' ? cut + 1 : cut);
  }
  pieces.push_back(text);
  return pieces;
}

std::string time_text(const Line& line) {
  return format("%.3f s", static_cast<double>(line.time_ns) / 1e9);
}

// The rows of one timeline, whose column of times is as wide as the longest of them.
class Rows {
 public:
  explicit Rows(const std::vector<Line>& lines) {
    for (const Line& line : lines) time_width_ = std::max(time_width_, time_text(line).size());
  }
  [[nodiscard]] std::size_t left_width() const { return before_bar - time_width_; }
  [[nodiscard]] std::string row(const std::string& time, const std::string& left,
                                const std::string& right) const {
    return format("%*s  %-*s|%s%s\n", static_cast<int>(time_width_), time.c_str(),
                  static_cast<int>(left_width()), left.c_str(), right.empty() ? "" : " ",
                  right.c_str());
  }

  /// A line across both columns, with `title` in it.
  [[nodiscard]] static std::string rule(const std::string& title = {}) {
    const std::string left = title.empty() ? "" : "---- " + title + " ";
    return "  " + left + std::string(before_bar - left.size(), '-') + "+" +
           std::string(right_width, '-') + "\n";
  }

 private:
  std::size_t time_width_ = time_width_min;
};

// How many scenarios were well before those that the report is about.
unsigned scenarios_before(const Recording& recording) {
  unsigned count = 0;
  while (count < recording.scenario_count && !recording.is_about(count + 1)) ++count;
  return count < recording.scenario_count ? count : 0;
}

}  // namespace

std::string timeline_text(const Recording& recording, unsigned lines_max) {
  const std::vector<Line> lines = folded(lines_of(recording));
  if (lines.empty()) return {};
  const Rows rows(lines);
  std::string text = rows.row("time", "your program", "the other side");
  text += Rows::rule();
  if (const unsigned others = scenarios_before(recording); others > 0)
    text += rows.row("",
                     format(others == 1 ? "(%u earlier scenario is left out)"
                                        : "(%u earlier scenarios are left out)",
                            others),
                     "");
  const std::size_t first = lines.size() > lines_max ? lines.size() - lines_max : 0;
  if (first > 0) text += rows.row("", format("(%zu earlier lines are left out)", first), "");
  std::int64_t last_time = -1;
  for (std::size_t i = first; i < lines.size(); ++i) {
    const Line& line = lines[i];
    if (line.new_scenario > 0) {
      text += Rows::rule(format("scenario %u", line.new_scenario));
      last_time = -1;
      continue;
    }
    std::string time = line.time_ns == last_time ? "" : time_text(line);
    last_time = line.time_ns;
    const bool is_left = line.side == Side::program;
    for (const std::string& piece :
         wrapped(line.text, is_left ? rows.left_width() : right_width - 1)) {
      text += is_left ? rows.row(time, piece, "") : rows.row(time, "", piece);
      time.clear();
    }
  }
  return text;
}

std::string json_string(const std::string& text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      (result += '\\') += c;
    else if (c == '\n')
      result += "\\n";
    else if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f)
      result += format("\\u%04x", static_cast<unsigned char>(c));
    else
      result += c;
  }
  return result + "\"";
}

namespace {

// How many bytes went across in this call or deed.
std::int64_t bytes_moved(const Entry& entry) {
  static const std::set<std::string> movers = {"recv",  "recvfrom", "recvmsg", "read",
                                               "readv", "send",     "sendto",  "sendmsg",
                                               "write", "writev",   "sends",   "receives"};
  return movers.contains(get(entry.function)) ? std::max<std::int64_t>(0, entry.value) : 0;
}

}  // namespace

std::string recording_as_json(const Recording& recording) {
  static constexpr const char* side_names[] = {"program", "peer", "fault"};
  std::string json = "[";
  for (std::uint64_t i = recording.first(); i < recording.count; ++i) {
    const Entry& entry = recording.at(i);
    const std::string end = entry.end_ns < 0 ? "null" : std::to_string(entry.end_ns);
    json += format("%s\n  {\"side\": \"%s\", \"start_ns\": %lld, \"end_ns\": %s, \"function\": ",
                   i == recording.first() ? "" : ",", side_names[static_cast<int>(entry.side) % 3],
                   static_cast<long long>(entry.start_ns), end.c_str());
    json += json_string(get(entry.function)) + ", \"scenario\": " + std::to_string(entry.scenario) +
            ", \"run\": " + std::to_string(entry.run) + ", \"fd\": " + std::to_string(entry.fd) +
            ", \"who\": " + json_string(get(entry.who)) +
            (*entry.by == '\0' ? "" : ", \"by\": " + json_string(get(entry.by))) +
            ", \"call\": " + json_string(get(entry.call)) +
            ", \"result\": " + json_string(get(entry.result)) +
            ", \"value\": " + std::to_string(entry.value) +
            ", \"error\": " + std::to_string(entry.error) +
            ", \"bytes\": " + std::to_string(bytes_moved(entry)) +
            ", \"end_sequence\": " + std::to_string(entry.end_sequence - recording.first()) + "}";
  }
  return json + "]";
}

}  // namespace grader
