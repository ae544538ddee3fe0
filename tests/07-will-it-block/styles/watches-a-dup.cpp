// Two descriptors of one open file are ready together: it waits on its own.
#include <fcntl.h>
#include <sys/select.h>

#include <cerrno>
#include <system_error>

#include "01-descriptors/descriptors.hpp"
#include "07-will-it-block/will_it_block.hpp"

using course::Deadline;
using course::Duration;
using course::Fd;

namespace {

struct Call {
  const char* name;
  int result;
  int error = errno;

  [[nodiscard]] bool was_interrupted() const { return result == -1 && error == EINTR; }
  int value() const {
    if (result == -1) throw std::system_error(error, std::system_category(), name);
    return result;
  }
};

Fd duplicate(int fd) {
  if (fd >= FD_SETSIZE) Call{"select", -1, EINVAL}.value();
  return Fd(Call{"dup", ::fcntl(fd, F_DUPFD_CLOEXEC, 0)}.value());
}

Call select_once(int fd, fd_set* (*read)(fd_set*), fd_set* (*write)(fd_set*),
                 const Deadline& deadline) {
  fd_set set;
  FD_ZERO(&set);
  FD_SET(fd, &set);
  const auto left = deadline.remaining();
  const auto us = left ? (*left + Duration(999)) / std::chrono::microseconds(1) : 0;
  timeval time{us / 1'000'000, us % 1'000'000};
  return {"select", ::select(fd + 1, read(&set), write(&set), nullptr, left ? &time : nullptr)};
}

fd_set* itself(fd_set* set) { return set; }
fd_set* none(fd_set*) { return nullptr; }

bool wait(int borrowed, fd_set* (*read)(fd_set*), fd_set* (*write)(fd_set*),
          std::optional<Duration> timeout) {
  const Fd own = duplicate(borrowed);
  const auto deadline = timeout ? Deadline::after(*timeout) : Deadline::never();
  Call call = select_once(own.get(), read, write, deadline);
  while (call.was_interrupted()) call = select_once(own.get(), read, write, deadline);
  return call.value() > 0;
}

}  // namespace

bool course::wait_readable(int fd, std::optional<Duration> timeout) {
  return wait(fd, itself, none, timeout);
}

bool course::wait_writable(int fd, std::optional<Duration> timeout) {
  return wait(fd, none, itself, timeout);
}
