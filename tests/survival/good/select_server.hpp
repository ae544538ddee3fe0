/// @file
/// Stands in for the servers of lessons 15 to 18 until they are written.
#pragma once

#include <sys/select.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "06-serve/serve.hpp"
#include "08-three-lists/three_lists.hpp"
#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "12-write-when-ready/write_when_ready.hpp"
#include "14-wake-ups/wake_ups.hpp"

struct Connection {
  course::Fd fd{};
  course::OutQueue out{};
  std::string name{}, line{};
  bool has_ended = false;  ///< nothing more is received
  bool is_broken = false;
  bool is_finished = false;  ///< everything has been sent, and the end; what comes is not answered
};

class SelectServer {
 public:
  virtual ~SelectServer() = default;
  int run(int argc, char* argv[]) {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;
    for (int i = 1; i + 1 < argc; i += 2)
      (std::string(argv[i]) == "--port"
           ? void(port = static_cast<std::uint16_t>(std::atoi(argv[i + 1])))
           : void(address = argv[i + 1]));
    const std::array stop_signals{SIGINT, SIGTERM};
    course::SignalPipe signals(stop_signals);
    listener_ = course::listen_on(course::Endpoint::numeric(address, port), SOMAXCONN);
    course::set_nonblocking(listener_.get(), true);
    std::printf("listening on %s:%d\n", address.c_str(), course::local_port(listener_.get()));
    std::fflush(stdout);
    course::Deadline end = course::Deadline::never();
    for (bool is_stopping = false; !is_stopping || !connections_.empty();) {
      turn(is_stopping, signals, end);
      if (is_stopping && end.has_passed()) break;
      if (!signals.take().empty()) {
        if (is_stopping) break;
        is_stopping = true;
        listener_.reset();
        end = course::Deadline::after(std::chrono::seconds(2));
      }
    }
    return 0;
  }

 protected:
  virtual void hear(int fd, course::cbytes data) = 0;
  virtual void leave(int fd) = 0;
  std::map<int, Connection> connections_{};

 private:
  void turn(bool is_stopping, course::SignalPipe& signals, course::Deadline deadline) {
    std::vector<int> readers{signals.fd()}, writers;
    if (listener_.get() != -1 && !is_full_) readers.push_back(listener_.get());
    for (auto& [fd, one] : connections_) {
      if (!one.has_ended && (is_stopping ? one.is_finished : one.out.size() < 65'536))
        readers.push_back(fd);
      if (one.out.wants_write()) writers.push_back(fd);
    }
    const auto ready = course::select_until(readers, writers, {}, deadline);
    for (const int fd : ready.readable)
      if (connections_.contains(fd)) receive(fd);
    for (auto& [fd, one] : connections_)
      if (one.out.wants_write() && one.out.flush(fd).status == course::IoStatus::error)
        one.is_broken = true;
    for (auto at = connections_.begin(); at != connections_.end();) {
      const auto here = at++;
      Connection& one = here->second;
      // With input unread, close would reset the connection, and what is on the way would be lost.
      if (is_stopping && !one.out.wants_write() && !one.is_finished) {
        one.is_finished = true;
        (void)::shutdown(here->first, SHUT_WR);
      }
      const bool is_done = one.is_broken || (one.has_ended && !one.out.wants_write());
      if (!is_done) continue;
      const int fd = here->first;
      const course::Fd closing = std::move(one.fd);
      leave(fd);
      connections_.erase(here);
      is_full_ = false;
    }
    for (const int fd : ready.readable)
      if (fd == listener_.get()) take_in();
  }

  void receive(int fd) {
    std::array<std::byte, 16384> buffer;
    const auto got = course::try_recv(fd, buffer);
    Connection& one = connections_.at(fd);
    one.has_ended = got.status == course::IoStatus::eof;
    one.is_broken = got.status == course::IoStatus::error;
    if (got.bytes > 0 && !one.is_finished) hear(fd, course::cbytes(buffer).first(got.bytes));
  }

  void take_in() {
    course::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int fd = client.get();
    if (fd == -1) {
      is_full_ = errno == EMFILE || errno == ENFILE;
      return;
    }
    if (fd < FD_SETSIZE) connections_[fd].fd = std::move(client);
  }

  course::Fd listener_{};
  bool is_full_ = false;
};
