#include "given/command_line.hpp"

#include <getopt.h>

#include <charconv>
#include <cstdio>
#include <exception>
#include <limits>
#include <stdexcept>
#include <string_view>

namespace course {
namespace {

/// What one of a unit is worth.
struct Unit {
  std::string_view name;
  std::uint64_t worth;
};

/// The number in front of one of `units`, in what the units are worth, `most` at the most.
template <std::size_t Count>
std::uint64_t parse(const std::string& text, const char* what, const Unit (&units)[Count],
                    std::uint64_t most) {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  const std::string_view unit(stop, static_cast<std::size_t>(end - stop));
  for (const auto& [name, worth] : units)
    if (error == std::errc() && unit == name && number <= most / worth) return number * worth;
  throw std::invalid_argument(std::string("not ") + what + ": " + text);
}

void print_help(const char* program, const char* about, const std::vector<Option>& options) {
  constexpr int column = 22;
  std::printf("usage: %s [options]\n%s\n\n", program, about);
  const auto print = [](const std::string& option, const char* help) {
    std::printf("  %-*s %s\n", column, option.c_str(), help);
  };
  for (const Option& option : options)
    print(std::string("--") + option.name + (option.argument ? " " : "") +
              (option.argument ? option.argument : ""),
          option.help);
  print("--help", "this text");
  std::printf("\nExit status: 0 when all went well, 1 when something failed, 2 for wrong usage.\n");
}

/// False: the program is not to be run, for help was asked for.
bool take_options(int argc, char* argv[], const char* about, const std::vector<Option>& options) {
  std::vector<option> names;
  names.reserve(options.size() + 2);
  for (const Option& each : options)
    names.push_back({each.name, each.argument ? required_argument : no_argument, nullptr, 0});
  names.push_back({"help", no_argument, nullptr, 0});
  names.push_back({});
  int index = 0;
  for (int found; (found = getopt_long(argc, argv, "", names.data(), &index)) != -1;) {
    if (found == '?') throw std::invalid_argument("try --help");
    if (static_cast<std::size_t>(index) == options.size())
      return print_help(argv[0], about, options), false;
    options[static_cast<std::size_t>(index)].take(optarg ? optarg : "");
  }
  if (optind < argc) throw std::invalid_argument(std::string("what is ") + argv[optind] + "?");
  return true;
}

}  // namespace

int run_program(int argc, char* argv[], const char* about, const std::vector<Option>& options,
                const std::function<void()>& program) {
  const auto fail = [&](int status, const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return status;
  };
  try {
    if (!take_options(argc, argv, about, options)) return 0;
  } catch (const std::invalid_argument& error) {
    return fail(2, error);
  }
  try {
    program();
    return 0;
  } catch (const std::exception& error) {
    return fail(1, error);
  }
}

std::uint16_t parse_port(const std::string& text) {
  return static_cast<std::uint16_t>(
      parse(text, "a port from 0 to 65535", {{"", 1}}, std::numeric_limits<std::uint16_t>::max()));
}

std::size_t parse_size(const std::string& text) {
  return parse(text, "a number, or bytes as in 64KiB or 16MiB",
               {{"", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}},
               std::numeric_limits<std::size_t>::max());
}

Duration parse_duration(const std::string& text) {
  constexpr std::uint64_t second = 1'000'000'000;
  const auto most = static_cast<std::uint64_t>(Duration::max().count());
  return Duration(static_cast<Duration::rep>(parse(
      text, "a time as in 250ms, 30s, 10min or 2h",
      {{"ms", second / 1000}, {"s", second}, {"min", 60 * second}, {"h", 3600 * second}}, most)));
}

}  // namespace course
