#include "simulation/network.hpp"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <tuple>

#include "simulation/text.hpp"

namespace grader {
namespace {

constexpr std::uint16_t first_shown_port = 40001;

}  // namespace

Address Address::of(const std::string& host, std::uint16_t port) {
  Address result;
  result.port = port;
  if (inet_pton(AF_INET, host.c_str(), &result.host) == 1)
    result.family = AF_INET;
  else if (inet_pton(AF_INET6, host.c_str(), &result.host) == 1)
    result.family = AF_INET6;
  else
    throw std::logic_error("the scenario has a bad address: " + host);
  return result;
}

std::optional<Address> Address::from(const sockaddr* address, socklen_t length) {
  Address result;
  if (address != nullptr && length >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    std::memcpy(&result.host, &v4.sin_addr, sizeof v4.sin_addr);
    result.family = AF_INET;
    result.port = ntohs(v4.sin_port);
    return result;
  }
  if (address != nullptr && length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    result.host = v6.sin6_addr;
    result.family = AF_INET6;
    result.port = ntohs(v6.sin6_port);
    return result;
  }
  return std::nullopt;
}

void Address::write_to(sockaddr* address, socklen_t* length) const {
  if (address == nullptr || length == nullptr) return;
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  std::memcpy(&v4.sin_addr, &host, sizeof v4.sin_addr);
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = host;
  const bool is_v4 = family == AF_INET;
  const void* source = is_v4 ? static_cast<const void*>(&v4) : static_cast<const void*>(&v6);
  const socklen_t full = is_v4 ? sizeof v4 : sizeof v6;
  std::memcpy(address, source, std::min(*length, full));
  *length = full;
}

std::string Address::to_string() const {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  write_to(reinterpret_cast<sockaddr*>(&storage), &length);
  return address_text(reinterpret_cast<sockaddr*>(&storage), length);
}

bool Address::is_any() const {
  static constexpr in6_addr zero{};
  return std::memcmp(&host, &zero, family == AF_INET ? 4 : 16) == 0;
}

bool Address::is_local() const {
  if (is_any()) return true;
  return family == AF_INET ? host.s6_addr[0] == 127 : IN6_IS_ADDR_LOOPBACK(&host);
}

bool operator<(const Address& a, const Address& b) {
  const int order = std::memcmp(&a.host, &b.host, sizeof a.host);
  return std::tie(a.family, order, a.port) < std::tuple(b.family, 0, b.port);
}

sockaddr_in Network::real_address(Use use, std::uint16_t port) {
  // 22 bits of the process number and 2 for the use, in 127.0.0.0/8; the first 64 numbers are left
  // out because 127.0.0.1 and its neighbours belong to the machine.
  const auto process = (static_cast<std::uint32_t>(getpid()) + 64) & 0x3fffff;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(0x7f000000u | process << 2 | static_cast<std::uint32_t>(use));
  return address;
}

std::uint16_t Network::shown_port(std::uint16_t real_port) {
  const auto next = static_cast<std::uint16_t>(first_shown_port + shown_by_real_.size());
  return shown_by_real_.try_emplace(real_port, next).first->second;
}

std::uint16_t Network::real_port(std::uint16_t shown_port) const {
  for (const auto& [real, shown] : shown_by_real_)
    if (shown == shown_port) return real;
  return shown_port;
}

}  // namespace grader
