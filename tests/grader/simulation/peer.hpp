/// @file
/// One participant on the other side: what it does, what it waits for, what it got.
#pragma once

#include <poll.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "real_time/filler.hpp"
#include "simulation/connection.hpp"
#include "simulation/network.hpp"
#include "simulation/time.hpp"
#include "simulation/where.hpp"

namespace grader {

class Simulation;

/// A scripted participant. The functions that describe its script return the peer itself, so that a
/// script reads as a sentence: `alice.at(1s).connects().sends("hello").receives("HELLO").closes();`
///
/// The steps happen in order, each as soon as the one before it is done and its own time has come.
/// A peer reads all that the program sends as it comes, unless its script says otherwise.
class Peer {
 public:
  Peer(Simulation& simulation, std::string name, int number);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  /// @name How it comes to be connected
  /// @{

  /// Connects now, before the program runs; returns the program's end. The check keeps it: for the
  /// program it is borrowed, and closing it is a mistake.
  int connected();

  /// Connects now; the end returned is the program's own and must be closed by it.
  int connected_and_handed_over();

  /// Makes a pipe whose write end this peer holds, and lends the program its read end, which is
  /// returned. What it sends goes into the pipe, 64 KiB at a time, the rest as the program reads;
  /// closes() is the end. It can be no more than that: a pipe has one direction.
  int pipe_to_program();

  /// Makes a pipe whose read end this peer holds, and lends the program its write end, which is
  /// returned. The pipe holds 64 KiB, or what window() says; a write of at most PIPE_BUF bytes is
  /// taken whole or not at all, and the pipe is writable when that much fits (pipe(7)). After
  /// closes() a write fails with EPIPE.
  int pipe_from_program();

  /// Step: connects to the listening socket of the program at `port` (0: the one there is). While
  /// the backlog is full the attempt waits.
  Peer& connects(std::uint16_t port = 0, Where where = Where::here());

  /// Listens at a numeric address for the program's connect. The script begins when the program is
  /// connected.
  Peer& listens_at(const std::string& host, std::uint16_t port, Time answers_after = {});

  /// The address exists, but every connect is answered with ECONNREFUSED, after `after`.
  Peer& refuses_at(const std::string& host, std::uint16_t port, Time after = {});

  /// Nothing ever answers a connect to the address; the kernel gives up after 127 s (tcp(7),
  /// tcp_syn_retries).
  Peer& never_answers_at(const std::string& host, std::uint16_t port);

  /// A connect to the address fails with `error` (ENETUNREACH, EHOSTUNREACH, ...), after `after`.
  Peer& fails_at(const std::string& host, std::uint16_t port, int error, Time after = {});

  /// Nobody listens at the address, but a connect to it happens to begin there as well: after
  /// `after` the program's socket is connected to itself (RFC 9293 section 3.5, simultaneous open).
  Peer& is_the_socket_itself_at(const std::string& host, std::uint16_t port, Time after = {});
  /// @}

  /// @name When
  /// @{

  /// The next step happens at this virtual time, or later if the step before it is late.
  Peer& at(Time time);

  /// The next step happens this long after the step before it.
  Peer& after(Time delay);
  /// @}

  /// @name What it does
  /// @{
  /// The program has at most 32 KiB of it unread, or what window_to_program() says, of all sends
  /// together (64 KiB in a pipe); what is left follows as it reads, and the step is done when all
  /// is under way.
  Peer& sends(std::string data);
  /// Sends `piece` again and again, each as soon as the program has read the one before: there is
  /// always something to read. Done when it has received `word`, or has sent `bytes_max` bytes.
  Peer& talks_until_it_receives(const std::string& word, std::string piece, std::size_t bytes_max);
  Peer& sends_urgent(char byte);   ///< an urgent byte (MSG_OOB): out of band, exceptional
  Peer& finishes_sending();        ///< half-close: FIN, but goes on reading
  Peer& closes();                  ///< with unread data that is a reset, as in the kernel
  Peer& resets();                  ///< RST
  Peer& stops_reading();           ///< what the program sends fills the window
  Peer& reads(std::size_t bytes);  ///< reads this much of what has come, once
  Peer& resumes_reading();
  /// @}

  /// @name What it waits for
  /// The step is done when it has come; `within` virtual time, else the check fails at `where`.
  /// @{
  Peer& receives(const std::string& data, Time within = 1min, Where where = Where::here());
  Peer& sees_the_end(Time within = 1min, Where where = Where::here());
  /// @}

  /// How many bytes the program may have under way to this peer before its sends wait; from now on,
  /// which is before the script begins. The program's socket is writable as long as one more fits.
  /// In this the model differs from the kernel, whose limit varies, may be megabytes, and which
  /// calls a socket writable while at least a third of that is free. In real time there is no
  /// window of a size: only window(0), which is the kernel's own buffers full, and what opens it,
  /// which leaves them empty.
  Peer& window(std::uint64_t bytes);

  /// How many bytes of this peer's the program may have unread before its sends() wait.
  Peer& window_to_program(std::uint64_t bytes);

  /// Step: the window has this size from now on. window(0) and then opens_window() make a socket
  /// that becomes writable at an exact time.
  Peer& opens_window(std::uint64_t bytes);

  /// @name What came of it
  /// @{
  [[nodiscard]] const std::string& name() const { return connection_.name; }
  [[nodiscard]] const std::string& received() const { return received_; }  ///< all that it read
  /// When it read the byte that has this index in received(); nothing: it has not come.
  [[nodiscard]] std::optional<Time> received_at(std::size_t index) const;
  [[nodiscard]] bool is_connected() const { return was_connected_; }  ///< now or before
  [[nodiscard]] bool saw_the_end() const {
    return end_at_.has_value();
  }  ///< the program finished sending, orderly
  [[nodiscard]] bool saw_a_reset() const { return reset_at_.has_value(); }
  [[nodiscard]] std::optional<Time> end_at() const { return end_at_; }
  [[nodiscard]] std::optional<Time> reset_at() const { return reset_at_; }
  [[nodiscard]] bool is_done() const { return steps_.empty(); }
  /// The peer's own address, as the program sees it.
  [[nodiscard]] Address address() const;
  /// @}

  // For the simulation:
  Connection& connection() { return connection_; }
  [[nodiscard]] pollfd look() const;               ///< what poll(2) has to be asked for run_due()
  bool run_due(bool has_news);                     ///< does what is due; true: it did something
  [[nodiscard]] int reads_from() const;            ///< where it awaits bytes; -1: nowhere
  [[nodiscard]] std::optional<Time> next() const;  ///< when it will do something by itself
  [[nodiscard]] std::string unfinished()
      const;               ///< "alice still waits to receive ..."; empty when done
  void take(int peer_fd);  ///< it is connected from now on
  [[nodiscard]] std::uint16_t real_port() const { return real_port_; }
  [[nodiscard]] int real_listener_port() const { return real_listener_port_; }

 private:
  struct Step {
    std::function<bool(Step&)> act;  ///< true: done
    std::optional<Time> not_before;
    Time delay{};
    std::function<std::string()> unmet;  ///< what it waits for, for a message; empty for deeds
    const char* advice = "";             ///< what to do when it waited in vain
    std::optional<Time> within, deadline;
    Where where;
  };
  Peer& add(std::function<bool()> deed);
  Peer& wait_for(std::function<bool()> came, std::function<std::string()> unmet, Time within,
                 Where where);
  Step& put(Step step);
  [[nodiscard]] Time due(const Step& step) const;
  [[nodiscard]] Address own_address() const;
  bool try_connect(std::uint16_t port, Where where);
  int make_pipe(Connection::Medium medium);
  void fill_closed_window();  // in real time
  bool send_now(const std::string& data, std::size_t& offset);
  bool write_now(const std::string& data, std::size_t& offset);
  void record_sent(const std::string& data, std::size_t begin, std::size_t end);
  void demand(bool is_possible, const char* step) const;  // else the script is wrong
  bool drain(std::size_t bytes_max);
  bool notice_late_reset();
  void note_reset();
  void note_failed_send(int error);
  void settle();
  void close_quietly();

  Simulation& simulation_;
  Connection connection_;
  Filler filler_;  ///< in real time, while its window is closed
  int number_;
  std::deque<Step> steps_;
  std::optional<Time> next_at_;
  Time next_delay_{};
  Time last_done_{};
  bool was_connected_ = false;
  bool is_reading_ = true;
  bool told_to_wait_ = false;
  std::uint16_t real_port_ = 0;
  int real_listener_port_ = 0;  ///< the one that connects() connected to
  std::string received_;
  std::map<std::size_t, Time> read_at_;  ///< by how many bytes it had read then
  std::size_t expected_ = 0;  ///< bytes of received_ that receives() steps have asked for
  std::optional<Time> end_at_, reset_at_;
};

}  // namespace grader
