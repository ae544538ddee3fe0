// The graded checks of lesson 15.
#include "15-echo-server/echo_server.hpp"

#include <string>

#include "scenario/check.hpp"
#include "serving.hpp"

using namespace grader;

LESSON("15-echo-server");

// Rule: select tells of whoever is ready; nobody has to leave before another is served.
TEST(EchoServer, ServesManyAtOnce) {
  explain({.rule = "Wait for the listener and all clients in one call, and serve whoever is ready.",
           .why = "Who waits in a call for one client keeps all others waiting.",
           .read = "Your task"});
  Serving<course::EchoServer> s;
  s.start();
  Peer& alice = s.peer("alice").at(31ms).connects().at(700ms).sends("hello");
  Peer& bob = s.peer("bob").at(53ms).connects().sends("anybody?");

  s.serve_until(1900ms);

  expect_that(bob.received_at(7) == Time(53ms), "bob was not answered while alice was silent.") &&
      expect_that(alice.received() == "hello", "alice was not answered.");
}
