/// @file
/// A server that takes turns, and the world around it: for lessons 15, 16 and 18.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "06-serve/serve.hpp"
#include "given/deadline.hpp"
#include "given/endpoint.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// Gives the socket `fd`, or those that the listener `fd` is going to accept, room for more than a
/// program may receive in a turn, so that so much can lie there (with Peer::window_to_program()).
inline void holds_much(int fd) {
  const int bytes = 1 << 20;
  ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

/// How a turn ended: it returned, or it threw.
struct TurnOutcome {
  bool has_returned = false;
  int error = 0;          ///< the errno of a std::system_error
  std::string what = {};  ///< of a std::exception

  /// "returned", `threw "accept4: Too many open files"`: how a sentence about it goes on.
  [[nodiscard]] std::string told() const {
    if (has_returned) return "returned";
    return what.empty() ? "threw what is no std::exception" : format("threw \"%s\"", what.c_str());
  }

  /// It threw a std::system_error with `code`, and its text has `call` in it.
  [[nodiscard]] bool has_thrown(int code, const std::string& call) const {
    return !has_returned && error == code && what.find(call) != std::string::npos;
  }
};

/// A listening socket, handed over to a server that has step(deadline, wake_up) and connections().
/// It is the first descriptor of the program, 3, unless the check has lent that.
template <class Server>
class Serving : public Scenario {
 public:
  ~Serving() { stop(); }

  /// Makes the server, with a listening socket of the program's own and `arguments`. `prepare` is
  /// done to the socket before that.
  template <class... Arguments>
  void start(Arguments... arguments) {
    start_with([](int) {}, std::move(arguments)...);
  }
  template <class... Arguments>
  void start_with(const std::function<void(int listener)>& prepare, Arguments... arguments) {
    run([&] {
      const auto anywhere = course::Endpoint::numeric("127.0.0.1", 0);
      course::Fd listener = course::listen_on(anywhere, backlog);
      listener_ = listener.get();
      prepare(listener_);
      server_.emplace(std::move(listener), std::move(arguments)...);
    });
  }

  /// Lets it take turns until this virtual time, in one run. Each turn may last until then.
  void serve_until(Time end, int wake_up = -1) {
    run([&] {
      while (now() < end) take_turn(end - now(), wake_up);
    });
  }

  /// One turn, with `time` for it.
  void step(Time time, int wake_up = -1) {
    run([&] { take_turn(time, wake_up); });
  }

  /// The same two for turns that may throw; serving ends with the first that does.
  TurnOutcome try_serve_until(Time end, int wake_up = -1) {
    return outcome_of([&] { serve_until(end, wake_up); });
  }
  TurnOutcome try_step(Time time, int wake_up = -1) {
    return outcome_of([&] { step(time, wake_up); });
  }

  /// Destroys it.
  void stop() {
    if (server_) run([&] { server_.reset(); });
  }

  [[nodiscard]] Server& server() { return *server_; }

  /// The number of its listening socket.
  [[nodiscard]] int listener() const { return listener_; }

  /// How many clients it says are connected.
  [[nodiscard]] std::size_t connections() {
    return run([&] { return server_->connections(); });
  }

  /// How many it has accepted and not closed.
  [[nodiscard]] std::size_t open_clients() const {
    return open_count("accept()") + open_count("accept4()");
  }

  /// How many turns it has begun.
  [[nodiscard]] std::size_t turns() const { return turns_; }

  static constexpr int backlog = 300;

 private:
  void take_turn(Time time, int wake_up) {
    ++turns_;
    server_->step(course::Deadline::after(time), wake_up);
  }

  template <class Turns>
  static TurnOutcome outcome_of(const Turns& turns) {
    try {
      turns();
      return {.has_returned = true};
    } catch (const std::system_error& error) {
      return {.error = error.code().value(), .what = error.what()};
    } catch (const std::exception& error) {
      return {.what = error.what()};
    } catch (...) {
      return {};
    }
  }

  std::optional<Server> server_;
  int listener_ = -1;
  std::size_t turns_ = 0;
};

}  // namespace grader
