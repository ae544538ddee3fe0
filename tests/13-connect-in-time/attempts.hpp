/// @file
/// Calls of this lesson's functions, what came of them and when, and what the learner reads when
/// that is wrong.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "13-connect-in-time/connect_in_time.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

using Limit = std::optional<course::Duration>;  ///< nothing: never
using Hosts = std::vector<std::string>;         ///< numeric addresses

constexpr std::uint16_t port = 7967;

/// How late a wait may end: poll counts in milliseconds.
constexpr Time granularity = 2ms;

/// The two functions, for checks that ask the same of both.
enum class Function { until, race };
constexpr Function both[] = {Function::until, Function::race};

/// What came of a call.
struct Outcome {
  std::string function;  ///< "connect_until"
  course::Fd socket = {};
  bool has_returned = false;
  bool is_invalid_argument = false;  ///< threw std::invalid_argument
  std::optional<int> error = {};     ///< of the std::system_error that it threw
  std::string what = {};             ///< of a std::exception
  Time took{};                       ///< virtual time
  std::string connected_to = {};     ///< whom the socket returned reaches; empty: nobody
  bool is_open = false;              ///< the socket returned
  std::size_t left_open = 0;         ///< how many descriptors, without the one returned
  std::string diagnosis = {};        ///< the mistake that its waiting calls show; empty: none

  /// "connect_until returned a connection to 192.0.2.10, after 1.3 s"; "connect_until threw
  /// ETIMEDOUT, \"...\", after 1.3 s".
  [[nodiscard]] std::string told() const {
    std::string text;
    if (error)
      text = "threw " + (*error == 0 ? "errno 0" : error_name(*error)) + ", " + quoted(what, 100);
    else if (!has_returned)
      text = what.empty() ? "threw what is no std::exception"
                          : "threw " + quoted(what, 100) + " without an errno";
    else if (!connected_to.empty())
      text = "returned a connection to " + connected_to;
    else if (socket.get() < 0)
      text = "returned an Fd that owns nothing";
    else
      text = format("returned descriptor %d, %s", socket.get(),
                    is_open ? "not connected" : "closed already");
    return function + " " + text + ", after " + to_text(took);
  }

  /// Returned a socket that is not connected.
  [[nodiscard]] bool is_unconnected() const {
    return has_returned && is_open && connected_to.empty();
  }

  /// A mistake that shows in what came, whatever was asked; else `advice`.
  [[nodiscard]] std::string mistake_or(const std::string& advice) const {
    if (error == EINPROGRESS && took == Time{})
      return "EINPROGRESS is no failure: the attempt has begun. Wait until its socket is writable.";
    if (error == EINPROGRESS)
      return "EINPROGRESS is what connect said when it began. Why an attempt failed is what "
             "SO_ERROR says.";
    if (has_returned && socket.get() < 0)
      return "The Fd returned owns nothing: hand over the one that owns the socket.";
    if (has_returned && !is_open)
      return "It was closed on the way out: take it from its owner before the others are closed.";
    if (error == 0)
      return "SO_ERROR tells its errno once and is 0 when you ask again. Ask once, and keep the "
             "answer.";
    if (!has_returned && !error) return "Throw std::system_error: the caller wants the errno.";
    if (error == EALREADY || error == EISCONN)
      return "connect was called again, and that is its answer. How an attempt ended is what "
             "SO_ERROR says.";
    return diagnosis.empty() ? advice : diagnosis;
  }
};

/// Where an attempt went, and when.
struct Begun {
  std::string address;
  Time at{};
};

/// A scenario that calls the functions of this lesson. What they leave open is the subject of some
/// checks; the others look away.
class ConnectScenario : public Scenario {
 public:
  static constexpr std::chrono::milliseconds default_stagger = 217ms;

  ConnectScenario() { allow_open_descriptors(); }

  /// @name Hosts, named by their numeric addresses, and how they answer, at `port`
  /// @{
  Peer& host(const std::string& address) {
    hosts_.push_back(&peer(address));
    return *hosts_.back();
  }
  Peer& accepts(const std::string& address, Time after = {}) {
    return host(address).listens_at(address, port, after);
  }
  void refuses(const std::string& address, Time after = {}) {
    host(address).refuses_at(address, port, after);
  }
  void fails(const std::string& address, int error, Time after = {}) {
    host(address).fails_at(address, port, error, after);
  }
  void is_silent(const std::string& address) { host(address).never_answers_at(address, port); }
  /// @}

  Outcome connect_until(const Hosts& hosts, Limit limit) {
    return connect_at(Function::until, endpoints(hosts), limit);
  }

  Outcome connect_race(const Hosts& hosts, Limit limit,
                       std::chrono::milliseconds stagger = default_stagger) {
    return connect_at(Function::race, endpoints(hosts), limit, stagger);
  }

  Outcome connect(Function function, const Hosts& hosts, Limit limit) {
    return connect_at(function, endpoints(hosts), limit);
  }

  Outcome connect_at(Function function, const std::vector<course::Endpoint>& addresses, Limit limit,
                     std::chrono::milliseconds stagger = default_stagger) {
    if (function == Function::race)
      return call("connect_race", std::nullopt,
                  [&] { return course::connect_race(addresses, stagger, deadline_in(limit)); });
    asks_only_time({.timeout = not_below_zero(limit)});
    return call("connect_until", limit,
                [&] { return course::connect_until(addresses, deadline_in(limit)); });
  }

  /// The attempts of the last run: the first connect of each new socket. (A second one on the same
  /// socket only asks how the first is getting on.)
  [[nodiscard]] std::vector<Begun> begun() const {
    std::vector<Begun> result;
    std::set<int> fresh;
    for (const Call& call : calls_of_last_run()) {
      const bool copies = call.text.find("dup") == 0 || call.text.find("F_DUPFD") < 20;
      if (call.value >= 0 && (call.function == "socket" || (copies && fresh.erase(call.fd) == 1)))
        fresh.insert(static_cast<int>(call.value));
      if (call.function != "connect" || fresh.erase(call.fd) == 0) continue;
      if (call.error == EAFNOSUPPORT) continue;  // nobody was asked
      const auto comma = call.text.find(", ");
      result.push_back({call.text.substr(comma + 2, call.text.size() - comma - 3), call.began});
    }
    return result;
  }

  [[nodiscard]] std::vector<Call> calls_of_last_run() const {
    auto made = calls();
    made.erase(made.begin(),
               made.begin() + static_cast<std::ptrdiff_t>(std::min(made.size(), calls_before_)));
    return made;
  }

  /// Whether the last run waited for a socket to become readable, and for none to become writable.
  [[nodiscard]] bool only_watched_reading() const {
    const auto waits = waits_of_last_run();
    const auto reads = [](const WaitingCall& wait) { return !wait.watched.reading.empty(); };
    const auto writes = [](const WaitingCall& wait) { return !wait.watched.writing.empty(); };
    return std::any_of(waits.begin(), waits.end(), reads) &&
           std::none_of(waits.begin(), waits.end(), writes);
  }

  static std::vector<course::Endpoint> endpoints(const Hosts& hosts) {
    std::vector<course::Endpoint> result;
    for (const std::string& host : hosts) result.push_back(course::Endpoint::numeric(host, port));
    return result;
  }

 private:
  static course::Deadline deadline_in(Limit limit) {
    return limit ? course::Deadline::after(*limit) : course::Deadline::never();
  }

  static std::optional<Time> not_below_zero(Limit limit) {
    return limit ? std::optional(std::max(Time{}, Time(*limit))) : std::nullopt;
  }

  template <class Program>
  Outcome call(const char* function, Limit limit, Program&& program) {
    Outcome outcome{.function = function};
    const Time began = now();
    const auto open_before = open_descriptors();
    calls_before_ = calls().size();
    try {
      outcome.socket = run(program);
      outcome.has_returned = true;
    } catch (const std::system_error& error) {
      outcome.error = error.code().value();
      outcome.what = error.what();
    } catch (const std::invalid_argument& error) {
      outcome.is_invalid_argument = true;
      outcome.what = error.what();
    } catch (const std::exception& error) {
      outcome.what = error.what();
    } catch (...) {
    }
    outcome.took = took();
    const int fd = outcome.socket.get();
    for (const Peer* host : hosts_)
      if (fd >= 0 && const_cast<Peer*>(host)->connection().program_fd == fd)
        outcome.connected_to = host->name();
    if (fd >= 0 && has_met_itself(fd)) outcome.connected_to = "itself";
    for (const int open : open_descriptors()) outcome.is_open |= open == fd;
    for (const int open : open_descriptors())
      if (open != fd && std::count(open_before.begin(), open_before.end(), open) == 0)
        ++outcome.left_open;
    outcome.diagnosis = waited_in_connect();
    if (limit && outcome.diagnosis.empty())
      outcome.diagnosis = diagnosis_of({.timeout = not_below_zero(limit), .since = began});
    return outcome;
  }

  // A connect that waited, on a socket that blocks and has no time limit.
  [[nodiscard]] std::string waited_in_connect() const {
    bool has_time_limit = false;
    for (const Call& call : calls_of_last_run()) {
      has_time_limit |= call.function == "setsockopt";
      if (call.function == "connect" && call.returned > call.began && !has_time_limit)
        return format(
            "Your connect waited from %s on, and knows no deadline: its socket was in blocking "
            "mode. Begin without waiting, and then wait until the deadline.",
            to_text(call.began).c_str());
    }
    return {};
  }

  // What the first wait shows, if it lasted too long: after that all others come too late as well.
  [[nodiscard]] std::string diagnosis_of(const AskedTime& asked) const {
    const auto waits = waits_of_last_run();
    std::string text;
    if (!waits.empty()) text = diagnose_time({waits.begin(), waits.begin() + 1}, asked);
    return text.empty() ? diagnose_time(waits, asked) : text;
  }

  // Whether it is a connection of the socket with itself.
  static bool has_met_itself(int fd) {
    sockaddr_storage own{}, other{};
    socklen_t own_size = sizeof own, other_size = sizeof other;
    return ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) == 0 &&
           ::getpeername(fd, reinterpret_cast<sockaddr*>(&other), &other_size) == 0 &&
           std::memcmp(&own, &other, sizeof own) == 0;
  }

  std::vector<Peer*> hosts_;
  std::size_t calls_before_ = 0;
};

/// `situation`, then the mistake that shows or else `advice`, then both outcomes.
inline void fail_with(const Outcome& outcome, const std::string& situation,
                      const std::string& advice, const std::string& wanted, Where where) {
  fail(situation + " " + outcome.mistake_or(advice) + "\n  wanted: " + wanted +
           "\n  got:    " + outcome.told(),
       where);
}

/// It must have returned a connection to `host`, after `time` if that is given; `situation` says
/// what was the case, and `advice` what to do.
inline bool expect_connected(const Outcome& outcome, const Peer& host, std::optional<Time> time,
                             const std::string& situation, const std::string& advice,
                             Where where = Where::here()) {
  const bool is_on_time = !time || outcome.took == *time;
  if (outcome.connected_to == host.name() && is_on_time) return true;
  fail_with(outcome, situation, advice,
            "a connection to " + host.name() + (time ? ", after " + to_text(*time) : ""), where);
  return false;
}

/// It must have thrown `error` after `time` and named one of `addresses`.
inline bool expect_failure(const Outcome& outcome, int error, const Hosts& addresses, Time time,
                           const std::string& situation, const std::string& advice,
                           Where where = Where::here()) {
  const bool is_named = std::any_of(addresses.begin(), addresses.end(), [&](const auto& address) {
    return outcome.what.find(address) != std::string::npos;
  });
  const bool is_on_time = outcome.took >= time && outcome.took <= time + granularity;
  if (outcome.error == error && is_named && is_on_time) return true;
  std::string wanted = error_name(error) + " thrown, with " + addresses.front();
  for (std::size_t i = 1; i < addresses.size(); ++i) wanted += " or " + addresses[i];
  wanted += " in its text, after " + to_text(time);
  if (error == ETIMEDOUT && outcome.error == EINPROGRESS && outcome.took > Time{})
    fail(situation +
             " EINPROGRESS is what connect said when it began. That the time is over is no answer "
             "of the kernel's: throw ETIMEDOUT.\n  wanted: " +
             wanted + "\n  got:    " + outcome.told(),
         where);
  else
    fail_with(outcome, situation, advice, wanted, where);
  return false;
}

inline std::string to_text(const std::vector<Begun>& attempts) {
  std::string text;
  for (const Begun& attempt : attempts)
    text += (text.empty() ? "" : ", ") + attempt.address + " at " + to_text(attempt.at);
  return text.empty() ? "none" : text;
}

/// The attempts must have begun so, in the run with this outcome; each may be late by as much as
/// poll rounds up.
inline bool expect_begun(const std::vector<Begun>& got, const std::vector<Begun>& wanted,
                         const Outcome& outcome, const std::string& sentence,
                         Where where = Where::here()) {
  bool is_right = got.size() == wanted.size();
  Time late{};
  for (std::size_t i = 0; is_right && i < got.size(); ++i, late += granularity)
    is_right = got[i].address == wanted[i].address && got[i].at >= wanted[i].at &&
               got[i].at <= wanted[i].at + late;
  if (!is_right)
    fail(sentence + "\n  wanted: " + to_text(wanted) + "\n  got:    " + to_text(got) + "\n" +
             outcome.told() + ".",
         where);
  return is_right;
}

}  // namespace grader
