#include "libc/real_libc.hpp"

#include <dlfcn.h>

// A statically linked sanitizer runtime (clang's) keeps its own wrapper under this name; calling
// the wrapper instead of libc keeps its checks, for example that of a buffer handed to recv.
#define X(result, name, parameters, arguments) \
  extern "C" result __interceptor_##name parameters __attribute__((weak));
#include "libc/libc_functions.def"
#undef X

namespace grader {
namespace {

template <class Function>
void find(Function*& function, const char* name) {
  function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

Real load() {
  Real r{};
#define X(result, name, parameters, arguments) \
  if (&__interceptor_##name)                   \
    r.name = &__interceptor_##name;            \
  else                                         \
    find(r.name, #name);
#include "libc/libc_functions.def"
#undef X
  find(r.fcntl, "fcntl");
  find(r.open, "open");
  find(r.openat, "openat");
  find(r.pthread_mutex_trylock, "pthread_mutex_trylock");
  find(r.ioctl, "ioctl");
  find(r.syscall, "syscall");
  find(r.exit, "exit");
  find(r.exit_now, "_exit");
  return r;
}

}  // namespace

const Real& real() {
  static const Real functions = load();
  return functions;
}

}  // namespace grader
