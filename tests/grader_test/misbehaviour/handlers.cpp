// Signal handlers that do what no handler may.
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/select.h>
#include <syslog.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iostream>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <stdexcept>
#include <string>

#include "misbehaviour.hpp"

using namespace std::chrono_literals;

// Waits for the signal that comes at 331 ms and is handled by `handler`.
static void wait_for(const grader_test::World& world, sighandler_t handler) {
  world.scenario.signal_at(331ms, SIGUSR1, grader::Handler::own);
  ::signal(SIGUSR1, handler);
  ::select(0, nullptr, nullptr, nullptr, nullptr);
}

// Gives: failing, unsafe handler
// Says: unsafe handler: the handler of SIGUSR1 called puts, which is not async-signal-safe
MISBEHAVIOUR(UnsafeHandler, WithPuts) {
  wait_for(world, [](int) { std::puts("signal"); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called printf
MISBEHAVIOUR(UnsafeHandler, WithPrintf) {
  wait_for(world, [](int signal) { std::printf("signal %d\n", signal); });
}

// Gives: failing, unsafe handler
// Says: inside printf or malloc, fprintf waits for a lock that the program holds
MISBEHAVIOUR(UnsafeHandler, WithFprintf) {
  wait_for(world, [](int signal) { std::fprintf(stderr, "signal %d\n", signal); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called fwrite (or std::cout)
MISBEHAVIOUR(UnsafeHandler, WithCout) {
  wait_for(world, [](int) { std::cout << "signal"; });
}

// Gives: failing, unsafe handler
// Says: (or std::cout), which is not async-signal-safe
MISBEHAVIOUR(UnsafeHandler, WithCerr) {
  wait_for(world, [](int signal) { std::cerr << signal << std::endl; });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called fflush (or std::cout)
MISBEHAVIOUR(UnsafeHandler, WithFflush) {
  wait_for(world, [](int) { std::fflush(stdout); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called perror
MISBEHAVIOUR(UnsafeHandler, WithPerror) {
  wait_for(world, [](int) { std::perror("signal"); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called syslog
MISBEHAVIOUR(UnsafeHandler, WithSyslog) {
  wait_for(world, [](int signal) { ::syslog(LOG_INFO, "signal %d", signal); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called malloc, which is not async-signal-safe
MISBEHAVIOUR(UnsafeHandler, WithMalloc) {
  static void* volatile block = nullptr;
  wait_for(world, [](int) { block = std::malloc(100); });
  std::free(block);
}

// Gives: failing, unsafe handler
// Says: inside malloc or free, free finds the heap half changed
MISBEHAVIOUR(UnsafeHandler, WithFree) {
  static void* volatile block = nullptr;
  block = std::malloc(100);
  wait_for(world, [](int) { std::free(block); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called operator new
MISBEHAVIOUR(UnsafeHandler, WithAString) {
  wait_for(world, [](int) {
    static volatile std::size_t size = 100;
    const std::string text(size, 'x');
    (void)!::write(1, text.data(), text.size());
  });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called operator delete
MISBEHAVIOUR(UnsafeHandler, WithDelete) {
  static std::unique_ptr<int> number;
  number = std::make_unique<int>(1);
  wait_for(world, [](int) { number.reset(); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called malloc
MISBEHAVIOUR(UnsafeHandler, WithAThrow) {
  wait_for(world, [](int) {
    try {
      throw 1;
    } catch (int) {
    }
  });
}

// Gives: failing, unsafe handler
// Says: while the program holds that lock, pthread_mutex_lock (std::mutex) waits for it
MISBEHAVIOUR(UnsafeHandler, WithAMutex) {
  static std::mutex mutex;
  wait_for(world, [](int) { const std::lock_guard lock(mutex); });
}

// Gives: failing, unsafe handler
// Says: called pthread_rwlock_rdlock (std::shared_mutex)
MISBEHAVIOUR(UnsafeHandler, WithASharedMutex) {
  static std::shared_mutex mutex;
  wait_for(world, [](int) { const std::shared_lock lock(mutex); });
}

// Gives: failing, unsafe handler
// Says: called pthread_cond_signal (std::condition_variable)
MISBEHAVIOUR(UnsafeHandler, WithANotification) {
  static std::condition_variable condition;
  wait_for(world, [](int) { condition.notify_one(); });
}

// Gives: failing, unsafe handler
// Says: called exit, which is not async-signal-safe (signal-safety(7)). exit runs destructors
MISBEHAVIOUR(UnsafeHandler, WithExit) {
  wait_for(world, [](int) { std::exit(1); });
}

// Gives: stuck, ended the process
// Says: the program ended the whole process: _exit(1)
MISBEHAVIOUR(UnsafeHandler, WithUnderscoreExit) {
  wait_for(world, [](int) { ::_exit(1); });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called getaddrinfo
MISBEHAVIOUR(UnsafeHandler, WithGetaddrinfo) {
  wait_for(world, [](int) {
    addrinfo* list = nullptr;
    (void)::getaddrinfo("192.0.2.1", "80", nullptr, &list);
  });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called localtime
MISBEHAVIOUR(UnsafeHandler, WithLocaltime) {
  wait_for(world, [](int) {
    const std::time_t now = std::time(nullptr);
    (void)std::localtime(&now);
  });
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called puts
MISBEHAVIOUR(UnsafeHandler, WithSiginfo) {
  struct sigaction action {};
  action.sa_sigaction = [](int, siginfo_t*, void*) { std::puts("signal"); };
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGUSR1, &action, nullptr);
  ::raise(SIGUSR1);
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR2 called puts
MISBEHAVIOUR(UnsafeHandler, OfTheCheckThatCallsTheProgram) {
  world.scenario.handle(SIGUSR2, [] { std::puts("called by a handler"); });
  world.scenario.signal_at(331ms, SIGUSR2, grader::Handler::own);
  ::select(0, nullptr, nullptr, nullptr, nullptr);
}

// Gives: failing, unsafe handler
// Says: the handler of SIGPIPE called puts
MISBEHAVIOUR(UnsafeHandler, OfABrokenPipe) {
  const int out = world.scenario.peer("screen").closes().pipe_from_program();
  ::signal(SIGPIPE, [](int) { std::puts("signal"); });
  ::sleep(1);
  (void)!::write(out, "x", 1);
}

// Gives: failing, unsafe handler
// Says: the handler of SIGUSR1 called puts
MISBEHAVIOUR(UnsafeHandler, ThatWasHeldBack) {
  sigset_t usr1, before;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &usr1, &before);
  ::signal(SIGUSR1, [](int) { std::puts("signal"); });
  ::raise(SIGUSR1);
  ::pselect(0, nullptr, nullptr, nullptr, nullptr, &before);
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in write(5, "xxxxxxxxxxxxxxxx"..., 70000), in the handler of SIGUSR1, at
// 0.331 s
MISBEHAVIOUR(BlockedHandler, InAWriteToItsFullPipe) {
  static int ends[2];
  (void)!::pipe(ends);
  wait_for(world, [](int) {
    static const char data[70'000] = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
    (void)!::write(ends[1], data, sizeof data);
  });
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in read(4, 1), in the handler of SIGUSR1, at 0.331 s
MISBEHAVIOUR(BlockedHandler, InARead) {
  static int ends[2];
  (void)!::pipe(ends);
  wait_for(world, [](int) {
    char byte = 0;
    (void)!::read(ends[0], &byte, 1);
  });
}

// Gives: stuck, busy loop
// Says: busy loop at 0.331 s: write(5, "x", 1) again and again
MISBEHAVIOUR(BlockedHandler, WritingUntilThereIsRoom) {
  static int ends[2];
  (void)!::pipe2(ends, O_NONBLOCK);
  wait_for(world, [](int) {
    static const char block[65'536] = {};
    (void)!::write(ends[1], block, sizeof block);
    while (::write(ends[1], "x", 1) != 1) {
    }
  });
}

// Gives: stuck, crash
// Says: killed by SIGSEGV (Segmentation fault) in the handler of SIGUSR1: use of a null pointer
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(CrashedHandler, ByANullPointer) {
  static volatile int* volatile nothing = nullptr;
  wait_for(world, [](int) { *nothing = 1; });
}

// Gives: stuck, crash
// Says: killed by SIGSEGV (Segmentation fault) in the handler of SIGUSR1: use of a null pointer
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(CrashedHandler, OfTheCheckThatCallsTheProgram) {
  static volatile int* volatile nothing = nullptr;
  world.scenario.handle(SIGUSR1, [] { *nothing = 1; });
  world.scenario.signal_at(331ms, SIGUSR1, grader::Handler::own);
  ::select(0, nullptr, nullptr, nullptr, nullptr);
}

// Gives: stuck, crash
// Says: killed by SIGSEGV (Segmentation fault) in the handler of SIGUSR1. What a handler uses
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(CrashedHandler, ThatBlocksAllSignals) {
  static volatile int* volatile nothing = nullptr;
  struct sigaction action {};
  action.sa_handler = [](int) { *nothing = 1; };
  sigfillset(&action.sa_mask);
  ::sigaction(SIGUSR1, &action, nullptr);
  ::raise(SIGUSR1);
}

// Gives: stuck, crash
// Says: the program was killed by SIGABRT (Aborted) in the handler of SIGUSR1
MISBEHAVIOUR(CrashedHandler, ByAbort) {
  wait_for(world, [](int) { std::abort(); });
}

// Gives: stuck, crash
// Says: killed by SIGSEGV (Segmentation fault): use of a null pointer
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(CrashedHandler, LeftByAJump) {
  static volatile int* volatile nothing = nullptr;
  static sigjmp_buf place;
  if (sigsetjmp(place, 1) == 0) wait_for(world, [](int) { siglongjmp(place, 1); });
  *nothing = 1;
}

// Gives: stuck, crash
// Says: killed by SIGSEGV (Segmentation fault): use of a null pointer
// Sanitized: stuck, crash
// Sanitized says: a sanitizer found a mistake and ended the program
MISBEHAVIOUR(CrashedHandler, NotWhenTheHandlerIsDone) {
  static volatile int* volatile nothing = nullptr;
  wait_for(world, [](int) {});
  *nothing = 1;
}

// Gives: stuck, blocked for ever
// Says: Note: SIGUSR1 came after your last look and before select began: its handler ran in that
// gap
MISBEHAVIOUR(LostSignal, BetweenTheCheckAndTheWait) {
  static volatile sig_atomic_t is_told = 0;
  world.scenario.signal_before("select", SIGUSR1);
  ::signal(SIGUSR1, [](int) { is_told = 1; });
  while (is_told == 0) ::select(0, nullptr, nullptr, nullptr, nullptr);
}

// Gives: stuck, blocked for ever
// Says: Note: SIGUSR1 came after your last look and before select began: its handler ran in that
// gap
MISBEHAVIOUR(LostSignal, ThoughAnotherThreadMakesCallsMeanwhile) {
  static volatile sig_atomic_t is_told = 0;
  static int ends[2];
  (void)!::pipe(ends);
  world.scenario.signal_before("select", SIGUSR1);
  world.scenario.thread_at(331ms, [] { (void)!::write(ends[1], "x", 1); });
  ::signal(SIGUSR1, [](int) { is_told = 1; });
  while (is_told == 0) ::select(0, nullptr, nullptr, nullptr, nullptr);
}

// Gives: stuck, blocked for ever
// Says: Note: SIGUSR1 came after your last look and before poll began: its handler ran in that gap
MISBEHAVIOUR(LostSignal, ThoughAThreadMakesCallsInTheSameGap) {
  static volatile sig_atomic_t is_told = 0;
  static int ends[2];
  (void)!::pipe(ends);
  const auto write = [] { (void)!::write(ends[1], "x", 1); };
  world.scenario.thread_before("select", write);
  world.scenario.signal_before("select", SIGUSR1);
  world.scenario.thread_before("select", write);
  ::signal(SIGUSR1, [](int) { is_told = 1; });
  while (is_told == 0) ::poll(nullptr, 0, -1);
}

// Gives: stuck, blocked for ever
// Says: Note: SIGUSR1 came after your last look and before read began: its handler ran in that gap
MISBEHAVIOUR(LostSignal, ThoughAnotherHandlerMakesCallsMeanwhile) {
  static volatile sig_atomic_t is_told = 0;
  static int ends[2];
  (void)!::pipe(ends);
  world.scenario.signal_before("recv", SIGUSR1);
  world.scenario.signal_at(331ms, SIGUSR2, grader::Handler::own);
  ::signal(SIGUSR1, [](int) { is_told = 1; });
  ::signal(SIGUSR2, [](int) { (void)::fcntl(ends[0], F_GETFD); });
  char byte = 0;
  while (is_told == 0) (void)!::read(ends[0], &byte, 1);  // SIGUSR2 restarts it
}

// Gives: stuck, blocked for ever
// Says: Note: SIGUSR1 came after your last look and before pselect began: its handler ran in that
// gap
MISBEHAVIOUR(LostSignal, ThatPselectCouldNotLetInForItWasNotBlocked) {
  static volatile sig_atomic_t is_told = 0;
  world.scenario.signal_before("select", SIGUSR1);
  ::signal(SIGUSR1, [](int) { is_told = 1; });
  sigset_t none;
  sigemptyset(&none);
  while (is_told == 0) ::pselect(0, nullptr, nullptr, nullptr, nullptr, &none);
}
