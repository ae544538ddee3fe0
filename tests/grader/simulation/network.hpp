/// @file
/// The addresses of a scenario and the loopback addresses behind them.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace grader {

/// An address as the program and the script see it ("192.0.2.1:80", "[::1]:80"). Behind each stands
/// a loopback address and port of this check's own, so that checks never clash, no real network is
/// needed, and IPv6 works on machines that have none.
struct Address {
  int family = AF_UNSPEC;
  in6_addr host{};         ///< the first four bytes for IPv4
  std::uint16_t port = 0;  ///< host order

  /// From "192.0.2.1" or "2001:db8::1". Aborts the check as broken when it is neither.
  static Address of(const std::string& host, std::uint16_t port);

  /// From a socket address; nothing when it is of another family or too short.
  static std::optional<Address> from(const sockaddr* address, socklen_t length);

  /// Fills `address` the way the kernel does: at most *length bytes, *length becomes the full size.
  void write_to(sockaddr* address, socklen_t* length) const;

  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] bool is_any() const;    ///< 0.0.0.0 or ::
  [[nodiscard]] bool is_local() const;  ///< any, or a loopback address

  friend bool operator<(const Address& a, const Address& b);
  friend bool operator==(const Address& a, const Address& b) { return !(a < b) && !(b < a); }
};

/// What an IPv6 socket demands of an address before it looks at the family (SIN6_LEN_RFC2133); the
/// real socket behind an IPv6 one is an IPv4 one and would say something else.
constexpr socklen_t ipv6_length_min = 24;

/// The loopback addresses that belong to this process alone (derived from its process number), one
/// for each use.
class Network {
 public:
  enum class Use { program_v4 = 0, program_v6 = 1, peers = 2, scripted_hosts = 3 };

  /// The real address for `use`, with `port` (0: the kernel chooses).
  static sockaddr_in real_address(Use use, std::uint16_t port);

  /// The port that the program is shown for the real port the kernel chose for it: 40001, 40002,
  /// ... in the order in which it asks.
  std::uint16_t shown_port(std::uint16_t real_port);

  /// The real port behind a shown one; the port itself when it was not chosen by the kernel.
  [[nodiscard]] std::uint16_t real_port(std::uint16_t shown_port) const;

 private:
  std::map<std::uint16_t, std::uint16_t> shown_by_real_;
};

}  // namespace grader
