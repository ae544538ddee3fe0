// Reads its standard input until SIGTERM asks it to stop, in one of four ways that look alike.
#include <getopt.h>
#include <signal.h>
#include <sys/select.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string_view>
#include <system_error>
#include <thread>

#include "08-three-lists/three_lists.hpp"
#include "09-deadlines/deadlines.hpp"
#include "14-wake-ups/wake_ups.hpp"

namespace {

using Seconds = std::chrono::duration<double>;

constexpr const char* usage =
    "usage: try_wake_ups [--way W] [--pause S] [--limit S]\n\n"
    "Reads its standard input until SIGTERM asks it to stop; says when, and after how many turns.\n"
    "Every turn asks whether it should stop, waits for input, and reads a piece of it.\n"
    "  --way flag           a handler sets a flag; select_on of lesson 08 waits\n"
    "  --way pselect        SIGTERM is blocked but in pselect(2), which waits\n"
    "  --way pselect_until  the same with your pselect_until\n"
    "  --way pipe           (default) your SignalPipe is watched beside the input\n"
    "  --pause S            sleep S seconds between the question and the wait (0; 0.5 is allowed)\n"
    "  --limit S            give up after S seconds (10)\n\n"
    "Exit status: 0 stopped or at the end of the input, 1 gave up or failed, 2 wrong usage.\n";

struct Options {
  std::string_view way = "pipe";
  Seconds pause{0};
  course::Duration limit = std::chrono::seconds(10);
};

volatile std::sig_atomic_t stop_asked = 0;

void ask_to_stop_at(int signal_number) {
  struct sigaction action {};
  action.sa_handler = [](int) { stop_asked = 1; };
  if (sigaction(signal_number, &action, nullptr) == -1)
    throw std::system_error(errno, std::system_category(), "sigaction");
}

// From now on the signal is let in only by whoever waits with the mask that is returned.
sigset_t block(int signal_number) {
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, signal_number);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  return before;
}

constexpr std::array input = {STDIN_FILENO};

// Each of the four ways asks whether to stop, and waits for input or to be asked to stop.
class FlagWay {
 public:
  FlagWay() { ask_to_stop_at(SIGTERM); }
  static bool should_stop() { return stop_asked != 0; }
  static course::Ready wait(course::Deadline deadline) {
    try {
      return course::select_on(input, {}, {}, deadline.remaining());
    } catch (const std::system_error& failure) {
      if (failure.code().value() != EINTR) throw;
      return {};  // a signal: ask again
    }
  }
};

class PselectWay : public FlagWay {
 public:
  [[nodiscard]] course::Ready wait(course::Deadline deadline) const {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(STDIN_FILENO, &readable);
    const auto left = deadline.remaining().value_or(std::chrono::hours(1));
    const auto whole = std::chrono::floor<std::chrono::seconds>(left);
    const timespec time = {.tv_sec = whole.count(), .tv_nsec = (left - whole).count()};
    const int count = ::pselect(STDIN_FILENO + 1, &readable, nullptr, nullptr, &time, &mask_);
    if (count == -1 && errno != EINTR)
      throw std::system_error(errno, std::system_category(), "pselect");
    return count > 0 ? course::Ready{{STDIN_FILENO}, {}, {}} : course::Ready{};
  }

 protected:
  const sigset_t mask_ = block(SIGTERM);
};

class PselectUntilWay : public PselectWay {
 public:
  [[nodiscard]] course::Ready wait(course::Deadline deadline) const {
    return course::pselect_until(input, {}, {}, deadline, mask_);
  }
};

class PipeWay {
 public:
  bool should_stop() { return !signals_.take().empty(); }
  [[nodiscard]] course::Ready wait(course::Deadline deadline) const {
    return course::select_until(std::array{STDIN_FILENO, signals_.fd()}, {}, {}, deadline);
  }

 private:
  course::SignalPipe signals_{std::array{SIGTERM}};
};

template <class HowToWait>
int run(const Options& options) {
  HowToWait way;
  const auto began = std::chrono::steady_clock::now();
  const auto deadline = course::Deadline::after(options.limit);
  unsigned long turns = 0;
  const auto ended = [&](const char* how, int status) {
    const Seconds took = std::chrono::steady_clock::now() - began;
    std::printf("%s at %.1f s, in turn %lu\n", how, took.count(), turns);
    return status;
  };
  while (true) {
    ++turns;
    if (way.should_stop()) return ended("stopped", 0);
    if (deadline.has_passed()) return ended("gave up", 1);
    if (options.pause > Seconds(0)) std::this_thread::sleep_for(options.pause);  // the gap
    const course::Ready ready = way.wait(deadline);
    if (ready.readable.empty() || ready.readable.front() != STDIN_FILENO) continue;
    std::array<char, 4096> piece;
    const ssize_t got = ::read(STDIN_FILENO, piece.data(), piece.size());
    if (got == 0) return ended("end of the input", 0);
    if (got == -1 && errno != EINTR) throw std::system_error(errno, std::system_category(), "read");
  }
}

int run_as_told(const Options& options) {
  if (options.way == "flag") return run<FlagWay>(options);
  if (options.way == "pselect") return run<PselectWay>(options);
  if (options.way == "pselect_until") return run<PselectUntilWay>(options);
  if (options.way == "pipe") return run<PipeWay>(options);
  std::fprintf(stderr, "try_wake_ups: no such way: %s\n", options.way.data());
  return 2;
}

Seconds parsed_seconds(std::string_view text) {
  double number{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && *stop == '\0' && number >= 0 && number <= 3600)
    return Seconds(number);
  std::fprintf(stderr, "try_wake_ups: not a number that fits here: %s\n", text.data());
  std::exit(2);
}

Options options_of(int argc, char* argv[]) {
  const option names[] = {{"way", required_argument, nullptr, 'w'},
                          {"pause", required_argument, nullptr, 'p'},
                          {"limit", required_argument, nullptr, 'l'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  Options options;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'w') options.way = optarg;
    if (found == 'p') options.pause = parsed_seconds(optarg);
    if (found == 'l')
      options.limit = std::chrono::duration_cast<course::Duration>(parsed_seconds(optarg));
    if (found == 'h') std::exit(std::fputs(usage, stdout) < 0);
    if (found == '?') std::exit(2);
  }
  if (optind < argc) std::exit((std::fputs(usage, stderr), 2));
  return options;
}

}  // namespace

int main(int argc, char* argv[]) {
  const Options options = options_of(argc, argv);
  try {
    return run_as_told(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_wake_ups: %s\n", error.what());
    return 1;
  }
}
