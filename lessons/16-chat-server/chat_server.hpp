/// @file
/// Lesson 16: what one says, all hear, at their own speed.
///
/// Three parts: Room knows the rules and no sockets; LineClients knows sockets and no rules;
/// ChatServer puts them together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "01-descriptors/descriptors.hpp"
#include "given/deadline.hpp"

namespace course {

/// Who a client is. Unlike a descriptor it is never used again: whoever comes later has another.
using ClientId = std::uint64_t;

/// What happened to a client.
struct Event {
  /// What kind of thing.
  enum class Kind {
    joined,  ///< it is connected; the first event of each client
    line,    ///< it has sent a line
    left,    ///< it is gone; the last event of each client
  };
  Kind kind = Kind::joined;  ///< what kind of thing
  ClientId client = 0;       ///< to whom it happened
  std::string text{};  ///< line: without its ending. left: why, in a few words; empty: it finished.

  /// Equal in all three.
  friend bool operator==(const Event&, const Event&) = default;
};

/// A line for one client, without its ending.
struct Outgoing {
  ClientId to = 0;     ///< who is to get it
  std::string line{};  ///< what it is to get

  /// Equal in both.
  friend bool operator==(const Outgoing&, const Outgoing&) = default;
};

/// Who is in the room and what they are called: the rules of the chat. It knows no sockets
/// (sans-I/O): events go in, lines for clients come out. A plain value; never blocks. A moved-from
/// room is only good for being assigned to or destroyed.
class Room {
 public:
  Room();
  ~Room();
  /// Another with the same state.
  Room(const Room&);
  /// Takes over all that the other has.
  Room(Room&&) noexcept;
  /// Gives up its own, and takes a copy of what the other has.
  Room& operator=(const Room&);
  /// Gives up its own, and takes over all that the other has.
  Room& operator=(Room&&) noexcept;

  /// Takes one event and returns the lines that follow from it, in the order in which each client
  /// is to get them. "All others" are those with a name, without the one the event is about.
  ///
  /// - joined: the client gets "* your name?". It has no name, and is not in the room yet.
  /// - line, from a client without a name: that is the name it wants. 1 to 16 bytes, each an ASCII
  ///   letter, digit, '-' or '_'; else it gets "! a name has 1 to 16 letters, digits, - or _". If a
  ///   client in the room has that name already, upper and lower case told apart, it gets
  ///   "! ada is taken", with the name. Either way it may try again. Otherwise it is in the room:
  ///   it gets "* here: bob carol", all others in the order in which they came in, or "* here:
  ///   nobody else", and all others get "* ada joined".
  /// - line, from a client with a name: all others get "ada: " and the line, byte for byte, an
  ///   empty line too. The client itself gets nothing.
  /// - left: all others get "* ada left", or "* ada left (why)" with the event's text when there is
  ///   one; nothing when it had no name. Its name is free from then on.
  ///
  /// Events of clients that have not joined, or have left, are ignored, and so is a second joined.
  /// (Who has left never joins again: an id is not used twice.)
  [[nodiscard]] std::vector<Outgoing> handle(const Event& event);

  /// What a client is called; nothing when it has no name.
  [[nodiscard]] std::optional<std::string> name_of(ClientId client) const;

 private:
  struct State;  // yours to define in chat_server.cpp as you like
  std::unique_ptr<State> state_;
};

/// What a client may ask of the server, in bytes.
struct LineLimits {
  std::size_t line_max = 1024;      ///< the longest line it may send, the ending not counted
  std::size_t unsent_max = 65'536;  ///< how much may wait for it
};

/// Clients that send lines and are sent lines, each at its own speed. It owns their connections.
/// Not to be copied; it can be moved, and a moved-from object is only good for being destroyed.
class LineClients {
 public:
  /// Nobody is connected. Does not block.
  explicit LineClients(LineLimits limits = {});

  /// Closes all connections at once.
  ~LineClients();
  /// Takes over all that the other has.
  LineClients(LineClients&&) noexcept;
  /// Gives up its own, and takes over all that the other has.
  LineClients& operator=(LineClients&&) noexcept;

  /// Takes over the connected stream socket `client`, in whichever mode it is; its joined event is
  /// in the answer of the next step(). Returns who it is from now on: 1, 2, 3, …. Does not block.
  /// A descriptor that does not fit into an fd_set (FD_SETSIZE, 1024, or more) throws
  /// std::system_error with EINVAL, and is closed.
  ClientId admit(Fd client);

  /// What step() found.
  struct Turn {
    std::vector<Event> events{};  ///< in the order in which they happened
    std::vector<int> readable{};  ///< the other descriptors that are readable, in any order
  };

  /// One turn: waits in one select(2) until something happens to a client, one of `others`
  /// (borrowed, each fits into an fd_set) is readable, or `deadline` has passed, whichever is
  /// first; receives and sends what can be now, without waiting; and returns what happened. Events
  /// that are there already (joined, left) are a reason not to wait, though not a reason not to
  /// look. That something waiting was sent is no event, but may be reason to return. Signals
  /// neither end nor lengthen the wait. An idle object makes no calls but the one.
  ///
  /// Lines end with LF or CR LF and may contain any other byte. Of each client no more than 65,536
  /// bytes are received in a turn, so that nobody has to wait for one who always talks.
  ///
  /// A client that finishes sending has left, but not in the turn of its last lines: these can
  /// still be answered by send(), and its left event is in a later turn, which need not wait. What
  /// came of a line without an ending is no event. The client is still sent what waits for it, and
  /// then closed.
  ///
  /// These leave at once: what waits for them is dropped, and they are closed before the step()
  /// returns that has their left event, which says why:
  /// - "connection lost": a receive or a send failed (ECONNRESET, EPIPE, …). EPIPE comes without a
  ///   SIGPIPE, whose disposition and mask are left alone. The lines received before count.
  /// - "line too long": a line is over limits.line_max. The lines before it count.
  /// - "too slow": more than limits.unsent_max wait for it (see send()).
  ///
  /// Throws std::system_error when the wait fails (EBADF: one of `others` is not open). Nothing is
  /// lost then: the next step() goes on, and has the events.
  [[nodiscard]] Turn step(Deadline deadline, std::span<const int> others = {});

  /// Sends `line` and an LF to a client: what the kernel takes now, the rest in later turns, in
  /// order. Never blocks. When more than limits.unsent_max bytes would wait for it afterwards, the
  /// client is too slow: it leaves. Its left event, like that of one to whom the send fails, is in
  /// the next step(): calling send() for one client after the other is safe. Nothing happens when
  /// the client has left, is leaving, or never was.
  void send(ClientId client, std::string_view line);

  /// Ends a conversation politely. The client has left from now on: nothing more that it says is
  /// handed out, and there are no more events of it, nor those that step() has yet to return. It is
  /// sent what waits for it, and then closed, here and now when nothing does. Before the close,
  /// what has come from it is received and discarded, no more than 65,536 bytes, so that the close
  /// is no reset (lesson 05). For one that has left already only its events are taken back.
  void disconnect(ClientId client);

  /// Ends a conversation at once: what waits for the client is dropped, and it is closed before
  /// this returns. There are no more events of it, nor those that step() has yet to return.
  void drop(ClientId client);

  /// How many bytes wait to be sent to a client; 0 for one that is closed.
  [[nodiscard]] std::size_t unsent(ClientId client) const noexcept;

  /// How many bytes of a line without an ending a client has sent; 0 for one that has left.
  [[nodiscard]] std::size_t unfinished(ClientId client) const noexcept;

  /// How many connections are open, those included that have left and are still being sent to.
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  struct State;  // yours to define in chat_server.cpp as you like
  std::unique_ptr<State> state_;
};

/// A Room for whoever connects. Not to be copied; it can be moved, and a moved-from server is only
/// good for being destroyed.
class ChatServer {
 public:
  /// Takes over the listening stream socket `listener`, in whichever mode it is. Nobody is accepted
  /// yet. Does not block. Throws std::system_error with errno and what() naming the call.
  explicit ChatServer(Fd listener, LineLimits limits = {});

  /// Closes the listener and all connections at once.
  ~ChatServer();
  /// Takes over all that the other has.
  ChatServer(ChatServer&&) noexcept;
  /// Gives up its own, and takes over all that the other has.
  ChatServer& operator=(ChatServer&&) noexcept;

  /// One turn, as of EchoServer::step(): waits until the listener or a client is ready, `wake_up`
  /// is readable (borrowed for this call, only looked at; -1: none), or `deadline` has passed; does
  /// what can be done now; returns. What happens to clients goes to the Room, and its lines to the
  /// clients. Lines that it brings to a client are sent, as far as they fit, before this returns.
  /// No more than 64 clients are accepted in a turn. One whose descriptor does not fit into an
  /// fd_set is closed as soon as it is accepted, and counts. Throws like EchoServer::step().
  void step(Deadline deadline, int wake_up = -1);

  /// How many connections are open.
  [[nodiscard]] std::size_t connections() const noexcept;

 private:
  struct State;  // yours to define in chat_server.cpp as you like
  std::unique_ptr<State> state_;
};

}  // namespace course
