// Other threads of the program, at exact times, while its own stands still.
//
// ThreadSanitizer must be content with them and with ThreadBefore and ThreadAfter:
//     meson setup build-tsan -Dcourse=true -Db_sanitize=thread
//     ninja -C build-tsan tests/grader_test/grader-test-simulation
//     build-tsan/tests/grader_test/grader-test-simulation --check Thread
// (Some checks of handlers cannot hold there: its runtime blocks every signal while one runs, and
// gives errno back itself.)
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>

#include "calls.hpp"

using namespace grader_test;

namespace {

volatile sig_atomic_t handled_by_main = 0;
pthread_t main_thread;

void note_thread(int) { handled_by_main = pthread_equal(pthread_self(), main_thread) != 0 ? 1 : 2; }

struct Pipe {
  int ends[2] = {-1, -1};
  explicit Pipe(int flags = 0) { EXPECT_EQ(::pipe2(ends, flags), 0); }
  ~Pipe() {
    ::close(ends[0]);
    ::close(ends[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
};

}  // namespace

TEST(ThreadAt, WakesASelectAtItsTime) {
  Scenario scenario;
  int to = -1;
  scenario.thread_at(
      331ms, [&] { EXPECT_EQ(::write(to, "w", 1), 1); }, "worker");
  scenario.run([&] {
    const Pipe pipe;
    to = pipe.ends[1];
    EXPECT_EQ(selected({.read = {pipe.ends[0]}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(ThreadAt, IsReallyAnotherThread) {
  Scenario scenario;
  const std::thread::id main = std::this_thread::get_id();
  std::thread::id other;
  scenario.thread_at(31ms, [&] { other = std::this_thread::get_id(); });
  scenario.run([&] { EXPECT_EQ(selected({}, 331ms), "0"); });
  EXPECT_NE(other, main);
  EXPECT_NE(other, std::thread::id());
}

TEST(ThreadAt, SeesTheTimeAtWhichItRuns) {
  Scenario scenario;
  Time seen{};
  scenario.thread_at(331ms, [&] { seen = steady_time(); });
  scenario.run([&] { EXPECT_EQ(selected({}, 1s), "0"); });
  EXPECT_EQ(seen, 331ms);
  EXPECT_EQ(scenario.took(), 1s);
}

TEST(ThreadAt, MayComeOftenAndWithDifferentNames) {
  Scenario scenario;
  int to = -1;
  for (const Time time : {31ms, 731ms})
    scenario.thread_at(
        time, [&] { (void)!::write(to, "a", 1); }, "alpha");
  scenario.thread_at(
      331ms, [&] { (void)!::write(to, "b", 1); }, "beta");
  std::string came;
  scenario.run([&] {
    const Pipe pipe;
    to = pipe.ends[1];
    for (char byte = 0; came.size() < 3; came += byte) EXPECT_EQ(::read(pipe.ends[0], &byte, 1), 1);
    EXPECT_EQ(steady_time(), 731ms);
  });
  EXPECT_EQ(came, "aba");
}

TEST(ThreadAt, ComesWhenTheProgramMakesACallWithoutWaiting) {
  Scenario scenario;
  std::atomic<bool> is_told = false;
  scenario.thread_at(1s, [&] { is_told = true; });
  scenario.run([&] {
    EXPECT_EQ(selected({}, 999ms), "0");
    EXPECT_FALSE(is_told);
    ::usleep(1000);
    (void)steady_time();
    EXPECT_TRUE(is_told);
  });
}

TEST(ThreadAt, ComesAfterTheOtherSideInTheSameInstant) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  std::string got;
  scenario.thread_at(331ms, [&] { got = received(fd, 10, MSG_DONTWAIT); });
  alice.at(331ms).sends("x");
  scenario.run([&] { EXPECT_EQ(selected({}, 1s), "0"); });
  EXPECT_EQ(got, "x");
}

TEST(ThreadAt, MayOpenSendAndClose) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.receives("hello").sends("you");
  scenario.thread_at(331ms, [&] {
    EXPECT_EQ(sent(fd, "hello"), "5");
    const int own = new_socket();
    EXPECT_EQ(own, 4);
    ::close(own);
  });
  scenario.run([&] {
    EXPECT_EQ(received(fd), "you");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(ThreadAt, ShowsInTheRecording) {
  Scenario scenario;
  int to = -1;
  scenario.thread_at(
      331ms, [&] { (void)!::write(to, "w", 1); }, "worker");
  scenario.run([&] {
    const Pipe pipe;
    to = pipe.ends[1];
    (void)selected({.read = {pipe.ends[0]}});
  });
  const auto writes = scenario.calls("write");
  ASSERT_EQ(writes.size(), 1U);
  EXPECT_EQ(writes[0].by, "worker");
  EXPECT_EQ(writes[0].began, 331ms);
  EXPECT_EQ(scenario.calls("select").front().by, "");
}

TEST(ThreadAt, LeavesItsDeedForTheNextRun) {
  Scenario scenario;
  int runs = 0;
  scenario.thread_at(0s, [&] { ++runs; });
  scenario.thread_at(2s, [&] { ++runs; });
  scenario.run([&] {});
  EXPECT_EQ(runs, 0);
  scenario.run([&] { EXPECT_EQ(selected({}, 1s), "0"); });
  EXPECT_EQ(runs, 1);
  scenario.finish();
  EXPECT_EQ(runs, 1);  // nobody is there to whom it could matter
}

TEST(ThreadAt, LeavesSignalsToTheProgramsOwnThread) {
  Scenario scenario;
  main_thread = pthread_self();
  int to = -1;
  scenario.thread_at(331ms, [&] { (void)!::write(to, "w", 1); });
  scenario.signal_at(331ms, SIGUSR1, Handler::own);
  scenario.run([&] {
    const Pipe pipe;
    to = pipe.ends[1];
    ::signal(SIGUSR1, note_thread);
    EXPECT_EQ(selected({.read = {pipe.ends[0]}}), "1, read {3}");
  });
  EXPECT_EQ(handled_by_main, 1);
}

TEST(ThreadAt, MaySendTheProgramsOwnThreadASignal) {
  Scenario scenario;
  main_thread = pthread_self();
  scenario.thread_at(331ms, [] { ::kill(::getpid(), SIGUSR1); });
  scenario.thread_at(731ms, [] { EXPECT_EQ(::pthread_kill(main_thread, SIGUSR2), 0); });
  scenario.thread_at(1100ms, [] { EXPECT_EQ(::pthread_kill(main_thread, 0), 0); });
  scenario.run([&] {
    ::signal(SIGUSR1, note_thread);
    ::signal(SIGUSR2, note_thread);
    EXPECT_EQ(selected({}, 5s), "-1 EINTR");
    EXPECT_EQ(steady_time(), 331ms);
    EXPECT_EQ(handled_by_main, 1);
    handled_by_main = 0;
    EXPECT_EQ(selected({}, 5s), "-1 EINTR");
    EXPECT_EQ(steady_time(), 731ms);
    EXPECT_EQ(handled_by_main, 1);
    EXPECT_EQ(selected({}, 5s), "0");
  });
}

TEST(ThreadAt, GetsTheSignalThatItRaises) {
  Scenario scenario;
  main_thread = pthread_self();
  scenario.thread_at(331ms, [] { ::raise(SIGUSR1); });
  scenario.run([&] {
    ::signal(SIGUSR1, note_thread);
    EXPECT_EQ(selected({}, 1s), "0");
  });
  EXPECT_EQ(handled_by_main, 2);
}

TEST(ThreadAt, MayLockWhatNobodyHolds) {
  Scenario scenario;
  std::mutex mutex;
  int shared = 0;
  scenario.thread_at(331ms, [&] {
    const std::lock_guard lock(mutex);
    ++shared;
  });
  scenario.run([&] {
    EXPECT_EQ(selected({}, 1s), "0");
    const std::lock_guard lock(mutex);
    ++shared;
  });
  EXPECT_EQ(shared, 2);
}

TEST(ThreadAt, WaitsForALockUntilTheProgramLetsGoOfIt) {
  Scenario scenario;
  std::mutex first, second;
  std::string story;
  int to = -1;
  scenario.thread_at(
      331ms,
      [&] {
        const std::lock_guard lock(first);
        const std::lock_guard another(second);
        story += "worker ";
        EXPECT_EQ(::write(to, "w", 1), 1);
      },
      "worker");
  scenario.thread_at(331ms, [&] {
    const std::lock_guard lock(first);
    story += "third ";
  });
  scenario.run([&] {
    const Pipe pipe;
    to = pipe.ends[1];
    EXPECT_EQ(selected({}, 330ms), "0");
    {
      const std::lock_guard lock(second);
      ::usleep(1000);
      (void)steady_time();
      EXPECT_EQ(selected({.read = {pipe.ends[0]}}, 0s), "0");
      story += "program ";
    }
    EXPECT_EQ(story, "program worker third ");
    EXPECT_EQ(selected({.read = {pipe.ends[0]}}), "1, read {3}");
    EXPECT_EQ(steady_time(), 331ms);
  });
}

TEST(ThreadAt, MayWriteWhereThereIsNoRoomWithoutBlocking) {
  Scenario scenario;
  int to = -1;
  std::string last;
  scenario.thread_at(331ms, [&] {
    const std::string block(65'536, 'x');
    EXPECT_EQ(outcome(::write(to, block.data(), block.size())), "65536");
    for (int i = 0; i < 1000; ++i) last = outcome(::write(to, "w", 1));
  });
  scenario.run([&] {
    const Pipe pipe(O_NONBLOCK);
    to = pipe.ends[1];
    EXPECT_EQ(selected({.read = {pipe.ends[0]}}), "1, read {3}");
    EXPECT_EQ(selected({}, 120ms), "0");  // in real time it is still writing
  });
  EXPECT_EQ(last, "-1 EAGAIN");
}

TEST(ThreadAt, FailsTheCheckWithItsOwnExpectations) {
  Scenario scenario;
  scenario.thread_at(331ms, [] { EXPECT_EQ(outcome(::close(-1)), "-1 EBADF"); });
  scenario.run([&] { EXPECT_EQ(selected({}, 1s), "0"); });
}
