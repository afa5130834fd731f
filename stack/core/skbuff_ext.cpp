// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c, last part: extensions (counted, shared by clones, copied before a write), and
// skb_scrub_packet, which takes from a packet what must not cross from one namespace into another.
#include <new>

#include "stack/core/skbuff_private.h"

namespace skbwalk {

namespace {

// In units of eight bytes. Only bridge netfilter's has a user.
constexpr u8 skb_ext_type_len[SKB_EXT_NUM] = {(sizeof(nf_bridge_info) + 7) / 8, 0, 0, 0};
static_assert(sizeof(nf_bridge_info) <= sizeof(skb_ext::data));

} // namespace

static void *skb_ext_get_ptr(skb_ext &ext, skb_ext_id id)
{
	TRACE();
	return ext.data + ext.offset[id] * 8u;
}

skb_ext *__skb_ext_alloc(gfp_t flags)
{
	TRACE();
	void *memory = kmem_cache_alloc(*skbuff_host->skbuff_ext_cache, flags);

	return memory ? ::new (memory) skb_ext() : nullptr;
}

static skb_ext *skb_ext_maybe_cow(skb_ext &old)
{
	TRACE();
	if (refcount_read(old.refcnt) == 1)
		return &old;
	void *memory = kmem_cache_alloc(*skbuff_host->skbuff_ext_cache, GFP_ATOMIC);
	if (!memory)
		return nullptr;
	auto *ext = ::new (memory) skb_ext();
	std::memcpy(ext->offset, old.offset, sizeof(ext->offset));
	ext->chunks = old.chunks;
	std::memcpy(ext->data, old.data, old.chunks * 8u);
	__skb_ext_put(old);
	return ext;
}

void *skb_ext_add(sk_buff &skb, skb_ext_id id)
{
	TRACE(skb);
	skb_ext *ext;

	if (skb.active_extensions)
		ext = skb_ext_maybe_cow(*skb.extensions);
	else
		ext = __skb_ext_alloc(GFP_ATOMIC);
	if (!ext)
		return nullptr;
	if (!skb_ext_exist(skb, id)) {
		ext->offset[id] = ext->chunks;
		ext->chunks = static_cast<u8>(ext->chunks + skb_ext_type_len[id]);
		assert(ext->chunks * 8u <= sizeof(ext->data));
	}
	skb.slow_gro = 1;
	skb.extensions = ext;
	skb.active_extensions = static_cast<u8>(skb.active_extensions | 1u << id);
	return skb_ext_get_ptr(*ext, id);
}

void __skb_ext_del(sk_buff &skb, skb_ext_id id)
{
	TRACE(skb);
	skb.active_extensions = static_cast<u8>(skb.active_extensions & ~(1u << id));
	if (!skb.active_extensions)
		__skb_ext_put(*std::exchange(skb.extensions, nullptr));
}

void __skb_ext_put(skb_ext &ext)
{
	TRACE();
	if (refcount_read(ext.refcnt) != 1 && !refcount_dec_and_test(ext.refcnt))
		return;
	kmem_cache_free(*skbuff_host->skbuff_ext_cache, &ext);
}

void skb_scrub_packet(sk_buff &skb, bool xnet)
{
	TRACE(skb);
	skb.pkt_type = PACKET_HOST;
	skb.skb_iif = 0;
	skb.ignore_df = 0;
	skb_dst_drop(skb);
	skb_ext_reset(skb);
	nf_reset_ct(skb);
	skb.nf_trace = 0;
	skb.offload_fwd_mark = 0;
	if (!xnet)
		return;
	skb.mark = 0;
	skb_clear_tstamp(skb);
}

} // namespace skbwalk
