// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_netfilter_hooks.c: on a bridge's hooks, ask those of IPv4 too. br_nf_pre_routing makes a
// frame look like a packet that the bridge's device received (checked, device, a stand-in for a route) and
// asks PRE_ROUTING; br_nf_forward_ip asks FORWARD between the bridge and itself, br_nf_post_routing
// POST_ROUTING. Behind each, br_nf_hook_thresh goes on with the bridge's other hooks. What comes up to IPv4
// was asked already: ip_sabotage_in lets it pass. ARP is asked on FORWARD (br_nf_forward_arp). Destination
// NAT sends a packet to the new receiver, on this bridge or by a route. Left out: IPv6, PPPoE, VLAN devices,
// transparent proxies.
#include "stack/bridge/br_netfilter.h"

#include <cstring>

#include "stack/bridge/br_private.h"
#include "stack/core/neighbour.h"
#include "stack/ipv4/ip.h"
#include "stack/kernel/kmod.h"
#include "stack/netfilter/netfilter_bridge.h"
#include "stack/netfilter/nf_conntrack.h"

namespace skbwalk {

namespace {

struct brnf_net {
	bool enabled = false;
	int call_iptables = 1, call_ip6tables = 1, call_arptables = 1;
	int filter_vlan_tagged = 0, filter_pppoe_tagged = 0, pass_vlan_indev = 0;
};
struct brnf_host {
	bool loaded = false;
};
perhost<brnf_host> brnf_of_host;

// The link-layer header of a packet that is about to be cut into fragments, which get copies.
struct brnf_frag_data {
	u8 mac[ETH_HLEN + VLAN_HLEN];
	u8 encap_size;
	u8 size;
	u16 vlan_tci;
	be16 vlan_proto;
};
percpu<brnf_frag_data> brnf_frag_data_storage;

bool IS_IP(const sk_buff &skb) { return !skb_vlan_tag_present(skb) && skb.protocol == htons(ETH_P_IP); }
bool IS_ARP(const sk_buff &skb) { return !skb_vlan_tag_present(skb) && skb.protocol == htons(ETH_P_ARP); }

// The protocol behind a VLAN tag.
be16 vlan_proto(const sk_buff &skb)
{
	if (skb_vlan_tag_present(skb))
		return skb.protocol;
	if (skb.protocol == htons(ETH_P_8021Q))
		return vlan_eth_hdr(skb).h_vlan_encapsulated_proto;
	return be16{};
}

} // namespace

static int brnf_init_net(net &net);
static void brnf_exit_net(net &net);
static constexpr pernet_operations brnf_net_ops = {"br_netfilter", brnf_init_net, brnf_exit_net};

namespace {

brnf_net &brnf_of(net &net) { return *static_cast<brnf_net *>(net_generic(net, brnf_net_ops).get()); }
bool is_vlan_ip(const sk_buff &skb, net &net)
{
	return vlan_proto(skb) == htons(ETH_P_IP) && brnf_of(net).filter_vlan_tagged;
}
bool is_vlan_arp(const sk_buff &skb, net &net)
{
	return vlan_proto(skb) == htons(ETH_P_ARP) && brnf_of(net).filter_vlan_tagged;
}
net_device *bridge_parent(const net_device &dev)
{
	const net_bridge_port *port = br_port_get_rcu(dev);

	return port ? port->br->dev : nullptr;
}
int drop(skb_ptr skb)
{
	kfree_skb(std::move(skb));
	return 0;
}

} // namespace

static u32 nf_bridge_encap_header_len(const sk_buff &skb)
{
	TRACE(skb);
	return skb.protocol == htons(ETH_P_8021Q) ? VLAN_HLEN : 0;
}

static void nf_bridge_push_encap_header(sk_buff &skb)
{
	TRACE_INLINE(skb);
	const u32 len = nf_bridge_encap_header_len(skb);

	skb_push(skb, len);
	skb.network_header = static_cast<u16>(skb.network_header - len);
}

static void nf_bridge_pull_encap_header(sk_buff &skb)
{
	TRACE_INLINE(skb);
	const u32 len = nf_bridge_encap_header_len(skb);

	skb_pull(skb, len);
	skb.network_header = static_cast<u16>(skb.network_header + len);
}

static void nf_bridge_pull_encap_header_rcsum(sk_buff &skb)
{
	TRACE_INLINE(skb);
	const u32 len = nf_bridge_encap_header_len(skb);

	skb_pull_rcsum(skb, len);
	skb.network_header = static_cast<u16>(skb.network_header + len);
}

static int br_nf_hook_thresh(u32 hook, net &net, sock *sk, skb_ptr skb, net_device *indev, net_device *outdev,
                             nf_okfn okfn);

// What ip_rcv would refuse is refused here.
static int br_validate_ipv4(net &net, sk_buff &skb)
{
	TRACE(skb);
	const auto inhdr_error = [&] {
		__IP_INC_STATS(net, IPSTATS_MIB_INHDRERRORS);
		return -1;
	};

	if (!pskb_may_pull(skb, sizeof(iphdr)))
		return inhdr_error();
	if (ip_hdr(skb).ihl() < 5 || ip_hdr(skb).version() != 4 || !pskb_may_pull(skb, ip_hdr(skb).ihl() * 4))
		return inhdr_error();
	if (ip_fast_csum(&ip_hdr(skb), ip_hdr(skb).ihl())) {
		__IP_INC_STATS(net, IPSTATS_MIB_CSUMERRORS);
		return inhdr_error();
	}
	const u32 len = ntohs(ip_hdr(skb).tot_len);

	if (skb.len < len) {
		__IP_INC_STATS(net, IPSTATS_MIB_INTRUNCATEDPKTS);
		return -1;
	}
	if (len < ip_hdr(skb).ihl() * 4)
		return inhdr_error();
	if (pskb_trim_rcsum(skb, len)) {
		__IP_INC_STATS(net, IPSTATS_MIB_INDISCARDS);
		return -1;
	}
	IPCB(skb) = {};
	return 0;
}

static void nf_bridge_update_protocol(sk_buff &skb)
{
	TRACE(skb);
	if (nf_bridge_info_get(skb)->orig_proto == BRNF_PROTO_8021Q)
		skb.protocol = htons(ETH_P_8021Q);
}

// --- PRE_ROUTING ---

// The packet was given a new address, of somebody on this bridge: it needs that one's link-layer address, and
// goes on as if it had come in like that. An address that is not known yet is asked for: the packet waits in
// the neighbour's queue and comes back through br_nf_dev_xmit.
static int br_nf_pre_routing_finish_bridge(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	skb->dev = bridge_parent(*skb->dev);
	if (!skb->dev)
		return drop(std::move(skb));
	neighbour *neigh = dst_neigh_lookup_skb(*skb_dst(*skb), *skb);

	if (!neigh)
		return drop(std::move(skb));
	int ret = 0;

	if ((neigh->nud_state & NUD_CONNECTED) && neigh->hh.hh_len) {
		if (net_device *br_indev = nf_bridge_get_physindev(*skb, net)) {
			const auto &eth =
				*reinterpret_cast<const ethhdr *>(neigh->hh.hh_data + HH_DATA_OFF(ETH_HLEN));

			std::memcpy(skb->data - ETH_HLEN, eth.h_dest.data(), ETH_ALEN);
			skb->dev = br_indev;
			ret = br_handle_frame_finish(net, sk, std::move(skb));
		} else {
			drop(std::move(skb));
		}
	} else {
		nf_bridge_info &nf_bridge = *nf_bridge_info_get(*skb);

		// The neighbour writes a header of its own; the sender's address and the type must survive.
		static_assert(sizeof(nf_bridge.neigh_header) == ETH_HLEN - ETH_ALEN);
		std::memcpy(nf_bridge.neigh_header, skb->data - sizeof(nf_bridge.neigh_header),
		            sizeof(nf_bridge.neigh_header));
		nf_bridge.bridged_dnat = 1;
		ret = neigh->output(*neigh, std::move(skb));
	}
	neigh_release(*neigh);
	return ret;
}

static bool br_nf_ipv4_daddr_was_changed(const sk_buff &skb, const nf_bridge_info &nf_bridge)
{
	TRACE_INLINE(skb);
	return !(ip_hdr(skb).daddr == nf_bridge.ipv4_daddr);
}

namespace {

enum class dnat_fate { bridged, routed, gone };

// Where does the new address lead? Back into this bridge, or elsewhere: then the packet is for us to route. A
// host that does not forward may still bridge it.
dnat_fate route_dnated(net &net, skb_ptr &skb, net_device &dev)
{
	const iphdr &iph = ip_hdr(*skb);

	if (const int err = ip_route_input(*skb, iph.daddr, iph.saddr, iph.tos, dev)) {
		const in_device *in_dev = __in_dev_get_rcu(dev);

		if (err == -EHOSTUNREACH && in_dev && !IN_DEV_FORWARD(*in_dev)) {
			const rt_or_err found =
				ip_route_output(net, iph.daddr, be32{}, iph.tos & IPTOS_RT_MASK, 0);

			if (found.rt) {
				if (found.rt->dev == &dev) {
					skb_dst_drop(*skb);
					skb_dst_set(*skb, found.rt);
					return dnat_fate::bridged;
				}
				ip_rt_put(*found.rt);
			}
		}
		drop(std::move(skb));
		return dnat_fate::gone;
	}
	if (skb_dst(*skb)->dev == &dev)
		return dnat_fate::bridged;
	eth_hdr(*skb).h_dest = dev.dev_addr;
	skb->pkt_type = PACKET_HOST;
	return dnat_fate::routed;
}

} // namespace

static int br_nf_pre_routing_finish(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	nf_bridge_info &nf_bridge = *nf_bridge_info_get(*skb);
	net_device &dev = *skb->dev;
	net_device *br_indev = nf_bridge_get_physindev(*skb, net);
	nf_okfn next = br_handle_frame_finish;

	if (!br_indev)
		return drop(std::move(skb));
	nf_bridge.frag_max_size = IPCB(*skb).frag_max_size;
	if (nf_bridge.pkt_otherhost) {
		skb->pkt_type = PACKET_OTHERHOST;
		nf_bridge.pkt_otherhost = 0;
	}
	nf_bridge.in_prerouting = 0;
	if (br_nf_ipv4_daddr_was_changed(*skb, nf_bridge)) {
		switch (route_dnated(net, skb, dev)) {
		case dnat_fate::gone:
			return 0;
		case dnat_fate::bridged:
			next = br_nf_pre_routing_finish_bridge;
			break;
		case dnat_fate::routed:
			break;
		}
	} else {
		rtable *rt = bridge_parent_rtable(*br_indev);

		if (!rt)
			return drop(std::move(skb));
		skb_dst_drop(*skb);
		skb_dst_set_noref(*skb, rt);
	}
	skb->dev = br_indev;
	nf_bridge_update_protocol(*skb);
	nf_bridge_push_encap_header(*skb);
	br_nf_hook_thresh(NF_BR_PRE_ROUTING, net, sk, std::move(skb), br_indev, nullptr, next);
	return 0;
}

static net_device *brnf_get_logical_dev(sk_buff &skb, const net_device &dev)
{
	TRACE(skb, dev);
	return bridge_parent(dev); // a VLAN device on it would go first, when asked for
}

static net_device *setup_pre_routing(sk_buff &skb)
{
	TRACE(skb);
	nf_bridge_info &nf_bridge = *nf_bridge_info_get(skb);

	if (skb.pkt_type == PACKET_OTHERHOST) {
		skb.pkt_type = PACKET_HOST;
		nf_bridge.pkt_otherhost = 1;
	}
	nf_bridge.in_prerouting = 1;
	nf_bridge.physinif = skb.dev->ifindex;
	skb.dev = brnf_get_logical_dev(skb, *skb.dev);
	if (skb.protocol == htons(ETH_P_8021Q))
		nf_bridge.orig_proto = BRNF_PROTO_8021Q;
	skb_orphan(skb);
	return skb.dev;
}

static u32 br_nf_pre_routing(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	net &net = *state.net;

	if (!pskb_may_pull(*skb, nf_bridge_encap_header_len(*skb)))
		return NF_DROP;
	const net_bridge_port *p = br_port_get_rcu(*state.in);

	if (!p)
		return NF_DROP;
	const brnf_net &brnet = brnf_of(net);

	if (!brnet.call_iptables && !br_opt_get(*p->br, BROPT_NF_CALL_IPTABLES))
		return NF_ACCEPT;
	if (!IS_IP(*skb) && !is_vlan_ip(*skb, net))
		return NF_ACCEPT;
	nf_bridge_pull_encap_header_rcsum(*skb);
	if (br_validate_ipv4(net, *skb) || !nf_bridge_alloc(*skb) || !setup_pre_routing(*skb))
		return NF_DROP;
	nf_bridge_info_get(*skb)->ipv4_daddr = ip_hdr(*skb).daddr;
	skb->protocol = htons(ETH_P_IP);
	skb->transport_header = static_cast<u16>(skb->network_header + ip_hdr(*skb).ihl() * 4);

	net_device *in = skb->dev;

	NF_HOOK(NFPROTO_IPV4, NF_INET_PRE_ROUTING, net, state.sk, std::move(skb), in, nullptr,
	        br_nf_pre_routing_finish);
	return NF_STOLEN;
}

// A connection that begins with this packet is confirmed before the packet is cloned for others: clones share
// an entry that only one of them may confirm.
static u32 br_nf_local_in(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	nf_conntrack *nfct = skb_nfct(*skb);

	if (BR_INPUT_SKB_CB(*skb).promisc) {
		nf_reset_ct(*skb);
		return NF_ACCEPT;
	}
	if (!nfct || skb->pkt_type == PACKET_HOST)
		return NF_ACCEPT;
	if (nf_ct_is_confirmed(static_cast<const nf_conn &>(*nfct)))
		return NF_ACCEPT;
	if (refcount_read(nfct->use) != 1) {
		nf_reset_ct(*skb);
		return NF_ACCEPT;
	}
	nf_bridge_pull_encap_header(*skb);
	const u32 verdict = __nf_conntrack_confirm(*skb);

	nf_bridge_push_encap_header(*skb);
	return verdict;
}

// --- FORWARD ---

static int br_nf_forward_finish(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	net_device *in;

	if (!IS_ARP(*skb) && !is_vlan_arp(*skb, net)) {
		nf_bridge_info &nf_bridge = *nf_bridge_info_get(*skb);

		if (skb->protocol == htons(ETH_P_IP))
			nf_bridge.frag_max_size = IPCB(*skb).frag_max_size;
		in = nf_bridge_get_physindev(*skb, net);
		if (!in)
			return drop(std::move(skb));
		if (nf_bridge.pkt_otherhost) {
			skb->pkt_type = PACKET_OTHERHOST;
			nf_bridge.pkt_otherhost = 0;
		}
		nf_bridge_update_protocol(*skb);
	} else {
		std::memcpy(&in, skb->cb, sizeof(in));
	}
	nf_bridge_push_encap_header(*skb);
	net_device *out = skb->dev;

	br_nf_hook_thresh(NF_BR_FORWARD, net, sk, std::move(skb), in, out, br_forward_finish);
	return 0;
}

static u32 br_nf_forward_ip(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	net &net = *state.net;

	if (!nf_bridge_info_get(*skb))
		return NF_ACCEPT;
	// Clones of one frame leave by different ports.
	if (!skb_ext_add(*skb, SKB_EXT_BRIDGE_NF))
		return NF_DROP;
	nf_bridge_info &nf_bridge = *nf_bridge_info_get(*skb);
	net_device *parent = bridge_parent(*state.out);

	if (!parent)
		return NF_DROP;
	if (!IS_IP(*skb) && !is_vlan_ip(*skb, net))
		return NF_ACCEPT;
	nf_bridge_pull_encap_header(*skb);
	if (skb->pkt_type == PACKET_OTHERHOST) {
		skb->pkt_type = PACKET_HOST;
		nf_bridge.pkt_otherhost = 1;
	}
	if (br_validate_ipv4(net, *skb))
		return NF_DROP;
	IPCB(*skb).frag_max_size = nf_bridge.frag_max_size;
	nf_bridge.physoutdev = skb->dev;
	skb->protocol = htons(ETH_P_IP);

	net_device *in = brnf_get_logical_dev(*skb, *state.in);

	NF_HOOK(NFPROTO_IPV4, NF_INET_FORWARD, net, nullptr, std::move(skb), in, parent,
	        br_nf_forward_finish);
	return NF_STOLEN;
}

static u32 br_nf_forward_arp(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	net &net = *state.net;
	const net_bridge_port *p = br_port_get_rcu(*state.out);

	if (!p)
		return NF_ACCEPT;
	if (!brnf_of(net).call_arptables && !br_opt_get(*p->br, BROPT_NF_CALL_ARPTABLES))
		return NF_ACCEPT;
	if (!IS_ARP(*skb)) {
		if (!is_vlan_arp(*skb, net))
			return NF_ACCEPT;
		nf_bridge_pull_encap_header(*skb);
	}
	if (!pskb_may_pull(*skb, sizeof(arphdr)))
		return NF_DROP;
	if (arp_hdr(*skb).ar_pln != 4) {
		if (is_vlan_arp(*skb, net))
			nf_bridge_push_encap_header(*skb);
		return NF_ACCEPT;
	}
	std::memcpy(skb->cb, &state.in, sizeof(state.in));
	NF_HOOK(NFPROTO_ARP, NF_ARP_FORWARD, net, state.sk, std::move(skb), state.in, state.out,
	        br_nf_forward_finish);
	return NF_STOLEN;
}

// --- POST_ROUTING ---

static int br_nf_push_frag_xmit(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	const brnf_frag_data &data = *brnf_frag_data_storage;

	if (skb_cow_head(*skb, data.size))
		return drop(std::move(skb));
	if (data.vlan_proto)
		__vlan_hwaccel_put_tag(*skb, data.vlan_proto, data.vlan_tci);
	std::memcpy(skb->data - data.size, data.mac, data.size);
	__skb_push(*skb, data.encap_size);
	skb_ext_del(*skb, SKB_EXT_BRIDGE_NF);
	return br_dev_queue_push_xmit(net, sk, std::move(skb));
}

static int br_nf_ip_fragment(net &net, sock *sk, skb_ptr skb,
                             int (*output)(skbwalk::net &net, sock *sk, skb_ptr skb))
{
	TRACE(skb, sk);
	const u32 mtu = ip_skb_dst_mtu(sk, *skb);
	const iphdr &iph = ip_hdr(*skb);

	if (((ntohs(iph.frag_off) & IP_DF) && !skb->ignore_df) ||
	    (IPCB(*skb).frag_max_size && IPCB(*skb).frag_max_size > mtu)) {
		IP_INC_STATS(net, IPSTATS_MIB_FRAGFAILS);
		kfree_skb(std::move(skb));
		return -EMSGSIZE;
	}
	return ip_do_fragment(net, sk, std::move(skb), output);
}

// What defragmentation made one packet of is cut again, to what it was.
static int br_nf_dev_queue_xmit(net &net, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	nf_bridge_info &nf_bridge = *nf_bridge_info_get(*skb);
	u32 mtu = skb->dev->mtu;

	if (nf_bridge.pkt_otherhost) {
		skb->pkt_type = PACKET_OTHERHOST;
		nf_bridge.pkt_otherhost = 0;
	}
	if (nf_bridge.frag_max_size && nf_bridge.frag_max_size < mtu)
		mtu = nf_bridge.frag_max_size;
	nf_bridge_update_protocol(*skb);
	nf_bridge_push_encap_header(*skb);
	if (skb_is_gso(*skb) || skb->len <= mtu || !(skb->protocol == htons(ETH_P_IP))) {
		skb_ext_del(*skb, SKB_EXT_BRIDGE_NF);
		return br_dev_queue_push_xmit(net, sk, std::move(skb));
	}
	if (br_validate_ipv4(net, *skb))
		return drop(std::move(skb));
	IPCB(*skb).frag_max_size = nf_bridge.frag_max_size;

	brnf_frag_data &data = *brnf_frag_data_storage;

	data.vlan_proto = skb_vlan_tag_present(*skb) ? skb->vlan_proto : be16{};
	data.vlan_tci = skb->vlan_tci;
	data.encap_size = static_cast<u8>(nf_bridge_encap_header_len(*skb));
	data.size = static_cast<u8>(ETH_HLEN + data.encap_size);
	std::memcpy(data.mac, skb->data - data.size, data.size);
	return br_nf_ip_fragment(net, sk, std::move(skb), br_nf_push_frag_xmit);
}

static u32 br_nf_post_routing(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	net &net = *state.net;
	nf_bridge_info *nf_bridge = nf_bridge_info_get(*skb);
	net_device *realoutdev = bridge_parent(*skb->dev);

	// Without an outgoing port it came up to IPv4 and was routed: that asked already.
	if (!nf_bridge || !nf_bridge->physoutdev)
		return NF_ACCEPT;
	if (!realoutdev)
		return NF_DROP;
	if (!IS_IP(*skb) && !is_vlan_ip(*skb, net))
		return NF_ACCEPT;
	if (skb->pkt_type == PACKET_OTHERHOST) {
		skb->pkt_type = PACKET_HOST;
		nf_bridge->pkt_otherhost = 1;
	}
	nf_bridge_pull_encap_header(*skb);
	skb->protocol = htons(ETH_P_IP);
	NF_HOOK(NFPROTO_IPV4, NF_INET_POST_ROUTING, net, state.sk, std::move(skb), nullptr, realoutdev,
	        br_nf_dev_queue_xmit);
	return NF_STOLEN;
}

// --- on IPv4's own PRE_ROUTING ---

static u32 ip_sabotage_in(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	nf_bridge_info *nf_bridge = nf_bridge_info_get(*skb);

	if (!nf_bridge || nf_bridge->sabotage_in_done || nf_bridge->in_prerouting)
		return NF_ACCEPT;
	nf_bridge->sabotage_in_done = 1;
	state.okfn(*state.net, state.sk, std::move(skb));
	return NF_STOLEN;
}

// --- a packet that waited for its new receiver's address comes to the bridge's device ---

static void br_nf_pre_routing_finish_bridge_slow(skb_ptr skb)
{
	TRACE(skb);
	nf_bridge_info &nf_bridge = *nf_bridge_info_get(*skb);
	net &net = dev_net(*skb->dev);
	net_device *br_indev = nf_bridge_get_physindev(*skb, net);

	if (!br_indev) {
		drop(std::move(skb));
		return;
	}
	skb_pull(*skb, ETH_HLEN);
	nf_bridge.bridged_dnat = 0;
	std::memcpy(skb->data - sizeof(nf_bridge.neigh_header), nf_bridge.neigh_header,
	            sizeof(nf_bridge.neigh_header));
	skb->dev = br_indev;
	nf_bridge.physoutdev = nullptr;
	br_handle_frame_finish(net, nullptr, std::move(skb));
}

static bool br_nf_dev_xmit(skb_ptr &skb)
{
	TRACE(skb);
	const nf_bridge_info *nf_bridge = nf_bridge_info_get(*skb);

	if (!nf_bridge || !nf_bridge->bridged_dnat)
		return false;
	br_nf_pre_routing_finish_bridge_slow(std::move(skb));
	return true;
}

// --- the module ---

static constexpr nf_br_ops_t br_ops = {br_nf_dev_xmit};

static constexpr nf_hook_ops br_nf_ops[] = {
	{br_nf_pre_routing, nullptr, nullptr, NFPROTO_BRIDGE, NF_BR_PRE_ROUTING, NF_BR_PRI_BRNF},
	{br_nf_local_in, nullptr, nullptr, NFPROTO_BRIDGE, NF_BR_LOCAL_IN, NF_BR_PRI_LAST},
	{br_nf_forward_ip, nullptr, nullptr, NFPROTO_BRIDGE, NF_BR_FORWARD, NF_BR_PRI_BRNF - 1},
	{br_nf_forward_arp, nullptr, nullptr, NFPROTO_BRIDGE, NF_BR_FORWARD, NF_BR_PRI_BRNF},
	// Last: it sends the frame.
	{br_nf_post_routing, nullptr, nullptr, NFPROTO_BRIDGE, NF_BR_POST_ROUTING, NF_BR_PRI_LAST},
	{ip_sabotage_in, nullptr, nullptr, NFPROTO_IPV4, NF_INET_PRE_ROUTING, NF_IP_PRI_FIRST},
	{ip_sabotage_in, nullptr, nullptr, NFPROTO_IPV6, NF_INET_PRE_ROUTING, NF_IP_PRI_FIRST},
};

// The hooks come with the first bridge of a namespace.
static int brnf_device_event(net_device &dev, netdev_cmd event)
{
	TRACE(dev);
	if (event != NETDEV_REGISTER || !netif_is_bridge_master(dev))
		return 0;
	brnf_net &brnet = brnf_of(dev_net(dev));

	if (brnet.enabled)
		return 0;
	if (const int ret = nf_register_net_hooks(dev_net(dev), br_nf_ops, std::size(br_nf_ops)))
		return ret;
	brnet.enabled = true;
	return 0;
}

// The bridge's hooks behind those that have been asked: what had a lower priority than this module's, and
// br_nf_pre_routing itself.
static int br_nf_hook_thresh(u32 hook, net &net, sock *sk, skb_ptr skb, net_device *indev, net_device *outdev,
                             nf_okfn okfn)
{
	TRACE(skb, sk);
	const nf_hook_entries *e = net.nf.hooks_bridge[hook];
	std::size_t i = 0;

	if (!e)
		return okfn(net, sk, std::move(skb));
	for (; i < e->hooks.size(); ++i) {
		const int priority = e->hooks[i].orig_ops->priority;

		if (priority < NF_BR_PRI_BRNF)
			continue;
		if (priority > NF_BR_PRI_BRNF)
			break;
		if (e->hooks[i].hook == br_nf_pre_routing) {
			++i;
			break;
		}
	}
	const int ret = nf_hook_slow(
		skb, {static_cast<u8>(hook), NFPROTO_BRIDGE, indev, outdev, sk, &net, okfn}, *e, i);

	return ret == 1 ? okfn(net, sk, std::move(skb)) : ret;
}

static int brnf_init_net(net &net)
{
	TRACE();
	net_generic(net, brnf_net_ops) = std::make_shared<brnf_net>();
	return 0;
}

static void brnf_exit_net(net &net)
{
	TRACE();
	brnf_net &brnet = brnf_of(net);

	if (brnet.enabled)
		nf_unregister_net_hooks(net, br_nf_ops, std::size(br_nf_ops));
	brnet.enabled = false;
}

int *brnf_sysctl(net &net, const std::string &name)
{
	TRACE_INLINE();
	static constexpr struct {
		const char *name;
		int brnf_net::*place;
	} brnf_table[] = {
		{"bridge-nf-call-arptables", &brnf_net::call_arptables},
		{"bridge-nf-call-iptables", &brnf_net::call_iptables},
		{"bridge-nf-call-ip6tables", &brnf_net::call_ip6tables},
		{"bridge-nf-filter-vlan-tagged", &brnf_net::filter_vlan_tagged},
		{"bridge-nf-filter-pppoe-tagged", &brnf_net::filter_pppoe_tagged},
		{"bridge-nf-pass-vlan-input-dev", &brnf_net::pass_vlan_indev},
	};

	if (!brnf_of_host->loaded)
		return nullptr;
	for (const auto &entry : brnf_table)
		if (name == entry.name)
			return &(brnf_of(net).*entry.place);
	return nullptr;
}

bool br_netfilter_loaded() { return brnf_of_host->loaded; } // not traced: a question of the configuration

void provide_bridge_modules()
{
	TRACE_INLINE();
	static const module table[] = {
		{"llc", {}, {}, nullptr},
		{"stp", {}, {"llc"}, nullptr},
		{"bridge",
	         {"rtnl-link-bridge"},
	         {"stp", "llc"},
	         [] {
			 br_init();
			 return 0;
		 }},
		{"br_netfilter",
	         {"physdev"},
	         {"bridge"},
	         [] {
			 br_netfilter_init();
			 return 0;
		 }},
	};

	provide_modules(table);
}

void br_netfilter_init()
{
	TRACE();
	if (brnf_of_host->loaded)
		return;
	br_init();
	brnf_of_host->loaded = true;
	register_pernet_subsys(brnf_net_ops);
	register_netdevice_notifier(brnf_device_event);
	*nf_br_ops = &br_ops;
}

} // namespace skbwalk
