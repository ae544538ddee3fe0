// Lesson 10: replace each call of not_started() with your own code. README.md tells the story,
// two_sources.hpp is the contract.
#include "10-two-sources/two_sources.hpp"

#include "given/not_started.hpp"

int course::netcat(int, int, int) { not_started("netcat"); }
