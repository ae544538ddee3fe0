// One function, fixed sets, a small buffer, the keyboard first, goto for the way out.
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "10-two-sources/two_sources.hpp"

int course::netcat(int in, int out, int sock) {
  char buffer[512];
  int result = 1, error = 0, in_is_open = 1;
  struct sigaction ignore, before;
  memset(&ignore, 0, sizeof ignore);
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);

  for (;;) {
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(sock, &readable);
    if (in_is_open) FD_SET(in, &readable);
    const int highest = in_is_open && in > sock ? in : sock;
    if (pselect(highest + 1, &readable, NULL, NULL, NULL, NULL) < 0) {
      if (errno == EINTR) continue;
      goto failed;
    }
    if (in_is_open && FD_ISSET(in, &readable)) {
      const ssize_t got = read(in, buffer, sizeof buffer);
      if (got < 0 && errno != EINTR) goto failed;
      if (got == 0) {
        in_is_open = 0;
        shutdown(sock, SHUT_WR);
      }
      for (ssize_t sent = 0; sent < got;) {
        const ssize_t n = send(sock, buffer + sent, (size_t)(got - sent), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) goto not_sent;
        sent += n;
      }
    }
    if (FD_ISSET(sock, &readable)) {
      const ssize_t got = recv(sock, buffer, sizeof buffer, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) goto failed;
      if (got == 0) break;
      for (ssize_t done = 0; done < got;) {
        const ssize_t n = write(out, buffer + done, (size_t)(got - done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) goto failed;
        done += n;
      }
    }
  }
  result = 0;
  goto end;

not_sent:
  error = errno;
  for (;;) {
    const ssize_t got = recv(sock, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    for (ssize_t done = 0; done < got;) {
      const ssize_t n = write(out, buffer + done, (size_t)(got - done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) break;
      done += n;
    }
  }
  errno = error;

failed:
  error = errno;
end:
  sigaction(SIGPIPE, &before, NULL);
  errno = error;
  return result;
}
