// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/nf_reject_ipv4.c. nf_send_unreach answers with an ICMP message and nf_send_reset with a
// RST, made in place of whom the packet was for. A bridged packet's RST goes back through the port it came
// by, with the hardware addresses exchanged.
#include "stack/ipv4/netfilter/nf_reject_ipv4.h"

#include "stack/core/dst.h"
#include "stack/core/netdevice.h"
#include "stack/ethernet/eth.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/netfilter.h"
#include "stack/ipv4/tcp.h"
#include "stack/netfilter/utils.h"

namespace skbwalk {

namespace {

constexpr u32 LL_MAX_HEADER = 128;

} // namespace

const tcphdr *nf_reject_ip_tcphdr_get(sk_buff &oldskb, tcphdr &_oth, u32 hook)
{
	TRACE(oldskb);
	const iphdr &iph = ip_hdr(oldskb);

	if (ntohs(iph.frag_off) & IP_OFFSET || iph.protocol != IPPROTO_TCP)
		return nullptr;
	const auto *oth = static_cast<const tcphdr *>(
		skb_header_pointer(oldskb, static_cast<int>(ip_hdrlen(oldskb)), sizeof(tcphdr), &_oth));
	if (!oth || oth->rst()) // no RST for a RST
		return nullptr;
	if (nf_ip_checksum(oldskb, hook, ip_hdrlen(oldskb), IPPROTO_TCP))
		return nullptr;
	return oth;
}

iphdr &nf_reject_iphdr_put(sk_buff &nskb, const sk_buff &oldskb, u8 protocol, int ttl)
{
	TRACE(nskb);
	const iphdr &oiph = ip_hdr(oldskb);

	skb_reset_network_header(nskb);
	auto &niph = *reinterpret_cast<iphdr *>(skb_put(nskb, sizeof(iphdr)));

	niph = {};
	niph.ver_ihl = 0x45;
	niph.frag_off = htons(IP_DF);
	niph.protocol = protocol;
	niph.saddr = oiph.daddr;
	niph.daddr = oiph.saddr;
	niph.ttl = static_cast<u8>(ttl);
	nskb.protocol = htons(ETH_P_IP);
	return niph;
}

void nf_reject_ip_tcphdr_put(sk_buff &nskb, const sk_buff &oldskb, const tcphdr &oth)
{
	TRACE(nskb);
	const iphdr &niph = ip_hdr(nskb);

	skb_reset_transport_header(nskb);
	auto &th = *reinterpret_cast<tcphdr *>(skb_put(nskb, sizeof(tcphdr)));

	th = {};
	th.source = oth.dest;
	th.dest = oth.source;
	th.doff_res = sizeof(tcphdr) / 4 << 4;
	th.flags = TCPHDR_RST;
	if (oth.ack()) {
		th.seq = oth.ack_seq;
	} else {
		th.ack_seq = htonl(ntohl(oth.seq) + oth.syn() + oth.fin() + oldskb.len - ip_hdrlen(oldskb) -
		                   oth.doff() * 4);
		th.flags |= TCPHDR_ACK;
	}
	const be16 sum = tcp_v4_check(sizeof(tcphdr), niph.saddr, niph.daddr, 0);

	th.check = std::bit_cast<be16>(static_cast<u16>(~sum.raw()));
	nskb.ip_summed = CHECKSUM_PARTIAL;
	nskb.csum_start = static_cast<u16>(reinterpret_cast<u8 *>(&th) - nskb.head);
	nskb.csum_offset = offsetof(tcphdr, check);
}

static int nf_reject_fill_skb_dst(sk_buff &skb_in)
{
	TRACE(skb_in);
	dst_entry *dst = nullptr;
	flowi4 fl;

	fl.daddr = ip_hdr(skb_in).saddr;
	nf_ip_route(dev_net(*skb_in.dev), dst, fl);
	if (!dst)
		return -1;
	skb_dst_set(skb_in, dst);
	return 0;
}

void nf_send_reset(net &net, sock *sk, sk_buff &oldskb, u32 hook)
{
	TRACE(oldskb, sk);
	tcphdr _oth;
	const tcphdr *oth = nf_reject_ip_tcphdr_get(oldskb, _oth, hook);

	if (!oth)
		return;
	if (!skb_dst(oldskb) && nf_reject_fill_skb_dst(oldskb) < 0)
		return;
	if (skb_rtable(oldskb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST))
		return;
	skb_ptr nskb =
		alloc_skb(static_cast<u32>(sizeof(iphdr) + sizeof(tcphdr)) + LL_MAX_HEADER, GFP_ATOMIC);
	if (!nskb)
		return;
	skb_dst_set_noref(*nskb, skb_dst(oldskb)); // ip_route_me_harder starts from it
	nskb->mark = net.ipv4.sysctl_fwmark_reflect ? oldskb.mark : 0;
	skb_reserve(*nskb, LL_MAX_HEADER);
	nf_reject_iphdr_put(*nskb, oldskb, IPPROTO_TCP, ip4_dst_hoplimit(*skb_dst(*nskb)));
	nf_reject_ip_tcphdr_put(*nskb, oldskb, *oth);
	if (ip_route_me_harder(net, sk, *nskb, RTN_UNSPEC) || nskb->len > dst_mtu(*skb_dst(*nskb))) {
		kfree_skb(std::move(nskb));
		return;
	}
	nf_ct_attach(*nskb, oldskb);
	nf_ct_set_closing(skb_nfct(oldskb));

	const auto *nf_bridge = static_cast<const nf_bridge_info *>(skb_ext_find(oldskb, SKB_EXT_BRIDGE_NF));
	if (!nf_bridge) {
		sock *owner = nskb->sk;

		ip_local_out(net, owner, std::move(nskb));
		return;
	}
	const auto &oeth = *reinterpret_cast<const ethhdr *>(skb_mac_header(oldskb));
	net_device *br_indev = dev_get_by_index_rcu(net, nf_bridge->physinif);
	if (br_indev) {
		iphdr &niph = ip_hdr(*nskb);

		nskb->dev = br_indev;
		niph.tot_len = htons(static_cast<u16>(nskb->len));
		ip_send_check(niph);
		if (dev_hard_header(*nskb, *br_indev, ntohs(nskb->protocol), oeth.h_source.data(),
		                    oeth.h_dest.data(), nskb->len) >= 0) {
			dev_queue_xmit(std::move(nskb));
			return;
		}
	}
	kfree_skb(std::move(nskb));
}

static bool nf_reject_verify_csum(const sk_buff &skb, u32 dataoff, u8 proto)
{
	TRACE_INLINE(skb);
	udphdr buffer;

	if (ntohs(ip_hdr(skb).frag_off) & (IP_OFFSET | IP_MF))
		return false;
	if (proto == IPPROTO_UDP) { // none is a right one
		const auto *uh = static_cast<const udphdr *>(
			skb_header_pointer(skb, static_cast<int>(dataoff), sizeof(buffer), &buffer));

		return !uh || static_cast<bool>(uh->check);
	}
	return proto == IPPROTO_TCP || proto == IPPROTO_ICMP;
}

void nf_send_unreach(sk_buff &skb_in, int code, u32 hook)
{
	TRACE(skb_in);
	const iphdr &iph = ip_hdr(skb_in);
	const u32 dataoff = ip_hdrlen(skb_in);
	const u8 proto = iph.protocol;

	if (ntohs(iph.frag_off) & IP_OFFSET)
		return;
	if (!skb_dst(skb_in) && nf_reject_fill_skb_dst(skb_in) < 0)
		return;
	if (skb_csum_unnecessary(skb_in) || !nf_reject_verify_csum(skb_in, dataoff, proto)) {
		icmp_send(skb_in, ICMP_DEST_UNREACH, code, {});
		return;
	}
	if (!nf_ip_checksum(skb_in, hook, dataoff, proto))
		icmp_send(skb_in, ICMP_DEST_UNREACH, code, {});
}

} // namespace skbwalk
