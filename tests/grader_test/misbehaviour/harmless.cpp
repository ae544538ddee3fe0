// Programs that do odd things which are theirs to do.
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>

#include "misbehaviour.hpp"

using namespace grader;

// Gives: passed, none
MISBEHAVIOUR(Harmless, Printing) {
  std::puts("hello");
  std::printf("%d\n", 42);
  std::cout << "hello" << std::endl;
  std::cerr << "hello\n";
  (void)!::write(1, "hello\n", 6);
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, ReadingStandardInput) {
  char byte = 0;
  expect_equal(::read(0, &byte, 1), 0, "standard input must be empty");
  std::string line;
  expect_equal(static_cast<bool>(std::getline(std::cin, line)), false, "nor a line in it");
  std::ifstream file("/dev/stdin");
  expect_equal(file.get(), EOF, "nor anything behind its name");
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, ReadingAndWritingFiles) {
  char folder[] = "/tmp/grader_test_XXXXXX";
  if (::mkdtemp(folder) == nullptr) return;
  const std::string path = std::string(folder) + "/file";
  {
    std::ofstream out(path);
    out << "hello\n";
  }
  std::string line;
  {
    std::ifstream in(path);
    std::getline(in, line);
  }
  if (std::FILE* file = std::fopen(path.c_str(), "a")) {
    std::fputs("world\n", file);
    std::fclose(file);
  }
  const int fd = ::open(path.c_str(), O_RDONLY);
  char buffer[100];
  const ssize_t size = ::read(fd, buffer, sizeof buffer);
  ::close(fd);
  ::unlink(path.c_str());
  ::rmdir(folder);
  expect_equal(line, "hello", "the file lost its line");
  expect_equal(size, 12, "the file lost bytes");
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, ChangingTheFolder) { (void)!::chdir("/"); }

// Gives: passed, none
MISBEHAVIOUR(Harmless, ClosingTheStreamOfStandardOutput) {
  std::puts("last words");
  std::fclose(stdout);
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, ReplacingEverySignalHandler) {
  for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_DFL);
  for (int signal = 1; signal < 32; ++signal) ::signal(signal, [](int) {});
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, BlockingEverySignal) {
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, LoweringItsLimits) {
  const rlimit few{64, 64};
  ::setrlimit(RLIMIT_NOFILE, &few);
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, LockingAndUnlocking) {
  std::mutex mutex;
  const std::lock_guard lock(mutex);
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, SignallingItself) {
  ::signal(SIGUSR1, [](int) {});
  ::raise(SIGUSR1);
  ::kill(::getpid(), SIGUSR1);
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, ThrowingAndCatching) {
  try {
    throw std::runtime_error("mine");
  } catch (const std::exception&) {
  }
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, SleepingForAYear) {
  std::this_thread::sleep_for(std::chrono::hours(24 * 365));
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, SettingTheEnvironment) {
  ::setenv("TZ", "UTC", 1);
  const std::time_t now = std::time(nullptr);
  expect_equal(std::gmtime(&now)->tm_year, 123, "the wall clock begins in 2023");
}
