// SPDX-License-Identifier: GPL-2.0-only
//
// The filter of keys: who is in is never denied, who is not nearly always is.
#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "stack/core/key_filter.h"

namespace skbwalk::test {
namespace {

constexpr u64 hash_of_print(u64 print) { return print << 56; }

u64 hash_of(u64 nr) { return filter_hash(nr, nr * 3, 0x123456789abcdef); }

TEST(key_filter, empty_word_lacks_every_key)
{
	const filter_word word{0};
	for (u64 print = 0; print < 256; ++print)
		EXPECT_TRUE(filter_lacks(word, hash_of_print(print))) << print;
}

TEST(key_filter, word_tells_the_prints_that_are_in_it_and_no_others)
{
	for (u64 print = 0; print < 256; ++print) {
		filter_word word{0};
		filter_add(word, hash_of_print(print));
		for (u64 other = 0; other < 256; ++other) // 0 and 255 are one
			EXPECT_EQ(filter_lacks(word, hash_of_print(other)),
			          (other + 254) % 255 != (print + 254) % 255)
				<< print << ' ' << other;
		filter_remove(word, hash_of_print(print));
		EXPECT_EQ(word.load(), 0U);
	}
}

TEST(key_filter, print_in_any_of_the_seven_places_is_seen)
{
	for (u64 place = 0; place < prints_per_word; ++place) {
		const filter_word word{u64{0x5a} << 8 * place};
		EXPECT_FALSE(filter_lacks(word, hash_of_print(0x5a)));
		EXPECT_TRUE(filter_lacks(word, hash_of_print(0x5b)));
		EXPECT_TRUE(filter_lacks(word, hash_of_print(0xa5)));
	}
}

TEST(key_filter, who_finds_no_place_is_counted_and_the_word_tells_nothing_until_they_have_left)
{
	filter_word word{0};
	for (u64 print = 1; print <= prints_per_word + 2; ++print)
		filter_add(word, hash_of_print(print));
	EXPECT_FALSE(filter_lacks(word, hash_of_print(100)));
	filter_remove(word, hash_of_print(prints_per_word + 1));
	EXPECT_FALSE(filter_lacks(word, hash_of_print(100)));
	filter_remove(word, hash_of_print(prints_per_word + 2));
	EXPECT_TRUE(filter_lacks(word, hash_of_print(100)));
	for (u64 print = 1; print <= prints_per_word; ++print) {
		EXPECT_FALSE(filter_lacks(word, hash_of_print(print)));
		filter_remove(word, hash_of_print(print));
	}
	EXPECT_EQ(word.load(), 0U);
}

TEST(key_filter, more_than_a_byte_counts_are_never_forgotten)
{
	filter_word word{0};
	for (int i = 0; i < 300; ++i)
		filter_add(word, hash_of_print(9));
	for (int i = 0; i < 300; ++i)
		filter_remove(word, hash_of_print(9));
	EXPECT_FALSE(filter_lacks(word, hash_of_print(9)));
}

TEST(key_filter, no_member_is_denied_after_any_number_of_changes_and_few_others_are_not)
{
	constexpr u64 members = 4096, words = members / 2;
	std::vector<filter_word> filter(words);
	std::vector<bool> in(2 * members);
	std::minstd_rand random(5);
	const auto word_of = [&](u64 nr) -> filter_word & { return filter[hash_of(nr) % words]; };
	const auto change = [&](u64 nr) {
		(in[nr] ? filter_remove : filter_add)(word_of(nr), hash_of(nr));
		in[nr] = !in[nr];
	};

	for (int i = 0; i < 100'000; ++i)
		change(random() % in.size());
	u64 held = 0, denied = 0, others_held = 0;
	for (u64 nr = 0; nr < in.size(); ++nr) {
		held += in[nr];
		denied += in[nr] && filter_lacks(word_of(nr), hash_of(nr));
	}
	EXPECT_GT(held, members * 3 / 4);
	EXPECT_EQ(denied, 0U);
	for (u64 nr = in.size(); nr < in.size() + 100'000; ++nr)
		others_held += !filter_lacks(word_of(nr), hash_of(nr));
	EXPECT_LT(others_held, 1500U); // 2 of 255 by their prints, one in a thousand by full words
	EXPECT_GT(others_held, 0U);
	for (u64 nr = 0; nr < in.size(); ++nr)
		if (in[nr])
			change(nr);
	EXPECT_TRUE(
		std::all_of(filter.begin(), filter.end(), [](const filter_word &w) { return !w.load(); }));
}

} // namespace
} // namespace skbwalk::test
