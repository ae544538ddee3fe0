// Programs that make calls, or compute, without coming to an end.
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string>
#include <thread>

#include "misbehaviour.hpp"

using namespace std::chrono_literals;

// Gives: stuck, busy loop
// Says: busy loop at 0 s: recv(3, 1, MSG_DONTWAIT) again and again
MISBEHAVIOUR(BusyLoop, WithDontWait) {
  char byte = 0;
  while (::recv(world.fd, &byte, 1, MSG_DONTWAIT) < 0) {
  }
}

// Gives: stuck, busy loop
// Says: busy loop at 0 s: read(4, 1) again and again
MISBEHAVIOUR(BusyLoop, OnANonBlockingPipe) {
  int ends[2];
  (void)!::pipe2(ends, O_NONBLOCK);
  char byte = 0;
  while (::read(ends[0], &byte, 1) < 0) {
  }
}

// Gives: stuck, busy loop
// Says: would keep a processor busy for ever. Its timeout is 0 s: it only looks, and never waits
MISBEHAVIOUR(BusyLoop, WithASelectThatNeverWaits) {
  for (;;) {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(world.fd, &read);
    timeval zero{};
    if (::select(world.fd + 1, &read, nullptr, nullptr, &zero) > 0) return;
  }
}

// Gives: stuck, busy loop
// Says: busy for ever. Descriptor 3 is ready for reading each time: 1 byte there, unread
MISBEHAVIOUR(BusyLoop, WithInputThatIsNeverRead) {
  world.alice.at(2300ms).sends("x");
  for (;;) {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(world.fd, &read);
    ::select(world.fd + 1, &read, nullptr, nullptr, nullptr);
  }
}

// Gives: stuck, busy loop
// Says: Descriptor 3 is ready for writing each time, as it is while there is room.
MISBEHAVIOUR(BusyLoop, WithAnInterestInWriting) {
  for (;;) {
    pollfd entry{world.fd, POLLOUT, 0};
    ::poll(&entry, 1, -1);
  }
}

// Gives: stuck, busy loop
// Says: each time: alice has finished, and the end of a stream stays readable for ever. Watch it no
MISBEHAVIOUR(BusyLoop, WaitingForTheEndOfTheStream) {
  world.alice.at(1200ms).closes();
  for (;;) {
    pollfd entry{world.fd, POLLIN, 0};
    ::poll(&entry, 1, -1);
  }
}

// Gives: stuck, busy loop
// Says: keyboard has finished, which poll tells with POLLHUP, without POLLIN. Read to learn of
MISBEHAVIOUR(BusyLoop, WaitingForPollinAtTheEndOfAPipe) {
  grader::Peer& keyboard = world.scenario.peer("keyboard");
  const int in = keyboard.pipe_to_program();
  keyboard.at(31ms).closes();
  pollfd entry{in, POLLIN, 0};
  do {
    ::poll(&entry, 1, -1);
  } while ((entry.revents & POLLIN) == 0);
}

// Gives: stuck, busy loop
// Says: poll reports POLLHUP and POLLERR whether asked or not. To watch an entry no longer, make
MISBEHAVIOUR(BusyLoop, AskingForNothing) {
  grader::Peer& keyboard = world.scenario.peer("keyboard");
  const int in = keyboard.pipe_to_program();
  keyboard.at(31ms).closes();
  for (;;) {
    pollfd entry{in, 0, 0};
    ::poll(&entry, 1, -1);
  }
}

// Gives: stuck, busy loop
// Says: each time: nothing is left in it, so read gives 0, and a file stays ready. Watch it no
MISBEHAVIOUR(BusyLoop, WithAFileAtItsEnd) {
  const int in = world.scenario.file("");
  for (;;) {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(in, &read);
    ::select(in + 1, &read, nullptr, nullptr, nullptr);
  }
}

// Gives: stuck, busy loop
// Says: It says EBADF each time, because 40 is not open. Take that out
MISBEHAVIOUR(BusyLoop, WithAClosedDescriptor) {
  for (;;) {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(world.fd, &read);
    FD_SET(40, &read);
    ::select(41, &read, nullptr, nullptr, nullptr);
  }
}

// Gives: stuck, busy loop
// Says: Descriptor 4 is ready for reading each time: a client is waiting to be accepted.
MISBEHAVIOUR(BusyLoop, WithAClientThatIsNeverAccepted) {
  world.scenario.peer("bob").connects();
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ::listen(listener, 5);
  for (;;) {
    pollfd entry{listener, POLLIN, 0};
    ::poll(&entry, 1, -1);
  }
}

// Gives: stuck, busy loop
// Says: Descriptor 4 is ready for reading each time: its counter is not 0, and nobody reads it
MISBEHAVIOUR(BusyLoop, WithAnEventfdThatIsNeverRead) {
  const int fd = ::eventfd(1, 0);
  for (;;) {
    pollfd entry{fd, POLLIN, 0};
    ::poll(&entry, 1, -1);
  }
}

// Gives: stuck, busy loop
// Says: Descriptor 4 is ready for reading each time: a signal waits in it, and nobody reads it
MISBEHAVIOUR(BusyLoop, WithASignalfdThatIsNeverRead) {
  sigset_t usr1;
  sigemptyset(&usr1);
  sigaddset(&usr1, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &usr1, nullptr);
  const int fd = ::signalfd(-1, &usr1, 0);
  ::raise(SIGUSR1);
  for (;;) {
    pollfd entry{fd, POLLIN, 0};
    ::poll(&entry, 1, -1);
  }
}

// Gives: stuck, busy loop
// Says: select(0, timeval{0, -1}) again and again
MISBEHAVIOUR(BusyLoop, WithANegativeTimeout) {
  timeval time{0, -1};
  while (::select(0, nullptr, nullptr, nullptr, &time) != 0) {
  }
}

// Gives: stuck, busy loop
// Says: Note: select counts its timeval down: after the call before it held 0 s
MISBEHAVIOUR(BusyLoop, ThatTheCheckCanDiagnose) {
  world.scenario.asks({.reading = {world.fd}});
  timeval time{1, 0};
  for (;;) {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(world.fd, &read);
    if (::select(world.fd + 1, &read, nullptr, nullptr, &time) > 0) return;
  }
}

// Gives: stuck, busy loop
// Says: Note: Somebody waits: 1.
MISBEHAVIOUR(BusyLoop, ThatTheCheckDiagnosesItself) {
  world.scenario.diagnoses(
      [&] { return "Somebody waits: " + std::to_string(world.scenario.waits().back().nfds); });
  for (;;) {
    pollfd entry{world.fd, POLLIN, 0};
    ::poll(&entry, 1, 0);
  }
}

// Gives: stuck, busy loop
// Says: keep a processor busy for ever. Say true: there is an end to read.
MISBEHAVIOUR(BusyLoop, WithAnAnswerThatTheCheckExplains) {
  world.scenario.asks({.reading = {world.fd}}, "Say true: there is an end to read");
  world.alice.at(1200ms).closes();
  for (;;) {
    pollfd entry{world.fd, POLLIN, 0};
    ::poll(&entry, 1, -1);
  }
}

// Gives: stuck, busy loop
// Says: Note: You watched descriptor 40, which is not open, again and again: select says EBADF each
MISBEHAVIOUR(BusyLoop, WithNothingButAClosedDescriptor) {
  world.scenario.asks({.reading = {40}}, "Throw what it fails with");
  for (;;) {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(40, &read);
    ::select(41, &read, nullptr, nullptr, nullptr);
  }
}

// Gives: stuck, busy loop
// Says: busy loop at 1.2 s: recv(3, 16) again and again
MISBEHAVIOUR(BusyLoop, AtTheEndOfTheStream) {
  world.alice.at(1200ms).closes();
  char buffer[16];
  while (::recv(world.fd, buffer, sizeof buffer, 0) >= 0) {
  }
}

// Gives: stuck, busy loop
// Says: would keep a processor busy for ever. It says EINTR each time
MISBEHAVIOUR(BusyLoop, WithASelectThatIsAlwaysInterrupted) {
  world.scenario.faults().fail("select", EINTR, 1'000'000);
  fd_set read;
  do {
    FD_ZERO(&read);
    FD_SET(world.fd, &read);
  } while (::select(world.fd + 1, &read, nullptr, nullptr, nullptr) < 0 && errno == EINTR);
}

// Gives: stuck, busy loop
// Says: accept(4) again and again
MISBEHAVIOUR(BusyLoop, WithAnAcceptThatFailsForEver) {
  world.scenario.faults().fail("accept", EMFILE, 1'000'000);
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ::listen(listener, 5);
  while (::accept(listener, nullptr, nullptr) < 0) {
  }
}

// Gives: stuck, busy loop
// Says: the program reads the clock again and again without waiting for anything
MISBEHAVIOUR(BusyLoop, OnTheClock) {
  const auto until = std::chrono::steady_clock::now() + 1s;
  while (std::chrono::steady_clock::now() < until) {
  }
}

// Gives: stuck, busy loop
// Says: again and again
MISBEHAVIOUR(BusyLoop, WithSleepsOfNoTime) {
  char byte = 0;
  while (::recv(world.fd, &byte, 1, MSG_DONTWAIT) < 0) std::this_thread::sleep_for(0s);
}

// Gives: stuck, CPU loop
// Says: the program computed for 2 s of processor time without coming to an end
MISBEHAVIOUR(CpuLoop, InAnEmptyLoop) {
  volatile int i = 0;
  for (;;) i = 1;
}

// Gives: stuck, CPU loop
// Says: processor time without coming to an end: 24 MiB waited. Keep pieces.
MISBEHAVIOUR(CpuLoop, ThatTheCheckExplains) {
  world.scenario.when_computing_too_long("24 MiB waited. Keep pieces.");
  volatile int i = 0;
  for (;;) i = 1;
}

// Gives: stuck, CPU loop
// Says: the program computed for 2 s of processor time without coming to an end
MISBEHAVIOUR(CpuLoop, IgnoringTheLimitsSignal) {
  ::signal(SIGXCPU, SIG_IGN);
  for (;;) ::sched_yield();
}

// Gives: stuck, flood
// Says: the program printed more than 1 MiB
MISBEHAVIOUR(Flood, OfPrintf) {
  for (;;) std::puts("hello hello hello hello hello hello");
}

// Gives: stuck, flood
// Says: the program printed more than 1 MiB
MISBEHAVIOUR(Flood, OfCout) {
  for (;;) std::cout << "hello hello hello hello hello hello" << std::endl;
}

// Gives: stuck, flood
// Says: the program sent alice more than 64 MiB
MISBEHAVIOUR(Flood, OfBytesSent) {
  const std::string data(60'000, 'x');
  while (::send(world.fd, data.data(), data.size(), MSG_NOSIGNAL) > 0) {
  }
}

// Gives: stuck, flood
// Says: calls in one check
MISBEHAVIOUR(Flood, OfSmallSends) {
  while (::send(world.fd, "x", 1, MSG_NOSIGNAL) > 0) {
  }
}

// Gives: stuck, flood
// Says: calls in one check
MISBEHAVIOUR(Flood, OfShortSleeps) {
  char byte = 0;
  while (::recv(world.fd, &byte, 1, MSG_DONTWAIT) < 0) ::usleep(1000);
}

// Gives: stuck, flood
// Says: Note: You waited for 10 ms, again and again, where one wait for as long as it takes would
// do
MISBEHAVIOUR(Flood, OfShortWaits) {
  world.scenario.asks({.reading = {world.fd}});
  for (;;) {
    pollfd entry{world.fd, POLLIN, 0};
    if (::poll(&entry, 1, 10) > 0) return;
  }
}

// Gives: stuck, busy loop
// Says: socket(AF_INET, SOCK_STREAM, 0) again and again
MISBEHAVIOUR(Flood, OfDescriptors) {
  for (;;) (void)::socket(AF_INET, SOCK_STREAM, 0);
}

// Gives: failing, none
// Says: the program asked for more memory than a check may use (std::bad_alloc)
// Sanitized: skipped
MISBEHAVIOUR(Flood, OfMemoryByNew) {
  for (;;) {
    char* volatile block = new char[16 << 20];
    for (int i = 0; i < 16 << 20; i += 4096) block[i] = 1;
  }
}

// Gives: stuck, crash
// Says: the program was killed by SIGSEGV
// Sanitized: skipped
MISBEHAVIOUR(Flood, OfMemoryByMallocUnchecked) {
  for (;;) {
    auto* block = static_cast<volatile char*>(std::malloc(16 << 20));
    for (int i = 0; i < 16 << 20; i += 4096) block[i] = 1;
  }
}
