/// @file
/// A GuardedChatServer and its guests.
#pragma once

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "../15-echo-server/serving.hpp"
#include "18-overload-and-shutdown/overload_and_shutdown.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

constexpr const char* full = "! full: try again later\n";
constexpr const char* prompt = "* your name?\n";
constexpr const char* goodbye = "* the server is closing: goodbye\n";

/// What somebody who comes into an empty room gets.
inline std::string welcome(const std::string& others = " nobody else") {
  return std::string(prompt) + "* here:" + others + "\n";
}

class Guarded : public Serving<course::GuardedChatServer> {
 public:
  explicit Guarded(course::Limits limits = {}) { start(limits); }

  /// Somebody who connects at this time and says its name at once.
  Peer& guest(const std::string& name, Time time) {
    return peer(name).at(time).connects().sends(name + "\n");
  }

  /// Lets it take turns, each with `time`, until this virtual time has come.
  void take_turns_of(Time time, Time end, int wake_up) {
    run([&] {
      while (now() < end) server().step(course::Deadline::after(time), wake_up);
    });
  }

  /// shutdown() with this much time; returns what it returns.
  std::size_t shut_down(Time time, int hurry = -1) {
    return run([&] { return server().shutdown(course::Deadline::after(time), hurry); });
  }

  std::size_t connections() {
    return run([&] { return server().connections(); });
  }

  /// How many it has accepted by now, those included that it has refused.
  [[nodiscard]] std::size_t accepted() const {
    std::size_t count = 0;
    for (const char* function : {"accept", "accept4"})
      for (const Call& call : calls(function)) count += call.error == 0 ? 1 : 0;
    return count;
  }

  /// The listener is the first descriptor that the program opened.
  [[nodiscard]] bool is_listening() const {
    const std::vector<int> open = open_descriptors();
    return std::find(open.begin(), open.end(), listener) != open.end();
  }

  /// When accept failed with `error`.
  [[nodiscard]] std::vector<Time> failed_accepts(int error) const {
    std::vector<Time> times;
    for (const char* function : {"accept", "accept4"})
      for (const Call& call : calls(function))
        if (call.error == error) times.push_back(call.began);
    return times;
  }

  static constexpr int listener = 3;
};

/// Whether a peer got this and nothing else; `why` says what had happened before.
inline bool expect_received(const Peer& who, const std::string& wanted, const std::string& why,
                            Where where = Where::here()) {
  return expect_equal(who.received(), wanted, why, where);
}

/// Whether a peer's connection was closed by an end, and not by a reset.
inline bool expect_end(const Peer& who, const std::string& advice, Where where = Where::here()) {
  const std::string start =
      who.name() + (who.saw_a_reset() ? " saw a reset" : " saw no end") + " of the connection. ";
  return expect_that(who.saw_the_end() && !who.saw_a_reset(), start + advice, where);
}

}  // namespace grader
