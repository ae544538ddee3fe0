// malloc and its like, which a signal handler must not call. Outside handlers they are the C
// library's own.
//
// Sanitizers bring a heap of their own: there, they tell of every allocation.
#include "libc/handler_watch.hpp"
#include "libc/program_calls.hpp"

using grader::refuse_in_handler;
using grader::Unsafe;

#ifdef GRADER_SANITIZED

EXPORT void __sanitizer_malloc_hook(const volatile void*, size_t) {
  const auto anybody_inside = reinterpret_cast<const void*>(&__sanitizer_malloc_hook);
  refuse_in_handler("malloc", Unsafe::memory, anybody_inside);
}
EXPORT void __sanitizer_free_hook(const volatile void* memory) {
  const auto anybody_inside = reinterpret_cast<const void*>(&__sanitizer_free_hook);
  if (memory != nullptr) refuse_in_handler("free", Unsafe::memory, anybody_inside);
}

#else

extern "C" void* __libc_malloc(size_t size);
extern "C" void* __libc_calloc(size_t count, size_t size);
extern "C" void* __libc_realloc(void* memory, size_t size);
extern "C" void __libc_free(void* memory);

EXPORT void* malloc(size_t size) noexcept {
  refuse_in_handler("malloc", Unsafe::memory, __builtin_return_address(0));
  return __libc_malloc(size);
}
EXPORT void* calloc(size_t count, size_t size) noexcept {
  refuse_in_handler("calloc", Unsafe::memory, __builtin_return_address(0));
  return __libc_calloc(count, size);
}
EXPORT void* realloc(void* memory, size_t size) noexcept {
  refuse_in_handler("realloc", Unsafe::memory, __builtin_return_address(0));
  return __libc_realloc(memory, size);
}
EXPORT void free(void* memory) noexcept {
  if (memory != nullptr) refuse_in_handler("free", Unsafe::memory, __builtin_return_address(0));
  __libc_free(memory);
}

#endif
