/// @file
/// Who owns which descriptor, and what the simulation knows of the open file behind it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "simulation/connection.hpp"
#include "simulation/network.hpp"
#include "simulation/time.hpp"

namespace grader {

/// A connect(2) of the program that has been asked for.
struct ConnectAttempt {
  Address to;
  std::string who;  ///< the peer that answers; empty: nobody is there
  bool answered = false;
  bool told = false;  ///< a connect(2) has told the program that it is connected
  int error = 0;      ///< errno of the answer; 0: connected
  bool error_is_modelled =
      false;  ///< SO_ERROR must be answered by the simulation, not by the kernel
};

/// An open file description: what all duplicates of a descriptor share (open(2), "Open file
/// descriptions").
struct OpenFile {
  enum class Kind { stream_socket, other_socket, pipe, file, eventfd, signalfd };
  Kind kind = Kind::file;
  std::string description;           ///< "connection to alice"
  int family = AF_UNSPEC;            ///< as the program asked for it
  Connection* connection = nullptr;  ///< borrowed from its peer
  std::optional<Address> bound;      ///< as the program sees it
  std::optional<Address> other_end;  ///< as the program sees it
  std::optional<ConnectAttempt> attempt;
  bool listening = false;
  unsigned backlog = 0;             ///< as given to listen(2)
  bool spurious_readiness = false;  ///< fault: the next look says readable though nothing is there
  std::string competitor;    ///< who else holds it, and is quicker; see Scenario::competitor()
  int competitor_takes = 0;  ///< how often it will still take something
  std::optional<Time> receive_timeout, send_timeout;  ///< SO_RCVTIMEO, SO_SNDTIMEO; none: for ever

  /// connect(2) has begun and not been answered yet.
  [[nodiscard]] bool is_connecting() const { return attempt && !attempt->answered; }

  /// To a peer, or to itself.
  [[nodiscard]] bool is_connected() const {
    return connection != nullptr || (attempt && attempt->answered && attempt->error == 0);
  }

  [[nodiscard]] bool is_socket() const {
    return kind == Kind::stream_socket || kind == Kind::other_socket;
  }
};

/// An open file of this kind; `description` is for messages ("a socket").
inline std::shared_ptr<OpenFile> new_file(OpenFile::Kind kind, std::string description) {
  auto file = std::make_shared<OpenFile>();
  file->kind = kind;
  file->description = std::move(description);
  return file;
}

/// The program's descriptors, from the first it was given or opened to those it left behind.
class DescriptorTable {
 public:
  struct Descriptor {
    std::shared_ptr<OpenFile> file;
    bool lent = false;      ///< belongs to the check: the program must not close it
    std::string opened_by;  ///< "socket()"
    Time opened_at{};
  };

  /// Enters a descriptor of the program.
  void add(int fd, std::shared_ptr<OpenFile> file, bool lent, std::string opened_by, Time now);

  /// The open file behind `fd`; nullptr when the table does not know it.
  [[nodiscard]] OpenFile* file(int fd) const;
  [[nodiscard]] std::shared_ptr<OpenFile> shared_file(int fd) const;
  [[nodiscard]] const Descriptor* find(int fd) const;

  /// Forgets `fd`, which was closed at `now`.
  void remove(int fd, Time now);

  /// When `fd` was last closed; nothing when it never was.
  [[nodiscard]] std::optional<Time> closed_at(int fd) const;

  /// The descriptor `from` has become `to`.
  void renumber(int from, int to);

  /// Any descriptor of this open file; -1 when the last one is closed.
  [[nodiscard]] int any_descriptor_of(const OpenFile* file) const;

  /// Whose listening socket is bound to `port` (as the program sees it)? -1: nobody's. Port 0: any
  /// listening socket.
  [[nodiscard]] int listener_at(std::uint16_t port) const;

  /// The descriptors that are the program's own and still open, lowest first.
  [[nodiscard]] std::vector<int> owned_by_program() const;

  /// How many numbers the kernel's table would have room for in a process that has had only these
  /// descriptors: 64, or the power of two above the highest number there ever was (alloc_fdtable()
  /// in the kernel's fs/file.c). What select(2) is asked about beyond, it ignores.
  [[nodiscard]] int table_size() const { return table_size_; }

  [[nodiscard]] const std::map<int, Descriptor>& all() const { return open_; }

 private:
  void grow_for(int fd);
  std::map<int, Descriptor> open_;
  std::map<int, Time> closed_;
  int table_size_ = 64;  // one word of bits; grows, never shrinks
};

}  // namespace grader
