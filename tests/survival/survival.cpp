// Attacks the servers of the course, and shows that weak servers die of the same attacks.
//
//   survival [--write] [--only WORDS] --page PAGE ECHO_SERVER CHAT_SERVER WEAK_SERVER...
//
// Every attack on every server is a job in a process of its own, some of them side by side. Exit
// status 1 when a server of the course dies, when a weak server survives its attack or dies of an
// ordinary conversation, or when the table of PAGE says otherwise; --write writes the table there.
// --only runs the attacks whose names contain WORDS, without the page.
#include <getopt.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "jobs.hpp"
#include "table.hpp"

namespace {

using namespace survival;

struct Options {
  std::string page{}, only{};
  bool writes = false;
  std::vector<std::string> programs{};
};

Options parse(int argc, char* argv[]) {
  Options options;
  const option names[] = {{"page", required_argument, nullptr, 'p'},
                          {"only", required_argument, nullptr, 'o'},
                          {"write", no_argument, nullptr, 'w'},
                          {}};
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'p') options.page = optarg;
    if (found == 'o') options.only = optarg;
    if (found == 'w') options.writes = true;
    if (found == '?') std::exit(2);
  }
  options.programs.assign(argv + optind, argv + argc);
  if (options.programs.size() < 2 || options.page.empty() == options.only.empty()) {
    (void)std::fputs("usage: survival (--page PAGE [--write] | --only WORDS) SERVERS...\n", stderr);
    std::exit(2);
  }
  return options;
}

/// What is to be run: every attack on the servers of the course that it is meant for, and on its
/// weak servers, which have an ordinary conversation besides.
std::vector<Job> all_jobs(const Options& options) {
  std::map<std::string, std::string> weak;
  for (std::size_t i = 2; i < options.programs.size(); ++i)
    weak[std::filesystem::path(options.programs[i]).filename().string()] = options.programs[i];

  std::vector<Job> jobs;
  for (const Attack& attack : all_attacks()) {
    if (std::string(attack.what).find(options.only) == std::string::npos) continue;
    for (const Kind kind : attack.on)
      jobs.push_back({&attack, nullptr, kind, options.programs[kind == Kind::chat ? 1 : 0]});
    for (const Weak& victim : attack.weak) {
      const std::string& program = weak.at(std::string("weak-") + victim.name);
      jobs.push_back({&attack, &victim, victim.kind, program});
      jobs.push_back({nullptr, &victim, victim.kind, program});
    }
  }
  return jobs;
}

/// Servers and attackers with more than a thousand connections need as many descriptors.
bool allow_descriptors() {
  constexpr rlim_t wanted = 4096;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_max < wanted) return false;
  limit.rlim_cur = wanted;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  const Options options = parse(argc, argv);
  if (!allow_descriptors()) {
    std::puts("skipped: needs 4,096 descriptors (ulimit -Hn)");
    return 77;
  }
  std::vector<Job> jobs = all_jobs(options);
  run(jobs);
  const bool is_well = std::all_of(jobs.begin(), jobs.end(), std::mem_fn(&Job::is_as_it_must));
  if (options.page.empty()) return is_well ? 0 : 1;
  if (options.writes) return is_well && write_table(options.page, jobs) ? 0 : 1;
  return is_well && has_table(options.page, jobs) ? 0 : 1;
}
