// not_started() for the programs you run by hand. The grader brings its own.
#include "given/not_started.hpp"

#include <cstdio>
#include <cstdlib>

void course::not_started(const char* function) noexcept {
  std::fprintf(stderr, "%s is not written yet. Nothing is wrong: its lesson is still to do.\n",
               function);
  std::_Exit(77);
}
