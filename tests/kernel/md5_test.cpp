// SPDX-License-Identifier: GPL-2.0-only
//
// The test suite of RFC 1321, appendix A.5, and its longest string in pieces of every size.
#include "stack/kernel/md5.h"

#include <string>
#include <utility>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace skbwalk {
namespace {

std::string digest(std::string_view text, std::size_t piece)
{
	md5_state state;
	u8 out[MD5_DIGEST_SIZE];
	std::string hex;

	md5_init(state);
	for (std::size_t i = 0; i < text.size(); i += piece)
		md5_update(state, text.data() + i, std::min(piece, text.size() - i));
	md5_final(state, out);
	for (const u8 b : out)
		hex += fmt::format("{:02x}", b);
	return hex;
}

TEST(md5, the_vectors_of_rfc_1321)
{
	const std::pair<std::string, std::string> vectors[] = {
		{"", "d41d8cd98f00b204e9800998ecf8427e"},
		{"a", "0cc175b9c0f1b6a831c399e269772661"},
		{"abc", "900150983cd24fb0d6963f7d28e17f72"},
		{"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
		{"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	         "d174ab98d277d9f5a5611c2c9f419d9f"},
		{"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
	         "57edf4a22be3c955ac49da2e2107b67a"},
	};
	for (const auto &[text, expected] : vectors)
		for (const std::size_t piece : {1, 7, 63, 64, 65, 200})
			EXPECT_EQ(digest(text, piece), expected) << text << " by " << piece;
}

// Around the place where the length no longer fits into the last block.
TEST(md5, messages_about_a_block_long_get_their_length_padded)
{
	EXPECT_EQ(digest(std::string(55, 'a'), 64), "ef1772b6dff9a122358552954ad0df65");
	EXPECT_EQ(digest(std::string(56, 'a'), 64), "3b0c8ac703f828b04c6c197006d17218");
	EXPECT_EQ(digest(std::string(64, 'a'), 64), "014842d480b571495a4a0363793f7367");
}

} // namespace
} // namespace skbwalk
