#include "scenario/check.hpp"
LESSON("04-messages");
TEST(Nothing, Yet) {}
