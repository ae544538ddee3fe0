/// @file
/// Facts about getaddrinfo(3), with numeric addresses only: no name server is asked.

#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>

#include <memory>
#include <vector>

namespace facts {
namespace {

using Addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

/// Looks `host` up, numerically; `rc` is what getaddrinfo returned.
Addresses look_up(const char* host, int socktype, int& rc) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = socktype;
  addrinfo* list = nullptr;
  rc = ::getaddrinfo(host, "80", &hints, &list);
  return {rc == 0 ? list : nullptr, ::freeaddrinfo};
}

std::vector<int> socket_types(const Addresses& addresses) {
  std::vector<int> types;
  for (const addrinfo* a = addresses.get(); a != nullptr; a = a->ai_next) {
    types.push_back(a->ai_socktype);
  }
  return types;
}

// Fact 48: without ai_socktype each address comes three times (getaddrinfo(3)).
TEST(Resolver, ListsEachAddressThreeTimesWithoutASocketType) {
  int rc = -1;

  const Addresses addresses = look_up("127.0.0.1", 0, rc);

  EXPECT_EQ(rc, 0);
  EXPECT_EQ(socket_types(addresses), (std::vector<int>{SOCK_STREAM, SOCK_DGRAM, SOCK_RAW}));
}

// Fact 48: with SOCK_STREAM it comes once.
TEST(Resolver, ListsEachAddressOnceForStreams) {
  int rc = -1;

  const Addresses addresses = look_up("127.0.0.1", SOCK_STREAM, rc);

  EXPECT_EQ(rc, 0);
  EXPECT_EQ(socket_types(addresses), (std::vector<int>{SOCK_STREAM}));
}

// Fact 48: its errors are EAI codes, negative on Linux and no errno values (getaddrinfo(3)).
TEST(Resolver, FailsWithEaiCodes) {
  int rc = 0;

  const Addresses addresses = look_up("not a number", SOCK_STREAM, rc);

  EXPECT_EQ(rc, EAI_NONAME);
  EXPECT_LT(rc, 0);
  EXPECT_STREQ(::gai_strerror(rc), "Name or service not known");
}

}  // namespace
}  // namespace facts
