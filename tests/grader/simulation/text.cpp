#include "simulation/text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "simulation/time.hpp"

namespace grader {

std::string format(const char* pattern, ...) {
  char buffer[1024];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(buffer, sizeof buffer, pattern, arguments);
  va_end(arguments);
  return buffer;
}

std::string quoted(const void* data, std::size_t size, std::size_t max) {
  std::string out = "\"";
  const auto* bytes = static_cast<const unsigned char*>(data);
  for (std::size_t i = 0; i < std::min(size, max); ++i) {
    const unsigned char byte = bytes[i];
    if (byte == '\n')
      out += "\\n";
    else if (byte == '\r')
      out += "\\r";
    else if (byte == '"' || byte == '\\')
      (out += '\\') += static_cast<char>(byte);
    else if (byte >= 32 && byte < 127)
      out += static_cast<char>(byte);
    else
      out += format("\\x%02x", byte);
  }
  out += "\"";
  if (size > max) out += "...";
  return out;
}

std::string error_name(int error) {
  if (error == EAGAIN) return "EAGAIN";
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : format("errno %d", error);
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? format("SIG%s", name) : format("signal %d", signal);
}

std::string signals_text(const sigset_t& set) {
  std::string text;
  int count = 0;
  for (int signal = 1; signal < NSIG; ++signal)
    if (sigismember(&set, signal) == 1 && ++count)
      text += (text.empty() ? "" : " ") + signal_name(signal);
  return count > 8 ? format("{%d signals}", count) : "{" + text + "}";
}

std::string address_text(const sockaddr* address, socklen_t length) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address != nullptr && length >= sizeof(sockaddr_in) && address->sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof v4);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return format("%s:%u", text, ntohs(v4.sin_port));
  }
  if (address != nullptr && length >= sizeof(sockaddr_in6) && address->sa_family == AF_INET6) {
    sockaddr_in6 v6;
    std::memcpy(&v6, address, sizeof v6);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return format("[%s]:%u", text, ntohs(v6.sin6_port));
  }
  if (address != nullptr && address->sa_family == AF_INET6)
    return format("%u bytes of an IPv6 address", static_cast<unsigned>(length));
  return address == nullptr ? "no address" : format("an address of family %d", address->sa_family);
}

std::string byte_count(std::size_t count) {
  return format("%zu byte%s", count, count == 1 ? "" : "s");
}

std::string to_text(Time time) {
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, "%.9f", static_cast<double>(time.count()) / 1e9);
  std::string text = buffer;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + " s";
}

}  // namespace grader
