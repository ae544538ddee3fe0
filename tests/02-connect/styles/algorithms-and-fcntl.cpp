// Different here: algorithms instead of loops (accumulate, find_if), the outcome of an attempt in a
// variant, and FD_CLOEXEC set with fcntl as on systems without SOCK_CLOEXEC.
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <numeric>
#include <system_error>
#include <utility>
#include <variant>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

namespace course {
namespace {

using Attempt = std::variant<Fd, std::error_code>;

std::error_code last_error() { return {errno, std::system_category()}; }

std::vector<const addrinfo*> entries(const addrinfo* list) {
  std::vector<const addrinfo*> result;
  for (; list != nullptr; list = list->ai_next) result.push_back(list);
  return result;
}

std::vector<Endpoint> with(std::vector<Endpoint> known, const addrinfo* entry) {
  Endpoint next(entry->ai_addr, entry->ai_addrlen);
  if (std::find(known.cbegin(), known.cend(), next) == known.cend()) known.push_back(next);
  return known;
}

std::error_code result_of(int fd) {
  pollfd entry{fd, POLLOUT, 0};
  if (poll(&entry, 1, -1) == -1) return errno == EINTR ? result_of(fd) : last_error();
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1) return last_error();
  return {error, std::system_category()};
}

Attempt attempt(const Endpoint& address) {
  Fd fd(socket(address.family(), SOCK_STREAM, 0));
  if (fd.get() == -1) return last_error();
  if (fcntl(fd.get(), F_SETFD, FD_CLOEXEC) == -1) return last_error();
  if (connect(fd.get(), address.data(), address.length()) == 0) return fd;
  std::error_code error = last_error();
  if (error == std::errc::interrupted) error = result_of(fd.get());
  if (error) return error;
  return fd;
}

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* raw = nullptr;
  const int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &raw);
  if (rc == EAI_SYSTEM) throw std::system_error(last_error(), host);
  if (rc != 0) throw std::system_error({rc, resolver_category()}, host);
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> list(raw, freeaddrinfo);

  const auto all = entries(list.get());
  return std::accumulate(all.begin(), all.end(), std::vector<Endpoint>{}, with);
}

Fd connect_to(const std::string& host, const std::string& service) {
  const auto addresses = resolve(host, service);
  std::vector<Attempt> attempts;
  const auto answered = std::find_if(addresses.begin(), addresses.end(), [&](const Endpoint& e) {
    return std::holds_alternative<Fd>(attempts.emplace_back(attempt(e)));
  });
  if (answered != addresses.end()) return std::move(std::get<Fd>(attempts.back()));

  const auto is_about_the_host = [](const Attempt& failed) {
    return std::get<std::error_code>(failed) != std::errc::address_family_not_supported;
  };
  auto worst = std::find_if(attempts.rbegin(), attempts.rend(), is_about_the_host);
  if (worst == attempts.rend()) worst = attempts.rbegin();
  const auto index = std::distance(worst, attempts.rend()) - 1;
  throw std::system_error(std::get<std::error_code>(*worst),
                          "connect " + addresses[static_cast<std::size_t>(index)].to_string());
}

}  // namespace course
