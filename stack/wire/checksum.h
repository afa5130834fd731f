// SPDX-License-Identifier: GPL-2.0-only
//
// The internet checksum (RFC 1071; include/net/checksum.h, lib/checksum.c). A __wsum is a 32-bit
// ones'-complement sum of 16-bit words taken from memory as they lie (so it is independent of the host's byte
// order once folded and stored).
#pragma once

#include "stack/wire/headers.h"

namespace skbwalk {

using __sum16 = u16; // a folded, complemented checksum as it lies in memory

__wsum csum_partial(const void *data, u32 len, __wsum sum);
__wsum csum_partial_copy_nocheck(const void *src, void *dst, u32 len);
// From and to a caller's memory.
__wsum csum_and_copy_from_user(const void *src, void *dst, u32 len);
__wsum csum_and_copy_to_user(const void *src, void *dst, u32 len);
inline __wsum csum_add(__wsum a, __wsum b)
{
	const u32 r = a + b;
	return r + (r < b);
}
inline __wsum csum_sub(__wsum a, __wsum b) { return csum_add(a, ~b); }
// Adds `b`, computed over data that starts at an odd or even `offset` of the whole.
inline __wsum csum_block_add(__wsum a, __wsum b, u32 offset)
{
	return csum_add(a, offset & 1 ? (b << 8 | b >> 24) : b);
}
inline __wsum csum_block_sub(__wsum a, __wsum b, u32 offset) { return csum_block_add(a, ~b, offset); }
inline be16 csum_fold(__wsum sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return std::bit_cast<be16>(static_cast<u16>(~sum));
}
inline __wsum csum_unfold(be16 c) { return c.raw(); }
__wsum csum_tcpudp_nofold(be32 saddr, be32 daddr, u32 len, u8 proto, __wsum sum);
inline be16 csum_tcpudp_magic(be32 saddr, be32 daddr, u32 len, u8 proto, __wsum sum)
{
	return csum_fold(csum_tcpudp_nofold(saddr, daddr, len, proto, sum));
}
be16 ip_fast_csum(const void *iph, u32 ihl_words);
be16 ip_compute_csum(const void *data, u32 len);
inline be16 tcp_v4_check(u32 len, be32 saddr, be32 daddr, __wsum base)
{
	return csum_tcpudp_magic(saddr, daddr, len, IPPROTO_TCP, base);
}
// Mends a checksum for a field that changed from `from` to `to`.
void csum_replace4(be16 &sum, be32 from, be32 to);
void csum_replace2(be16 &sum, be16 from, be16 to);
constexpr be16 CSUM_MANGLED_0{{0xff, 0xff}};

} // namespace skbwalk
