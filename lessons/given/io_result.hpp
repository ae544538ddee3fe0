/// @file
/// What came of one attempt to move bytes.
#pragma once

#include <cstddef>
#include <system_error>

namespace course {

/// How an attempt to send or receive ended.
enum class IoStatus {
  ok,           ///< Everything that the function promises was moved.
  eof,          ///< The peer has finished sending (recv(2) returned 0).
  would_block,  ///< Nothing could be moved now (EAGAIN or EWOULDBLOCK).
  timed_out,    ///< The time allowed ran out first.
  error,        ///< The call failed; IoResult::error says how.
};

/// The outcome of an attempt to send or receive. A plain value; owns nothing.
struct IoResult {
  IoStatus status = IoStatus::ok;  ///< How it ended.
  std::size_t bytes = 0;           ///< Bytes moved before it ended, whatever the status.
  std::error_code error{};  ///< The errno, as system_category(); empty unless status is error.

  /// Equal in all three members.
  friend bool operator==(const IoResult&, const IoResult&) = default;
};

}  // namespace course
