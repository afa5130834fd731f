// SPDX-License-Identifier: GPL-2.0-only
//
// Asks the core room what was left; see leak_check.h.
#include "tests/leak_check.h"

#include "stack/core/leaks.h"

namespace skbwalk::test {

std::vector<std::string> leaks_taken() { return take_leaks(); }

} // namespace skbwalk::test
