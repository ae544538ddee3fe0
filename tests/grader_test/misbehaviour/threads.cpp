// Other threads that do what they must not.
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include "misbehaviour.hpp"

using namespace std::chrono_literals;

// Waits for 2 s, while another thread does `deed` after 331 ms.
static void wait_beside(const grader_test::World& world, void (*deed)()) {
  world.scenario.thread_at(331ms, deed, "worker");
  ::sleep(2);
}

static int own_pipe[2];

// Gives: stuck, waiting thread
// Says: waiting thread: "worker" waits in write(5, "xxxxxxxxxxxxxxxx"..., 70000) at 0.331 s. What
// another
MISBEHAVIOUR(WaitingThread, InAWriteToAFullPipe) {
  (void)!::pipe(own_pipe);
  wait_beside(world, [] {
    const std::string data(70'000, 'x');
    (void)!::write(own_pipe[1], data.data(), data.size());
  });
}

// Gives: stuck, waiting thread
// Says: "worker" waits in read(4, 1) at 0.331 s. What another thread calls to wake yours must
// return
MISBEHAVIOUR(WaitingThread, InARead) {
  (void)!::pipe(own_pipe);
  wait_beside(world, [] {
    char byte = 0;
    (void)!::read(own_pipe[0], &byte, 1);
  });
}

// Gives: stuck, waiting thread
// Says: "worker" waits in nanosleep(0.1 s)
MISBEHAVIOUR(WaitingThread, InASleep) {
  wait_beside(world, [] { std::this_thread::sleep_for(100ms); });
}

// Gives: stuck, waiting thread
// Says: "worker" waits in select(0, no timeout) at 0.331 s
MISBEHAVIOUR(WaitingThread, InASelect) {
  wait_beside(world, [] { ::select(0, nullptr, nullptr, nullptr, nullptr); });
}

// Gives: stuck, waiting thread
// Says: in pthread_mutex_lock (std::mutex) at 0.331 s for a lock that your own thread holds
MISBEHAVIOUR(WaitingThread, ForALockThatIsHeldWhileTheProgramWaits) {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  wait_beside(world, [] { const std::lock_guard inner(mutex); });
}

// Gives: stuck, waiting thread
// Says: for a lock that your own thread holds and has not let go of when it returned
MISBEHAVIOUR(WaitingThread, ForALockThatIsNeverLetGo) {
  static std::mutex mutex;
  world.scenario.thread_before(
      "send", [] { const std::lock_guard inner(mutex); }, 0, "worker");
  (void)!::pipe(own_pipe);
  mutex.lock();
  (void)!::write(own_pipe[1], "x", 1);
}

// Gives: stuck, crash
// Says: "worker" threw an exception that nobody caught, and that ends the whole process
MISBEHAVIOUR(CrashedThread, ByAnException) {
  wait_beside(world, [] { throw std::runtime_error("oops"); });
}

// Gives: stuck, crash
// Says: (std::terminate): something that is no std::exception
MISBEHAVIOUR(CrashedThread, ByANumber) {
  wait_beside(world, [] { throw 42; });
}

// Gives: stuck, crash
// Says: the program was killed by SIGPIPE: it wrote to a pipe that nobody reads any more
MISBEHAVIOUR(CrashedThread, BySigpipe) {
  (void)!::pipe(own_pipe);
  ::close(own_pipe[0]);
  wait_beside(world, [] { (void)!::write(own_pipe[1], "x", 1); });
}

// Gives: stuck, CPU loop
// Says: the program computed for 2 s of processor time without coming to an end
MISBEHAVIOUR(CrashedThread, ByAnEndlessLoop) {
  wait_beside(world, [] {
    volatile int i = 0;
    for (;;) i = 1;
  });
}

// Gives: stuck, ended the process
// Says: the program ended the whole process: exit(0)
MISBEHAVIOUR(CrashedThread, ByExit) {
  wait_beside(world, [] { std::exit(0); });
}

// Gives: failing, bad close
// Says: the program closed descriptor 3 (the connection to alice), which it had only borrowed
MISBEHAVIOUR(CrashedThread, ByABadClose) {
  wait_beside(world, [] { ::close(3); });
}

// Gives: failing, not in this lesson
// Says: the program called pthread_create (std::thread)
MISBEHAVIOUR(CrashedThread, ByAThreadOfItsOwn) {
  wait_beside(world, [] { std::thread([] {}).join(); });
}

// Gives: failing, descriptor leak
// Says: descriptor 4 is still open: an eventfd, opened by eventfd() at 0.331 s
MISBEHAVIOUR(DescriptorLeak, OfAnotherThread) {
  wait_beside(world, [] { (void)::eventfd(0, 0); });
}

// Gives: passed, none
MISBEHAVIOUR(Harmless, AThreadThatPrintsAndAllocates) {
  wait_beside(world, [] {
    const std::string text(1000, 'x');
    std::printf("%zu\n", text.size());
  });
}
