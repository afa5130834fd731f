// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c, sixth part: checksums over an skb wherever its bytes lie. skb_checksum sums,
// skb_copy_and_csum_bits copies and sums, __skb_checksum_complete verifies a whole packet against the pseudo
// header in skb->csum. The sum of frags and frag_list is put together with respect to odd offsets.
#include <algorithm>

#include "stack/core/skbuff.h"

namespace skbwalk {

__wsum __skb_checksum(const sk_buff &skb, int offset, int len, __wsum csum)
{
	TRACE(skb);
	int start = static_cast<int>(skb_headlen(skb));
	int copy = start - offset;
	u32 pos = 0;

	if (copy > 0) {
		copy = std::min(copy, len);
		csum = csum_partial(skb.data + offset, static_cast<u32>(copy), csum);
		if ((len -= copy) == 0)
			return csum;
		offset += copy;
		pos = static_cast<u32>(copy);
	}
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		const skb_frag_t &f = skb_shinfo(skb).frags[i];
		const int end = start + static_cast<int>(f.size);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			const __wsum csum2 = csum_partial(skb_frag_address(f) + (offset - start),
			                                  static_cast<u32>(copy), 0);
			csum = csum_block_add(csum, csum2, pos);
			if ((len -= copy) == 0)
				return csum;
			offset += copy;
			pos += static_cast<u32>(copy);
		}
		start = end;
	}
	for (const sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		const int end = start + static_cast<int>(frag->len);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			csum = csum_block_add(csum, __skb_checksum(*frag, offset - start, copy, 0), pos);
			if ((len -= copy) == 0)
				return csum;
			offset += copy;
			pos += static_cast<u32>(copy);
		}
		start = end;
	}
	assert(len == 0);
	return csum;
}

__wsum skb_checksum(const sk_buff &skb, int offset, int len, __wsum csum)
{
	TRACE(skb);
	return __skb_checksum(skb, offset, len, csum);
}

__wsum skb_copy_and_csum_bits(const sk_buff &skb, int offset, u8 *to, int len)
{
	TRACE(skb);
	int start = static_cast<int>(skb_headlen(skb));
	int copy = start - offset;
	u32 pos = 0;
	__wsum csum = 0;

	if (copy > 0) {
		copy = std::min(copy, len);
		csum = csum_partial_copy_nocheck(skb.data + offset, to, static_cast<u32>(copy));
		if ((len -= copy) == 0)
			return csum;
		offset += copy;
		to += copy;
		pos = static_cast<u32>(copy);
	}
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		const skb_frag_t &f = skb_shinfo(skb).frags[i];
		const int end = start + static_cast<int>(f.size);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			const __wsum csum2 = csum_partial_copy_nocheck(skb_frag_address(f) + (offset - start),
			                                               to, static_cast<u32>(copy));
			csum = csum_block_add(csum, csum2, pos);
			if ((len -= copy) == 0)
				return csum;
			offset += copy;
			to += copy;
			pos += static_cast<u32>(copy);
		}
		start = end;
	}
	for (const sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		const int end = start + static_cast<int>(frag->len);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			csum = csum_block_add(csum, skb_copy_and_csum_bits(*frag, offset - start, to, copy),
			                      pos);
			if ((len -= copy) == 0)
				return csum;
			offset += copy;
			to += copy;
			pos += static_cast<u32>(copy);
		}
		start = end;
	}
	assert(len == 0);
	return csum;
}

bool __skb_checksum_complete_head(sk_buff &skb, int len)
{
	TRACE(skb);
	const bool bad = static_cast<bool>(csum_fold(skb_checksum(skb, 0, len, skb.csum)));

	if (!skb_shared(skb))
		skb.csum_valid = !bad;
	return bad;
}

bool __skb_checksum_complete(sk_buff &skb)
{
	TRACE(skb);
	const __wsum csum = skb_checksum(skb, 0, static_cast<int>(skb.len), 0);
	const bool bad = static_cast<bool>(csum_fold(csum_add(skb.csum, csum)));

	if (!skb_shared(skb)) {
		skb.csum = csum;
		skb.ip_summed = CHECKSUM_COMPLETE;
		skb.csum_complete_sw = 1;
		skb.csum_valid = !bad;
	}
	return bad;
}

bool skb_partial_csum_set(sk_buff &skb, u16 start, u16 off)
{
	TRACE(skb);
	const u32 csum_end = u32{start} + off + 2;
	const u32 csum_start = skb_headroom(skb) + start;

	if (csum_start >= 0xffff || csum_end > skb_headlen(skb))
		return false;
	skb.ip_summed = CHECKSUM_PARTIAL;
	skb.csum_start = static_cast<u16>(csum_start);
	skb.csum_offset = off;
	skb.transport_header = static_cast<u16>(csum_start);
	return true;
}

} // namespace skbwalk
