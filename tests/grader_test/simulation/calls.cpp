#include "calls.hpp"

#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>

#include "simulation/text.hpp"

LESSON("grader-test");

namespace grader_test {
namespace {

fd_set set_of(const std::vector<int>& fds) {
  fd_set set;
  FD_ZERO(&set);
  for (const int fd : fds) FD_SET(fd, &set);
  return set;
}

std::string members(const char* name, const fd_set& set) {
  std::string text;
  for (int fd = 0; fd < FD_SETSIZE; ++fd)
    if (FD_ISSET(fd, &set)) text += (text.empty() ? "" : " ") + std::to_string(fd);
  return text.empty() ? "" : std::string(", ") + name + " {" + text + "}";
}

int highest(const Sets& sets) {
  int nfds = 0;
  for (const auto* fds : {&sets.read, &sets.write, &sets.except})
    for (const int fd : *fds) nfds = std::max(nfds, fd + 1);
  return nfds;
}

// An empty vector is a null pointer, as in most programs.
struct AskedSets {
  explicit AskedSets(const Sets& sets)
      : read(set_of(sets.read)),
        write(set_of(sets.write)),
        except(set_of(sets.except)),
        read_pointer(sets.read.empty() ? nullptr : &read),
        write_pointer(sets.write.empty() ? nullptr : &write),
        except_pointer(sets.except.empty() ? nullptr : &except) {}
  [[nodiscard]] std::string answer(int result) const {
    const std::string text = outcome(result);
    return result < 0
               ? text
               : text + members("read", read) + members("write", write) + members("except", except);
  }
  fd_set read, write, except;
  fd_set *read_pointer, *write_pointer, *except_pointer;
};

}  // namespace

std::string outcome(long result) {
  const int error = errno;
  const std::string text = std::to_string(result);
  return result == -1 ? text + " " + grader::error_name(error) : text;
}

std::string received(int fd, std::size_t size, int flags) {
  std::string data(size, '\0');
  const ssize_t got = ::recv(fd, data.data(), data.size(), flags);
  if (got < 0) return outcome(got);
  data.resize(static_cast<std::size_t>(got));
  return data;
}

std::string sent(int fd, const std::string& data, int flags) {
  return outcome(::send(fd, data.data(), data.size(), flags | MSG_NOSIGNAL));
}

std::string selected(const Sets& sets, std::optional<std::chrono::microseconds> timeout) {
  timeval time{};
  if (timeout) time = {*timeout / 1s, (*timeout % 1s).count()};
  return selected(sets, highest(sets), timeout ? &time : nullptr);
}

std::string selected(const Sets& sets, int nfds, timeval* timeout) {
  AskedSets asked(sets);
  const int result =
      ::select(nfds, asked.read_pointer, asked.write_pointer, asked.except_pointer, timeout);
  return asked.answer(result);
}

std::string pselected(const Sets& sets, const timespec* timeout, const sigset_t* mask) {
  AskedSets asked(sets);
  const int result = ::pselect(highest(sets), asked.read_pointer, asked.write_pointer,
                               asked.except_pointer, timeout, mask);
  return asked.answer(result);
}

std::string polled(int fd, short events, int timeout_ms) {
  pollfd entry{fd, events, 0};
  std::string text = outcome(::poll(&entry, 1, timeout_ms));
  const auto add = [&](short event, const char* name) {
    if ((entry.revents & event) != 0)
      text += std::string(text.find(',') == std::string::npos ? ", " : " ") + name;
  };
  add(POLLIN, "in");
  add(POLLPRI, "pri");
  add(POLLOUT, "out");
  add(POLLERR, "err");
  add(POLLHUP, "hup");
  add(POLLNVAL, "nval");
  return text;
}

std::string pending_error(int fd) {
  int error = -1;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return outcome(-1);
  return error == 0 ? "0" : grader::error_name(error);
}

void set_timeout(int fd, int option, std::chrono::microseconds timeout) {
  const timeval time{timeout / 1s, (timeout % 1s).count()};
  EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, option, &time, sizeof time), 0);
}

sockaddr_in address(const char* host, std::uint16_t port) {
  const grader::Address from = grader::Address::of(host, port);
  sockaddr_in result{};
  socklen_t length = sizeof result;
  from.write_to(reinterpret_cast<sockaddr*>(&result), &length);
  return result;
}

std::string connected(int fd, const sockaddr_in& to) {
  return outcome(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to));
}

std::string bound(int fd, const sockaddr_in& to) {
  return outcome(::bind(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to));
}

std::uint16_t port_of(int fd) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
  return ntohs(address.sin_port);
}

int listening_socket(int backlog) {
  const int fd = new_socket();
  EXPECT_EQ(::listen(fd, backlog), 0);
  return fd;
}

int new_socket(int type) { return ::socket(AF_INET, SOCK_STREAM | type, 0); }

Time steady_time() {
  if (const auto* driver = grader::Driver::current(); driver != nullptr) return driver->now();
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec - 5000) + Time(now.tv_nsec);
}

}  // namespace grader_test
