#include "simulation/peer.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

constexpr std::size_t received_max_bytes = 64u << 20;

void close_with_reset(int fd) {
  const linger abort{1, 0};
  real().setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  real().close(fd);
}

}  // namespace

Peer::Peer(Simulation& simulation, std::string name, int number)
    : simulation_(simulation), number_(number) {
  connection_.name = std::move(name);
}

Peer::~Peer() {
  if (connection_.peer_fd >= 0) close_with_reset(connection_.peer_fd);
}

Address Peer::address() const {
  only_simulated("Peer::address()");
  return own_address();
}

Address Peer::own_address() const {
  return Address::of(format("192.0.2.%d", 10 + number_),
                     static_cast<std::uint16_t>(50'000 + number_));
}

std::optional<Time> Peer::received_at(std::size_t index) const {
  const auto reading = read_at_.upper_bound(index);
  return reading == read_at_.end() ? std::nullopt : std::optional(reading->second);
}

Peer& Peer::at(Time time) {
  next_at_ = time;
  return *this;
}

Peer& Peer::after(Time delay) {
  next_delay_ = delay;
  return *this;
}

Peer& Peer::window(std::uint64_t bytes) {
  if (bytes > 0) only_simulated("Peer::window() of a size");
  connection_.window_bytes = bytes;
  if (connection_.program_fd >= 0) fill_closed_window();
  return *this;
}

Peer& Peer::window_to_program(std::uint64_t bytes) {
  only_simulated("Peer::window_to_program()");
  connection_.unread_max_bytes = bytes;
  return *this;
}

Peer& Peer::opens_window(std::uint64_t bytes) {
  if (bytes == 0 || connection_.window_bytes > 0)
    only_simulated("Peer::opens_window() that is not closed before");
  return add([this, bytes] {
    connection_.window_bytes = bytes;
    if (connection_.peer_fd >= 0) filler_.drop(connection_.peer_fd);
    simulation_.recorder.peer(name(), "opens its window",
                              name() + " has room for " + byte_count(bytes));
    return true;
  });
}

// What the kernel's buffers hold is not known: they are filled.
void Peer::fill_closed_window() {
  if (!simulation_.driver || connection_.window_bytes > 0 || filler_.is_there()) return;
  if (connection_.medium != Connection::Medium::pipe_to_program &&
      !filler_.fill(connection_.program_fd))
    simulation_.give_verdict(Verdict::infrastructure,
                             "the buffers on the way to " + name() + " cannot be filled");
}

// ---- deeds
// ---------------------------------------------------------------------------------------------------

// Sends what the program may have unread, and the rest when it has read.
bool Peer::send_now(const std::string& data, std::size_t& offset) {
  const std::size_t begin = offset;
  const bool is_in_vain = connection_.program_fd < 0 && connection_.program_finished;
  const std::uint64_t room = simulation_.driver ? data.size()
                             : is_in_vain       ? Connection::default_unread_max_bytes
                                                : connection_.room_to_program();
  const std::size_t end = begin + std::min<std::size_t>(room, data.size() - begin);
  while (offset < end) {
    const ssize_t sent = real().send(connection_.peer_fd, data.data() + offset, end - offset,
                                     MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN && !is_in_vain) break;
    if (sent <= 0) {
      note_failed_send(errno);
      return true;
    }
    offset += static_cast<std::size_t>(sent);
    connection_.peer_sent += static_cast<std::uint64_t>(sent);
    // A program that has closed answers with a reset.
    if (is_in_vain) connection_.program_reset = true;
  }
  settle();
  if (offset > begin || data.empty()) record_sent(data, begin, offset);
  return is_in_vain || offset == data.size();
}

// Writes what fits, and the rest when the program has made room.
bool Peer::write_now(const std::string& data, std::size_t& offset) {
  if (connection_.program_fd < 0) {
    simulation_.recorder.peer(name(), "sends", name() + " cannot write: EPIPE");
    return true;
  }
  const std::size_t begin = offset;
  const std::size_t size =
      std::min<std::size_t>(connection_.room_to_program(), data.size() - begin);
  if (size == 0) return offset == data.size();
  const ssize_t written = real().write(connection_.peer_fd, data.data() + begin, size);
  if (written <= 0) return false;
  offset += static_cast<std::size_t>(written);
  record_sent(data, begin, offset);
  return offset == data.size();
}

void Peer::record_sent(const std::string& data, std::size_t begin, std::size_t end) {
  const std::size_t size = end - begin, left = data.size() - end;
  std::string text = size <= 48 ? quoted(data.data() + begin, size) : byte_count(size);
  if (left > 0) text += format(", %zu are left", left);
  simulation_.recorder.peer(name(), "sends",
                            name() + (connection_.is_pipe() ? " writes " : " sends ") + text,
                            static_cast<long>(size));
}

Peer& Peer::sends(std::string data) {
  return add([this, data = std::move(data), offset = std::size_t{0}]() mutable {
    if (connection_.peer_fd < 0 || reset_at_.has_value()) return true;
    demand(connection_.medium != Connection::Medium::pipe_from_program, "sends");
    return connection_.is_pipe() ? write_now(data, offset) : send_now(data, offset);
  });
}

Peer& Peer::talks_until_it_receives(const std::string& word, std::string piece,
                                    std::size_t bytes_max) {
  only_simulated("Peer::talks_until_it_receives()");
  return add([this, word, piece = std::move(piece), left = bytes_max]() mutable {
    const bool is_over = connection_.peer_fd < 0 || connection_.program_fd < 0 || reset_at_;
    if (is_over || left < piece.size() || received_.find(word) != std::string::npos) return true;
    if (connection_.peer_sent > connection_.program_read) return false;
    std::size_t offset = 0;
    left -= piece.size();
    send_now(piece, offset);
    return false;
  });
}

Peer& Peer::sends_urgent(char byte) {
  return add([this, byte] {
    if (connection_.peer_fd < 0 || reset_at_) return true;
    demand(!connection_.is_pipe(), "sends_urgent");
    if (real().send(connection_.peer_fd, &byte, 1, MSG_OOB | MSG_DONTWAIT | MSG_NOSIGNAL) != 1) {
      note_failed_send(errno);
      return true;
    }
    ++connection_.peer_sent;
    connection_.peer_sent_urgent = true;
    settle();
    if (!simulation_.driver && !settle_urgent(connection_))
      simulation_.give_verdict(Verdict::infrastructure,
                               "the loopback did not deliver an urgent byte");
    simulation_.recorder.peer(name(), "sends urgent", name() + " sends urgent " + quoted(&byte, 1),
                              1);
    return true;
  });
}

Peer& Peer::finishes_sending() {
  return add([this] {
    if (connection_.peer_fd < 0) return true;
    demand(!connection_.is_pipe(), "finishes_sending");
    real().shutdown(connection_.peer_fd, SHUT_WR);
    connection_.peer_finished = true;
    settle();
    simulation_.recorder.peer(name(), "finishes", name() + " finishes sending (FIN)");
    return true;
  });
}

Peer& Peer::closes() {
  return add([this] {
    if (connection_.peer_fd < 0) return true;
    if (filler_.is_there() && !connection_.is_pipe())
      only_simulated("Peer::closes() with a closed window");  // it would be a reset
    const bool resets = !connection_.is_pipe() && bytes_to_read(connection_.peer_fd) > 0;
    real().close(connection_.peer_fd);
    connection_.peer_fd = -1;
    (resets ? connection_.peer_reset : connection_.peer_finished) = true;
    settle();
    simulation_.recorder.peer(name(), "closes",
                              name() + (connection_.is_pipe() ? " closes its end of the pipe"
                                        : resets              ? " closes with unread data (RST)"
                                                              : " closes (FIN)"));
    return true;
  });
}

Peer& Peer::resets() {
  return add([this] {
    if (connection_.peer_fd < 0) return true;
    demand(!connection_.is_pipe(), "resets");
    close_with_reset(connection_.peer_fd);
    connection_.peer_fd = -1;
    connection_.peer_reset = true;
    settle();
    simulation_.recorder.peer(name(), "resets", name() + " resets (RST)");
    return true;
  });
}

Peer& Peer::stops_reading() {
  return add([this] {
    is_reading_ = false;
    return true;
  });
}

Peer& Peer::resumes_reading() {
  return add([this] {
    is_reading_ = true;
    return true;
  });
}

Peer& Peer::reads(std::size_t bytes) {
  return add([this, bytes] {
    drain(bytes);
    return true;
  });
}

// ---- conditions
// ------------------------------------------------------------------------------------------------

Peer& Peer::receives(const std::string& data, Time within, Where where) {
  auto unmet = [this, data] {
    const std::string came = received_.substr(std::min(expected_, received_.size()), data.size());
    return "to receive " + quoted(data) +
           (came.empty() ? ", but got nothing" : ", but got " + quoted(came));
  };
  auto came = [this, data, where, unmet] {
    const std::string so_far = received_.substr(std::min(expected_, received_.size()), data.size());
    const bool fits = data.compare(0, so_far.size(), so_far) == 0;
    const bool is_over = connection_.peer_fd < 0 || end_at_ || reset_at_;
    if (!fits || (so_far.size() < data.size() && is_over))
      simulation_.give_verdict(Verdict::expectation, name() + " expected " + unmet(), where);
    if (so_far.size() < data.size()) return false;
    expected_ += data.size();
    return true;
  };
  return wait_for(came, unmet, within, where);
}

Peer& Peer::sees_the_end(Time within, Where where) {
  wait_for(
      [this] { return end_at_.has_value() || reset_at_.has_value() || connection_.peer_fd < 0; },
      [] { return std::string("to see the end of the stream"); }, within, where);
  steps_.back().advice =
      ", and it did not come. Nothing but shutdown(SHUT_WR) or close tells the other side that you "
      "have said all.";
  return *this;
}

// ---- the script
// -------------------------------------------------------------------------------------------------

Peer::Step& Peer::put(Step step) {
  step.not_before = std::exchange(next_at_, std::nullopt);
  step.delay = std::exchange(next_delay_, Time{});
  return steps_.emplace_back(std::move(step));
}

Peer& Peer::add(std::function<bool()> deed) {
  Step step;
  step.act = [deed = std::move(deed)](Step&) { return deed(); };
  put(std::move(step));
  return *this;
}

Peer& Peer::wait_for(std::function<bool()> came, std::function<std::string()> unmet, Time within,
                     Where where) {
  Step step;
  step.act = [came = std::move(came)](Step&) { return came(); };
  step.unmet = std::move(unmet);
  step.within = within;
  step.where = where;
  put(std::move(step));
  return *this;
}

Time Peer::due(const Step& step) const {
  return std::max(step.not_before.value_or(Time{}), last_done_ + step.delay);
}

pollfd Peer::look() const {
  const bool is_over = reset_at_ || !is_reading_ || filler_.is_there();
  const bool only_writes = connection_.medium == Connection::Medium::pipe_to_program;
  const auto events = static_cast<short>(end_at_ ? 0 : POLLIN);  // a reset shows always
  return {is_over || only_writes ? -1 : connection_.peer_fd, events, 0};
}

bool Peer::run_due(bool has_news) {
  bool did_something = has_news && is_reading_ && drain(received_max_bytes);
  const bool listens_and_waits =
      !was_connected_ && std::any_of(simulation_.hosts.begin(), simulation_.hosts.end(),
                                     [this](const auto& host) { return host.second.peer == this; });
  if (listens_and_waits) return did_something;
  while (!steps_.empty()) {
    Step& step = steps_.front();
    const Time now = simulation_.clock.now();
    if (due(step) > now) break;
    if (step.within && !step.deadline) step.deadline = now + *step.within;
    if (!step.act(step)) {
      if (step.deadline && *step.deadline <= now)
        simulation_.give_verdict(
            Verdict::expectation,
            name() + " waited " + to_text(*step.within) + " " + step.unmet() + step.advice,
            step.where);
      break;
    }
    steps_.pop_front();
    last_done_ = now;
    did_something = true;
  }
  return did_something;
}

std::optional<Time> Peer::next() const {
  if (steps_.empty()) return std::nullopt;
  const Step& step = steps_.front();
  const Time when = due(step);
  return when > simulation_.clock.now() ? when : step.deadline;
}

int Peer::reads_from() const {
  const pollfd entry = look();
  return entry.events == 0 ? -1 : entry.fd;
}

std::string Peer::unfinished() const {
  if (steps_.empty() || !steps_.front().unmet) return {};
  return name() + " still waits " + steps_.front().unmet();
}

// ---- reading
// -----------------------------------------------------------------------------------------------------

// After the end of the stream a reset no longer shows in recv, only as a pending error.
bool Peer::notice_late_reset() {
  int error = 0;
  socklen_t length = sizeof error;
  real().getsockopt(connection_.peer_fd, SOL_SOCKET, SO_ERROR, &error, &length);
  if (error == 0) return false;
  note_reset();
  return true;
}

// A reset is told once, and here it was, before the peer has read: what it reads will be 0. After
// its own end EPIPE says no more than that.
void Peer::note_failed_send(int error) {
  simulation_.recorder.peer(name(), "sends", name() + " cannot send: " + error_name(error));
  if (error == ECONNRESET || (error == EPIPE && !connection_.peer_finished)) note_reset();
}

void Peer::note_reset() {
  reset_at_ = simulation_.clock.now();
  simulation_.recorder.peer(name(), "sees a reset", name() + " sees a reset (RST)");
}

bool Peer::drain(std::size_t bytes_max) {
  if (connection_.peer_fd < 0 || reset_at_ || filler_.is_there()) return false;
  if (connection_.medium == Connection::Medium::pipe_to_program) return false;
  if (end_at_) return !connection_.is_pipe() && notice_late_reset();
  const std::size_t before = received_.size();
  char buffer[16'384];
  ssize_t got = 0;
  std::size_t left = bytes_max;
  while (left > 0) {
    const std::size_t size = std::min(left, sizeof buffer);
    got = connection_.is_pipe() ? real().read(connection_.peer_fd, buffer, size)
                                : real().recv(connection_.peer_fd, buffer, size, MSG_DONTWAIT);
    if (got <= 0) break;
    received_.append(buffer, static_cast<std::size_t>(got));
    left -= static_cast<std::size_t>(got);
    connection_.peer_read += static_cast<std::uint64_t>(got);
  }
  const int error = errno;
  const std::size_t count = received_.size() - before;
  if (received_.size() > received_max_bytes)
    simulation_.give_verdict(Verdict::flood, "the program sent " + name() + " more than 64 MiB");
  if (count > 0) {
    read_at_[received_.size()] = simulation_.clock.now();
    const std::string text =
        count <= 48 ? quoted(received_.data() + before, count) : byte_count(count);
    simulation_.recorder.peer(name(), "receives", name() + " receives " + text,
                              static_cast<long>(count));
  }
  if (left > 0 && got == 0) {
    end_at_ = simulation_.clock.now();
    simulation_.recorder.peer(name(), "sees the end",
                              name() + " sees the end" + (connection_.is_pipe() ? "" : " (FIN)"));
  } else if (left > 0 && got < 0 && error != EAGAIN) {
    note_reset();
  }
  return count > 0 || end_at_ || reset_at_;
}

void Peer::demand(bool is_possible, const char* step) const {
  if (!is_possible)
    simulation_.give_verdict(
        Verdict::infrastructure,
        "the check's script is wrong: " + name() + " has a pipe that cannot do this: " + step);
}

void Peer::settle() { simulation_.settle(connection_); }

}  // namespace grader
