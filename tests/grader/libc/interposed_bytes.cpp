// Receiving and sending.
#include "libc/program_calls.hpp"
#include "libc/real_libc.hpp"

using grader::Answer;
using grader::ProgramCalls;
using grader::real;
using grader::SystemCalls;

namespace {

msghdr message_of(const iovec* parts, int count) {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = static_cast<size_t>(count);
  return message;
}

ssize_t received(const ProgramCalls& calls, const char* function, int fd, void* data, size_t size,
                 int flags, sockaddr* address = nullptr, socklen_t* length = nullptr) {
  return calls.answer([&](SystemCalls c) {
    const iovec part{data, size};
    msghdr message = message_of(&part, 1);
    message.msg_name = address;
    message.msg_namelen = length == nullptr ? 0 : *length;
    const Answer answer = c.receive(function, fd, message, flags);
    if (length != nullptr) *length = message.msg_namelen;
    return answer;
  });
}

ssize_t sent(const ProgramCalls& calls, const char* function, int fd, const void* data, size_t size,
             int flags, const sockaddr* address = nullptr, socklen_t length = 0) {
  return calls.answer([&](SystemCalls c) {
    const iovec part{const_cast<void*>(data), size};
    msghdr message = message_of(&part, 1);
    message.msg_name = const_cast<sockaddr*>(address);
    message.msg_namelen = length;
    return c.transmit(function, fd, message, flags);
  });
}

// The body of a call and of its fortified form, for the caller whose `calls` these are.
ssize_t read_for(const ProgramCalls& calls, int fd, void* data, size_t size) {
  return calls.know(fd) ? received(calls, "read", fd, data, size, 0) : real().read(fd, data, size);
}
ssize_t recv_for(const ProgramCalls& calls, int fd, void* data, size_t size, int flags) {
  return calls.know(fd) ? received(calls, "recv", fd, data, size, flags)
                        : real().recv(fd, data, size, flags);
}
ssize_t recvfrom_for(const ProgramCalls& calls, int fd, void* data, size_t size, int flags,
                     sockaddr* address, socklen_t* length) {
  return calls.know(fd) ? received(calls, "recvfrom", fd, data, size, flags, address, length)
                        : real().recvfrom(fd, data, size, flags, address, length);
}

// What _FORTIFY_SOURCE asks before the call when it knows how large the buffer is.
void demand_room(size_t size, size_t room) {
  if (size > room) __chk_fail();
}

}  // namespace

EXPORT ssize_t read(int fd, void* data, size_t size) {
  return read_for(PROGRAM_CALLS(), fd, data, size);
}
EXPORT ssize_t __read_chk(int fd, void* data, size_t size, size_t room) {
  demand_room(size, room);
  return read_for(PROGRAM_CALLS(), fd, data, size);
}
EXPORT ssize_t recv(int fd, void* data, size_t size, int flags) {
  return recv_for(PROGRAM_CALLS(), fd, data, size, flags);
}
EXPORT ssize_t __recv_chk(int fd, void* data, size_t size, size_t room, int flags) {
  demand_room(size, room);
  return recv_for(PROGRAM_CALLS(), fd, data, size, flags);
}
EXPORT ssize_t recvfrom(int fd, void* data, size_t size, int flags, sockaddr* address,
                        socklen_t* length) {
  return recvfrom_for(PROGRAM_CALLS(), fd, data, size, flags, address, length);
}
EXPORT ssize_t __recvfrom_chk(int fd, void* data, size_t size, size_t room, int flags,
                              sockaddr* address, socklen_t* length) {
  demand_room(size, room);
  return recvfrom_for(PROGRAM_CALLS(), fd, data, size, flags, address, length);
}
EXPORT ssize_t recvmsg(int fd, msghdr* message, int flags) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) { return c.receive("recvmsg", fd, *message, flags); });
  return real().recvmsg(fd, message, flags);
}
EXPORT ssize_t readv(int fd, const iovec* parts, int count) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) {
      msghdr message = message_of(parts, count);
      return c.receive("readv", fd, message, 0);
    });
  return real().readv(fd, parts, count);
}
EXPORT ssize_t send(int fd, const void* data, size_t size, int flags) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return sent(calls, "send", fd, data, size, flags);
  return real().send(fd, data, size, flags);
}
EXPORT ssize_t sendto(int fd, const void* data, size_t size, int flags, const sockaddr* address,
                      socklen_t length) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return sent(calls, "sendto", fd, data, size, flags, address, length);
  return real().sendto(fd, data, size, flags, address, length);
}
EXPORT ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer([&](SystemCalls c) { return c.transmit("sendmsg", fd, *message, flags); });
  return real().sendmsg(fd, message, flags);
}
EXPORT ssize_t write(int fd, const void* data, size_t size) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd)) return sent(calls, "write", fd, data, size, 0);
  return real().write(fd, data, size);
}
EXPORT ssize_t writev(int fd, const iovec* parts, int count) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return calls.answer(
        [&](SystemCalls c) { return c.transmit("writev", fd, message_of(parts, count), 0); });
  return real().writev(fd, parts, count);
}

EXPORT int eventfd_read(int fd, eventfd_t* value) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return received(calls, "read", fd, value, sizeof *value, 0) == sizeof *value ? 0 : -1;
  return real().eventfd_read(fd, value);
}
EXPORT int eventfd_write(int fd, eventfd_t value) {
  if (auto calls = PROGRAM_CALLS(); calls.know(fd))
    return sent(calls, "write", fd, &value, sizeof value, 0) == sizeof value ? 0 : -1;
  return real().eventfd_write(fd, value);
}
