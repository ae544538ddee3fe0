/// @file
/// What the checks of lesson 01 do with sockets themselves.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>

#include "01-descriptors/descriptors.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// The check's own look, even while the program runs.
inline bool is_open(int fd) {
  const Outside outside;
  return ::fcntl(fd, F_GETFD) != -1;
}

inline bool is_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

inline void send_text(int fd, const std::string& text) {
  (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

/// What has come already, at most `max` bytes of it.
inline std::string receive_text(int fd, std::size_t max) {
  std::string text(max, '\0');
  const ssize_t got = ::recv(fd, text.data(), max, MSG_DONTWAIT);
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

/// How often the program called close(fd).
inline long close_count(const Scenario& scenario, int fd) {
  const auto calls = scenario.calls("close");
  return std::count_if(calls.begin(), calls.end(),
                       [fd](const Call& call) { return call.fd == fd; });
}

inline int open_a_socket() { return ::socket(AF_UNIX, SOCK_STREAM, 0); }

/// Everything that closes what an Fd owns. Afterwards it owns nothing, so that it is closed no
/// more.
struct WayToClose {
  const char* name;
  void (*close)(int fd);
};
inline constexpr WayToClose ways_to_close[] = {
    {"The destructor", [](int fd) { const course::Fd owner(fd); }},
    {"reset()",
     [](int fd) {
       course::Fd owner(fd);
       owner.reset();
       (void)owner.release();
     }},
    {"Move assignment",
     [](int fd) {
       course::Fd owner(fd), nothing;
       owner = std::move(nothing);
       (void)owner.release();
     }},
};

inline bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }

inline bool is_sigpipe_ignored() {
  struct sigaction action {};
  ::sigaction(SIGPIPE, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

/// How many the process holds; the grader's own begin at 700.
inline int open_count() {
  int count = 0;
  for (int fd = 0; fd < 100; ++fd) count += is_open(fd) ? 1 : 0;
  return count;
}

/// The first call that failed after the `skip` calls before: "dup(3) failed with EMFILE"; else
/// empty.
inline std::string first_failure(const Scenario& scenario, std::size_t skip) {
  const auto calls = scenario.calls();
  for (std::size_t i = skip; i < calls.size(); ++i)
    if (calls[i].error != 0) return calls[i].text + " failed with " + error_name(calls[i].error);
  return {};
}

/// What is wrong when recv or send on `fd` has nothing to do for more than a virtual minute and
/// does not wait until a signal ends it; empty when it waits.
inline std::string impatience(Scenario& scenario, const char* function, int fd) {
  const bool sends = function == std::string("send");
  const std::string much(64 * 1024, '.');
  while (sends && ::send(fd, much.data(), much.size(), MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
  }
  scenario.signal_at(scenario.now() + 73s, SIGUSR1);
  const int error = scenario.run([&] {
    char byte = '.';
    const ssize_t result = sends ? ::send(fd, &byte, 1, MSG_NOSIGNAL) : ::recv(fd, &byte, 1, 0);
    return result == -1 ? errno : 0;
  });
  if (error == EINTR) return {};
  return format(
      "%s on descriptor %d gave up with %s after %s: a time limit is set (%s). Leave the "
      "sockets blocking, as socketpair makes them.",
      function, fd, error_name(error).c_str(), to_text(scenario.took()).c_str(),
      sends ? "SO_SNDTIMEO" : "SO_RCVTIMEO");
}

}  // namespace grader
