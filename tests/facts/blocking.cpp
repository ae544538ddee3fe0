#include "blocking.hpp"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

namespace facts {
namespace {

void check(int value, const char* call) {
  if (value < 0) throw std::system_error(errno, std::system_category(), call);
}

constexpr unsigned kSecondsPerTest = 30;

extern "C" void end_hanging_test(int /*signal*/) {
  constexpr std::string_view kSentence = "The last test named above hung for 30 s.\n";
  (void)!::write(STDERR_FILENO, kSentence.data(), kSentence.size());  // nothing else to tell it
  ::_exit(1);
}

/// Ends the program when one test hangs: no fact may cost more than its name.
class Watchdog : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& /*test*/) override {
    (void)std::signal(SIGALRM, end_hanging_test);  // cannot fail for SIGALRM
    ::alarm(kSecondsPerTest);
  }
  void OnTestEnd(const testing::TestInfo& /*test*/) override { ::alarm(0); }
};

[[maybe_unused]] const bool watchdog_installed = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new Watchdog);
  return true;
}();

/// The letter in /proc for what a thread is doing: 'S' is asleep, 'R' running.
char thread_state(pid_t thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');  // the name itself may hold blanks
  return name_end == std::string::npos || name_end + 2 >= line.size() ? '?' : line[name_end + 2];
}

/// Whether `signal` was sent to the thread and has not reached it yet; false when it has ended.
bool is_pending(pid_t thread, int signal) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  std::string word;
  while (status >> word) {
    std::uint64_t pending = 0;
    if (word == "SigPnd:" && status >> std::hex >> pending) return (pending >> (signal - 1)) & 1U;
  }
  return false;
}

std::atomic<int> signal_count{0};

extern "C" void count_signal(int /*signal*/) { ++signal_count; }

}  // namespace

BlockedCall::BlockedCall(std::function<long()> call)
    : thread_([this, call = std::move(call)] {
        thread_id_ = ::gettid();
        started_ = true;
        const long value = call();
        result_ = {.value = value, .error = value < 0 ? errno : 0};
        done_ = true;
      }) {}

BlockedCall::~BlockedCall() {
  const SignalCounter nudges(SIGUSR2);    // until after the join: one may still be on its way
  const bool ended = wait_until([this] {  // again and again: one may come before the call blocks
    if (!done_) (void)::pthread_kill(thread_.native_handle(), SIGUSR2);  // it may just have ended
    return done_.load();
  });
  if (!ended) {
    (void)std::fputs("A call that should have returned is still blocked.\n", stderr);
    std::abort();
  }
  thread_.join();
}

testing::AssertionResult BlockedCall::is_asleep() {
  bool asleep = false;
  (void)wait_until([&] {  // the verdict is in `asleep`
    asleep = started_ && thread_state(thread_id_) == 'S' && !done_;
    return asleep || done_;
  });
  if (asleep) return testing::AssertionSuccess();
  if (!done_) return testing::AssertionFailure() << "the call neither sleeps nor returns";
  return testing::AssertionFailure() << "the call returned " << testing::PrintToString(result_);
}

void BlockedCall::interrupt(int signal) {
  const int error = ::pthread_kill(thread_.native_handle(), signal);
  if (error != 0) throw std::system_error(error, std::system_category(), "pthread_kill");
  EXPECT_TRUE(wait_until([&] { return !is_pending(thread_id_, signal); }));
}

Result BlockedCall::result() {
  if (wait_until([this] { return done_.load(); })) return result_;
  ADD_FAILURE() << "the call is still blocked";
  return {};
}

SignalCounter::SignalCounter(int signal, int flags) : signal_(signal) {
  signal_count = 0;
  struct sigaction action {};
  action.sa_handler = count_signal;
  action.sa_flags = flags;
  check(::sigaction(signal_, &action, &before_), "sigaction");
}

SignalCounter::~SignalCounter() { (void)::sigaction(signal_, &before_, nullptr); }

int SignalCounter::count() const { return signal_count; }

std::string in_child(const std::function<std::string()>& body) {
  Pipe answer;
  const pid_t child = ::fork();
  check(child, "fork");
  if (child == 0) {
    (void)std::signal(SIGALRM, SIG_DFL);  // cannot fail for SIGALRM
    ::alarm(static_cast<unsigned>(kPatience.count()));
    const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
    (void)::setrlimit(RLIMIT_CORE, &no_core);  // only spares the disk
    const std::string text = body();
    (void)!::write(answer.writer.get(), text.data(), text.size());  // the parent misses it then
    ::_exit(0);
  }
  answer.writer.reset();
  std::string text(4096, '\0');
  const ssize_t count = ::read(answer.reader.get(), text.data(), text.size());
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  int status = 0;
  check(::waitpid(child, &status, 0), "waitpid");
  if (WIFSIGNALED(status)) return "killed by SIG" + std::string(::sigabbrev_np(WTERMSIG(status)));
  return text;
}

}  // namespace facts
