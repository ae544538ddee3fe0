/// @file
/// Facts about waiting, written once and held twice: in the simulation, and (--real-time) against
/// the kernel at hand, with a real clock. The two must agree.
#pragma once

#include "scenario/check.hpp"
#include "simulation/calls.hpp"

namespace facts {

using namespace grader_test;  // NOLINT(google-build-using-namespace)

/// Names the fact; first statement of every test. A report begins with it.
inline void fact(const char* text) { grader::explain({.rule = text, .why = "", .read = ""}); }

}  // namespace facts
