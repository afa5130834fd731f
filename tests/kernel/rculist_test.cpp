// SPDX-License-Identifier: GPL-2.0-only
//
// A reader's walk along a chain that changes meanwhile.
#include "stack/kernel/rculist.h"

#include <gtest/gtest.h>

#include <array>

#include "stack/kernel/list.h"

using namespace skbwalk;

namespace {

struct entry {
	list_hook node;
	int number = 0;
};
using chain = list_of<entry, &entry::node>;

TEST(rculist_test, who_leaves_during_the_walk_is_still_seen_and_who_comes_is_not)
{
	for (const std::size_t n : {std::size_t{3}, std::size_t{8}, std::size_t{20}}) {
		std::array<entry, 20> entries;
		entry late;
		chain c;
		std::size_t seen = 0;

		for (std::size_t i = 0; i < n; ++i) {
			entries[i].number = static_cast<int>(i);
			c.push_back(entries[i]);
		}
		for (entry &e : rcu_view(c)) {
			EXPECT_EQ(e.number, static_cast<int>(seen++));
			if (e.number == 1) {
				c.clear();
				c.push_back(late);
			}
		}
		EXPECT_EQ(seen, n);
		c.clear();
	}
}

} // namespace
