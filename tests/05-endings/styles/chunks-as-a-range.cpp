// Different: the incoming stream is an input range of chunks, and every function is an algorithm
// over it; the deadline is part of the range.
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <optional>
#include <ranges>
#include <string_view>
#include <system_error>

#include "03-send-and-receive/send_and_receive.hpp"
#include "05-endings/endings.hpp"

namespace course {
namespace {

using std::chrono::steady_clock;

class Chunks {
 public:
  explicit Chunks(int fd, std::optional<steady_clock::time_point> deadline = {})
      : fd_(fd), deadline_(deadline) {}

  class Iterator {
   public:
    using value_type = std::string_view;
    using difference_type = std::ptrdiff_t;
    explicit Iterator(Chunks* chunks) : chunks_(chunks) {}
    std::string_view operator*() const { return chunks_->current_; }
    Iterator& operator++() {
      chunks_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const Iterator& here, std::default_sentinel_t) { return here.at_end(); }

   private:
    [[nodiscard]] bool at_end() const { return chunks_->current_.empty(); }

    Chunks* chunks_;
  };

  Iterator begin() {
    advance();
    return Iterator(this);
  }
  [[nodiscard]] std::default_sentinel_t end() const { return {}; }

  // Why there was no further chunk: 0 for the end of the stream, else errno.
  [[nodiscard]] int error_number() const { return error_number_; }

 private:
  void advance() {
    ssize_t count = -1;
    do {
      count = prepare() ? ::recv(fd_, buffer_.data(), buffer_.size(), flags_) : -1;
    } while (count == -1 && errno == EINTR);
    error_number_ = count == -1 ? errno : 0;
    current_ = {buffer_.data(), count > 0 ? static_cast<std::size_t>(count) : 0};
  }

  bool prepare() {
    if (!deadline_) return true;
    const auto left =
        std::chrono::ceil<std::chrono::microseconds>(*deadline_ - steady_clock::now());
    if (left.count() <= 0) {
      flags_ = MSG_DONTWAIT;
      return true;
    }
    timeval value{};
    value.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
    value.tv_usec = left.count() - value.tv_sec * 1'000'000;
    return ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value) == 0;
  }

  int fd_;
  std::optional<steady_clock::time_point> deadline_;
  int flags_ = 0;
  int error_number_ = 0;
  std::array<char, 64 * 1024> buffer_;
  std::string_view current_;
};

static_assert(std::ranges::input_range<Chunks>);

}  // namespace

void finish_sending(int fd) {
  if (::shutdown(fd, SHUT_WR)) throw std::system_error({errno, std::system_category()}, "shutdown");
}

IoResult read_to_eof(int fd, std::string& received) {
  const std::size_t before = received.size();
  Chunks chunks(fd);
  std::ranges::for_each(chunks, [&](std::string_view chunk) { received += chunk; });
  const std::error_code why(chunks.error_number(), std::system_category());
  if (!why) return {IoStatus::eof, received.size() - before, {}};
  if (why == std::errc::operation_would_block) {
    return {IoStatus::timed_out, received.size() - before, {}};
  }
  return {IoStatus::error, received.size() - before, why};
}

IoResult ask(int fd, cbytes request, std::string& reply) {
  const auto failure = [&]() -> std::error_code {
    try {
      send_all(fd, request);
      return {};
    } catch (const std::system_error& error) {
      return error.code();
    }
  }();
  if (!failure) ::shutdown(fd, SHUT_WR);
  const bool readable =
      !failure || failure == std::errc::broken_pipe || failure == std::errc::connection_reset;
  const IoResult answer = readable ? read_to_eof(fd, reply) : IoResult{};
  return failure ? IoResult{IoStatus::error, answer.bytes, failure} : answer;
}

void close_gracefully(Fd connection, std::chrono::milliseconds linger) noexcept {
  constexpr std::ptrdiff_t most_chunks_late = 1024;  // 64 MiB
  const auto deadline = steady_clock::now() + linger;
  ::shutdown(connection.get(), SHUT_WR);
  std::ptrdiff_t late = 0;
  Chunks chunks(connection.get(), deadline);
  (void)std::ranges::find_if(chunks, [&](std::string_view) {
    if (steady_clock::now() >= deadline) ++late;
    return late > most_chunks_late;
  });
}

}  // namespace course
