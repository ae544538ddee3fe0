/// @file
/// The table of docs/what-kills-servers.md, between two comments of the page.
#pragma once

#include <string>
#include <vector>

#include "jobs.hpp"

namespace survival {

/// Whether the table of `page` says how these jobs ended; tells what differs.
[[nodiscard]] bool has_table(const std::string& page, const std::vector<Job>& jobs);

/// Writes it there. False, with a message, when the page has no place for it.
[[nodiscard]] bool write_table(const std::string& page, const std::vector<Job>& jobs);

}  // namespace survival
