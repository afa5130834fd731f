// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_input.c. A packet of ETH_P_IP comes into ip_rcv: ip_rcv_core checks the header and cuts
// padding, PRE_ROUTING has its say, ip_rcv_finish_core finds the route (that of a socket by early demux, that
// of the packet before it by a hint, else by ip_route_input_noref) and reads options; dst_input then leads to
// ip_local_deliver, ip_forward or ip_error. Local delivery reassembles, passes LOCAL_IN, and
// ip_protocol_deliver_rcu gives the packet to raw sockets and to its protocol. ip_list_rcv does the same for
// a list and dispatches runs that share a route; the memory of all its packets' sockets is asked for at once.
// Left out: multicast routing.
#include "stack/core/xfrm.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/tcp.h"
#include "stack/netfilter/netfilter.h"

namespace skbwalk {

namespace {

sk_buff &skb_on(list_head &l) { return list_entry(l, &sk_buff::tcp_tsorted_anchor); }

skb_ptr take_first(list_head &head)
{
	sk_buff &skb = skb_on(*head.next);

	list_del_init(skb.tcp_tsorted_anchor);
	return skb_ptr(&skb);
}

skb_ptr drop(skb_ptr skb, skb_drop_reason reason)
{
	kfree_skb_reason(std::move(skb), reason);
	return nullptr;
}

skb_ptr inhdr_error(net &net, skb_ptr skb, skb_drop_reason reason)
{
	__IP_INC_STATS(net, IPSTATS_MIB_INHDRERRORS);
	return drop(std::move(skb), reason);
}

int dropped(skb_ptr &skb, skb_drop_reason reason)
{
	kfree_skb_reason(std::move(skb), reason);
	return NET_RX_DROP;
}

// A route could not be had.
int drop_error(net &net, skb_ptr &skb, int err)
{
	if (err != -EXDEV)
		return dropped(skb, SKB_DROP_REASON_NOT_SPECIFIED);
	__NET_INC_STATS(net, LINUX_MIB_IPRPFILTER);
	return dropped(skb, SKB_DROP_REASON_IP_RPFILTER);
}

} // namespace

// Gives a packet with the router alert option to the raw sockets that asked for such.
bool ip_call_ra_chain(skb_ptr &skb)
{
	TRACE(skb);
	const u8 protocol = ip_hdr(*skb).protocol;
	const net_device &dev = *skb->dev;
	net &net = dev_net(dev);
	sock *last = nullptr;

	for (ip_ra_chain *ra = net.ipv4.ra_chain; ra; ra = ra->next) {
		sock *sk = ra->sk;

		if (!sk || inet_sk(*sk).inet_num != protocol ||
		    (sk->sk_bound_dev_if && sk->sk_bound_dev_if != dev.ifindex))
			continue;
		if (ip_is_fragment(ip_hdr(*skb)) && ip_defrag(net, skb, IP_DEFRAG_CALL_RA_CHAIN))
			return true;
		if (last) {
			if (skb_ptr skb2 = skb_clone(*skb, GFP_ATOMIC))
				raw_rcv(*last, std::move(skb2));
		}
		last = sk;
	}
	if (!last)
		return false;
	raw_rcv(*last, std::move(skb));
	return true;
}

void ip_protocol_deliver_rcu(net &net, skb_ptr skb, int protocol)
{
	TRACE(skb);
	const bool raw = raw_local_deliver(*skb, protocol);
	const net_protocol *ipprot = inet_protos_of->inet_protos[static_cast<u8>(protocol)];

	if (!ipprot) {
		if (raw) {
			__IP_INC_STATS(net, IPSTATS_MIB_INDELIVERS);
			return consume_skb(std::move(skb));
		}
		if (xfrm4_policy_check(nullptr, XFRM_POLICY_IN, *skb)) {
			__IP_INC_STATS(net, IPSTATS_MIB_INUNKNOWNPROTOS);
			icmp_send(*skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, be32{});
		}
		return kfree_skb_reason(std::move(skb), SKB_DROP_REASON_IP_NOPROTO);
	}
	if (!ipprot->no_policy) {
		if (!xfrm4_policy_check(nullptr, XFRM_POLICY_IN, *skb))
			return kfree_skb_reason(std::move(skb), SKB_DROP_REASON_XFRM_POLICY);
		nf_reset_ct(*skb);
	}
	// A negative answer would name the protocol that a tunnel took out of the packet; there is no tunnel
	// here.
	[[maybe_unused]] const int ret = ipprot->handler(std::move(skb));

	assert(ret >= 0);
	__IP_INC_STATS(net, IPSTATS_MIB_INDELIVERS);
}

int ip_local_deliver_finish(net &net, sock *, skb_ptr skb)
{
	TRACE(skb);
	skb_clear_delivery_time(*skb);
	__skb_pull(*skb, skb_network_header_len(*skb));

	rcu_read_lock();
	const int protocol = ip_hdr(*skb).protocol;
	ip_protocol_deliver_rcu(net, std::move(skb), protocol);
	rcu_read_unlock();
	return 0;
}

int ip_local_deliver(skb_ptr skb)
{
	TRACE(skb);
	net &net = dev_net(*skb->dev);

	if (ip_is_fragment(ip_hdr(*skb)) && ip_defrag(net, skb, IP_DEFRAG_LOCAL_DELIVER))
		return 0;
	net_device *dev = skb->dev;
	return NF_HOOK(NFPROTO_IPV4, NF_INET_LOCAL_IN, net, nullptr, std::move(skb), dev, nullptr,
	               ip_local_deliver_finish);
}

// True: the packet must go.
static bool ip_rcv_options(sk_buff &skb, net_device &dev)
{
	TRACE(skb, dev);
	// Options are changed in place.
	if (skb_cow(skb, skb_headroom(skb))) {
		__IP_INC_STATS(dev_net(dev), IPSTATS_MIB_INDISCARDS);
		return true;
	}
	inet_skb_cb &opt = IPCB(skb);

	opt.optlen = static_cast<u8>(ip_hdrlen(skb) - sizeof(iphdr));
	if (ip_options_compile(dev_net(dev), opt, &skb)) {
		__IP_INC_STATS(dev_net(dev), IPSTATS_MIB_INHDRERRORS);
		return true;
	}
	if (opt.srr) {
		const in_device *in_dev = __in_dev_get_rcu(dev);

		if (in_dev && !IN_DEV_ANDCONF(*in_dev, IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE))
			return true;
		if (ip_options_rcv_srr(skb, dev))
			return true;
	}
	return false;
}

static bool ip_can_use_hint(const sk_buff &skb, const iphdr &iph, const sk_buff *hint)
{
	TRACE(skb);
	return hint && !skb_dst(skb) && ip_hdr(*hint).daddr == iph.daddr && ip_hdr(*hint).tos == iph.tos;
}

// Gives the packet a route. NET_RX_DROP: it is gone.
static int ip_rcv_finish_core(net &net, sock *, skb_ptr &skb, net_device &dev, const sk_buff *hint)
{
	TRACE(skb, dev);
	const auto iph = [&]() -> const iphdr & {
		return ip_hdr(*skb);
	}; // anew after each call: the head can move

	if (ip_can_use_hint(*skb, iph(), hint)) {
		const int err = ip_route_use_hint(*skb, iph().daddr, iph().saddr, iph().tos, dev, *hint);

		if (err)
			return drop_error(net, skb, err);
	}
	if (net.ipv4.sysctl_ip_early_demux && !skb_dst(*skb) && !skb->sk && !ip_is_fragment(iph())) {
		switch (iph().protocol) {
		case IPPROTO_TCP:
			if (net.ipv4.sysctl_tcp_early_demux)
				tcp_v4_early_demux(*skb);
			break;
		case IPPROTO_UDP:
			if (net.ipv4.sysctl_udp_early_demux) {
				const int err = udp_v4_early_demux(*skb);

				if (err)
					return drop_error(net, skb, err);
			}
			break;
		}
	}
	if (!skb_valid_dst(*skb)) {
		const int err = ip_route_input_noref(*skb, iph().daddr, iph().saddr, iph().tos, dev);

		if (err)
			return drop_error(net, skb, err);
	} else {
		const in_device *in_dev = __in_dev_get_rcu(dev);

		if (in_dev && IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_NOPOLICY))
			IPCB(*skb).flags |= IPSKB_NOPOLICY;
	}
	if (iph().ihl() > 5 && ip_rcv_options(*skb, dev))
		return dropped(skb, SKB_DROP_REASON_NOT_SPECIFIED);

	const rtable &rt = *skb_rtable(*skb);
	if (rt.rt_type == RTN_MULTICAST) {
		IP_UPD_PO_STATS(net, IPSTATS_MIB_INMCASTPKTS, IPSTATS_MIB_INMCASTOCTETS, skb->len);
	} else if (rt.rt_type == RTN_BROADCAST) {
		IP_UPD_PO_STATS(net, IPSTATS_MIB_INBCASTPKTS, IPSTATS_MIB_INBCASTOCTETS, skb->len);
	} else if (skb->pkt_type == PACKET_BROADCAST || skb->pkt_type == PACKET_MULTICAST) {
		// RFC 1122, section 3.3.6: a frame to all whose packet is to one.
		const in_device *in_dev = __in_dev_get_rcu(dev);

		if (in_dev && IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST))
			return dropped(skb, SKB_DROP_REASON_UNICAST_IN_L2_MULTICAST);
	}
	return NET_RX_SUCCESS;
}

static int ip_rcv_finish(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	net_device &dev = *skb->dev;

	skb = l3mdev_ip_rcv(std::move(skb));
	if (!skb)
		return NET_RX_SUCCESS;
	const int ret = ip_rcv_finish_core(net, sk, skb, dev, nullptr);

	return ret == NET_RX_DROP ? ret : dst_input(std::move(skb));
}

// Is it a sound IPv4 packet (RFC 1122, section 3.2.1)? Null: it was not, and is gone.
static skb_ptr ip_rcv_core(skb_ptr skb, net &net)
{
	TRACE(skb);
	if (skb->pkt_type == PACKET_OTHERHOST) // seen because the device is promiscuous
		return drop(std::move(skb), SKB_DROP_REASON_OTHERHOST);
	IP_UPD_PO_STATS(net, IPSTATS_MIB_INPKTS, IPSTATS_MIB_INOCTETS, skb->len);

	skb = skb_share_check(std::move(skb), GFP_ATOMIC);
	if (!skb) {
		__IP_INC_STATS(net, IPSTATS_MIB_INDISCARDS);
		return nullptr;
	}
	if (!pskb_may_pull(*skb, sizeof(iphdr)))
		return inhdr_error(net, std::move(skb), SKB_DROP_REASON_IP_INHDR);
	const u32 hlen = ip_hdrlen(*skb);
	if (ip_hdr(*skb).ihl() < 5 || ip_hdr(*skb).version() != 4)
		return inhdr_error(net, std::move(skb), SKB_DROP_REASON_IP_INHDR);
	IP_ADD_STATS(
		net,
		static_cast<ipstats_mib_item>(IPSTATS_MIB_NOECTPKTS + (ip_hdr(*skb).tos & INET_ECN_MASK)),
		std::max<u16>(1, skb_shinfo(*skb).gso_segs));
	if (!pskb_may_pull(*skb, hlen))
		return inhdr_error(net, std::move(skb), SKB_DROP_REASON_IP_INHDR);
	if (ip_fast_csum(&ip_hdr(*skb), ip_hdr(*skb).ihl())) {
		__IP_INC_STATS(net, IPSTATS_MIB_CSUMERRORS);
		return inhdr_error(net, std::move(skb), SKB_DROP_REASON_IP_CSUM);
	}
	const u32 len = ntohs(ip_hdr(*skb).tot_len);
	if (skb->len < len) {
		__IP_INC_STATS(net, IPSTATS_MIB_INTRUNCATEDPKTS);
		return drop(std::move(skb), SKB_DROP_REASON_PKT_TOO_SMALL);
	}
	if (len < hlen)
		return inhdr_error(net, std::move(skb), SKB_DROP_REASON_IP_INHDR);
	// The frame may be padded; from here on the length is the packet's own.
	if (pskb_trim_rcsum(*skb, len)) {
		__IP_INC_STATS(net, IPSTATS_MIB_INDISCARDS);
		return drop(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	}
	skb->transport_header = static_cast<u16>(skb->network_header + hlen);

	IPCB(*skb) = {};
	IPCB(*skb).iif = skb->skb_iif;
	skb_orphan(*skb);
	return skb;
}

int ip_rcv(skb_ptr skb, net_device &dev, packet_type &, net_device &)
{
	TRACE(skb, dev);
	net &net = dev_net(dev);

	skb = ip_rcv_core(std::move(skb), net);
	if (!skb)
		return NET_RX_DROP;
	return NF_HOOK(NFPROTO_IPV4, NF_INET_PRE_ROUTING, net, nullptr, std::move(skb), &dev, nullptr,
	               ip_rcv_finish);
}

static void ip_sublist_rcv_finish(list_head &head)
{
	TRACE();
	while (!list_empty(head))
		dst_input(take_first(head));
}

// May the next packet take this one's route?
static const sk_buff *ip_extract_route_hint(const net &net, const sk_buff &skb, int rt_type)
{
	TRACE(skb);
	if (net.ipv4.fib_has_custom_rules || rt_type == RTN_BROADCAST || (IPCB(skb).flags & IPSKB_MULTIPATH))
		return nullptr;
	return &skb;
}

// Unlike the kernel, asks for what early demux will read of each packet's socket before it is needed, so that
// the waits for a list's sockets overlap; what says where travels with the packet.
// not traced: the kernel has no function for it
static void prefetch_sockets(const net &net, list_head &head)
{
	std::array<established_hint *, 16> hints;
	std::size_t count = 0;
	const auto fetch = [&] {
		const std::span these = std::span(hints).first(std::exchange(count, 0));

		prefetch_established(*tcp_hashinfo, these);
		prefetch_receivers(*tcp_hashinfo, these);
	};

	for (list_head *at = head.next; at != &head; at = at->next) {
		sk_buff &skb = skb_on(*at);
		const iphdr &iph = ip_hdr(skb);
		const auto ports_end = static_cast<u32>(skb_transport_offset(skb)) + sizeof(u32);

		if (iph.protocol != IPPROTO_TCP || skb.pkt_type != PACKET_HOST || skb.sk ||
		    ip_is_fragment(iph) || skb_headlen(skb) < ports_end)
			continue;
		const tcphdr &th = tcp_hdr(skb);
		established_hint &hint = established_hint_of(skb);
		hint.hash =
			established_hash(*tcp_hashinfo, net, iph.daddr, ntohs(th.dest), iph.saddr, th.source);
		prefetch_line(*tcp_hashinfo, hint.hash);
		IPCB(skb).flags |= IPSKB_EHASH;
		hints[count++] = &hint;
		if (count == hints.size())
			fetch();
	}
	fetch();
}

static void ip_list_rcv_finish(net &net, sock *sk, list_head &head)
{
	TRACE(sk);
	const dst_entry *curr_dst = nullptr;
	const sk_buff *hint = nullptr;
	list_head sublist;

	if (head.next != head.prev && net.ipv4.sysctl_ip_early_demux && net.ipv4.sysctl_tcp_early_demux)
		prefetch_sockets(net, head);
	while (!list_empty(head)) {
		skb_ptr skb = take_first(head);
		net_device &dev = *skb->dev;

		skb = l3mdev_ip_rcv(std::move(skb));
		if (!skb || ip_rcv_finish_core(net, sk, skb, dev, hint) == NET_RX_DROP)
			continue;
		const dst_entry *dst = skb_dst(*skb);
		if (curr_dst != dst) {
			hint = ip_extract_route_hint(net, *skb, skb_rtable(*skb)->rt_type);
			if (!list_empty(sublist))
				ip_sublist_rcv_finish(sublist);
			curr_dst = dst;
		}
		list_add_tail(skb.release()->tcp_tsorted_anchor, sublist);
	}
	ip_sublist_rcv_finish(sublist);
}

static void ip_sublist_rcv(list_head &head, net_device &dev, net &net)
{
	TRACE(dev);
	NF_HOOK_LIST(NFPROTO_IPV4, NF_INET_PRE_ROUTING, net, nullptr, head, &dev, nullptr, ip_rcv_finish);
	ip_list_rcv_finish(net, nullptr, head);
}

void ip_list_rcv(list_head &head, packet_type &, net_device &)
{
	TRACE();
	net_device *curr_dev = nullptr;
	net *curr_net = nullptr;
	list_head sublist;

	while (!list_empty(head)) {
		skb_ptr skb = take_first(head);
		net_device *dev = skb->dev;
		net &net = dev_net(*dev);

		skb = ip_rcv_core(std::move(skb), net);
		if (!skb)
			continue;
		if (curr_dev != dev || curr_net != &net) {
			if (!list_empty(sublist))
				ip_sublist_rcv(sublist, *curr_dev, *curr_net);
			curr_dev = dev;
			curr_net = &net;
		}
		list_add_tail(skb.release()->tcp_tsorted_anchor, sublist);
	}
	if (!list_empty(sublist))
		ip_sublist_rcv(sublist, *curr_dev, *curr_net);
}

} // namespace skbwalk
