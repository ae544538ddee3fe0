// How long the program said it would wait, held against what was asked.
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "scenario/waiting.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

constexpr Time rounding_max = 2ms;  // upwards, by a program that counts in milliseconds
constexpr Time piece_min = 10min;   // no call takes any time there is: a long one comes in pieces
constexpr Time poll_max = std::chrono::milliseconds(INT_MAX);
constexpr Time day = 24h;
constexpr Time year = 365 * day;
constexpr std::size_t looks_max = 2;  // one before the wait and one after it
constexpr std::size_t waits_max = 3;

// "37 days", "24.8 days": never more than it is.
std::string in_days(Time time) {
  const auto tenths = static_cast<long long>(time / (day / 10));
  return tenths % 10 == 0 ? format("%lld days", tenths / 10)
                          : format("%lld.%lld days", tenths / 10, tenths % 10);
}

// "1.5 s", "250 ms", "300 microseconds", "2678400 s (31 days)", "292 years".
std::string in_words(Time time) {
  const auto count = static_cast<long long>(time.count());
  if (time >= far_future) return format("%lld years", static_cast<long long>(time / year));
  if (time >= 2 * day) return to_text(time) + " (" + in_days(time) + ")";
  if (time == Time{} || time >= 1s || time < Time{}) return to_text(time);
  if (time % 1ms == Time{}) return format("%lld ms", count / 1'000'000);
  if (time == 1us) return "1 microsecond";
  if (time % 1us == Time{}) return format("%lld microseconds", count / 1'000);
  return count == 1 ? "1 nanosecond" : format("%lld nanoseconds", count);
}

const char* was(Time time) {
  return time < 1ms && time > Time{} && time != 1us && time != 1ns ? "were" : "was";
}

bool has_timed_out(const WaitingCall& wait) { return wait.returned >= Time{} && wait.value == 0; }

bool is_endless(std::optional<Time> timeout) { return !timeout || *timeout >= far_future; }

// A wait, and how long it should have been.
struct Judged {
  const WaitingCall* wait;
  const WaitingCall* before;  // nullptr for the first
  std::optional<Time> left;   // of what was asked; nothing: for ever
  bool is_last;               // and the program gave up after it, if nothing was found
  bool is_second_look;        // without waiting, when something has been found just now
  const AskedTime* all_asked;
  [[nodiscard]] Time given() const { return *wait->timeout; }
  [[nodiscard]] const char* asked() const { return before == nullptr ? "asked" : "left"; }
  [[nodiscard]] const char* function() const { return wait->function.c_str(); }
};

// `done`, a sentence without its full stop, where nothing but a wait for ever would do.
std::string where_endless(const AskedTime& asked, const std::string& done) {
  const auto longest = std::max(asked.timeout, asked.idle);  // nothing is less than any
  if (!longest) return "No timeout was asked: that means to wait for ever. " + done + ".";
  return format(
      "%s, where %s were asked. So long a time overflows when it is added to the present time or "
      "put into an int: take what is too long for never.",
      done.c_str(), in_words(*longest).c_str());
}

// The waits, with what was left when each began.
std::vector<Judged> judged(const Waits& waits, const AskedTime& asked) {
  std::vector<Judged> result;
  if (waits.empty()) return result;
  const bool is_flood = waits.size() == WaitLog::calls_max;  // ended by the grader, perhaps
  const Time since = asked.since.value_or(waits.front().began);
  Time idle_since = since;
  std::optional<Time> found_at;
  const WaitingCall* before = nullptr;
  for (const WaitingCall& wait : waits) {
    Time until = sum(since, asked.timeout.value_or(Time::max()));
    if (asked.idle) until = std::min(until, sum(idle_since, *asked.idle));
    const Time left = std::max(Time{}, until - wait.began);
    result.push_back({&wait, before, is_endless(left) ? std::nullopt : std::optional(left),
                      &wait == &waits.back() && !is_flood,
                      wait.timeout == Time{} && found_at == wait.began, &asked});
    if (wait.value > 0) found_at = idle_since = wait.returned;
    before = &wait;
  }
  return result;
}

std::string refused(const Judged& j) {
  const WaitingCall& wait = *j.wait;
  if (wait.error != EINVAL || !wait.raw_timeout || wait.raw_timeout->is_accepted()) return {};
  const RawTimeout& raw = *wait.raw_timeout;
  if (raw.seconds < 0 || raw.fraction < 0) {
    const std::string gave = format("You gave %s %s, a negative time, which it refuses with EINVAL",
                                    j.function(), raw.to_text().c_str());
    if (!j.left) return where_endless(*j.all_asked, gave);
    if (*j.left == Time{}) return gave + ". When the time is over, none is left: that is 0.";
    return gave + format(". %s %s %s. Has a number overflowed?", in_words(*j.left).c_str(),
                         was(*j.left), j.asked());
  }
  return format(
      "tv_nsec was %lld, so %s said EINVAL. It must stay below 1000000000: carry whole "
      "seconds into tv_sec.",
      static_cast<long long>(raw.fraction), wait.function.c_str());
}

std::string no_timeout(const Judged& j) {
  const bool is_negative = j.wait->raw_timeout.has_value();
  const char* advice = is_negative && *j.left > poll_max
                           ? " An int of milliseconds ends after 24.8 days: what is longer takes "
                             "several waits."
                           : "";
  const std::string given =
      is_negative
          ? format("%lld, a number below 0", static_cast<long long>(j.wait->raw_timeout->fraction))
          : "no timeout";
  return format("%s %s %s, and you gave %s %s: it waits for ever.%s", in_words(*j.left).c_str(),
                was(*j.left), j.asked(), j.function(), given.c_str(), advice);
}

// A timeout where none belongs, or none where one does.
std::string wrong_kind(const Judged& j) {
  if (!j.is_last || j.is_second_look || (j.wait->timeout && *j.wait->timeout < Time{})) return {};
  if (j.left && !j.wait->timeout) return no_timeout(j);
  if (j.left || is_endless(j.wait->timeout) || !has_timed_out(*j.wait)) return {};
  const bool only_looks = j.given() == Time{};
  return where_endless(*j.all_asked,
                       format("You gave %s %s, %s", j.function(), in_words(j.given()).c_str(),
                              only_looks ? "which only looks" : "and gave up after that"));
}

struct Factor {
  std::int64_t value;
  const char* name;
};
constexpr std::array<Factor, 3> unit_factors = {
    {{1'000, "a thousand"}, {1'000'000, "a million"}, {1'000'000'000, "a thousand million"}}};

// `big` is `factor` times `small`, give or take what rounding does: at least half as often, at most
// twice. (Rounded to 1, a number says too little of what it was.)
bool is_times(Time big, Time small, std::int64_t factor, Time rounding) {
  if (small <= Time{} || small > Time::max() / factor) return false;
  const Time wanted = small * factor;
  const Time difference = big > wanted ? big - wanted : wanted - big;
  const bool is_near = big / 2 <= wanted && wanted / 2 <= big;
  return difference <= big / 100 || (is_near && difference < rounding);
}

const char* unit_advice(const RawTimeout& raw) {
  if (raw.unit == 1ms) return "Mind the unit: poll counts milliseconds";
  return raw.unit == 1us ? "Mind the units: a timeval holds seconds and microseconds"
                         : "Mind the units: a timespec holds seconds and nanoseconds";
}

std::string wrong_unit(const Judged& j) {
  for (const auto& [factor, name] : unit_factors) {
    const bool is_long = is_times(j.given(), *j.left, factor, Time{});
    const bool is_short = is_times(*j.left, j.given(), factor, j.wait->raw_timeout->unit * factor);
    if (is_long || is_short)
      return format("You gave %s %s where %s %s %s: %s times too %s. %s.", j.function(),
                    in_words(j.given()).c_str(), in_words(*j.left).c_str(), was(*j.left), j.asked(),
                    name, is_long ? "long" : "short", unit_advice(*j.wait->raw_timeout));
  }
  return {};
}

std::string too_long(const Judged& j) {
  if (!j.left || !j.wait->timeout || j.given() <= sum(*j.left, rounding_max)) return {};
  const bool is_repeated = j.before != nullptr && j.before->timeout == j.wait->timeout;
  if (is_repeated && j.before->error == EINTR)
    return format(
        "After the interruption at %s you gave %s the whole %s again. Wait for what is "
        "left: %s.",
        to_text(j.before->returned).c_str(), j.function(), in_words(j.given()).c_str(),
        in_words(*j.left).c_str());
  if (is_repeated)
    return format(
        "At %s you gave %s the whole %s again, and only %s of the time asked was left. "
        "Keep one deadline for all your waits.",
        to_text(j.wait->began).c_str(), j.function(), in_words(j.given()).c_str(),
        in_words(*j.left).c_str());
  std::string unit = wrong_unit(j);
  if (!unit.empty()) return unit;
  return format("You gave %s %s where %s %s %s.", j.function(), in_words(j.given()).c_str(),
                in_words(*j.left).c_str(), was(*j.left), j.asked());
}

// The timeval of the call before, as that call left it. (With an idle limit that is not begun anew,
// the time that is left may be the same by the clock.)
bool is_reused(const Judged& j) {
  return j.before != nullptr && !j.all_asked->idle && j.before->error == 0 && j.before->left &&
         j.wait->raw_timeout == j.before->left && j.before->left != j.before->raw_timeout;
}

std::string reuse_sentence(const Judged& j) {
  return format(
      "%s counts its timeval down: after the call before it held %s, and you passed it "
      "again as it was. Set it before every call.",
      j.function(), in_words(j.given()).c_str());
}

std::string rounded_to_zero(const Judged& j) {
  const bool is_rounded = *j.left < 1ms;
  const char* advice = is_rounded     ? "Round up, never to zero."
                       : *j.left < 1s ? "The fraction of a second is lost."
                                      : "Give it the time that is left.";
  const bool is_poll = j.wait->is_poll() && is_rounded;
  return format("%s %s %s, and you gave %s 0: it only looked. %s%s", in_words(*j.left).c_str(),
                was(*j.left), j.asked(), j.function(), is_poll ? "It counts milliseconds. " : "",
                advice);
}

// What is left of the time when its number of `unit`s is put into an int.
bool is_overflow(const Judged& j, Time unit) {
  constexpr std::int64_t round = std::int64_t{1} << 32;
  if (j.given() % unit != Time{} || *j.left - j.given() < unit * (round - 1)) return false;
  const std::int64_t lost = *j.left / unit - j.given() / unit;
  return lost % round == 0 || (lost + 1) % round == 0;  // rounded up before
}

// The whole seconds are right, and what is below them was counted in a larger unit: 219 ms as 219
// microseconds.
bool is_fraction_in_other_unit(const Judged& j) {
  const Time given = j.given() % 1s, left = *j.left % 1s;
  if (j.wait->is_poll() || j.given() < 1s || j.given() - given != *j.left - left) return false;
  return is_times(left, given, 1'000, j.wait->raw_timeout->unit * 1'000) ||
         is_times(left, given, 1'000'000, j.wait->raw_timeout->unit * 1'000'000);
}

std::string unit_of_fraction(const RawTimeout& raw) {
  return raw.unit == 1us ? "the fraction is too short. tv_usec counts microseconds."
                         : "the fraction is too short. tv_nsec counts nanoseconds.";
}

// Gave up, by its last wait, before the time was over.
std::string too_short(const Judged& j) {
  const bool gave_up = j.is_last && !j.is_second_look && j.left && !is_endless(j.wait->timeout) &&
                       has_timed_out(*j.wait);
  if (!gave_up || j.given() >= *j.left) return {};
  if (is_reused(j)) return reuse_sentence(j);
  if (j.given() == Time{}) return rounded_to_zero(j);
  if (std::string text = wrong_unit(j); !text.empty()) return text;
  const std::string gave =
      format("You gave %s %s where %s %s %s: ", j.function(), in_words(j.given()).c_str(),
             in_words(*j.left).c_str(), was(*j.left), j.asked());
  if (j.given() == *j.left - *j.left % 1s) return gave + "the fraction of a second is lost.";
  if (j.given() == *j.left % 1s) return gave + "the whole seconds are lost.";
  if (is_fraction_in_other_unit(j)) return gave + unit_of_fraction(*j.wait->raw_timeout);
  if (*j.left - j.given() < 1ms) return gave + "that ends too early. Round up.";
  if (is_overflow(j, 1ms))
    return gave + "so many milliseconds do not fit an int, which ends after 24.8 days.";
  if (is_overflow(j, 1us))
    return gave + "so many microseconds do not fit an int, which ends after 36 minutes.";
  if (j.wait->is_poll() && j.given() == poll_max)
    return gave +
           "that is all that an int of milliseconds holds. Wait again, until the time is "
           "over.";
  if (j.given() >= piece_min) return gave + "that is too short. Wait again for what is left.";
  return gave + "that is too short.";
}

// Asks poll about nothing, perhaps to see whether a descriptor is open.
bool is_probe(const WaitingCall& wait) {
  return wait.is_poll() && wait.nfds > 0 && wait.watched.empty();
}

// Looks again and again at the same, and never waits.
std::string only_looks(const std::vector<Judged>& all) {
  std::size_t looks = 0;
  for (const Judged& j : all) {
    const bool is_look = has_timed_out(*j.wait) && j.wait->timeout == Time{} && j.left != Time{} &&
                         !is_probe(*j.wait);
    const bool is_same = j.before != nullptr && j.before->watched == j.wait->watched;
    looks = is_look ? (is_same ? looks + 1 : 1) : 0;
    if (looks <= looks_max) continue;
    const Judged& first = *(&j - looks_max);
    if (is_reused(first)) return reuse_sentence(first);
    if (first.left && *first.left < 1ms) return rounded_to_zero(first);
    const bool is_busy = first.wait->began == j.wait->began;
    return format("You gave %s 0 s, again and again: it only looks%s. %s", j.function(),
                  is_busy ? ", and your program keeps a processor busy" : "",
                  j.left ? "Give it the time that is left." : "Give it no timeout.");
  }
  return {};
}

std::string many_short_waits(const std::vector<Judged>& all) {
  std::size_t waits = 0;
  for (const Judged& j : all) {
    const bool is_piece = has_timed_out(*j.wait) && j.wait->timeout && j.given() > Time{} &&
                          (!j.left || sum(j.given(), rounding_max) < *j.left);
    const bool is_short = is_piece && j.given() < piece_min;
    if (is_short && ++waits > waits_max)
      return format(
          "You waited for %s, again and again, where one wait for %s would do. Each "
          "wakes the program for nothing.",
          in_words(j.given()).c_str(),
          j.left ? "all the time that is left" : "as long as it takes");
  }
  return {};
}

// A program that was told of a bad descriptor may go and look for it.
bool has_met_a_bad_descriptor(const WaitingCall& wait) {
  return !wait.not_open.empty() || wait.error == EBADF;
}

// Linux takes it, so it comes last.
std::string many_microseconds(const Waits& waits) {
  for (const WaitingCall& wait : waits)
    if (wait.raw_timeout && wait.raw_timeout->unit == 1us && !wait.raw_timeout->is_in_range() &&
        wait.raw_timeout->is_accepted())
      return format(
          "tv_usec was %lld. It must stay below 1000000: Linux takes it, others say "
          "EINVAL. Carry whole seconds into tv_sec.",
          static_cast<long long>(wait.raw_timeout->fraction));
  return {};
}

}  // namespace

std::string diagnose_time(const Waits& waits, const AskedTime& asked) {
  if (is_real_time()) return {};
  const std::vector<Judged> all = judged(waits, asked);
  for (const Judged& j : all)
    if (std::string text = refused(j); !text.empty()) return text;
  if (std::any_of(waits.begin(), waits.end(), has_met_a_bad_descriptor)) return {};
  for (const std::string& text : {only_looks(all), many_short_waits(all)})
    if (!text.empty()) return text;
  for (const auto& find : {too_long, too_short, wrong_kind})
    for (const Judged& j : all)
      if (std::string text = find(j); !text.empty()) return text;
  return many_microseconds(waits);
}

}  // namespace grader
