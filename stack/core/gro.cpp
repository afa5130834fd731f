// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/gro.c. A polling driver gives each packet to napi_gro_receive. dev_gro_receive finds the bucket by
// the flow's hash, marks which of the packets held there may be of the same flow (gro_list_prepare) and lets
// the protocol merge (skb_gro_receive puts the payload behind that of the packet held). What must go up goes
// through napi_gro_complete, which has the protocol write the headers of the whole, into the instance's
// rx_list; the list goes up (gro_normal_list) when there are eight segments in it or the poll ends, and
// napi_gro_flush ends the holding. On the way out skb_mac_gso_segment finds who cuts a packet of a type. Left
// out: page pools, zero copy, generic XDP, jumbo headers of IPv6.
#include "stack/core/gro.h"

#include <algorithm>
#include <bit>

#include "stack/core/busy_poll.h"
#include "stack/core/dst.h"
#include "stack/core/if_vlan.h"
#include "stack/core/net_namespace.h"
#include "stack/core/sock.h"
#include "stack/core/sysctl_net_core.h"
#include "stack/ethernet/eth.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

struct offloads {
	list_head base;
};
perhost<offloads> offload_base;

constexpr int MAX_GRO_SKBS = 8;
constexpr u32 MAX_HEADER = 128 + 48 + 80; // LL_MAX_HEADER with wireless, and a tunnel
constexpr u32 GRO_MAX_HEAD = MAX_HEADER + 128;
constexpr u32 GRO_LEGACY_MAX_SIZE = 65536;

template <class Fn> const packet_offload *find_offload(Fn wanted)
{
	for (list_head *p = offload_base->base.next; p != &offload_base->base; p = p->next) {
		const packet_offload &po = list_entry(*p, &packet_offload::list);

		if (wanted(po))
			return &po;
	}
	return nullptr;
}

// Links `skb` behind what `p` has already.
void append_to_frag_list(sk_buff &p, sk_buff &skb)
{
	sk_buff *&last = NAPI_GRO_CB(p).last;

	(last == &p ? skb_shinfo(p).frag_list : last->next) = &skb;
	last = &skb;
}

} // namespace

void dev_add_offload(packet_offload &po)
{
	TRACE();
	list_head *at = offload_base->base.next;

	while (at != &offload_base->base && list_entry(*at, &packet_offload::list).priority <= po.priority)
		at = at->next;
	list_add_tail(po.list, *at);
}

void dev_remove_offload(packet_offload &po)
{
	TRACE();
	list_del_init(po.list);
}

skb_segs skb_mac_gso_segment(sk_buff &skb, netdev_features_t features)
{
	TRACE(skb);
	int vlan_depth = skb.mac_len;
	const be16 type = skb_network_protocol(skb, &vlan_depth);

	if (!type)
		return {nullptr, -EINVAL};
	__skb_pull(skb, static_cast<u32>(vlan_depth));
	rcu_read_lock();
	const packet_offload *ptype = find_offload(
		[type](const packet_offload &po) { return po.type == type && po.callbacks.gso_segment; });
	const skb_segs segs =
		ptype ? ptype->callbacks.gso_segment(skb, features) : skb_segs{nullptr, -EPROTONOSUPPORT};
	rcu_read_unlock();
	__skb_push(skb, static_cast<u32>(skb.data - skb_mac_header(skb)));
	return segs;
}

const packet_offload *gro_find_receive_by_type(be16 type)
{
	TRACE();
	return find_offload(
		[type](const packet_offload &po) { return po.type == type && po.callbacks.gro_receive; });
}

const packet_offload *gro_find_complete_by_type(be16 type)
{
	TRACE();
	return find_offload(
		[type](const packet_offload &po) { return po.type == type && po.callbacks.gro_complete; });
}

// --- merging ---

void skb_prepare_for_gro(sk_buff &skb)
{
	TRACE_INLINE(skb);
	if (skb.destructor != sock_wfree) {
		skb_orphan(skb);
		return;
	}
	skb.slow_gro = 1;
}

// The payload of `skb` (from skb_gro_offset() on) goes behind that of `p`: its frags to the last frags there,
// its head too if that is a piece of a page, else the whole as a member of the frag_list. Not 0: it does not
// fit.
int skb_gro_receive(sk_buff &p, sk_buff &skb)
{
	TRACE(p, skb);
	skb_shared_info &skbinfo = skb_shinfo(skb);
	u32 offset = skb_gro_offset(skb);
	const u32 headlen = skb_headlen(skb);
	const u32 len = skb_gro_len(skb);

	if (p.pp_recycle != skb.pp_recycle)
		return -ETOOMANYREFS;
	if (p.len + len >= p.dev->gro_max_size || NAPI_GRO_CB(skb).flush)
		return -E2BIG;
	if (p.len + len >= GRO_LEGACY_MAX_SIZE)
		return -E2BIG;

	const u16 segs = NAPI_GRO_CB(skb).count;
	sk_buff *lp = NAPI_GRO_CB(p).last;
	skb_shared_info &pinfo = skb_shinfo(*lp);
	u32 delta_truesize;

	if (headlen <= offset && pinfo.nr_frags + skbinfo.nr_frags <= static_cast<int>(MAX_SKB_FRAGS)) {
		skb_frag_t *frag = pinfo.frags + pinfo.nr_frags;

		assert(skbinfo.nr_frags);
		std::copy_n(skbinfo.frags, skbinfo.nr_frags, frag);
		pinfo.nr_frags = static_cast<u8>(pinfo.nr_frags + skbinfo.nr_frags);
		skbinfo.nr_frags = 0;
		frag->offset += offset - headlen;
		frag->size -= offset - headlen;

		const u32 new_truesize = SKB_TRUESIZE(skb_end_offset(skb));

		delta_truesize = skb.truesize - new_truesize;
		skb.truesize = new_truesize;
		skb.len -= skb.data_len;
		skb.data_len = 0;
		NAPI_GRO_CB(skb).free = NAPI_GRO_FREE;
	} else if (headlen > offset && skb.head_frag &&
	           pinfo.nr_frags + 1 + skbinfo.nr_frags <= static_cast<int>(MAX_SKB_FRAGS)) {
		skb_frag_t *frag = pinfo.frags + pinfo.nr_frags;
		const auto at = static_cast<u32>(skb.data - reinterpret_cast<u8 *>(skb.head_page->data));

		*frag = {skb.head_page, headlen - offset, at + offset};
		std::copy_n(skbinfo.frags, skbinfo.nr_frags, frag + 1);
		pinfo.nr_frags = static_cast<u8>(pinfo.nr_frags + 1 + skbinfo.nr_frags);
		delta_truesize = skb.truesize - SKB_HEAD_TRUESIZE;
		skb.truesize = SKB_HEAD_TRUESIZE;
		NAPI_GRO_CB(skb).free = NAPI_GRO_FREE_STOLEN_HEAD;
	} else {
		// What the packet held of a socket goes with the whole.
		skb.destructor = nullptr;
		skb.sk = nullptr;
		delta_truesize = skb.truesize;
		if (offset > headlen) {
			const u32 eat = offset - headlen;

			skbinfo.frags[0].offset += eat;
			skbinfo.frags[0].size -= eat;
			skb.data_len -= eat;
			skb.len -= eat;
			offset = headlen;
		}
		__skb_pull(skb, offset);
		append_to_frag_list(p, skb);
		__skb_header_release(skb);
		lp = &p;
	}
	NAPI_GRO_CB(p).count = static_cast<u16>(NAPI_GRO_CB(p).count + segs);
	const auto grow = [len, delta_truesize](sk_buff &s) {
		s.data_len += len;
		s.truesize += delta_truesize;
		s.len += len;
	};
	grow(p);
	if (lp != &p)
		grow(*lp);
	NAPI_GRO_CB(skb).same_flow = 1;
	return 0;
}

// The whole packet, headers and all, becomes a member of `p`.
int skb_gro_receive_list(sk_buff &p, sk_buff &skb)
{
	TRACE(p, skb);
	if (p.len + skb.len >= 65536 || NAPI_GRO_CB(skb).flush)
		return -E2BIG;
	skb_pull(skb, skb_gro_offset(skb));
	append_to_frag_list(p, skb);
	NAPI_GRO_CB(p).count++;
	p.data_len += skb.len;
	skb.destructor = nullptr;
	skb.sk = nullptr;
	p.truesize += skb.truesize;
	p.len += skb.len;
	NAPI_GRO_CB(skb).same_flow = 1;
	return 0;
}

bool __skb_gro_checksum_complete(sk_buff &skb)
{
	TRACE(skb);
	const __wsum wsum = skb_checksum(skb, static_cast<int>(skb_gro_offset(skb)),
	                                 static_cast<int>(skb_gro_len(skb)), 0);
	const bool bad = static_cast<bool>(csum_fold(csum_add(NAPI_GRO_CB(skb).csum, wsum)));

	NAPI_GRO_CB(skb).csum = wsum;
	NAPI_GRO_CB(skb).csum_valid = 1;
	return bad;
}

// --- the end of holding ---

static void napi_gro_complete(napi_struct &napi, skb_ptr skb)
{
	TRACE(skb, napi.dev);
	const int count = NAPI_GRO_CB(*skb).count;

	if (count == 1) {
		skb_shinfo(*skb).gso_size = 0;
	} else {
		const be16 type = skb->protocol;
		int err = -ENOENT;

		rcu_read_lock();
		const packet_offload *ptype = find_offload([type](const packet_offload &po) {
			return po.type == type && po.callbacks.gro_complete;
		});
		if (ptype)
			err = ptype->callbacks.gro_complete(*skb, 0);
		rcu_read_unlock();
		if (err) {
			assert(ptype);
			return kfree_skb(std::move(skb));
		}
	}
	gro_normal_one(napi, std::move(skb), count);
}

// The oldest first; with `flush_old`, only those of earlier jiffies.
static void __napi_gro_flush_chain(napi_struct &napi, u32 index, bool flush_old)
{
	TRACE(napi.dev);
	gro_list &held = napi.gro_hash[index];

	while (!list_empty(held.list)) {
		sk_buff &skb = list_entry(*held.list.prev, &sk_buff::tcp_tsorted_anchor);

		if (flush_old && NAPI_GRO_CB(skb).age == jiffies())
			return;
		list_del_init(skb.tcp_tsorted_anchor);
		napi_gro_complete(napi, skb_ptr(&skb));
		--held.count;
	}
	if (!held.count)
		napi.gro_bitmask &= ~(1u << index);
}

void napi_gro_flush(napi_struct &napi, bool flush_old)
{
	TRACE(napi.dev);
	for (u32 bitmask = napi.gro_bitmask; bitmask; bitmask &= bitmask - 1)
		__napi_gro_flush_chain(napi, static_cast<u32>(std::countr_zero(bitmask)), flush_old);
}

// Whose flow can it be? By hash, device, tag and device header, and by what else a packet may carry.
static void gro_list_prepare(list_head &head, const sk_buff &skb)
{
	TRACE(skb);
	const u32 maclen = skb.dev->hard_header_len;

	for_each_gro(head, [&](sk_buff &p) {
		NAPI_GRO_CB(p).flush = 0;
		if (skb.hash != p.hash) {
			NAPI_GRO_CB(p).same_flow = 0;
			return;
		}
		bool diffs = p.dev != skb.dev || p.vlan_present != skb.vlan_present ||
		             (p.vlan_present && p.vlan_tci != skb.vlan_tci) ||
		             std::memcmp(skb_mac_header(p), skb_mac_header(skb), maclen) != 0;

		if (!diffs && (skb.slow_gro || p.slow_gro))
			diffs = p.sk != skb.sk || skb_nfct(p) != skb_nfct(skb) ||
			        skb_ext_exist(p, TC_SKB_EXT) != skb_ext_exist(skb, TC_SKB_EXT);
		NAPI_GRO_CB(p).same_flow = !diffs;
	});
}

static void skb_gro_reset_offset(sk_buff &skb)
{
	TRACE(skb);
	const skb_shared_info &pinfo = skb_shinfo(skb);
	napi_gro_cb &cb = NAPI_GRO_CB(skb);

	cb.data_offset = 0;
	cb.frag0 = nullptr;
	cb.frag0_len = 0;
	if (!skb_headlen(skb) && pinfo.nr_frags) {
		cb.frag0 = skb_frag_address(pinfo.frags[0]);
		cb.frag0_len = std::min(skb_frag_size(pinfo.frags[0]), skb.end - skb.tail);
	}
}

static void gro_pull_from_frag0(sk_buff &skb, u32 grow)
{
	TRACE(skb);
	skb_shared_info &pinfo = skb_shinfo(skb);

	assert(skb.end - skb.tail >= grow);
	std::memcpy(skb_tail_pointer(skb), NAPI_GRO_CB(skb).frag0, grow);
	skb.data_len -= grow;
	skb.tail += grow;
	pinfo.frags[0].offset += grow;
	pinfo.frags[0].size -= grow;
	if (!pinfo.frags[0].size) {
		skb_frag_unref(pinfo.frags[0]);
		--pinfo.nr_frags;
		std::copy_n(pinfo.frags + 1, pinfo.nr_frags, pinfo.frags);
	}
}

static void gro_flush_oldest(napi_struct &napi, list_head &head)
{
	TRACE(napi.dev);
	sk_buff &oldest = list_entry(*head.prev, &sk_buff::tcp_tsorted_anchor);

	list_del_init(oldest.tcp_tsorted_anchor);
	napi_gro_complete(napi, skb_ptr(&oldest));
}

bool netif_elide_gro(const net_device &dev)
{
	TRACE_INLINE(dev);
	return !(dev.features & NETIF_F_GRO);
}

namespace {

void gro_cb_zero(napi_gro_cb &cb)
{
	cb.gro_remcsum_start = 0;
	cb.same_flow = 0;
	cb.encap_mark = 0;
	cb.csum_valid = 0;
	cb.csum_cnt = 0;
	cb.free = 0;
	cb.is_ipv6 = 0;
	cb.is_fou = 0;
	cb.is_atomic = 0;
	cb.recursion_counter = 0;
	cb.is_flist = 0;
}

// What the packet is before its protocol looks at it.
void prepare_cb(sk_buff &skb)
{
	const skb_shared_info &shinfo = skb_shinfo(skb);
	napi_gro_cb &cb = NAPI_GRO_CB(skb);

	gro_cb_zero(cb);
	cb.flush = skb_has_frag_list(skb);
	cb.is_atomic = 1;
	cb.count = 1;
	if (skb_is_gso(skb)) {
		cb.count = shinfo.gso_segs;
		if (!(shinfo.gso_type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) || (shinfo.gso_type & SKB_GSO_DODGY))
			cb.flush = 1;
	}
	if (skb.ip_summed == CHECKSUM_COMPLETE) {
		cb.csum = skb.csum;
		cb.csum_valid = 1;
	} else if (skb.ip_summed == CHECKSUM_UNNECESSARY) {
		cb.csum_cnt = (skb.csum_level + 1) & 7;
	}
}

} // namespace

static gro_result_t dev_gro_receive(napi_struct &napi, sk_buff &skb)
{
	TRACE(skb, napi.dev);
	const u32 bucket = skb.hash & (GRO_HASH_BUCKETS - 1);
	gro_list &held = napi.gro_hash[bucket];
	napi_gro_cb &cb = NAPI_GRO_CB(skb);
	const be16 type = skb.protocol;
	const auto pull = [&skb] {
		const int grow = static_cast<int>(skb_gro_offset(skb)) - static_cast<int>(skb_headlen(skb));

		if (grow > 0)
			gro_pull_from_frag0(skb, static_cast<u32>(grow));
	};
	const auto mark_bucket = [&napi, &held, bucket](gro_result_t ret) {
		if (held.count)
			napi.gro_bitmask |= 1u << bucket;
		else
			napi.gro_bitmask &= ~(1u << bucket);
		return ret;
	};

	if (netif_elide_gro(*skb.dev)) {
		pull();
		return mark_bucket(GRO_NORMAL);
	}
	gro_list_prepare(held.list, skb);

	rcu_read_lock();
	const packet_offload *ptype = find_offload(
		[type](const packet_offload &po) { return po.type == type && po.callbacks.gro_receive; });
	if (!ptype) {
		rcu_read_unlock();
		pull();
		return mark_bucket(GRO_NORMAL);
	}
	skb_set_network_header(skb, static_cast<int>(skb_gro_offset(skb)));
	skb_reset_mac_len(skb);
	prepare_cb(skb);
	sk_buff *pp = ptype->callbacks.gro_receive(held.list, skb);
	rcu_read_unlock();

	const bool same_flow = cb.same_flow;
	const gro_result_t merged = cb.free ? GRO_MERGED_FREE : GRO_MERGED;

	if (pp) {
		list_del_init(pp->tcp_tsorted_anchor);
		napi_gro_complete(napi, skb_ptr(pp));
		--held.count;
	}
	if (same_flow)
		return mark_bucket(merged);
	if (cb.flush) {
		pull();
		return mark_bucket(GRO_NORMAL);
	}
	if (held.count >= MAX_GRO_SKBS)
		gro_flush_oldest(napi, held.list);
	else
		++held.count;
	cb.age = jiffies();
	cb.last = &skb;
	if (!skb_is_gso(skb))
		skb_shinfo(skb).gso_size = static_cast<u16>(skb_gro_len(skb));
	list_add(skb.tcp_tsorted_anchor, held.list);
	pull();
	return mark_bucket(GRO_HELD);
}

static gro_result_t napi_skb_finish(napi_struct &napi, skb_ptr skb, gro_result_t ret)
{
	TRACE(skb, napi.dev);
	switch (ret) {
	case GRO_NORMAL:
		gro_normal_one(napi, std::move(skb), 1);
		break;
	case GRO_MERGED_FREE:
		if (NAPI_GRO_CB(*skb).free == NAPI_GRO_FREE_STOLEN_HEAD)
			napi_skb_free_stolen_head(std::move(skb));
		else if (skb->fclone != SKB_FCLONE_UNAVAILABLE)
			__kfree_skb(std::move(skb));
		else
			__kfree_skb_defer(std::move(skb));
		break;
	case GRO_HELD:
	case GRO_MERGED:
	case GRO_CONSUMED:
		static_cast<void>(skb.release()); // on a list of the instance, or in a packet there
		break;
	}
	return ret;
}

gro_result_t napi_gro_receive(napi_struct &napi, skb_ptr skb)
{
	TRACE(skb, napi.dev);
	skb_mark_napi_id(*skb, napi);
	skb_gro_reset_offset(*skb);

	const gro_result_t ret = dev_gro_receive(napi, *skb);

	return napi_skb_finish(napi, std::move(skb), ret);
}

// --- packets that are frags only ---

// The head is as it came from napi_alloc_skb, for the next packet.
static void napi_reuse_skb(napi_struct &napi, skb_ptr skb)
{
	TRACE(skb, napi.dev);
	__skb_pull(*skb, skb_headlen(*skb));
	skb->data = skb->head + NET_SKB_PAD;
	skb->tail = NET_SKB_PAD;
	__vlan_hwaccel_clear_tag(*skb);
	skb->dev = napi.dev;
	skb->skb_iif = 0;
	skb->pkt_type = PACKET_HOST;
	skb->encapsulation = 0;
	skb->ip_summed = CHECKSUM_NONE;
	skb_shinfo(*skb).gso_type = 0;
	skb_shinfo(*skb).gso_size = 0;
	if (skb->slow_gro) {
		skb_orphan(*skb);
		skb_ext_reset(*skb);
		nf_reset_ct(*skb);
		skb->slow_gro = 0;
	}
	napi.skb = skb.release();
}

skb_ptr napi_alloc_skb(napi_struct &napi, u32 length)
{
	TRACE_INLINE(napi.dev);
	return __napi_alloc_skb(*napi.dev, length, GFP_ATOMIC);
}

sk_buff *napi_get_frags(napi_struct &napi)
{
	TRACE(napi.dev);
	if (!napi.skb) {
		napi.skb = napi_alloc_skb(napi, GRO_MAX_HEAD).release();
		if (napi.skb)
			skb_mark_napi_id(*napi.skb, napi);
	}
	return napi.skb;
}

void napi_free_frags(napi_struct &napi)
{
	TRACE_INLINE(napi.dev);
	if (napi.skb)
		kfree_skb(skb_ptr(std::exchange(napi.skb, nullptr)));
}

static gro_result_t napi_frags_finish(napi_struct &napi, skb_ptr skb, gro_result_t ret)
{
	TRACE(skb, napi.dev);
	switch (ret) {
	case GRO_NORMAL:
	case GRO_HELD:
		__skb_push(*skb, ETH_HLEN);
		skb->protocol = eth_type_trans(*skb, *skb->dev);
		if (ret == GRO_NORMAL)
			gro_normal_one(napi, std::move(skb), 1);
		else
			static_cast<void>(skb.release());
		break;
	case GRO_MERGED_FREE:
		if (NAPI_GRO_CB(*skb).free == NAPI_GRO_FREE_STOLEN_HEAD)
			napi_skb_free_stolen_head(std::move(skb));
		else
			napi_reuse_skb(napi, std::move(skb));
		break;
	case GRO_MERGED:
	case GRO_CONSUMED:
		static_cast<void>(skb.release());
		break;
	}
	return ret;
}

// The device header is copied into the head, so that all packets have theirs there. Null: too short.
static skb_ptr napi_frags_skb(napi_struct &napi)
{
	TRACE(napi.skb, napi.dev);
	constexpr u32 hlen = sizeof(ethhdr);
	skb_ptr skb(std::exchange(napi.skb, nullptr));
	const u8 *eth;

	skb_reset_mac_header(*skb);
	skb_gro_reset_offset(*skb);
	if (skb_gro_header_hard(*skb, hlen)) {
		eth = skb_gro_header_slow(*skb, hlen, 0);
		if (!eth) {
			napi_reuse_skb(napi, std::move(skb));
			return nullptr;
		}
	} else {
		eth = skb->data;
		gro_pull_from_frag0(*skb, hlen);
		NAPI_GRO_CB(*skb).frag0 += hlen;
		NAPI_GRO_CB(*skb).frag0_len -= hlen;
	}
	__skb_pull(*skb, hlen);
	skb->protocol = reinterpret_cast<const ethhdr *>(eth)->h_proto; // for the lookup; see _finish
	return skb;
}

// Unlike the kernel, a packet without a device header is not looked at again after it was refused.
gro_result_t napi_gro_frags(napi_struct &napi)
{
	TRACE(napi.skb, napi.dev);
	skb_ptr skb = napi_frags_skb(napi);

	if (!skb)
		return GRO_CONSUMED;
	const gro_result_t ret = dev_gro_receive(napi, *skb);

	return napi_frags_finish(napi, std::move(skb), ret);
}

// --- what goes up ---

void gro_normal_list(napi_struct &napi)
{
	TRACE_INLINE(napi.dev);
	if (!napi.rx_count)
		return;
	netif_receive_skb_list_internal(napi.rx_list);
	INIT_LIST_HEAD(napi.rx_list);
	napi.rx_count = 0;
}

void gro_normal_one(napi_struct &napi, skb_ptr skb, int segs)
{
	TRACE_INLINE(skb, napi.dev);
	list_add_tail(skb.release()->tcp_tsorted_anchor, napi.rx_list);
	napi.rx_count += segs;
	if (napi.rx_count >= net_core->gro_normal_batch)
		gro_normal_list(napi);
}

void init_gro_hash(napi_struct &napi)
{
	TRACE(napi.dev);
	for (gro_list &held : napi.gro_hash) {
		INIT_LIST_HEAD(held.list);
		held.count = 0;
	}
	napi.gro_bitmask = 0;
}

void flush_gro_hash(napi_struct &napi)
{
	TRACE(napi.dev);
	for (gro_list &held : napi.gro_hash) {
		for_each_gro(held.list, [](sk_buff &skb) {
			list_del_init(skb.tcp_tsorted_anchor);
			kfree_skb(skb_ptr(&skb));
		});
		held.count = 0;
	}
}

} // namespace skbwalk
