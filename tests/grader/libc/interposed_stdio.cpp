// Stdio over a descriptor that leads to a peer. The C library fills and empties a FILE's buffer by
// calls of its own, which never enter the simulation: with a peer at the other end they would wait
// for real. So reading, and fdopen, end the check, with the reason why it cannot work beside
// select(2) either. All else passes.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include <cstdarg>

#include "libc/handler_watch.hpp"
#include "libc/program_calls.hpp"

using grader::refuse_in_handler;
using grader::Unsafe;

namespace {

constexpr const char* reading_advice =
    "stdio reads ahead into a buffer of its own, where select no longer sees the bytes; "
    "read the descriptor itself";
constexpr const char* writing_advice =
    "stdio keeps what is written in a buffer of its own, of which select knows nothing; "
    "write to the descriptor itself";

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace

#define READS(result, name, shown, parameters, arguments, stream)           \
  EXPORT result name parameters {                                           \
    refuse_in_handler(shown, Unsafe::stdio, __builtin_return_address(0));   \
    if (auto calls = PROGRAM_CALLS(); calls.lead_to_a_peer(fileno(stream))) \
      calls.not_here(shown, reading_advice);                                \
    static auto* const really = next<result parameters>(#name);             \
    return really arguments;                                                \
  }
#define SCANS(name, v_name, stream, parameters)                                 \
  EXPORT int name parameters {                                                  \
    refuse_in_handler("scanf", Unsafe::stdio, __builtin_return_address(0));     \
    if (auto calls = PROGRAM_CALLS(); calls.lead_to_a_peer(fileno(stream)))     \
      calls.not_here("scanf", reading_advice);                                  \
    static auto* const really = next<int(FILE*, const char*, va_list)>(v_name); \
    va_list list;                                                               \
    va_start(list, format);                                                     \
    const int result = really(stream, format, list);                            \
    va_end(list);                                                               \
    return result;                                                              \
  }

// libstdc++ reads std::cin by getc, fread and getwc.
READS(int, getc, "getc (or std::cin)", (FILE * stream), (stream), stream)
READS(int, fgetc, "fgetc", (FILE * stream), (stream), stream)
READS(int, getchar, "getchar", (), (), stdin)
READS(int, __uflow, "getc_unlocked", (FILE * stream), (stream), stream)
READS(wint_t, getwc, "getwc (or std::wcin)", (FILE * stream), (stream), stream)
READS(wint_t, fgetwc, "fgetwc", (FILE * stream), (stream), stream)
READS(char*, fgets, "fgets", (char* line, int size, FILE* stream), (line, size, stream), stream)
READS(char*, fgets_unlocked, "fgets", (char* line, int size, FILE* stream), (line, size, stream),
      stream)
READS(char*, __fgets_chk, "fgets", (char* line, size_t room, int size, FILE* stream),
      (line, room, size, stream), stream)
READS(char*, __fgets_unlocked_chk, "fgets", (char* line, size_t room, int size, FILE* stream),
      (line, room, size, stream), stream)
READS(size_t, fread, "fread (or std::cin)", (void* data, size_t size, size_t count, FILE* stream),
      (data, size, count, stream), stream)
READS(size_t, fread_unlocked, "fread", (void* data, size_t size, size_t count, FILE* stream),
      (data, size, count, stream), stream)
READS(size_t, __fread_chk, "fread",
      (void* data, size_t room, size_t size, size_t count, FILE* stream),
      (data, room, size, count, stream), stream)
READS(ssize_t, getline, "getline", (char** line, size_t* size, FILE* stream), (line, size, stream),
      stream)
READS(ssize_t, getdelim, "getdelim", (char** line, size_t* size, int end, FILE* stream),
      (line, size, end, stream), stream)
READS(ssize_t, __getdelim, "getdelim", (char** line, size_t* size, int end, FILE* stream),
      (line, size, end, stream), stream)
SCANS(__isoc99_scanf, "__isoc99_vfscanf", stdin, (const char* format, ...))
SCANS(__isoc99_fscanf, "__isoc99_vfscanf", stream, (FILE * stream, const char* format, ...))
SCANS(__isoc23_scanf, "__isoc23_vfscanf", stdin, (const char* format, ...))
SCANS(__isoc23_fscanf, "__isoc23_vfscanf", stream, (FILE * stream, const char* format, ...))

EXPORT FILE* fdopen(int fd, const char* mode) noexcept {
  refuse_in_handler("fdopen", Unsafe::stdio, __builtin_return_address(0));
  if (auto calls = PROGRAM_CALLS(); calls.lead_to_a_peer(fd)) {
    const bool reads = mode == nullptr || *mode == 'r' || strchr(mode, '+') != nullptr;
    calls.not_here("fdopen", reads ? reading_advice : writing_advice);
  }
  static auto* const really = next<FILE*(int, const char*)>("fdopen");
  return really(fd, mode);
}
