// SPDX-License-Identifier: GPL-2.0-only
//
// UDP datagrams into a large packet and back (net/ipv4/udp_offload.c). udp4_gro_receive verifies the checksum
// and, once some socket has asked for UDP_GRO, finds the socket that the datagram is for: if that one asked,
// or the device forwards (rx-udp-gro-forwarding), udp_gro_receive_segment puts the datagram behind those of
// the same flow and size, else it goes up alone. udp4_gro_complete writes the header of the whole.
// __udp_gso_segment cuts what UDP_SEGMENT or GRO made, gives each datagram its length and checksum, and
// shares the memory that the original accounts to its socket. Left out: tunnels, fragments of what was never
// cut (UFO), and fragment lists (rx-gro-list).
#include <bit>
#include <cassert>

#include "stack/core/gso.h"
#include "stack/core/net_namespace.h"
#include "stack/core/sock.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/protocol.h"
#include "stack/ipv4/udp.h"

namespace skbwalk {

perhost<int> udp_encap_needed_key;

namespace {

constexpr u16 UDP_GRO_CNT_MAX = 64;
constexpr u8 SKBTX_ANY_TSTAMP = SKBTX_HW_TSTAMP | SKBTX_SW_TSTAMP | SKBTX_SCHED_TSTAMP;

be16 complement(be16 sum) { return std::bit_cast<be16>(static_cast<u16>(~sum.raw())); }
be16 csum16_add(be16 csum, be16 addend)
{
	const auto sum = static_cast<u16>(csum.raw() + addend.raw());

	return std::bit_cast<be16>(static_cast<u16>(sum + (sum < addend.raw())));
}
be16 csum16_sub(be16 csum, be16 addend) { return csum16_add(csum, complement(addend)); }

bool same_ports(const udphdr &a, const udphdr &b) { return a.source == b.source && a.dest == b.dest; }

// Null: the header is not there.
udphdr *udp_gro_udphdr(sk_buff &skb)
{
	const u32 off = skb_gro_offset(skb);

	return reinterpret_cast<udphdr *>(skb_gro_header(skb, off + sizeof(udphdr), off));
}

void set_length_and_checksum(sk_buff &seg, udphdr &uh, be16 len, be16 check)
{
	const __wsum res = ~csum_unfold(check);

	uh.len = len;
	uh.check = check;
	if (seg.ip_summed == CHECKSUM_PARTIAL) {
		gso_reset_checksum(seg, res);
	} else {
		uh.check = gso_make_checksum(seg, res);
		if (!uh.check)
			uh.check = CSUM_MANGLED_0;
	}
}

} // namespace

// --- cutting ---

skb_segs __udp_gso_segment(sk_buff &gso_skb, netdev_features_t features)
{
	TRACE(gso_skb);
	sock *sk = gso_skb.sk;
	u32 mss = skb_shinfo(gso_skb).gso_size;

	if (gso_skb.len <= sizeof(udphdr) + mss || gso_skb.csum_start != gso_skb.transport_header)
		return {nullptr, -EINVAL};
	if (skb_gso_ok(gso_skb, features | NETIF_F_GSO_ROBUST)) {
		// The device can, and the header came from outside: only the count was wanted.
		skb_shinfo(gso_skb).gso_segs =
			static_cast<u16>((gso_skb.len - sizeof(udphdr) + mss - 1) / mss);
		return {};
	}
	skb_pull(gso_skb, sizeof(udphdr));

	// Each datagram holds its own of the socket's memory.
	const bool copy_dtor = gso_skb.destructor == sock_wfree;
	if (copy_dtor) {
		gso_skb.destructor = nullptr;
		gso_skb.sk = nullptr;
	}
	const skb_segs segs = skb_segment(gso_skb, features);
	if (segs.err || !segs.list) {
		if (copy_dtor) {
			gso_skb.destructor = sock_wfree;
			gso_skb.sk = sk;
		}
		return segs;
	}
	if (skb_is_gso(*segs.list)) // the device takes several datagrams at once
		mss *= skb_shinfo(*segs.list).gso_segs;

	sk_buff *seg = segs.list;
	udphdr *uh = &udp_hdr(*seg);
	u32 sum_truesize = 0;

	skb_shinfo(*seg).tskey = skb_shinfo(gso_skb).tskey;
	skb_shinfo(*seg).tx_flags = static_cast<u8>(skb_shinfo(*seg).tx_flags |
	                                            (skb_shinfo(gso_skb).tx_flags & SKBTX_ANY_TSTAMP));

	const auto with_length = [&uh](be16 len) { return csum16_add(csum16_sub(uh->check, uh->len), len); };
	const be16 newlen = htons(static_cast<u16>(sizeof(udphdr) + mss));
	const be16 check = with_length(newlen);

	for (;;) {
		if (copy_dtor) {
			seg->destructor = sock_wfree;
			seg->sk = sk;
			sum_truesize += seg->truesize;
		}
		if (!seg->next)
			break;
		set_length_and_checksum(*seg, *uh, newlen, check);
		seg = seg->next;
		uh = &udp_hdr(*seg);
	}
	const be16 last_len =
		htons(static_cast<u16>(skb_tail_pointer(*seg) - skb_transport_header(*seg) + seg->data_len));
	set_length_and_checksum(*seg, *uh, last_len, with_length(last_len));

	if (copy_dtor)
		refcount_add(static_cast<int>(sum_truesize - gso_skb.truesize), sk->sk_wmem_alloc);
	return segs;
}

static skb_segs udp4_ufo_fragment(sk_buff &skb, netdev_features_t features)
{
	TRACE(skb);
	if (!(skb_shinfo(skb).gso_type & SKB_GSO_UDP_L4) || !pskb_may_pull(skb, sizeof(udphdr)))
		return {nullptr, -EINVAL};
	return __udp_gso_segment(skb, features);
}

// --- merging ---

// The packet on `head` that must go up now, if any.
static sk_buff *udp_gro_receive_segment(list_head &head, sk_buff &skb)
{
	TRACE(skb);
	napi_gro_cb &cb = NAPI_GRO_CB(skb);
	const udphdr *uh = udp_gro_udphdr(skb);
	const u16 ulen = ntohs(uh->len);

	// What is cut again will have checksums; what is padded is not the sender's.
	if (!uh->check || ulen <= sizeof(*uh) || ulen != skb_gro_len(skb)) {
		cb.flush = 1;
		return nullptr;
	}
	skb_gro_pull(skb, sizeof(udphdr));

	for (list_head *l = head.next; l != &head; l = l->next) {
		sk_buff &p = list_entry(*l, &sk_buff::tcp_tsorted_anchor);
		napi_gro_cb &pcb = NAPI_GRO_CB(p);

		if (!pcb.same_flow)
			continue;
		const u16 ulen2 = ntohs(udp_hdr(p).len);

		if (!same_ports(*uh, udp_hdr(p))) {
			pcb.same_flow = 0;
			continue;
		}
		int flush = pcb.flush;
		int ret = 0;

		if (pcb.flush_id != 1 || pcb.count != 1 || !pcb.is_atomic)
			flush |= pcb.flush_id;
		else
			pcb.is_atomic = 0;
		if (ulen > ulen2 || flush)
			return &p;
		skb_gro_postpull_rcsum(skb, uh, sizeof(udphdr));
		ret = skb_gro_receive(p, skb);
		// The first datagram that is shorter ends the packet.
		return ret || ulen != ulen2 || pcb.count >= UDP_GRO_CNT_MAX ? &p : nullptr;
	}
	return nullptr;
}

sk_buff *udp_gro_receive(list_head &head, sk_buff &skb, udphdr &, sock *sk)
{
	TRACE(skb, sk);
	NAPI_GRO_CB(skb).is_flist = 0;
	if (!skb.encapsulation &&
	    ((!sk && (skb.dev->features & NETIF_F_GRO_UDP_FWD)) || (sk && udp_sk(*sk).gro_enabled)))
		return indirect_call_gro_receive(udp_gro_receive_segment, head, skb);
	skb_gro_flush_final(skb, nullptr, 1);
	return nullptr;
}

static sock *udp4_gro_lookup_skb(sk_buff &skb, be16 sport, be16 dport)
{
	TRACE(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb_gro_network_header(skb));

	return __udp4_lib_lookup(dev_net(*skb.dev), iph.saddr, sport, iph.daddr, dport, inet_iif(skb),
	                         inet_sdif(skb), *udp_table, nullptr);
}

static sk_buff *udp4_gro_receive(list_head &head, sk_buff &skb)
{
	TRACE(skb);
	napi_gro_cb &cb = NAPI_GRO_CB(skb);
	udphdr *uh = udp_gro_udphdr(skb);

	// A bad checksum is the socket's to count; the packet goes up alone.
	if (!uh || (!cb.flush && skb_gro_checksum_validate_zero_check(skb, IPPROTO_UDP, true, uh->check))) {
		cb.flush = 1;
		return nullptr;
	}
	if (!cb.flush && uh->check)
		skb_gro_checksum_try_convert(skb, IPPROTO_UDP);
	cb.is_ipv6 = 0;

	sock *sk = *udp_encap_needed_key ? udp4_gro_lookup_skb(skb, uh->source, uh->dest) : nullptr;

	return udp_gro_receive(head, skb, *uh, sk);
}

static int udp_gro_complete_segment(sk_buff &skb)
{
	TRACE(skb);
	skb.csum_start = static_cast<u16>(skb_transport_header(skb) - skb.head);
	skb.csum_offset = offsetof(udphdr, check);
	skb.ip_summed = CHECKSUM_PARTIAL;
	skb_shinfo(skb).gso_segs = NAPI_GRO_CB(skb).count;
	skb_shinfo(skb).gso_type |= SKB_GSO_UDP_L4;
	return 0;
}

// A tunnel's socket would take over here; none is.
int udp_gro_complete(sk_buff &skb, int nhoff, sock *(*lookup)(const sk_buff &skb, be16 sport, be16 dport))
{
	TRACE(skb);
	udphdr &uh = *reinterpret_cast<udphdr *>(skb.data + nhoff);

	uh.len = htons(static_cast<u16>(skb.len - static_cast<u32>(nhoff)));
	[[maybe_unused]] const sock *sk = lookup(skb, uh.source, uh.dest);
	assert(!sk || !udp_sk(*sk).encap_type);
	return udp_gro_complete_segment(skb);
}

static int udp4_gro_complete(sk_buff &skb, int nhoff)
{
	TRACE(skb);
	const iphdr &iph = ip_hdr(skb);
	udphdr &uh = *reinterpret_cast<udphdr *>(skb.data + nhoff);

	if (uh.check)
		uh.check =
			complement(udp_v4_check(skb.len - static_cast<u32>(nhoff), iph.saddr, iph.daddr, 0));
	return udp_gro_complete(skb, nhoff, udp4_lib_lookup_skb);
}

static const net_offload udpv4_offload = {
	.callbacks = {udp4_ufo_fragment, udp4_gro_receive, udp4_gro_complete}};

int udpv4_offload_init()
{
	TRACE();
	return inet_add_offload(udpv4_offload, IPPROTO_UDP);
}

} // namespace skbwalk
