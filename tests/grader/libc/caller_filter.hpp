/// @file
/// Whose call is it? Only calls from the program under grading enter the simulation.
#pragma once

namespace grader {

/// True when `return_address` lies in the executable itself or in the C++ library, whose calls (a
/// std::chrono clock's, say) the program makes. Sanitizer runtimes, NSS modules and other shared
/// objects keep the real functions.
bool is_program_code(const void* return_address);

/// How deep this thread is inside the program under grading: above 0, its libc calls are simulated.
extern constinit thread_local int inside_program;

/// The name of this thread when it is another than the program's own; nullptr: it is not.
extern constinit thread_local const char* other_thread;

/// While it lives, this thread's libc calls are the grader's own and go to the kernel.
class Outside {
 public:
  Outside() { inside_program = 0; }
  ~Outside() { inside_program = saved_; }
  Outside(const Outside&) = delete;
  Outside& operator=(const Outside&) = delete;

 private:
  int saved_ = inside_program;
};

/// While it lives, this thread's libc calls are the program's and are simulated.
class Inside {
 public:
  Inside() { inside_program = 1; }
  ~Inside() { inside_program = saved_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  int saved_ = inside_program;
};

}  // namespace grader
