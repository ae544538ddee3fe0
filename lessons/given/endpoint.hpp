/// @file
/// One address a socket can be bound or connected to.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace course {

/// An IPv4 or IPv6 address with its port: what connect(2) and bind(2) take. A plain value; owns
/// nothing.
class Endpoint {
 public:
  /// No address at all: length() is 0.
  Endpoint() noexcept = default;

  /// Copies `length` bytes of a socket address, as found in an addrinfo or filled by accept(2).
  /// Throws std::invalid_argument when they do not fit a sockaddr_storage.
  Endpoint(const sockaddr* address, socklen_t length);

  /// Reads a numeric address such as "127.0.0.1" or "::1"; `port` is in host order, 0 to 65535.
  /// Looks nothing up and never blocks. Throws std::invalid_argument on anything else.
  static Endpoint numeric(const std::string& address, std::uint16_t port);

  /// The address in the form that connect(2) and bind(2) take; borrowed from this object.
  [[nodiscard]] const sockaddr* data() const noexcept {
    return reinterpret_cast<const sockaddr*>(&storage_);
  }

  /// How many bytes of data() are in use.
  [[nodiscard]] socklen_t length() const noexcept { return length_; }

  /// AF_INET, AF_INET6, or AF_UNSPEC when there is no address.
  [[nodiscard]] int family() const noexcept { return storage_.ss_family; }

  /// The port in host order; 0 when there is none.
  [[nodiscard]] std::uint16_t port() const noexcept;

  /// "192.0.2.1:80", or "[2001:db8::1]:80" (RFC 3986 section 3.2.2).
  [[nodiscard]] std::string to_string() const;

  /// Same family, address, port and, for IPv6, scope.
  friend bool operator==(const Endpoint& a, const Endpoint& b) noexcept;

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

}  // namespace course
