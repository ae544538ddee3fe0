// Lesson 13: replace each call of not_started() with your own code. README.md tells the story,
// connect_in_time.hpp is the contract.
#include "13-connect-in-time/connect_in_time.hpp"

#include "given/not_started.hpp"

course::Fd course::connect_until(std::span<const Endpoint>, Deadline) {
  not_started("connect_until");
}

course::Fd course::connect_race(std::span<const Endpoint>, std::chrono::milliseconds, Deadline) {
  not_started("connect_race");
}
