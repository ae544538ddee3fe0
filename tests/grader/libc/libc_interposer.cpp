// The executable's own definitions of libc functions. The dynamic linker prefers them to libc's, so
// ordinary POSIX code enters the simulation without knowing it. Outside a scenario, and for callers
// that are not the program, every one of them only passes on to the real function.
//
// Compiled without sanitizers and without _FORTIFY_SOURCE; linked as an object, never from an
// archive.
#undef _FILE_OFFSET_BITS  // with it, open is open64 already, and cannot be defined beside it
#undef _FORTIFY_SOURCE
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdlib>

#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"
#include "simulation/text.hpp"

using grader::Answer;
using grader::RawTimeout;
using grader::real;
using grader::SystemCalls;
using grader::Time;
using Calls = grader::ProgramCalls;

namespace {

// Calls of the check's own code between two runs of the program also open and close descriptors
// that the ledger must know of.
grader::Simulation* ledger_only(const void* return_address) {
  const bool is_check = grader::inside_program == 0 && grader::is_program_code(return_address);
  return is_check ? grader::Simulation::current() : nullptr;
}

Time from(const timespec& time) { return RawTimeout::of(time).span(); }
Time from(const timeval& time) { return RawTimeout::of(time).span(); }
bool is_valid(const timespec& time) { return RawTimeout::of(time).is_accepted(); }

template <class Timeout>
std::optional<RawTimeout> raw(const Timeout* timeout) {
  return timeout == nullptr ? std::nullopt : std::optional(RawTimeout::of(*timeout));
}

timespec to_timespec(Time time) {
  return {time / std::chrono::seconds(1), (time % std::chrono::seconds(1)).count()};
}

long invalid() {
  errno = EINVAL;
  return -1;
}

msghdr message_of(iovec& part, const sockaddr* address = nullptr, socklen_t length = 0) {
  msghdr message{};
  message.msg_name = const_cast<sockaddr*>(address);
  message.msg_namelen = length;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  return message;
}

constexpr const char* no_processes = "one process with one thread is enough here";
constexpr const char* one_alarm = "a single real-time alarm is all that is supported";
constexpr const char* carry_bytes = "read the bytes and write them";
constexpr const char* no_epoll = "use select or poll";

}  // namespace

// ---- descriptors
// -------------------------------------------------------------------------------------------------

EXPORT int socket(int domain, int type, int protocol) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.socket(domain, type, protocol); }));
  return real().socket(domain, type, protocol);
}
EXPORT int socketpair(int domain, int type, int protocol, int* pair) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.socketpair(domain, type, protocol, pair); }));
  return real().socketpair(domain, type, protocol, pair);
}
EXPORT int pipe(int* ends) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) { return c.pipe("pipe", ends, 0); }));
  return real().pipe(ends);
}
EXPORT int pipe2(int* ends, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.pipe("pipe2", ends, flags); }));
  return real().pipe2(ends, flags);
}
EXPORT int open(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  const int fd = real().open(path, flags, mode);
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) { return c.open("open", fd, path); }));
  return fd;
}
EXPORT int open64(const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  const int fd = real().open(path, flags, mode);
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) { return c.open("open", fd, path); }));
  return fd;
}
EXPORT int openat(int directory, const char* path, int flags, ...) {
  va_list list;
  va_start(list, flags);
  const mode_t mode = va_arg(list, mode_t);
  va_end(list);
  const int fd = real().openat(directory, path, flags, mode);
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.open("openat", fd, path); }));
  return fd;
}
EXPORT int dup(int fd) noexcept {
  const int copy = real().dup(fd);
  const int error = errno;
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) {
      return c.duplicated(grader::format("dup(%d)", fd), "dup", fd, copy, error);
    }));
  return copy;
}
EXPORT int dup2(int fd, int to) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) { return c.dup2("dup2", fd, to, 0); }));
  return real().dup2(fd, to);
}
EXPORT int dup3(int fd, int to, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.dup2("dup3", fd, to, flags); }));
  return real().dup3(fd, to, flags);
}
EXPORT int close(int fd) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) { return c.close(fd); }));
  if (auto* simulation = ledger_only(__builtin_return_address(0))) return simulation->close(fd);
  return real().close(fd);
}
EXPORT int close_range(unsigned first, unsigned last, int flags) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    if (first != last || flags != 0)
      calls.not_here("close_range", "close what you opened, one by one");
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.close(static_cast<int>(first)); }));
  }
  return real().close_range(first, last, flags);
}
EXPORT int shutdown(int fd, int how) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) { return c.shutdown(fd, how); }));
  return real().shutdown(fd, how);
}
static int simulated_fcntl(const Calls& calls, int fd, int command, void* argument) {
  if (calls)
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.fcntl(fd, command, argument); }));
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
  const int result = real().ioctl(fd, request, argument);
  const int error = errno;
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) {
      return c.recorded("ioctl", fd, grader::format("ioctl(%d, %#lx)", fd, request), result, error);
    }));
  return result;
}

// ---- names and options
// -------------------------------------------------------------------------------------------

EXPORT int bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.bind(fd, address, length); }));
  return real().bind(fd, address, length);
}
EXPORT int listen(int fd, int backlog) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) { return c.listen(fd, backlog); }));
  return real().listen(fd, backlog);
}
EXPORT int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.getsockname(fd, address, length); }));
  return real().getsockname(fd, address, length);
}
EXPORT int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.getpeername(fd, address, length); }));
  return real().getpeername(fd, address, length);
}
EXPORT int setsockopt(int fd, int level, int option, const void* value, socklen_t length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer(
        [&](SystemCalls c) { return c.setsockopt(fd, level, option, value, length); }));
  const int result = real().setsockopt(fd, level, option, value, length);
  if (auto* simulation = ledger_only(__builtin_return_address(0)); simulation && result == 0)
    simulation->note_option(fd, level, option, value, length);
  return result;
}
EXPORT int getsockopt(int fd, int level, int option, void* value, socklen_t* length) noexcept {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer(
        [&](SystemCalls c) { return c.getsockopt(fd, level, option, value, length); }));
  return real().getsockopt(fd, level, option, value, length);
}
EXPORT int getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                       addrinfo** result) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.getaddrinfo(host, service, hints, result); }));
  return real().getaddrinfo(host, service, hints, result);
}
EXPORT void freeaddrinfo(addrinfo* list) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    calls.answer([&](SystemCalls c) {
      c.freeaddrinfo(list);
      return Answer{0, calls.simulation().faults.clean_up_errno()};
    });
    return;
  }
  real().freeaddrinfo(list);
}
EXPORT hostent* gethostbyname(const char* name) {
  if (auto calls = PROGRAM_CALLS()) calls.not_here("gethostbyname", "use getaddrinfo");
  return real().gethostbyname(name);
}

// ---- connections
// ---------------------------------------------------------------------------------------------------

EXPORT int connect(int fd, const sockaddr* address, socklen_t length) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.connect(fd, address, length); }));
  return real().connect(fd, address, length);
}
EXPORT int accept(int fd, sockaddr* address, socklen_t* length) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.accept("accept", fd, address, length, 0); }));
  return real().accept(fd, address, length);
}
EXPORT int accept4(int fd, sockaddr* address, socklen_t* length, int flags) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer(
        [&](SystemCalls c) { return c.accept("accept4", fd, address, length, flags); }));
  return real().accept4(fd, address, length, flags);
}

// ---- bytes
// ---------------------------------------------------------------------------------------------------------

EXPORT ssize_t recv(int fd, void* data, size_t size, int flags) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{data, size};
      msghdr message = message_of(part);
      return c.receive("recv", fd, message, flags);
    });
  return real().recv(fd, data, size, flags);
}
EXPORT ssize_t recvfrom(int fd, void* data, size_t size, int flags, sockaddr* address,
                        socklen_t* length) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{data, size};
      msghdr message = message_of(part, address, length == nullptr ? 0 : *length);
      const Answer answer = c.receive("recvfrom", fd, message, flags);
      if (length != nullptr) *length = message.msg_namelen;
      return answer;
    });
  return real().recvfrom(fd, data, size, flags, address, length);
}
EXPORT ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) { return c.receive("recvmsg", fd, *message, flags); });
  return real().recvmsg(fd, message, flags);
}
EXPORT ssize_t read(int fd, void* data, size_t size) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{data, size};
      msghdr message = message_of(part);
      return c.receive("read", fd, message, 0);
    });
  return real().read(fd, data, size);
}
EXPORT ssize_t readv(int fd, const iovec* parts, int count) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(parts);
      message.msg_iovlen = static_cast<size_t>(count);
      return c.receive("readv", fd, message, 0);
    });
  return real().readv(fd, parts, count);
}
EXPORT ssize_t send(int fd, const void* data, size_t size, int flags) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{const_cast<void*>(data), size};
      return c.transmit("send", fd, message_of(part), flags);
    });
  return real().send(fd, data, size, flags);
}
EXPORT ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* address,
                      socklen_t length) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{const_cast<void*>(data), size};
      return c.transmit("sendto", fd, message_of(part, address, length), flags);
    });
  return real().sendto(fd, data, size, flags, address, length);
}
EXPORT ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) { return c.transmit("sendmsg", fd, *message, flags); });
  return real().sendmsg(fd, message, flags);
}
EXPORT ssize_t write(int fd, const void* data, size_t size) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{const_cast<void*>(data), size};
      return c.transmit("write", fd, message_of(part), 0);
    });
  return real().write(fd, data, size);
}
EXPORT ssize_t writev(int fd, const iovec* parts, int count) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(parts);
      message.msg_iovlen = static_cast<size_t>(count);
      return c.transmit("writev", fd, message, 0);
    });
  return real().writev(fd, parts, count);
}

// What _FORTIFY_SOURCE makes of the calls above when it knows the size of the buffer. The call must
// be spelled out here: its return address is the program's, as that of recv() itself would not be.
extern "C" void __chk_fail(void) __attribute__((noreturn));
EXPORT ssize_t __read_chk(int fd, void* data, size_t size, size_t room) {
  if (size > room) __chk_fail();
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{data, size};
      msghdr message = message_of(part);
      return c.receive("read", fd, message, 0);
    });
  return real().read(fd, data, size);
}
EXPORT ssize_t __recv_chk(int fd, void* data, size_t size, size_t room, int flags) {
  if (size > room) __chk_fail();
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{data, size};
      msghdr message = message_of(part);
      return c.receive("recv", fd, message, flags);
    });
  return real().recv(fd, data, size, flags);
}
EXPORT ssize_t __recvfrom_chk(int fd, void* data, size_t size, size_t room, int flags,
                              sockaddr* address, socklen_t* length) {
  if (size > room) __chk_fail();
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      iovec part{data, size};
      msghdr message = message_of(part, address, length == nullptr ? 0 : *length);
      const Answer answer = c.receive("recvfrom", fd, message, flags);
      if (length != nullptr) *length = message.msg_namelen;
      return answer;
    });
  return real().recvfrom(fd, data, size, flags, address, length);
}

// ---- waiting
// -------------------------------------------------------------------------------------------------------

EXPORT int select(int nfds, fd_set* read, fd_set* write, fd_set* except, timeval* timeout) {
  if (auto calls = PROGRAM_CALLS()) {
    const bool leaves_time = timeout != nullptr && !calls.simulation().select_leaves_timeout;
    std::optional<RawTimeout> left;
    const long result = calls.answer([&](SystemCalls c) {
      return c.select("select", nfds, {read, write, except}, raw(timeout), nullptr,
                      leaves_time ? &left : nullptr);
    });
    if (left) *timeout = {left->seconds, left->fraction};
    return static_cast<int>(result);
  }
  return real().select(nfds, read, write, except, timeout);
}
EXPORT int pselect(int nfds, fd_set* read, fd_set* write, fd_set* except, const timespec* timeout,
                   const sigset_t* mask) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) {
      return c.select("pselect", nfds, {read, write, except}, raw(timeout), mask, nullptr);
    }));
  return real().pselect(nfds, read, write, except, timeout, mask);
}
static int simulated_poll(const Calls& calls, pollfd* entries, nfds_t count, int timeout_ms) {
  return static_cast<int>(calls.answer([&](SystemCalls c) {
    return c.poll("poll", entries, count, RawTimeout::of_poll(timeout_ms), nullptr);
  }));
}
static int simulated_ppoll(const Calls& calls, pollfd* entries, nfds_t count,
                           const timespec* timeout, const sigset_t* mask) {
  return static_cast<int>(calls.answer(
      [&](SystemCalls c) { return c.poll("ppoll", entries, count, raw(timeout), mask); }));
}
EXPORT int poll(pollfd* entries, nfds_t count, int timeout_ms) {
  if (auto calls = PROGRAM_CALLS()) return simulated_poll(calls, entries, count, timeout_ms);
  return real().poll(entries, count, timeout_ms);
}
EXPORT int ppoll(pollfd* entries, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (auto calls = PROGRAM_CALLS()) return simulated_ppoll(calls, entries, count, timeout, mask);
  return real().ppoll(entries, count, timeout, mask);
}
EXPORT int __poll_chk(pollfd* entries, nfds_t count, int timeout_ms, size_t room) {
  if (room / sizeof *entries < count) __chk_fail();
  if (auto calls = PROGRAM_CALLS()) return simulated_poll(calls, entries, count, timeout_ms);
  return real().poll(entries, count, timeout_ms);
}
EXPORT int __ppoll_chk(pollfd* entries, nfds_t count, const timespec* timeout, const sigset_t* mask,
                       size_t room) {
  if (room / sizeof *entries < count) __chk_fail();
  if (auto calls = PROGRAM_CALLS()) return simulated_ppoll(calls, entries, count, timeout, mask);
  return real().ppoll(entries, count, timeout, mask);
}
// What _FORTIFY_SOURCE makes of FD_SET, FD_CLR and FD_ISSET (bits/select2.h): the second one when
// the number is a constant.
#define ELEMENT_OF_SET(name)                             \
  EXPORT long name(long fd) {                            \
    if (fd >= 0 && fd < FD_SETSIZE) return fd / NFDBITS; \
    if (auto calls = PROGRAM_CALLS()) {                  \
      const grader::Outside outside;                     \
      SystemCalls(calls.simulation()).outside_set(fd);   \
    }                                                    \
    __chk_fail();                                        \
  }
ELEMENT_OF_SET(__fdelt_chk)
ELEMENT_OF_SET(__fdelt_warn)

EXPORT int nanosleep(const timespec* time, timespec* left) {
  if (auto calls = PROGRAM_CALLS()) {
    if (!is_valid(*time)) return static_cast<int>(invalid());
    Time rest{};
    const long result =
        calls.answer([&](SystemCalls c) { return c.sleep("nanosleep", from(*time), &rest); });
    if (left != nullptr) *left = to_timespec(rest);
    return static_cast<int>(result);
  }
  return real().nanosleep(time, left);
}
EXPORT int clock_nanosleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  if (auto calls = PROGRAM_CALLS()) {
    if (!is_valid(*time)) return EINVAL;
    const int saved = errno;
    Time span = from(*time), rest{};
    const long result = calls.answer([&](SystemCalls c) {
      timespec now{};
      if ((flags & TIMER_ABSTIME) != 0) {
        c.clock_gettime(clock, &now);
        span = std::max(Time{}, span - from(now));
      }
      return c.sleep("clock_nanosleep", span, &rest);
    });
    if (left != nullptr) *left = to_timespec(rest);
    const int error = result < 0 ? errno : 0;
    errno = saved;
    return error;
  }
  return real().clock_nanosleep(clock, flags, time, left);
}
EXPORT int usleep(useconds_t time_us) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(calls.answer([&](SystemCalls c) {
      return c.sleep("usleep", std::chrono::microseconds(time_us), nullptr);
    }));
  return real().usleep(time_us);
}
EXPORT unsigned sleep(unsigned time_s) {
  if (auto calls = PROGRAM_CALLS()) {
    Time left{};
    calls.answer(
        [&](SystemCalls c) { return c.sleep("sleep", std::chrono::seconds(time_s), &left); });
    return static_cast<unsigned>(left / std::chrono::seconds(1));
  }
  return real().sleep(time_s);
}
EXPORT int pause() {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.sleep_for_ever("pause", nullptr); }));
  return real().pause();
}
EXPORT int sigsuspend(const sigset_t* mask) {
  if (auto calls = PROGRAM_CALLS())
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.sleep_for_ever("sigsuspend", mask); }));
  return real().sigsuspend(mask);
}

// ---- clocks and timers
// -----------------------------------------------------------------------------------------------

EXPORT int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const bool is_cpu_time = clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID;
  if (auto calls = PROGRAM_CALLS(); calls && !is_cpu_time)
    return static_cast<int>(
        calls.answer([&](SystemCalls c) { return c.clock_gettime(clock, time); }));
  return real().clock_gettime(clock, time);
}
EXPORT int gettimeofday(timeval* time, void* zone) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    timespec now{};
    calls.answer([&](SystemCalls c) { return c.clock_gettime(CLOCK_REALTIME, &now); });
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
  }
  return real().gettimeofday(time, zone);
}
EXPORT time_t time(time_t* result) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    timespec now{};
    calls.answer([&](SystemCalls c) { return c.clock_gettime(CLOCK_REALTIME, &now); });
    if (result != nullptr) *result = now.tv_sec;
    return now.tv_sec;
  }
  return real().time(result);
}
EXPORT int timespec_get(timespec* time, int base) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    calls.answer([&](SystemCalls c) { return c.clock_gettime(CLOCK_REALTIME, time); });
    return base;
  }
  return real().timespec_get(time, base);
}
// Sets the alarm; returns how long the one before it would still have taken.
static Time simulated_alarm(const Calls& calls, const char* function, Time time) {
  Time left{};
  calls.answer([&](SystemCalls c) { return c.alarm(function, time, left); });
  return left;
}
EXPORT unsigned alarm(unsigned seconds) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    const Time left = simulated_alarm(calls, "alarm", std::chrono::seconds(seconds));
    const auto rounded = std::chrono::round<std::chrono::seconds>(left);  // as the kernel does
    return left > Time{} ? std::max(1U, static_cast<unsigned>(rounded.count())) : 0;
  }
  return real().alarm(seconds);
}
EXPORT useconds_t ualarm(useconds_t value, useconds_t interval) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    if (interval != 0) calls.not_here("ualarm", one_alarm);
    const Time left = simulated_alarm(calls, "ualarm", std::chrono::microseconds(value));
    return static_cast<useconds_t>(left / std::chrono::microseconds(1));
  }
  return real().ualarm(value, interval);
}
EXPORT int setitimer(__itimer_which_t which, const itimerval* value, itimerval* old) noexcept {
  if (auto calls = PROGRAM_CALLS()) {
    if (which != ITIMER_REAL || value->it_interval.tv_sec != 0 || value->it_interval.tv_usec != 0)
      calls.not_here("setitimer", one_alarm);
    const timespec left = to_timespec(simulated_alarm(calls, "setitimer", from(value->it_value)));
    if (old != nullptr) *old = {{0, 0}, {left.tv_sec, left.tv_nsec / 1000}};
    return 0;
  }
  return real().setitimer(which, value, old);
}

// ---- what has no place in a lesson
// ---------------------------------------------------------------------------------

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
NOT_HERE(int, signalfd, (int fd, const sigset_t* mask, int flags) noexcept, (fd, mask, flags), "")
NOT_HERE(int, eventfd, (unsigned value, int flags) noexcept, (value, flags), "")
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
  if (auto calls = PROGRAM_CALLS())
    calls.not_here("pthread_cond_wait (std::condition_variable)", no_processes);
  return real().pthread_cond_wait(condition, mutex);
}
EXPORT int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  const timespec* until) {
  if (auto calls = PROGRAM_CALLS())
    calls.not_here("pthread_cond_timedwait (std::condition_variable)", no_processes);
  return real().pthread_cond_timedwait(condition, mutex, until);
}
EXPORT int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                                  clockid_t clock, const timespec* until) {
  if (auto calls = PROGRAM_CALLS())
    calls.not_here("pthread_cond_clockwait (std::condition_variable)", no_processes);
  return real().pthread_cond_clockwait(condition, mutex, clock, until);
}
EXPORT int kill(pid_t pid, int signal) noexcept {
  if (auto calls = PROGRAM_CALLS(); calls && pid != getpid()) {
    const std::string whom = pid == getppid() ? "getppid()" : std::to_string(pid);
    calls.not_here(grader::format("kill(%s, %d)", whom.c_str(), signal).c_str(),
                   "no other process is its business");
  }
  return real().kill(pid, signal);
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

// ---- ending the process
// --------------------------------------------------------------------------------------------

#define ENDS_PROCESS(name, really, specification)                                          \
  EXPORT void name(int status) specification {                                             \
    if (auto calls = PROGRAM_CALLS()) {                                                    \
      const grader::Outside outside;                                                       \
      SystemCalls(calls.simulation()).ended_process(grader::format(#name "(%d)", status)); \
    }                                                                                      \
    really(status);                                                                        \
    __builtin_unreachable();                                                               \
  }
ENDS_PROCESS(exit, real().exit, noexcept)
ENDS_PROCESS(_exit, real().exit_now, )
ENDS_PROCESS(_Exit, real().exit_now, noexcept)
ENDS_PROCESS(quick_exit, real().exit_now, noexcept)

// Sanitizers call this before they report: their symbolizer opens files and starts processes.
extern "C" __attribute__((visibility("default"))) void __asan_on_error() {
  grader::inside_program = 0;
}
