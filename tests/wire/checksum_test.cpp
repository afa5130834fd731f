// SPDX-License-Identifier: GPL-2.0-only
#include "stack/wire/checksum.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace skbwalk {
namespace {

// RFC 1071, section 4.1: one word after the other.
u16 by_the_book(const std::vector<u8> &bytes)
{
	u64 sum = 0;

	for (std::size_t i = 0; i < bytes.size(); i += 2)
		sum += static_cast<u64>(bytes[i]) << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return static_cast<u16>(~sum);
}

std::vector<u8> pattern(std::size_t n)
{
	std::vector<u8> bytes(n);

	for (std::size_t i = 0; i < n; ++i)
		bytes[i] = static_cast<u8>(i * 131 + 7);
	return bytes;
}

TEST(checksum, every_length_and_alignment_agrees_with_rfc1071)
{
	for (std::size_t n = 0; n < 70; ++n) {
		const std::vector<u8> bytes = pattern(n);

		for (std::size_t shift = 0; shift < 3; ++shift) {
			std::vector<u8> at(shift + n + 1);

			std::copy(bytes.begin(), bytes.end(), at.begin() + static_cast<long>(shift));
			EXPECT_EQ(ntohs(csum_fold(csum_partial(at.data() + shift, static_cast<u32>(n), 0))),
			          by_the_book(bytes));
		}
	}
}

TEST(checksum, block_at_odd_offset_adds_to_the_sum_of_the_whole)
{
	const std::vector<u8> bytes = pattern(101);
	const be16 whole = csum_fold(csum_partial(bytes.data(), 101, 0));

	for (u32 cut = 1; cut <= 101; ++cut) { // not 0: zero has two forms
		const __wsum head = csum_partial(bytes.data(), cut, 0);
		const __wsum rest = csum_partial(bytes.data() + cut, 101 - cut, 0);

		EXPECT_EQ(csum_fold(csum_block_add(head, rest, cut)), whole) << cut;
		EXPECT_EQ(csum_fold(csum_block_sub(csum_partial(bytes.data(), 101, 0), rest, cut)),
		          csum_fold(head))
			<< cut;
	}
}

TEST(checksum, header_of_rfc1071_style_example_verifies)
{
	u8 header[20] = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
	                 0x00, 0x00, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
	const be16 sum = ip_fast_csum(header, 5);

	EXPECT_EQ(ntohs(sum), 0xb861);
	std::memcpy(header + 10, &sum, 2);
	EXPECT_FALSE(ip_fast_csum(header, 5));
}

TEST(checksum, pseudo_header_sums_addresses_length_and_protocol)
{
	const be32 saddr = htonl(0x0a000001), daddr = htonl(0x0a0000fe);
	const std::vector<u8> as_bytes = {10, 0, 0, 1, 10, 0, 0, 254, 0, 6, 0x12, 0x34};

	EXPECT_EQ(ntohs(csum_tcpudp_magic(saddr, daddr, 0x1234, IPPROTO_TCP, 0)), by_the_book(as_bytes));
}

TEST(checksum, changed_field_is_mended_without_the_rest)
{
	std::vector<u8> bytes = pattern(40);
	be16 sum = csum_fold(csum_partial(bytes.data(), 40, 0));
	const be32 to = htonl(0xc0a80105);
	be32 from;

	std::memcpy(&from, bytes.data() + 12, 4);
	std::memcpy(bytes.data() + 12, &to, 4);
	csum_replace4(sum, from, to);
	EXPECT_EQ(sum, csum_fold(csum_partial(bytes.data(), 40, 0)));

	const be16 to16 = htons(0x4321);
	be16 from16;
	std::memcpy(&from16, bytes.data() + 20, 2);
	std::memcpy(bytes.data() + 20, &to16, 2);
	csum_replace2(sum, from16, to16);
	EXPECT_EQ(sum, csum_fold(csum_partial(bytes.data(), 40, 0)));
}

TEST(checksum, copy_copies_and_sums)
{
	const std::vector<u8> bytes = pattern(33);
	std::vector<u8> to(33);

	EXPECT_EQ(csum_partial_copy_nocheck(bytes.data(), to.data(), 33), csum_partial(bytes.data(), 33, 0));
	EXPECT_EQ(to, bytes);
}

} // namespace
} // namespace skbwalk
