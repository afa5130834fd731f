// SPDX-License-Identifier: GPL-2.0-only
//
// Byte order and sequence numbers.
#include "stack/kernel/types.h"

#include <gtest/gtest.h>

using namespace skbwalk;

namespace {

TEST(byte_order, of_the_wire_is_big_endian_and_comes_back)
{
	EXPECT_EQ(htons(0x1234).b[0], 0x12);
	EXPECT_EQ(htonl(0x01020304).b[3], 4);
	EXPECT_EQ(ntohs(htons(8080)), 8080);
	EXPECT_EQ(ntohl(htonl(0x0a000001)), 0x0a000001U);
	EXPECT_TRUE((htonl(0xff000000) & htonl(0x0a000001)) == htonl(0x0a000000));
}

TEST(seq32, compares_across_the_wrap)
{
	const seq32 last(0xfffffff0), first(0x10);

	EXPECT_TRUE(before(last, first));
	EXPECT_TRUE(after(first, last));
	EXPECT_FALSE(before(first, first));
	EXPECT_EQ(first - last, 0x20);
	EXPECT_EQ(last - first, -0x20);
	EXPECT_EQ(last + 0x20, first);
	EXPECT_TRUE(between(seq32(0), last, first));
	EXPECT_TRUE(between(last, last, first));
	EXPECT_FALSE(between(seq32(0x11), last, first));
}

} // namespace
