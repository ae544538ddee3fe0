// Precompiled for checks and scenarios. Nothing may rely on it: -Db_pch=false builds without.
#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "scenario/check.hpp"
#include "simulation/text.hpp"
