// Precompiled for the weak servers.
#include "../survival/weak/right.hpp"
