/// @file
/// A grading program whose checks misbehave, each in one way and each followed by an ordinary
/// check.
#pragma once

#include <gtest/gtest.h>

#include "scenario/check.hpp"

namespace grader_test {

/// What a misbehaving program has to work with.
struct World {
  grader::Scenario& scenario;
  grader::Peer& alice;  ///< connected, and silent unless the program gives her a script
  int fd;               ///< the program's end of alice's connection, always 3; lent
};

/// Runs `program` in a world of its own.
void misbehave(void (*program)(const World&));

/// A small conversation that goes well. What came before it must not show.
void be_ordinary();

/// A system call by its own instruction, round the C library.
long raw_system_call(long number, long a = 0, long b = 0, long c = 0, long d = 0);

}  // namespace grader_test

/// A program that misbehaves. The comment above it, which judge.py reads, is what must be said of
/// it. `Sanitized:` holds instead for a build with a sanitizer, `Unoptimized:` for one without
/// optimization, which has no _FORTIFY_SOURCE either; "skipped": there nothing can be promised.
///
///     // Gives: stuck, blocked for ever
///     // Says: nothing is left that could end this call
///     // Sanitized: stuck, out of time
#define MISBEHAVIOUR(suite, name)                            \
  static void suite##name(const grader_test::World& world);  \
  TEST(suite, name) { grader_test::misbehave(suite##name); } \
  TEST(suite, After##name) { grader_test::be_ordinary(); }   \
  static void suite##name([[maybe_unused]] const grader_test::World& world)
