// The graded checks of lesson 09-deadlines.
#include "09-deadlines/deadlines.hpp"

#include "scenario/check.hpp"

using namespace grader;

LESSON("09-deadlines");
