// Every libc function that the grader means to hide is hidden.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/ioctl.h>

#include "calls.hpp"
#include "libc/caller_filter.hpp"
#include "runner/check_process.hpp"

using namespace grader_test;

namespace {

// In libc_functions.def, and those whose signatures need special treatment.
constexpr const char* hidden[] = {
#define X(result, name, parameters, arguments) #name,
#include "libc/libc_functions.def"
#undef X
    "fcntl", "fcntl64", "open", "open64", "openat", "ioctl", "syscall", "exit", "_exit", "_Exit",
    "quick_exit", "vfork",
    // what _FORTIFY_SOURCE makes of some
    "__read_chk", "__recv_chk", "__recvfrom_chk", "__poll_chk", "__ppoll_chk", "__fdelt_chk",
    "__fdelt_warn", "__fgets_chk", "__fgets_unlocked_chk", "__fread_chk",
    // what handlers must not call, besides
    "printf", "fprintf", "__printf_chk", "__fprintf_chk", "syslog", "__syslog_chk",
    // stdio
    "getc", "fgetc", "getchar", "__uflow", "getwc", "fgetwc", "fgets", "fgets_unlocked", "fread",
    "fread_unlocked", "getline", "getdelim", "__getdelim", "__isoc99_scanf", "__isoc99_fscanf",
    "__isoc23_scanf", "__isoc23_fscanf", "fdopen"};

constexpr const char* hidden_without_sanitizers[] = {"malloc", "calloc", "realloc", "free"};

bool is_hidden(const char* name) { return grader::is_program_code(dlsym(RTLD_DEFAULT, name)); }

}  // namespace

TEST(Interposer, HidesEveryFunctionItMeansToHide) {
  for (const char* name : hidden) EXPECT_TRUE(is_hidden(name)) << name;
  if (grader::is_sanitized()) return;
  for (const char* name : hidden_without_sanitizers) EXPECT_TRUE(is_hidden(name)) << name;
}

TEST(Interposer, NamesTheRequestsOfIoctl) {
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.at(1s).sends("hello");
  scenario.run([&] {
    int count = 0, on = 1;
    EXPECT_EQ(::ioctl(fd, FIONREAD, &count), 0);
    EXPECT_EQ(count, 0);
    EXPECT_EQ(selected({.read = {fd}}), "1, read {3}");
    EXPECT_EQ(::ioctl(fd, FIONREAD, &count), 0);
    EXPECT_EQ(count, 5);
    EXPECT_EQ(::ioctl(fd, FIONBIO, &on), 0);
    EXPECT_EQ(received(fd), "hello");
    EXPECT_EQ(received(fd), "-1 EAGAIN");
    EXPECT_EQ(outcome(::ioctl(fd, 0x1234, &on)), "-1 ENOTTY");
  });
  std::string story;
  for (const auto& call : scenario.calls("ioctl")) story += call.text + " = " + call.result + "\n";
  EXPECT_EQ(story,
            "ioctl(3, FIONREAD) = 0, 0\n"
            "ioctl(3, FIONREAD) = 0, 5\n"
            "ioctl(3, FIONBIO, 1) = 0\n"
            "ioctl(3, 0x1234) = -1 ENOTTY\n");
}

TEST(Interposer, NamesTheFlagsOfFcntl) {
  Scenario scenario;
  const int socket = scenario.peer("alice").connected();
  const int file = scenario.output_file();
  const int pipe = scenario.peer("bob").pipe_from_program();
  scenario.run([&] {
    ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
    ::fcntl(socket, F_SETFL, O_ASYNC | O_NONBLOCK);
    ::fcntl(socket, F_GETFL);
    ::fcntl(socket, F_SETFL, 0);
    ::fcntl(socket, F_SETFD, O_NONBLOCK);
    ::fcntl(socket, F_SETFD, FD_CLOEXEC | O_NONBLOCK);
    ::fcntl(file, F_SETFL, ::fcntl(file, F_GETFL) | O_APPEND);
    ::fcntl(pipe, F_GETFL);
    ::fcntl(pipe, F_SETFL, FD_CLOEXEC);
  });
  std::string story;
  for (const auto& call : scenario.calls("fcntl")) story += call.text + " = " + call.result + "\n";
  EXPECT_EQ(story,
            "fcntl(3, F_GETFL) = O_RDWR\n"
            "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0\n"
            "fcntl(3, F_SETFL, O_ASYNC|O_NONBLOCK) = 0\n"
            "fcntl(3, F_GETFL) = O_RDWR|O_ASYNC|O_NONBLOCK\n"
            "fcntl(3, F_SETFL, 0) = 0\n"
            "fcntl(3, F_SETFD, O_NONBLOCK) = 0\n"
            "fcntl(3, F_SETFD, FD_CLOEXEC|O_NONBLOCK) = 0\n"
            "fcntl(4, F_GETFL) = O_RDWR\n"
            "fcntl(4, F_SETFL, O_RDWR|O_APPEND) = 0\n"
            "fcntl(5, F_GETFL) = O_WRONLY\n"
            "fcntl(5, F_SETFL, 1) = 0\n");
}
