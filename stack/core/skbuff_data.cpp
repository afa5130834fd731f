// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c, third part: where the data begins and ends. skb_put, skb_push, skb_pull and skb_trim
// move the pointers;
// ___pskb_trim and __pskb_pull_tail do it where data lies in frags or in the frag_list; skb_copy_bits and
// skb_store_bits move bytes wherever they lie.
#include <algorithm>

#include "stack/core/skbuff_private.h"
#include "stack/core/sock.h"

namespace skbwalk {

// A write through data that others share is a bug in any caller.
u8 *skb_put(sk_buff &skb, u32 len)
{
	TRACE(skb);
	u8 *tmp = skb_tail_pointer(skb);

	assert(!skb_is_nonlinear(skb) && !skb_cloned(skb));
	skb.tail += len;
	skb.len += len;
	assert(skb.tail <= skb.end);
	return tmp;
}

u8 *skb_push(sk_buff &skb, u32 len)
{
	TRACE(skb);
	skb.data -= len;
	skb.len += len;
	assert(skb.data >= skb.head);
	return skb.data;
}

u8 *skb_pull(sk_buff &skb, u32 len)
{
	TRACE(skb);
	return skb_pull_inline(skb, len);
}

u8 *skb_pull_rcsum(sk_buff &skb, u32 len)
{
	TRACE(skb);
	const u8 *data = skb.data;

	__skb_pull(skb, len);
	skb_postpull_rcsum(skb, data, len);
	return skb.data;
}

void skb_trim(sk_buff &skb, u32 len)
{
	TRACE(skb);
	if (skb.len > len)
		__skb_trim(skb, len);
}

static void skb_drop_list(sk_buff *&list)
{
	TRACE(list);
	kfree_skb_list(std::exchange(list, nullptr));
}

int ___pskb_trim(sk_buff &skb, u32 len)
{
	TRACE(skb);
	u32 offset = skb_headlen(skb);
	const u32 nfrags = skb_shinfo(skb).nr_frags;
	u32 i = 0;

	if (skb_cloned(skb)) {
		if (const int err = pskb_expand_head(skb, 0, 0, GFP_ATOMIC))
			return err;
	}
	skb_shared_info &shinfo = skb_shinfo(skb);
	bool ends_in_frags = offset >= len;
	for (; !ends_in_frags && i < nfrags; ++i) {
		const u32 end = offset + shinfo.frags[i].size;

		if (end < len) {
			offset = end;
			continue;
		}
		shinfo.frags[i].size = len - offset;
		ends_in_frags = true;
	}
	if (ends_in_frags) {
		shinfo.nr_frags = static_cast<u8>(i);
		for (; i < nfrags; ++i)
			skb_frag_unref(shinfo.frags[i]);
		if (shinfo.frag_list)
			skb_drop_list(shinfo.frag_list);
	} else {
		for (sk_buff **fragp = &shinfo.frag_list; *fragp; fragp = &(*fragp)->next) {
			sk_buff *frag = *fragp;
			const u32 end = offset + frag->len;

			if (skb_shared(*frag)) {
				sk_buff *nfrag = skb_clone(*frag, GFP_ATOMIC).release();

				if (!nfrag)
					return -ENOMEM;
				nfrag->next = frag->next;
				consume_skb(skb_ptr(frag));
				*fragp = frag = nfrag;
			}
			if (end < len) {
				offset = end;
				continue;
			}
			if (end > len) {
				if (const int err = pskb_trim(*frag, len - offset))
					return err;
			}
			if (frag->next)
				skb_drop_list(frag->next);
			break;
		}
	}
	if (len > skb_headlen(skb)) {
		skb.data_len -= skb.len - len;
		skb.len = len;
	} else {
		skb.len = len;
		skb.data_len = 0;
		skb_set_tail_pointer(skb, len);
	}
	if (!skb.sk || skb.destructor == sock_edemux)
		skb_condense(skb);
	return 0;
}

int pskb_trim_rcsum_slow(sk_buff &skb, u32 len)
{
	TRACE(skb);
	if (skb.ip_summed == CHECKSUM_COMPLETE) {
		const u32 delta = skb.len - len;

		skb.csum = csum_block_sub(
			skb.csum, skb_checksum(skb, static_cast<int>(len), static_cast<int>(delta), 0), len);
	} else if (skb.ip_summed == CHECKSUM_PARTIAL) {
		const int hdlen = static_cast<int>(std::min(len, skb_headlen(skb)));

		if (skb_checksum_start_offset(skb) + skb.csum_offset + 2 > hdlen)
			return -EINVAL;
	}
	return __pskb_trim(skb, len);
}

// Moves `delta` bytes from frags and frag_list to the end of the linear part. Null, and nothing changed,
// without memory.
u8 *__pskb_pull_tail(sk_buff &skb, int delta)
{
	TRACE(skb);
	int eat = static_cast<int>(skb.tail) + delta - static_cast<int>(skb.end);

	if (eat > 0 || skb_cloned(skb)) {
		if (pskb_expand_head(skb, 0, eat > 0 ? eat + 128 : 0, GFP_ATOMIC))
			return nullptr;
	}
	[[maybe_unused]] const int err =
		skb_copy_bits(skb, static_cast<int>(skb_headlen(skb)), skb_tail_pointer(skb), delta);
	assert(!err);
	skb_shared_info &shinfo = skb_shinfo(skb);

	eat = delta;
	for (u32 i = 0; eat > 0 && i < shinfo.nr_frags; ++i)
		eat -= static_cast<int>(shinfo.frags[i].size);
	if (shinfo.frag_list && eat > 0) {
		// Some of the list is eaten, its members as a whole or the first that stays from its
		// beginning.
		sk_buff *list = shinfo.frag_list;
		sk_buff *clone = nullptr;
		sk_buff *insp = nullptr;

		do {
			if (static_cast<int>(list->len) <= eat) {
				eat -= static_cast<int>(list->len);
				list = list->next;
				insp = list;
				continue;
			}
			if (skb_is_gso(skb) && !list->head_frag && skb_headlen(*list))
				shinfo.gso_type |= SKB_GSO_DODGY;
			if (skb_shared(*list)) {
				clone = skb_clone(*list, GFP_ATOMIC).release();
				if (!clone)
					return nullptr;
				insp = list->next;
				list = clone;
			} else {
				insp = list;
			}
			if (!pskb_pull(*list, static_cast<u32>(eat))) {
				kfree_skb(skb_ptr(clone));
				return nullptr;
			}
			break;
		} while (eat);
		while (shinfo.frag_list != insp) {
			list = shinfo.frag_list;
			shinfo.frag_list = list->next;
			consume_skb(skb_ptr(list));
		}
		if (clone) {
			clone->next = shinfo.frag_list;
			shinfo.frag_list = clone;
		}
	}
	eat = delta;
	u32 k = 0;
	for (u32 i = 0; i < shinfo.nr_frags; ++i) {
		const int size = static_cast<int>(shinfo.frags[i].size);

		if (size <= eat) {
			skb_frag_unref(shinfo.frags[i]);
			eat -= size;
			continue;
		}
		shinfo.frags[k] = shinfo.frags[i];
		shinfo.frags[k].offset += static_cast<u32>(eat);
		shinfo.frags[k].size -= static_cast<u32>(eat);
		eat = 0;
		++k;
	}
	shinfo.nr_frags = static_cast<u8>(k);
	skb.tail += static_cast<u32>(delta);
	skb.data_len -= static_cast<u32>(delta);
	return skb_tail_pointer(skb);
}

int __skb_pad(skb_ptr &skb, u32 pad, bool free_on_error)
{
	TRACE(skb);
	if (!skb_cloned(*skb) && skb_tailroom(*skb) >= pad) {
		std::memset(skb->data + skb->len, 0, pad);
		return 0;
	}
	const int ntail = static_cast<int>(skb->data_len + pad) - static_cast<int>(skb->end - skb->tail);
	int err = 0;
	if (skb_cloned(*skb) || ntail > 0)
		err = pskb_expand_head(*skb, 0, ntail, GFP_ATOMIC);
	if (!err)
		err = skb_linearize(*skb);
	if (err) {
		if (free_on_error)
			kfree_skb(std::move(skb));
		return err;
	}
	std::memset(skb->data + skb->len, 0, pad);
	return 0;
}

// Pulls small frags into the head, and counts only what the head holds.
void skb_condense(sk_buff &skb)
{
	TRACE(skb);
	if (skb.data_len) {
		if (skb.data_len > skb.end - skb.tail || skb_cloned(skb))
			return;
		__pskb_pull_tail(skb, static_cast<int>(skb.data_len));
	}
	skb.truesize = SKB_TRUESIZE(skb_end_offset(skb));
}

int skb_copy_bits(const sk_buff &skb, int offset, void *to, int len)
{
	TRACE(skb);
	int start = static_cast<int>(skb_headlen(skb));
	auto *at = static_cast<u8 *>(to);
	int copy = start - offset;

	if (offset > static_cast<int>(skb.len) - len)
		return -EFAULT;
	if (copy > 0) {
		copy = std::min(copy, len);
		skb_copy_from_linear_data_offset(skb, offset, at, static_cast<u32>(copy));
		if ((len -= copy) == 0)
			return 0;
		offset += copy;
		at += copy;
	}
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		const skb_frag_t &f = skb_shinfo(skb).frags[i];
		const int end = start + static_cast<int>(f.size);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			std::memcpy(at, skb_frag_address(f) + (offset - start),
			            static_cast<std::size_t>(copy));
			if ((len -= copy) == 0)
				return 0;
			offset += copy;
			at += copy;
		}
		start = end;
	}
	for (const sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		const int end = start + static_cast<int>(frag->len);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			if (skb_copy_bits(*frag, offset - start, at, copy))
				return -EFAULT;
			if ((len -= copy) == 0)
				return 0;
			offset += copy;
			at += copy;
		}
		start = end;
	}
	return len ? -EFAULT : 0;
}

int skb_store_bits(sk_buff &skb, int offset, const void *from, int len)
{
	TRACE(skb);
	int start = static_cast<int>(skb_headlen(skb));
	const auto *at = static_cast<const u8 *>(from);
	int copy = start - offset;

	if (offset > static_cast<int>(skb.len) - len)
		return -EFAULT;
	assert(!skb_cloned(skb));
	if (copy > 0) {
		copy = std::min(copy, len);
		std::memcpy(skb.data + offset, at, static_cast<std::size_t>(copy));
		if ((len -= copy) == 0)
			return 0;
		offset += copy;
		at += copy;
	}
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		const skb_frag_t &f = skb_shinfo(skb).frags[i];
		const int end = start + static_cast<int>(f.size);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			std::memcpy(skb_frag_address(f) + (offset - start), at,
			            static_cast<std::size_t>(copy));
			if ((len -= copy) == 0)
				return 0;
			offset += copy;
			at += copy;
		}
		start = end;
	}
	for (sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		const int end = start + static_cast<int>(frag->len);

		if ((copy = end - offset) > 0) {
			copy = std::min(copy, len);
			if (skb_store_bits(*frag, offset - start, at, copy))
				return -EFAULT;
			if ((len -= copy) == 0)
				return 0;
			offset += copy;
			at += copy;
		}
		start = end;
	}
	return len ? -EFAULT : 0;
}

} // namespace skbwalk
