#include "server.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "client.hpp"

namespace survival {
namespace {

constexpr milliseconds start_within{5000};

/// An address that no other process has: its last three bytes are those of the process number.
std::string own_address() {
  const auto number = static_cast<unsigned>(::getpid());
  return "127." + std::to_string(64 + (number >> 16) % 64) + '.' +
         std::to_string(number >> 8 & 255) + '.' + std::to_string(number & 255);
}

std::string content_of(int fd) {
  std::array<char, 4096> buffer;
  const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), 0);
  return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

[[noreturn]] void become(char* const* arguments, int output, int errors, Limits limits) {
  (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const rlimit descriptors{.rlim_cur = limits.descriptors, .rlim_max = limits.descriptors};
  const rlimit no_core{.rlim_cur = 0, .rlim_max = 0};
  (void)::setrlimit(RLIMIT_CORE, &no_core);
  const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (::dup2(nothing, STDIN_FILENO) == -1 || ::dup2(output, STDOUT_FILENO) == -1 ||
      ::dup2(errors, STDERR_FILENO) == -1 || ::setrlimit(RLIMIT_NOFILE, &descriptors) == -1)
    ::_exit(126);
  (void)::execvp(arguments[0], arguments);
  ::_exit(127);
}

std::string how(int status) {
  if (WIFEXITED(status)) return "exit status " + std::to_string(WEXITSTATUS(status));
  return std::string("killed by SIG") + ::sigabbrev_np(WTERMSIG(status));
}

}  // namespace

Server::Server(std::vector<std::string> command, Kind kind, Limits limits)
    : command_(std::move(command)),
      kind_(kind),
      limits_(limits),
      output_(must(::memfd_create("output", MFD_CLOEXEC), "memfd_create")),
      errors_(must(::memfd_create("errors", MFD_CLOEXEC), "memfd_create")) {
  start(0);
}

Server::~Server() {
  if (!end()) {
    (void)::kill(pid_, SIGKILL);
    (void)::waitpid(pid_, nullptr, 0);
  }
  (void)::close(output_);
  (void)::close(errors_);
}

void Server::start(in_port_t port) {
  const std::string address = own_address();
  std::vector<std::string> command = command_;
  command.insert(command.end(), {"--port", std::to_string(port), "--bind", address});
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (std::string& argument : command) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  must(::ftruncate(output_, 0), "ftruncate");
  must(::lseek(output_, 0, SEEK_SET) == 0 ? 0 : -1, "lseek");
  pid_ = must(::fork(), "fork");
  if (pid_ == 0) become(arguments.data(), output_, errors_, limits_);

  end_.reset();
  is_told_to_stop_ = false;
  std::string said;
  const bool has_spoken =
      becomes([&] { return (said = content_of(output_)).find('\n') != std::string::npos || end(); },
              Patience(start_within));
  const std::string wanted = "listening on " + address + ':';
  in_port_t bound = 0;
  if (has_spoken && said.starts_with(wanted))
    std::from_chars(said.data() + wanted.size(), said.data() + said.size(), bound);
  promise(bound != 0, verdict::does_not_start);
  address_.sin_family = AF_INET;
  address_.sin_port = htons(bound);
  must(::inet_pton(AF_INET, address.c_str(), &address_.sin_addr) - 1, "inet_pton");
}

void Server::start_again() { start(ntohs(address_.sin_port)); }

void Server::signal(int number) {
  if (number == SIGTERM) is_told_to_stop_ = true;
  if (!end_) (void)::kill(pid_, number);
}

void Server::stop() {
  int status = 0;
  signal(SIGSTOP);
  if (!end_ && ::waitpid(pid_, &status, WUNTRACED) == pid_ && !WIFSTOPPED(status))
    end_ = how(status);
}

std::optional<std::string> Server::end() {
  int status = 0;
  if (!end_ && ::waitpid(pid_, &status, WNOHANG) == pid_) end_ = how(status);
  return end_;
}

std::chrono::nanoseconds Server::cpu_time() const {
  clockid_t clock{};
  timespec used{};
  if (::clock_getcpuclockid(pid_, &clock) == 0) (void)::clock_gettime(clock, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

bool Server::is_asleep() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/stat");
  std::string line;
  std::getline(status, line);
  const std::size_t name_end = line.rfind(')');  // "pid (name) state …"
  return name_end != std::string::npos && line.substr(name_end).starts_with(") S");
}

std::size_t Server::peak_memory_bytes() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  std::size_t kibibytes = 0;
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) std::istringstream(line.substr(6)) >> kibibytes;
  return kibibytes * 1024;
}

std::size_t Server::descriptors() const {
  std::error_code ignored;
  const std::filesystem::directory_iterator all("/proc/" + std::to_string(pid_) + "/fd", ignored);
  return static_cast<std::size_t>(std::distance(all, {}));
}

Server::Buffered Server::buffered(in_port_t client_port) const {
  // "sl local_address rem_address st tx_queue:rx_queue …", numbers in hexadecimal, addresses as
  // they lie in memory (proc(5)). Of a listener (st 0A), rx_queue counts connections.
  std::array<char, 16> own{}, port{};
  (void)std::snprintf(own.data(), own.size(), "%08X:%04X", address_.sin_addr.s_addr,
                      ntohs(address_.sin_port));
  (void)std::snprintf(port.data(), port.size(), ":%04X", client_port);
  std::ifstream table("/proc/net/tcp");
  Buffered sum;
  for (std::string line; std::getline(table, line);) {
    if (line.find(own.data()) == std::string::npos) continue;  // most lines, in a storm
    std::istringstream fields(line);
    std::string number, local, remote, state, queues;
    fields >> number >> local >> remote >> state >> queues;
    if (local != own.data() || state == "0A") continue;
    if (client_port != 0 && !remote.ends_with(port.data())) continue;
    sum.unsent_bytes += std::stoul(queues, nullptr, 16);
    sum.unread_bytes += std::stoul(queues.substr(queues.find(':') + 1), nullptr, 16);
  }
  return sum;
}

std::string Server::complaints() const {
  std::string said = content_of(errors_);
  std::replace(said.begin(), said.end(), '\n', ' ');
  return said;
}

Pause::Pause(Server& server) : server_(server) { server_.stop(); }

Pause::~Pause() { server_.signal(SIGCONT); }

}  // namespace survival
