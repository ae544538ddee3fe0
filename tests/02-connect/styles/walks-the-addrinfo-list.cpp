// Different here: connect_to() does not use resolve(). Both share a class that owns the answer of
// getaddrinfo, and connect_to() takes family, type and protocol of each socket from its entry. An
// address that is listed twice is tried twice.
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <system_error>
#include <utility>

#include "02-connect/connect.hpp"
#include "given/resolver_error.hpp"

namespace course {
namespace {

/// The answer of getaddrinfo, as a range of its entries.
class Answer {
 public:
  Answer(const std::string& host, const std::string& service) {
    addrinfo hints{};
    hints.ai_flags = AI_CANONNAME;
    hints.ai_socktype = SOCK_STREAM;
    const int rc = getaddrinfo(host.c_str(), service.c_str(), &hints, &list_);
    if (rc == EAI_SYSTEM) {
      const int error = errno;
      throw std::system_error(error, std::system_category(), host);
    }
    if (rc != 0) throw std::system_error(rc, resolver_category(), host);
  }
  Answer(const Answer&) = delete;
  Answer& operator=(const Answer&) = delete;
  ~Answer() { freeaddrinfo(list_); }

  class Iterator {
   public:
    explicit Iterator(const addrinfo* at) : at_(at) {}
    const addrinfo& operator*() const { return *at_; }
    Iterator& operator++() { return at_ = at_->ai_next, *this; }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const addrinfo* at_;
  };
  [[nodiscard]] Iterator begin() const { return Iterator(list_); }
  [[nodiscard]] Iterator end() const { return Iterator(nullptr); }

 private:
  addrinfo* list_ = nullptr;
};

int await(int fd) {
  pollfd entry{fd, POLLOUT | POLLERR | POLLHUP, 0};
  while (poll(&entry, 1, -1) < 1)
    if (errno != EINTR) return errno;
  int error = 0;
  socklen_t length = sizeof error;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0 ? errno : error;
}

std::pair<Fd, int> try_entry(const addrinfo& entry) {
  Fd fd(socket(entry.ai_family, entry.ai_socktype | SOCK_CLOEXEC, entry.ai_protocol));
  if (fd.get() == -1) return {Fd(), errno};
  int error = connect(fd.get(), entry.ai_addr, entry.ai_addrlen) == 0 ? 0 : errno;
  if (error == EINTR) error = await(fd.get());
  return {std::move(fd), error};
}

}  // namespace

std::vector<Endpoint> resolve(const std::string& host, const std::string& service) {
  std::map<std::pair<std::string, std::uint32_t>, std::size_t> first_at;
  std::vector<Endpoint> addresses;
  const Answer answer(host, service);
  for (const addrinfo& entry : answer) {
    const Endpoint address(entry.ai_addr, entry.ai_addrlen);
    const bool is_v6 = entry.ai_family == AF_INET6;
    const auto scope =
        is_v6 ? reinterpret_cast<const sockaddr_in6*>(entry.ai_addr)->sin6_scope_id : 0;
    if (first_at.try_emplace({address.to_string(), scope}, addresses.size()).second)
      addresses.push_back(address);
  }
  return addresses;
}

Fd connect_to(const std::string& host, const std::string& service) {
  std::pair<std::string, int> failure{"", EAFNOSUPPORT};
  const Answer answer(host, service);
  for (const addrinfo& entry : answer) {
    auto [fd, error] = try_entry(entry);
    if (error == 0) return std::move(fd);
    if (error == EAFNOSUPPORT && failure.second != EAFNOSUPPORT) continue;
    failure = {Endpoint(entry.ai_addr, entry.ai_addrlen).to_string(), error};
  }
  throw std::system_error(failure.second, std::system_category(), "connect " + failure.first);
}

}  // namespace course
