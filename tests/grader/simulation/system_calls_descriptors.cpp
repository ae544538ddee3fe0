// Making, sharing and closing descriptors.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "libc/real_libc.hpp"
#include "simulation/settle.hpp"
#include "simulation/system_calls.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

std::string family_name(int domain) {
  if (domain == AF_INET) return "AF_INET";
  if (domain == AF_INET6) return "AF_INET6";
  if (domain == AF_UNIX) return "AF_UNIX";
  return std::to_string(domain);
}

std::string type_name(int type) {
  const int kind = type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK);
  std::string name = kind == SOCK_STREAM  ? "SOCK_STREAM"
                     : kind == SOCK_DGRAM ? "SOCK_DGRAM"
                                          : std::to_string(kind);
  if ((type & SOCK_NONBLOCK) != 0) name += "|NONBLOCK";
  if ((type & SOCK_CLOEXEC) != 0) name += "|CLOEXEC";
  return name;
}

std::string request_name(unsigned long request) {
  switch (request) {
    case FIONREAD:
      return "FIONREAD";
    case FIONBIO:
      return "FIONBIO";
    case SIOCATMARK:
      return "SIOCATMARK";
    case TCGETS:
      return "TCGETS";
    default:
      return format("%#lx", request);
  }
}

// "O_APPEND|O_NONBLOCK"; empty for none.
std::string status_flags(int flags) {
  constexpr int kernels_largefile = 0100000;  // set on every open file of a 64-bit kernel
  constexpr std::pair<int, const char*> known[] = {{O_APPEND, "O_APPEND"},
                                                   {O_ASYNC, "O_ASYNC"},
                                                   {O_DIRECT, "O_DIRECT"},
                                                   {O_NONBLOCK, "O_NONBLOCK"}};
  std::string names;
  const auto add = [&](const std::string& name) { names += (names.empty() ? "" : "|") + name; };
  int rest = flags & ~(O_ACCMODE | kernels_largefile);
  for (const auto& [flag, name] : known) {
    if ((rest & flag) != 0) add(name);
    rest &= ~flag;
  }
  if (rest != 0) add(format("%#x", static_cast<unsigned>(rest)));
  return names;
}

std::string joined(const std::string& one, const std::string& other) {
  return one + (one.empty() || other.empty() ? "" : "|") + other;
}

// What F_GETFL answers, or F_SETFL is given. 1 alone may be O_WRONLY or FD_CLOEXEC.
std::string flags_of_file(int flags, bool is_answer) {
  if (flags <= 1 && !is_answer) return std::to_string(flags);
  const int access = flags & O_ACCMODE;
  const char* mode = access == O_RDWR ? "O_RDWR" : access == O_WRONLY ? "O_WRONLY" : "";
  return joined(access == O_RDONLY && is_answer ? "O_RDONLY" : mode, status_flags(flags));
}

// What F_SETFD is given.
std::string flags_of_descriptor(int flags) {
  const std::string names =
      joined((flags & FD_CLOEXEC) != 0 ? "FD_CLOEXEC" : "", status_flags(flags & ~FD_CLOEXEC));
  return names.empty() ? "0" : names;
}

bool is_stream_over_ip(int domain, int type) {
  return (domain == AF_INET || domain == AF_INET6) &&
         (type & ~(SOCK_CLOEXEC | SOCK_NONBLOCK)) == SOCK_STREAM;
}

}  // namespace

Recorder::Call SystemCalls::begin(const char* function, int fd, const std::string& text) {
  const auto call = simulation_.recorder.begin(function, fd, text, who(fd));
  if (simulation_.progress.call())
    simulation_.give_verdict(Verdict::flood,
                             format("the program made more than %llu calls in one check",
                                    static_cast<unsigned long long>(ProgressMonitor::calls_max)));
  return call;
}

std::string SystemCalls::who(int fd) const {
  const OpenFile* file = simulation_.descriptors.file(fd);
  return file != nullptr && file->connection != nullptr ? file->connection->name : "";
}

Answer SystemCalls::failed(const char* function, int fd, Recorder::Call call, int error,
                           const std::string& remark) {
  const Answer answer = simulation_.recorder.failed(call, error, remark);
  simulation_.useless(function, fd, call);
  return answer;
}

std::optional<Answer> SystemCalls::planned_failure(const char* family, const char* function, int fd,
                                                   Recorder::Call call) {
  const auto error = simulation_.faults.next_error(family);
  if (!error) return std::nullopt;
  return failed(function, fd, call, *error);
}

Answer SystemCalls::socket(int domain, int type, int protocol) {
  const std::string text =
      format("socket(%s, %s, %d)", family_name(domain).c_str(), type_name(type).c_str(), protocol);
  const auto call = begin("socket", -1, text);
  if (auto failure = planned_failure("socket", "socket", -1, call)) return *failure;
  if (simulation_.faults.is_unavailable(domain)) return failed("socket", -1, call, EAFNOSUPPORT);
  const bool is_stream = is_stream_over_ip(domain, type);
  // An IPv6 stream socket is an IPv4 one on the loopback behind the scenes: see Address.
  const int fd = real().socket(is_stream ? AF_INET : domain, type, is_stream ? 0 : protocol);
  if (fd < 0) return failed("socket", -1, call, errno);
  if (is_stream && !simulation_.driver) make_roomy(fd);
  auto file = new_file(is_stream ? OpenFile::Kind::stream_socket : OpenFile::Kind::other_socket,
                       "a socket");
  file->family = domain;
  simulation_.adopt(fd, std::move(file), false, "socket()");
  return simulation_.recorder.done(call, fd);
}

Answer SystemCalls::socketpair(int domain, int type, int protocol, int* pair) {
  const auto call = begin("socketpair", -1,
                          format("socketpair(%s, %s, %d)", family_name(domain).c_str(),
                                 type_name(type).c_str(), protocol));
  if (auto failure = planned_failure("socketpair", "socketpair", -1, call)) return *failure;
  if (real().socketpair(domain, type, protocol, pair) < 0)
    return failed("socketpair", -1, call, errno);
  for (int i = 0; i < 2; ++i)
    simulation_.adopt(pair[i], new_file(OpenFile::Kind::other_socket, "an end of a socketpair"),
                      false, "socketpair()");
  return simulation_.recorder.done(call, 0, format("0, {%d, %d}", pair[0], pair[1]));
}

Answer SystemCalls::pipe(const char* function, int* ends, int flags) {
  const auto call = begin(function, -1, format("%s()", function));
  if (auto failure = planned_failure("pipe", function, -1, call)) return *failure;
  if (real().pipe2(ends, flags) < 0) return failed(function, -1, call, errno);
  for (int i = 0; i < 2; ++i)
    simulation_.adopt(ends[i],
                      new_file(OpenFile::Kind::pipe,
                               i == 0 ? "the read end of a pipe" : "the write end of a pipe"),
                      false, format("%s()", function));
  return simulation_.recorder.done(call, 0, format("0, {%d, %d}", ends[0], ends[1]));
}

Answer SystemCalls::open(const char* function, int fd, const std::string& path) {
  const int error = errno;
  const auto call = begin(function, fd, format("%s(%s)", function, quoted(path, 40).c_str()));
  if (fd < 0) return failed(function, -1, call, error);
  simulation_.adopt(fd, new_file(OpenFile::Kind::file, "the file " + path), false,
                    format("%s()", function));
  return simulation_.recorder.done(call, fd);
}

Answer SystemCalls::duplicated(const std::string& text, const char* function, int from, int fd,
                               int error) {
  const auto call = begin(function, from, text);
  if (fd < 0) return failed(function, from, call, error);
  if (auto failure = planned_failure("dup", function, from, call)) {
    real().close(fd);
    return *failure;
  }
  auto file = simulation_.descriptors.shared_file(from);
  if (!file) file = new_file(OpenFile::Kind::file, format("a duplicate of descriptor %d", from));
  simulation_.adopt(fd, std::move(file), false, format("%s()", function));
  return simulation_.recorder.done(call, fd);
}

Answer SystemCalls::dup2(const char* function, int from, int to, int flags) {
  if (from == to) return dup2_onto_itself(function, from, flags);
  const bool is_foreign = to > 2 && !knows(to) && real().fcntl(to, F_GETFD) >= 0;
  if (knows(to) || is_foreign) (void)close(to);
  const int fd = flags == 0 ? real().dup2(from, to) : real().dup3(from, to, flags);
  return duplicated(format("%s(%d, %d)", function, from, to), function, from, fd, errno);
}

Answer SystemCalls::dup2_onto_itself(const char* function, int fd, int flags) {
  const auto call = begin(function, fd, format("%s(%d, %d)", function, fd, fd));
  const bool is_dup3 = function == std::string_view("dup3");
  const int result = is_dup3 ? real().dup3(fd, fd, flags) : real().dup2(fd, fd);
  if (result < 0) return failed(function, fd, call, errno);
  return simulation_.recorder.done(call, result);
}

Answer SystemCalls::close(int fd) {
  const auto call = begin("close", fd, format("close(%d)", fd));
  const auto* descriptor = simulation_.descriptors.find(fd);
  const bool is_unjudged = descriptor == nullptr && simulation_.bad_closes_are_allowed;
  if (fd < 0 || is_unjudged) return failed("close", fd, call, EBADF);
  if (descriptor == nullptr) {
    const auto closed_at = simulation_.descriptors.closed_at(fd);
    const bool is_open = real().fcntl(fd, F_GETFD) >= 0;
    if (!is_open) simulation_.recorder.failed(call, EBADF);
    std::string text = format("the program closed descriptor %d, ", fd);
    if (fd <= 2)
      text += format("standard %s, which it never opened", fd == 0   ? "input"
                                                           : fd == 1 ? "output"
                                                                     : "error");
    else if (closed_at)
      text += "which it had closed before, at " + to_text(*closed_at) +
              "; by then the number could have belonged to somebody else";
    else
      text += is_open ? "which is not its own" : "which is not open";
    simulation_.give_verdict(Verdict::bad_close, text);
  }
  if (descriptor->lent)
    simulation_.give_verdict(
        Verdict::bad_close,
        format("the program closed descriptor %d (%s), which it had only borrowed", fd,
               descriptor->file->description.c_str()));
  simulation_.close(fd);
  simulation_.progress.useful();
  if (const int error = simulation_.faults.close_error(); error != 0)
    return simulation_.recorder.failed(call, error, "closed all the same");
  Answer answer = simulation_.recorder.done(call, 0);
  answer.error = simulation_.faults.clean_up_errno();
  return answer;
}

Answer SystemCalls::fcntl(int fd, int command, void* argument) {
  const long value = reinterpret_cast<long>(argument);
  if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
    const int copy = real().fcntl(fd, command, argument);
    return duplicated(
        format("fcntl(%d, F_DUPFD%s, %ld)", fd, command == F_DUPFD ? "" : "_CLOEXEC", value),
        "fcntl", fd, copy, errno);
  }
  const int flags = static_cast<int>(value);  // above these bits there may be anything
  std::string text;
  if (command == F_GETFD)
    text = format("fcntl(%d, F_GETFD)", fd);
  else if (command == F_SETFD)
    text = format("fcntl(%d, F_SETFD, %s)", fd, flags_of_descriptor(flags).c_str());
  else if (command == F_GETFL)
    text = format("fcntl(%d, F_GETFL)", fd);
  else if (command == F_SETFL)
    text = format("fcntl(%d, F_SETFL, %s)", fd, flags_of_file(flags, false).c_str());
  else
    text = format("fcntl(%d, %d)", fd, command);
  const auto call = begin("fcntl", fd, text);
  const bool can_fail = command != F_GETFD && command != F_GETFL;  // of an open descriptor
  if (auto failure = can_fail ? planned_failure("fcntl", "fcntl", fd, call) : std::nullopt)
    return *failure;
  const int result = real().fcntl(fd, command, argument);
  if (result < 0) return failed("fcntl", fd, call, errno);
  if (command == F_GETFL)
    return simulation_.recorder.done(call, result, flags_of_file(result, true));
  return simulation_.recorder.done(call, result);
}

Answer SystemCalls::ioctl(int fd, unsigned long request, void* argument) {
  const std::string name = request_name(request);
  const bool is_number = argument != nullptr && (request == FIONREAD || request == SIOCATMARK);
  std::string text = format("ioctl(%d, %s", fd, name.c_str());
  if (request == FIONBIO && argument != nullptr)
    text += format(", %d", *static_cast<int*>(argument));
  const auto call = begin("ioctl", fd, text + ")");
  simulation_.run_due();
  const int result = real().ioctl(fd, request, argument);
  if (result < 0) return failed("ioctl", fd, call, errno);
  const std::string found = is_number ? format(", %d", *static_cast<int*>(argument)) : "";
  return simulation_.recorder.done(call, result, std::to_string(result) + found);
}

Answer SystemCalls::shutdown(int fd, int how) {
  const char* name = how == SHUT_RD     ? "SHUT_RD"
                     : how == SHUT_WR   ? "SHUT_WR"
                     : how == SHUT_RDWR ? "SHUT_RDWR"
                                        : "?";
  const auto call = begin("shutdown", fd, format("shutdown(%d, %s)", fd, name));
  simulation_.run_due();
  if (auto failure = planned_failure("shutdown", "shutdown", fd, call)) return *failure;
  if (real().shutdown(fd, how) < 0) return failed("shutdown", fd, call, errno);
  OpenFile* file = simulation_.descriptors.file(fd);
  if (file != nullptr && file->connection != nullptr && how != SHUT_RD &&
      !file->connection->program_finished) {
    file->connection->program_finished = true;
    simulation_.settle(*file->connection);
    simulation_.progress.useful();
  }
  Answer answer = simulation_.recorder.done(call, 0);
  answer.error = simulation_.faults.clean_up_errno();
  return answer;
}

[[noreturn]] void SystemCalls::not_here(const std::string& function, const std::string& advice) {
  begin(function.c_str(), -1, function);
  simulation_.give_verdict(Verdict::not_here, "the program called " + function +
                                                  ", which has no place in this lesson" +
                                                  (advice.empty() ? "" : "; " + advice));
}

[[noreturn]] void SystemCalls::ended_process(const std::string& text) {
  begin("exit", -1, text);
  simulation_.give_verdict(Verdict::ended_process, "the program ended the whole process: " + text);
}

}  // namespace grader
