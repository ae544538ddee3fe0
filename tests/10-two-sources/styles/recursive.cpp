// No loop over the turns: each turn calls the next.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

struct World {
  int in, out, sock;
  char buffer[2048];
};

ssize_t take(int fd, World& world) {
  const ssize_t got = read(fd, world.buffer, sizeof world.buffer);
  return got == -1 && errno == EINTR ? take(fd, world) : got;
}

bool give(int fd, const char* data, ssize_t size) {
  if (size <= 0) return true;
  const ssize_t written = write(fd, data, static_cast<size_t>(size));
  if (written == -1) return errno == EINTR && give(fd, data, size);
  return give(fd, data + written, size - written);
}

int look(World& world, int in, int timeout_ms, short& in_found, short& sock_found) {
  pollfd entries[] = {{world.sock, POLLIN, 0}, {in, POLLIN, 0}};
  const int count = poll(entries, 2, timeout_ms);
  if (count == -1 && errno == EINTR) return look(world, in, timeout_ms, in_found, sock_found);
  sock_found = entries[0].revents;
  in_found = entries[1].revents;
  return count;
}

// What has come, and no more.
void give_last_words(World& world) {
  short in_found = 0, sock_found = 0;
  if (look(world, -1, 0, in_found, sock_found) != 1) return;
  const ssize_t got = take(world.sock, world);
  if (got > 0 && give(world.out, world.buffer, got)) give_last_words(world);
}

int talk(World& world, int in) {
  short in_found = 0, sock_found = 0;
  if (look(world, in, -1, in_found, sock_found) == -1) return errno;
  if (sock_found != 0) {
    const ssize_t got = take(world.sock, world);
    if (got == 0) return 0;
    if (got == -1 || !give(world.out, world.buffer, got)) return errno;
  }
  if (in_found == 0) return talk(world, in);
  const ssize_t got = take(in, world);
  if (got == -1) return errno;
  if (got == 0) {
    shutdown(world.sock, SHUT_WR);
    return talk(world, -1);
  }
  if (give(world.sock, world.buffer, got)) return talk(world, in);
  const int error = errno;
  give_last_words(world);
  return error;
}

void do_nothing(int) {}

}  // namespace

// With a handler of its own, SIGPIPE does no harm either.
int netcat(int in, int out, int sock) {
  struct sigaction harmless {
  }, before{};
  harmless.sa_handler = do_nothing;
  harmless.sa_flags = SA_RESTART;
  sigaction(SIGPIPE, &harmless, &before);
  World world{in, out, sock, {}};
  const int error = talk(world, in);
  sigaction(SIGPIPE, &before, nullptr);
  errno = error;
  return error == 0 ? 0 : 1;
}

}  // namespace course
