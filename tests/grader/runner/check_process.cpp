#include "runner/check_process.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "libc/caller_filter.hpp"
#include "libc/real_libc.hpp"
#include "runner/system_call_filter.hpp"
#include "simulation/text.hpp"

namespace grader {
namespace {

Recording* the_recording = nullptr;
char alternate_stack[64 * 1024];

const char* stack_end = nullptr;

constexpr std::uintptr_t page_bytes = 4096;
constexpr std::size_t stack_bytes_max = 8 << 20;
constexpr std::size_t near_stack_end_bytes = 1 << 20;
constexpr int heap_garbage = 0x5a;

// Where the stack ends. Found before anything goes wrong: the search allocates memory.
const char* find_stack_end() {
  pthread_attr_t attributes;
  void* base = nullptr;
  std::size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return nullptr;
  pthread_attr_getstack(&attributes, &base, &size);
  pthread_attr_destroy(&attributes);
  return static_cast<char*>(base) + size - stack_bytes_max;
}

bool is_stack_overflow(const void* address) {
  const char* here = static_cast<const char*>(address);
  return stack_end != nullptr && here >= stack_end - near_stack_end_bytes &&
         here < stack_end + near_stack_end_bytes / 16;
}

// Without the address itself, which is another one in every run.
const char* bad_access_text(const siginfo_t& info) {
  if (is_stack_overflow(info.si_addr))
    return "stack overflow: endless recursion, or a huge local array";
  if (info.si_code != SI_KERNEL && reinterpret_cast<std::uintptr_t>(info.si_addr) < page_bytes)
    return "use of a null pointer";
  return "use of memory that is not its own";
}

// On a stack of its own, so that an overflow of the ordinary one can be told from another bad
// access.
void on_bad_access(int signal, siginfo_t* info, void*) {
  const Outside outside;
  if (the_recording != nullptr) put(the_recording->crash_note, bad_access_text(*info));
  real().signal(signal, SIG_DFL);
  ::raise(signal);
}

void watch_bad_accesses() {
  stack_end = find_stack_end();
  stack_t stack{};
  stack.ss_sp = alternate_stack;
  stack.ss_size = sizeof alternate_stack;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_sigaction = on_bad_access;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND;
  for (const int signal : {SIGSEGV, SIGBUS}) sigaction(signal, &action, nullptr);
}

void limit(int resource, rlim_t soft, rlim_t hard) {
  const rlimit value{soft, hard};
  setrlimit(static_cast<__rlimit_resource>(resource), &value);
}

// Who started the grader may have ignored or blocked signals (nohup(1), a shell that runs it in the
// background), and an exec leaves them so.
void forget_inherited_signals() {
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (real().sigaction(signal, nullptr, &action) != 0 || action.sa_handler != SIG_IGN) continue;
    action = {};  // SIG_DFL; signal(2) would set SA_RESTART as well
    real().sigaction(signal, &action, nullptr);
  }
  sigset_t none;
  sigemptyset(&none);
  real().pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

// The hard limit leaves room for the scenarios that lend a high number.
void limit_descriptors(const Limits& limits) {
  rlimit now{};
  getrlimit(RLIMIT_NOFILE, &now);
  const rlim_t hard = std::min<rlim_t>(now.rlim_max, limits.descriptors_hard);
  limit(RLIMIT_NOFILE, std::min<rlim_t>(limits.descriptors, hard), hard);
}

}  // namespace

Recording& current_recording() {
  if (the_recording == nullptr) std::abort();
  return *the_recording;
}

void set_current_recording(Recording* recording) { the_recording = recording; }

bool is_sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(GRADER_SANITIZED)
  return true;
#else
  return false;
#endif
}

void become_check_process(const Limits& limits, int output_fd, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) real().exit_now(1);
  setsid();  // kill(0, ...) reaches only this process
  real().dup2(output_fd, 1);
  real().dup2(output_fd, 2);
  const int nothing = real().open("/dev/null", O_RDONLY);
  real().dup2(nothing, 0);
  real().syscall(SYS_close_range, 3U, ~0U, 0);  // the program's first descriptor is always 3
  limit(RLIMIT_CORE, 0, 0);
  limit(RLIMIT_FSIZE, 16 << 20, 16 << 20);
  limit_descriptors(limits);
  const auto cpu_seconds = static_cast<rlim_t>(limits.cpu_seconds);
  limit(RLIMIT_CPU, cpu_seconds, cpu_seconds);  // SIGKILL: nobody can ignore it
  limit(RLIMIT_STACK, stack_bytes_max, stack_bytes_max);
  ::signal(SIGPIPE, SIG_DFL);
  forget_inherited_signals();
  if (is_sanitized()) return;
  mallopt(M_PERTURB,
          heap_garbage);  // fresh memory is never zero by luck, and the same in every run
  limit(RLIMIT_DATA, limits.data_bytes, limits.data_bytes);
  limit(RLIMIT_AS, 2 * limits.data_bytes, 2 * limits.data_bytes);  // threads reserve a lot
  watch_bad_accesses();
  if (limits.filter_system_calls) filter_system_calls();
}

}  // namespace grader
