/// @file
/// The echo server of lesson 15 and its clients, and what the learner reads when it gets stuck.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "../12-write-when-ready/sockets.hpp"
#include "15-echo-server/echo_server.hpp"
#include "runner/check_process.hpp"
#include "scenario/check.hpp"
#include "serving.hpp"
#include "simulation/text.hpp"

namespace grader {

/// The marks of the contract, in bytes that wait for one client, and how many are received from it
/// in a turn at the most.
constexpr std::uint64_t high_mark = 65'536, low_mark = 16'384, turn_max = 65'536;

/// The descriptor of the first client; the listener has 3.
constexpr int first_client = 4;

/// How many bytes the program has received from this client.
inline std::uint64_t received_from(Peer& who) { return who.connection().program_read; }

/// How many of them it has not sent back yet.
inline std::uint64_t waiting_for(Peer& who) {
  return received_from(who) - std::min(received_from(who), who.connection().program_sent);
}

/// How many bytes of its the program could receive now.
inline std::uint64_t unread_of(Peer& who) {
  return who.connection().peer_sent - received_from(who);
}

/// "at 0.347 s", "never".
inline std::string when(std::optional<Time> time) { return time ? "at " + shown(*time) : "never"; }

/// `"hello"`, or `300 bytes` when it is long: what somebody said or got, for a sentence.
inline std::string text_or_count(const std::string& text) {
  constexpr std::size_t shown_max = 40;
  return text.size() <= shown_max ? quoted(text, shown_max) : byte_count(text.size());
}

/// `got "x" instead of "xy"`, `got 7 bytes instead of 300 bytes`, `got 300 bytes, of which number 5
/// is the first wrong one`: how what came back differs from what was said, for a sentence.
inline std::string how_differs(const std::string& got, const std::string& wanted) {
  constexpr std::size_t shown_max = 40;
  std::size_t right = 0;
  while (right < std::min(got.size(), wanted.size()) && got[right] == wanted[right]) ++right;
  if (right == got.size() || right == wanted.size() || got.size() <= shown_max)
    return "got " + text_or_count(got) + " instead of " + text_or_count(wanted);
  return format("got %s, of which number %zu is the first wrong one", text_or_count(got).c_str(),
                right + 1);
}

/// A started echo server in its world.
class Echoing : public Serving<course::EchoServer> {
 public:
  Echoing() : Echoing([](int) {}) {}

  /// The same, with something done to the listener before the server gets it.
  explicit Echoing(const std::function<void(int listener)>& prepare) {
    diagnoses([this] { return diagnosis(); });
    start_with(prepare);
  }

  /// A client that connects at this virtual time.
  Peer& client(const std::string& name, Time comes) {
    clients_.push_back(&peer(name).at(comes).connects());
    return *clients_.back();
  }

  /// As Serving does; what is thrown is explained.
  void serve_until(Time end, int wake_up = -1) {
    try {
      Serving::serve_until(end, wake_up);
    } catch (...) {
      leave_a_note();
      throw;
    }
  }

  /// Everything that `who` said, `said` in all, should have come back, the last byte at `at`.
  bool expect_echo(Peer& who, const std::string& said, Time at, const std::string& advice,
                   Where where = Where::here()) {
    const auto came = said.empty() ? std::optional(at) : who.received_at(said.size() - 1);
    if (who.received() == said && came == at) return true;
    leave_a_note();
    if (who.received() != said)
      fail(who.name() + " " + how_differs(who.received(), said) + ". " + advice, where);
    else
      fail(format("%s should have had all of %s back at %s, and had it %s. %s", who.name().c_str(),
                  text_or_count(said).c_str(), shown(at).c_str(), when(came).c_str(),
                  advice.c_str()),
           where);
    return false;
  }

 private:
  static bool has(const std::vector<int>& fds, int fd) {
    return std::find(fds.begin(), fds.end(), fd) != fds.end();
  }

  // What the last wait tells about one client, when it was the end of the check.
  static std::string diagnosis_of(const WaitingCall& wait, Peer& who) {
    const Connection& connection = who.connection();
    const int fd = connection.program_fd;
    if (fd < 0 || !connection.was_accepted) return {};
    const bool sleeps = wait.returned < Time{} || wait.value == 0;
    const bool is_over = connection.peer_reset || connection.reset_expected;
    const auto waits = waiting_for(who);
    const std::string name = who.name();
    const std::string bytes = byte_count(waits) + (waits == 1 ? " waits" : " wait");
    if (!sleeps && has(wait.found.reading, fd) && is_over)
      return format("%s has reset the connection, and %d is still watched. Close it.", name.c_str(),
                    fd);
    if (!sleeps && has(wait.found.reading, fd) && connection.end_was_read)
      return format(
          "%s has finished sending, and you watch %d for reading all the same: the end of a stream "
          "can be read for ever. Watch it for writing while something waits, and then close it.",
          name.c_str(), fd);
    if (!sleeps && has(wait.found.writing, fd) && waits == 0)
      return format(
          "Nothing waits for %s, and you watch %d for writing: a socket with room is always ready "
          "for that. Watch it only while something waits.",
          name.c_str(), fd);
    if (!sleeps && has(wait.found.reading, fd) && unread_of(who) > 0 && waits > low_mark)
      return format(
          "%s for %s, and you watch %d for reading all the same, without receiving. Do not watch "
          "it while you are not going to receive.",
          bytes.c_str(), name.c_str(), fd);
    if (!sleeps || is_over) return {};
    if (waits > 0 && connection.peer_fd >= 0 && connection.is_writable() &&
        !has(wait.watched.writing, fd))
      return format(
          "%s for %s, who has room, and you do not watch %d for writing. Watch it while something "
          "waits.",
          bytes.c_str(), name.c_str(), fd);
    const bool has_news =
        unread_of(who) > 0 || (connection.peer_finished && !connection.end_was_read);
    if (has_news && waits <= low_mark && !has(wait.watched.reading, fd))
      return format(
          "%s has %s for you, %s for %s, and you do not watch %d for reading. Watch it, unless it "
          "has finished or too much waits.",
          name.c_str(), unread_of(who) > 0 ? byte_count(unread_of(who)).c_str() : "the end",
          waits == 0 ? "nothing waits" : bytes.c_str(), name.c_str(), fd);
    return {};
  }

  // For a failure that is no verdict about a wait: the report says there what diagnosis() does.
  void leave_a_note() {
    std::string note = diagnosis();
    if (note.empty()) return;
    note.pop_back();  // the full stop, which the report adds
    put(current_recording().hint, note);
  }

  std::string diagnosis() {
    const Waits waits = waits_of_last_run();
    if (waits.empty()) return {};
    const WaitingCall& last = waits.back();
    if (!last.not_open.empty())
      return format(
          "You watch %d, which is not open any more. Whoever is closed must leave the sets that "
          "you "
          "ask with, too.",
          last.not_open.front());
    if (!last.overlooked.empty())
      for (const auto* list : {&last.overlooked.reading, &last.overlooked.writing})
        for (const int fd : *list)
          if (const auto open = open_descriptors(); has(open, fd))
            return format(
                "select got nfds %ld and never looked at %d: nfds is one above the highest "
                "descriptor in any set.",
                last.nfds, fd);
    for (Peer* who : clients_)
      if (std::string text = diagnosis_of(last, *who); !text.empty()) return text;
    const auto in_vain = std::count_if(waits.begin(), waits.end(), [](const WaitingCall& wait) {
      return wait.value == 0 && wait.returned > wait.began;
    });
    if (in_vain >= waits_in_vain_max && last.timeout)
      return format(
          "You wait %s at a time, again and again, and nobody has anything to say. Let one wait "
          "last until the deadline.",
          shown(*last.timeout).c_str());
    if ((last.returned < Time{} || last.value == 0) && !has(last.watched.reading, listener()))
      return format("You do not watch the listener, %d: nobody new is accepted.", listener());
    return {};
  }

  static constexpr int waits_in_vain_max = 100;
  std::vector<Peer*> clients_;
};

}  // namespace grader
