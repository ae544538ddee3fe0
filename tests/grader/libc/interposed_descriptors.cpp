// Making, sharing and closing descriptors.
#include <cerrno>
#include <cstdarg>

#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"
#include "simulation/text.hpp"

using grader::ProgramCalls;
using grader::real;
using grader::SystemCalls;

EXPORT int socket(int domain, int type, int protocol) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.socket(domain, type, protocol); });
  return real().socket(domain, type, protocol);
}
EXPORT int socketpair(int domain, int type, int protocol, int* pair) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.socketpair(domain, type, protocol, pair); });
  return real().socketpair(domain, type, protocol, pair);
}
EXPORT int pipe(int* ends) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.pipe("pipe", ends, 0); });
  return real().pipe(ends);
}
EXPORT int pipe2(int* ends, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.pipe("pipe2", ends, flags); });
  return real().pipe2(ends, flags);
}
EXPORT int eventfd(unsigned value, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.eventfd(value, flags); });
  return real().eventfd(value, flags);
}
EXPORT int signalfd(int fd, const sigset_t* set, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.signalfd(fd, set, flags); });
  return real().signalfd(fd, set, flags);
}
// After the fact: `fd` is what the kernel gave.
static int opened(const ProgramCalls& calls, const char* function, int fd, const char* path) {
  return calls ? calls.answer<int>([&](SystemCalls c) { return c.open(function, fd, path); }) : fd;
}
EXPORT int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  return opened(PROGRAM_CALLS(), "open", real().open(path, flags, mode), path);
}
EXPORT int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  return opened(PROGRAM_CALLS(), "open", real().open(path, flags, mode), path);
}
EXPORT int openat(int directory, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  return opened(PROGRAM_CALLS(), "openat", real().openat(directory, path, flags, mode), path);
}
EXPORT int dup(int fd) noexcept {
  const int copy = real().dup(fd);
  const int error = errno;
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) {
      return c.duplicated(grader::format("dup(%d)", fd), "dup", fd, copy, error);
    });
  return copy;
}
EXPORT int dup2(int fd, int to) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.dup2("dup2", fd, to, 0); });
  return real().dup2(fd, to);
}
EXPORT int dup3(int fd, int to, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.dup2("dup3", fd, to, flags); });
  return real().dup3(fd, to, flags);
}
EXPORT int close(int fd) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.close(fd); });
  if (auto* simulation = CHECK_LEDGER()) return simulation->close(fd);
  return real().close(fd);
}
EXPORT int close_range(unsigned first, unsigned last, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    if (first != last || flags != 0)
      calls.not_here("close_range", "close what you opened, one by one");
    return calls.answer<int>([&](SystemCalls c) { return c.close(static_cast<int>(first)); });
  }
  return real().close_range(first, last, flags);
}
EXPORT int shutdown(int fd, int how) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.shutdown(fd, how); });
  return real().shutdown(fd, how);
}
static int simulated_fcntl(const ProgramCalls& calls, int fd, int command, void* argument) {
  if (calls)
    return calls.answer<int>([&](SystemCalls c) { return c.fcntl(fd, command, argument); });
  return real().fcntl(fd, command, argument);
}
EXPORT int fcntl(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  return simulated_fcntl(PROGRAM_CALLS(), fd, command, argument);
}
EXPORT int fcntl64(int fd, int command, ...) {
  va_list list;
  va_start(list, command);
  void* argument = va_arg(list, void*);
  va_end(list);
  return simulated_fcntl(PROGRAM_CALLS(), fd, command, argument);
}
EXPORT int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list list;
  va_start(list, request);
  void* argument = va_arg(list, void*);
  va_end(list);
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.ioctl(fd, request, argument); });
  return real().ioctl(fd, request, argument);
}
