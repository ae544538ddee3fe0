/// @file
/// System calls whose results read like a sentence: "5", "-1 EINTR", "1, read {3}".
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/select.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "scenario/check.hpp"

namespace grader_test {

using grader::Handler;
using grader::Peer;
using grader::Scenario;
using grader::Time;
using namespace std::chrono_literals;

/// "5", or "-1 EINTR" with errno's name.
std::string outcome(long result);

/// recv of at most `size` bytes: what came, in quotes; "" is the end; "-1 EAGAIN".
std::string received(int fd, std::size_t size = 100, int flags = 0);

/// send, with MSG_NOSIGNAL: "5" or "-1 EPIPE".
std::string sent(int fd, const std::string& data, int flags = 0);

/// What select is asked.
struct Sets {
  std::vector<int> read = {}, write = {}, except = {};
};

/// select with nfds one above the highest number. Nothing: no timeout. "1, read {3}", "0",
/// "-1 EBADF".
std::string selected(const Sets& sets, std::optional<std::chrono::microseconds> timeout = {});

/// select with these very arguments; leaves in `*timeout` what select leaves there.
std::string selected(const Sets& sets, int nfds, timeval* timeout);

/// pselect likewise, with the signal mask `mask`.
std::string pselected(const Sets& sets, const timespec* timeout, const sigset_t* mask);

/// poll of one descriptor: "1, in", "1, out hup", "0".
std::string polled(int fd, short events, int timeout_ms);

/// The SO_ERROR of `fd`, by name; "0".
std::string pending_error(int fd);

void set_timeout(int fd, int option, std::chrono::microseconds timeout);

/// An IPv4 address and port for bind and connect.
sockaddr_in address(const char* host, std::uint16_t port);
std::string connected(int fd, const sockaddr_in& to);
std::string bound(int fd, const sockaddr_in& to);
std::uint16_t port_of(int fd);

/// A socket that listens at a port of the kernel's choice.
int listening_socket(int backlog = 5);

/// A stream socket; `type` may hold SOCK_NONBLOCK too.
int new_socket(int type = 0);

/// Virtual time since the scenario began; in the simulation as the program reads it.
Time steady_time();

}  // namespace grader_test
