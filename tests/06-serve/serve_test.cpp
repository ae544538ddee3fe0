#include "scenario/check.hpp"
LESSON("06-serve");
TEST(Nothing, Yet) {}
