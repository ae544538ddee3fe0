// Names, options and connections.
#include "libc/handler_watch.hpp"
#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"

using grader::real;
using grader::SystemCalls;

EXPORT int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.bind(fd, address, length); });
  return real().bind(fd, address, length);
}
EXPORT int listen(int fd, int backlog) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.listen(fd, backlog); });
  return real().listen(fd, backlog);
}
EXPORT int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.getsockname(fd, address, length); });
  return real().getsockname(fd, address, length);
}
EXPORT int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.getpeername(fd, address, length); });
  return real().getpeername(fd, address, length);
}
EXPORT int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.setsockopt(fd, level, option, value, length); });
  const int result = real().setsockopt(fd, level, option, value, length);
  if (auto* simulation = CHECK_LEDGER(); simulation && result == 0)
    simulation->note_option(fd, level, option, value, length);
  return result;
}
EXPORT int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.getsockopt(fd, level, option, value, length); });
  return real().getsockopt(fd, level, option, value, length);
}
EXPORT int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                       addrinfo** result) {
  grader::refuse_in_handler("getaddrinfo", grader::Unsafe::lookup, __builtin_return_address(0));
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.getaddrinfo(host, service, hints, result); });
  return real().getaddrinfo(host, service, hints, result);
}
EXPORT void freeaddrinfo(addrinfo* list) noexcept {
  grader::refuse_in_handler("freeaddrinfo", grader::Unsafe::lookup, __builtin_return_address(0));
  if (auto calls = PROGRAM_CALLS()) {
    calls.answer([&](SystemCalls c) {
      c.freeaddrinfo(list);
      return grader::Answer{0, calls.simulation().faults.clean_up_errno()};
    });
    return;
  }
  real().freeaddrinfo(list);
}
EXPORT hostent* gethostbyname(const char* name) {
  grader::refuse_in_handler("gethostbyname", grader::Unsafe::lookup, __builtin_return_address(0));
  if (auto calls = PROGRAM_CALLS()) calls.not_here("gethostbyname", "use getaddrinfo");
  return real().gethostbyname(name);
}

EXPORT int connect(int fd, const sockaddr* address, socklen_t length) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>([&](SystemCalls c) { return c.connect(fd, address, length); });
  return real().connect(fd, address, length);
}
EXPORT int accept(int fd, sockaddr* address, socklen_t* length) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.accept("accept", fd, address, length, 0); });
  return real().accept(fd, address, length);
}
EXPORT int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  if (auto calls = PROGRAM_CALLS())
    return calls.answer<int>(
        [&](SystemCalls c) { return c.accept("accept4", fd, address, length, flags); });
  return real().accept4(fd, address, length, flags);
}
