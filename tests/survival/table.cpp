#include "table.hpp"

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string_view>

namespace survival {
namespace {

constexpr std::string_view begin_mark = "<!-- table: begin (ninja write-survival) -->\n";
constexpr std::string_view end_mark = "<!-- table: end -->\n";

const Job* find(const std::vector<Job>& jobs, const Attack& attack, const Weak* victim, Kind kind) {
  for (const Job& job : jobs)
    if (job.attack == &attack && job.victim == victim && job.kind == kind) return &job;
  return nullptr;
}

std::string verdict_of(const Job* job) { return job == nullptr ? "" : job->verdict; }

std::string table_of(const std::vector<Job>& jobs) {
  std::ostringstream table;
  table << "| What is done | Echo server | Chat server | Who dies of it | How |\n"
           "| --- | --- | --- | --- | --- |\n";
  for (const Attack& attack : all_attacks()) {
    for (const Weak& victim : attack.weak) {
      const bool is_first = &victim == attack.weak.data();
      table << "| " << (is_first ? attack.what : "");
      for (const Kind kind : {Kind::echo, Kind::chat})
        table << " | " << (is_first ? verdict_of(find(jobs, attack, nullptr, kind)) : "");
      table << " | [`" << victim.name << "`](../tests/survival/weak/" << victim.name << ".cpp) "
            << victim.fault << " | " << verdict_of(find(jobs, attack, &victim, victim.kind))
            << " |\n";
    }
  }
  return table.str();
}

/// The page in three parts: up to the table, the table, and the rest. Empty when it has no table.
std::vector<std::string> parts_of(const std::string& page) {
  std::ostringstream text;
  text << std::ifstream(page).rdbuf();
  const std::string all = text.str();
  const std::size_t begin = all.find(begin_mark), end = all.find(end_mark);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    std::printf("%s: no table\n", page.c_str());
    return {};
  }
  const std::size_t inside = begin + begin_mark.size();
  return {all.substr(0, inside), all.substr(inside, end - inside), all.substr(end)};
}

}  // namespace

bool has_table(const std::string& page, const std::vector<Job>& jobs) {
  const auto parts = parts_of(page);
  const std::string wanted = '\n' + table_of(jobs) + '\n';
  if (parts.empty() || parts[1] == wanted) return !parts.empty();
  std::printf("%s: out of date (`ninja write-survival`); this run says\n%s", page.c_str(),
              wanted.c_str());
  return false;
}

bool write_table(const std::string& page, const std::vector<Job>& jobs) {
  const auto parts = parts_of(page);
  if (parts.empty()) return false;
  return static_cast<bool>(std::ofstream(page) << parts[0] << '\n'
                                               << table_of(jobs) << '\n'
                                               << parts[2]);
}

}  // namespace survival
