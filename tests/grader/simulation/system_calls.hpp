/// @file
/// The simulated system calls: each in terms of "possible now, or what happens next".
#pragma once

#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include <optional>
#include <string>
#include <vector>

#include "simulation/simulation.hpp"

namespace grader {

/// What the program's calls do while a simulation runs. Each function is named like its system
/// call, records the call, never blocks for real, and tells its result and errno as an Answer. The
/// interposer is the only caller.
class SystemCalls {
 public:
  explicit SystemCalls(Simulation& simulation) : simulation_(simulation) {}

  /// Whether the simulation knows this descriptor; calls on others go straight to the kernel.
  [[nodiscard]] bool knows(int fd) const { return simulation_.descriptors.find(fd) != nullptr; }

  // descriptors (system_calls_descriptors.cpp)
  Answer socket(int domain, int type, int protocol);
  Answer socketpair(int domain, int type, int protocol, int* pair);
  Answer pipe(const char* function, int* ends, int flags);
  Answer open(const char* function, int fd,
              const std::string& path);  ///< after the fact: `fd` is the kernel's
  Answer duplicated(const std::string& call, const char* function, int from, int fd, int error);
  Answer dup2(const char* function, int from, int to, int flags);
  Answer close(int fd);
  Answer fcntl(int fd, int command, void* argument);
  Answer ioctl(int fd, unsigned long request, void* argument);
  Answer shutdown(int fd, int how);

  // eventfd and signalfd (system_calls_events.cpp)
  Answer eventfd(unsigned value, int flags);
  Answer signalfd(int fd, const sigset_t* set, int flags);

  // options and names (system_calls_names.cpp)
  Answer bind(int fd, const sockaddr* address, socklen_t length);
  Answer listen(int fd, int backlog);
  Answer getsockname(int fd, sockaddr* address, socklen_t* length);
  Answer getpeername(int fd, sockaddr* address, socklen_t* length);
  Answer setsockopt(int fd, int level, int option, const void* value, socklen_t length);
  Answer getsockopt(int fd, int level, int option, void* value, socklen_t* length);
  Answer getaddrinfo(const char* host, const char* service, const addrinfo* hints,
                     addrinfo** result);
  /// False: not a list of the simulation's.
  bool freeaddrinfo(addrinfo* list);

  // connections (system_calls_connections.cpp)
  Answer connect(int fd, const sockaddr* address, socklen_t length);
  Answer accept(const char* function, int fd, sockaddr* address, socklen_t* length, int flags);

  // bytes (system_calls_bytes.cpp)
  Answer receive(const char* function, int fd, msghdr& message, int flags);
  Answer transmit(const char* function, int fd, const msghdr& message, int flags);

  // waiting (system_calls_select.cpp, system_calls_poll.cpp, system_calls_waiting.cpp)
  /// `left`: when not nullptr, what is left of the timeout; nothing, when it stays as it is.
  Answer select(const char* function, int nfds, const SelectSets& sets,
                std::optional<RawTimeout> timeout, const sigset_t* mask,
                std::optional<RawTimeout>* left);
  Answer poll(const char* function, pollfd* entries, nfds_t count,
              std::optional<RawTimeout> timeout, const sigset_t* mask);
  Answer sleep(const char* function, Time time, Time* left);
  Answer sleep_for_ever(const char* function, const sigset_t* mask);
  Answer clock_gettime(clockid_t clock, timespec* time);
  Answer alarm(const char* function, Time time, Time& left);

  // signals (system_calls_signals.cpp)
  Answer sigaction(int signal, const struct sigaction* action, struct sigaction* old);
  sighandler_t signal(int signal, sighandler_t handler);
  Answer sigprocmask(const char* function, int how, const sigset_t* set, sigset_t* old);
  Answer sigpending(sigset_t* set);
  Answer sigtimedwait(const char* function, const sigset_t& set, siginfo_t* info,
                      std::optional<RawTimeout> timeout);
  Answer signal_from_thread(const char* function, int signal);

  /// Ends the check: the program called something this lesson has no use for.
  [[noreturn]] void not_here(const std::string& function, const std::string& advice = {});

  /// Ends the check: the program asked an fd_set about a number that is not 0 to 1023.
  [[noreturn]] void outside_set(long fd);

  /// Ends the check: the program ended the whole process.
  [[noreturn]] void ended_process(const std::string& call);

 private:
  struct Readiness {
    bool readable, writable;
  };
  /// Begins a call: records it and counts it.
  Recorder::Call begin(const char* function, int fd, const std::string& text);
  [[nodiscard]] std::string who(int fd) const;
  [[nodiscard]] bool is_nonblocking(int fd, int flags = 0) const;
  [[nodiscard]] std::optional<Time> timeout_option(int fd, int option) const;
  [[nodiscard]] bool is_ready(int fd, short events) const;
  Answer dup2_onto_itself(const char* function, int fd, int flags);  // opens nothing
  Answer failed(const char* function, int fd, Recorder::Call call, int error,
                const std::string& remark = {});
  std::optional<Answer> planned_failure(const char* family, const char* function, int fd,
                                        Recorder::Call call);
  void answer_connect(const std::shared_ptr<OpenFile>& file, const HostAnswer& host);
  int wait_for_client(int fd, std::optional<Time> deadline, Recorder::Call call);
  void connect_to(int fd, const sockaddr_in& to);
  void connect_to_itself(int fd, OpenFile& file);
  int connect_really(int fd, const HostAnswer& host, OpenFile& file);
  int wait_for_answer(int fd, const OpenFile& file, Recorder::Call call);
  static int take_connect_error(int fd, OpenFile& file);
  static int take_modelled_error(OpenFile& file);
  [[nodiscard]] std::string hidden_by_nfds(int nfds, const SelectSets& sets) const;
  [[nodiscard]] std::vector<int> not_open(const Watched& watched, int end) const;
  int look(int nfds, const SelectSets& sets) const;
  [[nodiscard]] short events_now(const pollfd& asked) const;
  [[nodiscard]] WaitingCall waiting_call(const char* function, long nfds,
                                         std::optional<RawTimeout> timeout,
                                         const sigset_t* mask) const;
  void note_wait(WaitLog::Id wait, const WaitingCall& call);
  Answer wait_failed(Recorder::Call call, WaitLog::Id wait, WaitingCall& asked, int error);
  Answer wait_done(Recorder::Call call, WaitLog::Id wait, WaitingCall& asked, long count,
                   const std::string& found);

  Simulation& simulation_;
};

}  // namespace grader
