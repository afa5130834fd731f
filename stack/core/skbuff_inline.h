// SPDX-License-Identifier: GPL-2.0-only
//
// The functions that the kernel has inline in include/linux/skbuff.h: what skbuff.h declares and every room
// calls on its way. Those that only read a field or two are in skbuff.h itself.
#pragma once

#include <cstring>

#include "stack/core/skbuff.h"

namespace skbwalk {

// --- making and ending ---
inline skb_ptr alloc_skb(u32 size, gfp_t flags)
{
	TRACE_INLINE();
	return __alloc_skb(size, flags, 0, -1);
}
inline skb_ptr alloc_skb_fclone(u32 size, gfp_t flags)
{
	TRACE_INLINE();
	return __alloc_skb(size, flags, SKB_ALLOC_FCLONE, -1);
}
inline skb_ptr pskb_copy(sk_buff &skb, gfp_t flags)
{
	return __pskb_copy_fclone(skb, static_cast<int>(skb_headroom(skb)), flags, false);
}
inline void kfree_skb(skb_ptr skb) { kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED); }
inline void kfree_skb_list(sk_buff *segs) { kfree_skb_list_reason(segs, SKB_DROP_REASON_NOT_SPECIFIED); }
inline bool skb_unref(sk_buff &skb) { return refcount_dec_and_test(skb.users); }
inline void skb_orphan(sk_buff &skb)
{
	TRACE_INLINE(skb);
	if (skb.destructor) {
		skb.destructor(skb);
		skb.destructor = nullptr;
		skb.sk = nullptr;
	} else {
		assert(!skb.sk);
	}
}
inline skb_ptr skb_share_check(skb_ptr skb, gfp_t flags)
{
	TRACE_INLINE(skb);
	if (skb_shared(*skb)) {
		skb_ptr nskb = skb_clone(*skb, flags);

		if (nskb)
			consume_skb(std::move(skb));
		else
			kfree_skb(std::move(skb));
		return nskb;
	}
	return skb;
}
inline skb_ptr skb_unshare(skb_ptr skb, gfp_t flags)
{
	TRACE_INLINE(skb);
	if (skb_cloned(*skb)) {
		skb_ptr nskb = skb_copy(*skb, flags);

		if (nskb)
			consume_skb(std::move(skb));
		else
			kfree_skb(std::move(skb));
		return nskb;
	}
	return skb;
}

// --- who else has the data ---
inline bool skb_header_cloned(const sk_buff &skb)
{
	if (!skb.cloned)
		return false;
	const int dataref = atomic_read(skb_shinfo(skb).dataref);

	return (dataref & SKB_DATAREF_MASK) - (dataref >> SKB_DATAREF_SHIFT) != 1;
}
// The caller gives up its claim to the headers: clones may write theirs in the shared headroom.
inline void __skb_header_release(sk_buff &skb)
{
	skb.nohdr = 1;
	atomic_set(skb_shinfo(skb).dataref, 1 + (1 << SKB_DATAREF_SHIFT));
}
inline bool skb_clone_writable(const sk_buff &skb, u32 len)
{
	return !skb_header_cloned(skb) && skb_headroom(skb) + len <= skb.hdr_len;
}
inline int __skb_cow(sk_buff &skb, u32 headroom, bool cloned)
{
	TRACE_INLINE(skb);
	u32 delta = 0;

	if (headroom > skb_headroom(skb))
		delta = headroom - skb_headroom(skb);
	if (delta || cloned)
		return pskb_expand_head(skb, static_cast<int>((delta + NET_SKB_PAD - 1) & ~(NET_SKB_PAD - 1)),
		                        0, GFP_ATOMIC);
	return 0;
}
inline int skb_cow(sk_buff &skb, u32 headroom) { return __skb_cow(skb, headroom, skb_cloned(skb)); }
inline int skb_cow_head(sk_buff &skb, u32 headroom)
{
	return __skb_cow(skb, headroom, skb_header_cloned(skb));
}
inline int skb_unclone(sk_buff &skb, gfp_t flags)
{
	return skb_cloned(skb) ? pskb_expand_head(skb, 0, 0, flags) : 0;
}
inline int skb_unclone_keeptruesize(sk_buff &skb, gfp_t flags)
{
	return skb_cloned(skb) ? __skb_unclone_keeptruesize(skb, flags) : 0;
}
inline bool skb_head_is_locked(const sk_buff &skb) { return !skb.head_frag || skb_cloned(skb); }
// A clone of the pair that still belongs to `sk`: the original was sent and stands in a queue below.
inline bool skb_fclone_busy(const sock &sk, const sk_buff &skb)
{
	TRACE_INLINE(sk, skb);
	const auto &fclones = reinterpret_cast<const sk_buff_fclones &>(skb);

	return skb.fclone == SKB_FCLONE_ORIG && refcount_read(fclones.fclone_ref) > 1 &&
	       fclones.skb2.sk == &sk;
}

// --- data ---
inline void skb_set_tail_pointer(sk_buff &skb, u32 offset)
{
	skb.tail = static_cast<u32>(skb.data - skb.head) + offset;
}
inline void skb_reset_tail_pointer(sk_buff &skb) { skb_set_tail_pointer(skb, 0); }
inline void skb_reserve(sk_buff &skb, u32 len)
{
	skb.data += len;
	skb.tail += len;
}
inline u8 *__skb_put(sk_buff &skb, u32 len)
{
	u8 *tmp = skb_tail_pointer(skb);

	assert(!skb_is_nonlinear(skb) && !skb_cloned(skb));
	skb.tail += len;
	skb.len += len;
	assert(skb.tail <= skb.end);
	return tmp;
}
inline u8 *skb_put_data(sk_buff &skb, const void *data, u32 len)
{
	u8 *tmp = skb_put(skb, len);

	if (len)
		std::memcpy(tmp, data, len);
	return tmp;
}
inline u8 *__skb_push(sk_buff &skb, u32 len)
{
	skb.data -= len;
	skb.len += len;
	assert(skb.data >= skb.head);
	return skb.data;
}
inline u8 *__skb_pull(sk_buff &skb, u32 len)
{
	skb.len -= len;
	assert(skb.len >= skb.data_len);
	return skb.data += len;
}
inline u8 *skb_pull_inline(sk_buff &skb, u32 len) { return len > skb.len ? nullptr : __skb_pull(skb, len); }
inline void skb_postpull_rcsum(sk_buff &skb, const void *start, u32 len)
{
	if (skb.ip_summed == CHECKSUM_COMPLETE)
		skb.csum = ~csum_partial(start, len, ~skb.csum);
	else if (skb.ip_summed == CHECKSUM_PARTIAL && skb_checksum_start_offset(skb) < 0)
		skb.ip_summed = CHECKSUM_NONE;
}
inline void skb_postpush_rcsum(sk_buff &skb, const void *start, u32 len)
{
	if (skb.ip_summed == CHECKSUM_COMPLETE)
		skb.csum = csum_block_add(skb.csum, csum_partial(start, len, 0), 0);
}
inline u8 *skb_push_rcsum(sk_buff &skb, u32 len)
{
	skb_push(skb, len);
	skb_postpush_rcsum(skb, skb.data, len);
	return skb.data;
}
inline void __skb_set_length(sk_buff &skb, u32 len)
{
	assert(!skb_is_nonlinear(skb));
	skb.len = len;
	skb_set_tail_pointer(skb, len);
}
inline void __skb_trim(sk_buff &skb, u32 len) { __skb_set_length(skb, len); }
inline int __pskb_trim(sk_buff &skb, u32 len)
{
	if (skb.data_len)
		return ___pskb_trim(skb, len);
	__skb_trim(skb, len);
	return 0;
}
inline int pskb_trim(sk_buff &skb, u32 len) { return len < skb.len ? __pskb_trim(skb, len) : 0; }
inline int pskb_trim_rcsum(sk_buff &skb, u32 len)
{
	TRACE_INLINE(skb);
	return len >= skb.len ? 0 : pskb_trim_rcsum_slow(skb, len);
}
inline skb_drop_reason pskb_may_pull_reason(sk_buff &skb, u32 len)
{
	TRACE_INLINE(skb);
	if (len <= skb_headlen(skb))
		return SKB_NOT_DROPPED_YET;
	if (len > skb.len)
		return SKB_DROP_REASON_PKT_TOO_SMALL;
	return __pskb_pull_tail(skb, static_cast<int>(len - skb_headlen(skb))) ? SKB_NOT_DROPPED_YET
	                                                                       : SKB_DROP_REASON_NOMEM;
}
inline bool pskb_may_pull(sk_buff &skb, u32 len)
{
	return pskb_may_pull_reason(skb, len) == SKB_NOT_DROPPED_YET;
}
inline u8 *pskb_pull(sk_buff &skb, u32 len)
{
	if (!pskb_may_pull(skb, len))
		return nullptr;
	skb.len -= len;
	return skb.data += len;
}
inline int __skb_linearize(sk_buff &skb)
{
	TRACE_INLINE(skb);
	return __pskb_pull_tail(skb, static_cast<int>(skb.data_len)) ? 0 : -ENOMEM;
}
inline int skb_linearize(sk_buff &skb) { return skb_is_nonlinear(skb) ? __skb_linearize(skb) : 0; }
inline int skb_linearize_cow(sk_buff &skb)
{
	return skb_is_nonlinear(skb) || skb_cloned(skb) ? __skb_linearize(skb) : 0;
}
// Of an skb that nobody shares; no byte is copied, so it cannot fail.
inline void pskb_trim_unique(sk_buff &skb, u32 len)
{
	[[maybe_unused]] const int err = pskb_trim(skb, len);

	assert(!err);
}
// Zeroes beyond the end, without counting them in. A failure frees the skb.
inline int skb_pad(skb_ptr &skb, u32 pad) { return __skb_pad(skb, pad, true); }
inline int skb_put_padto(skb_ptr &skb, u32 len)
{
	const u32 size = skb->len;

	if (size < len) {
		if (const int err = __skb_pad(skb, len - size, true))
			return err;
		__skb_put(*skb, len - size);
	}
	return 0;
}
inline const void *skb_header_pointer(const sk_buff &skb, int offset, int len, void *buffer)
{
	if (static_cast<int>(skb_headlen(skb)) - offset >= len)
		return skb.data + offset;
	return skb_copy_bits(skb, offset, buffer, len) < 0 ? nullptr : buffer;
}
inline void skb_copy_from_linear_data_offset(const sk_buff &skb, int offset, void *to, u32 len)
{
	std::memcpy(to, skb.data + offset, len);
}

// --- frags ---
inline void __skb_fill_page_desc(sk_buff &skb, u32 i, page *pg, u32 off, u32 size)
{
	skb_shinfo(skb).frags[i] = {pg, size, off};
}
inline void skb_fill_page_desc(sk_buff &skb, u32 i, page *pg, u32 off, u32 size)
{
	__skb_fill_page_desc(skb, i, pg, off, size);
	skb_shinfo(skb).nr_frags = static_cast<u8>(i + 1);
}
inline bool skb_can_coalesce(const sk_buff &skb, u32 i, const page *pg, u32 off)
{
	if (!i)
		return false;
	const skb_frag_t &frag = skb_shinfo(skb).frags[i - 1];

	return pg == frag.pg && off == frag.offset + frag.size;
}
inline void skb_frag_ref(const skb_frag_t &f) { get_page(*f.pg); }
inline void skb_frag_unref(const skb_frag_t &f) { put_page(*f.pg); }
inline void skb_len_add(sk_buff &skb, int delta)
{
	skb.len += static_cast<u32>(delta);
	skb.data_len += static_cast<u32>(delta);
	skb.truesize += static_cast<u32>(delta);
}

// --- checksums ---
constexpr u32 CHECKSUM_BREAK =
	76; // up to this length a checksum is verified at once, without waiting for the copy
inline bool skb_csum_unnecessary(const sk_buff &skb)
{
	return skb.ip_summed == CHECKSUM_UNNECESSARY || skb.csum_valid ||
	       (skb.ip_summed == CHECKSUM_PARTIAL && skb_checksum_start_offset(skb) >= 0);
}
inline bool skb_checksum_complete(sk_buff &skb)
{
	TRACE_INLINE(skb);
	return skb_csum_unnecessary(skb) ? false : __skb_checksum_complete(skb);
}
inline void __skb_decr_checksum_unnecessary(sk_buff &skb)
{
	if (skb.ip_summed != CHECKSUM_UNNECESSARY)
		return;
	if (skb.csum_level == 0)
		skb.ip_summed = CHECKSUM_NONE;
	else
		skb.csum_level = (skb.csum_level - 1) & 3;
}
inline void __skb_incr_checksum_unnecessary(sk_buff &skb)
{
	if (skb.ip_summed == CHECKSUM_UNNECESSARY) {
		if (skb.csum_level < 3)
			skb.csum_level = (skb.csum_level + 1) & 3;
	} else if (skb.ip_summed == CHECKSUM_NONE) {
		skb.ip_summed = CHECKSUM_UNNECESSARY;
		skb.csum_level = 0;
	}
}
inline bool __skb_checksum_validate_needed(sk_buff &skb, bool zero_okay, be16 check)
{
	if (skb_csum_unnecessary(skb) || (zero_okay && !check)) {
		skb.csum_valid = 1;
		__skb_decr_checksum_unnecessary(skb);
		return false;
	}
	return true;
}
inline bool __skb_checksum_validate_complete(sk_buff &skb, bool complete, __wsum psum)
{
	TRACE_INLINE(skb);
	if (skb.ip_summed == CHECKSUM_COMPLETE && !csum_fold(csum_add(psum, skb.csum))) {
		skb.csum_valid = 1;
		return false;
	}
	skb.csum = psum;
	if (complete || skb.len <= CHECKSUM_BREAK) {
		const bool bad = __skb_checksum_complete(skb);

		skb.csum_valid = !bad;
		return bad;
	}
	return false;
}
inline bool skb_checksum_validate_complete(sk_buff &skb, bool complete, __wsum psum)
{
	return __skb_checksum_validate_complete(skb, complete, psum);
}
inline __wsum inet_compute_pseudo(const sk_buff &skb, u8 proto)
{
	return csum_tcpudp_nofold(ip_hdr(skb).saddr, ip_hdr(skb).daddr, skb.len, proto, 0);
}
inline bool skb_checksum_init(sk_buff &skb, u8 proto)
{
	skb.csum_valid = 0;
	if (__skb_checksum_validate_needed(skb, false, {}))
		return __skb_checksum_validate_complete(skb, false, inet_compute_pseudo(skb, proto));
	return false;
}
// A zero `check` is no checksum: UDP over IPv4.
inline bool skb_checksum_init_zero_check(sk_buff &skb, u8 proto, be16 check)
{
	skb.csum_valid = 0;
	if (__skb_checksum_validate_needed(skb, true, check))
		return __skb_checksum_validate_complete(skb, false, inet_compute_pseudo(skb, proto));
	return false;
}
inline bool skb_checksum_simple_validate(sk_buff &skb)
{
	skb.csum_valid = 0;
	if (__skb_checksum_validate_needed(skb, false, {}))
		return __skb_checksum_validate_complete(skb, true, 0);
	return false;
}
// A verified checksum without a level becomes CHECKSUM_COMPLETE, for a protocol inside.
inline void skb_checksum_try_convert(sk_buff &skb, u8 proto)
{
	if (skb.ip_summed == CHECKSUM_NONE && skb.csum_valid) {
		skb.csum = ~inet_compute_pseudo(skb, proto);
		skb.ip_summed = CHECKSUM_COMPLETE;
	}
}
inline void skb_forward_csum(sk_buff &skb)
{
	if (skb.ip_summed == CHECKSUM_COMPLETE)
		skb.ip_summed = CHECKSUM_NONE;
}

// --- destination ---
inline void skb_dst_drop(sk_buff &skb)
{
	if (!skb._skb_refdst)
		return;
	if (!(skb._skb_refdst & SKB_DST_NOREF))
		dst_release(skb_dst(skb));
	skb._skb_refdst = 0;
}

// --- conntrack and extensions ---
inline nf_conntrack *skb_nfct(const sk_buff &skb)
{
	return reinterpret_cast<nf_conntrack *>(reinterpret_cast<std::uintptr_t>(skb._nfct) &
	                                        ~std::uintptr_t{7});
}
inline void nf_conntrack_get(nf_conntrack *nfct)
{
	if (nfct)
		refcount_inc(nfct->use);
}
inline void nf_conntrack_put(nf_conntrack *nfct)
{
	if (nfct && refcount_dec_and_test(nfct->use))
		nf_conntrack_destroy(*nfct);
}
inline void nf_copy(sk_buff &dst, const sk_buff &src)
{
	nf_conntrack_put(skb_nfct(dst));
	dst._nfct = src._nfct;
	nf_conntrack_get(skb_nfct(src));
	dst.nf_trace = src.nf_trace;
}
inline void nf_reset_ct(sk_buff &skb)
{
	nf_conntrack_put(skb_nfct(skb));
	skb._nfct = nullptr;
}
inline void skb_ext_put(sk_buff &skb)
{
	if (skb.active_extensions)
		__skb_ext_put(*skb.extensions);
}
inline void __skb_ext_copy(sk_buff &to, const sk_buff &from)
{
	to.active_extensions = from.active_extensions;
	if (from.active_extensions) {
		refcount_inc(from.extensions->refcnt);
		to.extensions = from.extensions;
	}
}
inline void skb_ext_copy(sk_buff &to, const sk_buff &from)
{
	skb_ext_put(to);
	__skb_ext_copy(to, from);
}
inline void skb_ext_reset(sk_buff &skb)
{
	if (skb.active_extensions) {
		__skb_ext_put(*skb.extensions);
		skb.active_extensions = 0;
	}
}
inline bool skb_ext_exist(const sk_buff &skb, skb_ext_id id) { return skb.active_extensions & (1u << id); }
inline void *skb_ext_find(const sk_buff &skb, skb_ext_id id)
{
	return skb_ext_exist(skb, id) ? skb.extensions->data + skb.extensions->offset[id] * 8u : nullptr;
}
inline void skb_ext_del(sk_buff &skb, skb_ext_id id)
{
	if (skb_ext_exist(skb, id))
		__skb_ext_del(skb, id);
}

// --- lists ---
inline void __skb_queue_head(sk_buff_head &l, skb_ptr skb)
{
	TRACE_INLINE(skb);
	sk_buff *n = skb.release();

	assert(!n->next && !n->prev);
	n->next = l.next;
	(l.next ? l.next->prev : l.prev) = n;
	l.next = n;
	++l.qlen;
}
inline void __skb_queue_tail(sk_buff_head &l, skb_ptr skb)
{
	TRACE_INLINE(skb);
	sk_buff *n = skb.release();

	assert(!n->next && !n->prev);
	n->prev = l.prev;
	(l.prev ? l.prev->next : l.next) = n;
	l.prev = n;
	++l.qlen;
}
inline void __skb_queue_after(sk_buff_head &l, sk_buff &prev, skb_ptr skb)
{
	sk_buff *n = skb.release();

	assert(!n->next && !n->prev);
	n->prev = &prev;
	n->next = prev.next;
	(prev.next ? prev.next->prev : l.prev) = n;
	prev.next = n;
	++l.qlen;
}
inline void __skb_queue_before(sk_buff_head &l, sk_buff &next, skb_ptr skb)
{
	if (next.prev)
		__skb_queue_after(l, *next.prev, std::move(skb));
	else
		__skb_queue_head(l, std::move(skb));
}
inline skb_ptr __skb_unlink(sk_buff &skb, sk_buff_head &l)
{
	assert(l.qlen && (skb.prev || l.next == &skb));
	--l.qlen;
	(skb.prev ? skb.prev->next : l.next) = skb.next;
	(skb.next ? skb.next->prev : l.prev) = skb.prev;
	skb.next = skb.prev = nullptr;
	return skb_ptr(&skb);
}
inline skb_ptr __skb_dequeue(sk_buff_head &l)
{
	TRACE_INLINE(l.next);
	return l.next ? __skb_unlink(*l.next, l) : nullptr;
}
inline skb_ptr __skb_dequeue_tail(sk_buff_head &l) { return l.prev ? __skb_unlink(*l.prev, l) : nullptr; }
inline void __skb_queue_purge(sk_buff_head &l)
{
	TRACE_INLINE();
	while (skb_ptr skb = __skb_dequeue(l))
		kfree_skb(std::move(skb));
}
// Puts all of `from` before what is in `to`.
inline void skb_queue_splice_init(sk_buff_head &from, sk_buff_head &to)
{
	if (!from.qlen)
		return;
	from.prev->next = to.next;
	(to.next ? to.next->prev : to.prev) = from.prev;
	to.next = from.next;
	to.qlen += from.qlen;
	from.next = from.prev = nullptr;
	from.qlen = 0;
}
inline void skb_queue_splice_tail_init(sk_buff_head &from, sk_buff_head &to)
{
	if (!from.qlen)
		return;
	from.next->prev = to.prev;
	(to.prev ? to.prev->next : to.next) = from.next;
	to.prev = from.prev;
	to.qlen += from.qlen;
	from.next = from.prev = nullptr;
	from.qlen = 0;
}
inline sk_buff *skb_rb_next(skb_rb_root &r, sk_buff &skb)
{
	const auto it = ++r.iterator_to(skb);

	return it == r.end() ? nullptr : &*it;
}
inline sk_buff *skb_rb_prev(skb_rb_root &r, sk_buff &skb)
{
	auto it = r.iterator_to(skb);

	return it == r.begin() ? nullptr : &*--it;
}

// --- receive side helpers ---
inline void skb_clear_tstamp(sk_buff &skb)
{
	if (!skb.mono_delivery_time)
		skb.tstamp = 0;
}
inline void skb_set_delivery_time(sk_buff &skb, u64 kt, bool mono)
{
	skb.tstamp = kt;
	skb.mono_delivery_time = kt && mono;
}
// When a sender's time to leave becomes a receiver's time of arrival; nobody asks for those
// (netstamp_needed_key is off).
inline void skb_clear_delivery_time(sk_buff &skb)
{
	if (skb.mono_delivery_time) {
		skb.mono_delivery_time = 0;
		skb.tstamp = 0;
	}
}
inline void skb_copy_hash(sk_buff &to, const sk_buff &from)
{
	to.hash = from.hash;
	to.sw_hash = from.sw_hash;
	to.l4_hash = from.l4_hash;
}
inline void skb_clear_hash(sk_buff &skb)
{
	skb.hash = 0;
	skb.sw_hash = 0;
	skb.l4_hash = 0;
}
inline void skb_clear_hash_if_not_l4(sk_buff &skb)
{
	if (!skb.l4_hash)
		skb_clear_hash(skb);
}
inline void __skb_set_sw_hash(sk_buff &skb, u32 hash, bool is_l4)
{
	skb.l4_hash = is_l4;
	skb.sw_hash = 1;
	skb.hash = hash;
}
inline u32 skb_get_hash(sk_buff &skb)
{
	if (!skb.l4_hash && !skb.sw_hash)
		__skb_get_hash_net(skb);
	return skb.hash;
}
inline void skb_tx_timestamp(sk_buff &skb)
{
	TRACE_INLINE(skb);
	skb_clone_tx_timestamp(skb);
	if (skb_shinfo(skb).tx_flags & SKBTX_SW_TSTAMP)
		skb_tstamp_tx(skb);
}

} // namespace skbwalk
