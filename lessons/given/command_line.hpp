/// @file
/// The command line of the servers: options, and values with their units.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "given/deadline.hpp"

namespace course {

/// "7007": a port from 0 to 65535. Throws std::invalid_argument, as the other two do, with a
/// sentence for whoever has typed it.
[[nodiscard]] std::uint16_t parse_port(const std::string& text);

/// "1000", "64KiB", "16MiB": a number of bytes, or of anything that has no unit.
[[nodiscard]] std::size_t parse_size(const std::string& text);

/// "250ms", "30s", "10min", "2h": a length of time, zero or more.
[[nodiscard]] Duration parse_duration(const std::string& text);

/// One option: "--port PORT" and what it does.
struct Option {
  const char* name;      ///< without the dashes
  const char* argument;  ///< what is to follow, "PORT"; nullptr: nothing
  const char* help;      ///< a line, with the default
  std::function<void(const std::string& value)> take;  ///< may throw std::invalid_argument
};

/// A main(): reads the options, of which it adds --help, and calls `program`. `about` says what the
/// program does. Returns the exit status: 0, or 1 when `program` throws, or 2 for wrong usage, both
/// with a sentence on standard error.
[[nodiscard]] int run_program(int argc, char* argv[], const char* about,
                              const std::vector<Option>& options,
                              const std::function<void()>& program);

}  // namespace course
