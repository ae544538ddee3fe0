// The graded checks of lesson 18.
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"

#include "../15-echo-server/serving.hpp"
#include "scenario/check.hpp"

using namespace grader;

LESSON("18-overload-and-shutdown");

TEST(GuardedChatServer, SaysNoWhenItIsFull) {
  explain({.rule = "Who cannot be served is told.", .why = "Silence is no.", .read = "Your task"});
  Serving<course::GuardedChatServer> s;
  s.start(course::Limits{.clients_max = 1});
  s.peer("alice").at(31ms).connects();
  Peer& bob = s.peer("bob").at(53ms).connects();

  s.serve_until(1900ms);

  expect_equal(bob.received(), "! full: try again later\n", "bob heard this.");
}
