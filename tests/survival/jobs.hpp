/// @file
/// Runs attacks on servers, each in a process of its own.
#pragma once

#include <string>
#include <vector>

#include "attack.hpp"

namespace survival {

/// One attack on one server.
struct Job {
  const Attack* attack;  ///< null: an ordinary conversation
  const Weak* victim;    ///< null: a server of the course
  Kind kind;
  std::string program;  ///< its path

  bool has_failed = false;  ///< the attack could not be made
  std::string verdict{};    ///< "lives", or what became of it
  std::string detail{};     ///< what else it said; may be empty
  double seconds = 0;       ///< how long it took, by the clock on the wall

  [[nodiscard]] std::string what() const;
  [[nodiscard]] std::string name() const;

  /// Servers of the course have to live, and weak servers only when nobody attacks them.
  [[nodiscard]] bool is_as_it_must() const;
};

/// Runs all of them, several at a time, fills in how they ended, and prints a line for each. A job
/// that takes more than a minute is killed.
void run(std::vector<Job>& jobs);

}  // namespace survival
