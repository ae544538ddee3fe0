#include "runner/check_runner.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>
#include <utility>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "report/timeline.hpp"
#include "simulation/text.hpp"

extern "C" int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

namespace grader {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int look_again_ms = 100;
constexpr std::size_t exception_text_max = 400;

double ms_since(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

// In the child: failures go into the recording.
class Forwarder : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const Outside outside;
    current_recording().add_failure(result.file_name(), result.line_number(), result.message());
  }
};

[[noreturn]] void run_in_child(const testing::TestInfo& check) {
  auto& unit_test = *testing::UnitTest::GetInstance();
  auto& listeners = unit_test.listeners();
  delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new Forwarder);
  GTEST_FLAG_SET(filter, std::string(check.test_suite_name()) + "." + check.name());
  if (RUN_ALL_TESTS() != 0) {
  }  // told by the listener
  inside_program = 0;
  std::fflush(nullptr);
  Recording& recording = current_recording();
  const bool look_for_leaks =
      __lsan_do_recoverable_leak_check != nullptr && recording.failure_count == 0;
  if (look_for_leaks && __lsan_do_recoverable_leak_check() != 0) {
    put(recording.verdict_text, "memory was allocated and never freed; the output says where");
    recording.verdict = Verdict::memory_leak;
  }
  recording.finished = true;
  real().exit_now(0);
  __builtin_unreachable();
}

struct ProcessState {
  char state = '?';
  unsigned long ticks = 0, switches = 0;
  bool operator==(const ProcessState&) const = default;
};

// Adds what one thread has done so far; returns its state.
char add(ProcessState& sum, const std::string& folder) {
  std::ifstream stat(folder + "/stat");
  std::string line, skipped;
  std::getline(stat, line);
  char state = '?';
  if (const auto end_of_name = line.rfind(')'); end_of_name != std::string::npos) {
    std::istringstream fields(line.substr(end_of_name + 1));
    unsigned long user = 0, system = 0;
    fields >> state;
    for (int i = 0; i < 10; ++i) fields >> skipped;
    fields >> user >> system;
    sum.ticks += user + system;
  }
  std::ifstream status(folder + "/status");
  while (std::getline(status, line))
    if (const auto at = line.find("ctxt_switches:"); at != std::string::npos)
      sum.switches += std::strtoul(line.c_str() + at + 14, nullptr, 10);
  return state;
}

// Asleep ('S') when every thread is.
ProcessState look_at(pid_t pid) {
  ProcessState result;
  std::error_code error;
  const std::string folder = "/proc/" + std::to_string(pid) + "/task";
  for (std::filesystem::directory_iterator task(folder, error), end; !error && task != end;
       task.increment(error)) {
    const char state = add(result, task->path());
    if (result.state == '?' || result.state == 'S') result.state = state;
  }
  return result;
}

// The child, watched from outside until it is dead.
class Watch {
 public:
  Watch(pid_t pid, int output_fd, const Limits& limits)
      : pid_(pid),
        output_fd_(output_fd),
        limits_(limits),
        process_fd_(static_cast<int>(real().syscall(SYS_pidfd_open, pid, 0))) {}
  ~Watch() {
    real().close(process_fd_);
    real().close(output_fd_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void until_dead() {
    while (!is_dead_) {
      pollfd entries[2] = {{process_fd_, POLLIN, 0},
                           {output_is_open_ ? output_fd_ : -1, POLLIN, 0}};
      real().poll(entries, 2, look_again_ms);
      if (entries[1].revents != 0) read_output();
      is_dead_ = entries[0].revents != 0;
      if (!is_dead_) look();
    }
    real().fcntl(output_fd_, F_SETFL, O_NONBLOCK);
    while (output_is_open_ && read_output()) {
    }
  }

  [[nodiscard]] Verdict killed_for() const { return killed_for_; }
  std::string take_output() { return std::move(output_); }

 private:
  bool read_output() {
    char buffer[65'536];
    const ssize_t got = real().read(output_fd_, buffer, sizeof buffer);
    if (got == 0) output_is_open_ = false;
    if (got > 0 && output_.size() <= limits_.output_bytes)
      output_.append(buffer, static_cast<std::size_t>(got));
    if (output_.size() > limits_.output_bytes) kill_for(Verdict::flood);
    return got > 0;
  }

  void look() {
    if (ms_since(start_) > limits_.real_seconds * 1000) kill_for(Verdict::out_of_time);
    const ProcessState now = look_at(pid_);
    if (now.state == 'T') kill_for(Verdict::stopped);
    if (now.state != 'S' || now != last_) {
      last_ = now;
      quiet_since_ = SteadyClock::now();
    } else if (ms_since(quiet_since_) > limits_.blocked_seconds * 1000) {
      kill_for(Verdict::really_blocked);
    }
  }

  void kill_for(Verdict verdict) {
    if (killed_for_ != Verdict::none) return;
    killed_for_ = verdict;
    real().kill(-pid_, SIGKILL);
    real().kill(pid_, SIGKILL);
  }

  pid_t pid_;
  int output_fd_;
  const Limits& limits_;
  int process_fd_;
  bool is_dead_ = false, output_is_open_ = true;
  std::string output_;
  Verdict killed_for_ = Verdict::none;
  SteadyClock::time_point start_ = SteadyClock::now(), quiet_since_ = start_;
  ProcessState last_;
};

// "the program", or the other thread that its own waits for.
std::string who_waits(const Recording& recording) {
  const std::string other_thread = get(recording.other_thread);
  return other_thread.empty() ? "the program" : "\"" + other_thread + "\"";
}

std::string text_for(Verdict verdict, const Recording& recording, const Limits& limits) {
  switch (verdict) {
    case Verdict::cpu_loop:
      return format("the program computed for %.0f s of processor time without coming to an end: ",
                    limits.cpu_seconds) +
             (recording.computing_note[0] == '\0' ? "an endless loop?"
                                                  : get(recording.computing_note));
    case Verdict::flood:
      return "the program printed more than 1 MiB";
    case Verdict::stopped:
      return "the program stopped itself (SIGSTOP)";
    case Verdict::really_blocked:
      return who_waits(recording) +
             " waits for something that the simulation does not know: a lock that it holds itself, "
             "or a system call that goes round the C library";
    default:
      return "the check took more than the real-time limit";
  }
}

bool is_bad_access(int signal) { return signal == SIGSEGV || signal == SIGBUS; }

// Nobody but kill, raise or the scenario sends it.
bool is_sent_on_purpose(int signal) {
  constexpr int sent[] = {SIGHUP, SIGINT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM};
  return std::find(std::begin(sent), std::end(sent), signal) != std::end(sent) ||
         signal >= SIGRTMIN;
}

std::string text_for_signal(int signal, const Recording& recording) {
  if (signal == SIGPIPE)
    return format(
        "the program was killed by SIGPIPE: it %s, and the signal's default is to end "
        "the process",
        recording.in_pipe_write ? "wrote to a pipe that nobody reads any more"
                                : "sent to a peer that was gone");
  const int handled = recording.handled_signal;
  const std::string note = get(recording.crash_note);
  std::string text =
      format("the program was killed by %s (%s)", signal_name(signal).c_str(), strsignal(signal));
  if (handled != 0) text += " in the handler of " + signal_name(handled);
  if (is_sent_on_purpose(signal))
    text += ": it had no handler then, and its default is to end the process";
  if (!note.empty()) text += ": " + note;
  if (handled != 0 && is_bad_access(signal))
    text += ". What a handler uses must be there as long as it is installed.";
  return text;
}

State state_for(Verdict verdict) {
  switch (verdict) {
    case Verdict::bad_close:
    case Verdict::outside_set:
    case Verdict::descriptor_leak:
    case Verdict::memory_leak:
    case Verdict::expectation:
    case Verdict::not_here:
    case Verdict::unsafe_handler:
      return State::failing;
    case Verdict::infrastructure:
      return State::infrastructure;
    default:
      return State::stuck;
  }
}

std::string in_learners_words(std::string message) {
  static const std::string description = "C++ exception with description \"";
  if (message.rfind(description + "std::bad_alloc", 0) == 0)
    return "the program asked for more memory than a check may use (std::bad_alloc)";
  if (message.rfind(description, 0) == 0) {
    message.erase(0, description.size());
    message.resize(std::min({message.rfind('"'), message.size(), exception_text_max}));
    return "the program threw an exception that nobody expected" +
           (message.empty() ? "" : ": " + message);
  }
  if (message.rfind("Unknown C++ exception", 0) == 0)
    return "the program threw something that is no std::exception";
  if (message.rfind("Failed\n", 0) == 0) message.erase(0, 7);
  return message;
}

// How the check's process ended, seen from outside.
struct End {
  Verdict killed_for = Verdict::none;  ///< by the watch
  int status = 0;                      ///< as wait(2) tells it
  double cpu_seconds = 0;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Killed by the limit on processor time, not by a signal that the program sent itself. The kernel
// holds the limit against a coarser count than the one it reports.
bool is_out_of_processor_time(const End& end, const Limits& limits) {
  return WTERMSIG(end.status) == SIGKILL && end.cpu_seconds > limits.cpu_seconds / 2;
}

bool is_sanitizer_report(const std::string& output) {
  return output.find("Sanitizer") != std::string::npos ||
         output.find(": runtime error: ") != std::string::npos;
}

void judge(CheckResult& result, const Recording& recording, const End& end, const Limits& limits) {
  const std::uint32_t failures =
      std::min<std::uint32_t>(recording.failure_count, Recording::failures_max);
  for (std::uint32_t i = 0; i < failures; ++i)
    result.complaints.push_back({in_learners_words(get(recording.failures[i].message)),
                                 get(recording.failures[i].file), recording.failures[i].line});
  result.not_started = get(recording.not_started);
  if (end.killed_for != Verdict::none) {
    result.verdict = end.killed_for;
    result.complaints.push_back({text_for(end.killed_for, recording, limits), "", 0});
  } else if (recording.verdict != Verdict::none) {
    result.verdict = recording.verdict;
    result.complaints.push_back(
        {get(recording.verdict_text), get(recording.verdict_file), recording.verdict_line});
  } else if (!result.not_started.empty()) {
    result.state = State::not_started;
    return;
  } else if (WIFSIGNALED(end.status) && is_out_of_processor_time(end, limits)) {
    result.verdict = Verdict::cpu_loop;
    result.complaints.push_back({text_for(result.verdict, recording, limits), "", 0});
  } else if (WIFSIGNALED(end.status)) {
    result.verdict = Verdict::crash;
    result.complaints.push_back({text_for_signal(WTERMSIG(end.status), recording), "", 0});
  } else if (!recording.finished) {
    const int status = WEXITSTATUS(end.status);
    result.verdict = status == 0 ? Verdict::ended_process : Verdict::crash;
    result.complaints.push_back(
        {is_sanitizer_report(result.output)
             ? "a sanitizer found a mistake and ended the program; what it printed says more"
             : format("the program ended the whole process with status %d", status),
         "", 0});
  }
  if (result.verdict != Verdict::none)
    result.state = state_for(result.verdict);
  else
    result.state = result.complaints.empty() ? State::passed : State::failing;
}

}  // namespace

CheckRunner::CheckRunner(Limits limits) : limits_(limits), recording_(Recording::create()) {
  if (recording_ == nullptr) std::abort();
}

CheckResult CheckRunner::run(const testing::TestInfo& check) {
  CheckResult result = run_once(check);
  if (result.state == State::infrastructure) result = run_once(check);
  return result;
}

CheckResult CheckRunner::run_once(const testing::TestInfo& check) {
  CheckResult result;
  result.suite = check.test_suite_name();
  result.name = check.name();
  recording_->reset();
  set_current_recording(recording_);
  int output[2];
  if (real().pipe2(output, O_CLOEXEC) != 0) return result;
  std::fflush(nullptr);
  const auto start = SteadyClock::now();
  const pid_t parent = getpid();
  const pid_t pid = real().fork();
  if (pid == 0) {
    become_check_process(limits_, output[1], parent);
    run_in_child(check);
  }
  real().close(output[1]);
  if (pid < 0) {
    real().close(output[0]);
    return result;
  }
  Watch watch(pid, output[0], limits_);
  watch.until_dead();
  End end;
  end.killed_for = watch.killed_for();
  rusage usage{};
  while (wait4(pid, &end.status, 0, &usage) < 0 && errno == EINTR) {
  }
  end.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  real().kill(-pid, SIGKILL);  // whatever it left behind in its session
  result.real_ms = ms_since(start);
  result.output = watch.take_output();
  judge(result, *recording_, end, limits_);
  result.rule = get(recording_->rule);
  result.why = get(recording_->why);
  result.read = get(recording_->read);
  result.hint = get(recording_->hint);
  result.virtual_ns = recording_->virtual_ns;
  // Which call it had come to when the processor time was used up is chance.
  const bool is_explained =
      result.verdict == Verdict::cpu_loop && recording_->computing_note[0] != '\0';
  if (result.state != State::passed && result.state != State::not_started && !is_explained)
    result.timeline = timeline_text(*recording_);
  return result;
}

}  // namespace grader
