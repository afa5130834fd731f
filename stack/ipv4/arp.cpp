// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/arp.c: the table of IPv4 neighbours. A new entry is set up by arp_constructor() (who needs no
// question: loopback, broadcast, multicast); one that must ask does so through arp_solicit() ->
// arp_send_dst() -> arp_create(), arp_xmit(). What comes in goes through arp_rcv() to arp_process(), which
// answers a request for an address of ours (or one that we proxy), learns the asker on the way, and updates
// an entry from an answer. Left out: single proxy entries (pneigh), the queue that delays proxied answers,
// devices other than Ethernet, ioctls, and /proc. No hook stands in the way of ARP yet.
#include "stack/core/netdev_change_info.h"
#include "stack/ethernet/eth.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"

namespace skbwalk {

namespace {

struct arp_table {
	neigh_table tbl;
	packet_type arp_packet_type;
};
const perhost<arp_table> table;

u32 arp_hdr_len(const net_device &dev) { return static_cast<u32>(sizeof(arphdr)) + 2 * (dev.addr_len + 4u); }

mac_addr mac_of(const u8 *p)
{
	mac_addr mac;
	std::memcpy(mac.data(), p, mac.size());
	return mac;
}

} // namespace

static u32 arp_hash(const be32 &pkey, const net_device &dev, const u32 *hash_rnd);
static bool arp_key_eq(const neighbour &neigh, const be32 &pkey);
static int arp_constructor(neighbour &neigh);
static void arp_solicit(neighbour &neigh, sk_buff *skb);
static void arp_error_report(neighbour &neigh, skb_ptr skb);

static constexpr neigh_ops arp_generic_ops{AF_INET, arp_solicit, arp_error_report, neigh_resolve_output,
                                           neigh_connected_output};
static constexpr neigh_ops arp_hh_ops{AF_INET, arp_solicit, arp_error_report, neigh_resolve_output,
                                      neigh_resolve_output};
static constexpr neigh_ops arp_direct_ops{AF_INET, nullptr, nullptr, neigh_direct_output,
                                          neigh_direct_output};

neigh_table &arp_tbl() { return table->tbl; }

static void ip_eth_mc_map(be32 naddr, mac_addr &buf)
{
	TRACE_INLINE();
	buf = {0x01, 0x00, 0x5e, static_cast<u8>(naddr.b[1] & 0x7f), naddr.b[2], naddr.b[3]};
}

int arp_mc_map(be32 addr, mac_addr &haddr, net_device &dev, int dir)
{
	TRACE(dev);
	if (dev.type == ARPHRD_ETHER) {
		ip_eth_mc_map(addr, haddr);
		return 0;
	}
	if (!dir)
		return -EINVAL;
	haddr = dev.broadcast;
	return 0;
}

// Unlike the kernel, a device counts by its number and not by where it lies in memory: runs repeat.
static u32 arp_hashfn(const be32 &pkey, const net_device &dev, const u32 *hash_rnd)
{
	TRACE_INLINE();
	return (pkey.raw() ^ static_cast<u32>(dev.ifindex) ^ net_hash_mix(dev_net(dev))) * hash_rnd[0];
}

static u32 arp_hash(const be32 &pkey, const net_device &dev, const u32 *hash_rnd)
{
	TRACE(dev);
	return arp_hashfn(pkey, dev, hash_rnd);
}

static bool neigh_key_eq32(const neighbour &n, const be32 &pkey)
{
	TRACE_INLINE(n.dev);
	return n.primary_key == pkey;
}

static bool arp_key_eq(const neighbour &neigh, const be32 &pkey)
{
	TRACE(neigh.dev);
	return neigh_key_eq32(neigh, pkey);
}

static int arp_constructor(neighbour &neigh)
{
	TRACE(neigh.dev);
	net_device &dev = *neigh.dev;

	if (dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT))
		neigh.primary_key = be32{}; // one entry for all that is behind it
	const be32 addr = neigh.primary_key;

	rcu_read_lock();
	const in_device *in_dev = __in_dev_get_rcu(dev);
	if (!in_dev) {
		rcu_read_unlock();
		return -EINVAL;
	}
	neigh.type = static_cast<u8>(inet_addr_type_dev_table(dev_net(dev), &dev, addr));
	[[maybe_unused]] const bool last = refcount_dec_and_test(neigh.parms->refcnt);
	assert(!last);
	neigh.parms = in_dev->arp_parms;
	refcount_inc(neigh.parms->refcnt);
	rcu_read_unlock();

	if (!dev.header_ops) {
		neigh.nud_state = NUD_NOARP;
		neigh.ops = &arp_direct_ops;
		neigh.output = neigh_direct_output;
		return 0;
	}
	if (neigh.type == RTN_MULTICAST) {
		neigh.nud_state = NUD_NOARP;
		arp_mc_map(addr, neigh.ha, dev, 1);
	} else if (dev.flags & (IFF_NOARP | IFF_LOOPBACK)) {
		neigh.nud_state = NUD_NOARP;
		neigh.ha = dev.dev_addr;
	} else if (neigh.type == RTN_BROADCAST || (dev.flags & IFF_POINTOPOINT)) {
		neigh.nud_state = NUD_NOARP;
		neigh.ha = dev.broadcast;
	}
	neigh.ops = dev.header_ops->cache ? &arp_hh_ops : &arp_generic_ops;
	neigh.output = neigh.nud_state & NUD_VALID ? neigh.ops->connected_output : neigh.ops->output;
	return 0;
}

static void arp_error_report(neighbour &neigh, skb_ptr skb)
{
	TRACE(neigh.dev, skb);
	dst_link_failure(*skb);
	kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NEIGH_FAILED);
}

// --- sending ---

static void arp_send_dst(int type, int ptype, be32 dest_ip, net_device &dev, be32 src_ip, const u8 *dest_hw,
                         const u8 *src_hw, const u8 *target_hw, dst_entry *dst)
{
	TRACE(dev);
	if (dev.flags & IFF_NOARP)
		return;
	skb_ptr skb = arp_create(type, ptype, dest_ip, dev, src_ip, dest_hw, src_hw, target_hw);
	if (!skb)
		return;
	skb_dst_set(*skb, dst_clone(dst));
	arp_xmit(std::move(skb));
}

void arp_send(int type, int ptype, be32 dest_ip, net_device &dev, be32 src_ip, const u8 *dest_hw,
              const u8 *src_hw, const u8 *target_hw)
{
	TRACE(dev);
	arp_send_dst(type, ptype, dest_ip, dev, src_ip, dest_hw, src_hw, target_hw, nullptr);
}

static void arp_solicit(neighbour &neigh, sk_buff *skb)
{
	TRACE(neigh.dev, skb);
	net_device &dev = *neigh.dev;
	net &net = dev_net(dev);
	const be32 target = neigh.primary_key;
	int probes = atomic_read(neigh.probes);
	mac_addr dst_ha;
	const u8 *dst_hw = nullptr;
	dst_entry *dst = nullptr;
	be32 saddr{};

	rcu_read_lock();
	const in_device *in_dev = __in_dev_get_rcu(dev);
	if (!in_dev) {
		rcu_read_unlock();
		return;
	}
	switch (IN_DEV_MAXCONF(*in_dev, IPV4_DEVCONF_ARP_ANNOUNCE)) {
	default:
	case 0: // any address of ours
		if (skb && inet_addr_type_dev_table(net, &dev, ip_hdr(*skb).saddr) == RTN_LOCAL)
			saddr = ip_hdr(*skb).saddr;
		break;
	case 1: // one that the target can know
		if (!skb)
			break;
		saddr = ip_hdr(*skb).saddr;
		if (inet_addr_type_dev_table(net, &dev, saddr) == RTN_LOCAL &&
		    inet_addr_onlink(*in_dev, target, saddr))
			break;
		saddr = be32{};
		break;
	case 2: // the primary one
		break;
	}
	rcu_read_unlock();

	if (!saddr)
		saddr = inet_select_addr(dev, target, RT_SCOPE_LINK);

	probes -= NEIGH_VAR(*neigh.parms, NEIGH_VAR_UCAST_PROBES);
	if (probes < 0) {
		dst_ha = neigh.ha;
		dst_hw = dst_ha.data();
	} else {
		probes -= NEIGH_VAR(*neigh.parms, NEIGH_VAR_APP_PROBES);
		if (probes < 0)
			return; // it is user space's turn to ask, and nobody listens there
	}
	if (skb && !(dev.priv_flags & IFF_XMIT_DST_RELEASE))
		dst = skb_dst(*skb);
	arp_send_dst(ARPOP_REQUEST, ETH_P_ARP, target, dev, saddr, dst_hw, dev.dev_addr.data(), nullptr, dst);
}

skb_ptr arp_create(int type, int ptype, be32 dest_ip, net_device &dev, be32 src_ip, const u8 *dest_hw,
                   const u8 *src_hw, const u8 *target_hw)
{
	TRACE(dev);
	const u32 hlen = LL_RESERVED_SPACE(dev), tlen = dev.needed_tailroom;

	skb_ptr skb = alloc_skb(arp_hdr_len(dev) + hlen + tlen, GFP_ATOMIC);
	if (!skb)
		return nullptr;
	skb_reserve(*skb, hlen);
	skb_reset_network_header(*skb);
	skb_put(*skb, arp_hdr_len(dev));
	skb->dev = &dev;
	skb->protocol = htons(ETH_P_ARP);
	if (!src_hw)
		src_hw = dev.dev_addr.data();
	if (!dest_hw)
		dest_hw = dev.broadcast.data();
	if (dev_hard_header(*skb, dev, static_cast<u16>(ptype), dest_hw, src_hw, skb->len) < 0) {
		kfree_skb(std::move(skb));
		return nullptr;
	}

	arphdr &arp = arp_hdr(*skb);
	arp.ar_hrd = htons(dev.type);
	arp.ar_pro = htons(ETH_P_IP);
	arp.ar_hln = dev.addr_len;
	arp.ar_pln = 4;
	arp.ar_op = htons(static_cast<u16>(type));

	u8 *arp_ptr = reinterpret_cast<u8 *>(&arp + 1);
	std::memcpy(arp_ptr, src_hw, dev.addr_len);
	arp_ptr += dev.addr_len;
	std::memcpy(arp_ptr, &src_ip, 4);
	arp_ptr += 4;
	if (target_hw)
		std::memcpy(arp_ptr, target_hw, dev.addr_len);
	else
		std::memset(arp_ptr, 0, dev.addr_len);
	arp_ptr += dev.addr_len;
	std::memcpy(arp_ptr, &dest_ip, 4);
	return skb;
}

static int arp_xmit_finish(net &, sock *, skb_ptr skb)
{
	TRACE(skb);
	return dev_queue_xmit(std::move(skb));
}

void arp_xmit(skb_ptr skb)
{
	TRACE(skb);
	rcu_read_lock();
	net &net = dev_net(*skb->dev);
	arp_xmit_finish(net, nullptr, std::move(skb));
	rcu_read_unlock();
}

// --- receiving ---

// Does arp_ignore keep us from answering?
static bool arp_ignore(in_device &in_device, be32 sip, be32 tip)
{
	TRACE(in_device.dev);
	net &net = dev_net(*in_device.dev);
	skbwalk::in_device *in_dev = &in_device;
	int scope = RT_SCOPE_HOST;

	switch (IN_DEV_MAXCONF(in_device, IPV4_DEVCONF_ARP_IGNORE)) {
	case 1: // answer only for addresses of this device
		sip = be32{};
		break;
	case 2: // and only to their subnet
		break;
	case 3: // not for addresses of host scope
		sip = be32{};
		scope = RT_SCOPE_LINK;
		in_dev = nullptr;
		break;
	case 8:
		return true;
	default:
		return false;
	}
	return !inet_confirm_addr(net, in_dev, sip, tip, scope);
}

// May something that nobody asked for make an entry?
static bool arp_accept(in_device &in_dev, be32 sip)
{
	TRACE(in_dev.dev);
	switch (IN_DEV_MAXCONF(in_dev, IPV4_DEVCONF_ARP_ACCEPT)) {
	case 1:
		return true;
	case 2:
		return static_cast<bool>(
			inet_confirm_addr(dev_net(*in_dev.dev), &in_dev, sip, be32{}, RT_SCOPE_LINK));
	default:
		return false;
	}
}

// Would an answer leave by another device?
static bool arp_filter(be32 sip, be32 tip, net_device &dev)
{
	TRACE(dev);
	net &net = dev_net(dev);
	const auto [rt, err] = ip_route_output(net, sip, tip, 0, l3mdev_master_ifindex_rcu(&dev));

	if (!rt)
		return true;
	const bool flag = rt->dev != &dev;
	if (flag)
		__NET_INC_STATS(net, LINUX_MIB_ARPFILTER);
	ip_rt_put(*rt);
	return flag;
}

static bool arp_fwd_proxy(const in_device &in_dev, const net_device &dev, const rtable &rt)
{
	TRACE(dev);
	if (rt.dev == &dev || !IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_PROXY_ARP))
		return false;
	const int imi = IN_DEV_CONF(in_dev, IPV4_DEVCONF_MEDIUM_ID);
	if (imi == 0)
		return true;
	if (imi == -1)
		return false;
	const in_device *out_dev = __in_dev_get_rcu(*rt.dev);
	const int omi = out_dev ? IN_DEV_CONF(*out_dev, IPV4_DEVCONF_MEDIUM_ID) : -1;
	return omi != imi && omi != -1;
}

// RFC 3069: an answer back to the device that it came from, between ports that do not reach each other.
static bool arp_fwd_pvlan(const in_device &in_dev, const net_device &dev, const rtable &rt, be32 sip,
                          be32 tip)
{
	TRACE(dev);
	if (rt.dev != &dev || sip == tip)
		return false;
	return IN_DEV_ORCONF(in_dev, IPV4_DEVCONF_PROXY_ARP_PVLAN);
}

static bool arp_is_garp(net &net, net_device &dev, int &addr_type, be16 ar_op, be32 sip, be32 tip,
                        const u8 *sha, const u8 *tha)
{
	TRACE(dev);
	bool is_garp = tip == sip;

	if (is_garp && ar_op == htons(ARPOP_REPLY))
		is_garp = !std::memcmp(tha, sha, dev.addr_len);
	if (is_garp) {
		addr_type = static_cast<int>(inet_addr_type_dev_table(net, &dev, sip));
		if (addr_type != RTN_UNICAST)
			is_garp = false;
	}
	return is_garp;
}

static int arp_process(net &net, sock *, skb_ptr skb)
{
	TRACE(skb);
	net_device &dev = *skb->dev;
	in_device *in_dev = __in_dev_get_rcu(dev);
	dst_entry *reply_dst = nullptr;

	const auto out_free_skb = [&skb] {
		kfree_skb(std::move(skb));
		return NET_RX_DROP;
	};
	const auto out_consume_skb = [&] {
		consume_skb(std::move(skb));
		dst_release(reply_dst);
		return NET_RX_SUCCESS;
	};

	if (!in_dev)
		return out_free_skb();
	const arphdr &arp = arp_hdr(*skb);
	if (!(arp.ar_hrd == htons(ARPHRD_ETHER) || arp.ar_hrd == htons(6)) ||
	    !(arp.ar_pro == htons(ETH_P_IP)))
		return out_free_skb(); // 6: IEEE 802.2
	const bool request = arp.ar_op == htons(ARPOP_REQUEST);
	if (!request && !(arp.ar_op == htons(ARPOP_REPLY)))
		return out_free_skb();

	const u8 *sha = reinterpret_cast<const u8 *>(&arp + 1);
	const u8 *tha = sha + dev.addr_len + 4;
	const mac_addr sender = mac_of(sha);
	be32 sip, tip;
	std::memcpy(&sip, sha + dev.addr_len, 4);
	std::memcpy(&tip, tha + dev.addr_len, 4);

	if (ipv4_is_multicast(tip) || (!IN_DEV_ROUTE_LOCALNET(*in_dev) && ipv4_is_loopback(tip)))
		return out_free_skb();
	if (sip == tip && IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_DROP_GRATUITOUS_ARP))
		return out_free_skb();

	const auto reply = [&] {
		arp_send_dst(ARPOP_REPLY, ETH_P_ARP, sip, dev, tip, sha, dev.dev_addr.data(), sha, reply_dst);
	};

	// Somebody probes whether the address is in use (RFC 2131).
	if (!sip) {
		if (request && inet_addr_type_dev_table(net, &dev, tip) == RTN_LOCAL &&
		    !arp_ignore(*in_dev, sip, tip))
			reply();
		return out_consume_skb();
	}

	if (request && ip_route_input_noref(*skb, tip, sip, 0, dev) == 0) {
		const rtable &rt = *skb_rtable(*skb);

		if (rt.rt_type == RTN_LOCAL) {
			bool dont_send = arp_ignore(*in_dev, sip, tip);

			if (!dont_send && IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_ARPFILTER))
				dont_send = arp_filter(sip, tip, dev);
			if (!dont_send) {
				if (neighbour *n = neigh_event_ns(arp_tbl(), &sender, sip, dev)) {
					reply();
					neigh_release(*n);
				}
			}
			return out_consume_skb();
		}
		if (IN_DEV_FORWARD(*in_dev) && rt.rt_type == RTN_UNICAST &&
		    (arp_fwd_proxy(*in_dev, dev, rt) || arp_fwd_pvlan(*in_dev, dev, rt, sip, tip))) {
			if (neighbour *n = neigh_event_ns(arp_tbl(), &sender, sip, dev))
				neigh_release(*n);
			// Unlike the kernel, an answer for another is not held back for proxy_delay.
			reply();
			return out_consume_skb();
		}
	}

	neighbour *n = __neigh_lookup(arp_tbl(), sip, dev, false);
	int addr_type = -1;
	bool is_garp = false;
	if (n || arp_accept(*in_dev, sip))
		is_garp = arp_is_garp(net, dev, addr_type, arp.ar_op, sip, tip, sha, tha);
	if (arp_accept(*in_dev, sip)) {
		if (!n && (is_garp ||
		           (!request &&
		            (addr_type == RTN_UNICAST ||
		             (addr_type < 0 && inet_addr_type_dev_table(net, &dev, sip) == RTN_UNICAST)))))
			n = __neigh_lookup(arp_tbl(), sip, dev, true);
	}
	if (n) {
		// Of several answers that follow each other closely the first counts.
		const bool override =
			time_after(jiffies(),
		                   n->updated + static_cast<u32>(NEIGH_VAR(*n->parms, NEIGH_VAR_LOCKTIME))) ||
			is_garp;
		const u8 state = request || skb->pkt_type != PACKET_HOST ? NUD_STALE : NUD_REACHABLE;

		static_cast<void>(
			neigh_update(*n, &sender, state, override ? NEIGH_UPDATE_F_OVERRIDE : 0, 0));
		neigh_release(*n);
	}
	return out_consume_skb();
}

int arp_rcv(skb_ptr skb, net_device &dev, packet_type &, net_device &)
{
	TRACE(skb, dev);
	if (dev.flags & IFF_NOARP || skb->pkt_type == PACKET_OTHERHOST || skb->pkt_type == PACKET_LOOPBACK) {
		consume_skb(std::move(skb));
		return NET_RX_SUCCESS;
	}
	skb = skb_share_check(std::move(skb), GFP_ATOMIC);
	if (!skb)
		return NET_RX_DROP;
	if (!pskb_may_pull(*skb, arp_hdr_len(dev)) || arp_hdr(*skb).ar_hln != dev.addr_len ||
	    arp_hdr(*skb).ar_pln != 4) {
		kfree_skb(std::move(skb));
		return NET_RX_DROP;
	}
	std::memset(skb->cb, 0, sizeof(skb->cb)); // NEIGH_CB
	return arp_process(dev_net(dev), nullptr, std::move(skb));
}

// --- what others ask of the table ---

neighbour *__ipv4_neigh_lookup_noref(net_device &dev, be32 key)
{
	TRACE_INLINE(dev);
	if (dev.flags & (IFF_LOOPBACK | IFF_POINTOPOINT))
		key = be32{};
	return ___neigh_lookup_noref(arp_tbl(), neigh_key_eq32, arp_hashfn, key, dev);
}

neighbour *__ipv4_neigh_lookup(net_device &dev, be32 key)
{
	TRACE_INLINE(dev);
	rcu_read_lock();
	neighbour *n = __ipv4_neigh_lookup_noref(dev, key);
	if (n && !refcount_inc_not_zero(n->refcnt))
		n = nullptr;
	rcu_read_unlock();
	return n;
}

void __ipv4_confirm_neigh(net_device &dev, be32 key)
{
	TRACE_INLINE(dev);
	rcu_read_lock();
	if (neighbour *n = __ipv4_neigh_lookup_noref(dev, key))
		neigh_confirm(*n);
	rcu_read_unlock();
}

neighbour *ip_neigh_gw4(net_device &dev, be32 daddr)
{
	TRACE_INLINE(dev);
	neighbour *neigh = __ipv4_neigh_lookup_noref(dev, daddr);

	return neigh ? neigh : __neigh_create(arp_tbl(), daddr, dev, false);
}

neighbour *ip_neigh_for_gw(rtable &rt, sk_buff &skb, bool &is_v6gw)
{
	TRACE_INLINE(skb, rt.dev);
	is_v6gw = false;
	return ip_neigh_gw4(*rt.dev, rt.rt_gw_family == AF_INET ? rt.rt_gw4 : ip_hdr(skb).daddr);
}

int arp_invalidate(net_device &dev, be32 ip, bool force)
{
	TRACE(dev);
	neigh_table &tbl = arp_tbl();
	neighbour *neigh = neigh_lookup(tbl, ip, dev);
	int err = -ENXIO;

	if (!neigh)
		return err;
	if ((neigh->nud_state & NUD_VALID) && !force) {
		neigh_release(*neigh);
		return 0;
	}
	if (neigh->nud_state & ~NUD_NOARP)
		err = neigh_update(*neigh, nullptr, NUD_FAILED,
		                   NEIGH_UPDATE_F_OVERRIDE | NEIGH_UPDATE_F_ADMIN, 0);
	_raw_write_lock_bh(tbl.lock);
	neigh_release(*neigh);
	neigh_remove_one(*neigh, tbl);
	_raw_write_unlock_bh(tbl.lock);
	return err;
}

static int arp_netdev_event(net_device &dev, netdev_cmd event)
{
	TRACE(dev);
	if (event == NETDEV_CHANGEADDR) {
		neigh_changeaddr(arp_tbl(), dev);
		rt_cache_flush(dev_net(dev));
	} else if (event == NETDEV_CHANGE) {
		if (netdev_change_info().flags_changed & IFF_NOARP)
			neigh_changeaddr(arp_tbl(), dev);
		const in_device *in_dev = __in_dev_get_rcu(dev);
		const bool evict_nocarrier =
			!in_dev || IN_DEV_ANDCONF(*in_dev, IPV4_DEVCONF_ARP_EVICT_NOCARRIER);

		if (evict_nocarrier && !netif_carrier_ok(dev))
			neigh_carrier_down(arp_tbl(), dev);
	}
	return 0;
}

void arp_ifdown(net_device &dev)
{
	TRACE(dev);
	neigh_ifdown(arp_tbl(), &dev);
}

void arp_init()
{
	TRACE();
	neigh_table &tbl = arp_tbl();
	const auto set = [&tbl](int var, u32 value) {
		tbl.parms.data[static_cast<std::size_t>(var)] = static_cast<int>(value);
	};

	tbl.family = AF_INET;
	tbl.key_len = 4;
	tbl.protocol = htons(ETH_P_IP);
	tbl.hash = arp_hash;
	tbl.key_eq = arp_key_eq;
	tbl.constructor = arp_constructor;
	tbl.id = "arp_cache";
	set(NEIGH_VAR_MCAST_PROBES, 3);
	set(NEIGH_VAR_UCAST_PROBES, 3);
	set(NEIGH_VAR_RETRANS_TIME, 1 * HZ);
	set(NEIGH_VAR_BASE_REACHABLE_TIME, 30 * HZ);
	set(NEIGH_VAR_DELAY_PROBE_TIME, 5 * HZ);
	set(NEIGH_VAR_GC_STALETIME, 60 * HZ);
	set(NEIGH_VAR_QUEUE_LEN_BYTES, 212992);
	set(NEIGH_VAR_PROXY_QLEN, 64);
	set(NEIGH_VAR_ANYCAST_DELAY, 1 * HZ);
	set(NEIGH_VAR_PROXY_DELAY, 8 * HZ / 10);
	set(NEIGH_VAR_LOCKTIME, 1 * HZ);
	neigh_table_init(tbl);

	packet_type &pt = table->arp_packet_type;
	pt.type = htons(ETH_P_ARP);
	pt.func = arp_rcv;
	dev_add_pack(pt);
	register_netdevice_notifier(arp_netdev_event);
}

} // namespace skbwalk
