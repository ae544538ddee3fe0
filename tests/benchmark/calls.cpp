#include "calls.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <new>
#include <system_error>

namespace benchmark {
namespace {

CallCounts* map(int fd) {
  void* memory = ::mmap(nullptr, sizeof(CallCounts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::system_category(), "mmap");
  return static_cast<CallCounts*>(memory);
}

bool is_wait(std::uint64_t number) {
  switch (number) {
#ifdef SYS_select
    case SYS_select:
#endif
#ifdef SYS_poll
    case SYS_poll:
#endif
#ifdef SYS_epoll_wait
    case SYS_epoll_wait:
#endif
    case SYS_pselect6:
    case SYS_ppoll:
    case SYS_epoll_pwait:
      return true;
    default:
      return false;
  }
}

void count(pid_t thread, CallCounts& counts) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY || !counts.is_counting) return;
  ++(is_wait(info.entry.nr) ? counts.waits : counts.others);
}

[[noreturn]] void become(char* const* command) {
  (void)::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  (void)::raise(SIGSTOP);
  (void)::execvp(command[0], command);
  ::_exit(127);
}

}  // namespace

int count_calls(int fd, char* const* command) {
  CallCounts& counts = *map(fd);
  const pid_t child = ::fork();
  if (child == 0) become(command);
  int status = 0;
  if (child == -1 || ::waitpid(child, &status, 0) != child) return 126;
  constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (::ptrace(PTRACE_SETOPTIONS, child, nullptr, options) == -1) return 126;
  (void)::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  for (pid_t thread; (thread = ::waitpid(-1, &status, __WALL)) > 0;) {
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (thread == child) return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
      continue;
    }
    const int signal = WSTOPSIG(status);
    const bool is_ours = signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP;
    if (signal == (SIGTRAP | 0x80)) count(thread, counts);
    (void)::ptrace(PTRACE_SYSCALL, thread, nullptr, is_ours ? 0 : signal);
  }
  return 1;
}

SharedCounts::SharedCounts() : fd_(::memfd_create("calls", 0)) {
  if (fd_ == -1 || ::ftruncate(fd_, sizeof(CallCounts)) == -1)
    throw std::system_error(errno, std::system_category(), "memfd_create");
  counts_ = new (map(fd_)) CallCounts;
}

SharedCounts::~SharedCounts() {
  (void)::munmap(counts_, sizeof(CallCounts));
  (void)::close(fd_);
}

}  // namespace benchmark
