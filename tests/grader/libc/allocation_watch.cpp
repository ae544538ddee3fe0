#include "libc/allocation_watch.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

#include "libc/caller_filter.hpp"
#include "libc/handler_watch.hpp"
#include "libc/program_calls.hpp"

namespace grader {
namespace {

constinit thread_local Allocations counts;
constinit thread_local std::ptrdiff_t bytes_in_use = 0;

void* allocate(std::size_t size, const void* caller) noexcept {
  refuse_in_handler("operator new", Unsafe::memory, caller);
  if (const auto calls = calls_of(caller, CallMoments::allocation))
    calls.simulation().do_moment(CallMoments::When::before, CallMoments::allocation);
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (inside_program > 0 && memory != nullptr) {
    counts.largest_bytes = std::max(counts.largest_bytes, size);
    counts.total_bytes += size;
    ++counts.count;
    bytes_in_use += static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
    counts.peak_bytes = std::max(
        counts.peak_bytes, static_cast<std::size_t>(std::max<std::ptrdiff_t>(0, bytes_in_use)));
  }
  return memory;
}

void release(void* memory, const void* caller) noexcept {
  if (memory != nullptr) refuse_in_handler("operator delete", Unsafe::memory, caller);
  if (inside_program > 0) bytes_in_use -= static_cast<std::ptrdiff_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

Allocations allocations() { return counts; }

void reset_allocations() {
  counts = {};
  bytes_in_use = 0;
}

}  // namespace grader

// The replaceable allocation functions; those for arrays call these.
REPLACEMENT void* operator new(std::size_t size) {
  if (void* memory = grader::allocate(size, __builtin_return_address(0))) return memory;
  throw std::bad_alloc();
}
REPLACEMENT void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return grader::allocate(size, __builtin_return_address(0));
}
REPLACEMENT void operator delete(void* memory) noexcept {
  grader::release(memory, __builtin_return_address(0));
}
REPLACEMENT void operator delete(void* memory, std::size_t) noexcept {
  grader::release(memory, __builtin_return_address(0));
}
REPLACEMENT void operator delete(void* memory, const std::nothrow_t&) noexcept {
  grader::release(memory, __builtin_return_address(0));
}
