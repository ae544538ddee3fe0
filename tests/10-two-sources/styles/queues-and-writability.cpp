// Never waits in a write: what does not fit is kept, and reading pauses meanwhile. So it does not
// know the limit that the lesson allows.
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <optional>
#include <string>

#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

struct Queue {
  static constexpr std::size_t most = 65'536;
  std::string bytes;
  bool has_ended = false;
  [[nodiscard]] bool wants_more() const { return !has_ended && bytes.size() < most; }
};

class Conversation {
 public:
  Conversation(int in, int out, int sock) : in_(in), out_(out), sock_(sock) {}

  int run() {
    std::optional<int> result;
    while (!result) result = turn();
    return *result;
  }

 private:
  std::optional<int> turn() {
    fd_set reading, writing;
    FD_ZERO(&reading);
    FD_ZERO(&writing);
    if (to_peer_.wants_more()) FD_SET(in_, &reading);
    if (to_screen_.wants_more()) FD_SET(sock_, &reading);
    if (!to_peer_.bytes.empty()) FD_SET(sock_, &writing);
    if (!to_screen_.bytes.empty()) FD_SET(out_, &writing);
    if (select(std::max({in_, out_, sock_}) + 1, &reading, &writing, nullptr, nullptr) == -1)
      return errno == EINTR ? std::nullopt : std::optional(1);
    if (FD_ISSET(sock_, &reading) && !take(sock_, to_screen_)) give_up_connection();
    if (FD_ISSET(in_, &reading) && !take(in_, to_peer_)) return 1;
    if (FD_ISSET(out_, &writing) && !write_some()) return 1;
    if (FD_ISSET(sock_, &writing) && !to_peer_.bytes.empty()) send_some();
    if (to_peer_.has_ended && to_peer_.bytes.empty() && !is_told_) {
      is_told_ = true;
      shutdown(sock_, SHUT_WR);
    }
    if (!to_screen_.has_ended || !to_screen_.bytes.empty()) return std::nullopt;
    if (error_ == 0) return 0;
    errno = error_;
    return 1;
  }

  static bool take(int fd, Queue& queue) {
    char buffer[16'384];
    const ssize_t got = read(fd, buffer, sizeof buffer);
    if (got == -1) return errno == EINTR;
    if (got == 0) queue.has_ended = true;
    queue.bytes.append(buffer, static_cast<std::size_t>(got));
    return true;
  }

  // A pipe that select calls writable has room for so much (pipe(7)).
  bool write_some() {
    const ssize_t written = write(out_, to_screen_.bytes.data(),
                                  std::min<std::size_t>(to_screen_.bytes.size(), PIPE_BUF));
    if (written == -1) return errno == EINTR;
    to_screen_.bytes.erase(0, static_cast<std::size_t>(written));
    return true;
  }

  void send_some() {
    const ssize_t sent =
        send(sock_, to_peer_.bytes.data(), to_peer_.bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) to_peer_.bytes.erase(0, static_cast<std::size_t>(sent));
    if (sent == -1 && errno != EINTR && errno != EAGAIN) {
      give_up_connection();
      take_the_rest();
    }
  }

  // What the peer has sent is still written; nothing more is read from anybody.
  void give_up_connection() {
    error_ = errno;
    to_peer_ = {{}, true};
    to_screen_.has_ended = true;
    is_told_ = true;
  }

  void take_the_rest() {
    char buffer[16'384];
    for (;;) {
      const ssize_t got = recv(sock_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (got == -1 && errno == EINTR) continue;
      if (got <= 0) return;
      to_screen_.bytes.append(buffer, static_cast<std::size_t>(got));
    }
  }

  int in_, out_, sock_;
  Queue to_peer_, to_screen_;
  bool is_told_ = false;
  int error_ = 0;
};

}  // namespace

int netcat(int in, int out, int sock) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  const int result = Conversation(in, out, sock).run();
  const int error = errno;
  sigaction(SIGPIPE, &before, nullptr);
  errno = error;
  return result;
}

}  // namespace course
