// What a signal handler must not call: functions that are not async-signal-safe (signal-safety(7)),
// of those the ones that handlers do call. Outside handlers they only pass on.
#include <pthread.h>
#include <stdio.h>
#include <syslog.h>
#include <time.h>

#include <cerrno>
#include <cstdarg>

#include "libc/handler_watch.hpp"
#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"

using grader::real;
using grader::refuse_in_handler;
using grader::Unsafe;

#define UNSAFE(result, name, shown, why, parameters, arguments)         \
  EXPORT result name parameters {                                       \
    refuse_in_handler(shown, Unsafe::why, __builtin_return_address(0)); \
    return real().name arguments;                                       \
  }
// `parameters` end in "pattern, ..."; `really` takes `list` instead.
#define UNSAFE_PATTERN(name, shown, parameters, really)                   \
  EXPORT int name parameters {                                            \
    refuse_in_handler(shown, Unsafe::stdio, __builtin_return_address(0)); \
    va_list list;                                                         \
    va_start(list, pattern);                                              \
    const int count = really;                                             \
    va_end(list);                                                         \
    return count;                                                         \
  }

// ---- stdio. libstdc++ writes std::cout and std::cerr by fwrite, putc and fflush.

UNSAFE_PATTERN(printf, "printf", (const char* pattern, ...), real().vfprintf(stdout, pattern, list))
UNSAFE_PATTERN(fprintf, "fprintf", (FILE * stream, const char* pattern, ...),
               real().vfprintf(stream, pattern, list))
UNSAFE_PATTERN(__printf_chk, "printf", (int flag, const char* pattern, ...),
               real().__vfprintf_chk(stdout, flag, pattern, list))
UNSAFE_PATTERN(__fprintf_chk, "fprintf", (FILE * stream, int flag, const char* pattern, ...),
               real().__vfprintf_chk(stream, flag, pattern, list))
UNSAFE(int, vprintf, "vprintf", stdio, (const char* pattern, va_list list), (pattern, list))
UNSAFE(int, vfprintf, "vfprintf", stdio, (FILE * stream, const char* pattern, va_list list),
       (stream, pattern, list))
UNSAFE(int, __vprintf_chk, "vprintf", stdio, (int flag, const char* pattern, va_list list),
       (flag, pattern, list))
UNSAFE(int, __vfprintf_chk, "vfprintf", stdio,
       (FILE * stream, int flag, const char* pattern, va_list list), (stream, flag, pattern, list))
UNSAFE(int, puts, "puts", stdio, (const char* text), (text))
UNSAFE(int, fputs, "fputs", stdio, (const char* text, FILE* stream), (text, stream))
UNSAFE(int, putchar, "putchar", stdio, (int byte), (byte))
UNSAFE(int, putc, "putc (or std::cout)", stdio, (int byte, FILE* stream), (byte, stream))
UNSAFE(int, fputc, "fputc", stdio, (int byte, FILE* stream), (byte, stream))
UNSAFE(size_t, fwrite, "fwrite (or std::cout)", stdio,
       (const void* data, size_t size, size_t count, FILE* stream), (data, size, count, stream))
UNSAFE(int, fflush, "fflush (or std::cout)", stdio, (FILE * stream), (stream))
UNSAFE(void, perror, "perror", stdio, (const char* text), (text))
UNSAFE(FILE*, fopen, "fopen", stdio, (const char* path, const char* mode), (path, mode))
UNSAFE(FILE*, fopen64, "fopen", stdio, (const char* path, const char* mode), (path, mode))
UNSAFE(int, fclose, "fclose", stdio, (FILE * stream), (stream))
EXPORT void syslog(int priority, const char* pattern, ...) {
  refuse_in_handler("syslog", Unsafe::stdio, __builtin_return_address(0));
  va_list list;
  va_start(list, pattern);
  real().vsyslog(priority, pattern, list);
  va_end(list);
}
EXPORT void __syslog_chk(int priority, int flag, const char* pattern, ...) {
  refuse_in_handler("syslog", Unsafe::stdio, __builtin_return_address(0));
  va_list list;
  va_start(list, pattern);
  real().__vsyslog_chk(priority, flag, pattern, list);
  va_end(list);
}
UNSAFE(void, vsyslog, "vsyslog", stdio, (int priority, const char* pattern, va_list list),
       (priority, pattern, list))
UNSAFE(void, __vsyslog_chk, "vsyslog", stdio,
       (int priority, int flag, const char* pattern, va_list list), (priority, flag, pattern, list))

// ---- time zones, which have a lock of their own

UNSAFE(tm*, localtime, "localtime", lock, (const time_t* time) noexcept, (time))
UNSAFE(tm*, localtime_r, "localtime_r", lock, (const time_t* time, tm* result) noexcept,
       (time, result))
UNSAFE(tm*, gmtime, "gmtime", lock, (const time_t* time) noexcept, (time))
UNSAFE(tm*, gmtime_r, "gmtime_r", lock, (const time_t* time, tm* result) noexcept, (time, result))
UNSAFE(time_t, mktime, "mktime", lock, (tm * time) noexcept, (time))
UNSAFE(char*, ctime, "ctime", lock, (const time_t* time) noexcept, (time))
UNSAFE(char*, ctime_r, "ctime_r", lock, (const time_t* time, char* text) noexcept, (time, text))
UNSAFE(size_t, strftime, "strftime", lock,
       (char* text, size_t size, const char* pattern, const tm* time) noexcept,
       (text, size, pattern, time))

// ---- locks

// Another thread that would wait for a lock would wait for ever while the program's own, which
// holds it, stands still: that one goes on until it has let go of a lock.
EXPORT int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  const void* caller = __builtin_return_address(0);
  refuse_in_handler("pthread_mutex_lock (std::mutex)", Unsafe::lock, caller);
  if (grader::other_thread == nullptr) return real().pthread_mutex_lock(mutex);
  if (!PROGRAM_CALLS()) return real().pthread_mutex_lock(mutex);
  int error = 0;
  while ((error = real().pthread_mutex_trylock(mutex)) == EBUSY) {
    const grader::Outside outside;
    grader::Simulation::stand_still_for_lock("pthread_mutex_lock (std::mutex)");
  }
  return error;
}
EXPORT int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  const int error = real().pthread_mutex_unlock(mutex);
  if (grader::other_thread != nullptr) return error;
  if (auto calls = PROGRAM_CALLS()) {
    const grader::Outside outside;
    calls.simulation().let_threads_go_on();
  }
  return error;
}
UNSAFE(int, pthread_mutex_timedlock, "pthread_mutex_timedlock", lock,
       (pthread_mutex_t * mutex, const timespec* until) noexcept, (mutex, until))
UNSAFE(int, pthread_rwlock_rdlock, "pthread_rwlock_rdlock (std::shared_mutex)", lock,
       (pthread_rwlock_t * lock) noexcept, (lock))
UNSAFE(int, pthread_rwlock_wrlock, "pthread_rwlock_wrlock (std::shared_mutex)", lock,
       (pthread_rwlock_t * lock) noexcept, (lock))
UNSAFE(int, pthread_cond_signal, "pthread_cond_signal (std::condition_variable)", lock,
       (pthread_cond_t * condition) noexcept, (condition))
UNSAFE(int, pthread_cond_broadcast, "pthread_cond_broadcast (std::condition_variable)", lock,
       (pthread_cond_t * condition) noexcept, (condition))

// ---- the way out of a handler that does not return

#define JUMPS(name, parameters)                           \
  EXPORT __attribute__((noreturn)) void name parameters { \
    grader::leave_all_handlers();                         \
    real().name(buffer, value);                           \
    __builtin_unreachable();                              \
  }
JUMPS(longjmp, (__jmp_buf_tag * buffer, int value) noexcept)
JUMPS(siglongjmp, (__jmp_buf_tag * buffer, int value) noexcept)
JUMPS(__longjmp_chk, (__jmp_buf_tag * buffer, int value) noexcept)
