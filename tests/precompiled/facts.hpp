// Precompiled for the files of facts. Nothing may rely on it: -Db_pch=false builds without.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <vector>
