// The graded checks of lesson 16.
#include "16-chat-server/chat_server.hpp"

#include "../15-echo-server/serving.hpp"
#include "scenario/check.hpp"

using namespace grader;

LESSON("16-chat-server");

TEST(ChatServer, PassesLinesOn) {
  explain({.rule = "What one says, all others hear.", .why = "It is a chat.", .read = "Your task"});
  Serving<course::ChatServer> s;
  s.start();
  Peer& alice = s.peer("alice").at(31ms).connects().sends("alice\n").at(700ms).sends("hello\n");
  Peer& bob = s.peer("bob").at(53ms).connects().sends("bob\n");

  s.serve_until(1900ms);

  expect_equal(bob.received(), "* your name?\n* here: alice\nalice: hello\n", "bob heard this.");
  expect_equal(alice.received(), "* your name?\n* here: nobody else\n* bob joined\n",
               "alice heard.");
}
