// How a conversation ends. The facts are those of tests/facts/endings_test.cpp and resets_test.cpp.
#include <sys/socket.h>
#include <unistd.h>

#include "calls.hpp"

using namespace grader_test;

namespace {

void linger_for_no_time(int fd) {
  const linger option{1, 0};
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_LINGER, &option, sizeof option), 0);
}

}  // namespace

TEST(End, ComesAfterTheDataAndStays) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("last words").closes();
  scenario.run([&] {
    EXPECT_EQ(received(fd), "last words");
    EXPECT_EQ(received(fd), "");
    EXPECT_EQ(received(fd), "");
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
  });
}

TEST(End, OfThePeerLetsTheFirstSendThrough) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.closes();
  scenario.run([&] {
    EXPECT_EQ(received(fd), "");
    EXPECT_EQ(sent(fd, "x"), "1");
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
    EXPECT_EQ(received(fd), "");
  });
}

TEST(HalfClose, StillReceivesTheReply) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sees_the_end().after(1s).sends("answer");
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "question"), "8");
    EXPECT_EQ(::shutdown(fd, SHUT_WR), 0);
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
    EXPECT_EQ(received(fd), "answer");
    EXPECT_EQ(steady_time(), 1s);
  });
  EXPECT_EQ(alice.received(), "question");
}

TEST(HalfClose, OfThePeerStillTakesTheReply) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("question").finishes_sending().receives("answer");
  scenario.run([&] {
    EXPECT_EQ(received(fd), "question");
    EXPECT_EQ(received(fd), "");
    EXPECT_EQ(sent(fd, "answer"), "6");
    EXPECT_EQ(selected({.write = {fd}}), "1, write {3}");
  });
}

TEST(HalfClose, IsNotSeenBeforeTheWindowHasRoom) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.window(1000).stops_reading().at(2s).resumes_reading();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, std::string(1000, 'x')), "1000");
    ::close(fd);
    ::sleep(1);
    EXPECT_FALSE(alice.saw_the_end());
    ::sleep(2);
    EXPECT_TRUE(alice.saw_the_end());
  });
  EXPECT_EQ(alice.end_at(), 2s);
}

TEST(ShutRd, ReadsAsTheEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("late");
  scenario.run([&] {
    EXPECT_EQ(::shutdown(fd, SHUT_RD), 0);
    EXPECT_EQ(received(fd), "");
    ::sleep(2);
    EXPECT_EQ(received(fd), "late");
  });
}

TEST(Shutdown, OfWhatIsNotConnectedSaysEnotconn) {
  Scenario scenario;
  scenario.run([] {
    const int fd = new_socket();
    EXPECT_EQ(outcome(::shutdown(fd, SHUT_WR)), "-1 ENOTCONN");
    EXPECT_EQ(received(fd), "-1 ENOTCONN");
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
    ::close(fd);
  });
}

TEST(Reset, IsToldOnceAndThenLooksLikeAnEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).resets();
  scenario.run([&] {
    EXPECT_EQ(received(fd), "-1 ECONNRESET");
    EXPECT_EQ(steady_time(), 1s);
    EXPECT_EQ(received(fd), "");
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
    EXPECT_EQ(outcome(::shutdown(fd, SHUT_WR)), "-1 ENOTCONN");
  });
}

TEST(Reset, IsToldToASendFirst) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).resets();
  scenario.run([&] {
    ::sleep(2);
    EXPECT_EQ(sent(fd, "x"), "-1 ECONNRESET");
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
  });
}

TEST(Reset, IsTakenByReadingThePendingError) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).resets();
  scenario.run([&] {
    ::sleep(2);
    EXPECT_EQ(pending_error(fd), "ECONNRESET");
    EXPECT_EQ(pending_error(fd), "0");
    EXPECT_EQ(received(fd), "");
  });
}

TEST(Reset, ComesAfterTheBytesBeforeIt) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.stops_reading().at(1s).sends("reply").closes();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "unread"), "6");
    ::sleep(2);
    EXPECT_EQ(received(fd), "reply");
    EXPECT_EQ(received(fd), "-1 ECONNRESET");
  });
}

TEST(Reset, EndsASendThatWaits) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.window(1000).stops_reading().at(1500ms).resets();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, std::string(3000, 'x')), "1000");
    EXPECT_EQ(steady_time(), 1500ms);
    EXPECT_EQ(sent(fd, "x"), "-1 ECONNRESET");
  });
}

TEST(Close, SendsTheEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  scenario.run([&] {
    EXPECT_EQ(sent(fd, "x"), "1");
    ::sleep(1);
    ::close(fd);
  });
  EXPECT_EQ(alice.end_at(), 1s);
  EXPECT_FALSE(alice.saw_a_reset());
}

TEST(Close, WithUnreadInputResets) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends("unread");
  scenario.run([&] {
    ::sleep(1);
    ::close(fd);
  });
  EXPECT_EQ(alice.reset_at(), 1s);
  EXPECT_FALSE(alice.saw_the_end());
}

TEST(Close, WithUnreadInputResetsAfterAHalfClose) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sees_the_end().sends("unread");
  scenario.run([&] {
    ::shutdown(fd, SHUT_WR);
    ::sleep(1);
    ::close(fd);
  });
  EXPECT_EQ(alice.end_at(), 0s);
  EXPECT_EQ(alice.reset_at(), 1s);
}

// The send takes the error that tells of the reset. What alice reads then is 0, and no orderly end.
TEST(Close, WithUnreadDataIsAResetToAPeerThatSendsFirst) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.stops_reading().sends("unread").at(1s).sends("in vain").resumes_reading().sees_the_end();
  scenario.run([&] {
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    ::close(fd);
    ::sleep(2);
  });
  scenario.finish();
  EXPECT_TRUE(alice.saw_a_reset());
  EXPECT_FALSE(alice.saw_the_end());
}

TEST(Close, IsNoResetToAPeerThatSendsAfterItsOwnEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.finishes_sending().sends("too late").sees_the_end();
  scenario.run([&] {
    EXPECT_EQ(received(fd), "");
    ::sleep(1);
    ::close(fd);
  });
  scenario.finish();
  EXPECT_FALSE(alice.saw_a_reset());
  EXPECT_TRUE(alice.saw_the_end());
}

TEST(Close, WithALingerOfZeroResets) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  scenario.run([&] {
    linger_for_no_time(fd);
    ::close(fd);
  });
  EXPECT_TRUE(alice.saw_a_reset());
  EXPECT_FALSE(alice.saw_the_end());
}

TEST(Close, WithALingerOfZeroResetsAfterAHalfClose) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  scenario.run([&] {
    linger_for_no_time(fd);
    ::shutdown(fd, SHUT_WR);
    ::sleep(1);
    ::close(fd);
  });
  EXPECT_EQ(alice.end_at(), 0s);
  EXPECT_EQ(alice.reset_at(), 1s);
}

TEST(Close, IsFollowedByAResetWhenThePeerSendsOn) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.at(2s).sends("anybody there?");
  scenario.run([&] {
    ::close(fd);
    ::sleep(3);
  });
  EXPECT_EQ(alice.end_at(), 0s);
  EXPECT_EQ(alice.reset_at(), 2s);
}

TEST(Close, AfterBothHaveFinishedIsQuiet) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  alice.sends("unread").finishes_sending();
  scenario.run([&] {
    ::sleep(1);
    ::shutdown(fd, SHUT_WR);
    ::sleep(1);
    ::close(fd);
  });
  EXPECT_EQ(alice.end_at(), 1s);
}

TEST(Close, OfOneDuplicateSendsNoEnd) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected_and_handed_over();
  scenario.run([&] {
    const int copy = ::dup(fd);
    ::close(fd);
    ::sleep(1);
    EXPECT_FALSE(alice.saw_the_end());
    EXPECT_EQ(sent(copy, "still here"), "10");
    ::close(copy);
  });
  EXPECT_EQ(alice.end_at(), 1s);
}

TEST(Shutdown, OfOneDuplicateEndsTheStreamForAll) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  scenario.run([&] {
    const int copy = ::dup(fd);
    EXPECT_EQ(::shutdown(copy, SHUT_WR), 0);
    EXPECT_EQ(sent(fd, "x"), "-1 EPIPE");
    ::close(copy);
  });
  EXPECT_TRUE(alice.saw_the_end());
}

TEST(Close, StormsAreSeenByEverybody) {
  Scenario scenario;
  std::vector<Peer*> peers;
  for (int i = 0; i < 40; ++i) {
    peers.push_back(&scenario.peer("peer " + std::to_string(i)));
    peers.back()->at(1s).connects().sends(i % 3 == 0 ? "unread" : "");
  }
  scenario.run([&] {
    const int listener = listening_socket(100);
    for (int i = 0; i < 40; ++i) {
      const int fd = ::accept(listener, nullptr, nullptr);
      if (i % 4 == 1) linger_for_no_time(fd);
      ::close(fd);
    }
    ::close(listener);
  });
  for (std::size_t i = 0; i < peers.size(); ++i)
    EXPECT_EQ(peers[i]->saw_a_reset(), i % 3 == 0 || i % 4 == 1) << i;
}
