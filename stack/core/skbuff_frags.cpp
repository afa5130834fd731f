// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c, fourth part: frags on the move. skb_split cuts an skb in two, skb_shift moves frags from
// one to its neighbour in the retransmit queue, skb_try_coalesce puts a received segment's bytes or frags
// behind those before it.
#include <algorithm>

#include "stack/core/skbuff_private.h"
#include "stack/core/sock.h"

namespace skbwalk {

// A driver's: the reference to the page goes to the skb, which counts what the driver set aside for it.
void skb_add_rx_frag(sk_buff &skb, u32 i, page *pg, u32 off, u32 size, u32 truesize)
{
	TRACE(skb);
	skb_fill_page_desc(skb, i, pg, off, size);
	skb.len += size;
	skb.data_len += size;
	skb.truesize += truesize;
}

int skb_append_pagefrags(sk_buff &skb, page *pg, u32 offset, u32 size)
{
	TRACE(skb);
	const u32 i = skb_shinfo(skb).nr_frags;

	if (skb_can_coalesce(skb, i, pg, offset)) {
		skb_shinfo(skb).frags[i - 1].size += size;
	} else if (i < MAX_SKB_FRAGS) {
		get_page(*pg);
		skb_fill_page_desc(skb, i, pg, offset, size);
	} else {
		return -EMSGSIZE;
	}
	return 0;
}

static void skb_split_inside_header(sk_buff &skb, sk_buff &skb1, u32 len, u32 pos)
{
	TRACE(skb);
	skb_shared_info &from = skb_shinfo(skb);
	skb_shared_info &to = skb_shinfo(skb1);

	skb_copy_from_linear_data_offset(skb, static_cast<int>(len), skb_put(skb1, pos - len), pos - len);
	std::copy_n(from.frags, from.nr_frags, to.frags);
	to.nr_frags = from.nr_frags;
	from.nr_frags = 0;
	skb1.data_len = skb.data_len;
	skb1.len += skb1.data_len;
	skb.data_len = 0;
	skb.len = len;
	skb_set_tail_pointer(skb, len);
}

static void skb_split_no_header(sk_buff &skb, sk_buff &skb1, u32 len, u32 pos)
{
	TRACE(skb);
	skb_shared_info &from = skb_shinfo(skb);
	skb_shared_info &to = skb_shinfo(skb1);
	const u32 nfrags = from.nr_frags;
	u32 k = 0;

	from.nr_frags = 0;
	skb1.len = skb1.data_len = skb.len - len;
	skb.len = len;
	skb.data_len = len - pos;
	for (u32 i = 0; i < nfrags; ++i) {
		const u32 size = from.frags[i].size;

		if (pos + size <= len) {
			++from.nr_frags;
			pos += size;
			continue;
		}
		to.frags[k] = from.frags[i];
		if (pos < len) {
			// The cut is inside this frag, which both now have.
			skb_frag_ref(from.frags[i]);
			to.frags[0].offset += len - pos;
			to.frags[0].size -= len - pos;
			from.frags[i].size = len - pos;
			++from.nr_frags;
		}
		++k;
		pos += size;
	}
	to.nr_frags = static_cast<u8>(k);
}

// Frags that are a program's own memory have somebody to tell when the last user is done; the copy would
// share him. Nothing here makes such frags.
int skb_zerocopy_clone(sk_buff &nskb, const sk_buff &orig, gfp_t)
{
	TRACE(nskb, orig);
	assert(!(skb_shinfo(orig).flags & SKBFL_ZEROCOPY_ENABLE));
	return 0;
}

// What is beyond `len` goes to skb1, which has room for what of it is linear.
void skb_split(sk_buff &skb, sk_buff &skb1, u32 len)
{
	TRACE(skb, skb1);
	const u32 pos = skb_headlen(skb);

	[[maybe_unused]] const int err = skb_zerocopy_clone(skb1, skb, 0);
	assert(!err);
	if (len < pos)
		skb_split_inside_header(skb, skb1, len, pos);
	else
		skb_split_no_header(skb, skb1, len, pos);
}

static int skb_prepare_for_shift(sk_buff &skb)
{
	TRACE(skb);
	return skb_unclone_keeptruesize(skb, GFP_ATOMIC);
}

// Moves `shiftlen` bytes of frags from the front of `skb` to the end of `tgt`: all of them, or none (0).
int skb_shift(sk_buff &tgt, sk_buff &skb, int shiftlen)
{
	TRACE(tgt, skb);
	assert(shiftlen >= 0 && static_cast<u32>(shiftlen) <= skb.len);
	if (skb_headlen(skb))
		return 0;
	int todo = shiftlen;
	u32 from = 0;
	u32 to = skb_shinfo(tgt).nr_frags;
	int merge = -1;
	const skb_frag_t &first = skb_shinfo(skb).frags[0];
	bool moved = false;

	if (to && skb_can_coalesce(tgt, to, first.pg, first.offset)) {
		merge = static_cast<int>(to) - 1;
		todo -= static_cast<int>(first.size);
		if (todo < 0) {
			if (skb_prepare_for_shift(skb) || skb_prepare_for_shift(tgt))
				return 0;
			skb_frag_t &fragfrom = skb_shinfo(skb).frags[0];
			skb_shinfo(tgt).frags[merge].size += static_cast<u32>(shiftlen);
			fragfrom.size -= static_cast<u32>(shiftlen);
			fragfrom.offset += static_cast<u32>(shiftlen);
			moved = true;
		} else {
			++from;
		}
	}
	if (!moved) {
		if (static_cast<u32>(shiftlen) == skb.len &&
		    skb_shinfo(skb).nr_frags - from > MAX_SKB_FRAGS - to)
			return 0;
		if (skb_prepare_for_shift(skb) || skb_prepare_for_shift(tgt))
			return 0;
		skb_shared_info &sinfo = skb_shinfo(skb);
		skb_shared_info &tinfo = skb_shinfo(tgt);
		while (todo > 0 && from < sinfo.nr_frags) {
			if (to == MAX_SKB_FRAGS)
				return 0;
			skb_frag_t &fragfrom = sinfo.frags[from];

			tinfo.frags[to] = fragfrom;
			if (todo >= static_cast<int>(fragfrom.size)) {
				todo -= static_cast<int>(fragfrom.size);
				++from;
				++to;
				continue;
			}
			skb_frag_ref(fragfrom);
			tinfo.frags[to++].size = static_cast<u32>(todo);
			fragfrom.offset += static_cast<u32>(todo);
			fragfrom.size -= static_cast<u32>(todo);
			todo = 0;
		}
		tinfo.nr_frags = static_cast<u8>(to);
		if (merge >= 0) {
			tinfo.frags[merge].size += sinfo.frags[0].size;
			skb_frag_unref(sinfo.frags[0]);
		}
		to = 0;
		while (from < sinfo.nr_frags)
			sinfo.frags[to++] = sinfo.frags[from++];
		sinfo.nr_frags = static_cast<u8>(to);
		assert(todo <= 0 || sinfo.nr_frags);
	}
	tgt.ip_summed = CHECKSUM_PARTIAL;
	skb.ip_summed = CHECKSUM_PARTIAL;
	skb_len_add(skb, -shiftlen);
	skb_len_add(tgt, shiftlen);
	return shiftlen;
}

// True: all bytes of `from` are in `to` now and `from` is to be freed (kfree_skb_partial, since its head may
// be a frag).
bool skb_try_coalesce(sk_buff &to, sk_buff &from, bool &fragstolen, int &delta_truesize)
{
	TRACE(to, from);
	const u32 len = from.len;
	u32 delta;

	fragstolen = false;
	if (skb_cloned(to) || to.pp_recycle != from.pp_recycle || (from.pp_recycle && skb_cloned(from)))
		return false;
	if (len <= skb_tailroom(to)) {
		if (len) {
			[[maybe_unused]] const int err =
				skb_copy_bits(from, 0, skb_put(to, len), static_cast<int>(len));
			assert(!err);
		}
		delta_truesize = 0;
		return true;
	}
	skb_shared_info &to_shinfo = skb_shinfo(to);
	skb_shared_info &from_shinfo = skb_shinfo(from);
	if (to_shinfo.frag_list || from_shinfo.frag_list)
		return false;
	if (skb_headlen(from)) {
		if (to_shinfo.nr_frags + from_shinfo.nr_frags >= static_cast<int>(MAX_SKB_FRAGS) ||
		    skb_head_is_locked(from))
			return false;
		delta = from.truesize - SKB_HEAD_TRUESIZE;
		const auto offset =
			static_cast<u32>(from.data - reinterpret_cast<u8 *>(from.head_page->data));
		skb_fill_page_desc(to, to_shinfo.nr_frags, from.head_page, offset, skb_headlen(from));
		fragstolen = true;
	} else {
		if (to_shinfo.nr_frags + from_shinfo.nr_frags > static_cast<int>(MAX_SKB_FRAGS))
			return false;
		delta = from.truesize - SKB_TRUESIZE(skb_end_offset(from));
	}
	assert(delta >= len);
	std::copy_n(from_shinfo.frags, from_shinfo.nr_frags, to_shinfo.frags + to_shinfo.nr_frags);
	to_shinfo.nr_frags = static_cast<u8>(to_shinfo.nr_frags + from_shinfo.nr_frags);
	if (skb_cloned(from)) {
		for (u32 i = 0; i < from_shinfo.nr_frags; ++i)
			skb_frag_ref(from_shinfo.frags[i]);
	} else {
		from_shinfo.nr_frags = 0;
	}
	to.truesize += delta;
	to.len += len;
	to.data_len += len;
	delta_truesize = static_cast<int>(delta);
	return true;
}

} // namespace skbwalk
