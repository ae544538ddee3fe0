// Different here: read and write. write knows no MSG_NOSIGNAL, so SIGPIPE is blocked in this thread
// for the length of the call, and one that the call raised is taken out before it is unblocked.
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"

namespace course {
namespace {

// write(2) raises its SIGPIPE in the calling thread (signal(7)), so the mask of this thread is
// enough and what the process does with SIGPIPE is not touched.
ssize_t write_without_sigpipe(int fd, cbytes data) {
  sigset_t sigpipe;
  sigset_t mask_before;
  sigset_t pending_before;
  sigemptyset(&sigpipe);
  sigaddset(&sigpipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &sigpipe, &mask_before);
  sigpending(&pending_before);

  const ssize_t written = ::write(fd, data.data(), data.size());
  const int error = errno;

  // One that was pending before belongs to somebody else and stays.
  if (written == -1 && error == EPIPE && sigismember(&pending_before, SIGPIPE) == 0) {
    const timespec at_once{};
    while (sigtimedwait(&sigpipe, nullptr, &at_once) == -1 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
  errno = error;
  return written;
}

}  // namespace

void send_all(int fd, cbytes data) {
  while (!data.empty()) {
    const ssize_t written = write_without_sigpipe(fd, data);
    if (written == -1 && errno == EINTR) continue;
    if (written == -1) throw std::system_error(errno, std::system_category(), "write");
    data = data.subspan(static_cast<std::size_t>(written));
  }
}

IoResult recv_some(int fd, bytes buffer) {
  if (buffer.empty()) return {};
  ssize_t received = 0;
  while ((received = ::read(fd, buffer.data(), buffer.size())) == -1)
    if (errno != EINTR) return {IoStatus::error, 0, {errno, std::system_category()}};
  return {received > 0 ? IoStatus::ok : IoStatus::eof, static_cast<std::size_t>(received), {}};
}

IoResult recv_exact(int fd, bytes buffer) {
  IoResult result;
  for (bytes rest = buffer; !rest.empty() && result.status == IoStatus::ok;) {
    const IoResult piece = recv_some(fd, rest);
    rest = rest.subspan(piece.bytes);
    result = {piece.status, result.bytes + piece.bytes, piece.error};
  }
  return result;
}

}  // namespace course
