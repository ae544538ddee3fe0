// Built from the functions of earlier lessons, whose exceptions end the conversation.
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "05-endings/endings.hpp"
#include "08-three-lists/three_lists.hpp"
#include "10-two-sources/two_sources.hpp"

namespace course {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::system_category(), what);
}

class SendFailed : public std::system_error {
 public:
  using std::system_error::system_error;
};

bool is_ready(const Ready& ready, int fd) {
  return std::find(ready.readable.begin(), ready.readable.end(), fd) != ready.readable.end();
}

Ready wait_for(std::span<const int> sources, std::optional<Duration> timeout) {
  for (;;) try {
      return select_on(sources, {}, {}, timeout);
    } catch (const std::system_error& error) {
      if (error.code().value() != EINTR) throw;
    }
}

void print(int out, cbytes text) {
  while (!text.empty()) {
    const ssize_t n = ::write(out, text.data(), text.size());
    if (n < 0 && errno != EINTR) fail("write");
    if (n > 0) text = text.subspan(static_cast<std::size_t>(n));
  }
}

// False at the end.
bool receive_and_print(int sock, int out) {
  std::byte buffer[8192];
  const IoResult got = recv_some(sock, buffer);
  if (got.status == IoStatus::error) throw std::system_error(got.error, "recv");
  print(out, cbytes(buffer).first(got.bytes));
  return got.status == IoStatus::ok;
}

bool read_and_send(int in, int sock) {
  std::byte buffer[8192];
  ssize_t n;
  while ((n = ::read(in, buffer, sizeof buffer)) < 0)
    if (errno != EINTR) fail("read");
  try {
    if (n > 0) send_all(sock, cbytes(buffer).first(static_cast<std::size_t>(n)));
  } catch (const std::system_error& error) {
    throw SendFailed(error.code());
  }
  return n > 0;
}

void converse(int in, int out, int sock) {
  std::vector<int> sources{in, sock};
  for (;;) {
    const Ready ready = wait_for(sources, std::nullopt);
    if (is_ready(ready, in) && !read_and_send(in, sock)) {
      sources = {sock};
      try {
        finish_sending(sock);
      } catch (const std::system_error&) {
        // Receiving will tell.
      }
    }
    if (is_ready(ready, sock) && !receive_and_print(sock, out)) return;
  }
}

void print_what_has_come(int sock, int out) {
  try {
    const int sources[] = {sock};
    while (!wait_for(sources, 0s).readable.empty() && receive_and_print(sock, out)) {
    }
  } catch (const std::system_error&) {
    // The first failure is the one to tell.
  }
}

}  // namespace

int netcat(int in, int out, int sock) {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGPIPE, &ignore, &before);
  int error = 0;
  try {
    converse(in, out, sock);
  } catch (const SendFailed& failure) {
    error = failure.code().value();
    print_what_has_come(sock, out);
  } catch (const std::system_error& failure) {
    error = failure.code().value();
  }
  ::sigaction(SIGPIPE, &before, nullptr);
  errno = error;
  return error == 0 ? 0 : 1;
}

}  // namespace course
