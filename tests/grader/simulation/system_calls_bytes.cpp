// Receiving and sending.
#include <sys/signalfd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

std::size_t total_size(const msghdr& message) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) size += message.msg_iov[i].iov_len;
  return size;
}

// The part of `message` from byte `offset` on, `size` bytes long.
std::vector<iovec> part_of(const msghdr& message, std::size_t offset, std::size_t size) {
  std::vector<iovec> parts;
  for (std::size_t i = 0; i < message.msg_iovlen && size > 0; ++i) {
    const iovec& whole = message.msg_iov[i];
    if (offset >= whole.iov_len) {
      offset -= whole.iov_len;
      continue;
    }
    const std::size_t length = std::min(whole.iov_len - offset, size);
    parts.push_back({static_cast<char*>(whole.iov_base) + offset, length});
    size -= length;
    offset = 0;
  }
  return parts;
}

std::string bytes_of(const msghdr& message, std::size_t size) {
  std::string bytes;
  for (const iovec& part : part_of(message, 0, size))
    bytes.append(static_cast<const char*>(part.iov_base), part.iov_len);
  return bytes;
}

// The first `size` bytes of `message`: the number in an eventfd, the signals in a signalfd, or in
// quotes.
std::string text_of(const OpenFile* file, const msghdr& message, std::size_t size,
                    std::size_t max) {
  const auto kind = file == nullptr ? OpenFile::Kind::file : file->kind;
  if (kind == OpenFile::Kind::eventfd && size == sizeof(std::uint64_t)) {
    std::uint64_t number = 0;
    std::memcpy(&number, bytes_of(message, size).data(), sizeof number);
    return std::to_string(number);
  }
  if (kind == OpenFile::Kind::signalfd && size % sizeof(signalfd_siginfo) == 0) {
    sigset_t came;
    sigemptyset(&came);
    const std::string bytes = bytes_of(message, size);
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(signalfd_siginfo)) {
      signalfd_siginfo info{};
      std::memcpy(&info, bytes.data() + at, sizeof info);
      sigaddset(&came, static_cast<int>(info.ssi_signo));
    }
    return signals_text(came);
  }
  return quoted(bytes_of(message, std::min(size, max + 1)), max);
}

std::string flag_names(int flags) {
  std::string names;
  const auto add = [&](int flag, const char* name) {
    if ((flags & flag) != 0) names += std::string(names.empty() ? ", " : "|") + name;
  };
  add(MSG_PEEK, "MSG_PEEK");
  add(MSG_WAITALL, "MSG_WAITALL");
  add(MSG_DONTWAIT, "MSG_DONTWAIT");
  add(MSG_OOB, "MSG_OOB");
  add(MSG_TRUNC, "MSG_TRUNC");
  return names;
}

// recv, recvfrom, recvmsg, send, sendto, sendmsg; not read, readv, write, writev.
bool is_for_sockets(std::string_view function) {
  return function.starts_with("recv") || function.starts_with("send");
}

// readv(2) will not wait: it finds something, or fails.
bool reads_at_once(int fd, const OpenFile& file, std::size_t size) {
  const bool is_too_small =
      (file.kind == OpenFile::Kind::eventfd && size < sizeof(std::uint64_t)) ||
      (file.kind == OpenFile::Kind::signalfd && size < sizeof(signalfd_siginfo));
  return file.kind == OpenFile::Kind::file || is_too_small || poll_now(fd, POLLIN) != 0 ||
         (real().fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
}

// writev(2) that takes what fits: a pipe may have room for something, and not for all. `is_inside`
// is true meanwhile, and stays so when SIGPIPE ends the process.
ssize_t write_what_fits(int fd, const std::vector<iovec>& parts, std::atomic<bool>& is_inside) {
  const int flags = real().fcntl(fd, F_GETFL);
  real().fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  is_inside = true;
  const ssize_t result = real().writev(fd, parts.data(), static_cast<int>(parts.size()));
  const int error = errno;
  is_inside = false;
  real().fcntl(fd, F_SETFL, flags);
  errno = error;
  return result;
}

}  // namespace

bool SystemCalls::is_nonblocking(int fd, int flags) const {
  if ((flags & MSG_DONTWAIT) != 0) return true;
  const int status = real().fcntl(fd, F_GETFL);
  return status >= 0 && (status & O_NONBLOCK) != 0;
}

std::optional<Time> SystemCalls::timeout_option(int fd, int option) const {
  const OpenFile* file = simulation_.descriptors.file(fd);
  if (file == nullptr) return std::nullopt;
  return option == SO_RCVTIMEO ? file->receive_timeout : file->send_timeout;
}

bool SystemCalls::is_ready(int fd, short events) const {
  const OpenFile* file = simulation_.descriptors.file(fd);
  if (file != nullptr && file->is_connecting()) return false;
  short found = poll_now(fd, events);
  if (file != nullptr && file->connection != nullptr && file->connection->has_window() &&
      !file->connection->is_writable())
    found = static_cast<short>(found & ~POLLOUT);
  return found != 0;
}

Answer SystemCalls::receive(const char* function, int fd, msghdr& message, int flags) {
  const std::size_t size = total_size(message);
  const auto call =
      begin(function, fd, format("%s(%d, %zu%s)", function, fd, size, flag_names(flags).c_str()));
  simulation_.run_due();
  OpenFile* file = simulation_.descriptors.file(fd);
  const bool is_socket = file->is_socket();
  if (!is_socket && is_for_sockets(function)) return failed(function, fd, call, ENOTSOCK);
  if (auto failure = planned_failure("recv", function, fd, call)) return *failure;
  if (const int error = take_modelled_error(*file)) return failed(function, fd, call, error);
  Connection* connection = file->connection;
  const bool takes = (flags & MSG_PEEK) == 0;
  const bool is_urgent = (flags & MSG_OOB) != 0;  // never waits, and is no part of the stream
  const bool wants_all = (flags & MSG_WAITALL) != 0 && takes;
  const auto timeout = is_socket ? timeout_option(fd, SO_RCVTIMEO) : std::nullopt;
  const auto deadline =
      timeout ? std::optional(sum(simulation_.clock.now(), *timeout)) : std::nullopt;
  const std::size_t limit =
      size == 0 ? 0 : std::max<std::size_t>(1, simulation_.faults.limit_recv(size));
  std::size_t got = 0;

  const auto gave = [&] {
    if (takes) simulation_.progress.useful();
    const bool is_dropped = is_socket && (flags & MSG_TRUNC) != 0;  // tcp(7): never in the buffer
    const std::string what = is_dropped ? ", dropped" : " " + text_of(file, message, got, 24);
    const Answer answer =
        simulation_.recorder.done(call, static_cast<long>(got), std::to_string(got) + what);
    if (!takes) simulation_.useless(function, fd, call);
    return answer;
  };
  if (is_socket && !takes && (flags & MSG_WAITALL) != 0 && !is_nonblocking(fd, flags)) {
    const auto is_all_there = [&] {
      return static_cast<std::size_t>(bytes_to_read(fd)) >= limit || poll_now(fd, POLLRDHUP) != 0;
    };
    const bool restarts = !timeout.has_value() && bytes_to_read(fd) == 0;
    const auto woken =
        simulation_.wait({is_all_there, deadline, simulation_.recorder.text_of(call), restarts});
    if (woken == Simulation::Woken::interrupted && bytes_to_read(fd) == 0)
      return failed(function, fd, call, EINTR);
  }
  for (;;) {
    // An error stays pending for the next call when this one has got something (MSG_WAITALL).
    if (got > 0 && (poll_now(fd, 0) & POLLERR) != 0 && bytes_to_read(fd) == 0) return gave();
    auto parts = part_of(message, got, limit - got);
    ssize_t result = -1;
    int error = EAGAIN;
    if (is_socket && !file->is_connecting()) {
      msghdr request = message;
      request.msg_iov = parts.data();
      request.msg_iovlen = parts.size();
      result = real().recvmsg(fd, &request, (flags & ~MSG_WAITALL) | MSG_DONTWAIT);
      error = errno;
      if (result >= 0) {
        message.msg_flags = request.msg_flags;
        message.msg_namelen = request.msg_namelen;
        message.msg_controllen = request.msg_controllen;
      }
    } else if (!is_socket && reads_at_once(fd, *file, size)) {
      result = real().readv(fd, parts.data(), static_cast<int>(parts.size()));
      error = errno;
    }
    if (result > 0) {
      got += static_cast<std::size_t>(result);
      if (is_urgent) return gave();
      if (connection != nullptr && takes) {
        connection->program_read += static_cast<std::uint64_t>(result);
        simulation_.settle(*connection);
      }
      if (wants_all && got < limit && !is_at_urgent_mark(fd)) continue;
      return gave();
    }
    if (got > 0 && (result == 0 || error != EAGAIN)) return gave();
    if (result == 0 && size > 0) {
      const bool is_news = connection != nullptr && !std::exchange(connection->end_was_read, true);
      const Answer answer = simulation_.recorder.done(call, 0, "0, the end of the stream");
      if (is_news)
        simulation_.progress.useful();
      else
        simulation_.useless(function, fd, call);
      return answer;
    }
    if (result == 0) {
      simulation_.recorder.done(call, 0);
      simulation_.useless(function, fd, call);
      return {0, 0};
    }
    if (error != EAGAIN || is_urgent) return failed(function, fd, call, error);
    if (is_nonblocking(fd, flags)) return got > 0 ? gave() : failed(function, fd, call, EAGAIN);
    const auto woken =
        simulation_.wait({[&] { return is_ready(fd, POLLIN | POLLRDHUP); }, deadline,
                          simulation_.recorder.text_of(call), !timeout.has_value() && got == 0});
    if (woken == Simulation::Woken::interrupted)
      return got > 0 ? gave() : failed(function, fd, call, EINTR);
    if (woken == Simulation::Woken::timed_out)
      return got > 0 ? gave() : failed(function, fd, call, EAGAIN);
  }
}

Answer SystemCalls::transmit(const char* function, int fd, const msghdr& message, int flags) {
  if ((flags & MSG_OOB) != 0) not_here(format("%s with MSG_OOB", function));
  const std::size_t size = total_size(message);
  OpenFile* file = simulation_.descriptors.file(fd);
  const auto call =
      begin(function, fd,
            format("%s(%d, %s, %zu%s)", function, fd, text_of(file, message, size, 16).c_str(),
                   size, flag_names(flags).c_str()));
  simulation_.run_due();
  const bool is_socket = file->is_socket();
  if (!is_socket && is_for_sockets(function)) return failed(function, fd, call, ENOTSOCK);
  if (auto failure = planned_failure("send", function, fd, call)) return *failure;
  if (const int error = take_modelled_error(*file)) return failed(function, fd, call, error);
  Connection* connection = file->connection;
  const bool is_short = simulation_.faults.sends_are_short();
  const std::size_t limit =
      size == 0 ? 0 : std::max<std::size_t>(1, simulation_.faults.limit_send(size));
  const auto timeout = is_socket ? timeout_option(fd, SO_SNDTIMEO) : std::nullopt;
  const auto deadline =
      timeout ? std::optional(sum(simulation_.clock.now(), *timeout)) : std::nullopt;
  std::size_t sent = 0;

  const auto took = [&] {
    if (sent > 0) simulation_.progress.useful();
    const Answer answer = simulation_.recorder.done(call, static_cast<long>(sent));
    if (sent == 0) simulation_.useless(function, fd, call);
    return answer;
  };
  // To write wake-ups where there are enough of them is no busy loop for long.
  const auto is_full_now = [&] {
    if (connection != nullptr) return failed(function, fd, call, EAGAIN);
    const Answer answer = simulation_.recorder.failed(call, EAGAIN);
    simulation_.useless(function, fd, call, ProgressMonitor::useless_wake_ups_max);
    return answer;
  };
  for (;;) {
    // As in receive(): the error is the next call's.
    if (sent > 0 && is_socket && (poll_now(fd, 0) & POLLERR) != 0) return took();
    std::size_t want = limit - sent;
    bool is_full = file->is_connecting();
    if (connection != nullptr && connection->has_window()) {
      want = static_cast<std::size_t>(connection->fits(want, size));
      is_full = want == 0 && size > 0;
    }
    ssize_t result = -1;
    int error = EAGAIN;
    if (!is_full) {
      auto parts = part_of(message, sent, want);
      msghdr request = message;
      request.msg_iov = parts.data();
      request.msg_iovlen = parts.size();
      errno = EAGAIN;
      const Inside inside;  // a handler of SIGPIPE is the program
      if (is_socket)
        result = real().sendmsg(fd, &request, flags | MSG_DONTWAIT);
      else
        result = write_what_fits(fd, parts, simulation_.recorder.recording().in_pipe_write);
      error = errno;
    }
    if (result >= 0) {
      sent += static_cast<std::size_t>(result);
      if (connection != nullptr) {
        connection->program_sent += static_cast<std::uint64_t>(result);
        const bool peer_is_gone = connection->peer_fd < 0 && connection->peer_finished;
        if (peer_is_gone && result > 0 && !std::exchange(connection->reset_expected, true))
          simulation_.events.plan(simulation_.clock.now(),
                                  [recorder = &simulation_.recorder, connection] {
                                    recorder->peer(connection->name, "resets",
                                                   connection->name + "'s kernel answers (RST)");
                                  });
        simulation_.settle(*connection);
      }
      if (sent == limit || is_short || is_nonblocking(fd, flags)) return took();
      continue;
    }
    if (error != EAGAIN) return sent > 0 ? took() : failed(function, fd, call, error);
    if (is_nonblocking(fd, flags)) return sent > 0 ? took() : is_full_now();
    const auto woken =
        simulation_.wait({[&] { return is_ready(fd, POLLOUT); }, deadline,
                          simulation_.recorder.text_of(call), !timeout.has_value() && sent == 0});
    if (woken == Simulation::Woken::interrupted)
      return sent > 0 ? took() : failed(function, fd, call, EINTR);
    if (woken == Simulation::Woken::timed_out)
      return sent > 0 ? took() : failed(function, fd, call, EAGAIN);
  }
}

}  // namespace grader
