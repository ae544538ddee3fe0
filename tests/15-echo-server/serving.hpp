/// @file
/// A server that takes turns, and the world around it: for lessons 15, 16 and 18.
#pragma once

#include <optional>
#include <utility>

#include "06-serve/serve.hpp"
#include "given/deadline.hpp"
#include "given/endpoint.hpp"
#include "scenario/check.hpp"

namespace grader {

/// A listening socket, handed over to a server that has step(deadline, wake_up) and connections().
template <class Server>
class Serving : public Scenario {
 public:
  ~Serving() { stop(); }

  /// Makes the server, with a listening socket of the program's own and `arguments`.
  template <class... Arguments>
  void start(Arguments... arguments) {
    run([&] {
      const auto anywhere = course::Endpoint::numeric("127.0.0.1", 0);
      server_.emplace(course::listen_on(anywhere, backlog), std::move(arguments)...);
    });
  }

  /// Lets it take turns until this virtual time, in one run. Each turn may last until then.
  void serve_until(Time end, int wake_up = -1) {
    run([&] {
      while (now() < end) server_->step(course::Deadline::after(end - now()), wake_up);
    });
  }

  /// One turn, with `time` for it.
  void step(Time time, int wake_up = -1) {
    run([&] { server_->step(course::Deadline::after(time), wake_up); });
  }

  /// Destroys it.
  void stop() {
    if (server_) run([&] { server_.reset(); });
  }

  [[nodiscard]] Server& server() { return *server_; }

  static constexpr int backlog = 300;

 private:
  std::optional<Server> server_;
};

}  // namespace grader
