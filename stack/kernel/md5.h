// SPDX-License-Identifier: GPL-2.0-only
//
// MD5 (RFC 1321; crypto/md5.c), for the signatures of TCP segments. Nothing else should use it.
#pragma once

#include <array>
#include <cstddef>

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr std::size_t MD5_DIGEST_SIZE = 16, MD5_BLOCK_SIZE = 64;

struct md5_state {
	std::array<u32, 4> hash;
	std::array<u8, MD5_BLOCK_SIZE> block; // what does not fill a block yet
	u64 byte_count;
};

void md5_init(md5_state &mctx);
void md5_update(md5_state &mctx, const void *data, std::size_t len);
void md5_final(md5_state &mctx, u8 *out); // MD5_DIGEST_SIZE bytes

} // namespace skbwalk
