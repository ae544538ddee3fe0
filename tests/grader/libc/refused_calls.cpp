// What has no place in a lesson, and what ends the process.
#include <sys/syscall.h>

#include <cstdarg>
#include <cstdlib>

#include "libc/handler_watch.hpp"
#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"
#include "simulation/text.hpp"

using grader::real;
using grader::refuse_in_handler;
using grader::SystemCalls;
using grader::Unsafe;

namespace {

constexpr const char* no_processes = "one process with one thread is enough here";
constexpr const char* carry_bytes = "read the bytes and write them";
constexpr const char* no_epoll = "use select or poll";

}  // namespace

#define NOT_HERE(result, name, parameters, arguments, advice)        \
  EXPORT result name parameters {                                    \
    if (auto calls = PROGRAM_CALLS()) calls.not_here(#name, advice); \
    return real().name arguments;                                    \
  }
NOT_HERE(int, epoll_create, (int size) noexcept, (size), no_epoll)
NOT_HERE(int, epoll_create1, (int flags) noexcept, (flags), no_epoll)
NOT_HERE(int, timerfd_create, (int clock, int flags) noexcept, (clock, flags), "")
NOT_HERE(int, timer_create, (clockid_t clock, sigevent* event, timer_t* timer) noexcept,
         (clock, event, timer), "")
NOT_HERE(void, closefrom, (int first) noexcept, (first), "close what you opened, one by one")
NOT_HERE(int, inotify_init1, (int flags) noexcept, (flags), "")
NOT_HERE(int, memfd_create, (const char* name, unsigned flags) noexcept, (name, flags), "")
NOT_HERE(ssize_t, splice,
         (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size, unsigned flags),
         (from, from_offset, to, to_offset, size, flags), carry_bytes)
NOT_HERE(ssize_t, tee, (int from, int to, size_t size, unsigned flags), (from, to, size, flags),
         carry_bytes)
NOT_HERE(ssize_t, vmsplice, (int fd, const iovec* parts, size_t count, unsigned flags),
         (fd, parts, count, flags), carry_bytes)
NOT_HERE(ssize_t, sendfile, (int to, int from, off_t* offset, size_t size) noexcept,
         (to, from, offset, size), carry_bytes)
NOT_HERE(ssize_t, sendfile64, (int to, int from, off64_t* offset, size_t size) noexcept,
         (to, from, offset, size), carry_bytes)
NOT_HERE(ssize_t, copy_file_range,
         (int from, off64_t* from_offset, int to, off64_t* to_offset, size_t size, unsigned flags),
         (from, from_offset, to, to_offset, size, flags), carry_bytes)
NOT_HERE(int, recvmmsg, (int fd, mmsghdr* messages, unsigned count, int flags, timespec* timeout),
         (fd, messages, count, flags, timeout), "receive one message at a time")
NOT_HERE(int, sendmmsg, (int fd, mmsghdr* messages, unsigned count, int flags),
         (fd, messages, count, flags), "send one message at a time")
NOT_HERE(pid_t, fork, () noexcept, (), no_processes)
NOT_HERE(FILE*, popen, (const char* command, const char* mode), (command, mode), no_processes)
NOT_HERE(int, system, (const char* command), (command), no_processes)
NOT_HERE(int, execve, (const char* path, char* const* argv, char* const* envp) noexcept,
         (path, argv, envp), no_processes)
NOT_HERE(int, posix_spawn,
         (pid_t * pid, const char* path, const posix_spawn_file_actions_t* actions,
          const posix_spawnattr_t* attributes, char* const* argv, char* const* envp),
         (pid, path, actions, attributes, argv, envp), no_processes)
NOT_HERE(int, posix_spawnp,
         (pid_t * pid, const char* file, const posix_spawn_file_actions_t* actions,
          const posix_spawnattr_t* attributes, char* const* argv, char* const* envp),
         (pid, file, actions, attributes, argv, envp), no_processes)

// The child of a real vfork would return into a frame that is gone, so it becomes a fork.
EXPORT pid_t vfork() noexcept {
  if (auto calls = PROGRAM_CALLS()) calls.not_here("vfork", no_processes);
  return real().fork();
}
EXPORT int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                          void* (*start)(void*), void* argument) noexcept {
  if (auto calls = PROGRAM_CALLS()) calls.not_here("pthread_create (std::thread)", no_processes);
  return real().pthread_create(thread, attributes, start, argument);
}
EXPORT int pthread_cond_wait(pthread_cond_t* condition, pthread_mutex_t* mutex) {
  refuse_in_handler("pthread_cond_wait (std::condition_variable)", Unsafe::lock,
                    __builtin_return_address(0));
  if (auto calls = PROGRAM_CALLS())
    calls.not_here("pthread_cond_wait (std::condition_variable)", no_processes);
  return real().pthread_cond_wait(condition, mutex);
}
EXPORT int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  const timespec* until) {
  refuse_in_handler("pthread_cond_timedwait (std::condition_variable)", Unsafe::lock,
                    __builtin_return_address(0));
  if (auto calls = PROGRAM_CALLS())
    calls.not_here("pthread_cond_timedwait (std::condition_variable)", no_processes);
  return real().pthread_cond_timedwait(condition, mutex, until);
}
EXPORT int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  clockid_t clock, const timespec* until) {
  refuse_in_handler("pthread_cond_clockwait (std::condition_variable)", Unsafe::lock,
                    __builtin_return_address(0));
  if (auto calls = PROGRAM_CALLS())
    calls.not_here("pthread_cond_clockwait (std::condition_variable)", no_processes);
  return real().pthread_cond_clockwait(condition, mutex, clock, until);
}
EXPORT long syscall(long number, ...) noexcept {
  va_list list;
  va_start(list, number);
  long arguments[6];
  for (long& argument : arguments) argument = va_arg(list, long);
  va_end(list);
  if (auto calls = PROGRAM_CALLS();
      calls && number != SYS_futex && number != SYS_gettid && number != SYS_getpid)
    calls.not_here(grader::format("syscall(%ld)", number).c_str(),
                   "call the function of the C library instead");
  return real().syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}

#define ENDS_PROCESS(name, is_safe, really, specification)                                 \
  EXPORT void name(int status) specification {                                             \
    if (!is_safe) refuse_in_handler(#name, Unsafe::clean_up, __builtin_return_address(0)); \
    if (auto calls = PROGRAM_CALLS()) {                                                    \
      const grader::Outside outside;                                                       \
      SystemCalls(calls.simulation()).ended_process(grader::format(#name "(%d)", status)); \
    }                                                                                      \
    really(status);                                                                        \
    __builtin_unreachable();                                                               \
  }
ENDS_PROCESS(exit, false, real().exit, noexcept)
ENDS_PROCESS(_exit, true, real().exit_now, )
ENDS_PROCESS(_Exit, true, real().exit_now, noexcept)
ENDS_PROCESS(quick_exit, false, real().exit_now, noexcept)

// Sanitizers call this before they report: their symbolizer opens files and starts processes.
extern "C" __attribute__((visibility("default"))) void __asan_on_error() {
  grader::inside_program = 0;
}

// A data race ends the check, as any other finding of a sanitizer does. That the grader's own code
// allocates while a handler runs is no finding: the signal has not come in the middle of anything.
extern "C" __attribute__((visibility("default"))) const char* __tsan_default_options() {
  return "halt_on_error=1:report_signal_unsafe=0";
}
