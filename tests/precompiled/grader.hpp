// Precompiled for the grader: what most of its files include. Nothing may rely on it; CI builds
// without it once.
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>
