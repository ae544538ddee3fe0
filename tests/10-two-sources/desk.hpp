/// @file
/// Somebody at a desk, with a keyboard and a screen, who talks to alice.
#pragma once

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <string>
#include <vector>

#include "10-two-sources/two_sources.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// How a run of netcat() ended.
struct Outcome {
  int value = -1;
  int error = 0;       ///< errno when it returned
  std::string thrown;  ///< empty: it returned

  /// "returned 1 with EPIPE in errno", "threw \"...\"": how a sentence about it goes on.
  [[nodiscard]] std::string told() const {
    if (!thrown.empty()) return "threw " + thrown;
    const std::string value_text = "returned " + std::to_string(value);
    if (value == 0) return value_text;
    return value_text + " with " + error_name(error) + " in errno" +
           (error == ENOTSOCK ? " (recv and send work on sockets only)" : "");
  }

  [[nodiscard]] bool is(int wanted) const { return thrown.empty() && value == wanted; }
  [[nodiscard]] bool is_failure(int wanted) const { return is(1) && error == wanted; }
};

/// For the process, which is the check's own.
inline void handle_sigpipe_with(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  ::sigaction(SIGPIPE, &action, nullptr);
}

/// Whether the call takes bytes, from whomever.
inline bool receives(const Call& call) {
  return call.function.rfind("re", 0) == 0 && call.text.find("MSG_PEEK") == std::string::npos;
}

/// `in` is a pipe from the keyboard (3), `out` a pipe to the screen (4), `sock` a connection to
/// alice (5).
class Desk : public Scenario {
 public:
  Peer& keyboard = peer("keyboard");
  Peer& screen = peer("screen");
  Peer& alice = peer("alice");
  int in = keyboard.pipe_to_program();
  int out = screen.pipe_from_program();
  int sock = alice.connected();

  /// Runs netcat(), and then the scripts to their end.
  Outcome netcat() {
    const Outcome outcome = netcat_alone();
    finish();
    return outcome;
  }

  /// Runs netcat(). What it wrote last may not have been read yet.
  Outcome netcat_alone() {
    Outcome outcome;
    try {
      run([&] {
        outcome.value = course::netcat(in, out, sock);
        outcome.error = errno;
      });
    } catch (const std::exception& error) {
      outcome.thrown = format("\"%s\"", error.what());
    } catch (...) {
      outcome.thrown = "what is no std::exception";
    }
    return outcome;
  }

  /// Whether the program waited for `who` alone, in a call that reads, when it was `time`.
  [[nodiscard]] bool was_reading_from(const Peer& who, Time time) const {
    const auto made = calls();
    return std::any_of(made.begin(), made.end(), [&](const Call& call) {
      return call.who == who.name() && call.began <= time && call.returned > time;
    });
  }

  /// What explains more than that something is missing: a call for sockets on a pipe, or a read
  /// that waited for one source alone. Else `advice`.
  [[nodiscard]] std::string advice_about(const Outcome& outcome, const std::string& advice) const {
    if (outcome.is_failure(ENOTSOCK)) return "Use read and write for in and out.";
    for (const Call& call : calls())
      if (receives(call) && call.returned > call.began)
        return call.text + " waited from " + to_text(call.began) + " to " + to_text(call.returned) +
               ". Ask about both sources first, and take what is there.";
    return advice;
  }
};

/// "came to alice at 0.347 s", "never came to alice": when a peer read the byte with this index.
inline std::string arrival(const Peer& who, std::size_t index) {
  const std::string where = who.name() == "screen" ? "the screen" : who.name();
  const auto time = who.received_at(index);
  return time ? "came to " + where + " at " + shown(*time) : "never came to " + where;
}

/// `size` bytes in which every value occurs, zero and 255 among them.
inline std::string all_values(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 7 + 255) % 256);
  return bytes;
}

}  // namespace grader
