// Measures echo servers beside each other: messages, latency, processor time, system calls.
//
//   measure [--tiny] [--out FILE] NAME=COMMAND...
//
// A COMMAND is a program and its first arguments, separated by commas; it understands --port N and
// --bind ADDRESS. Prints a table of medians, and writes what was measured to FILE as JSON, one
// object a line. There are several rounds, in which the servers take turns: what else the machine
// does meets all of them. --tiny takes a second and proves only that everything works.
#include <getopt.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iomanip>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "calls.hpp"
#include "load.hpp"
#include "survival/harness/server.hpp"

namespace {

using namespace benchmark;
using std::chrono::milliseconds;

struct Contestant {
  std::string name;
  std::vector<std::string> command;
};

struct Plan {
  std::vector<Load> loads{};
  int rounds = 15;
  milliseconds warm_up{40}, time{160}, traced_time{300};
};

Plan whole_plan() {
  Plan plan;
  for (const int in_flight : {1, 16})
    for (const int connections : {1, 50, 500, 1000})
      plan.loads.push_back({connections, connections, in_flight});
  for (const int connections : {50, 500, 1000}) plan.loads.push_back({connections, 1, 1});
  return plan;
}

Plan tiny_plan() {
  return {.loads = {{1, 1, 1}, {5, 5, 16}, {5, 1, 1}},
          .rounds = 1,
          .warm_up = milliseconds(5),
          .time = milliseconds(20),
          .traced_time = milliseconds(20)};
}

/// What one round of one server under one load has shown.
struct Sample {
  double messages_per_s = 0, cpu_us = 0, p50_us = 0, p99_us = 0;
};

/// What it did in a run of its own, in which nothing is timed.
struct Calls {
  double per_message = 0;  ///< without those that wait
  double waits_per_message = 0;
};

survival::Server start(std::vector<std::string> command) {
  return {std::move(command), survival::Kind::echo, {.descriptors = 4096}};
}

double percentile(std::vector<std::uint32_t>& sorted_ns, std::size_t percent) {
  return sorted_ns.at((sorted_ns.size() - 1) * percent / 100) / 1e3;
}

Sample sample(const Contestant& contestant, const Load& load, const Plan& plan) {
  const auto server = start(contestant.command);
  Clients clients(server.address(), load);
  (void)clients.talk(plan.warm_up);
  const auto begin = std::chrono::steady_clock::now();
  const auto cpu_before = server.cpu_time();
  std::vector<std::uint32_t> took_ns = clients.talk(plan.time);
  const auto cpu = server.cpu_time() - cpu_before;
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
  std::sort(took_ns.begin(), took_ns.end());
  const auto messages = static_cast<double>(took_ns.size());
  return {.messages_per_s = messages / time.count(),
          .cpu_us = std::chrono::duration<double, std::micro>(cpu).count() / messages,
          .p50_us = percentile(took_ns, 50),
          .p99_us = percentile(took_ns, 99)};
}

Calls traced(const Contestant& contestant, const Load& load, const Plan& plan) {
  SharedCounts counts;
  std::vector<std::string> command{"/proc/self/exe", "--count", std::to_string(counts.fd())};
  command.insert(command.end(), contestant.command.begin(), contestant.command.end());
  const auto server = start(command);
  Clients clients(server.address(), load);
  counts->is_counting = true;
  const auto messages = static_cast<double>(clients.talk(plan.traced_time).size());
  counts->is_counting = false;
  return {.per_message = static_cast<double>(counts->others) / messages,
          .waits_per_message = static_cast<double>(counts->waits) / messages};
}

/// One server under one load.
struct Result {
  std::string server;
  Load load;
  std::vector<Sample> samples;
  Calls calls;

  [[nodiscard]] double median(double Sample::*value) const {
    std::vector<double> sorted;
    for (const Sample& one : samples) sorted.push_back(one.*value);
    std::sort(sorted.begin(), sorted.end());
    return sorted.at(sorted.size() / 2);
  }
};

void print_header() {
  std::printf("%-8s %11s %8s %9s %10s %8s %9s %9s %6s %6s\n", "server", "connections", "talking",
              "in flight", "messages/s", "cpu us", "p50 us", "p99 us", "calls", "waits");
}

void print(const Result& result) {
  std::printf("%-8s %11d %8d %9d %10.0f %8.2f %9.1f %9.1f %6.2f %6.3f\n", result.server.c_str(),
              result.load.connections, result.load.talking, result.load.in_flight,
              result.median(&Sample::messages_per_s), result.median(&Sample::cpu_us),
              result.median(&Sample::p50_us), result.median(&Sample::p99_us),
              result.calls.per_message, result.calls.waits_per_message);
  (void)std::fflush(stdout);
}

/// The processor time of every round, and the medians of the rest.
std::string json(const Result& result) {
  std::ostringstream text;
  text << std::fixed << R"({"server": ")" << result.server << R"(", "connections": )"
       << result.load.connections << R"(, "talking": )" << result.load.talking
       << R"(, "in_flight": )" << result.load.in_flight << std::setprecision(0)
       << R"(, "messages_per_s": )" << result.median(&Sample::messages_per_s)
       << std::setprecision(1) << R"(, "p50_us": )" << result.median(&Sample::p50_us)
       << R"(, "p99_us": )" << result.median(&Sample::p99_us) << std::setprecision(3)
       << R"(, "calls": )" << result.calls.per_message << R"(, "waits": )"
       << result.calls.waits_per_message << R"(, "cpu_us": [)";
  for (const Sample& one : result.samples)
    text << (&one == result.samples.data() ? "" : ", ") << one.cpu_us;
  text << "]}";
  return text.str();
}

std::string machine() {
  utsname system{};
  (void)::uname(&system);
  std::ifstream information("/proc/cpuinfo");
  std::string processor = "unknown processor";
  for (std::string line; std::getline(information, line);)
    if (line.starts_with("model name")) processor = line.substr(line.find(':') + 2);
  const std::string release(system.release, std::strcspn(system.release, "-"));
  return R"({"system": "Linux )" + release + R"(", "processor": ")" + processor +
         R"(", "processors": )" + std::to_string(std::thread::hardware_concurrency()) + "}";
}

std::vector<std::string> measure(const std::vector<Contestant>& contestants, const Plan& plan) {
  std::vector<std::string> rows{machine()};
  print_header();
  for (const Load& load : plan.loads) {
    std::map<std::string, std::vector<Sample>> samples;
    for (int round = 0; round < plan.rounds; ++round)
      for (const Contestant& one : contestants)
        samples[one.name].push_back(sample(one, load, plan));
    for (const Contestant& one : contestants) {
      const Result result{one.name, load, samples[one.name], traced(one, load, plan)};
      print(result);
      rows.push_back(json(result));
    }
  }
  return rows;
}

Contestant parse_contestant(const std::string& text) {
  Contestant parsed{.name = text.substr(0, text.find('=')), .command = {""}};
  for (const char byte : text.substr(text.find('=') + 1)) {
    if (byte == ',')
      parsed.command.emplace_back();
    else
      parsed.command.back() += byte;
  }
  return parsed;
}

bool allow_descriptors() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == -1 || limit.rlim_max < 4096) return false;
  limit.rlim_cur = 4096;
  return ::setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  if (argc > 3 && std::string(argv[1]) == "--count")
    return count_calls(std::atoi(argv[2]), argv + 3);
  const option names[] = {
      {"tiny", no_argument, nullptr, 't'}, {"out", required_argument, nullptr, 'o'}, {}};
  bool is_tiny = false;
  std::string out;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 't') is_tiny = true;
    if (found == 'o') out = optarg;
    if (found == '?') return 2;
  }
  std::vector<Contestant> contestants;
  for (int i = optind; i < argc; ++i) contestants.push_back(parse_contestant(argv[i]));
  if (!allow_descriptors()) return std::puts("skipped: needs 4,096 descriptors (ulimit -Hn)"), 77;
  try {
    const auto rows = measure(contestants, is_tiny ? tiny_plan() : whole_plan());
    if (out.empty()) return 0;
    std::ofstream file(out);
    for (const std::string& one : rows) file << one << '\n';
    return file.flush() ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "measure: %s\n", error.what());
    return 1;
  }
}
