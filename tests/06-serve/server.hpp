/// @file
/// A server's world: its listening socket, its turn, and what came of it.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

#include "06-serve/serve.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

inline course::Endpoint loopback(std::uint16_t port) {
  return course::Endpoint::numeric("127.0.0.1", port);
}

/// How a run ended: it returned, or it threw.
struct Ending {
  bool has_returned = false;
  int error = 0;     ///< the errno of a std::system_error
  std::string what;  ///< of a std::exception

  /// "returned", "threw \"accept: Bad file descriptor\"": how a sentence about it goes on.
  [[nodiscard]] std::string told() const {
    if (has_returned) return "returned";
    return what.empty() ? "threw what is no std::exception" : format("threw \"%s\"", what.c_str());
  }
};

/// Runs `program` in `scenario`.
template <class Program>
Ending ending_of(Scenario& scenario, Program program) {
  try {
    scenario.run(program);
    return {true, 0, {}};
  } catch (const std::system_error& error) {
    return {false, error.code().value(), error.what()};
  } catch (const std::exception& error) {
    return {false, 0, error.what()};
  } catch (...) {
    return {};
  }
}

/// The address of `fd`, as the program sees it; for use inside a run.
inline course::Endpoint bound_address(int fd) {
  sockaddr_storage storage{};
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  socklen_t length = sizeof storage;
  if (::getsockname(fd, address, &length) != 0) return {};
  return {address, length};
}

/// A socket bound to port 0 of `host`, which listens if `listens`; for use inside a run.
inline int bound_socket(const char* host, bool listens) {
  const auto where = course::Endpoint::numeric(host, 0);
  const int fd = ::socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  ::bind(fd, where.data(), where.length());
  if (listens) ::listen(fd, 8);
  return fd;
}

/// What comes from `fd` next, at most `max` bytes; empty at the end. Throws when it fails, as any
/// handler might.
inline std::string receive_text(int fd, std::size_t max = 64) {
  std::string text(max, '\0');
  const ssize_t got = ::recv(fd, text.data(), text.size(), 0);
  if (got < 0) throw std::system_error(errno, std::system_category(), "recv");
  text.resize(static_cast<std::size_t>(got));
  return text;
}

inline void send_text(int fd, const std::string& text) {
  (void)::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

/// Receives once and sends it back.
inline void answer_once(int client) { send_text(client, receive_text(client)); }

/// Whether closing a descriptor that is not open fails a check.
enum class Closes { overlooked, judged };

/// A scenario with a listening socket at a port of 127.0.0.1, made without listen_on(), so that
/// serve() is judged by itself. How descriptors are closed is one check's subject; the others look
/// away.
class ServerScenario : public Scenario {
 public:
  explicit ServerScenario(Closes closes = Closes::overlooked)
      : listener(run([] { return bound_socket("127.0.0.1", true); })) {
    allow_open_descriptors();
    if (closes == Closes::overlooked) allow_bad_closes();
  }

  const int listener;
  bool is_stopping = false;  ///< what stop() says

  /// A client that connects, says hello, and closes when the conversation has been ended.
  Peer& caller(const std::string& name, Time comes = {}) {
    return peer(name).at(comes).connects().sends("hello").sees_the_end().closes();
  }

  /// Runs serve() until is_stopping.
  Ending serve(const course::Handler& handle) {
    return serve(listener, handle, [this] { return is_stopping; });
  }
  Ending serve(int fd, const course::Handler& handle, const std::function<bool()>& stop) {
    return ending_of(*this, [&] { course::serve(fd, handle, stop); });
  }

  /// The program's calls of accept and accept4 that returned `error`; 0: a client.
  [[nodiscard]] std::size_t accepts(int error) const {
    std::size_t count = 0;
    for (const char* function : {"accept", "accept4"})
      for (const Call& call : calls(function)) count += call.error == error ? 1 : 0;
    return count;
  }

  /// The program's calls of accept and accept4.
  [[nodiscard]] std::size_t accept_calls() const {
    return calls("accept").size() + calls("accept4").size();
  }

  /// Clients that have been accepted and not closed.
  [[nodiscard]] std::size_t open_clients() const {
    return open_count("accept()") + open_count("accept4()");
  }
};

/// What listen_on() leaves open is one check's subject; the others look away.
class TolerantScenario : public Scenario {
 public:
  TolerantScenario() { allow_open_descriptors(); }
};

inline bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline bool closes_on_exec(int fd) { return (::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0; }
inline bool is_blocking(int fd) { return (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

inline bool has_timeout(int fd) {
  timeval timeout{};
  socklen_t length = sizeof timeout;
  ::getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, &length);
  return timeout.tv_sec != 0 || timeout.tv_usec != 0;
}

inline bool is_listening(int fd) {
  int listens = 0;
  socklen_t length = sizeof listens;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens != 0;
}

inline bool has_set(const Scenario& scenario, const char* option) {
  const auto calls = scenario.calls("setsockopt");
  return std::any_of(calls.begin(), calls.end(),
                     [option](const Call& call) { return says(call.text, option); });
}

inline bool has_failed(const Scenario& scenario, const char* function) {
  const auto calls = scenario.calls(function);
  return std::any_of(calls.begin(), calls.end(), [](const Call& call) { return call.error != 0; });
}

inline bool has_said(const Scenario& scenario, const char* function, int error) {
  const auto calls = scenario.calls(function);
  return std::any_of(calls.begin(), calls.end(),
                     [error](const Call& call) { return call.error == error; });
}

}  // namespace grader
