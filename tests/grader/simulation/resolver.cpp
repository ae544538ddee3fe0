#include "simulation/resolver.hpp"

#include <arpa/inet.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "libc/real_libc.hpp"

namespace grader {
namespace {

bool is_numeric(const std::string& host) {
  unsigned char buffer[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), buffer) == 1 ||
         inet_pton(AF_INET6, host.c_str(), buffer) == 1;
}

constexpr int freed_byte = 0xa5;

// One node as a single block, so that reading past a freed list is reading freed memory.
addrinfo* copy_node(const addrinfo& from) {
  const std::size_t size = sizeof(addrinfo) + from.ai_addrlen;
  auto* node = static_cast<addrinfo*>(std::malloc(size));
  *node = from;
  node->ai_addr = reinterpret_cast<sockaddr*>(node + 1);
  std::memcpy(node->ai_addr, from.ai_addr, from.ai_addrlen);
  node->ai_canonname = from.ai_canonname == nullptr ? nullptr : strdup(from.ai_canonname);
  node->ai_next = nullptr;
  return node;
}

// The address has no place in what was asked for; a name's other addresses may.
bool only_this_address_is_wrong(int code) {
  return code == EAI_NONAME || code == EAI_ADDRFAMILY || code == EAI_NODATA;
}

}  // namespace

void Resolver::name_has(const std::string& name, std::vector<std::string> addresses, Time delay) {
  names_[name] = {std::move(addresses), 0, 0, delay};
}

void Resolver::name_fails(const std::string& name, int code, int error) {
  names_[name] = {{}, code, error, {}};
}

void Resolver::service_is(const std::string& name, std::uint16_t port, int socket_type) {
  services_[name] = {port, socket_type};
}

Time Resolver::delay_of(const std::string& host) const {
  const auto it = names_.find(host);
  return it == names_.end() ? Time{} : it->second.delay;
}

// Asks for the sockets that `service` is for; 0, or why that is not what was asked.
int Resolver::choose(const Service& service, addrinfo& asked) {
  if ((asked.ai_flags & AI_NUMERICSERV) != 0) return EAI_NONAME;
  if (asked.ai_socktype != 0 && asked.ai_socktype != service.socket_type) return EAI_SERVICE;
  asked.ai_socktype = service.socket_type;
  return 0;
}

int Resolver::look_up(const char* host, const char* service, const addrinfo* hints,
                      addrinfo** result, int& error) {
  Script script;
  const std::string name = host == nullptr ? "" : host;
  if (const auto it = names_.find(name); it != names_.end())
    script = it->second;
  else if (host == nullptr || is_numeric(name))
    script.addresses = {name};
  else
    script.code = EAI_NONAME;
  error = script.error;
  if (script.code != 0) return script.code;

  addrinfo asked{};
  if (hints != nullptr) asked = *hints;
  asked.ai_flags &= ~AI_ADDRCONFIG;
  if ((asked.ai_flags & AI_NUMERICHOST) != 0 && host != nullptr && !is_numeric(name))
    return EAI_NONAME;
  std::string port;
  if (const auto it = services_.find(service == nullptr ? "" : service); it != services_.end()) {
    if (const int refusal = choose(it->second, asked); refusal != 0) return refusal;
    service = (port = std::to_string(it->second.port)).c_str();
  }

  addrinfo* first = nullptr;
  addrinfo** end = &first;
  int code = EAI_NONAME;
  for (const std::string& address : script.addresses) {
    addrinfo* found = nullptr;
    code = real().getaddrinfo(address.empty() ? nullptr : address.c_str(), service, &asked, &found);
    if (code != 0 && only_this_address_is_wrong(code)) continue;
    if (code != 0) break;
    for (const addrinfo* node = found; node != nullptr; node = node->ai_next) {
      *end = copy_node(*node);
      end = &(*end)->ai_next;
    }
    real().freeaddrinfo(found);
  }
  if (first == nullptr) return code == 0 ? EAI_NONAME : code;
  lists_.insert(first);
  *result = first;
  return 0;
}

bool Resolver::release(addrinfo* list) {
  if (lists_.erase(list) == 0) return false;
  while (list != nullptr) {
    addrinfo* next = list->ai_next;
    std::free(list->ai_canonname);
    std::memset(list, freed_byte, sizeof *list + list->ai_addrlen);  // whoever still reads it falls
    std::free(list);
    list = next;
  }
  return true;
}

}  // namespace grader
