/// @file
/// alice and bob, who talk to each other through the relay.
#pragma once

#include <algorithm>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "12-write-when-ready/write_when_ready.hpp"
#include "runner/check_process.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"
#include "sockets.hpp"

namespace grader {

/// How a run of relay() ended.
struct Outcome {
  bool has_returned = false;
  std::error_code code{};  ///< of the std::system_error that it threw
  std::string what{};      ///< of that std::system_error
  std::string other{};     ///< what else it threw

  /// "returned", "threw ECONNRESET", ...: how a sentence about it goes on.
  [[nodiscard]] std::string told() const {
    if (has_returned) return "returned";
    return "threw " + (other.empty() ? named(code) : other);
  }
  [[nodiscard]] bool has_thrown(int error) const {
    return !has_returned && other.empty() && is_errno(code, error);
  }
  /// Whether what() has one of these words, each a part of a call's name.
  [[nodiscard]] bool names(const std::vector<std::string_view>& words) const {
    return std::any_of(words.begin(), words.end(), [this](std::string_view word) {
      return what.find(word) != std::string::npos;
    });
  }
};

/// `a` is a connection to alice (3), `b` one to bob (4), both in non-blocking mode.
class Between : public Scenario {
 public:
  Peer& alice = peer("alice");
  Peer& bob = peer("bob");
  int a = made_nonblocking(alice.connected());
  int b = made_nonblocking(bob.connected());

  /// `is_swapped`: relay() gets bob's socket as its `a`, and alice's as its `b`.
  explicit Between(bool is_swapped = false) : is_swapped_(is_swapped) {
    diagnoses([this] { return diagnosis() + (is_swapped_ ? roles_note : ""); });
    if (is_swapped) put(current_recording().hint, std::string(roles_note).substr(1));
  }

  /// Runs relay(), and then the scripts to their end.
  Outcome relay(course::WaterMarks marks = {}) {
    const Outcome outcome = relay_alone(marks);
    finish();
    return outcome;
  }

  /// Runs relay(). The scripts may not have come to their end then.
  Outcome relay_alone(course::WaterMarks marks = {}) {
    marks_ = marks;
    Outcome outcome;
    try {
      run([&] { is_swapped_ ? course::relay(b, a, marks) : course::relay(a, b, marks); });
      outcome.has_returned = true;
    } catch (const std::system_error& error) {
      outcome.code = error.code();
      outcome.what = error.what();
    } catch (const std::exception& error) {
      outcome.other = format("\"%s\", which has no errno", error.what());
    } catch (...) {
      outcome.other = "what is no std::exception";
    }
    return outcome;
  }

  /// How many bytes relay() has received from this peer by now.
  static std::uint64_t received_from(Peer& who) { return who.connection().program_read; }

  /// How many of them it has not sent to the other yet.
  static std::uint64_t waiting(Peer& from, Peer& to) {
    const std::uint64_t sent = to.connection().program_sent;
    return received_from(from) - std::min(received_from(from), sent);
  }

 private:
  // What the last wait tells about one direction, when it was the end of the check.
  std::string diagnosis_of(const WaitingCall& wait, Peer& from, int from_fd, Peer& to, int to_fd) {
    const auto has = [](const std::vector<int>& fds, int fd) {
      return std::find(fds.begin(), fds.end(), fd) != fds.end();
    };
    const auto waits = static_cast<std::size_t>(waiting(from, to));
    const auto unread = static_cast<std::size_t>(from.connection().peer_sent - received_from(from));
    const bool is_over = to.connection().peer_reset || from.connection().peer_reset ||
                         to.connection().reset_expected;
    const bool sleeps = wait.returned < Time{};
    const bool has_news =
        unread > 0 || (from.connection().peer_finished && !from.connection().end_was_read);
    const std::string bytes = byte_count(waits) + (waits == 1 ? " waits" : " wait");
    if (is_over) return {};
    if (has(wait.found.writing, to_fd) && waits == 0)
      return format(
          "Nothing waits for %s, and you watch %d for writing: a socket with room is "
          "always ready for that. Watch it only while something waits.",
          to.name().c_str(), to_fd);
    if (!sleeps && has(wait.found.reading, from_fd) && unread > 0 && waits > marks_.low)
      return format(
          "%s for %s, and you watch %d for reading all the same, without receiving. Do not "
          "watch it while you are not going to receive.",
          bytes.c_str(), to.name().c_str(), from_fd);
    if (!sleeps) return {};
    if (waits > 0 && to.connection().peer_fd >= 0 && to.connection().is_writable() &&
        !has(wait.watched.writing, to_fd))
      return format(
          "%s for %s, who has room, and you do not watch %d for writing. Watch it while "
          "something waits.",
          bytes.c_str(), to.name().c_str(), to_fd);
    if (has_news && waits <= marks_.low && !has(wait.watched.reading, from_fd))
      return format(
          "%s has %s for you, %s for %s, and you do not watch %d for reading. %s it, unless "
          "it has finished or too much waits.",
          from.name().c_str(), unread > 0 ? byte_count(unread).c_str() : "the end",
          waits == 0 ? "nothing waits" : bytes.c_str(), to.name().c_str(), from_fd,
          from_fd == 0 ? "0 is a descriptor like any other: watch" : "Watch");
    return {};
  }

  std::string diagnosis() {
    const Waits waits = waits_of_last_run();
    if (waits.empty()) return {};
    const WaitingCall& last = waits.back();
    for (const auto* list : {&last.overlooked.reading, &last.overlooked.writing})
      for (const int fd : *list)
        if (fd == a || fd == b)
          return format(
              "select got nfds %ld and never looked at %d: nfds is one above the highest "
              "descriptor in any set.",
              last.nfds, fd);
    for (std::string text : {diagnosis_of(last, alice, a, bob, b),
                             diagnosis_of(last, bob, b, alice, a), diagnose_time(waits, {})})
      if (!text.empty()) return text;
    return {};
  }

  static constexpr const char* roles_note = " Here bob's socket is a, and alice's is b";
  bool is_swapped_;
  course::WaterMarks marks_{};
};

/// Runs a check in both roles, the second unless the first has failed.
template <class Check>
void in_both_roles(const Check& check) {
  for (const bool is_swapped : {false, true}) {
    Between s(is_swapped);
    check(s);
    if (has_failed()) return;
  }
}

/// "got "x" instead of "xy"", "got 7 of 300 bytes, and ...": how a text that is not as it should be
/// differs, for a sentence.
inline std::string how_differs(const std::string& got, const std::string& wanted) {
  constexpr std::size_t shown_max = 60;
  if (std::max(got.size(), wanted.size()) <= shown_max)
    return "got " + quoted(got, shown_max) + " instead of " + quoted(wanted, shown_max);
  const auto right = static_cast<std::size_t>(
      std::mismatch(got.begin(), got.end(), wanted.begin(), wanted.end()).first - got.begin());
  const std::string count = format("got %zu of %zu bytes", got.size(), wanted.size());
  if (right == got.size()) return count + ", of which none is wrong";
  return count + format(", of which number %zu is the first wrong one", right + 1);
}

/// "came to bob at 0.347 s", "never came to bob": when a peer read the byte with this index.
inline std::string arrival(const Peer& who, std::size_t index) {
  const auto time = who.received_at(index);
  return time ? "came to " + who.name() + " at " + shown(*time) : "never came to " + who.name();
}

}  // namespace grader
