// Programs that end the process, or crash it.
#include <pthread.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

#include "misbehaviour.hpp"

using namespace std::chrono_literals;

// Gives: stuck, ended the process
// Says: the program ended the whole process: exit(0)
MISBEHAVIOUR(EndedProcess, ByExit) { std::exit(0); }

// Gives: stuck, ended the process
// Says: the program ended the whole process: _exit(0)
MISBEHAVIOUR(EndedProcess, ByUnderscoreExit) { ::_exit(0); }

// Gives: stuck, ended the process
// Says: the program ended the whole process: _Exit(0)
MISBEHAVIOUR(EndedProcess, ByUnderscoreCapitalExit) { std::_Exit(0); }

// Gives: stuck, ended the process
// Says: the program ended the whole process: quick_exit(0)
MISBEHAVIOUR(EndedProcess, ByQuickExit) { std::quick_exit(0); }

// Gives: failing, not in this lesson
// Says: call the function of the C library instead
MISBEHAVIOUR(EndedProcess, BySyscall) { ::syscall(SYS_exit_group, 0); }

// Gives: stuck, ended the process
// Says: the program ended the whole process with status 0
MISBEHAVIOUR(EndedProcess, ByItsOwnInstruction) { grader_test::raw_system_call(SYS_exit_group, 0); }

// Gives: stuck, ended the process
// Says: the program ended the whole process
MISBEHAVIOUR(EndedProcess, ByEndingItsOnlyThread) { grader_test::raw_system_call(SYS_exit, 0); }

// Gives: failing, not in this lesson
// Says: execve
// Sanitized: stuck, ended the process
// Sanitized says: the program ended the whole process with status 0
MISBEHAVIOUR(EndedProcess, ByAnotherProgram) { ::execlp("true", "true", nullptr); }

// Gives: stuck, crash
// Says: the program was killed by SIGABRT
MISBEHAVIOUR(Crash, ByAbort) { std::abort(); }

// Gives: stuck, crash
// Says: the program was killed by SIGABRT
MISBEHAVIOUR(Crash, ByTerminate) { std::terminate(); }

static void throw_although_noexcept() noexcept {
  static volatile bool yes = true;
  if (yes) throw std::runtime_error("oops");
}

// Gives: stuck, crash
// Says: the program was killed by SIGABRT
MISBEHAVIOUR(Crash, ByAnExceptionThatMayNotLeave) { throw_although_noexcept(); }

// Gives: stuck, crash
// Says: the program was killed by SIGSEGV
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(Crash, ByANullPointer) {
  static int* volatile nothing = nullptr;
  *nothing = 1;
}

static int recurse(volatile char* from) {
  volatile char buffer[4096];
  buffer[0] = *from;
  return buffer[0] == 0 ? 0 : recurse(buffer) + buffer[0];
}

// Gives: stuck, crash
// Says: stack overflow: endless recursion, or a huge local array
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(Crash, ByEndlessRecursion) {
  volatile char one = 1;
  recurse(&one);
}

// Gives: stuck, crash
// Says: double free
// Sanitized: stuck, crash
// Sanitized says: double-free
MISBEHAVIOUR(Crash, ByADoubleFree) {
  static void* volatile block = std::malloc(100);
  std::free(block);
  std::free(block);
}

// Gives: stuck, crash
// Says: the program was killed by SIGPIPE: it sent to a peer that was gone
MISBEHAVIOUR(Crash, BySigpipe) {
  world.alice.at(1100ms).closes();
  for (int i = 0; i < 5; ++i) {
    ::sleep(1);
    (void)!::send(world.fd, "x", 1, 0);
  }
}

// Gives: stuck, crash
// Says: the program was killed by SIGFPE
// Sanitized: stuck, crash
// Sanitized says: division by zero
MISBEHAVIOUR(Crash, ByADivision) {
#if defined(__x86_64__)
  static volatile int zero = 0;
  std::printf("%d\n", 100 / zero);
#else
  ::raise(SIGFPE);  // elsewhere the processor gives 0
#endif
}

// Gives: stuck, crash
// Says: the program was killed by SIGKILL
MISBEHAVIOUR(Crash, ByKillingItself) { ::kill(::getpid(), SIGKILL); }

// Gives: stuck, crash
// Says: killed by SIGALRM (Alarm clock): it had no handler then, and its default is to end
MISBEHAVIOUR(Crash, ByItsOwnAlarm) {
  ::alarm(2);
  ::pause();
}

// Gives: stuck, crash
// Says: the program was killed by SIG
// Sanitized: stuck, crash
// Sanitized says: stack-buffer-overflow
// Unoptimized: skipped
MISBEHAVIOUR(Crash, ByABufferThatIsTooSmall) {
  static volatile std::size_t size = 64;
  char buffer[8];
  world.alice.sends(std::string(64, 'x'));
  (void)!::recv(world.fd, buffer, size, 0);
}

// Gives: stuck, crash
// Says: __n < this->size()
MISBEHAVIOUR(Crash, ByAnIndexOutOfRange) {
  static volatile std::size_t index = 7;
  std::vector<int> numbers(3);
  numbers[index] = 1;
}

// Gives: stuck, crash
// Says: the program was killed by SIGSEGV
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(Crash, ByScribblingOverItsStack) {
  static volatile std::size_t size = 256u << 20;
  volatile char local[100];
  for (std::size_t i = 0; i < size; ++i) local[i] = 'x';
}

// Gives: stuck, crash
// Says: the program was killed by SIG
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(Crash, ByScribblingOverTheHeap) {
  static volatile std::size_t size = 256u << 20;
  auto* block = static_cast<volatile char*>(std::malloc(100));
  for (std::size_t i = 0; i < size; ++i) block[i] = 'x';
}

// Gives: failing, none
// Says: the program threw an exception that nobody expected: oops
MISBEHAVIOUR(Throws, ARuntimeError) { throw std::runtime_error("oops"); }

// Gives: failing, none
// Says: the program threw something that is no std::exception
MISBEHAVIOUR(Throws, ANumber) { throw 42; }

// Gives: failing, none
// Says: the program threw something that is no std::exception
MISBEHAVIOUR(Throws, ANullPointer) { throw static_cast<const char*>(nullptr); }

struct Silent : std::exception {
  [[nodiscard]] const char* what() const noexcept override { return ""; }
};

// Gives: failing, none
// Says: the program threw an exception that nobody expected
MISBEHAVIOUR(Throws, AnExceptionWithoutAText) { throw Silent(); }

struct Long : std::exception {
  [[nodiscard]] const char* what() const noexcept override {
    static const std::string text(100'000, '"');
    return text.c_str();
  }
};

// Gives: failing, none
// Says: the program threw an exception that nobody expected: """
MISBEHAVIOUR(Throws, AnExceptionWithAVeryLongText) { throw Long(); }

// Gives: stuck, crash
// Says: the program was killed by SIGPIPE: it wrote to a pipe that nobody reads any more
MISBEHAVIOUR(Crash, BySigpipeOfAPipe) {
  grader::Peer& screen = world.scenario.peer("screen");
  const int out = screen.pipe_from_program();
  screen.at(1s).closes();
  ::sleep(2);
  (void)!::write(out, "x", 1);
}

// Gives: stuck, crash
// Says: the program was killed by SIGPIPE: it sent to a peer that was gone
MISBEHAVIOUR(Crash, BySigpipeAfterAPipeThatHeld) {
  const int out = world.scenario.peer("screen").pipe_from_program();
  world.alice.closes();
  for (int i = 0; i < 5; ++i) {
    ::sleep(1);
    (void)!::write(out, "x", 1);
    (void)!::write(world.fd, "x", 1);
  }
}

// Gives: failing, outside the set
// Says: was called with 1024, and an fd_set holds 0 to 1023. Refuse any other number before
// Sanitized: stuck, crash
// Sanitized says: out of bounds
// Unoptimized: skipped
MISBEHAVIOUR(OutsideTheSet, WithALargeNumber) {
  volatile int fd = FD_SETSIZE;
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  ::select(0, &set, nullptr, nullptr, nullptr);
}

// Gives: failing, outside the set
// Says: was called with -1, and an fd_set holds 0 to 1023.
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake
// Unoptimized: skipped
MISBEHAVIOUR(OutsideTheSet, WithANegativeNumber) {
  volatile int fd = -1;
  fd_set set;
  FD_ZERO(&set);
  if (FD_ISSET(fd, &set)) ::pause();
}
