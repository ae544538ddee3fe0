/// @file
/// Calls of this lesson's functions, what came of them and when, and what the learner reads when
/// that is wrong.
#pragma once

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "report/recording.hpp"
#include "scenario/check.hpp"
#include "scenario/waiting.hpp"
#include "simulation/text.hpp"

namespace in_time {

using namespace std::chrono_literals;
using grader::Time;
using Fds = std::vector<int>;
using Limit = std::optional<course::Duration>;  ///< nothing: never

/// How late a wait may end: poll counts in milliseconds.
constexpr Time granularity = 2ms;

/// The three lists of select_until().
struct Lists {
  Fds readers = {}, writers = {}, exceptional = {};
};

/// What came of a call.
struct Ending {
  bool has_returned = false;
  int error = 0;          ///< the errno of a std::system_error that it threw; 0: it threw another
  std::string what = {};  ///< of a std::exception
  Time took{};            ///< virtual time
  std::string diagnosis = {};  ///< the mistake that its waiting calls show; empty: none

  /// "returned after 1.219 s", "threw \"select: Bad file descriptor\" after 0 s".
  [[nodiscard]] std::string told() const {
    const std::string how = has_returned   ? "returned"
                            : what.empty() ? "threw what is no std::exception"
                                           : grader::format("threw \"%s\"", what.c_str());
    return how + " after " + grader::to_text(took);
  }

  /// The name of the errno thrown; "nothing" when it returned.
  [[nodiscard]] std::string thrown() const {
    if (has_returned) return "nothing";
    return error == 0 ? "no std::system_error" : grader::error_name(error);
  }
};

/// What came of select_until().
struct Found : Ending {
  course::Ready ready = {};
};

/// What came of recv_exact() or read_line().
struct Received : Ending {
  course::IoResult result = {};
  std::optional<std::size_t> taken = {};  ///< bytes that its calls took; nothing: not known
};

/// A scenario that calls the functions of this lesson.
class InTimeScenario : public grader::Scenario {
 public:
  Found select_until(const Lists& lists, Limit limit) {
    Found found;
    const grader::Asked asked{.reading = lists.readers,
                              .writing = lists.writers,
                              .exceptional = lists.exceptional,
                              .time = {.timeout = not_below_zero(limit)}};
    call(found, asked, [&] {
      found.ready =
          course::select_until(lists.readers, lists.writers, lists.exceptional, deadline_in(limit));
    });
    return found;
  }

  Received recv_exact(int fd, course::bytes buffer, Limit limit) {
    Received received;
    const std::size_t calls_before = calls_so_far();
    call(received, {.reading = {fd}, .time = {.timeout = not_below_zero(limit)}},
         [&] { received.result = course::recv_exact(fd, buffer, deadline_in(limit)); });
    look_at_receives(received, calls_before);
    return received;
  }

  Received read_line(int fd, std::string& line, course::Duration idle, course::Duration total) {
    Received received;
    const std::size_t calls_before = calls_so_far();
    const grader::AskedTime asked{.timeout = not_below_zero(total), .idle = not_below_zero(idle)};
    call(received, {.reading = {fd}, .time = asked},
         [&] { received.result = course::read_line(fd, line, idle, total); });
    // The same time for each byte is right for idle and wrong for total: the waits do not tell
    // which of the two was meant, unless a signal came between them or the kernel refused one.
    const auto waits = waits_of_last_run();
    const auto tells = [](const grader::WaitingCall& wait) {
      return wait.error == EINTR || wait.error == EINVAL;
    };
    if (waited_after_failure().empty() && std::none_of(waits.begin(), waits.end(), tells))
      received.diagnosis.clear();
    look_at_receives(received, calls_before);
    return received;
  }

 private:
  static course::Deadline deadline_in(Limit limit) {
    return limit ? course::Deadline::after(*limit) : course::Deadline::never();
  }

  [[nodiscard]] std::size_t calls_so_far() const {
    return grader::is_real_time() ? 0 : calls().size();
  }

  // A wait went on after one that failed for another reason than a signal.
  [[nodiscard]] std::string waited_after_failure() const {
    const auto waits = waits_of_last_run();
    for (std::size_t i = 0; i + 1 < waits.size(); ++i)
      if (waits[i].error == ENOMEM && waits[i + 1].watched == waits[i].watched)
        return "You waited again after ENOMEM; only EINTR goes away by that.";
    return {};
  }

  // What the receives of the last run tell: how much they took, and whether one of them waited.
  void look_at_receives(Received& received, std::size_t calls_before) const {
    if (grader::is_real_time()) return;
    const auto all = calls();
    if (all.size() >= grader::Recording::entries_max) return;  // the first may be forgotten
    std::size_t taken = 0;
    std::string waited;
    bool has_time_limit = false;
    for (std::size_t i = std::min(calls_before, all.size()); i < all.size(); ++i) {
      const grader::Call& call = all[i];
      has_time_limit |= call.function == "setsockopt";
      if (!call.function.starts_with("re") || call.text.find("MSG_OOB") != std::string::npos)
        continue;  // recv, recvfrom, recvmsg, read, readv
      const bool is_peek = call.text.find("MSG_PEEK") != std::string::npos;
      if (call.value > 0 && !is_peek) taken += static_cast<std::size_t>(call.value);
      if (waited.empty() && call.returned > call.began) waited = told_wait(call);
    }
    received.taken = taken;
    if (!waited.empty() && !has_time_limit) received.diagnosis = waited;
  }

  static std::string told_wait(const grader::Call& call) {
    const bool wants_all = call.text.find("MSG_WAITALL") != std::string::npos;
    return grader::format(
        "Your %s waited from %s on, and knows no deadline: %s. Receive once what is there, then "
        "wait for more until the deadline.",
        call.function.c_str(), grader::to_text(call.began).c_str(),
        wants_all ? "with MSG_WAITALL it waits for all that fits" : "nothing was there to receive");
  }

  static std::optional<Time> not_below_zero(Limit limit) {
    return limit ? std::optional(std::max(Time{}, Time(*limit))) : std::nullopt;
  }

  template <class Function>
  void call(Ending& ending, grader::Asked asked, Function&& function) {
    asked.time.since = now();
    asks(asked);
    try {
      run(function);
      ending.has_returned = true;
    } catch (const std::system_error& error) {
      ending.error = error.code().value();
      ending.what = error.what();
    } catch (const std::exception& error) {
      ending.what = error.what();
    } catch (...) {
    }
    ending.took = took();
    ending.diagnosis = waited_after_failure();
    if (ending.diagnosis.empty()) ending.diagnosis = diagnose(waits_of_last_run(), asked);
  }
};

/// The memory of `text`, to receive into.
inline course::bytes room(std::string& text) { return std::as_writable_bytes(std::span(text)); }

/// The name of an errno, in whichever of the two categories that hold errno values.
inline std::string errno_of(const std::error_code& code) {
  const bool is_errno = code == std::error_condition(code.value(), std::generic_category());
  if (!is_errno || !code) return "without errno";
  const bool is_right = code.category() == std::system_category();
  return grader::error_name(code.value()) + (is_right ? "" : " of another category");
}

/// "ok, 5 bytes", "error ECONNRESET, 0 bytes".
inline std::string told(const Received& received) {
  static constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  const course::IoResult& result = received.result;
  if (!received.has_returned) return received.told();
  const bool has_reason = result.status == course::IoStatus::error || result.error;
  return names[static_cast<int>(result.status)] + (has_reason ? " " + errno_of(result.error) : "") +
         ", " + grader::byte_count(result.bytes);
}

/// "readable {3 4}, writable {}, exceptional {}".
inline std::string to_text(const course::Ready& ready) {
  const auto list = [](const Fds& fds) {
    std::string text = "{";
    for (const int fd : fds) text += (text.size() > 1 ? " " : "") + std::to_string(fd);
    return text + "}";
  };
  return "readable " + list(ready.readable) + ", writable " + list(ready.writable) +
         ", exceptional " + list(ready.exceptional);
}

/// When something came the wait ends then; when the time is over, by the kernel's granularity
/// later.
enum class Until { arrival, deadline };

inline bool is_on_time(const Ending& ending, Time wanted, Until until) {
  return ending.took >= wanted &&
         ending.took <= wanted + (until == Until::deadline ? granularity : Time{});
}

/// `situation`, then the mistake that the waits show or else `advice`, then both times and values.
inline void fail_with(const Ending& ending, const std::string& situation, const std::string& advice,
                      const std::string& wanted, const std::string& got, grader::Where where) {
  const std::string mistake = ending.diagnosis.empty() ? advice : ending.diagnosis;
  grader::fail(situation + " " + mistake + "\n  wanted: " + wanted + "\n  got:    " + got, where);
}

/// select_until() must have returned `wanted` after `time`; `situation` says what was the case, and
/// `advice` what to do, unless the waits say it better.
inline bool expect_found(const Found& found, const course::Ready& wanted, Time time,
                         const std::string& situation, const std::string& advice = {},
                         grader::Where where = grader::Where::here()) {
  const Until until = wanted == course::Ready{} ? Until::deadline : Until::arrival;
  if (found.has_returned && found.ready == wanted && is_on_time(found, time, until)) return true;
  const std::string mistake = !found.has_returned ? "select_until() " + found.told() + "."
                              : found.ready != wanted
                                  ? "select_until() did not return what was ready then."
                              : found.took < time ? "select_until() returned too early."
                                                  : "select_until() returned too late.";
  fail_with(found, situation, mistake + (advice.empty() ? "" : " " + advice),
            to_text(wanted) + ", after " + grader::to_text(time),
            (found.has_returned ? to_text(found.ready) + ", after " + grader::to_text(found.took)
                                : found.told()),
            where);
  return false;
}

/// Everything is as `wanted` but the number of bytes, and those were taken: the count is wrong.
inline bool only_counts_wrong(const Received& received, const std::string& wanted) {
  const auto comma = wanted.find(", ") + 2;
  const std::string got = told(received);
  return received.has_returned && received.taken &&
         got.substr(0, got.find(", ") + 2) == wanted.substr(0, comma) &&
         grader::byte_count(*received.taken) == wanted.substr(comma);
}

/// The function must have returned `wanted` ("ok, 5 bytes") after `time`; `situation` says what was
/// the case and `advice` what to do, unless the waits or the kind of the difference say it better.
inline bool expect_received(const Received& received, const std::string& wanted, Time time,
                            const std::string& situation, const std::string& advice,
                            grader::Where where = grader::Where::here()) {
  const Until until = wanted.starts_with("timed_out") ? Until::deadline : Until::arrival;
  const std::string got = told(received);
  const bool is_timely = is_on_time(received, time, until);
  if (got == wanted && is_timely) return true;
  Ending judged = received;
  const bool has_failed =
      !received.has_returned || received.result.status == course::IoStatus::error;
  if (is_timely && !has_failed) judged.diagnosis.clear();  // it is not about the time
  if (is_timely && only_counts_wrong(received, wanted))
    judged.diagnosis =
        grader::format("You took %s and reported %zu: `bytes` counts all that were taken%s.",
                       grader::byte_count(*received.taken).c_str(), received.result.bytes,
                       received.result.bytes + 1 == *received.taken ? ", an LF too" : "");
  fail_with(judged, situation, advice, wanted + ", after " + grader::to_text(time),
            received.has_returned ? got + ", after " + grader::to_text(received.took) : got, where);
  return false;
}

/// A wait that failed with ENOMEM must be the answer.
inline bool expect_no_memory(const Received& received, const std::string& function) {
  const bool is_error = received.has_returned && received.result.status == course::IoStatus::error;
  const std::string advice =
      !received.has_returned
          ? "Return it, like the error of a receive; " + function + " throws nothing for that."
      : is_error ? "Return that errno, as it is, in std::system_category()."
                 : "That is no silence and no end: return error with its errno.";
  return expect_received(received, "error ENOMEM, 0 bytes", 0s, "The waiting call said ENOMEM.",
                         advice);
}

/// Fifteen signals from `first` on, 70 ms apart; every other handler has SA_RESTART.
inline void fifteen_signals(grader::Scenario& scenario, Time first) {
  for (int i = 0; i < 15; ++i)
    scenario.signal_at(first + i * 70ms, i % 2 == 0 ? SIGUSR1 : SIGUSR2,
                       i % 2 == 0 ? grader::Handler::plain : grader::Handler::restarting);
}

}  // namespace in_time
