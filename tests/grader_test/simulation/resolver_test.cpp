// getaddrinfo and freeaddrinfo. The facts are those of tests/facts/resolver_test.cpp.
#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include "calls.hpp"

using namespace grader_test;

namespace {

addrinfo stream_hints(int family = AF_UNSPEC) {
  addrinfo hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  return hints;
}

// "192.0.2.1 2001:db8::1", or the name of the code.
std::string looked_up(const char* host, const addrinfo* hints, const char* service = "80") {
  addrinfo* list = nullptr;
  const int code = ::getaddrinfo(host, service, hints, &list);
  if (code == EAI_NONAME) return "EAI_NONAME";
  if (code == EAI_AGAIN) return "EAI_AGAIN";
  if (code == EAI_SYSTEM) return "EAI_SYSTEM " + outcome(-1);
  if (code != 0) return ::gai_strerror(code);
  std::string text;
  for (const addrinfo* node = list; node != nullptr; node = node->ai_next) {
    char name[100] = "";
    EXPECT_EQ(::getnameinfo(node->ai_addr, node->ai_addrlen, name, sizeof name, nullptr, 0,
                            NI_NUMERICHOST),
              0);
    text += (text.empty() ? "" : " ") + std::string(name);
  }
  ::freeaddrinfo(list);
  return text;
}

}  // namespace

TEST(Resolver, KeepsTheOrderOfTheScript) {
  Scenario scenario;
  scenario.names().name_has("host.example", {"2001:db8::7", "192.0.2.7", "2001:db8::1"});
  scenario.run([] {
    const addrinfo hints = stream_hints();
    EXPECT_EQ(looked_up("host.example", &hints), "2001:db8::7 192.0.2.7 2001:db8::1");
  });
}

TEST(Resolver, GivesOnlyTheFamilyThatTheHintsAskFor) {
  Scenario scenario;
  scenario.names().name_has("host.example", {"2001:db8::7", "192.0.2.7"});
  scenario.names().name_has("old.example", {"192.0.2.7"});
  scenario.run([] {
    const addrinfo v4 = stream_hints(AF_INET);
    const addrinfo v6 = stream_hints(AF_INET6);
    EXPECT_EQ(looked_up("host.example", &v4), "192.0.2.7");
    EXPECT_EQ(looked_up("host.example", &v6), "2001:db8::7");
    EXPECT_NE(looked_up("old.example", &v6), "192.0.2.7");
  });
}

TEST(Resolver, ListsEachAddressThreeTimesWithoutASocketType) {
  Scenario scenario;
  scenario.names().name_has("host.example", {"192.0.2.7"});
  scenario.run(
      [] { EXPECT_EQ(looked_up("host.example", nullptr), "192.0.2.7 192.0.2.7 192.0.2.7"); });
}

TEST(Resolver, FailsWithACodeThatIsNoErrno) {
  Scenario scenario;
  scenario.names().name_fails("busy.example", EAI_AGAIN, ENOENT);
  scenario.names().name_fails("broken.example", EAI_SYSTEM, EMFILE);
  scenario.run([] {
    const addrinfo hints = stream_hints();
    EXPECT_EQ(looked_up("unknown.example", &hints), "EAI_NONAME");
    errno = 4711;
    EXPECT_EQ(looked_up("busy.example", &hints), "EAI_AGAIN");
    EXPECT_EQ(errno, ENOENT);
    EXPECT_EQ(looked_up("broken.example", &hints), "EAI_SYSTEM -1 EMFILE");
  });
}

TEST(Resolver, NeedsNoScriptForNumbers) {
  Scenario scenario;
  scenario.run([] {
    const addrinfo hints = stream_hints();
    EXPECT_EQ(looked_up("192.0.2.1", &hints), "192.0.2.1");
    EXPECT_EQ(looked_up("::1", &hints), "::1");
    addrinfo passive = stream_hints(AF_INET);
    passive.ai_flags = AI_PASSIVE;
    EXPECT_EQ(looked_up(nullptr, &passive), "0.0.0.0");
  });
}

TEST(Resolver, TakesItsTime) {
  Scenario scenario;
  scenario.names().name_has("slow.example", {"192.0.2.7"}, 1337ms);
  scenario.run([] {
    const addrinfo hints = stream_hints();
    EXPECT_EQ(looked_up("slow.example", &hints), "192.0.2.7");
  });
  EXPECT_EQ(scenario.took(), 1337ms);
}
