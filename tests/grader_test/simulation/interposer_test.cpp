// Every libc function that the grader means to hide is hidden.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <type_traits>

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

// What a program calls that was compiled with _FORTIFY_SOURCE; this file is not.
TEST(Interposer, TreatsFortifiedCallsAsThePlainOnes) {
  const auto find = [](auto*& function, const char* name) {
    function =
        reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(RTLD_DEFAULT, name));
  };
  ssize_t (*read)(int, void*, std::size_t, std::size_t);
  ssize_t (*recv)(int, void*, std::size_t, std::size_t, int);
  ssize_t (*recvfrom)(int, void*, std::size_t, std::size_t, int, sockaddr*, socklen_t*);
  int (*poll)(pollfd*, nfds_t, int, std::size_t);
  int (*ppoll)(pollfd*, nfds_t, const timespec*, const sigset_t*, std::size_t);
  find(read, "__read_chk");
  find(recv, "__recv_chk");
  find(recvfrom, "__recvfrom_chk");
  find(poll, "__poll_chk");
  find(ppoll, "__ppoll_chk");
  Scenario scenario;
  Peer& alice = scenario.peer("alice");
  const int fd = alice.connected();
  alice.sends("hello, world");
  char buffer[5];
  pollfd entry{fd, POLLIN, 0};
  const timespec second{1, 0};
  const auto call_all = [&] {
    EXPECT_EQ(read(fd, buffer, 3, sizeof buffer), 3);
    EXPECT_EQ(recv(fd, buffer, 3, sizeof buffer, 0), 3);
    EXPECT_EQ(recvfrom(fd, buffer, 3, sizeof buffer, 0, nullptr, nullptr), 3);
    EXPECT_EQ(poll(&entry, 1, 0, sizeof entry), 1);
    EXPECT_EQ(ppoll(&entry, 1, &second, nullptr, sizeof entry), 1);
  };

  scenario.run(call_all);

  std::string story;
  for (const auto& call : scenario.calls()) story += call.text + " = " + call.result + "\n";
  EXPECT_EQ(story,
            "read(3, 3) = 3 \"hel\"\n"
            "recv(3, 3) = 3 \"lo,\"\n"
            "recvfrom(3, 3) = 3 \" wo\"\n"
            "poll({3:in}, 0 s) = 1, ready {3:in}\n"
            "ppoll({3:in}, 1 s) = 1, ready {3:in}\n");
  EXPECT_EQ(recv(fd, buffer, 3, sizeof buffer, 0), 3);  // the check's own
  EXPECT_EQ(scenario.calls().size(), 5U);
}
