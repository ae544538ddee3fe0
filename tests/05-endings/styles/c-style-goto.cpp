// Different: C throughout. malloc and realloc, goto to one clean-up, the monotonic clock in a
// timespec, nothing of the earlier lessons but Fd::release().
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <system_error>

#include "05-endings/endings.hpp"

namespace course {

namespace {

enum { CHUNK = 8192, LAST_LOOKS = 8192 };

long long now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<long long>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

int send_everything(int fd, const char* data, size_t length) {
  size_t sent = 0;
  while (sent < length) {
    const ssize_t n = send(fd, data + sent, length - sent, MSG_NOSIGNAL);
    if (n >= 0) {
      sent += static_cast<size_t>(n);
    } else if (errno != EINTR) {
      return errno;
    }
  }
  return 0;
}

/* Returns 0 at the end of the stream, else errno; the caller frees *data whatever happens. */
int slurp(int fd, char** data, size_t* length) {
  size_t room = 0;
  *data = nullptr;
  *length = 0;
  for (;;) {
    if (*length == room) {
      char* bigger = static_cast<char*>(realloc(*data, room + CHUNK));
      if (bigger == nullptr) return ENOMEM;
      *data = bigger;
      room += CHUNK;
    }
    const ssize_t n = recv(fd, *data + *length, room - *length, 0);
    if (n == 0) return 0;
    if (n > 0)
      *length += static_cast<size_t>(n);
    else if (errno != EINTR)
      return errno;
  }
}

}  // namespace

void finish_sending(int fd) {
  if (shutdown(fd, SHUT_WR) < 0) throw std::system_error(errno, std::system_category(), "shutdown");
}

IoResult read_to_eof(int fd, std::string& received) {
  IoResult result;
  char* data = nullptr;
  size_t length = 0;

  const int failure = slurp(fd, &data, &length);
  try {
    received.append(data == nullptr ? "" : data, length);
  } catch (...) {
    free(data);
    throw;
  }
  result.bytes = length;
  if (failure == 0) {
    result.status = IoStatus::eof;
    goto done;
  }
  if (failure == EAGAIN || failure == EWOULDBLOCK) {
    result.status = IoStatus::timed_out;
    goto done;
  }
  result.status = IoStatus::error;
  result.error.assign(failure, std::system_category());
done:
  free(data);
  return result;
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  const char* data = reinterpret_cast<const char*>(request.data());
  const int failure = send_everything(fd, data, request.size());
  if (failure == 0) {
    shutdown(fd, SHUT_WR); /* a peer that has left already is found out below */
    return read_to_eof(fd, reply);
  }
  IoResult result;
  if (failure == EPIPE || failure == ECONNRESET) result = read_to_eof(fd, reply);
  result.status = IoStatus::error;
  result.error.assign(failure, std::system_category());
  return result;
}

void close_gracefully(Fd connection, std::chrono::milliseconds linger) noexcept {
  char dropped[CHUNK];
  const int fd = connection.release();
  const long long end = now_us() + static_cast<long long>(linger.count()) * 1000;
  long long left;
  ssize_t n;

  if (fd < 0) return;
  if (shutdown(fd, SHUT_WR) < 0) goto close_it; /* ENOTCONN: nobody is there any more */

  while ((left = end - now_us()) > 0) {
    struct timeval timeout;
    timeout.tv_sec = static_cast<time_t>(left / 1000000);
    timeout.tv_usec = static_cast<suseconds_t>(left % 1000000);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) < 0) goto close_it;
    n = recv(fd, dropped, sizeof dropped, 0);
    if (n == 0 || (n < 0 && errno != EINTR)) goto close_it;
  }
  for (int look = 0; look < LAST_LOOKS; look++) {
    if (recv(fd, dropped, sizeof dropped, MSG_DONTWAIT) <= 0) break;
  }

close_it:
  close(fd);
}

}  // namespace course
