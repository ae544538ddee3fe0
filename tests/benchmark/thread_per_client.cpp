// The other answer to many clients, for comparison: a thread for each, which waits in recv.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

void serve(int client) {
  char buffer[16'384];
  for (ssize_t got; (got = ::recv(client, buffer, sizeof buffer, 0)) > 0;)
    (void)::send(client, buffer, static_cast<std::size_t>(got), MSG_NOSIGNAL);
  ::close(client);
}

}  // namespace

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
  for (;;) std::thread(serve, ::accept(listener, nullptr, nullptr)).detach();
}
