#include "scenario/check.hpp"
LESSON("02-connect");
TEST(Nothing, Yet) {}
