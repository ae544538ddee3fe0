/// @file
/// LineClients, and who is connected to them.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "16-chat-server/chat_server.hpp"
#include "given/deadline.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// "joined", "line "hello"", "left (too slow)".
inline std::string told(const course::Event& event) {
  using Kind = course::Event::Kind;
  const std::string text = quoted(event.text, 60);
  if (event.kind == Kind::joined) return event.text.empty() ? "joined" : "joined with " + text;
  if (event.kind == Kind::line) return "line " + text;
  return event.text.empty() ? "left" : "left (" + event.text + ")";
}

/// `text` so many times.
inline std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
}

/// When the other side noticed that the program had closed the connection.
inline std::optional<Time> closed_at(const Peer& who) {
  return who.end_at() ? who.end_at() : who.reset_at();
}

/// Fails when `who` was not closed at `wanted`. `sentence` says what happened then.
inline bool expect_closed_at(const Peer& who, Time wanted, const std::string& sentence,
                             Where where = Where::here()) {
  const auto got = closed_at(who);
  return expect_that(got == wanted,
                     sentence + " " + who.name() + "'s connection was to be closed at " +
                         shown(wanted) + ", and " +
                         (got ? "was closed at " + shown(*got) : "never was") + ".",
                     where);
}

/// LineClients that are the program's, turn by turn.
class Hosting : public Scenario {
 public:
  explicit Hosting(course::LineLimits limits = {}) {
    run([&] { clients_.emplace(limits); });
  }
  ~Hosting() { stop(); }

  /// A new peer, connected and admitted. Its socket is in blocking mode, as it is handed over.
  Peer& guest(const std::string& name) {
    Peer& who = peer(name);
    ids_[&who] = admit(who.connected_and_handed_over());
    return who;
  }

  /// Admits the socket `fd`, which belongs to the clients from now on.
  course::ClientId admit(int fd) {
    return run([&] { return clients_->admit(course::Fd(fd)); });
  }

  [[nodiscard]] course::ClientId id(const Peer& who) const { return ids_.at(&who); }

  /// One turn, with `time` for it. Returns those of `others` that are readable.
  std::vector<int> step(Time time, std::span<const int> others = {}) {
    course::LineClients::Turn turn =
        run([&] { return clients_->step(course::Deadline::after(time), others); });
    keep(turn.events);
    return turn.readable;
  }

  /// Lets them take turns until this virtual time, each of which may last until then.
  void serve_until(Time end) {
    run([&] {
      while (now() < end) {
        keep(clients_->step(course::Deadline::after(end - now())).events);
        for (const auto& event : std::exchange(fresh_, {}))
          if (answers_) answers_(event);
      }
    });
  }

  /// What the program is to do with each event of serve_until().
  void answers(std::function<void(const course::Event&)> answer) { answers_ = std::move(answer); }

  void send(const Peer& to, std::string_view line) {
    run([&] { clients_->send(id(to), line); });
  }
  void disconnect(const Peer& who) {
    run([&] { clients_->disconnect(id(who)); });
  }
  void drop(const Peer& who) {
    run([&] { clients_->drop(id(who)); });
  }
  [[nodiscard]] std::size_t unsent(const Peer& who) {
    return run([&] { return clients_->unsent(id(who)); });
  }
  [[nodiscard]] std::size_t unfinished(const Peer& who) {
    return run([&] { return clients_->unfinished(id(who)); });
  }
  [[nodiscard]] std::size_t connections() {
    return run([&] { return clients_->connections(); });
  }
  [[nodiscard]] course::LineClients& clients() { return *clients_; }

  /// Destroys them.
  void stop() {
    if (clients_) run([&] { clients_.reset(); });
  }

  /// "joined, line "hello", left": what there was of this client so far. Events of one client have
  /// an order; those of different clients in one turn have none that counts.
  [[nodiscard]] std::string events_of(course::ClientId client) const {
    std::string all;
    for (const course::Event& event : events_)
      if (event.client == client) all += (all.empty() ? "" : ", ") + told(event);
    return all.empty() ? "nothing" : all;
  }
  [[nodiscard]] std::string events_of(const Peer& who) const { return events_of(id(who)); }

  /// When that event of this client was returned, counted from 0; nothing: it never was.
  [[nodiscard]] std::optional<Time> time_of(const Peer& who, std::size_t number) const {
    for (std::size_t i = 0; i < events_.size(); ++i)
      if (events_[i].client == id(who) && number-- == 0) return times_[i];
    return std::nullopt;
  }

  /// All events so far.
  [[nodiscard]] const std::vector<course::Event>& events() const { return events_; }

  /// Fails with `sentence` when the events of this client are not as `wanted`.
  bool expect_events(const Peer& who, const std::string& wanted, const std::string& sentence,
                     Where where = Where::here()) const {
    return expect_equal(Plain{events_of(who)}, Plain{wanted}, sentence, where);
  }

  /// Fails when that event of this client, counted from 0, was not returned at `wanted`. `sentence`
  /// says what happened then.
  bool expect_event_at(const Peer& who, std::size_t number, Time wanted,
                       const std::string& sentence, Where where = Where::here()) const {
    const auto got = time_of(who, number);
    return expect_that(got == wanted,
                       sentence + " The event was to be returned at " + shown(wanted) +
                           ", and was " + (got ? "at " + shown(*got) : "not") + ".",
                       where);
  }

 private:
  // Shown as it is, without quotes.
  struct Plain {
    std::string text;
    bool operator==(const Plain&) const = default;
    friend std::string shown(const Plain& plain) { return plain.text; }
  };

  void keep(const std::vector<course::Event>& events) {
    events_.insert(events_.end(), events.begin(), events.end());
    times_.resize(events_.size(), now());
    fresh_.insert(fresh_.end(), events.begin(), events.end());
  }

  std::optional<course::LineClients> clients_;
  std::map<const Peer*, course::ClientId> ids_;
  std::vector<course::Event> events_, fresh_;
  std::vector<Time> times_;  // of events_
  std::function<void(const course::Event&)> answers_;
};

}  // namespace grader
