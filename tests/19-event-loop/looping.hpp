/// @file
/// A loop in a scenario, and a diary of whom it has called.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

#include "09-deadlines/deadlines.hpp"
#include "19-event-loop/event_loop.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

using course::Interest;
using course::Loop;

constexpr Interest nothing{}, reading{.read = true}, writing{.write = true},
    both{.read = true, .write = true};

/// "read", "read and write", "nothing".
inline std::string told(Interest interest) {
  if (interest == both) return "read and write";
  return interest.read ? "read" : interest.write ? "write" : "nothing";
}

/// Takes all that is there for `fd` now, without waiting.
inline std::string take_all(int fd) {
  std::string all;
  std::array<char, 256> piece;
  for (ssize_t got; (got = ::recv(fd, piece.data(), piece.size(), MSG_DONTWAIT)) > 0;)
    all.append(piece.data(), static_cast<std::size_t>(got));
  return all;
}

/// A call of somebody's function, at this virtual time.
struct Called {
  Time at{};
  std::string who;
};

inline std::string told(const std::vector<Called>& calls) {
  constexpr std::size_t shown_max = 12;
  if (calls.empty()) return "nobody";
  std::string text;
  for (std::size_t i = 0; i < calls.size() && i < shown_max; ++i)
    text += (i > 0 ? ", " : "") + calls[i].who + " at " + shown(calls[i].at);
  return calls.size() > shown_max ? text + format(", ... (%zu in all)", calls.size()) : text;
}

/// A scenario whose program has one loop.
class Looping : public Scenario {
 public:
  Looping() {
    diagnoses([this] { return diagnosis(); });
    run([&] { loop_ = std::make_unique<Loop>(); });
  }
  ~Looping() { end(); }

  [[nodiscard]] Loop& loop() { return *loop_; }

  /// What the program does just before it runs the loop. (Between two runs of a program the clock
  /// of a scenario stands still, and a real one does not; so that is the place to set timers.)
  void first(std::function<void()> what) { first_.push_back(std::move(what)); }

  /// Runs it. What it throws passes through.
  void run_loop() {
    run([&] {
      for (const auto& what : std::exchange(first_, {})) what();
      loop_->run();
    });
  }

  /// Destroys it.
  void end() {
    if (loop_) run([&] { loop_.reset(); });
  }

  /// Writes `who` into the diary.
  void note(const std::string& who) { diary_.push_back({now(), who}); }

  /// A function that writes `who` into the diary.
  Loop::Function notes(const std::string& who) {
    return [this, who] { note(who); };
  }

  /// Watches `fd` for reading with a watcher that notes `who`, what it is told is ready, when that
  /// is not reading alone, and what it takes; then it does `more`.
  Loop::Token watch_reader(int fd, const std::string& who, std::function<void()> more = {}) {
    return loop().watch(fd, reading, [this, fd, who, more](Interest ready) {
      note(who + (ready == reading ? "" : " to " + told(ready)));
      (void)take_all(fd);
      if (more) more();
    });
  }

  [[nodiscard]] const std::vector<Called>& diary() const { return diary_; }

  /// How often `who` was called.
  [[nodiscard]] int times_called(const std::string& who) const { return count(diary_, who); }

  /// Whom the next runs are to call, and when. When one of them comes to no end, the report says
  /// how far it has come.
  void wants(std::vector<Called> wanted) { wanted_ = std::move(wanted); }

  /// The diary must be what was wanted, in this order, nobody earlier, and nobody later than by the
  /// granularity of poll(2).
  bool expect_called(const std::string& sentence, Where where = Where::here()) const {
    return expect_that(are_as_wanted(diary_, wanted_), sentence + wanted_and_called(), where);
  }

  /// The same where the order of those of one instant is the program's own business.
  bool expect_called_in_any_order(const std::string& sentence, Where where = Where::here()) const {
    return expect_that(are_as_wanted(sorted(diary_), sorted(wanted_)),
                       sentence + wanted_and_called(), where);
  }

  /// Those of `names` must have been called in the order of `names`.
  bool expect_order(const std::vector<std::string>& names, const std::string& sentence,
                    Where where = Where::here()) const {
    std::vector<Called> ours;
    for (const Called& called : diary_)
      if (std::find(names.begin(), names.end(), called.who) != names.end()) ours.push_back(called);
    const bool is_right = std::equal(
        ours.begin(), ours.end(), names.begin(), names.end(),
        [](const Called& called, const std::string& name) { return called.who == name; });
    return expect_that(is_right, sentence + "\n  called: " + told(ours), where);
  }

  /// watches() must be `wanted`.
  bool expect_watches(std::size_t wanted, const std::string& sentence,
                      Where where = Where::here()) {
    const std::size_t got = run([&] { return loop_->watches(); });
    return expect_equal(got, wanted, sentence, where);
  }

  /// Time that the program spends without looking at anybody.
  void be_busy(Time time) {
    const auto until = course::Deadline::after(time);
    (void)course::select_until({}, {}, {}, until);
  }

  /// Makes room for few bytes only in what the program has opened, whatever it is.
  void shrink_buffers() const {
    for (const int fd : open_descriptors()) {
      (void)::fcntl(fd, F_SETPIPE_SZ, 4096);
      const int least = 1;
      (void)::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    }
  }

 private:
  static std::vector<Called> sorted(std::vector<Called> calls) {
    std::sort(calls.begin(), calls.end(), [](const Called& a, const Called& b) {
      return std::tie(a.at, a.who) < std::tie(b.at, b.who);
    });
    return calls;
  }

  static bool is_as_wanted(const Called& called, const Called& wanted) {
    return called.who == wanted.who && called.at >= wanted.at && called.at <= wanted.at + 1ms;
  }

  static bool are_as_wanted(const std::vector<Called>& called, const std::vector<Called>& wanted) {
    return std::equal(called.begin(), called.end(), wanted.begin(), wanted.end(), is_as_wanted);
  }

  [[nodiscard]] std::string wanted_and_called() const {
    std::vector<Called> wanted = wanted_;
    std::stable_sort(wanted.begin(), wanted.end(),
                     [](const Called& a, const Called& b) { return a.at < b.at; });
    std::vector<Called> called = diary_;
    for (std::size_t i = 0; i < called.size() && i < wanted.size(); ++i)
      if (is_as_wanted(called[i], wanted[i])) called[i] = wanted[i];  // nobody is to puzzle
    return "\n  wanted: " + told(wanted) + "\n  called: " + told(called);
  }

  /// How far a run came that found no end.
  [[nodiscard]] std::string diagnosis() const {
    std::string text =
        "By then " + told(diary_) + (diary_.size() > 1 ? " were" : " was") + " called";
    std::vector<Called> so_far;
    for (const Called& next : wanted_) {
      so_far.push_back(next);
      if (times_called(next.who) < count(so_far, next.who))
        return text + "; " + next.who + " should be next, at " + shown(next.at) + ".";
    }
    return wanted_.empty() ? "" : text + ", and that was all.";
  }

  static int count(const std::vector<Called>& calls, const std::string& who) {
    return static_cast<int>(std::count_if(calls.begin(), calls.end(),
                                          [&](const Called& called) { return called.who == who; }));
  }

  std::unique_ptr<Loop> loop_;
  std::vector<std::function<void()>> first_;
  std::vector<Called> diary_, wanted_;
};

/// No two that are begun and ended one after the other may have the same token, be they alone or
/// beside one that stays. To be called within a run of the scenario.
template <class Begin, class End>
bool expect_all_differ(const Begin& begin, const End& end, const std::string& done,
                       Where where = Where::here()) {
  constexpr int many = 100;
  std::set<Loop::Token> tokens;
  const auto one = [&] {
    const Loop::Token token = begin();
    tokens.insert(token);
    return token;
  };
  for (int i = 0; i < many; ++i) end(one());
  const Loop::Token staying = one();
  for (int i = 0; i < many; ++i) end(one());
  end(staying);
  return expect_equal(tokens.size(), std::size_t{2 * many + 1},
                      format("%d %s, one after the other. Whoever keeps the token of one that is "
                             "over would end a stranger's with it. So many different tokens there "
                             "were:",
                             2 * many + 1, done.c_str()),
                      where);
}

/// What a call threw: errno of a std::system_error; 0: nothing; -1: something else.
struct Thrown {
  int error = 0;
  std::string what = "nothing";

  [[nodiscard]] std::string told() const {
    return error == 0 ? "threw nothing" : format("threw \"%s\"", what.c_str());
  }
};

template <class Function>
Thrown thrown_by(Function&& function) {
  try {
    function();
    return {};
  } catch (const std::system_error& error) {
    return {error.code().value(), error.what()};
  } catch (const std::exception& error) {
    return {-1, error.what()};
  } catch (...) {
    return {-1, "what is no std::exception"};
  }
}

}  // namespace grader
