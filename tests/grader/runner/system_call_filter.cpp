#include "runner/system_call_filter.hpp"

#include <elf.h>
#include <link.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "libc/real_libc.hpp"
#include "runner/check_process.hpp"

namespace grader {

#if defined(__x86_64__)
constexpr std::uint32_t this_architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t this_architecture = AUDIT_ARCH_AARCH64;
#else
constexpr std::uint32_t this_architecture = 0;
#endif

namespace {

constexpr std::uint32_t clone_thread_flag = 0x10000;  // CLONE_THREAD

struct SystemCall {
  long number;
  const char* name;
};
#define NAMED(name) \
  SystemCall { SYS_##name, #name }

// Never allowed.
constexpr SystemCall forbidden[] = {
    NAMED(execve),
    NAMED(execveat),
    NAMED(ptrace),
    NAMED(io_uring_setup),
    NAMED(setsid),
    NAMED(setpgid),
    NAMED(process_vm_writev),
    NAMED(unshare),
    NAMED(setns),
    NAMED(pidfd_send_signal),
#ifdef SYS_fork
    NAMED(fork),
    NAMED(vfork),
#endif
};

// Allowed only when they start a thread; only when they are about this process.
constexpr SystemCall starts_a_process = NAMED(clone);
constexpr SystemCall signals[] = {NAMED(kill), NAMED(tkill), NAMED(tgkill)};

// Allowed only to the C library.
constexpr SystemCall simulated[] = {
    NAMED(socket),      NAMED(connect),  NAMED(accept),     NAMED(accept4),
    NAMED(sendto),      NAMED(recvfrom), NAMED(sendmsg),    NAMED(recvmsg),
    NAMED(bind),        NAMED(listen),   NAMED(pselect6),   NAMED(ppoll),
    NAMED(epoll_pwait), NAMED(read),     NAMED(write),      NAMED(close),
#ifdef SYS_select
    NAMED(select),      NAMED(poll),     NAMED(epoll_wait),
#endif
};
#undef NAMED

struct Text {
  std::uintptr_t low = 0, high = 0;
};

int find_text(dl_phdr_info* object, std::size_t, void* result) {
  auto* text = static_cast<Text*>(result);
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    text->low = object->dlpi_addr + segment.p_vaddr;
    text->high = text->low + segment.p_memsz;
  }
  return 1;  // the first object is the executable
}

void on_forbidden_call(int, siginfo_t* info, void*) {
  Recording& recording = current_recording();
  const SystemCall* call = nullptr;
  for (const SystemCall& one : simulated)
    if (one.number == info->si_syscall) call = &one;
  if (call != nullptr) {
    std::snprintf(recording.verdict_text, sizeof recording.verdict_text,
                  "the program made the system call %s by an instruction of its own; call the "
                  "function of the C library instead",
                  call->name);
  } else {
    call = &starts_a_process;
    for (const SystemCall& one : forbidden)
      if (one.number == info->si_syscall) call = &one;
    for (const SystemCall& one : signals)
      if (one.number == info->si_syscall) call = &one;
    std::snprintf(recording.verdict_text, sizeof recording.verdict_text,
                  "the program made the system call %s, which has no place in this lesson",
                  call->name);
  }
  recording.verdict = Verdict::not_here;
  real().exit_now(0);
}

// A filter in the making: the accumulator holds the number of the system call at the start of each
// rule.
class Filter {
 public:
  Filter() {
    load(offsetof(seccomp_data, arch));
    jump_if_equal(this_architecture, 1, 0);
    give(SECCOMP_RET_ALLOW);
    load(offsetof(seccomp_data, nr));
  }
  void rule(long call, std::uint32_t action) {
    jump_if_equal(static_cast<std::uint32_t>(call), 0, 1);
    give(action);
  }
  // `call` is forbidden unless its first argument is `value`.
  void unless_first_argument_is(long call, std::uint32_t value) {
    jump_if_equal(static_cast<std::uint32_t>(call), 0, 4);
    load(offsetof(seccomp_data, args[0]));
    jump_if_equal(value, 1, 0);
    give(SECCOMP_RET_TRAP);
    give(SECCOMP_RET_ALLOW);
  }
  void unless_first_argument_has(long call, std::uint32_t bits) {
    jump_if_equal(static_cast<std::uint32_t>(call), 0, 4);
    load(offsetof(seccomp_data, args[0]));
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0));
    give(SECCOMP_RET_TRAP);
    give(SECCOMP_RET_ALLOW);
  }
  // `call` is forbidden to instructions within `text`.
  void unless_from_outside(long call, const Text& text) {
    jump_if_equal(static_cast<std::uint32_t>(call), 0, 7);
    load(offsetof(seccomp_data, instruction_pointer) + 4);
    jump_if_equal(static_cast<std::uint32_t>(text.low >> 32), 0, 4);
    load(offsetof(seccomp_data, instruction_pointer));
    code_.push_back(
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, static_cast<std::uint32_t>(text.low), 0, 2));
    code_.push_back(
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, static_cast<std::uint32_t>(text.high), 1, 0));
    give(SECCOMP_RET_TRAP);
    give(SECCOMP_RET_ALLOW);
  }
  void install() {
    give(SECCOMP_RET_ALLOW);
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    (void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER,
                &program);  // without it the first line of defence remains
  }

 private:
  void load(std::size_t offset) {
    code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
  }
  void jump_if_equal(std::uint32_t value, std::uint8_t then_skip, std::uint8_t else_skip) {
    code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then_skip, else_skip));
  }
  void give(std::uint32_t action) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, action)); }
  std::vector<sock_filter> code_;
};

}  // namespace

void filter_system_calls() {
  if (this_architecture == 0) return;
  struct sigaction action {};
  action.sa_sigaction = on_forbidden_call;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSYS, &action, nullptr);

  Filter filter;
  for (const SystemCall& call : forbidden) filter.rule(call.number, SECCOMP_RET_TRAP);
  filter.rule(SYS_clone3,
              SECCOMP_RET_ERRNO | ENOSYS);  // libc falls back to clone, whose flags can be seen
  filter.unless_first_argument_has(starts_a_process.number, clone_thread_flag);
  for (const SystemCall& call : signals)
    filter.unless_first_argument_is(call.number, static_cast<std::uint32_t>(getpid()));
  Text text;
  dl_iterate_phdr(find_text, &text);
  if (text.low >> 32 == text.high >> 32)
    for (const SystemCall& call : simulated) filter.unless_from_outside(call.number, text);
  filter.install();
}

}  // namespace grader
