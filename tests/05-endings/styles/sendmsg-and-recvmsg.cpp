// Different: sendmsg and recvmsg with two buffers at a time, wrapped in a small class; what is to
// be dropped is thrown away inside the kernel where it can be (MSG_TRUNC on TCP, tcp(7)).
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <utility>

#include "05-endings/endings.hpp"

namespace course {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::steady_clock;

class Conversation {
 public:
  explicit Conversation(int fd) : fd_(fd) {}

  // 0 or errno. Taken by value: subspan() below is this function's own affair.
  int say(cbytes words) {
    while (!words.empty()) {
      iovec part{const_cast<std::byte*>(words.data()), words.size()};
      msghdr message{};
      message.msg_iov = &part;
      message.msg_iovlen = 1;
      const ssize_t taken = ::sendmsg(fd_, &message, MSG_NOSIGNAL);
      if (taken == -1 && errno != EINTR) return errno;
      if (taken > 0) words = words.subspan(static_cast<std::size_t>(taken));
    }
    return 0;
  }

  int finish() { return ::shutdown(fd_, SHUT_WR) == 0 ? 0 : errno; }

  // The count, 0 at the end of the stream, or -errno.
  ssize_t hear(std::string& words) {
    std::array<iovec, 2> parts{iovec{first_.data(), first_.size()},
                               iovec{second_.data(), second_.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    ssize_t count = -1;
    do count = ::recvmsg(fd_, &message, 0);
    while (count == -1 && errno == EINTR);
    if (count == -1) return -errno;
    const auto bytes = static_cast<std::size_t>(count);
    words.append(first_.data(), std::min(bytes, first_.size()));
    if (bytes > first_.size()) words.append(second_.data(), bytes - first_.size());
    return count;
  }

 private:
  int fd_;
  std::array<char, 100> first_{};
  std::array<char, 4000> second_{};
};

// One read into the void; `wait` of zero: without waiting.
ssize_t drop(int fd, nanoseconds wait) noexcept {
  char rubbish[1024];
  if (wait <= nanoseconds::zero()) {
    return ::recv(fd, rubbish, sizeof rubbish, MSG_TRUNC | MSG_DONTWAIT);
  }
  const auto rounded = std::chrono::ceil<std::chrono::microseconds>(wait).count();
  const timeval timeout{rounded / 1'000'000, rounded % 1'000'000};
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) != 0) return -1;
  return ::recv(fd, rubbish, sizeof rubbish, MSG_TRUNC);
}

}  // namespace

void finish_sending(int fd) {
  const int why = Conversation(fd).finish();
  if (why != 0) throw std::system_error(why, std::system_category(), "shutdown");
}

IoResult read_to_eof(int fd, std::string& received) {
  Conversation peer(fd);
  std::size_t total = 0;
  ssize_t count = 0;
  while ((count = peer.hear(received)) > 0) total += static_cast<std::size_t>(count);
  switch (-count) {
    case 0:
      return {IoStatus::eof, total, {}};
    case EAGAIN:
      return {IoStatus::timed_out, total, {}};
    default:
      return {IoStatus::error, total, {static_cast<int>(-count), std::system_category()}};
  }
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  Conversation peer(fd);
  const int why = peer.say(request);
  if (why == 0) (void)peer.finish();
  if (why != 0 && why != EPIPE && why != ECONNRESET) {
    return {IoStatus::error, 0, {why, std::system_category()}};
  }
  IoResult answer = read_to_eof(fd, reply);
  if (why != 0) answer = {IoStatus::error, answer.bytes, {why, std::system_category()}};
  return answer;
}

void close_gracefully(Fd connection, milliseconds linger) noexcept {
  const Fd doomed = std::move(connection);  // closes at the end of this function, not the caller's
  const auto started = steady_clock::now();
  (void)::shutdown(doomed.get(), SHUT_WR);

  int looks_left = 65536;  // after the time is up: a full receive buffer's worth, not for ever
  while (looks_left > 0) {
    const nanoseconds left = linger - (steady_clock::now() - started);
    if (left <= nanoseconds::zero()) --looks_left;
    const ssize_t count = drop(doomed.get(), left);
    if (count == 0) return;
    if (count == -1 && errno != EINTR) return;
  }
}

}  // namespace course
