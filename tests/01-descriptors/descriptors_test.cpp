#include "scenario/check.hpp"
LESSON("01-descriptors");
TEST(Nothing, Yet) {}
