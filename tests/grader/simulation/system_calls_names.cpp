// Addresses, options and host names.
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

std::string option_name(int level, int option) {
  if (level == SOL_SOCKET) switch (option) {
      case SO_REUSEADDR:
        return "SO_REUSEADDR";
      case SO_REUSEPORT:
        return "SO_REUSEPORT";
      case SO_ERROR:
        return "SO_ERROR";
      case SO_RCVTIMEO:
        return "SO_RCVTIMEO";
      case SO_SNDTIMEO:
        return "SO_SNDTIMEO";
      case SO_LINGER:
        return "SO_LINGER";
      case SO_KEEPALIVE:
        return "SO_KEEPALIVE";
      case SO_SNDBUF:
        return "SO_SNDBUF";
      case SO_RCVBUF:
        return "SO_RCVBUF";
      case SO_TYPE:
        return "SO_TYPE";
      case SO_ACCEPTCONN:
        return "SO_ACCEPTCONN";
      case SO_RCVLOWAT:
        return "SO_RCVLOWAT";
      case SO_OOBINLINE:
        return "SO_OOBINLINE";
      default:
        return format("SOL_SOCKET option %d", option);
    }
  if (level == IPPROTO_TCP && option == TCP_NODELAY) return "TCP_NODELAY";
  if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY) return "IPV6_V6ONLY";
  return format("level %d option %d", level, option);
}

Address any_address(int family) { return Address::of(family == AF_INET6 ? "::" : "0.0.0.0", 0); }

// getaddrinfo(3): "All the other fields ... must contain either 0 or a null pointer".
bool has_leftovers(const addrinfo& hints) {
  return hints.ai_addrlen != 0 || hints.ai_addr != nullptr || hints.ai_canonname != nullptr ||
         hints.ai_next != nullptr;
}

}  // namespace

Answer SystemCalls::bind(int fd, const sockaddr* address, socklen_t length) {
  const auto call =
      begin("bind", fd, format("bind(%d, %s)", fd, address_text(address, length).c_str()));
  if (auto failure = planned_failure("bind", "bind", fd, call)) return *failure;
  OpenFile* file = simulation_.descriptors.file(fd);
  const auto asked = Address::from(address, length);
  const bool is_stream = file != nullptr && file->kind == OpenFile::Kind::stream_socket;
  if (is_stream && file->family == AF_INET6 && length < ipv6_length_min)
    return failed("bind", fd, call, EINVAL);
  if (!is_stream || !asked) {
    if (real().bind(fd, address, length) < 0) return failed("bind", fd, call, errno);
    return simulation_.recorder.done(call, 0);
  }
  if (asked->family != file->family) return failed("bind", fd, call, EAFNOSUPPORT);
  if (!asked->is_local()) return failed("bind", fd, call, EADDRNOTAVAIL);
  const auto use = asked->family == AF_INET ? Network::Use::program_v4 : Network::Use::program_v6;
  const sockaddr_in really = Network::real_address(use, simulation_.network.real_port(asked->port));
  if (real().bind(fd, reinterpret_cast<const sockaddr*>(&really), sizeof really) < 0)
    return failed("bind", fd, call, errno);
  file->bound = *asked;
  if (asked->port == 0) file->bound->port = simulation_.network.shown_port(local_port(fd));
  return simulation_.recorder.done(call, 0);
}

Answer SystemCalls::listen(int fd, int backlog) {
  const auto call = begin("listen", fd, format("listen(%d, %d)", fd, backlog));
  if (auto failure = planned_failure("listen", "listen", fd, call)) return *failure;
  OpenFile* file = simulation_.descriptors.file(fd);
  const bool is_stream = file != nullptr && file->kind == OpenFile::Kind::stream_socket;
  if (is_stream && !file->bound) {  // the kernel binds it to a port of its choice
    const sockaddr_in really = Network::real_address(Network::Use::program_v4, 0);
    real().bind(fd, reinterpret_cast<const sockaddr*>(&really), sizeof really);
    file->bound = any_address(file->family);
    file->bound->port = simulation_.network.shown_port(local_port(fd));
  }
  if (real().listen(fd, backlog) < 0) return failed("listen", fd, call, errno);
  if (is_stream) {
    file->listening = true;
    file->backlog = backlog < 0 ? SOMAXCONN : static_cast<unsigned>(std::min(backlog, SOMAXCONN));
    file->description = "the listening socket";
  }
  return simulation_.recorder.done(call, 0);
}

Answer SystemCalls::getsockname(int fd, sockaddr* address, socklen_t* length) {
  const auto call = begin("getsockname", fd, format("getsockname(%d)", fd));
  if (auto failure = planned_failure("getsockname", "getsockname", fd, call)) return *failure;
  const OpenFile* file = simulation_.descriptors.file(fd);
  if (file == nullptr || file->kind != OpenFile::Kind::stream_socket) {
    if (real().getsockname(fd, address, length) < 0) return failed("getsockname", fd, call, errno);
    return simulation_.recorder.done(call, 0);
  }
  const Address shown = file->bound.value_or(any_address(file->family));
  shown.write_to(address, length);
  return simulation_.recorder.done(call, 0, "0, " + shown.to_string());
}

Answer SystemCalls::getpeername(int fd, sockaddr* address, socklen_t* length) {
  const auto call = begin("getpeername", fd, format("getpeername(%d)", fd));
  const OpenFile* file = simulation_.descriptors.file(fd);
  sockaddr_storage storage{};
  socklen_t full = sizeof storage;
  if (real().getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &full) < 0)
    return failed("getpeername", fd, call, errno);
  if (file == nullptr || !file->other_end) {
    (void)real().getpeername(fd, address, length);
    return simulation_.recorder.done(call, 0);
  }
  file->other_end->write_to(address, length);
  return simulation_.recorder.done(call, 0, "0, " + file->other_end->to_string());
}

Answer SystemCalls::setsockopt(int fd, int level, int option, const void* value, socklen_t length) {
  std::string shown;
  if (length == sizeof(int) && value != nullptr) {
    int number = 0;
    std::memcpy(&number, value, sizeof number);
    shown = format(", %d", number);
  } else if ((option == SO_RCVTIMEO || option == SO_SNDTIMEO) && level == SOL_SOCKET &&
             length == sizeof(timeval)) {
    timeval time{};
    std::memcpy(&time, value, sizeof time);
    shown =
        ", " + to_text(std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec));
  }
  if (level == SOL_SOCKET && option == SO_LINGER && length == sizeof(linger)) {
    linger setting{};
    std::memcpy(&setting, value, sizeof setting);
    shown = setting.l_onoff == 0 ? ", off" : format(", %d s", setting.l_linger);
  }
  const auto call =
      begin("setsockopt", fd,
            format("setsockopt(%d, %s%s)", fd, option_name(level, option).c_str(), shown.c_str()));
  if (auto failure = planned_failure("setsockopt", "setsockopt", fd, call)) return *failure;
  const OpenFile* file = simulation_.descriptors.file(fd);
  const bool pretends_ipv6 =
      file != nullptr && file->kind == OpenFile::Kind::stream_socket && file->family == AF_INET6;
  if (!(pretends_ipv6 && level == IPPROTO_IPV6) &&
      real().setsockopt(fd, level, option, value, length) < 0)
    return failed("setsockopt", fd, call, errno);
  simulation_.note_option(fd, level, option, value, length);
  return simulation_.recorder.done(call, 0);
}

Answer SystemCalls::getsockopt(int fd, int level, int option, void* value, socklen_t* length) {
  const auto call =
      begin("getsockopt", fd, format("getsockopt(%d, %s)", fd, option_name(level, option).c_str()));
  OpenFile* file = simulation_.descriptors.file(fd);
  simulation_.run_due();
  if (real().getsockopt(fd, level, option, value, length) < 0)
    return failed("getsockopt", fd, call, errno);
  const bool is_number = value != nullptr && length != nullptr && *length == sizeof(int);
  if (file != nullptr && level == SOL_SOCKET && option == SO_ERROR && is_number) {
    int error = 0;
    std::memcpy(&error, value, sizeof error);
    if (file->is_connecting()) error = 0;
    if (const int modelled = take_modelled_error(*file); modelled != 0) error = modelled;
    std::memcpy(value, &error, sizeof error);
    return simulation_.recorder.done(call, 0,
                                     error == 0 ? "0, no error" : "0, " + error_name(error));
  }
  if (file != nullptr && level == SOL_SOCKET && option == SO_DOMAIN && is_number &&
      file->family != AF_UNSPEC)
    std::memcpy(value, &file->family, sizeof(int));
  return simulation_.recorder.done(call, 0);
}

Answer SystemCalls::getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                                addrinfo** result) {
  const std::string name = host == nullptr ? "" : host;
  const std::string text =
      format("getaddrinfo(%s, %s)", host == nullptr ? "-" : quoted(name, 32).c_str(),
             service == nullptr ? "-" : quoted(std::string(service), 16).c_str());
  const auto call = begin("getaddrinfo", -1, text);
  if (const Time delay = simulation_.resolver.delay_of(name); delay > Time{})
    (void)simulation_.wait({[] { return false; }, simulation_.clock.now() + delay, text, true});
  if (hints != nullptr && has_leftovers(*hints))
    simulation_.recorder.hint(
        "the hints held leftover bytes: all that is not asked for must be zero (getaddrinfo(3)); "
        "start with addrinfo hints{}");
  int error = 0;
  const int code = simulation_.resolver.look_up(host, service, hints, result, error);
  std::size_t count = 0;
  for (const addrinfo* node = code == 0 ? *result : nullptr; node != nullptr; node = node->ai_next)
    ++count;
  Answer answer = simulation_.recorder.done(
      call, code,
      code == 0 ? format("0, %zu address%s", count, count == 1 ? "" : "es") : gai_strerror(code));
  answer.error = error;
  return answer;
}

bool SystemCalls::freeaddrinfo(addrinfo* list) {
  if (list == nullptr) return true;
  const auto call = begin("freeaddrinfo", -1, "freeaddrinfo()");
  if (!simulation_.resolver.release(list))
    simulation_.give_verdict(
        Verdict::bad_close,
        "the program freed an address list that getaddrinfo did not give it, or freed it twice");
  simulation_.recorder.done(call, 0, "done");
  return true;
}

}  // namespace grader
