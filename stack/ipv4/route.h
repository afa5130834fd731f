// SPDX-License-Identifier: GPL-2.0-only
//
// Routes (include/net/route.h), devices' IPv4 configuration (include/linux/inetdevice.h), ARP
// (include/net/arp.h) and peers (include/net/inetpeer.h).
#pragma once

#include "stack/core/flow.h"
#include "stack/core/neighbour.h"
#include "stack/core/sock.h"

namespace skbwalk {

struct fib_result;
struct fib_nh_exception;

constexpr u8 RTN_UNSPEC = 0, RTN_UNICAST = 1, RTN_LOCAL = 2, RTN_BROADCAST = 3, RTN_ANYCAST = 4,
	     RTN_MULTICAST = 5, RTN_BLACKHOLE = 6, RTN_UNREACHABLE = 7, RTN_PROHIBIT = 8, RTN_THROW = 9,
	     RTN_NAT = 10;
constexpr u8 RT_SCOPE_UNIVERSE = 0, RT_SCOPE_SITE = 200, RT_SCOPE_LINK = 253, RT_SCOPE_HOST = 254,
	     RT_SCOPE_NOWHERE = 255;
constexpr u32 RTCF_DEAD = 1, RTCF_BROADCAST = 0x10000000, RTCF_MULTICAST = 0x20000000,
	      RTCF_LOCAL = 0x80000000, RTCF_DOREDIRECT = 0x01000000, RTCF_REDIRECTED = 0x00040000;
constexpr u8 RTO_ONLINK = 1, IPTOS_RT_MASK = 0x1c;

struct rtable : dst_entry {
	u32 rt_genid = 0;
	u32 rt_flags = 0;
	u16 rt_type = 0;
	u8 rt_is_input = 0;
	u8 rt_uses_gateway = 0;
	int rt_iif = 0;
	u8 rt_gw_family = 0;
	be32 rt_gw4{};
	u32 rt_mtu_locked : 1 = 0, rt_pmtu : 31 = 0;
	dst_metrics *fib_metrics = nullptr; // counted; what dst_entry::_metrics points into
	list_head rt_uncached;
	struct uncached_list *rt_uncached_list = nullptr; // where it stands, when no nexthop keeps it
};
inline rtable &dst_rtable(dst_entry &dst) { return static_cast<rtable &>(dst); }
inline const rtable &dst_rtable(const dst_entry &dst) { return static_cast<const rtable &>(dst); }
inline rtable *skb_rtable(const sk_buff &skb) { return static_cast<rtable *>(skb_dst(skb)); }
inline be32 rt_nexthop(const rtable &rt, be32 daddr) { return rt.rt_gw_family == 2 ? rt.rt_gw4 : daddr; }
inline bool rt_is_input_route(const rtable &rt) { return rt.rt_is_input != 0; }
inline bool rt_is_output_route(const rtable &rt) { return rt.rt_is_input == 0; }

// A route, or a negative errno in err with rt null.
struct rt_or_err {
	rtable *rt = nullptr;
	int err = 0;
};
rt_or_err ip_route_output_flow(net &net, flowi4 &flp4, const sock *sk);
rt_or_err ip_route_output_key_hash(net &net, flowi4 &fl4, const sk_buff *skb);
rt_or_err ip_route_output_key_hash_rcu(net &net, flowi4 &fl4, fib_result &res, const sk_buff *skb);
rt_or_err __ip_route_output_key(net &net, flowi4 &fl4); // inlines
rt_or_err ip_route_output_key(net &net, flowi4 &fl4);
rt_or_err ip_route_output_ports(net &net, flowi4 &fl4, sock *sk, be32 daddr, be32 saddr, be16 dport,
                                be16 sport, u8 proto, u8 tos, int oif);
void ip_route_connect_init(flowi4 &fl4, be32 dst, be32 src, int oif, u8 protocol, be16 sport, be16 dport,
                           const sock &sk);
rt_or_err ip_route_connect(flowi4 &fl4, be32 dst, be32 src, int oif, u8 protocol, be16 sport, be16 dport,
                           const sock &sk);
rt_or_err ip_route_newports(flowi4 &fl4, rtable *rt, be16 orig_sport, be16 orig_dport, be16 sport, be16 dport,
                            const sock &sk);
int ip_route_input_noref(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev);
int ip_route_input(sk_buff &skb, be32 dst, be32 src, u8 tos, net_device &devin);
int ip_route_use_hint(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev, const sk_buff &hint);
void ip_rt_send_redirect(sk_buff &skb);
int ip_error(skb_ptr skb);
u32 ipv4_mtu(const dst_entry &dst);
dst_entry *ipv4_dst_check(dst_entry &dst, u32 cookie);
void ipv4_update_pmtu(sk_buff &skb, net &net, u32 mtu, int oif, u8 protocol);
void ipv4_sk_update_pmtu(sk_buff &skb, sock &sk, u32 mtu);
void ipv4_redirect(sk_buff &skb, net &net, int oif, u8 protocol);
void ipv4_sk_redirect(sk_buff &skb, sock &sk);
rtable *rt_dst_alloc(net_device &dev, u32 flags, u16 type, bool noxfrm);
rtable *rt_dst_clone(net_device &dev, rtable &rt);
void rt_cache_flush(net &net);
void rt_flush_dev(net_device &dev); // routes outside of any nexthop let go of the device
inline void ip_rt_put(rtable &rt) { dst_release(&rt); }
inline constexpr std::array<u8, 16> ip_tos2prio{0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4}; // TC_PRIO_*
inline u8 rt_tos2priority(u8 tos) { return ip_tos2prio[(tos & 0x1E) >> 1]; }
void ip_rt_get_source(u8 *addr, sk_buff &skb, rtable &rt);                    // four bytes
rt_or_err ip_route_output(net &net, be32 daddr, be32 saddr, u8 tos, int oif); // inline
int ip_mc_validate_source(sk_buff &skb, be32 daddr, be32 saddr, u8 tos, net_device &dev, in_device *in_dev);
void ip_rt_multicast_event(in_device &in_dev);
int ip4_dst_hoplimit(const dst_entry &dst); // inline
u32 inet_addr_type(net &net, be32 addr);
u32 inet_addr_type_table(net &net, be32 addr, u32 tb_id);
u32 inet_dev_addr_type(net &net, const net_device *dev, be32 addr);
u32 inet_addr_type_dev_table(net &net, const net_device *dev, be32 addr);
u32 ip_mtu_from_fib_result(fib_result &res, be32 daddr);
void ip_rt_init();
void rt_genid_bump_ipv4(net &net);

// --- devinet.c ---
enum ipv4_devconf_item {
	IPV4_DEVCONF_FORWARDING,
	IPV4_DEVCONF_MC_FORWARDING,
	IPV4_DEVCONF_PROXY_ARP,
	IPV4_DEVCONF_ACCEPT_REDIRECTS,
	IPV4_DEVCONF_SECURE_REDIRECTS,
	IPV4_DEVCONF_SEND_REDIRECTS,
	IPV4_DEVCONF_SHARED_MEDIA,
	IPV4_DEVCONF_RP_FILTER,
	IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE,
	IPV4_DEVCONF_BOOTP_RELAY,
	IPV4_DEVCONF_LOG_MARTIANS,
	IPV4_DEVCONF_ARPFILTER,
	IPV4_DEVCONF_ARP_ANNOUNCE,
	IPV4_DEVCONF_ARP_IGNORE,
	IPV4_DEVCONF_ARP_ACCEPT,
	IPV4_DEVCONF_ARP_NOTIFY,
	IPV4_DEVCONF_ACCEPT_LOCAL,
	IPV4_DEVCONF_SRC_VMARK,
	IPV4_DEVCONF_ROUTE_LOCALNET,
	IPV4_DEVCONF_NOXFRM,
	IPV4_DEVCONF_NOPOLICY,
	IPV4_DEVCONF_PROMOTE_SECONDARIES,
	IPV4_DEVCONF_MEDIUM_ID,
	IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN,
	IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST,
	IPV4_DEVCONF_DROP_GRATUITOUS_ARP,
	IPV4_DEVCONF_BC_FORWARDING,
	IPV4_DEVCONF_ARP_EVICT_NOCARRIER,
	IPV4_DEVCONF_PROXY_ARP_PVLAN,
	IPV4_DEVCONF_TAG,
	IPV4_DEVCONF_FORCE_IGMP_VERSION,
	IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL,
	IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL,
	IPV4_DEVCONF_MAX
};
struct ipv4_devconf {
	std::array<int, IPV4_DEVCONF_MAX> data{};
	u64 state = 0; // a bit for each item that does not follow `default` any more
};
constexpr u32 IFA_F_SECONDARY = 1, IFA_F_PERMANENT = 0x80, IFA_F_NOPREFIXROUTE = 0x200;
struct in_ifaddr {
	list_hook hash; // by ifa_local, over all namespaces of the host
	in_ifaddr *ifa_next = nullptr;
	rcu_head rcu;
	u32 ifa_rt_priority = 0;
	be32 ifa_local{}, ifa_address{}, ifa_mask{}, ifa_broadcast{};
	u8 ifa_prefixlen = 0, ifa_scope = RT_SCOPE_UNIVERSE;
	u32 ifa_flags = 0;
	in_device *ifa_dev = nullptr;
	std::string ifa_label;
};
struct ip_mc_list; // net/ipv4/igmp.c
struct in_device {
	net_device *dev = nullptr;
	refcount_t refcnt;
	in_ifaddr *ifa_list = nullptr; // linked by ifa_next: primary addresses, then secondary ones
	ip_mc_list *mc_list = nullptr;
	neigh_parms *arp_parms = nullptr;
	ipv4_devconf cnf;
	u32 orig_mtu = 0; // the device's, while a change is announced
	bool dead = false;
	rcu_head rcu;
};
in_device *inetdev_by_index(net &net, int ifindex);
in_ifaddr *inet_ifa_byprefix(in_device &in_dev, be32 prefix, be32 mask);
inline bool inet_ifa_match(be32 addr, const in_ifaddr &ifa)
{
	return !((addr ^ ifa.ifa_address) & ifa.ifa_mask);
}
inline void in_dev_hold(in_device &idev) { refcount_inc(idev.refcnt); }
void in_dev_put(in_device &idev);                                       // header inline
using inetaddr_notifier_fn = int (*)(in_ifaddr &ifa, netdev_cmd event); // NETDEV_UP, NETDEV_DOWN
void register_inetaddr_notifier(inetaddr_notifier_fn fn);
inline in_device *__in_dev_get_rcu(const net_device &dev) { return dev.ip_ptr; }
inline int IPV4_DEVCONF(const ipv4_devconf &cnf, ipv4_devconf_item i) { return cnf.data[i]; }
inline int IPV4_DEVCONF_ALL(const net &net, ipv4_devconf_item i) { return net.ipv4.devconf_all->data[i]; }
inline int IN_DEV_CONF(const in_device &d, ipv4_devconf_item i)
{
	return d.cnf.data[i];
} // the device's own value
inline int IN_DEV_ANDCONF(const in_device &d, ipv4_devconf_item i)
{
	return IPV4_DEVCONF_ALL(dev_net(*d.dev), i) && IN_DEV_CONF(d, i);
}
inline int IN_DEV_NET_ORCONF(const in_device &d, const net &net, ipv4_devconf_item i)
{
	return IPV4_DEVCONF_ALL(net, i) || IN_DEV_CONF(d, i);
}
inline int IN_DEV_ORCONF(const in_device &d, ipv4_devconf_item i)
{
	return IN_DEV_NET_ORCONF(d, dev_net(*d.dev), i);
}
inline int IN_DEV_MAXCONF(const in_device &d, ipv4_devconf_item i)
{
	const int all = IPV4_DEVCONF_ALL(dev_net(*d.dev), i), own = IN_DEV_CONF(d, i);
	return all > own ? all : own;
}
inline bool IN_DEV_FORWARD(const in_device &d) { return IN_DEV_CONF(d, IPV4_DEVCONF_FORWARDING); }
inline bool IN_DEV_ROUTE_LOCALNET(const in_device &d)
{
	return IN_DEV_ORCONF(d, IPV4_DEVCONF_ROUTE_LOCALNET);
}
inline bool IN_DEV_NET_ROUTE_LOCALNET(const in_device &d, const net &net)
{
	return IN_DEV_NET_ORCONF(d, net, IPV4_DEVCONF_ROUTE_LOCALNET);
}
inline bool IN_DEV_TX_REDIRECTS(const in_device &d) { return IN_DEV_ORCONF(d, IPV4_DEVCONF_SEND_REDIRECTS); }
inline bool IN_DEV_RX_REDIRECTS(const in_device &d)
{
	return IN_DEV_FORWARD(d) ? IN_DEV_ANDCONF(d, IPV4_DEVCONF_ACCEPT_REDIRECTS)
	                         : IN_DEV_ORCONF(d, IPV4_DEVCONF_ACCEPT_REDIRECTS);
}
inline bool ip_ignore_linkdown(const net_device &dev)
{
	const in_device *in_dev = __in_dev_get_rcu(dev);
	return in_dev && IN_DEV_ORCONF(*in_dev, IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN);
}
// Names below net.ipv4.conf.{all,default,DEV}; null when there is none. To read only.
int *devconf_sysctl(net &net, const std::string &dev, const std::string &name);
// `sysctl -w net.ipv4.NAME=VALUE` where a write does more than store: NAME is conf.{all,default,DEV}.X,
// ip_forward or route.flush. -ENOENT: none of these.
int devinet_sysctl_write(net &net, const std::string &name, int value);
// `ip addr add LOCAL[peer ADDRESS]/PREFIXLEN [brd BROADCAST] [scope SCOPE] dev DEV`; `ip addr del
// LOCAL/PREFIXLEN dev DEV`. `broadcast` zero: none. For del, prefixlen 255: any.
int inet_rtm_newaddr(net_device &dev, be32 local, be32 address, u8 prefixlen, be32 broadcast, u8 scope,
                     u32 flags, u32 metric);
int inet_rtm_deladdr(net_device &dev, be32 local, be32 address, u8 prefixlen);
int inet_add_ifaddr(net_device &dev, be32 local, u8 prefixlen, be32 broadcast,
                    u8 scope); // the former, without a peer
int inet_del_ifaddr(net_device &dev, be32 local, u8 prefixlen);
net_device *__ip_dev_find(net &net, be32 addr, bool devref);
in_ifaddr *inet_lookup_ifaddr_rcu(net &net, be32 addr);
be32 inet_select_addr(const net_device &dev, be32 dst, int scope);
be32 inet_confirm_addr(net &net, in_device *in_dev, be32 dst, be32 local, int scope);
bool inet_addr_onlink(const in_device &in_dev, be32 a, be32 b);
bool ip_mc_sf_allow(const sock &sk, be32 loc_addr, be32 rmt_addr, int dif, int sdif);
bool ip_check_mc_rcu(in_device &in_dev, be32 mc_addr, be32 src_addr, u8 proto);
void ip_mc_init_dev(in_device &in_dev); // igmp.c
void ip_mc_destroy_dev(in_device &in_dev);
void ip_mc_up(in_device &in_dev);
void ip_mc_down(in_device &in_dev);
void ip_mc_inc_group(in_device &in_dev, be32 addr);
void __ip_mc_dec_group(in_device &in_dev, be32 addr);
inline be32 inet_make_mask(int logmask) { return logmask ? htonl(~0u << (32 - logmask)) : be32{}; }
void devinet_init();

// --- arp.c ---
neigh_table &arp_tbl();
void arp_init();
int arp_rcv(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev);
void arp_send(int type, int ptype, be32 dest_ip, net_device &dev, be32 src_ip, const u8 *dest_hw,
              const u8 *src_hw, const u8 *target_hw);
void arp_xmit(skb_ptr skb);
skb_ptr arp_create(int type, int ptype, be32 dest_ip, net_device &dev, be32 src_ip, const u8 *dest_hw,
                   const u8 *src_hw, const u8 *target_hw);
void arp_ifdown(net_device &dev);
int arp_invalidate(net_device &dev, be32 ip, bool force);
neighbour *__ipv4_neigh_lookup_noref(net_device &dev, be32 key); // inlines
neighbour *__ipv4_neigh_lookup(net_device &dev, be32 key);       // counted
void __ipv4_confirm_neigh(net_device &dev, be32 key);
neighbour *ip_neigh_gw4(net_device &dev, be32 daddr);
neighbour *ip_neigh_for_gw(rtable &rt, sk_buff &skb, bool &is_v6gw);
int arp_mc_map(be32 addr, mac_addr &haddr, net_device &dev, int dir);

// --- inetpeer.c ---
struct inet_peer {
	rb_hook rb_node;
	u64 hash = 0;
	be32 daddr{};
	int vif = 0;
	u32 rate_tokens = 0;
	u32 rate_last = 0;
	u32 n_redirects = 0;
	u32 dtime = 0;
	refcount_t refcnt;
	atomic_t rid{0};
	rcu_head rcu;
};
// Under rcu_read_lock, and no longer than it: 6.1.192 does not count the peer. Null when out of memory.
inet_peer *inet_getpeer(inet_peer_base &base, be32 daddr, int vif);
inet_peer *inet_getpeer_v4(inet_peer_base &base, be32 v4daddr, int vif); // inline
void inet_putpeer(inet_peer &p);
void inet_initpeers();
void inetpeer_invalidate_tree(inet_peer_base &base);
bool inet_peer_xrlim_allow(inet_peer *peer, int timeout);

} // namespace skbwalk
