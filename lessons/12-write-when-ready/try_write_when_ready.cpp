// A netcat that never waits in a send, and a relay between two connections.
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <string>
#include <system_error>
#include <vector>

#include "02-connect/connect.hpp"
#include "06-serve/serve.hpp"
#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"

namespace {

constexpr const char* usage =
    "usage: try_write_when_ready --connect HOST:PORT [--without-queue]\n"
    "       try_write_when_ready --listen PORT [--without-queue]\n"
    "       try_write_when_ready --listen PORT --connect HOST:PORT\n"
    "\n"
    "With one of the two, a netcat: carries standard input to the network, and the network\n"
    "to standard output, until the peer has finished. With both, a relay: waits for a caller,\n"
    "connects, and passes on what each of the two says, until both have finished.\n"
    "  --connect HOST:PORT  call there; HOST may be a name or a numeric address\n"
    "  --listen PORT        wait at 127.0.0.1 for one caller; 0: the kernel chooses the port\n"
    "  --without-queue      do without OutQueue: what try_send of lesson 11 does not take\n"
    "                       of standard input is dropped\n"
    "\n"
    "Exit status: 0 finished, 1 something failed, 2 wrong usage.\n";

constexpr std::size_t piece_bytes = 16'384;
constexpr std::size_t waiting_max_bytes = 65'536;

/// Lesson 10's netcat, which does not wait for anybody but in select. Standard input and output are
/// the shell's too: they stay in blocking mode, and are used only when they are ready.
class Netcat {
 public:
  Netcat(int sock, bool with_queue) : sock_(sock), with_queue_(with_queue) {}

  void run() {
    while (peer_talks_ || !for_screen_.empty()) take_a_turn();
    if (dropped_bytes_ > 0) std::fprintf(stderr, "%zu bytes were dropped\n", dropped_bytes_);
    if (failure_) throw std::system_error(failure_, "send");
  }

 private:
  [[nodiscard]] std::size_t waiting_for_peer() const { return with_queue_ ? for_peer_.size() : 0; }

  void take_a_turn() {
    std::vector<int> readers, writers;
    if (in_is_open_ && waiting_for_peer() < waiting_max_bytes) readers.push_back(STDIN_FILENO);
    if (peer_talks_ && for_screen_.size() < waiting_max_bytes) readers.push_back(sock_);
    if (waiting_for_peer() > 0) writers.push_back(sock_);
    if (!for_screen_.empty()) writers.push_back(STDOUT_FILENO);
    const auto ready = course::select_until(readers, writers, {}, course::Deadline::never());
    const auto contains = [](const std::vector<int>& list, int fd) {
      return std::find(list.begin(), list.end(), fd) != list.end();
    };
    if (contains(ready.readable, sock_)) receive();
    if (contains(ready.readable, STDIN_FILENO)) read_and_send();
    if (contains(ready.writable, sock_)) flush();
    if (contains(ready.writable, STDOUT_FILENO)) write();
    if (!in_is_open_ && !is_told_ && waiting_for_peer() == 0) {
      (void)::shutdown(sock_, SHUT_WR);  // ENOTCONN: what is received tells
      is_told_ = true;
    }
  }

  void receive() {
    std::array<std::byte, piece_bytes> buffer;
    const course::IoResult result = course::try_recv(sock_, buffer);
    for_screen_ += course::as_text(course::cbytes(buffer).first(result.bytes));
    if (result.status == course::IoStatus::error && !failure_) failure_ = result.error;
    const bool has_ended =
        result.status == course::IoStatus::error || result.status == course::IoStatus::eof;
    if (has_ended) peer_talks_ = in_is_open_ = false;
  }

  void read_and_send() {
    std::array<std::byte, piece_bytes> buffer;
    const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got == -1 && errno == EINTR) return;
    if (got == -1) throw std::system_error(errno, std::system_category(), "read");
    in_is_open_ = got > 0;
    const auto data = course::cbytes(buffer).first(static_cast<std::size_t>(got));
    if (with_queue_) {
      for_peer_.push(data);
      return flush();
    }
    const course::IoResult result = course::try_send(sock_, data);
    dropped_bytes_ += data.size() - result.bytes;
    note(result);
  }

  void flush() { note(for_peer_.flush(sock_)); }

  // The peer cannot be told anything any more; what it has said may still be there.
  void note(const course::IoResult& result) {
    if (result.status != course::IoStatus::error) return;
    if (!failure_) failure_ = result.error;
    in_is_open_ = false;
    is_told_ = true;
    for_peer_ = {};
  }

  // Of a pipe that select calls writable so much fits (pipe(7)).
  void write() {
    const std::size_t size = std::min<std::size_t>(for_screen_.size(), PIPE_BUF);
    const ssize_t written = ::write(STDOUT_FILENO, for_screen_.data(), size);
    if (written == -1 && errno == EINTR) return;
    if (written == -1) throw std::system_error(errno, std::system_category(), "write");
    for_screen_.erase(0, static_cast<std::size_t>(written));
  }

  int sock_;
  bool with_queue_;
  course::OutQueue for_peer_{};
  std::string for_screen_{};
  bool in_is_open_ = true, peer_talks_ = true, is_told_ = false;
  std::size_t dropped_bytes_ = 0;
  std::error_code failure_{};
};

void pass_on(int caller, int target) {
  const auto began = std::chrono::steady_clock::now();
  course::relay(caller, target);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::fprintf(stderr, "both have finished after %.1f s, of which %.1f s were work\n", took.count(),
               static_cast<double>(std::clock()) / CLOCKS_PER_SEC);
}

[[noreturn]] void refuse(const char* what, const std::string& text) {
  std::fprintf(stderr, "try_write_when_ready: %s: %s\n", what, text.c_str());
  std::exit(2);
}

std::uint16_t parse_port(const std::string& text) {
  std::uint16_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || *stop != '\0') refuse("not a port from 0 to 65535", text);
  return port;
}

course::Fd call(const std::string& target) {
  const auto colon = target.rfind(':');
  if (colon == std::string::npos || colon == 0) refuse("not HOST:PORT", target);
  std::string host = target.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::uint16_t port = parse_port(target.substr(colon + 1));
  course::Fd connection = course::connect_to(host, std::to_string(port));
  std::fprintf(stderr, "connected to %s\n", target.c_str());
  course::set_nonblocking(connection.get(), true);
  return connection;
}

course::Fd wait_for_a_caller(std::uint16_t port) {
  const auto here = [](std::uint16_t at) { return course::Endpoint::numeric("127.0.0.1", at); };
  const course::Fd listener = course::listen_on(here(port), 1);
  const auto bound = here(course::local_port(listener.get()));
  std::fprintf(stderr, "listening on %s\n", bound.to_string().c_str());
  sockaddr_storage storage{};
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  socklen_t length = sizeof storage;
  const int caller = ::accept4(listener.get(), address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (caller == -1) throw std::system_error(errno, std::system_category(), "accept");
  std::fprintf(stderr, "%s has called\n", course::Endpoint(address, length).to_string().c_str());
  return course::Fd(caller);
}

}  // namespace

int main(int argc, char* argv[]) {
  const option names[] = {{"connect", required_argument, nullptr, 'c'},
                          {"listen", required_argument, nullptr, 'l'},
                          {"without-queue", no_argument, nullptr, 'w'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  std::string target, port;
  bool with_queue = true;
  for (int found; (found = getopt_long(argc, argv, "", names, nullptr)) != -1;) {
    if (found == 'c') target = optarg;
    if (found == 'l') port = optarg;
    if (found == 'w') with_queue = false;
    if (found == 'h') return std::fputs(usage, stdout) < 0;
    if (found == '?') return 2;
  }
  const bool is_relay = !target.empty() && !port.empty();
  if (optind < argc || (target.empty() && port.empty()) || (is_relay && !with_queue))
    return std::fputs(usage, stderr), 2;
  ::signal(SIGPIPE, SIG_IGN);  // for standard output: writing there says EPIPE
  try {
    const course::Fd caller = port.empty() ? course::Fd() : wait_for_a_caller(parse_port(port));
    const course::Fd callee = target.empty() ? course::Fd() : call(target);
    if (is_relay)
      pass_on(caller.get(), callee.get());
    else
      Netcat(port.empty() ? callee.get() : caller.get(), with_queue).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "try_write_when_ready: %s\n", error.what());
    return 1;
  }
}
