// Different here: no loops over attempts. Each call handles one event (begin, answer, end of the
// time) and calls itself for the rest; the state is passed along.
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "09-deadlines/deadlines.hpp"
#include "11-non-blocking/non_blocking.hpp"
#include "13-connect-in-time/connect_in_time.hpp"

namespace course {
namespace {

struct Attempt {
  Fd fd;
  Endpoint to;
};

struct Race {
  std::span<const Endpoint> rest;
  std::vector<Attempt> under_way;
  std::optional<Duration> stagger;
  Deadline deadline;
  Deadline next = Deadline::never();
  std::error_code reason = {EAFNOSUPPORT, std::system_category()};
  Endpoint who = {};
};

Fd go_on(Race race);

int so_error(int fd) {
  int error = -1;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

Endpoint name(int (*ask)(int, sockaddr*, socklen_t*), int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (ask(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
  return {reinterpret_cast<sockaddr*>(&storage), length};
}

Fd failed(Race race, int error, const Endpoint& where) {
  if (error != EAFNOSUPPORT || race.reason.value() == EAFNOSUPPORT) {
    race.reason.assign(error, std::system_category());
    race.who = where;
  }
  race.next = Deadline::after({});
  return go_on(std::move(race));
}

Fd begin(Race race) {
  const Endpoint to = race.rest.front();
  race.rest = race.rest.last(race.rest.size() - 1);
  Fd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return failed(std::move(race), errno, to);
  if (fd.get() >= 1024) return failed(std::move(race), EINVAL, to);
  set_nonblocking(fd.get(), true);
  if (::connect(fd.get(), to.data(), to.length()) != 0 && errno != EINPROGRESS)
    return failed(std::move(race), errno, to);
  race.under_way.push_back({std::move(fd), to});
  race.next = race.stagger ? Deadline::after(*race.stagger) : Deadline::never();
  return go_on(std::move(race));
}

Fd answered(Race race, int fd) {
  const auto at = std::find_if(race.under_way.begin(), race.under_way.end(),
                               [=](const Attempt& attempt) { return attempt.fd.get() == fd; });
  Attempt attempt = std::move(*at);
  race.under_way.erase(at);
  int error = so_error(fd);
  if (error == 0 && name(::getpeername, fd) == name(::getsockname, fd)) error = ECONNREFUSED;
  if (error != 0) return failed(std::move(race), error, attempt.to);
  set_nonblocking(fd, false);
  return std::move(attempt.fd);
}

Deadline nearer(const Deadline& a, const Deadline& b) {
  return a.remaining().value_or(Duration::max()) < b.remaining().value_or(Duration::max()) ? a : b;
}

Fd go_on(Race race) {
  const bool is_due = race.under_way.empty() || race.next.has_passed();
  if (!race.rest.empty() && is_due) return begin(std::move(race));
  if (race.under_way.empty()) throw std::system_error(race.reason, race.who.to_string());
  std::vector<int> fds;
  for (const Attempt& attempt : race.under_way) fds.push_back(attempt.fd.get());
  const Deadline until = race.rest.empty() ? race.deadline : nearer(race.deadline, race.next);
  const auto ready = select_until({}, fds, {}, until).writable;
  if (!ready.empty()) return answered(std::move(race), ready.front());
  if (!race.deadline.has_passed()) return go_on(std::move(race));
  throw std::system_error(ETIMEDOUT, std::system_category(), race.under_way.back().to.to_string());
}

Fd run(std::span<const Endpoint> addresses, std::optional<Duration> stagger, Deadline deadline) {
  if (addresses.empty()) throw std::invalid_argument("no addresses");
  return go_on({addresses, {}, stagger, deadline});
}

}  // namespace

Fd connect_until(std::span<const Endpoint> addresses, Deadline deadline) {
  return run(addresses, std::nullopt, deadline);
}

Fd connect_race(std::span<const Endpoint> addresses, std::chrono::milliseconds stagger,
                Deadline deadline) {
  return run(addresses, stagger, deadline);
}

}  // namespace course
