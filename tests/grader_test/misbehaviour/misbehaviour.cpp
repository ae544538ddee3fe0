#include "misbehaviour.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <string>

using namespace grader;

LESSON("grader-test");

namespace grader_test {
namespace {

// GRADER_TEST_SKIP holds the names of those that judge.py must not let run in this build.
bool is_skipped(const testing::TestInfo& check) {
  const char* names = std::getenv("GRADER_TEST_SKIP");
  std::istringstream words(names == nullptr ? "" : names);
  for (std::string word; words >> word;)
    if (word == std::string(check.test_suite_name()) + "." + check.name()) return true;
  return false;
}

}  // namespace

void misbehave(void (*program)(const World&)) {
  if (is_skipped(*testing::UnitTest::GetInstance()->current_test_info())) GTEST_SKIP();
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const World world{scenario, alice, alice.connected()};

  scenario.run([&] { program(world); });
}

void be_ordinary() {
  Scenario scenario;
  Peer& bob = scenario.peer("bob");
  const int fd = bob.connected_and_handed_over();
  bob.at(1700ms).sends("ping").receives("pong").sees_the_end();
  std::string got(4, '\0');

  scenario.run([&] {
    got.resize(static_cast<std::size_t>(::recv(fd, got.data(), got.size(), 0)));
    (void)!::write(fd, "pong", 4);
    ::close(fd);
  });

  expect_equal(fd, 3, "the first descriptor is not 3: something is left of an earlier check");
  expect_equal(got, "ping", "the ordinary check did not get its bytes");
  expect_equal(scenario.took(), 1700ms, "the ordinary check took another time");
}

#if defined(__x86_64__)
long raw_system_call(long number, long a, long b, long c, long d) {
  long result = 0;
  register long fourth asm("r10") = d;
  register long fifth asm("r8") = 0;
  register long sixth asm("r9") = 0;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
long raw_system_call(long number, long a, long b, long c, long d) {
  register long call asm("x8") = number;
  register long first asm("x0") = a;
  register long second asm("x1") = b;
  register long third asm("x2") = c;
  register long fourth asm("x3") = d;
  register long fifth asm("x4") = 0;
  register long sixth asm("x5") = 0;
  asm volatile("svc 0"
               : "+r"(first)
               : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
               : "memory");
  return first;
}
#endif

}  // namespace grader_test
