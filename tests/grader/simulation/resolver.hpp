/// @file
/// getaddrinfo(3) with scripted answers.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "simulation/time.hpp"

namespace grader {

/// The names of a scenario. Numeric hosts need no script; every other unscripted name is
/// EAI_NONAME. The machine has both families of addresses, whatever the real one has
/// (AI_ADDRCONFIG).
class Resolver {
 public:
  /// `name` has these numeric addresses, in this order; the answer comes after `delay` of virtual
  /// time.
  void name_has(const std::string& name, std::vector<std::string> addresses, Time delay = {});

  /// A lookup of `name` fails with the EAI code `code`, with `error` in errno (its reason for
  /// EAI_SYSTEM, a red herring otherwise).
  void name_fails(const std::string& name, int code, int error = 0);

  /// The service `name` has this port, for sockets of this type only. An unscripted service is
  /// looked up in the machine's own list (services(5)), which need not be there.
  void service_is(const std::string& name, std::uint16_t port, int socket_type = SOCK_STREAM);

  /// How long a lookup of `host` takes.
  [[nodiscard]] Time delay_of(const std::string& host) const;

  /// As getaddrinfo(3); the list is this object's own kind and must go to release(). `error`: what
  /// becomes of errno, 0 for as it is.
  int look_up(const char* host, const char* service, const addrinfo* hints, addrinfo** result,
              int& error);

  /// As freeaddrinfo(3). False: the list did not come from look_up(), or was released before.
  bool release(addrinfo* list);

  /// Lists handed out and not yet released.
  [[nodiscard]] std::size_t lists_in_use() const { return lists_.size(); }

  /// Whether look_up() ever handed out a list; then freeaddrinfo belongs to this object.
  [[nodiscard]] bool owns(addrinfo* list) const { return lists_.contains(list); }

 private:
  struct Script {
    std::vector<std::string> addresses;
    int code = 0, error = 0;
    Time delay{};
  };
  struct Service {
    std::uint16_t port;
    int socket_type;
  };
  static int choose(const Service& service, addrinfo& asked);

  std::map<std::string, Script> names_;
  std::map<std::string, Service> services_;
  std::set<addrinfo*> lists_;
};

}  // namespace grader
