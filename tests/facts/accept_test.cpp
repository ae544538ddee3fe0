/// @file
/// Facts about accept(2) and the connections that wait for it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "blocking.hpp"
#include "loopback.hpp"

namespace facts {
namespace {

Result accept_raw(int listener) { return result_of(::accept(listener, nullptr, nullptr)); }

Fd accept_from(int listener) { return Fd(::accept(listener, nullptr, nullptr)); }

/// While it lives, this process can open no further descriptor.
class NoMoreDescriptors {
 public:
  NoMoreDescriptors() {
    EXPECT_EQ(::getrlimit(RLIMIT_NOFILE, &before_), 0);
    const auto lowest_free = static_cast<rlim_t>(tcp_socket().get());
    const rlimit none{.rlim_cur = lowest_free, .rlim_max = before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~NoMoreDescriptors() { (void)::setrlimit(RLIMIT_NOFILE, &before_); }
  NoMoreDescriptors(const NoMoreDescriptors&) = delete;
  NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;

 private:
  rlimit before_{};
};

// Fact: a client is connected, and can send, before the server accepts it (listen(2)).
TEST(Accept, ClientIsConnectedBeforeItIsAccepted) {
  const Fd listener = listening_socket();

  const Fd client = connected_to(listener.get());

  EXPECT_EQ(tcp_state(client.get()), TCP_ESTABLISHED);
  EXPECT_EQ(send(client.get(), "early"), returns(5));
  EXPECT_EQ(receive_now(client.get()), fails_with(EAGAIN));  // connected, but unanswered
}

// Fact: accept(2) takes the connections in the order in which they came.
TEST(Accept, TakesTheOldestFirst) {
  const Fd listener = listening_socket();
  const Fd first = connected_to(listener.get());
  ASSERT_TRUE(has_pending(listener.get(), 1));
  const Fd second = connected_to(listener.get());
  ASSERT_EQ(send(first.get(), "first"), returns(5));
  ASSERT_EQ(send(second.get(), "second"), returns(6));

  const Fd accepted = accept_from(listener.get());

  EXPECT_EQ(receive(accepted.get()), delivers("first"));
}

// Fact: with nothing pending, accept(2) blocks until a client connects.
TEST(Accept, BlocksUntilAClientConnects) {
  const Fd listener = listening_socket();
  BlockedCall accept([&] { return ::accept(listener.get(), nullptr, nullptr); });
  ASSERT_TRUE(accept.is_asleep());

  const Fd client = connected_to(listener.get());

  const Fd accepted(static_cast<int>(accept.result().value));
  EXPECT_GE(accepted.get(), 0);
}

// Fact: accept(2) on a socket that does not listen says EINVAL.
TEST(Accept, SaysEinvalWithoutListen) {
  const Fd fd = refusing_socket();

  EXPECT_EQ(accept_raw(fd.get()), fails_with(EINVAL));
}

// Fact 20: after a reset before accept the listener stays readable, accept succeeds, recv fails.
TEST(Accept, ConnectionResetBeforeAcceptIsStillAccepted) {
  const Fd listener = listening_socket();
  Fd client = connected_to(listener.get());
  ASSERT_TRUE(has_pending(listener.get(), 1));

  reset_connection(client);

  EXPECT_EQ(readiness(listener.get()), "readable");
  const Fd accepted = accept_from(listener.get());
  ASSERT_GE(accepted.get(), 0);
  EXPECT_EQ(receive(accepted.get()), fails_with(ECONNRESET));
}

// Fact 50: accepted sockets do not inherit O_NONBLOCK on Linux (accept(2)); on BSD they do.
TEST(Accept, DoesNotHandOnNonBlockingMode) {
  const Fd listener = listening_socket();
  ASSERT_EQ(::fcntl(listener.get(), F_SETFL, O_NONBLOCK), 0);
  const Fd client = connected_to(listener.get());
  ASSERT_TRUE(becomes(listener.get(), "readable"));

  const Fd accepted = accept_from(listener.get());

  EXPECT_EQ(::fcntl(accepted.get(), F_GETFL) & O_NONBLOCK, 0);
}

// Fact 51: EMFILE takes nothing from the queue: the listener stays readable (accept(2)).
TEST(Accept, EmfileLeavesTheListenerReadable) {
  const Fd listener = listening_socket();
  const Fd client = connected_to(listener.get());
  ASSERT_TRUE(becomes(listener.get(), "readable"));

  {
    const NoMoreDescriptors none;
    EXPECT_EQ(accept_raw(listener.get()), fails_with(EMFILE));
    EXPECT_EQ(readiness(listener.get()), "readable");
  }

  EXPECT_GE(accept_from(listener.get()).get(), 0);
}

// Fact 51: Linux says EMFILE even when nobody is waiting.
TEST(Accept, EmfileComesBeforeTheQueueIsLookedAt) {
  const Fd listener = listening_socket();
  ASSERT_EQ(::fcntl(listener.get(), F_SETFL, O_NONBLOCK), 0);

  const NoMoreDescriptors none;

  EXPECT_EQ(accept_raw(listener.get()), fails_with(EMFILE));
}

// Fact 52: after a competitor accepted, a non-blocking accept says EAGAIN (accept(2)).
TEST(Accept, SaysEagainAfterACompetitorAccepted) {
  const Fd listener = listening_socket();
  ASSERT_EQ(::fcntl(listener.get(), F_SETFL, O_NONBLOCK), 0);
  const Fd client = connected_to(listener.get());
  ASSERT_TRUE(becomes(listener.get(), "readable"));

  const Fd competitor = accept_from(listener.get());

  ASSERT_GE(competitor.get(), 0);
  EXPECT_EQ(accept_raw(listener.get()), fails_with(EAGAIN));
}

// Fact 52: after a competitor accepted, a blocking accept waits for the next client.
TEST(Accept, BlocksAfterACompetitorAccepted) {
  const Fd listener = listening_socket();
  const Fd client = connected_to(listener.get());
  ASSERT_TRUE(becomes(listener.get(), "readable"));
  const Fd competitor = accept_from(listener.get());

  BlockedCall accept([&] { return ::accept(listener.get(), nullptr, nullptr); });

  EXPECT_TRUE(accept.is_asleep());
  const Fd next_client = connected_to(listener.get());
  EXPECT_GE(Fd(static_cast<int>(accept.result().value)).get(), 0);
}

}  // namespace
}  // namespace facts
