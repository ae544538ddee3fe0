/// @file
/// Views of raw bytes: the vocabulary in which buffers are passed.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace course {

/// Borrowed memory that a function fills. The caller owns it and keeps it alive.
using bytes = std::span<std::byte>;

/// Borrowed memory that a function only reads. The caller owns it and keeps it alive.
using cbytes = std::span<const std::byte>;

/// The bytes of `text`, without a terminator. Borrows: `text` must outlive the view.
[[nodiscard]] inline cbytes as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span(text));
}

/// The characters in `view`; the length counts, not a terminator. Borrows like `view` itself.
[[nodiscard]] inline std::string_view as_text(cbytes view) noexcept {
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

}  // namespace course
