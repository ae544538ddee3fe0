// The graded checks of lesson 07-will-it-block.
#include "07-will-it-block/will_it_block.hpp"

#include "scenario/check.hpp"

using namespace grader;

LESSON("07-will-it-block");
