// The graded checks of lesson 08-three-lists.
#include "08-three-lists/three_lists.hpp"

#include "scenario/check.hpp"

using namespace grader;

LESSON("08-three-lists");
