// Programs that wait for what cannot come.
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <string>

#include "misbehaviour.hpp"

using namespace std::chrono_literals;

// Gives: stuck, blocked for ever
// Says: blocked for ever in recv(3, 1) at 0 s: nothing is left that could end this call
MISBEHAVIOUR(BlockedForEver, InRecv) {
  char byte = 0;
  (void)!::recv(world.fd, &byte, 1, 0);
}

// Gives: failing, expectation
// Says: alice waited 3600 s to receive "hello", but got nothing
MISBEHAVIOUR(BlockedForEver, LongerThanThePeer) {
  world.alice.receives("hello", 1h);
  char byte = 0;
  (void)!::read(world.fd, &byte, 1);
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in send(3, "xxxxxxxxxxxxxxxx"..., 200000)
MISBEHAVIOUR(BlockedForEver, InSend) {
  world.alice.stops_reading();
  const std::string data(200'000, 'x');
  (void)!::send(world.fd, data.data(), data.size(), 0);
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in write(5, "xxxxxxxxxxxxxxxx"..., 200000)
MISBEHAVIOUR(BlockedForEver, InWriteToItsOwnPipe) {
  int ends[2];
  (void)!::pipe(ends);
  const std::string data(200'000, 'x');
  (void)!::write(ends[1], data.data(), data.size());
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in accept(4) at 0 s
MISBEHAVIOUR(BlockedForEver, InAccept) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  ::listen(listener, 5);
  ::accept(listener, nullptr, nullptr);
}

// Gives: stuck, blocked for ever
// Says: Note: You passed nfds 3, so select looked at 0 to 2 and not at 3.
MISBEHAVIOUR(BlockedForEver, AsTheCheckCanDiagnose) {
  world.scenario.asks({.reading = {world.fd}});
  fd_set read;
  FD_ZERO(&read);
  FD_SET(world.fd, &read);
  ::select(world.fd, &read, nullptr, nullptr, nullptr);
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in select(4, read {3}, no timeout) at 1.3 s
MISBEHAVIOUR(BlockedForEver, InSelect) {
  world.alice.at(1300ms).sends("x");
  char byte = 0;
  for (;;) {
    fd_set read;
    FD_ZERO(&read);
    FD_SET(world.fd, &read);
    ::select(world.fd + 1, &read, nullptr, nullptr, nullptr);
    (void)!::recv(world.fd, &byte, 1, 0);
  }
}

// Gives: stuck, blocked for ever
// Says: select was called with nfds = 3 while its sets hold descriptor 3
MISBEHAVIOUR(BlockedForEver, InSelectWithNfdsTooSmall) {
  world.alice.at(1300ms).sends("x");
  fd_set read;
  FD_ZERO(&read);
  FD_SET(world.fd, &read);
  ::select(world.fd, &read, nullptr, nullptr, nullptr);
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in select(0, no timeout)
MISBEHAVIOUR(BlockedForEver, InSelectOfNothing) { ::select(0, nullptr, nullptr, nullptr, nullptr); }

// Gives: stuck, blocked for ever
// Says: blocked for ever in poll({3:in}, no timeout)
MISBEHAVIOUR(BlockedForEver, InPoll) {
  pollfd entry{world.fd, POLLIN, 0};
  ::poll(&entry, 1, -1);
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in read(4, 1)
MISBEHAVIOUR(BlockedForEver, InReadOfItsOwnPipe) {
  int ends[2];
  (void)!::pipe(ends);
  char byte = 0;
  (void)!::read(ends[0], &byte, 1);
}

// Gives: stuck, blocked for ever
// Says: blocked for ever in pause()
MISBEHAVIOUR(BlockedForEver, InPause) { ::pause(); }

// Gives: stuck, blocked for ever
// Says: blocked for ever in sigsuspend()
MISBEHAVIOUR(BlockedForEver, InSigsuspend) {
  sigset_t none;
  sigemptyset(&none);
  ::sigsuspend(&none);
}

// Gives: stuck, really blocked
// Says: a lock that it holds itself
MISBEHAVIOUR(ReallyBlocked, InItsOwnMutex) {
  std::mutex mutex;
  mutex.lock();
  mutex.lock();
}

// Gives: stuck, really blocked
// Says: a lock that it holds itself
MISBEHAVIOUR(ReallyBlocked, InAFuture) {
  std::promise<int> promise;
  promise.get_future().wait();
}

// Gives: failing, not in this lesson
// Says: pthread_cond_wait (std::condition_variable)
MISBEHAVIOUR(ReallyBlocked, InAConditionVariable) {
  std::mutex mutex;
  std::condition_variable condition;
  std::unique_lock lock(mutex);
  condition.wait(lock);
}

// Gives: failing, not in this lesson
// Says: (std::condition_variable)
MISBEHAVIOUR(ReallyBlocked, InAConditionVariableForAnHour) {
  std::mutex mutex;
  std::condition_variable condition;
  std::unique_lock lock(mutex);
  condition.wait_for(lock, 1h);
}

// Gives: stuck, stopped
// Says: the program stopped itself (SIGSTOP)
MISBEHAVIOUR(Stopped, ByItself) { ::raise(SIGSTOP); }

// Gives: stuck, blocked for ever
// Says: 8355840 are left
MISBEHAVIOUR(BlockedForEver, InASendToAPeerThatSendsAsWell) {
  const std::string data(8 << 20, 'x');
  world.alice.stops_reading().sends(data).resumes_reading();
  (void)!::send(world.fd, data.data(), data.size(), 0);
}
