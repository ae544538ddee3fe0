/// @file
/// What the checks of lesson 12 have in common.
#pragma once

#include <fcntl.h>

#include <cstddef>
#include <string>
#include <system_error>

#include "given/bytes.hpp"
#include "given/io_result.hpp"
#include "scenario/check.hpp"
#include "simulation/text.hpp"

namespace grader {

/// Puts a descriptor that the program is lent into non-blocking mode; returns it.
inline int made_nonblocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

/// `size` letters in an order that never repeats within a few thousand.
inline std::string letters(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i + i / 25) % 26);
  return text;
}

/// `size` bytes in which every value occurs, zero and 255 among them.
inline std::string all_values(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 7 + 255) % 256);
  return bytes;
}

/// "EPIPE", "no errno (resolver 3)": the code of an error, for a sentence.
inline std::string named(const std::error_code& error) {
  if (!error) return "no error code";
  const bool is_errno =
      error.category() == std::system_category() || error.category() == std::generic_category();
  return is_errno ? error_name(error.value())
                  : format("%s %d, which is no errno", error.category().name(), error.value());
}

/// Whether it is this errno, in either category.
inline bool is_errno(const std::error_code& error, int wanted) {
  return error == std::error_code(wanted, std::system_category()) ||
         error == std::error_code(wanted, std::generic_category());
}

/// "ok with 7 bytes", "error (EPIPE) with 0 bytes".
inline std::string told(const course::IoResult& result) {
  constexpr const char* names[] = {"ok", "eof", "would_block", "timed_out", "error"};
  const std::string error =
      result.status == course::IoStatus::error ? " (" + named(result.error) + ")" : "";
  return names[static_cast<int>(result.status)] + error + " with " + byte_count(result.bytes);
}

}  // namespace grader
