// How a peer comes to be connected.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "libc/real_libc.hpp"
#include "simulation/peer.hpp"
#include "simulation/settle.hpp"
#include "simulation/simulation.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

// The kernel's own limit never decides: its count is in pages, of which small writes waste up to
// half.
constexpr int real_pipe_bytes = 4 * static_cast<int>(Connection::default_window_bytes);

void send_without_delay(
    int fd) {  // Nagle's algorithm would hold small segments back for tens of milliseconds
  const int on = 1;
  real().setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

template <class Call>
auto checked(Simulation& simulation, const char* what, Call result) {
  if (result < 0)
    simulation.give_verdict(Verdict::infrastructure,
                            format("%s: %s", what, error_name(errno).c_str()));
  return result;
}

int open_socket(Simulation& simulation, int family) {
  const int fd = Simulation::out_of_the_way(
      checked(simulation, "socket", real().socket(family, SOCK_STREAM, 0)));
  if (!simulation.driver) make_roomy(fd);
  return fd;
}

int listen_at(Simulation& simulation, Network::Use use) {
  const int fd = open_socket(simulation, AF_INET);
  const sockaddr_in address = Network::real_address(use, 0);
  checked(simulation, "bind",
          real().bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  checked(simulation, "listen", real().listen(fd, 16));
  return fd;
}

// As if it had been opened just now.
int lowest_number(int fd) {
  const int copy = real().fcntl(fd, F_DUPFD_CLOEXEC, 0);
  real().close(copy < fd ? fd : copy);
  return std::min(copy, fd);
}

}  // namespace

void Peer::take(int peer_fd) {
  connection_.peer_fd = peer_fd;
  was_connected_ = true;
  last_done_ = simulation_.clock.now();
  send_without_delay(peer_fd);
}

int Peer::connected() {
  const int listener = listen_at(simulation_, Network::Use::peers);
  const sockaddr_in address = Network::real_address(Network::Use::peers, local_port(listener));
  const int fd = open_socket(simulation_, AF_INET);
  checked(simulation_, "connect",
          real().connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  const int program_fd =
      checked(simulation_, "accept", real().accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  real().close(listener);
  send_without_delay(program_fd);
  take(fd);
  connection_.program_fd = program_fd;
  auto file = std::make_shared<OpenFile>();
  file->kind = OpenFile::Kind::stream_socket;
  file->description = "the connection to " + name();
  file->family = AF_INET;
  file->connection = &connection_;
  file->other_end = own_address();
  file->bound = Address::of("192.0.2.1", simulation_.network.shown_port(local_port(program_fd)));
  simulation_.adopt(program_fd, std::move(file), true, "the check");
  fill_closed_window();
  return program_fd;
}

int Peer::connected_and_handed_over() {
  const int fd = connected();
  simulation_.adopt(fd, simulation_.descriptors.shared_file(fd), false,
                    "the check, for the program to close");
  return fd;
}

int Peer::pipe_to_program() { return make_pipe(Connection::Medium::pipe_to_program); }

int Peer::pipe_from_program() { return make_pipe(Connection::Medium::pipe_from_program); }

int Peer::make_pipe(Connection::Medium medium) {
  int ends[2];
  checked(simulation_, "pipe", real().pipe2(ends, O_CLOEXEC));
  const bool program_reads = medium == Connection::Medium::pipe_to_program;
  const int peer_fd = Simulation::out_of_the_way(ends[program_reads ? 1 : 0]);
  const int program_fd = lowest_number(ends[program_reads ? 0 : 1]);
  if (!simulation_.driver)
    (void)real().fcntl(peer_fd, F_SETPIPE_SZ, real_pipe_bytes);  // may fail: pipe-user-pages-soft
  real().fcntl(peer_fd, F_SETFL, O_NONBLOCK | (program_reads ? O_WRONLY : O_RDONLY));
  take(peer_fd);
  connection_.medium = medium;
  connection_.program_fd = program_fd;
  auto file = std::make_shared<OpenFile>();
  file->kind = OpenFile::Kind::pipe;
  file->description = (program_reads ? "the pipe from " : "the pipe to ") + name();
  file->connection = &connection_;
  simulation_.adopt(program_fd, std::move(file), true, "the check");
  fill_closed_window();
  return program_fd;
}

bool Peer::try_connect(std::uint16_t port, Where where) {
  if (connection_.window_bytes == 0) only_simulated("Peer::window(0) of a client");
  const int listener = simulation_.listener_at(port);
  if (listener < 0 && simulation_.driver) return false;  // not yet
  if (listener < 0)
    simulation_.give_verdict(Verdict::expectation,
                             name() + " could not connect: the program listens " +
                                 (port == 0 ? "nowhere" : format("at no port %u", port)),
                             where);
  const unsigned pending = accept_queue_length(listener);
  if (pending > simulation_.backlog_of(listener)) {
    if (!std::exchange(told_to_wait_, true))
      simulation_.recorder.peer(name(), "connects", name() + " connects, but the backlog is full");
    return false;
  }
  sockaddr_storage to{};
  socklen_t length = sizeof to;
  real().getsockname(listener, reinterpret_cast<sockaddr*>(&to), &length);
  const int fd = open_socket(simulation_, to.ss_family);
  sockaddr_in own = Network::real_address(Network::Use::peers, 0);
  if (to.ss_family == AF_INET)  // IPv6, which only real time has, knows one loopback address
    checked(simulation_, "bind", real().bind(fd, reinterpret_cast<sockaddr*>(&own), sizeof own));
  if (real().connect(fd, reinterpret_cast<sockaddr*>(&to), length) != 0) {
    simulation_.recorder.peer(name(), "connects", name() + " is refused");
    simulation_.give_verdict(
        Verdict::expectation,
        name() + " was refused: the listening socket no longer listens. Was it shut down?", where);
  }
  real_port_ = local_port(fd);
  real_listener_port_ = local_port(listener);
  take(fd);
  if (!simulation_.driver && !settle_accept_queue(listener, pending + 1))
    simulation_.give_verdict(Verdict::infrastructure, "the loopback did not deliver a connection");
  simulation_.recorder.peer(name(), "connects", name() + " connects");
  return true;
}

Peer& Peer::connects(std::uint16_t port, Where where) {
  return add([this, port, where] { return try_connect(port, where); });
}

Peer& Peer::listens_at(const std::string& host, std::uint16_t port, Time answers_after) {
  only_simulated("Peer::listens_at()");
  const int listener = listen_at(simulation_, Network::Use::scripted_hosts);
  simulation_.hosts[Address::of(host, port)] = {HostAnswer::Kind::accepts, answers_after, 0, this,
                                                listener};
  return *this;
}

Peer& Peer::refuses_at(const std::string& host, std::uint16_t port, Time after) {
  only_simulated("Peer::refuses_at()");
  simulation_.hosts[Address::of(host, port)] = {HostAnswer::Kind::refuses, after, ECONNREFUSED,
                                                this, -1};
  return *this;
}

Peer& Peer::is_the_socket_itself_at(const std::string& host, std::uint16_t port, Time after) {
  only_simulated("Peer::is_the_socket_itself_at()");
  simulation_.hosts[Address::of(host, port)] = {HostAnswer::Kind::itself, after, 0, this, -1};
  return *this;
}

Peer& Peer::never_answers_at(const std::string& host, std::uint16_t port) {
  return fails_at(host, port, ETIMEDOUT, 127s);
}

Peer& Peer::fails_at(const std::string& host, std::uint16_t port, int error, Time after) {
  only_simulated("Peer::fails_at()");
  simulation_.hosts[Address::of(host, port)] = {HostAnswer::Kind::fails, after, error, this, -1};
  return *this;
}

}  // namespace grader
