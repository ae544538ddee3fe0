#include "simulation/simulation.hpp"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/signal_mask.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

Simulation* the_simulation = nullptr;

// SO_LINGER with a time of 0 makes close(2) send RST (socket(7)).
bool aborts_when_closed(int fd) {
  linger option{};
  socklen_t length = sizeof option;
  return real().getsockopt(fd, SOL_SOCKET, SO_LINGER, &option, &length) == 0 &&
         option.l_onoff != 0 && option.l_linger == 0;
}

// A regular file or /dev/null; at its end when no bytes are left to read.
bool is_file_or_null(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  return S_ISREG(status.st_mode) || (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
}

}  // namespace

Simulation* Simulation::current() { return the_simulation; }

Simulation::Simulation(Recording& recording) : recorder(recording, clock) {
  if (is_real_time())
    driver = std::make_unique<Driver>(*this);
  else
    the_simulation = this;
}

Simulation::~Simulation() {
  for (const auto& [address, host] : hosts)
    if (host.real_listener >= 0) real().close(host.real_listener);
  for (const auto& [fd, descriptor] : descriptors.all())
    if (!driver || descriptor.lent) real().close(fd);
  for (const int fd : competitors_clients_) real().close(fd);
  give_back_numbers();
  the_simulation = nullptr;
}

Peer& Simulation::add_peer(const std::string& name) {
  const int number = static_cast<int>(peers_.size());
  return *peers_.emplace_back(std::make_unique<Peer>(*this, name, number));
}

Peer* Simulation::peer_of(const Connection* connection) const {
  for (const auto& peer : peers_)
    if (&peer->connection() == connection) return peer.get();
  return nullptr;
}

Peer* Simulation::unaccepted_peer(std::uint16_t real_port) const {
  for (const auto& peer : peers_)
    if (peer->real_port() == real_port && !peer->connection().was_accepted) return peer.get();
  return nullptr;
}

void Simulation::adopt(int fd, std::shared_ptr<OpenFile> file, bool lent,
                       const std::string& opened_by) {
  descriptors.add(fd, std::move(file), lent, opened_by, clock.now());
}

int Simulation::close(int fd) {
  const auto file = descriptors.shared_file(fd);
  Connection* connection = file ? file->connection : nullptr;
  const bool resets = connection != nullptr && !connection->is_pipe() &&
                      (bytes_to_read(fd) > 0 || aborts_when_closed(fd));
  const int listener_port = file && file->listening ? local_port(fd) : 0;
  const int result = real().close(fd);
  if (!file) return result;
  descriptors.remove(fd, clock.now());
  const int other = descriptors.any_descriptor_of(file.get());
  if (connection != nullptr) {
    connection->program_fd = other;
    if (other < 0) {
      connection->program_finished = true;
      connection->program_reset = resets;
      file->connection = nullptr;
      settle(*connection);
    }
  }
  if (listener_port != 0 && other < 0) settle_refused_clients(listener_port);
  return result;
}

// The kernel resets the connections that were never accepted.
void Simulation::settle_refused_clients(int listener_port) {
  for (const auto& peer : peers_) {
    Connection& c = peer->connection();
    if (c.peer_fd < 0 || c.program_fd >= 0 || c.program_finished) continue;
    if (peer->real_listener_port() != listener_port) continue;
    c.program_finished = c.program_reset = true;
    settle(c);
  }
}

void Simulation::note_option(int fd, int level, int option, const void* value,
                             socklen_t length) const {
  OpenFile* file = descriptors.file(fd);
  const bool is_timeout = level == SOL_SOCKET && (option == SO_RCVTIMEO || option == SO_SNDTIMEO);
  if (file == nullptr || !is_timeout || length < sizeof(timeval)) return;
  timeval time{};
  std::memcpy(&time, value, sizeof time);
  const Time whole = RawTimeout::of(time).span();
  auto& timeout = option == SO_RCVTIMEO ? file->receive_timeout : file->send_timeout;
  timeout = whole == Time{} ? std::nullopt : std::optional(std::max(whole, Time{}));
}

// ---- time
// ------------------------------------------------------------------------------------------------------

void Simulation::advance_to(Time time) {
  const Time before = clock.now();
  clock.advance_to(time);
  recorder.recording().note_instant((clock.now() - before).count(), clock.now().count());
}

// First what the other side does, then the program's other threads. While one of these runs, all
// else waits for its end.
void Simulation::run_due() {
  if (other_thread != nullptr) return;
  const Outside outside;
  const bool is_turn = recorder.recording().in_program;
  for (bool again = true; again;) {
    again = false;
    while (events.run_one(clock.now()) || (is_turn && signals.run_one(clock.now()))) again = true;
    again |= run_peers();
    if (!again && is_turn) again = other_threads.run_one(clock.now());
  }
}

// One look at all of them, for a check may have hundreds.
bool Simulation::run_peers() {
  looks_.clear();
  for (const auto& peer : peers_) looks_.push_back(peer->look());
  const bool is_told = real().poll(looks_.data(), looks_.size(), 0) >= 0;
  bool did_something = false;
  for (std::size_t i = 0; i < looks_.size(); ++i)
    did_something |= peers_[i]->run_due(!is_told || looks_[i].revents != 0);
  return did_something;
}

std::optional<Time> Simulation::next_event() const {
  std::optional<Time> next = events.next();
  if (recorder.in_program())
    for (const EventQueue* queue : {&signals, &other_threads})
      if (const auto time = queue->next(); time && (!next || *time < *next)) next = time;
  for (const auto& peer : peers_)
    if (const auto time = peer->next(); time && *time > clock.now() && (!next || *time < *next))
      next = time;
  return next;
}

Simulation::Woken Simulation::wait(const Wait& wait) {
  if (other_thread != nullptr) return wait_in_other_thread(wait);
  const AlsoBlocked also_blocked(wait.mask);
  const auto deadline = wait.deadline < far_future ? wait.deadline : std::nullopt;
  for (;;) {
    interruption_ = Interruption::none;
    is_asleep_ = true;
    mask_ = wait.mask;
    run_due();
    is_asleep_ = false;
    woken_at_ = clock.now();
    const bool is_ready = wait.ready();  // as the kernel: what a handler changes comes too late
    for (const int signal : std::exchange(arrived_, {})) raise_now(signal);
    if (is_ready) return Woken::ready;
    if (wait.mask != nullptr) let_signals_in(*wait.mask);
    if (interruption_ == Interruption::final ||
        (interruption_ == Interruption::restartable && !wait.restarts)) {
      progress.useful();
      return Woken::interrupted;
    }
    if (clock.now() > woken_at_) continue;  // a handler took time: look again
    if (deadline && *deadline <= clock.now()) return Woken::timed_out;
    const auto next = next_event();
    demand_that_no_thread_waits();
    if (!next && !deadline) blocked_for_ever(wait.call);
    advance_to(!next || (deadline && *deadline < *next) ? *deadline : *next);
    progress.useful();
  }
}

void Simulation::blocked_for_ever(const std::string& call) {
  const std::string where =
      handler_depth > 0 ? ", in the handler of " + signal_name(handled_signal) + "," : "";
  give_verdict(Verdict::blocked_for_ever, "blocked for ever in " + call + where + " at " +
                                              to_text(clock.now()) +
                                              ": nothing is left that could end this call");
}

void Simulation::pass(Time time) {
  const Time until = sum(clock.now(), time);
  for (auto next = next_event(); next && *next <= until; next = next_event()) {
    advance_to(*next);
    run_due();
  }
  advance_to(until);
}

int Simulation::listener_at(std::uint16_t port) const {
  return driver ? Driver::listener_at(port) : descriptors.listener_at(port);
}

unsigned Simulation::backlog_of(int listener) const {
  return driver ? accept_queue_max(listener) : descriptors.file(listener)->backlog;
}

void Simulation::finish_script() {
  const Outside outside;
  if (driver && !driver->finish()) return;
  while (!driver) {
    run_due();
    const auto next = next_event();
    if (!next) break;
    advance_to(*next);
  }
  if (const std::string waiting = waiting_peers(); !waiting.empty())
    give_verdict(Verdict::expectation, "the program returned, but" + waiting);
}

void Simulation::settle(const Connection& connection) {
  if (driver) return;  // what the program did with its end is not known
  if (!grader::settle(connection))
    give_verdict(Verdict::infrastructure,
                 "the loopback did not deliver within 10 s: " + connection.name);
}

// ---- verdicts
// --------------------------------------------------------------------------------------------------

std::string Simulation::waiting_peers() const {
  std::string text;
  for (const auto& peer : peers_)
    if (const std::string waiting = peer->unfinished(); !waiting.empty()) text += "\n  " + waiting;
  return text;
}

// A pipe without writers, to a program that uses poll (pipe(7)).
bool Simulation::tells_the_end_by_hup_alone(int fd) const {
  if (waits.calls().empty() || !waits.calls().back().is_poll()) return false;
  pollfd entry{fd, POLLIN, 0};
  return real().poll(&entry, 1, 0) == 1 && entry.revents == POLLHUP;
}

// Why a read of `fd` would not wait, and what to do about it.
std::string Simulation::why_readable(int fd) const {
  const OpenFile* file = descriptors.file(fd);
  if (file == nullptr) return {};
  if (file->listening) return ": a client is waiting to be accepted";
  if (file->kind == OpenFile::Kind::eventfd) return ": its counter is not 0, and nobody reads it";
  if (file->kind == OpenFile::Kind::signalfd) return ": a signal waits in it, and nobody reads it";
  if (const int bytes = bytes_to_read(fd); bytes > 0)
    return ": " + byte_count(static_cast<std::size_t>(bytes)) + " there, unread";
  const Connection* connection = file->connection;
  if (connection != nullptr && connection->peer_reset)
    return ": " + connection->name + " has reset it, and it stays readable for ever";
  if (connection != nullptr && connection->peer_finished && tells_the_end_by_hup_alone(fd))
    return ": " + connection->name +
           " has finished, which poll tells with POLLHUP, without POLLIN. Read to learn of the "
           "end, "
           "and then watch it no longer";
  if (connection != nullptr && connection->peer_finished)
    return ": " + connection->name +
           " has finished, and the end of a stream stays readable for "
           "ever. Watch it no longer";
  if (is_file_or_null(fd))
    return ": nothing is left in it, so read gives 0, and a file stays ready. Watch it no longer";
  return {};
}

// What ends the waits of a busy loop at once, by the last of them.
std::string Simulation::what_wakes() const {
  const WaitingCall& wait = waits.calls().back();
  if (!wait.not_open.empty())
    return format("It says %s each time, because %s. Take that out",
                  wait.error != 0 ? error_name(wait.error).c_str() : "POLLNVAL",
                  not_open_text(wait.not_open).c_str());
  if (wait.error != 0) return "It says " + error_name(wait.error) + " each time";
  if (wait.value == 0) return "Its timeout is 0 s: it only looks, and never waits";
  if (!wait.found.reading.empty()) {
    const int fd = wait.found.reading.front();
    return format("Descriptor %d is ready for reading each time", fd) + why_readable(fd);
  }
  if (!wait.found.writing.empty())
    return format(
        "Descriptor %d is ready for writing each time, as it is while there is room. "
        "Watch it for that only while you have something to write",
        wait.found.writing.front());
  if (!wait.found.exceptional.empty())
    return format("Descriptor %d is exceptional each time", wait.found.exceptional.front());
  if (wait.is_poll())
    return "poll reports POLLHUP and POLLERR whether asked or not. To watch an entry no longer, "
           "make its fd -1";
  return {};
}

void Simulation::useless(const char* function, int fd, Recorder::Call call, unsigned max) {
  if (!progress.useless(function, fd, max)) return;
  const bool is_wait = !waits.calls().empty() && waits.calls().back().function == function;
  const int error = recorder.recording().at(call).error;
  const bool was_answered = is_wait && (waits.calls().back().value > 0 || error != 0);
  const std::string reason = was_answered && !when_answered.empty() ? when_answered
                             : is_wait                              ? what_wakes()
                             : error == EAGAIN
                                 ? "It says EAGAIN each time: not now. Go back to select with "
                                   "that, or to your caller"
                             : error != 0 ? "It says " + error_name(error) + " each time"
                                          : "";
  give_verdict(
      Verdict::busy_loop,
      format(
          "busy loop at %s: %s again and again, and nothing comes of it; no time passes, so this "
          "would keep a processor busy for ever",
          to_text(clock.now()).c_str(), recorder.text_of(call).c_str()) +
          (reason.empty() ? "" : ". " + reason + "."));
}

// Says what a signal in the gap or the waits tell, in place of what the last wait suggested.
void Simulation::note_diagnosis() {
  std::string text = what_the_gap_swallowed();
  if (text.empty() && diagnosis) text = diagnosis();
  if (text.empty()) return;
  if (text.back() == '.') text.pop_back();  // the report sets it
  recorder.hint(text);
}

void Simulation::give_verdict(Verdict verdict, const std::string& text, Where where) {
  inside_program = 0;
  Recording& recording = recorder.recording();
  const bool may_be_about_waiting = verdict == Verdict::blocked_for_ever ||
                                    verdict == Verdict::busy_loop || verdict == Verdict::flood;
  if (may_be_about_waiting) note_diagnosis();
  const bool names_peers = verdict != Verdict::expectation && verdict != Verdict::infrastructure;
  put(recording.verdict_text, text + (names_peers ? waiting_peers() : ""));
  put(recording.verdict_file, where.file);
  recording.verdict_line = where.line;
  recording.verdict = verdict;
  give_back_numbers();
  std::fflush(nullptr);
  real().exit_now(0);
  __builtin_unreachable();
}

}  // namespace grader
