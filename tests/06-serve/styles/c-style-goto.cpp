// C style: plain ints, one clean-up label, FD_CLOEXEC by fcntl, and accept errors told apart by
// naming those that end the server instead of those that do not.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <system_error>

#include "05-endings/endings.hpp"
#include "06-serve/serve.hpp"

namespace course {

static int ends_the_server(int error) {
  return error == EBADF || error == EINVAL || error == ENOTSOCK || error == EOPNOTSUPP ||
         error == EFAULT || error == EAGAIN || error == EPERM || error == EMFILE ||
         error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

Fd listen_on(const Endpoint& where, int backlog) {
  const char* call;
  const int on = 1;
  int saved;

  int fd = socket(where.family(), SOCK_STREAM, 0);
  if (call = "socket", fd == -1) goto failed;
  if (call = "fcntl", fcntl(fd, F_SETFD, FD_CLOEXEC) == -1) goto failed;
  if (call = "setsockopt", setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -1)
    goto failed;
  if (call = "bind", bind(fd, where.data(), where.length()) == -1) goto failed;
  if (call = "listen", listen(fd, backlog) == -1) goto failed;
  return Fd(fd);

failed:
  saved = errno;
  if (fd != -1) close(fd);
  throw std::system_error(saved, std::system_category(), call + (" " + where.to_string()));
}

uint16_t local_port(int fd) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  socklen_t length = sizeof address;

  memset(&address, 0, sizeof address);
  if (getsockname(fd, &address.any, &length) == -1)
    throw std::system_error(errno, std::system_category(), "getsockname");
  return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

void serve(int listener, const Handler& handle, const std::function<bool()>& stop) {
  while (!stop()) {
    int client = accept(listener, NULL, NULL);
    if (client == -1 && ends_the_server(errno))
      throw std::system_error(errno, std::system_category(), "accept");
    if (client == -1) continue;
    fcntl(client, F_SETFD, FD_CLOEXEC);
    try {
      handle(client);
    } catch (...) {
    }
    close_gracefully(Fd(client), std::chrono::seconds(2));
  }
}

}  // namespace course
