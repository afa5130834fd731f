// SPDX-License-Identifier: GPL-2.0-only
//
// Hashes against their published vectors, and streams that do not disturb each other.
#include "stack/kernel/random.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "tests/kernel/bench_world.h"

using namespace skbwalk;

namespace {

// The paper's key 00 01 .. 0f and messages 00 01 02 ...
const siphash_key_t paper_key{{0x0706050403020100, 0x0f0e0d0c0b0a0908}};

std::array<u8, 64> paper_message()
{
	std::array<u8, 64> m;

	for (std::size_t i = 0; i < m.size(); ++i)
		m[i] = static_cast<u8>(i);
	return m;
}

TEST(siphash, gives_the_vectors_of_its_authors)
{
	const auto m = paper_message();

	EXPECT_EQ(siphash(m.data(), 0, paper_key), 0x726fdb47dd0e0e31U);
	EXPECT_EQ(siphash(m.data(), 1, paper_key), 0x74f839c593dc67fdU);
	EXPECT_EQ(siphash(m.data(), 7, paper_key), 0xab0200f58b01d137U);
	EXPECT_EQ(siphash(m.data(), 8, paper_key), 0x93f5f5799a932462U);
	EXPECT_EQ(siphash(m.data(), 15, paper_key), 0xa129ca6149be45e5U);
	EXPECT_EQ(siphash(m.data(), 63, paper_key), 0x958a324ceb064572U);
}

TEST(siphash, of_words_is_that_of_their_bytes)
{
	const auto m = paper_message();
	u32 w[4];
	u64 d[4];

	std::memcpy(w, m.data(), sizeof(w));
	std::memcpy(d, m.data(), sizeof(d));
	EXPECT_EQ(siphash_1u32(w[0], paper_key), siphash(m.data(), 4, paper_key));
	EXPECT_EQ(siphash_2u32(w[0], w[1], paper_key), siphash(m.data(), 8, paper_key));
	EXPECT_EQ(siphash_3u32(w[0], w[1], w[2], paper_key), siphash(m.data(), 12, paper_key));
	EXPECT_EQ(siphash_4u32(w[0], w[1], w[2], w[3], paper_key), siphash(m.data(), 16, paper_key));
	EXPECT_EQ(siphash_1u64(d[0], paper_key), siphash(m.data(), 8, paper_key));
	EXPECT_EQ(siphash_2u64(d[0], d[1], paper_key), siphash(m.data(), 16, paper_key));
	EXPECT_EQ(siphash_3u64(d[0], d[1], d[2], paper_key), siphash(m.data(), 24, paper_key));
	EXPECT_EQ(siphash_4u64(d[0], d[1], d[2], d[3], paper_key), siphash(m.data(), 32, paper_key));
}

TEST(jhash, of_words_agrees_with_that_of_bytes)
{
	const u32 k[] = {1, 0xdeadbeef, 77, 4, 5};

	for (u32 n = 0; n <= 5; ++n)
		EXPECT_EQ(jhash2(k, n, 9), jhash(k, n * 4, 9)) << n;
	EXPECT_EQ(jhash_1word(k[0], 9), jhash2(k, 1, 9));
	EXPECT_EQ(jhash_2words(k[0], k[1], 9), jhash2(k, 2, 9));
	EXPECT_EQ(jhash_3words(k[0], k[1], k[2], 9), jhash2(k, 3, 9));
	// Bob Jenkins' driver5 for lookup3.c: the empty string, and one of thirty characters.
	EXPECT_EQ(jhash("", 0, 0), 0xdeadbeefU);
	EXPECT_EQ(jhash("Four score and seven years ago", 30, 0), 0x17770551U);
	EXPECT_EQ(jhash("Four score and seven years ago", 30, 1), 0xcd628161U);
}

TEST(random_streams, repeat_by_seed_and_differ_by_purpose_and_host)
{
	random_stream a(1, "link"), b(1, "link"), c(1, "isn"), d(2, "link"), e(1, "link", 7);
	const u64 first = a.next();

	EXPECT_EQ(first, b.next());
	EXPECT_NE(first, c.next());
	EXPECT_NE(first, d.next());
	EXPECT_NE(first, e.next());
	for (int i = 0; i < 1000; ++i) {
		EXPECT_LT(a.below(7), 7U);
		EXPECT_LT(a.unit(), 1.0);
	}
}

TEST(random_streams, a_host_draws_the_same_numbers_in_every_world)
{
	u64 drawn[2];

	for (u64 &d : drawn) {
		test::bench_world w;
		const enter_cpu in(w.c0());

		d = get_random_u64() ^ get_random_u32() ^ __get_random_u32_below(1000);
	}
	EXPECT_EQ(drawn[0], drawn[1]);
}

} // namespace
