// The least that an echo server on select can do, for comparison: one select, one recv and one send
// a message, and no thought of anything that may go wrong. tests/survival kills it in many ways.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

int main(int argc, char* argv[]) {
  if (argc != 5) return 2;  // --port N --bind ADDRESS
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<in_port_t>(std::atoi(argv[2])));
  ::inet_pton(AF_INET, argv[4], &address.sin_addr);
  socklen_t length = sizeof address;
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == -1 ||
      ::listen(listener, SOMAXCONN) == -1 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == -1)
    return 1;
  std::printf("listening on %s:%d\n", argv[4], ntohs(address.sin_port));
  std::fflush(stdout);

  fd_set watched;
  FD_ZERO(&watched);
  FD_SET(listener, &watched);
  for (int highest = listener;;) {
    fd_set readable = watched;
    if (::select(highest + 1, &readable, nullptr, nullptr, nullptr) == -1) return 1;
    for (int fd = listener + 1; fd <= highest; ++fd) {
      if (!FD_ISSET(fd, &readable)) continue;
      char buffer[16'384];
      const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got > 0) {
        (void)::send(fd, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
      } else {
        ::close(fd);
        FD_CLR(fd, &watched);
      }
    }
    if (!FD_ISSET(listener, &readable)) continue;
    const int client = ::accept(listener, nullptr, nullptr);
    if (client >= FD_SETSIZE) return 1;
    FD_SET(client, &watched);
    highest = std::max(highest, client);
  }
}
