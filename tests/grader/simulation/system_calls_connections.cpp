// connect and accept.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <utility>

#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

constexpr int connect_wait_max_ms = 10'000;

std::string accept_flags(int flags) {
  std::string names = (flags & SOCK_NONBLOCK) != 0 ? ", NONBLOCK" : "";
  if ((flags & SOCK_CLOEXEC) != 0) names += names.empty() ? ", CLOEXEC" : "|CLOEXEC";
  return names;
}

// A port of this check's own at which nobody listens. The descriptor keeps it from being given to
// anybody else.
sockaddr_in closed_port(int& keeper) {
  keeper = Simulation::out_of_the_way(real().socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = Network::real_address(Network::Use::scripted_hosts, 0);
  real().bind(keeper, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  address.sin_port = htons(local_port(keeper));
  return address;
}

// The error that the kernel holds for the program; it is clear afterwards.
int fetch_error(int fd) {
  int pending = 0;
  socklen_t length = sizeof pending;
  real().getsockopt(fd, SOL_SOCKET, SO_ERROR, &pending, &length);
  return pending;
}

}  // namespace

// Connects for real, without waiting for longer than the loopback takes.
void SystemCalls::connect_to(int fd, const sockaddr_in& to) {
  const int flags = real().fcntl(fd, F_GETFL);
  real().fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  (void)real().connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  real().fcntl(fd, F_SETFL, flags);
  pollfd entry{fd, POLLOUT, 0};
  if (real().poll(&entry, 1, connect_wait_max_ms) != 1)
    simulation_.give_verdict(Verdict::infrastructure, "the loopback did not answer a connect");
}

// Connects the socket with itself, for real.
void SystemCalls::connect_to_itself(int fd, OpenFile& file) {
  sockaddr_in own = Network::real_address(Network::Use::program_v4, 0);
  if (!file.bound) real().bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own);
  socklen_t length = sizeof own;
  real().getsockname(fd, reinterpret_cast<sockaddr*>(&own), &length);
  connect_to(fd, own);
  file.description = "a connection of the socket with itself";
  file.bound = file.other_end;
}

// Connects for real; on the loopback that takes microseconds either way. Returns the errno that the
// kernel holds for the program, which is then still to be fetched as SO_ERROR.
int SystemCalls::connect_really(int fd, const HostAnswer& host, OpenFile& file) {
  int keeper = -1;
  const sockaddr_in to =
      host.real_listener >= 0
          ? Network::real_address(Network::Use::scripted_hosts, local_port(host.real_listener))
          : closed_port(keeper);
  connect_to(fd, to);
  if (keeper >= 0) real().close(keeper);
  if (host.real_listener < 0) return ECONNREFUSED;

  Connection& connection = host.peer->connection();
  connection.program_fd = fd;
  host.peer->take(Simulation::out_of_the_way(real().accept(host.real_listener, nullptr, nullptr)));
  file.connection = &connection;
  file.description = "the connection to " + connection.name;
  if (!file.bound) {
    file.bound = Address::of(file.family == AF_INET6 ? "::1" : "127.0.0.1", 0);
    file.bound->port = simulation_.network.shown_port(local_port(fd));
  }
  const int on = 1;
  real().setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return 0;
}

void SystemCalls::answer_connect(const std::shared_ptr<OpenFile>& file, const HostAnswer& host) {
  const int fd = simulation_.descriptors.any_descriptor_of(file.get());
  if (fd < 0) return;  // the program gave it up
  ConnectAttempt& attempt = *file->attempt;
  attempt.answered = true;
  if (host.kind == HostAnswer::Kind::fails) {
    attempt.error = host.error;
    attempt.error_is_modelled = true;
  } else if (host.kind == HostAnswer::Kind::itself) {
    connect_to_itself(fd, *file);
    return simulation_.recorder.fault(format("descriptor %d is connected to itself", fd));
  } else {
    attempt.error = connect_really(fd, host, *file);
  }
  const std::string name = attempt.who.empty() ? attempt.to.to_string() : attempt.who;
  if (attempt.error == 0)
    simulation_.recorder.peer(attempt.who, "accepts", name + " accepts");
  else if (attempt.error == ECONNREFUSED)
    simulation_.recorder.peer(attempt.who, "refuses", name + " refuses");
  else
    simulation_.recorder.fault(name + ": " + error_name(attempt.error));
}

// Takes the error that the simulation, not the kernel, holds for the program; 0: none.
int SystemCalls::take_modelled_error(OpenFile& file) {
  if (!file.attempt || !file.attempt->answered) return 0;
  return std::exchange(file.attempt->error_is_modelled, false) ? file.attempt->error : 0;
}

// The error with which a connect failed, which the program has then been told: SO_ERROR is clear
// afterwards. 0: it was told before.
int SystemCalls::take_connect_error(int fd, OpenFile& file) {
  const int pending = fetch_error(fd);
  return pending != 0 ? pending : take_modelled_error(file);
}

// Waits for the answer to a connect. Returns 0, or the errno with which connect fails before.
int SystemCalls::wait_for_answer(int fd, const OpenFile& file, Recorder::Call call) {
  if (is_nonblocking(fd)) {
    if (simulation_.faults.tells_connects_at_once()) simulation_.run_due();
    return file.is_connecting() ? EINPROGRESS : 0;
  }
  const auto timeout = timeout_option(fd, SO_SNDTIMEO);
  const auto deadline =
      timeout ? std::optional(sum(simulation_.clock.now(), *timeout)) : std::nullopt;
  const auto woken = simulation_.wait({[&] { return !file.is_connecting(); }, deadline,
                                       simulation_.recorder.text_of(call), !timeout.has_value()});
  if (woken == Simulation::Woken::interrupted) return EINTR;
  return woken == Simulation::Woken::timed_out ? EINPROGRESS : 0;
}

Answer SystemCalls::connect(int fd, const sockaddr* address, socklen_t length) {
  const auto call =
      begin("connect", fd, format("connect(%d, %s)", fd, address_text(address, length).c_str()));
  const auto file = simulation_.descriptors.shared_file(fd);
  const auto to = Address::from(address, length);
  simulation_.run_due();
  if (file == nullptr || file->kind != OpenFile::Kind::stream_socket) {
    if (real().connect(fd, address, length) < 0) return failed("connect", fd, call, errno);
    return simulation_.recorder.done(call, 0);
  }
  if (file->family == AF_INET6 && length < ipv6_length_min)
    return failed("connect", fd, call, EINVAL);
  if (!to) {  // as the kernel does: cut off, or of another family
    const bool is_cut_off =
        address == nullptr || length < sizeof(sockaddr_in) || address->sa_family == file->family;
    return failed("connect", fd, call, is_cut_off ? EINVAL : EAFNOSUPPORT);
  }
  if (to->family != file->family) return failed("connect", fd, call, EAFNOSUPPORT);
  if (file->is_connecting()) return failed("connect", fd, call, EALREADY);
  if (file->is_connected()) {
    const bool is_news = file->attempt && !std::exchange(file->attempt->told, true);
    return is_news ? simulation_.recorder.done(call, 0) : failed("connect", fd, call, EISCONN);
  }
  if (file->attempt && file->attempt->error != 0) {
    const int error = take_connect_error(fd, *file);
    if (error != 0) return failed("connect", fd, call, error);
    return failed("connect", fd, call, EINVAL, "its last connect failed");
  }

  const auto found = simulation_.hosts.find(*to);
  const HostAnswer host = found == simulation_.hosts.end() ? HostAnswer{} : found->second;
  file->attempt =
      ConnectAttempt{*to, host.peer == nullptr ? "" : host.peer->name(), false, false, 0, false};
  file->other_end = *to;
  const auto planned = simulation_.faults.next_error("connect");
  if (planned && *planned != EINTR) {
    file->attempt->answered = true;
    file->attempt->error = *planned;
    return failed("connect", fd, call, *planned);
  }
  if (host.kind == HostAnswer::Kind::fails && host.after == Time{}) {
    file->attempt->answered = true;
    file->attempt->error = host.error;
    return failed("connect", fd, call, host.error);
  }
  simulation_.events.plan(simulation_.clock.now() + host.after, [&it = simulation_, file, host] {
    SystemCalls(it).answer_connect(file, host);
  });
  simulation_.progress.useful();
  if (planned) return failed("connect", fd, call, EINTR, "it goes on by itself");
  if (const int error = wait_for_answer(fd, *file, call))
    return failed("connect", fd, call, error, error == EINTR ? "it goes on by itself" : "");
  if (file->attempt->error != 0) return failed("connect", fd, call, take_connect_error(fd, *file));
  file->attempt->told = true;
  return simulation_.recorder.done(call, 0);
}

// Waits for a connection to accept. Returns 0, or the errno with which accept fails instead.
int SystemCalls::wait_for_client(int fd, std::optional<Time> deadline, Recorder::Call call) {
  if (is_ready(fd, POLLIN)) return 0;
  if (is_nonblocking(fd)) return EAGAIN;
  const auto woken = simulation_.wait({[&] { return is_ready(fd, POLLIN); }, deadline,
                                       simulation_.recorder.text_of(call), !deadline.has_value()});
  if (woken == Simulation::Woken::interrupted) return EINTR;
  return woken == Simulation::Woken::timed_out ? EAGAIN : 0;
}

Answer SystemCalls::accept(const char* function, int fd, sockaddr* address, socklen_t* length,
                           int flags) {
  const auto call =
      begin(function, fd, format("%s(%d%s)", function, fd, accept_flags(flags).c_str()));
  simulation_.run_due();
  if (auto failure = planned_failure("accept", function, fd, call)) return *failure;
  const OpenFile* listener = simulation_.descriptors.file(fd);
  if (listener == nullptr || !listener->listening) {
    const int accepted = real().accept4(fd, address, length, flags | SOCK_NONBLOCK);
    return failed(function, fd, call, accepted < 0 ? errno : EINVAL);
  }
  if (address != nullptr && length != nullptr && *length > 1'000'000)
    return failed(function, fd, call, EINVAL, "the address length was not set");
  const auto timeout = timeout_option(fd, SO_RCVTIMEO);
  const auto deadline =
      timeout ? std::optional(sum(simulation_.clock.now(), *timeout)) : std::nullopt;
  int accepted = -1;
  Peer* peer = nullptr;
  for (bool is_gone = true; is_gone;) {
    if (const int error = wait_for_client(fd, deadline, call))
      return failed(function, fd, call, error);
    sockaddr_in from{};
    socklen_t from_length = sizeof from;
    accepted = real().accept4(fd, reinterpret_cast<sockaddr*>(&from), &from_length, flags);
    if (accepted < 0) return failed(function, fd, call, errno);
    peer = simulation_.unaccepted_peer(ntohs(from.sin_port));
    if (peer != nullptr) peer->connection().was_accepted = true;
    const bool is_reset = peer != nullptr && peer->connection().peer_reset;
    is_gone = is_reset && simulation_.faults.drops_reset_connections();
    const bool aborts = is_reset && simulation_.faults.aborts_reset_connections();
    if (!is_gone && !aborts) continue;
    real().close(accepted);
    peer->connection().program_finished = true;
    if (aborts) return failed(function, fd, call, ECONNABORTED);
  }
  const int on = 1;
  real().setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto file = std::make_shared<OpenFile>();
  file->kind = OpenFile::Kind::stream_socket;
  file->family = listener->family;
  file->bound = listener->bound;
  file->receive_timeout = listener->receive_timeout;
  file->send_timeout = listener->send_timeout;
  std::string shown = std::to_string(accepted);
  if (peer != nullptr) {
    Address other_end = peer->address();
    if (file->family == AF_INET6) other_end = Address::of("2001:db8::1", other_end.port);
    file->description = "the connection to " + peer->name();
    file->connection = &peer->connection();
    file->other_end = other_end;
    peer->connection().program_fd = accepted;
    if (address != nullptr) other_end.write_to(address, length);
    shown += " (" + peer->name() + ")";
  }
  simulation_.adopt(accepted, file, false, format("%s()", function));
  if (peer != nullptr) simulation_.settle(peer->connection());
  simulation_.progress.useful();
  return simulation_.recorder.done(call, accepted, shown);
}

}  // namespace grader
