// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c, second part: copies. skb_copy copies all bytes, __pskb_copy_fclone the linear part only
// and shares the frags, pskb_expand_head gives an skb a new head with more room (and data of its own, if
// others share it).
#include <new>

#include "stack/core/skbuff_private.h"
#include "stack/core/sock.h"

namespace skbwalk {

namespace {

// All of skb_shared_info but the count.
void copy_shinfo(skb_shared_info &to, const skb_shared_info &from)
{
	to.flags = from.flags;
	to.nr_frags = from.nr_frags;
	to.tx_flags = from.tx_flags;
	to.gso_size = from.gso_size;
	to.gso_segs = from.gso_segs;
	to.gso_type = from.gso_type;
	to.tskey = from.tskey;
	to.frag_list = from.frag_list;
	to.hwtstamps = from.hwtstamps;
	for (u32 i = 0; i < from.nr_frags; ++i)
		to.frags[i] = from.frags[i];
}

} // namespace

void skb_headers_offset_update(sk_buff &skb, int off)
{
	TRACE(skb);
	if (skb.ip_summed == CHECKSUM_PARTIAL)
		skb.csum_start = static_cast<u16>(skb.csum_start + off);
	// Unlike the kernel, which moves an offset that is not set too, and so sets it.
	if (skb_transport_header_was_set(skb))
		skb.transport_header = static_cast<u16>(skb.transport_header + off);
	skb.network_header = static_cast<u16>(skb.network_header + off);
	if (skb_mac_header_was_set(skb))
		skb.mac_header = static_cast<u16>(skb.mac_header + off);
}

void skb_copy_header(sk_buff &to, const sk_buff &from)
{
	TRACE(from);
	__copy_skb_header(to, from);
	skb_shinfo(to).gso_size = skb_shinfo(from).gso_size;
	skb_shinfo(to).gso_segs = skb_shinfo(from).gso_segs;
	skb_shinfo(to).gso_type = skb_shinfo(from).gso_type;
}

skb_ptr skb_copy(const sk_buff &skb, gfp_t flags)
{
	TRACE(skb);
	if (skb_shinfo(skb).gso_type & SKB_GSO_FRAGLIST)
		return nullptr;
	const u32 headerlen = skb_headroom(skb);
	skb_ptr n = __alloc_skb(skb_end_offset(skb) + skb.data_len, flags, 0, -1);

	if (!n)
		return nullptr;
	skb_reserve(*n, headerlen);
	skb_put(*n, skb.len);
	[[maybe_unused]] const int err = skb_copy_bits(skb, -static_cast<int>(headerlen), n->head,
	                                               static_cast<int>(headerlen + skb.len));
	assert(!err);
	skb_copy_header(*n, skb);
	return n;
}

skb_ptr __pskb_copy_fclone(sk_buff &skb, int headroom, gfp_t flags, bool fclone)
{
	TRACE(skb);
	skb_ptr n = __alloc_skb(skb_headlen(skb) + static_cast<u32>(headroom), flags,
	                        fclone ? SKB_ALLOC_FCLONE : 0, -1);

	if (!n)
		return nullptr;
	skb_reserve(*n, static_cast<u32>(headroom));
	skb_put(*n, skb_headlen(skb));
	skb_copy_from_linear_data_offset(skb, 0, n->data, n->len);
	n->truesize += skb.data_len;
	n->data_len = skb.data_len;
	n->len = skb.len;
	if (skb_shinfo(skb).nr_frags && skb_zerocopy_clone(*n, skb, flags)) {
		kfree_skb(std::move(n));
		return nullptr;
	}
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		skb_shinfo(*n).frags[i] = skb_shinfo(skb).frags[i];
		skb_frag_ref(skb_shinfo(skb).frags[i]);
	}
	skb_shinfo(*n).nr_frags = skb_shinfo(skb).nr_frags;
	if (skb_has_frag_list(skb)) {
		skb_shinfo(*n).frag_list = skb_shinfo(skb).frag_list;
		skb_clone_fraglist(*n);
	}
	skb_copy_header(*n, skb);
	return n;
}

int pskb_expand_head(sk_buff &skb, int nhead, int ntail, gfp_t flags)
{
	TRACE(skb);
	const u32 osize = skb_end_offset(skb);
	u32 size = osize + static_cast<u32>(nhead + ntail);

	assert(nhead >= 0 && !skb_shared(skb));
	u8 *data = kmalloc_reserve(size, flags, -1);
	if (!data)
		return -ENOMEM;
	size = SKB_WITH_OVERHEAD(size);
	std::memcpy(data + nhead, skb.head, skb.tail);
	auto *shinfo = ::new (data + size) skb_shared_info;
	copy_shinfo(*shinfo, skb_shinfo(skb));
	if (skb_cloned(skb)) {
		// Frags and frag_list now have one owner more.
		for (u32 i = 0; i < shinfo->nr_frags; ++i)
			skb_frag_ref(shinfo->frags[i]);
		if (skb_has_frag_list(skb))
			skb_clone_fraglist(skb);
		skb_release_data(skb);
	} else {
		skb_free_head(skb);
	}
	skb.data = data + nhead + (skb.data - skb.head);
	skb.head = data;
	skb.head_frag = 0;
	skb.head_page = nullptr;
	skb.end = size;
	skb.tail += static_cast<u32>(nhead);
	skb_headers_offset_update(skb, nhead);
	skb.cloned = 0;
	skb.hdr_len = 0;
	skb.nohdr = 0;
	atomic_set(shinfo->dataref, 1);
	// A socket's accounts are not touched behind its back.
	if (!skb.sk || skb.destructor == sock_edemux)
		skb.truesize += size - osize;
	return 0;
}

int __skb_unclone_keeptruesize(sk_buff &skb, gfp_t flags)
{
	TRACE(skb);
	const u32 saved_end_offset = skb_end_offset(skb);
	const u32 saved_truesize = skb.truesize;

	if (const int res = pskb_expand_head(skb, 0, 0, flags))
		return res;
	skb.truesize = saved_truesize;
	if (skb_end_offset(skb) == saved_end_offset)
		return 0;
	// The new head may be of another size class: its end goes back to where truesize says.
	skb_shared_info held;
	copy_shinfo(held, skb_shinfo(skb));
	skb.end = saved_end_offset;
	auto *shinfo = ::new (&skb_shinfo(skb)) skb_shared_info;
	copy_shinfo(*shinfo, held);
	atomic_set(shinfo->dataref, 1);
	return 0;
}

skb_ptr skb_realloc_headroom(sk_buff &skb, u32 headroom)
{
	TRACE(skb);
	const int delta = static_cast<int>(headroom) - static_cast<int>(skb_headroom(skb));

	if (delta <= 0)
		return pskb_copy(skb, GFP_ATOMIC);
	skb_ptr skb2 = skb_clone(skb, GFP_ATOMIC);
	if (skb2 && pskb_expand_head(*skb2, static_cast<int>(SKB_DATA_ALIGN(static_cast<u32>(delta))), 0,
	                             GFP_ATOMIC)) {
		kfree_skb(std::move(skb2));
		return nullptr;
	}
	return skb2;
}

// More headroom for an skb that its socket accounts; null, and the skb gone, when there is no memory.
skb_ptr skb_expand_head(skb_ptr skb, u32 headroom)
{
	TRACE(skb);
	sock *sk = skb->sk;
	const u32 osize = skb_end_offset(*skb);
	const auto is_skb_wmem = [](const sk_buff &s) {
		return s.destructor == sock_wfree || s.destructor == __sock_wfree;
	};

	assert(headroom > skb_headroom(*skb));
	const int delta = static_cast<int>(SKB_DATA_ALIGN(headroom - skb_headroom(*skb)));
	if (skb_shared(*skb) || !is_skb_wmem(*skb)) {
		skb_ptr nskb = skb_clone(*skb, GFP_ATOMIC);

		if (!nskb) {
			kfree_skb(std::move(skb));
			return nullptr;
		}
		if (sk)
			skb_set_owner_w(*nskb, *sk);
		consume_skb(std::move(skb));
		skb = std::move(nskb);
	}
	if (pskb_expand_head(*skb, delta, 0, GFP_ATOMIC)) {
		kfree_skb(std::move(skb));
		return nullptr;
	}
	if (sk && is_skb_wmem(*skb)) {
		const u32 grown = skb_end_offset(*skb) - osize;

		refcount_add(static_cast<int>(grown), sk->sk_wmem_alloc);
		skb->truesize += grown;
	}
	return skb;
}

skb_ptr skb_copy_expand(const sk_buff &skb, int newheadroom, int newtailroom, gfp_t flags)
{
	TRACE(skb);
	const int oldheadroom = static_cast<int>(skb_headroom(skb));
	skb_ptr n = __alloc_skb(static_cast<u32>(newheadroom + newtailroom) + skb.len, flags, 0, -1);

	if (!n)
		return nullptr;
	skb_reserve(*n, static_cast<u32>(newheadroom));
	skb_put(*n, skb.len);
	int head_copy_len = oldheadroom;
	int head_copy_off = 0;
	if (newheadroom <= head_copy_len)
		head_copy_len = newheadroom;
	else
		head_copy_off = newheadroom - head_copy_len;
	[[maybe_unused]] const int err = skb_copy_bits(skb, -head_copy_len, n->head + head_copy_off,
	                                               static_cast<int>(skb.len) + head_copy_len);
	assert(!err);
	skb_copy_header(*n, skb);
	skb_headers_offset_update(*n, newheadroom - oldheadroom);
	return n;
}

int skb_ensure_writable(sk_buff &skb, u32 write_len)
{
	TRACE(skb);
	if (!pskb_may_pull(skb, write_len))
		return -ENOMEM;
	if (!skb_cloned(skb) || skb_clone_writable(skb, write_len))
		return 0;
	return pskb_expand_head(skb, 0, 0, GFP_ATOMIC);
}

} // namespace skbwalk
