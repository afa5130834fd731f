// SPDX-License-Identifier: GPL-2.0-only
//
// Slab caches tell of everything that is made from one; packets that ended by mistake are counted in
// skbuff.cpp.
#include "stack/core/leaks.h"

#include "stack/kernel/leaks.h"

namespace skbwalk {

// not traced: for tests
std::vector<std::string> take_leaks()
{
	std::vector<std::string> leaks = take_noted_leaks();

	if (const int live = live_hosts())
		leaks.push_back("hosts: " + std::to_string(live) + " live");
	return leaks;
}

} // namespace skbwalk
