/// @file
/// How much memory the program asks for.
#pragma once

#include <cstddef>

namespace grader {

/// What the program has asked of operator new since the last reset_allocations().
struct Allocations {
  std::size_t largest_bytes = 0;  ///< the largest single request
  std::size_t total_bytes = 0;    ///< all requests together, freed or not
  std::size_t count = 0;
  std::size_t peak_bytes = 0;  ///< the most that was in use at one time, beyond what was before
};

/// The counts so far. Only requests made inside the program (caller_filter.hpp) count.
Allocations allocations();

/// Begins to count anew.
void reset_allocations();

}  // namespace grader
