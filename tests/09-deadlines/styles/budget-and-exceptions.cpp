// Right in another way: a budget of time that is spent, exceptions for every early ending, and the
// functions of earlier lessons for the rest.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "07-will-it-block/will_it_block.hpp"
#include "09-deadlines/deadlines.hpp"

namespace course {
namespace {

struct Ended {
  IoStatus status;
  std::error_code error;
};

// What is left of a span of time; nothing means without end.
class Budget {
 public:
  explicit Budget(std::optional<Duration> time) : time_(time) { restart(); }

  void restart() { since_ = std::chrono::steady_clock::now(); }

  [[nodiscard]] std::optional<Duration> left() const {
    if (!time_) return std::nullopt;
    const Duration spent = std::chrono::steady_clock::now() - since_;
    return spent < *time_ ? *time_ - spent : Duration::zero();
  }

 private:
  std::optional<Duration> time_;
  std::chrono::steady_clock::time_point since_;
};

std::optional<Duration> shorter(std::optional<Duration> a, std::optional<Duration> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

// wait_readable() of lesson 07 outlasts signals by itself.
void demand_readable(int fd, std::optional<Duration> time) {
  try {
    if (!wait_readable(fd, time)) throw Ended{IoStatus::timed_out, {}};
  } catch (const std::system_error& error) {
    throw Ended{IoStatus::error, error.code()};
  }
}

std::size_t demand_bytes(int fd, bytes buffer) {
  const IoResult piece = recv_some(fd, buffer);
  if (piece.status != IoStatus::ok) throw Ended{piece.status, piece.error};
  return piece.bytes;
}

}  // namespace

Ready select_until(std::span<const int> readers, std::span<const int> writers,
                   std::span<const int> exceptional, Deadline deadline) {
  const Budget budget(deadline.remaining());
  std::optional<Ready> ready;
  do {
    try {
      ready = select_on(readers, writers, exceptional, budget.left());
    } catch (const std::system_error& error) {
      if (error.code() != std::error_condition(EINTR, std::generic_category())) throw;
    }
  } while (!ready);
  return *ready;
}

IoResult recv_exact(int fd, bytes buffer, Deadline deadline) {
  const std::size_t wanted = buffer.size();
  std::size_t received = 0;
  try {
    for (; received < wanted; received += demand_bytes(fd, buffer.subspan(received)))
      demand_readable(fd, deadline.remaining());
    return {IoStatus::ok, wanted, {}};
  } catch (const Ended& ended) {
    return {ended.status, received, ended.error};
  }
}

IoResult read_line(int fd, std::string& line, Duration idle, Duration total) {
  const Budget whole(total);
  Budget silence(idle);
  std::size_t received = 0;
  try {
    for (char next = 0; next != '\n'; ++received) {
      demand_readable(fd, shorter(silence.left(), whole.left()));
      demand_bytes(fd, std::as_writable_bytes(std::span(&next, 1)));
      silence.restart();
      if (next != '\n') line += next;
    }
    return {IoStatus::ok, received, {}};
  } catch (const Ended& ended) {
    return {ended.status, received, ended.error};
  }
}

}  // namespace course
