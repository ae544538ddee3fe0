#include "libc/caller_filter.hpp"

#include <link.h>

#include <cstdint>
#include <cstring>

namespace grader {

constinit thread_local int inside_program = 0;
constinit thread_local const char* other_thread = nullptr;

namespace {

struct Range {
  std::uintptr_t low, high;
};
constexpr int max_ranges = 8;
Range ranges[max_ranges];
int range_count = 0;

int collect(dl_phdr_info* object, size_t, void* first) {
  bool& is_executable = *static_cast<bool*>(first);
  const bool take = is_executable || std::strstr(object->dlpi_name, "libstdc++") != nullptr ||
                    std::strstr(object->dlpi_name, "libc++") != nullptr;
  is_executable = false;
  if (!take) return 0;
  for (int i = 0; i < object->dlpi_phnum && range_count < max_ranges; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) == 0) continue;
    const std::uintptr_t low = object->dlpi_addr + segment.p_vaddr;
    ranges[range_count++] = {low, low + segment.p_memsz};
  }
  return 0;
}

__attribute__((constructor)) void find_ranges() {
  bool first = true;
  dl_iterate_phdr(collect, &first);
}

}  // namespace

bool is_program_code(const void* return_address) {
  const auto address = reinterpret_cast<std::uintptr_t>(return_address);
  for (int i = 0; i < range_count; ++i)
    if (address >= ranges[i].low && address < ranges[i].high) return true;
  return false;
}

}  // namespace grader
