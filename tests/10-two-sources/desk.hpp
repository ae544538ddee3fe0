/// @file
/// Somebody at a desk, with a keyboard and a screen, who talks to alice.
#pragma once

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <set>
#include <string>
#include <vector>

#include "10-two-sources/two_sources.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// How a run of netcat() ended.
struct Outcome {
  int value = -1;
  int error = 0;                ///< errno when it returned; 0: nothing had set it
  std::string thrown;           ///< empty: it returned
  bool alice_was_done = false;  ///< she had finished or reset the connection by then

  /// "returned 1 with EPIPE in errno", "threw \"...\"": how a sentence about it goes on.
  [[nodiscard]] std::string told() const {
    if (!thrown.empty()) return "threw " + thrown;
    const std::string value_text = "returned " + std::to_string(value);
    if (value == 0) return value_text;
    return value_text + (error == 0 ? " with nothing" : " with " + error_name(error)) + " in errno";
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

/// Whether the call gives bytes, to whomever.
inline bool sends(const Call& call) {
  return call.function.rfind("send", 0) == 0 || call.function.rfind("write", 0) == 0;
}

/// Whether the call waits for several: select, pselect, poll, ppoll.
inline bool waits_for_any(const Call& call) {
  return call.function.find("select") != std::string::npos ||
         call.function.find("poll") != std::string::npos;
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
        errno = 0;  // what the check itself left there is no reason of netcat's
        outcome.value = course::netcat(in, out, sock);
        outcome.error = errno;
        outcome.alice_was_done = alice.connection().peer_finished || alice.connection().peer_reset;
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

  /// The same, and the wait before had ended with EINTR.
  [[nodiscard]] bool was_reading_after_eintr(const Peer& who, Time time) const {
    bool is_after_eintr = false;
    for (const Call& call : calls()) {
      if (waits_for_any(call)) is_after_eintr = call.error == EINTR;
      if (is_after_eintr && call.who == who.name() && call.began <= time && call.returned > time)
        return true;
    }
    return false;
  }

  /// How many bytes the program has taken from `who`.
  [[nodiscard]] std::size_t taken_from(const Peer& who) const {
    std::size_t bytes = 0;
    for (const Call& call : calls())
      if (receives(call) && call.who == who.name() && call.value > 0)
        bytes += static_cast<std::size_t>(call.value);
    return bytes;
  }

  /// Whether a call of this kind on `who`'s descriptor failed with `error`; 0: with any but EINTR.
  [[nodiscard]] bool has_failed(bool (*is_kind)(const Call&), const Peer& who,
                                int error = 0) const {
    const auto made = calls();
    return std::any_of(made.begin(), made.end(), [&](const Call& call) {
      const bool is_it = error == 0 ? call.error != 0 && call.error != EINTR : call.error == error;
      return is_it && is_kind(call) && call.who == who.name();
    });
  }

  /// A mistake from which all else follows, put so that it can stand after "netcat returned 0.".
  /// Empty: none.
  [[nodiscard]] std::string cause_of(const Outcome& outcome) const {
    if (is_real_time()) return {};  // nobody records the calls
    if (!outcome.thrown.empty())
      return "Its contract says that it throws nothing: return 1, with errno.";
    if (outcome.value != 0 && outcome.value != 1)
      return "Return 0 when alice has finished, and 1 when a call has failed.";
    for (const auto& find : {&Desk::call_for_sockets, &Desk::early_return, &Desk::untaken_bytes,
                             &Desk::stale_sets, &Desk::wait_for_one})
      if (std::string text = (this->*find)(outcome); !text.empty()) return text;
    return {};
  }

  /// What follows a sentence about the outcome: its cause, or, when there is none, `advice`.
  [[nodiscard]] std::string advice_about(const Outcome& outcome, const std::string& advice) const {
    const std::string cause = cause_of(outcome);
    return cause.empty() ? advice : cause;
  }

  /// Fails the check: with the cause, or, when there is none, with `sentence`, which is true only
  /// then.
  void fails(const Outcome& outcome, const std::string& sentence,
             Where where = Where::here()) const {
    const std::string cause = cause_of(outcome);
    fail(cause.empty() ? sentence : "netcat " + outcome.told() + ". " + cause, where);
  }

  /// The same, unless `holds`, which it returns.
  bool expect(bool holds, const Outcome& outcome, const std::string& sentence,
              Where where = Where::here()) const {
    if (!holds) fails(outcome, sentence, where);
    return holds;
  }

 private:
  [[nodiscard]] std::string name_of(int fd) const {
    return fd == in ? "in" : fd == out ? "out" : format("descriptor %d", fd);
  }

  // ENOTSOCK from the last call that should have carried bytes from or to a descriptor.
  [[nodiscard]] std::string call_for_sockets(const Outcome& /*outcome*/) const {
    const auto made = calls();
    std::set<int> seen;
    for (auto call = made.rbegin(); call != made.rend(); ++call) {
      const bool carries = (receives(*call) || sends(*call)) && !is_empty(*call);
      if (carries && seen.insert(call->fd).second && call->error == ENOTSOCK)
        return format(
            "%s said ENOTSOCK: that call is for sockets, and %s is none here. read and write take "
            "any descriptor.",
            call->text.c_str(), name_of(call->fd).c_str());
    }
    return {};
  }

  // A call with no bytes to carry, perhaps to learn what a descriptor is.
  static bool is_empty(const Call& call) {
    const std::string from = format("(%d, 0", call.fd), to = format("(%d, \"\", 0", call.fd);
    return call.text.find(from) != std::string::npos || call.text.find(to) != std::string::npos;
  }

  // Then it is a signal that it takes for the end.
  static bool was_interrupted_last(const std::vector<Call>& made) {
    const auto last = std::find_if(made.rbegin(), made.rend(), [](const Call& call) {
      return receives(call) || sends(call) || waits_for_any(call);
    });
    return last != made.rend() && last->error == EINTR;
  }

  static constexpr std::size_t complete_max = 3'000;  // calls; of many more the first are forgotten

  [[nodiscard]] std::string early_return(const Outcome& outcome) const {
    const auto made = calls();
    const std::string when = "It was " + to_text(took());
    if (outcome.is(0) && !outcome.alice_was_done && !was_interrupted_last(made))
      return when +
             ", and alice had not finished. 0 means that she has, and that all she sent is on the "
             "screen.";
    const auto has_failed = [](const Call& call) { return call.error != 0; };
    const bool is_complete = made.size() < complete_max;
    if (outcome.is(1) && is_complete && std::none_of(made.begin(), made.end(), has_failed))
      return when +
             ", and no call had failed. When alice has finished and all is written, return 0.";
    return {};
  }

  // Not even tried.
  [[nodiscard]] std::string untaken_bytes(const Outcome& outcome) const {
    const auto made = calls();
    const bool has_tried = std::any_of(made.begin(), made.end(), [this](const Call& call) {
      return receives(call) && call.who == alice.name();
    });
    const std::uint64_t sent = alice.connection().peer_sent;
    if (outcome.is(1) || sent == 0 || has_tried) return {};
    return format(
        "alice sent %s, and you took none of them from sock. Ask about in and sock in one wait, "
        "and read from whoever has something.",
        byte_count(sent).c_str());
  }

  [[nodiscard]] std::string stale_sets(const Outcome& /*outcome*/) const {
    const std::string told =
        diagnose_descriptors(waits_of_last_run(), {.reading = {in, sock}, .time = {}});
    return told.find("Fill them before every call") != std::string::npos ? told : "";
  }

  // A read that waited, and so for one source alone.
  [[nodiscard]] std::string wait_for_one(const Outcome& /*outcome*/) const {
    for (const Call& call : calls())
      if (receives(call) && call.returned > call.began)
        return call.text + " waited from " + to_text(call.began) + " to " + to_text(call.returned) +
               ". Ask about both sources first, and take what is there.";
    return {};
  }
};

/// "came to alice at 0.347 s", "never came to alice": when a peer read the byte with this index.
inline std::string arrival(const Peer& who, std::size_t index) {
  const std::string where = who.name() == "screen" ? "the screen" : who.name();
  const auto time = who.received_at(index);
  return time ? "came to " + where + " at " + shown(*time) : "never came to " + where;
}

/// Nothing else than the start of `wanted`, or all of it.
inline bool is_start(const std::string& got, const std::string& wanted) {
  return wanted.compare(0, got.size(), got) == 0;
}

inline constexpr const char* as_they_are =
    "Pass on the bytes as they came, all of them and no others.";

/// Fails with "START the screen got ... instead of ...", and with the advice, when one of the two
/// texts has not arrived as it is.
inline bool expect_texts(const Desk& desk, const Outcome& outcome, const std::string& on_the_screen,
                         const std::string& for_alice, const std::string& start,
                         const std::string& advice, Where where = Where::here()) {
  const auto expect = [&](const char* who, const std::string& got, const std::string& wanted) {
    return expect_that(got == wanted,
                       start + who + " got " + quoted(got, 40) + " instead of " +
                           quoted(wanted, 40) + ", and netcat " + outcome.told() + ". " +
                           desk.advice_about(outcome, is_start(got, wanted) ? advice : as_they_are),
                       where);
  };
  return expect("the screen", desk.screen.received(), on_the_screen) &&
         expect("alice", desk.alice.received(), for_alice);
}

/// `size` bytes in which every value occurs, zero and 255 among them.
inline std::string all_values(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 7 + 255) % 256);
  return bytes;
}

}  // namespace grader
