#include "03-send-and-receive/send_and_receive.hpp"

#include "scenario/check.hpp"
#include <thread>
#include <csignal>
#include <unistd.h>

using namespace grader;

LESSON("03-send-and-receive");

TEST(SendAll, OffersTheRestAfterAShortSend) {
  explain({.rule = "send may take fewer bytes than it is offered; offer it the rest.",
           .why = "Without the rest the peer waits for ever for the end of the message.",
           .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.faults().send_takes_at_most(5);

  scenario.run([&] { course::send_all(fd, course::as_bytes("hello, world")); });

  expect_equal(alice.received(), "hello, world", "send took only part of the bytes; the others were never sent.");
}

TEST(RecvExact, WaitsForTheRest) {
  explain({.rule = "x", .why = "y", .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("hel").at(2s).sends("lo, wor").at(3s).sends("ld");
  std::array<std::byte, 12> buffer{};

  const auto result = scenario.run([&] { return course::recv_exact(fd, buffer); });

  expect_equal(course::as_text(buffer), "hello, world", "all");
  expect_equal(result.bytes, 12u, "count");
  expect_equal(scenario.took(), 3s, "time");
}

TEST(Zz, Signals) {
  explain({.rule = "x", .why = "y", .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.signal_at(500ms, SIGUSR1);
  scenario.signal_at(700ms, SIGUSR2, Handler::restarting);
  alice.at(1s).sends("hel").at(2s).resets();
  std::array<std::byte, 12> buffer{};
  const auto result = scenario.run([&] { return course::recv_exact(fd, buffer); });
  expect_equal(result.bytes, 12u, "count");
  expect_equal(scenario.handler_runs(), 3, "runs");
}
TEST(Zz, Blocked) {
  explain({.rule = "x", .why = "y", .read = "The rule"});
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).stops_reading();
  scenario.run([&] { course::send_all(fd, course::as_bytes(std::string(200000, 'x'))); course::send_all(fd, course::as_bytes(std::string(200000, 'x')));  std::this_thread::sleep_for(2s);course::send_all(fd, course::as_bytes(std::string(200000, 'x')));  });
}
TEST(Zz, Crash) { Scenario s; s.peer("bob").connected(); s.run([]{ *reinterpret_cast<volatile int*>(8) = 1; }); }
TEST(Zz, Loop) { Scenario s; s.run([]{ for (volatile int i = 0;; i = i + 1) {} }); }
TEST(Zz, Exit) { Scenario s; s.run([]{ exit(0); }); }
TEST(Zz, Throw) { Scenario s; s.run([]{ throw std::runtime_error("oops"); }); }
TEST(Zz, Double) { Scenario s; s.run([]{ int p[2]; pipe(p); close(p[0]); close(p[0]); }); }
TEST(Zz, Leak) { Scenario s; s.run([]{ int p[2]; pipe(p); close(p[0]); }); }
TEST(Zz, Pipe) { Scenario s; Peer& b = s.peer("bob"); int fd = b.connected(); b.at(1s).closes(); s.run([&]{ sleep(2); write(fd, "a", 1); write(fd, "b", 1); }); }
