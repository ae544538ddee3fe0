// Different here: C style. Raw pointers and counters, one way out of each function, by goto.
#include <errno.h>
#include <sys/socket.h>

#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {

void send_all(int fd, cbytes data) {
  const char* next = reinterpret_cast<const char*>(data.data());
  size_t left = data.size();
  ssize_t n = 0;
  int failure = 0;

  while (left != 0) {
    n = send(fd, next, left, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      failure = errno;
      goto out;
    }
    next += n;
    left -= static_cast<size_t>(n);
  }

out:
  if (failure != 0) throw std::system_error(failure, std::system_category(), "send");
}

IoResult recv_some(int fd, bytes buffer) {
  IoResult result;
  ssize_t n = 0;

  if (buffer.size() == 0) goto out;

again:
  n = recv(fd, buffer.data(), buffer.size(), 0);
  if (n < 0 && errno == EINTR) goto again;
  if (n < 0) {
    result.status = IoStatus::error;
    result.error.assign(errno, std::system_category());
    goto out;
  }
  if (n == 0) result.status = IoStatus::eof;
  result.bytes = static_cast<size_t>(n);

out:
  return result;
}

IoResult recv_exact(int fd, bytes buffer) {
  IoResult result;
  char* next = reinterpret_cast<char*>(buffer.data());
  size_t left = buffer.size();
  ssize_t n = 0;

  while (left != 0) {
    n = recv(fd, next, left, 0);
    if (n < 0) {
      if (errno == EINTR) continue;
      result.status = IoStatus::error;
      result.error.assign(errno, std::system_category());
      goto out;
    }
    if (n == 0) {
      result.status = IoStatus::eof;
      goto out;
    }
    next += n;
    left -= static_cast<size_t>(n);
  }

out:
  result.bytes = buffer.size() - left;
  return result;
}

}  // namespace course
