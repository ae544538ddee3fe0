// Programs that use what has no place in a lesson. Every signal sent is 0, which only looks whether
// the process exists: should a guard fail, nobody is hurt.
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <future>
#include <iostream>
#include <string>
#include <thread>

#include "misbehaviour.hpp"

using grader_test::raw_system_call;

// Gives: failing, not in this lesson
// Says: the program called fork, which has no place in this lesson; one process with one thread
MISBEHAVIOUR(NotHere, Fork) {
  if (::fork() == 0) ::_exit(0);
}

// Gives: failing, not in this lesson
// Says: the program called vfork, which has no place in this lesson
MISBEHAVIOUR(NotHere, Vfork) {
  if (::vfork() == 0) ::_exit(0);
}

// Gives: failing, not in this lesson
// Says: the program called popen, which has no place in this lesson
MISBEHAVIOUR(NotHere, Popen) {
  if (std::FILE* stream = ::popen("true", "r")) ::pclose(stream);
}

// Gives: failing, not in this lesson
// Says: the program called system, which has no place in this lesson
MISBEHAVIOUR(NotHere, System) { (void)!std::system("true"); }

// Gives: failing, not in this lesson
// Says: the program called posix_spawn, which has no place in this lesson
MISBEHAVIOUR(NotHere, PosixSpawn) {
  char name[] = "true";
  char* arguments[] = {name, nullptr};
  pid_t pid = 0;
  ::posix_spawn(&pid, "/bin/true", nullptr, nullptr, arguments, environ);
}

// Gives: failing, not in this lesson
// Says: the program called pthread_create (std::thread), which has no place in this lesson
MISBEHAVIOUR(NotHere, Thread) {
  std::thread([] {}).join();
}

// Gives: failing, not in this lesson
// Says: the program called pthread_create (std::thread), which has no place in this lesson
MISBEHAVIOUR(NotHere, Jthread) {
  const std::jthread thread([] {});
}

// Gives: failing, not in this lesson
// Says: the program called pthread_create (std::thread), which has no place in this lesson
MISBEHAVIOUR(NotHere, Async) {
  std::async(std::launch::async, [] {}).wait();
}

// Gives: failing, not in this lesson
// Says: the program called epoll_create1, which has no place in this lesson; use select or poll
MISBEHAVIOUR(NotHere, Epoll) { (void)::epoll_create1(0); }

// Gives: failing, not in this lesson
// Says: the program called timerfd_create
MISBEHAVIOUR(NotHere, Timerfd) { (void)::timerfd_create(CLOCK_MONOTONIC, 0); }

// Gives: failing, not in this lesson
// Says: the program called timer_create
MISBEHAVIOUR(NotHere, TimerCreate) {
  timer_t timer{};
  (void)::timer_create(CLOCK_MONOTONIC, nullptr, &timer);
}

// Gives: failing, not in this lesson
// Says: the program called setitimer
MISBEHAVIOUR(NotHere, RepeatingTimer) {
  const itimerval tenth{{0, 100'000}, {0, 100'000}};
  ::setitimer(ITIMER_REAL, &tenth, nullptr);
}

// Gives: failing, not in this lesson
// Says: the program called kill(1, 0), which has no place in this lesson
MISBEHAVIOUR(NotHere, KillOfAnother) { ::kill(1, 0); }

// Gives: failing, not in this lesson
// Says: the program called kill(0, 0), which has no place in this lesson
MISBEHAVIOUR(NotHere, KillOfItsGroup) { ::kill(0, 0); }

// Gives: failing, not in this lesson
// Says: the program called kill(-1, 0), which has no place in this lesson
MISBEHAVIOUR(NotHere, KillOfEverybody) { ::kill(-1, 0); }

// Gives: failing, not in this lesson
// Says: no other process is its business
MISBEHAVIOUR(NotHere, KillOfItsParent) { ::kill(::getppid(), 0); }

// Gives: failing, not in this lesson
// Says: the program made the system call kill
// Sanitized: skipped
MISBEHAVIOUR(NotHere, KillByItsOwnInstruction) { raw_system_call(SYS_kill, ::getppid(), 0); }

// Gives: failing, not in this lesson
// Says: the program made the system call fork
// Sanitized: skipped
MISBEHAVIOUR(NotHere, ForkByItsOwnInstruction) {
#ifdef SYS_fork
  if (raw_system_call(SYS_fork) == 0) raw_system_call(SYS_exit_group, 0);
#else
  if (raw_system_call(SYS_clone, SIGCHLD) == 0) raw_system_call(SYS_exit_group, 0);
#endif
}

// Gives: failing, not in this lesson
// Says: the program made the system call io_uring_setup
// Sanitized: skipped
MISBEHAVIOUR(NotHere, IoUring) {
  char parameters[120] = {};
  raw_system_call(SYS_io_uring_setup, 4, reinterpret_cast<long>(parameters));
}

// Gives: failing, not in this lesson
// Says: the program made the system call recvfrom
// Sanitized: skipped
MISBEHAVIOUR(NotHere, RecvByItsOwnInstruction) {
  char byte = 0;
  raw_system_call(SYS_recvfrom, world.fd, reinterpret_cast<long>(&byte), 1);
}

// Gives: failing, not in this lesson
// Says: call the function of the C library instead
MISBEHAVIOUR(NotHere, RecvBySyscall) {
  char byte = 0;
  ::syscall(SYS_recvfrom, world.fd, &byte, 1, 0, nullptr, nullptr);
}

// Gives: failing, not in this lesson
// Says: the program called gethostbyname, which has no place in this lesson; use getaddrinfo
MISBEHAVIOUR(NotHere, Gethostbyname) { (void)::gethostbyname("example.com"); }

// Gives: failing, not in this lesson
// Says: the program called splice, which has no place in this lesson; read the bytes and write them
MISBEHAVIOUR(NotHere, Splice) {
  int ends[2];
  (void)!::pipe(ends);
  (void)!::splice(world.fd, nullptr, ends[1], nullptr, 1, 0);
}

// Gives: failing, not in this lesson
// Says: the program called getc (or std::cin), which has no place in this lesson; stdio reads ahead
MISBEHAVIOUR(NotHere, StandardInputByStream) {
  grader::Peer& keyboard = world.scenario.peer("keyboard");
  world.scenario.lend_at(keyboard.pipe_to_program(), 0);
  keyboard.sends("hello\n");
  std::string line;
  std::getline(std::cin, line);
}

// Gives: failing, not in this lesson
// Says: the program called fgets, which has no place in this lesson; stdio reads ahead
MISBEHAVIOUR(NotHere, StandardInputByStdio) {
  world.scenario.lend_at(world.scenario.peer("keyboard").pipe_to_program(), 0);
  char line[10];
  (void)!std::fgets(line, sizeof line, stdin);
}

// Gives: failing, not in this lesson
// Says: the program called scanf, which has no place in this lesson; stdio reads ahead
MISBEHAVIOUR(NotHere, StandardInputByScanf) {
  world.scenario.lend_at(world.scenario.peer("keyboard").pipe_to_program(), 0);
  int number = 0;
  (void)!std::scanf("%d", &number);
}

// Gives: failing, not in this lesson
// Says: the program called fdopen, which has no place in this lesson; stdio reads ahead
MISBEHAVIOUR(NotHere, StreamOverASocket) { (void)!::fdopen(world.fd, "r"); }

// Gives: failing, not in this lesson
// Says: the program called fdopen, which has no place in this lesson; stdio keeps what is written
MISBEHAVIOUR(NotHere, WritingStreamOverAPipe) {
  (void)!::fdopen(world.scenario.peer("screen").pipe_from_program(), "w");
}

// Gives: failing, not in this lesson
// Says: the program called fdopen, which has no place in this lesson; stdio reads ahead
MISBEHAVIOUR(NotHere, StreamOfBothWaysOverASocket) { (void)!::fdopen(world.fd, "w+"); }
