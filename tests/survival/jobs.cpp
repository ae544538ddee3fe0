#include "jobs.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>

#include "harness/client.hpp"
#include "harness/idleness.hpp"
#include "harness/witness.hpp"

namespace survival {
namespace {

constexpr std::size_t jobs_at_once = 6;
constexpr unsigned job_seconds_max = 60;
constexpr std::size_t memory_growth_max_bytes = 16U << 20;
constexpr std::size_t descriptors_for_itself = 2;  // what a server may open meanwhile

/// What every server has to be when an attack is over: clean, modest, and there for the next.
void recovers(Server& server, std::size_t descriptors, std::size_t memory_bytes) {
  promise(becomes([&] { return server.descriptors() <= descriptors + descriptors_for_itself; }),
          verdict::descriptors);
  promise(server.peak_memory_bytes() <= memory_bytes + memory_growth_max_bytes, verdict::memory);
  const auto newcomers = new_witness(server);
  promise(is_idle(server, milliseconds(300)), verdict::busy);
}

void stops_when_told(Server& server) {
  server.signal(SIGTERM);
  promise(becomes([&] { return server.end().has_value(); }) && server.end() == "exit status 0",
          verdict::does_not_stop);
}

void attack(const Job& job, Server& server) {
  const std::size_t descriptors = server.descriptors();
  const std::size_t memory_bytes = server.peak_memory_bytes();
  if (job.attack == nullptr) return ordinary_conversation(server);
  job.attack->run(server);
  if (server.is_told_to_stop()) return;
  recovers(server, descriptors, memory_bytes);
  if (job.victim == nullptr) stops_when_told(server);
}

/// The verdict, and after a tab what else there is to say.
std::string outcome(const Job& job) {
  Server server({job.program}, job.kind, job.attack == nullptr ? Limits{} : job.attack->limits);
  std::string verdict = verdict::lives;
  try {
    attack(job, server);
  } catch (const Broken& broken) {
    verdict = broken.what();
  }
  // A server that has died cannot keep a promise: then this is what there is to say.
  const auto has_died = [&] { return server.has_died(); };
  std::string detail;
  if (verdict != verdict::lives && becomes(has_died, Patience(milliseconds(500))) &&
      verdict != verdict::does_not_start) {
    detail = verdict;
    verdict = *server.end();
  }
  const std::string complaints = server.complaints();
  if (!complaints.empty()) detail += (detail.empty() ? "" : "; ") + complaints;
  return verdict + '\t' + detail;
}

[[noreturn]] void work(const Job& job, int answer) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  (void)::alarm(job_seconds_max);
  std::string text;
  try {
    text = outcome(job);
  } catch (const std::exception& error) {
    text = std::string("the attack itself failed: ") + error.what();
  }
  const ssize_t written = ::write(answer, text.data(), text.size());
  ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
}

/// A job under way: where its answer will come from, and since when.
struct Running {
  Job* job;
  int answer;
  std::chrono::steady_clock::time_point since;
};

std::pair<pid_t, Running> start(Job& job) {
  std::array<int, 2> ends{};
  must(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), "pipe2");
  (void)std::fflush(stdout);
  const pid_t worker = must(::fork(), "fork");
  if (worker == 0) work(job, ends[1]);
  (void)::close(ends[1]);
  return {worker, {&job, ends[0], std::chrono::steady_clock::now()}};
}

void report(const Job& job) {
  std::printf("%-4s %-62s %-22s %6.2f s  %s%s%s\n", job.is_as_it_must() ? "ok" : "FAIL",
              job.what().c_str(), job.name().c_str(), job.seconds, job.verdict.c_str(),
              job.detail.empty() ? "" : ": ", job.detail.c_str());
  (void)std::fflush(stdout);
}

void finish(const Running& running) {
  std::array<char, 4096> text;
  const ssize_t size = ::read(running.answer, text.data(), text.size());
  (void)::close(running.answer);
  const std::string answer(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  const std::size_t tab = answer.find('\t');
  running.job->has_failed = tab == std::string::npos;
  running.job->verdict = answer.empty() ? "the attack did not end" : answer.substr(0, tab);
  if (tab != std::string::npos) running.job->detail = answer.substr(tab + 1);
  running.job->seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - running.since).count();
  report(*running.job);
}

}  // namespace

std::string Job::what() const { return attack == nullptr ? "Ordinary conversation" : attack->what; }

std::string Job::name() const {
  return victim != nullptr ? victim->name : std::filesystem::path(program).filename().string();
}

bool Job::is_as_it_must() const {
  const bool has_to_live = attack == nullptr || victim == nullptr;
  return (verdict == verdict::lives) == has_to_live && !has_failed;
}

void run(std::vector<Job>& jobs) {
  std::map<pid_t, Running> running;
  for (std::size_t next = 0; next < jobs.size() || !running.empty();) {
    if (next < jobs.size() && running.size() < jobs_at_once) {
      running.insert(start(jobs[next++]));
      continue;
    }
    const auto ended = running.find(must(::wait(nullptr), "wait"));
    if (ended == running.end()) continue;
    finish(ended->second);
    running.erase(ended);
  }
}

}  // namespace survival
