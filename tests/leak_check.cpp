// SPDX-License-Identifier: GPL-2.0-only
//
// Asks the core room what was left; see leak_check.h.
#include "tests/leak_check.h"

#if __has_include("stack/core/leaks.h")
#include "stack/core/leaks.h"
#endif

namespace skbwalk::test {

std::vector<std::string> leaks_taken()
{
#if __has_include("stack/core/leaks.h")
	return take_leaks();
#else
	return {};
#endif
}

} // namespace skbwalk::test
