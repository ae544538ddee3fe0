// The graded checks of lesson 10-two-sources.
#include "10-two-sources/two_sources.hpp"

#include "scenario/check.hpp"

using namespace grader;

LESSON("10-two-sources");
