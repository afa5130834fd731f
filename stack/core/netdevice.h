// SPDX-License-Identifier: GPL-2.0-only
//
// net_device (include/linux/netdevice.h), packet types, NAPI, softnet_data, and the transmit and receive
// entry points of net/core/dev.c.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "stack/core/skbuff.h"
#include "stack/kernel/dynamic_queue_limits.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/smp.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

struct in_device;
struct Qdisc;
struct netdev_queue;
struct napi_struct;
struct softnet_data;
struct neighbour;
struct pernet_operations;
struct ethtool_ops;

constexpr u32 IFF_UP = 1 << 0, IFF_BROADCAST = 1 << 1, IFF_LOOPBACK = 1 << 3, IFF_POINTOPOINT = 1 << 4,
	      IFF_RUNNING = 1 << 6, IFF_NOARP = 1 << 7, IFF_PROMISC = 1 << 8, IFF_ALLMULTI = 1 << 9,
	      IFF_MASTER = 1 << 10, IFF_SLAVE = 1 << 11, IFF_MULTICAST = 1 << 12, IFF_LOWER_UP = 1 << 16;
constexpr u32 IFF_EBRIDGE = 1 << 1, IFF_BRIDGE_PORT = 1 << 9, IFF_TX_SKB_SHARING = 1 << 16,
	      IFF_LIVE_ADDR_CHANGE = 1 << 20, IFF_NO_QUEUE = 1 << 21, IFF_PHONY_HEADROOM = 1 << 24,
	      IFF_XMIT_DST_RELEASE = 1 << 10, IFF_XMIT_DST_RELEASE_PERM = 1 << 17, IFF_DONT_BRIDGE = 1 << 11,
	      IFF_UNICAST_FLT = 1 << 12, IFF_SUPP_NOFCS = 1 << 14, IFF_NO_RX_HANDLER = 1 << 26; // priv_flags
// Flags that only the kernel changes.
constexpr u32 IFF_VOLATILE =
	IFF_LOOPBACK | IFF_POINTOPOINT | IFF_BROADCAST | IFF_RUNNING | IFF_MASTER | IFF_SLAVE | IFF_LOWER_UP;

// Bits 16 and up answer SKB_GSO_* shifted by NETIF_F_GSO_SHIFT (net_gso_ok).
constexpr int NETIF_F_GSO_SHIFT = 16;
constexpr netdev_features_t NETIF_F_SG = 1 << 0, NETIF_F_IP_CSUM = 1 << 1, NETIF_F_HW_CSUM = 1 << 3,
			    NETIF_F_IPV6_CSUM = 1 << 4, NETIF_F_HIGHDMA = 1 << 5, NETIF_F_FRAGLIST = 1 << 6,
			    NETIF_F_HW_VLAN_CTAG_TX = 1 << 7, NETIF_F_HW_VLAN_CTAG_RX = 1 << 8,
			    NETIF_F_VLAN_CHALLENGED = 1 << 10, NETIF_F_GSO = 1 << 11, NETIF_F_LLTX = 1 << 12,
			    NETIF_F_NETNS_LOCAL = 1 << 13, NETIF_F_GRO = 1 << 14, NETIF_F_TSO = 1 << 16,
			    NETIF_F_GSO_ROBUST = 1 << 17, NETIF_F_TSO_ECN = 1 << 18,
			    NETIF_F_TSO_MANGLEID = 1 << 19, NETIF_F_TSO6 = 1 << 20,
			    NETIF_F_GSO_UDP_L4 = netdev_features_t{1} << 33,
			    NETIF_F_GSO_FRAGLIST = netdev_features_t{1} << 34,
			    NETIF_F_SCTP_CRC = netdev_features_t{1} << 36,
			    NETIF_F_RXHASH = netdev_features_t{1} << 39,
			    NETIF_F_RXCSUM = netdev_features_t{1} << 40,
			    NETIF_F_NOCACHE_COPY = netdev_features_t{1} << 41,
			    NETIF_F_LOOPBACK = netdev_features_t{1} << 42,
			    NETIF_F_GRO_FRAGLIST = netdev_features_t{1} << 53,
			    NETIF_F_GRO_UDP_FWD = netdev_features_t{1} << 58;
constexpr netdev_features_t NETIF_F_ALL_TSO =
	NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN | NETIF_F_TSO_MANGLEID;
constexpr netdev_features_t NETIF_F_CSUM_MASK = NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | NETIF_F_HW_CSUM;
constexpr netdev_features_t NETIF_F_GSO_MASK =
	NETIF_F_ALL_TSO | NETIF_F_GSO_ROBUST | NETIF_F_GSO_UDP_L4 | NETIF_F_GSO_FRAGLIST;
constexpr netdev_features_t NETIF_F_GSO_SOFTWARE =
	NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4 | NETIF_F_GSO_FRAGLIST;
constexpr netdev_features_t NETIF_F_GSO_SOFTWARE_BITS = NETIF_F_GSO_SOFTWARE;
constexpr netdev_features_t NETIF_F_SOFT_FEATURES = NETIF_F_GSO | NETIF_F_GRO;
constexpr netdev_features_t NETIF_F_SOFT_FEATURES_OFF = NETIF_F_GRO_FRAGLIST | NETIF_F_GRO_UDP_FWD;
constexpr netdev_features_t NETIF_F_NEVER_CHANGE =
	NETIF_F_VLAN_CHALLENGED | NETIF_F_LLTX | NETIF_F_NETNS_LOCAL;
constexpr netdev_features_t NETIF_F_ETHTOOL_BITS = ~NETIF_F_NEVER_CHANGE;

constexpr u32 GSO_MAX_SEGS = 65535, GSO_LEGACY_MAX_SIZE = 65536, GSO_MAX_SIZE = 8 * 65535,
	      TSO_LEGACY_MAX_SIZE = 65536;
constexpr int NET_RX_SUCCESS = 0, NET_RX_DROP = 1;
constexpr int NET_XMIT_SUCCESS = 0, NET_XMIT_DROP = 1, NET_XMIT_CN = 2, NET_XMIT_MASK = 0x0f;
inline int net_xmit_eval(int e) { return e == NET_XMIT_CN ? 0 : e; }
inline int net_xmit_errno(int e) { return e != NET_XMIT_CN ? -ENOBUFS : 0; }
enum netdev_tx_t { NETDEV_TX_OK = 0, NETDEV_TX_BUSY = 0x10 };
inline bool dev_xmit_complete(int rc) { return rc < NET_XMIT_MASK; }
inline bool net_gso_ok(netdev_features_t features, u32 gso_type)
{
	const netdev_features_t feature = static_cast<netdev_features_t>(gso_type) << NETIF_F_GSO_SHIFT;
	return (features & feature) == feature;
}
inline bool skb_gso_ok(const sk_buff &skb, netdev_features_t features)
{
	return net_gso_ok(features, skb_shinfo(skb).gso_type) &&
	       (!skb_has_frag_list(skb) || (features & NETIF_F_FRAGLIST));
}
inline bool netif_needs_gso(const sk_buff &skb, netdev_features_t features)
{
	return skb_is_gso(skb) && (!skb_gso_ok(skb, features) || (skb.ip_summed != CHECKSUM_PARTIAL &&
	                                                          skb.ip_summed != CHECKSUM_UNNECESSARY));
}
// RFC 2863 operational states.
constexpr u8 IF_OPER_UNKNOWN = 0, IF_OPER_NOTPRESENT = 1, IF_OPER_DOWN = 2, IF_OPER_LOWERLAYERDOWN = 3,
	     IF_OPER_TESTING = 4, IF_OPER_DORMANT = 5, IF_OPER_UP = 6;
constexpr u8 NET_ADDR_PERM = 0, NET_ADDR_RANDOM = 1, NET_ADDR_STOLEN = 2, NET_ADDR_SET = 3;
enum rx_handler_result_t { RX_HANDLER_CONSUMED, RX_HANDLER_ANOTHER, RX_HANDLER_EXACT, RX_HANDLER_PASS };
using rx_handler_func_t = rx_handler_result_t (*)(skb_ptr &skb);

struct rtnl_link_stats64 {
	u64 rx_packets = 0, tx_packets = 0, rx_bytes = 0, tx_bytes = 0, rx_errors = 0, tx_errors = 0,
	    rx_dropped = 0, tx_dropped = 0, multicast = 0, rx_missed_errors = 0, rx_nohandler = 0;
};

struct net_device_ops {
	int (*ndo_init)(net_device &dev);
	void (*ndo_uninit)(net_device &dev);
	int (*ndo_open)(net_device &dev);
	int (*ndo_stop)(net_device &dev);
	netdev_tx_t (*ndo_start_xmit)(skb_ptr &skb,
	                              net_device &dev); // with NETDEV_TX_BUSY the skb comes back in *skb
	netdev_features_t (*ndo_features_check)(sk_buff &skb, net_device &dev, netdev_features_t features);
	int (*ndo_set_mac_address)(net_device &dev, const mac_addr &addr);
	int (*ndo_change_mtu)(net_device &dev, u32 mtu);
	void (*ndo_get_stats64)(net_device &dev, rtnl_link_stats64 &stats);
	int (*ndo_get_iflink)(const net_device &dev);
	int (*ndo_add_slave)(net_device &dev, net_device &slave);
	int (*ndo_del_slave)(net_device &dev, net_device &slave);
	void (*ndo_set_rx_mode)(net_device &dev);
	netdev_features_t (*ndo_fix_features)(net_device &dev, netdev_features_t features);
	int (*ndo_set_features)(net_device &dev, netdev_features_t features);
	int (*ndo_validate_addr)(net_device &dev);
	u16 (*ndo_select_queue)(net_device &dev, sk_buff &skb, net_device *sb_dev);
	void (*ndo_tx_timeout)(net_device &dev, u32 txqueue);
	void (*ndo_set_rx_headroom)(net_device &dev, int needed_headroom);
	void (*ndo_change_rx_flags)(net_device &dev, u32 flags); // the IFF_* that changed
};

struct header_ops {
	int (*create)(sk_buff &skb, net_device &dev, u16 type, const void *daddr, const void *saddr, u32 len);
	int (*parse)(const sk_buff &skb, u8 *haddr);
	int (*cache)(const neighbour &n, struct hh_cache &hh, be16 type);
	void (*cache_update)(struct hh_cache &hh, const net_device &dev, const u8 *haddr);
	bool (*validate)(const char *ll_header, u32 len);
	be16 (*parse_protocol)(const sk_buff &skb);
};

constexpr u32 __QUEUE_STATE_DRV_XOFF = 1, __QUEUE_STATE_STACK_XOFF = 2, __QUEUE_STATE_FROZEN = 4;
struct netdev_queue {
	net_device *dev = nullptr;
	Qdisc *qdisc = nullptr;          // in use; noop_qdisc while the device is down
	Qdisc *qdisc_sleeping = nullptr; // the one to use when it is up; holds the reference
	spinlock_t _xmit_lock;
	int xmit_lock_owner = -1;
	u32 state = 0;
	u32 trans_start = 0;
	u64 tx_maxrate = 0;
	u32 trans_timeout = 0;
	skbwalk::dql dql; // of a driver that says what it holds (netdev_sent_queue)
};

// Receive packet steering of a receive queue (rps.h); null: none.
struct rps_map;
struct rps_dev_flow_table;
struct sd_flow_limit;
struct netdev_rx_queue {
	std::shared_ptr<rps_map> map;
	std::shared_ptr<rps_dev_flow_table> rps_flow_table;
};

// Who receives packets of a type, or all (ETH_P_ALL). It stands on a list of its host: one that the kernel
// has as a global variable is a perhost<packet_type> here.
struct packet_type {
	be16 type{};
	net_device *dev = nullptr; // null: any
	net *af_packet_net = nullptr;
	int (*func)(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev) = nullptr;
	void (*list_func)(list_head &head, packet_type &pt, net_device &dev) = nullptr;
	bool (*id_match)(packet_type &pt, sock &sk) = nullptr;
	void *af_packet_priv = nullptr;
	bool ignore_outgoing = false;
	list_head list;
};

enum netreg_state : u8 {
	NETREG_UNINITIALIZED,
	NETREG_REGISTERED,
	NETREG_UNREGISTERING,
	NETREG_UNREGISTERED,
	NETREG_RELEASED
};
constexpr u32 __LINK_STATE_START = 1,
	      __LINK_STATE_PRESENT = 2; // bits of net_device::state; carrier and dormancy stand apart

struct net_device {
	net_device();
	~net_device();
	net_device(const net_device &) = delete;

	std::string name;
	int ifindex = 0;
	net *nd_net = nullptr;
	u32 flags = 0;
	u32 gflags = 0;
	u32 priv_flags = 0;
	u32 mtu = ETH_DATA_LEN;
	u32 min_mtu = 0;
	u32 max_mtu = 0;
	u16 type = ARPHRD_ETHER;
	u16 hard_header_len = ETH_HLEN;
	u16 min_header_len = ETH_HLEN;
	u16 needed_headroom = 0;
	u16 needed_tailroom = 0;
	u8 addr_len = ETH_ALEN;
	u8 addr_assign_type = 0;
	mac_addr dev_addr{};
	mac_addr broadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	netdev_features_t features = 0;
	netdev_features_t hw_features = 0;
	netdev_features_t wanted_features = 0;
	netdev_features_t vlan_features = 0;
	netdev_features_t hw_enc_features = 0;
	u32 gso_max_size = GSO_LEGACY_MAX_SIZE;
	u32 gro_max_size = GSO_LEGACY_MAX_SIZE;
	u32 tso_max_size = TSO_LEGACY_MAX_SIZE;
	u16 gso_max_segs = static_cast<u16>(GSO_MAX_SEGS);
	u64 gro_flush_timeout = 0;    // ns; how long GRO may hold a packet beyond a poll
	int napi_defer_hard_irqs = 0; // polls that found nothing before the interrupt is on again
	bool threaded = false;        // polled by kernel threads
	list_head napi_list;          // napi_struct::dev_list
	const net_device_ops *netdev_ops = nullptr;
	const skbwalk::ethtool_ops *ethtool_ops = nullptr; // stack/core/ethtool.h
	const skbwalk::header_ops *header_ops = nullptr;
	in_device *ip_ptr = nullptr;
	std::vector<std::unique_ptr<netdev_queue>> _tx;
	u32 real_num_tx_queues = 1;
	Qdisc *qdisc = nullptr; // the root's
	timer_list watchdog_timer;
	u32 watchdog_timeo = 0; // jiffies
	spinlock_t watchdog_lock;
	bool watchdog_ref_held = false;
	spinlock_t tx_global_lock;
	spinlock_t addr_list_lock;
	u32 tx_queue_len = 1000;
	u32 num_rx_queues = 1;
	std::vector<netdev_rx_queue> _rx{1};
	rx_handler_func_t rx_handler = nullptr;
	void *rx_handler_data = nullptr;
	net_device *master = nullptr;
	list_head ptype_all;
	list_head ptype_specific;
	u32 promiscuity = 0, allmulti = 0;
	u32 state = 0; // __LINK_STATE_*
	netreg_state reg_state = NETREG_UNINITIALIZED;
	bool carrier_ok = true;
	bool dormant = false;
	bool linkwatch_pending = false;
	list_head link_watch_list;
	u32 carrier_up_count = 0, carrier_down_count = 0;
	u8 operstate = 0;
	int group = 0;
	std::string link_kind;                      // "veth", "bridge", ...: rtnl_link_ops->kind
	void (*dellink)(net_device &dev) = nullptr; // rtnl_link_ops->dellink; null: unregister_netdevice
	void (*priv_destructor)(net_device &dev) = nullptr;
	rcu_head rcu;
	bool grace_period_over = false;  // since it was unregistered
	std::shared_ptr<void> priv_data; // netdev_priv
	rtnl_link_stats64 stats;
	u64 rx_dropped = 0, tx_dropped = 0, rx_nohandler = 0;
	int pcpu_refcnt = 1;
	u32 trace_id = 0;
	template <class T> T &priv() const { return *static_cast<T *>(priv_data.get()); }
};
template <class T> T &netdev_priv(const net_device &dev) { return dev.priv<T>(); }
inline net &dev_net(const net_device &dev) { return *dev.nd_net; }
inline bool netif_running(const net_device &dev) { return dev.state & __LINK_STATE_START; }
inline bool netif_device_present(const net_device &dev) { return dev.state & __LINK_STATE_PRESENT; }
inline bool netif_is_multiqueue(const net_device &dev) { return dev._tx.size() > 1; }
inline bool netif_is_bridge_master(const net_device &dev) { return dev.priv_flags & IFF_EBRIDGE; }
inline bool netif_is_bridge_port(const net_device &dev) { return dev.priv_flags & IFF_BRIDGE_PORT; }
inline void netif_keep_dst(net_device &dev)
{
	dev.priv_flags &= ~(IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM);
}
inline bool netif_oper_up(const net_device &dev)
{
	return dev.operstate == IF_OPER_UP || dev.operstate == IF_OPER_UNKNOWN;
}
inline bool netif_tx_queue_stopped(const netdev_queue &q) { return q.state & __QUEUE_STATE_DRV_XOFF; }
inline bool netif_carrier_ok(const net_device &dev) { return dev.carrier_ok; }
inline void dev_hold(net_device &dev) { ++dev.pcpu_refcnt; }
inline void dev_put(net_device *dev)
{
	if (dev)
		--dev->pcpu_refcnt;
}
inline u32 LL_RESERVED_SPACE(const net_device &d)
{
	return ((d.hard_header_len + d.needed_headroom) & ~15u) + 16;
}
inline netdev_queue *netdev_get_tx_queue(const net_device &dev, u32 i) { return dev._tx[i].get(); }
inline bool netif_xmit_frozen_or_drv_stopped(const netdev_queue &q)
{
	return q.state & (__QUEUE_STATE_DRV_XOFF | __QUEUE_STATE_FROZEN);
}
inline bool netif_xmit_stopped(const netdev_queue &q)
{
	return q.state & (__QUEUE_STATE_DRV_XOFF | __QUEUE_STATE_STACK_XOFF);
}
inline bool netif_xmit_frozen_or_stopped(const netdev_queue &q) { return q.state != 0; }

// --- life of a device (rtnl: one configuring task at a time) ---
// A name with one %d takes the first number that is free. Owned by the host from register_netdevice on, freed
// some time after unregister_netdevice, when nobody refers to it any more; before that, free_netdev is the
// caller's.
net_device *alloc_netdev(net &net, std::string name, void (*setup)(net_device &dev), u32 txqs);
void free_netdev(net_device &dev);
int register_netdevice(net_device &dev);
void unregister_netdevice(net_device &dev);
void unregister_netdevice_many(const std::vector<net_device *> &devs);
void net_set_todo(net_device &dev);
void netdev_run_todo(); // frees devices that were unregistered and that nobody refers to
int dev_open(net_device &dev);
void dev_close(net_device &dev);
int dev_change_flags(net_device &dev, u32 flags);
int dev_set_mtu(net_device &dev, u32 mtu);
int dev_set_mac_address(net_device &dev, const mac_addr &addr);
int dev_change_net_namespace(net_device &dev, net &to, const char *pattern);
void netif_carrier_on(net_device &dev);
void netif_carrier_off(net_device &dev);
void netif_tx_start_queue(netdev_queue &q); // header inlines
void netif_start_queue(net_device &dev);    // of a device with one queue
void netif_stop_queue(net_device &dev);
void netif_wake_queue(net_device &dev);
void netif_tx_disable(net_device &dev);
// Byte queue limits: what a driver took, what the hardware has sent, and all is gone.
void netdev_sent_queue(net_device &dev, u32 bytes);
void netdev_completed_queue(net_device &dev, u32 pkts, u32 bytes);
void netdev_reset_queue(net_device &dev);
void netif_tx_stop_queue(netdev_queue &q);
void netif_tx_wake_queue(netdev_queue &q);
void netif_schedule_queue(netdev_queue &txq);
void netif_tx_wake_all_queues(net_device &dev);
void __netif_schedule(Qdisc &q);
void netif_set_tso_max_size(net_device &dev, u32 size);
int dev_change_name(net_device &dev, const std::string &newname);
int dev_get_iflink(const net_device &dev);
void netdev_state_change(net_device &dev);
void dev_set_rx_mode(net_device &dev);
int dev_set_allmulti(net_device &dev, int inc);
rtnl_link_stats64 dev_get_stats(net_device &dev);
u32 dev_get_flags(const net_device &dev); // as user space sees them, with RUNNING and LOWER_UP
void linkwatch_fire_event(net_device &dev);
void linkwatch_init_dev(net_device &dev);
void linkwatch_forget_dev(net_device &dev);
void linkwatch_run_queue(); // does at once what the work queue would do soon
const char *operstate_name(u8 operstate);
void netdev_update_features(net_device &dev);
int __netdev_update_features(net_device &dev);
void netif_inherit_tso_max(net_device &to, const net_device &from);
net_device *dev_get_by_index_rcu(net &net, int ifindex);
net_device *__dev_get_by_index(net &net, int ifindex);
net_device *__dev_get_by_name(net &net, const std::string &name);
net_device *dev_get_by_name_rcu(net &net, const std::string &name);
int netdev_get_name(net &net, std::string &name, int ifindex);
int netdev_rx_handler_register(net_device &dev, rx_handler_func_t handler, void *data);
void netdev_rx_handler_unregister(net_device &dev);
int dev_set_promiscuity(net_device &dev, int inc);
int dev_pre_changeaddr_notify(net_device &dev, const mac_addr &addr);
netdev_features_t netdev_increment_features(netdev_features_t all, netdev_features_t one,
                                            netdev_features_t mask);
// A device of which others are part (a bridge), or lets go of one of them.
net_device *netdev_master_upper_dev_get(const net_device &dev);
int netdev_master_upper_dev_link(net_device &dev, net_device &upper_dev);
void netdev_upper_dev_unlink(net_device &dev, net_device &upper_dev);

// Device events (register_netdevice_notifier); handlers run in order of registration, per host.
enum netdev_cmd {
	NETDEV_UP = 1,
	NETDEV_DOWN,
	NETDEV_CHANGE,
	NETDEV_REGISTER,
	NETDEV_UNREGISTER,
	NETDEV_CHANGEMTU,
	NETDEV_CHANGEADDR,
	NETDEV_GOING_DOWN,
	NETDEV_CHANGENAME,
	NETDEV_FEAT_CHANGE,
	NETDEV_PRE_UP,
	NETDEV_PRE_CHANGEADDR,
	NETDEV_PRECHANGEUPPER,
	NETDEV_CHANGEUPPER,
	NETDEV_JOIN,
	NETDEV_CHANGE_TX_QUEUE_LEN,
	NETDEV_PRECHANGEMTU
};
using notifier_fn = int (*)(net_device &dev, netdev_cmd event); // 0, or a negative errno that vetoes
void register_netdevice_notifier(notifier_fn fn); // and tells it of the devices that are there already
int call_netdevice_notifiers(netdev_cmd event, net_device &dev);

// --- receive ---
void dev_add_pack(packet_type &pt);
void dev_remove_pack(packet_type &pt);
int netif_rx(skb_ptr skb);
int __netif_rx(skb_ptr skb);
int netif_rx_internal(skb_ptr skb);
int netif_receive_skb(skb_ptr skb);
// Lists of skbs in the receive path are linked by sk_buff::tcp_tsorted_anchor (the kernel's skb->list).
void netif_receive_skb_list_internal(list_head &head);
void netif_receive_skb_list(list_head &head);
int __netif_receive_skb(skb_ptr skb);
void net_rx_action();
void net_tx_action();
int dev_forward_skb(net_device &dev, skb_ptr skb);
int __dev_forward_skb(net_device &dev, skb_ptr &skb); // NET_RX_SUCCESS, else the skb is gone
bool is_skb_forwardable(const net_device &dev, const sk_buff &skb);
bool __is_skb_forwardable(const net_device &dev, const sk_buff &skb, bool check_mtu);

// --- transmit ---
int __dev_queue_xmit(skb_ptr skb, net_device *sb_dev);
int dev_queue_xmit(skb_ptr skb); // header inline
// Hands a list (linked by next) to the driver. Returns what is left (null when all went); `ret` is the
// driver's last word.
sk_buff *dev_hard_start_xmit(sk_buff *first, net_device &dev, netdev_queue &txq, int &ret);
netdev_features_t netif_skb_features(sk_buff &skb);
netdev_features_t passthru_features_check(sk_buff &skb, net_device &dev, netdev_features_t features);
sk_buff *validate_xmit_skb_list(sk_buff *skb, net_device &dev, bool &again);
int skb_csum_hwoffload_help(sk_buff &skb, netdev_features_t features);
be16 skb_network_protocol(sk_buff &skb, int *depth);
u16 netdev_pick_tx(net_device &dev, sk_buff &skb, net_device *sb_dev);
netdev_queue *netdev_core_pick_tx(net_device &dev, sk_buff &skb, net_device *sb_dev);
u32 netif_get_gso_max_size(const net_device &dev, const sk_buff &skb);
bool dev_nit_active(const net_device &dev);
void dev_queue_xmit_nit(sk_buff &skb, net_device &dev); // taps
int dev_loopback_xmit(net &net, sock *sk, skb_ptr skb);
void dev_kfree_skb_irq_reason(skb_ptr skb, bool consumed);
void dev_kfree_skb_any_reason(skb_ptr skb, bool consumed);
// The queue's driver lock, unless the device does its own (NETIF_F_LLTX); header inlines.
void HARD_TX_LOCK(net_device &dev, netdev_queue &txq);
void HARD_TX_UNLOCK(net_device &dev, netdev_queue &txq);
// A device header: header_ops->create.
int dev_hard_header(sk_buff &skb, net_device &dev, u16 type, const void *daddr, const void *saddr, u32 len);
u16 dev_parse_header_protocol(const sk_buff &skb);

// --- NAPI and the per-cpu backlog ---
constexpr u32 NAPI_STATE_SCHED = 1, NAPI_STATE_MISSED = 2, NAPI_STATE_DISABLE = 4, NAPI_STATE_NPSVC = 8,
	      NAPI_STATE_LISTED = 16, NAPI_STATE_NO_BUSY_POLL = 32, NAPI_STATE_IN_BUSY_POLL = 64,
	      NAPI_STATE_PREFER_BUSY_POLL = 128, NAPI_STATE_THREADED = 256, NAPI_STATE_SCHED_THREADED = 512;
constexpr int NAPI_POLL_WEIGHT = 64;
constexpr u32 GRO_HASH_BUCKETS = 8;
// Packets that GRO holds, the youngest first; each is one flow's, or was.
struct gro_list {
	list_head list;
	int count = 0;
};
// A receive queue that is polled. SCHED is the right to poll: who sets it puts it on a cpu's list, or polls.
struct napi_struct {
	list_head poll_list;
	u32 state = 0;
	int weight = NAPI_POLL_WEIGHT;
	int defer_hard_irqs_count = 0;
	u32 gro_bitmask = 0; // buckets of gro_hash that hold something
	int (*poll)(napi_struct &napi, int budget) = nullptr;
	net_device *dev = nullptr;
	std::array<gro_list, GRO_HASH_BUCKETS> gro_hash;
	sk_buff *skb = nullptr; // for the next napi_gro_frags; owned
	list_head rx_list;      // what goes up next
	int rx_count = 0;       // segments in it
	hrtimer timer;          // polls again, where the interrupt stays off
	list_head dev_list;
	list_head napi_hash_node;
	u32 napi_id = 0;
	task_struct *thread = nullptr;
};
void netif_napi_add(net_device &dev, napi_struct &napi, int (*poll)(napi_struct &napi, int budget));
void netif_napi_add_weight(net_device &dev, napi_struct &napi, int (*poll)(napi_struct &napi, int budget),
                           int weight);
void __netif_napi_del(napi_struct &napi); // the caller waits for readers
void netif_napi_del(napi_struct &napi);
void napi_enable(napi_struct &n);
void napi_disable(napi_struct &n);
void ____napi_schedule(softnet_data &sd, napi_struct &napi);
bool napi_schedule_prep(napi_struct &n);
void __napi_schedule(napi_struct &n);
void __napi_schedule_irqoff(napi_struct &n);
bool napi_schedule(napi_struct &n); // header inline
bool napi_complete(napi_struct &n); // header inline
bool napi_complete_done(napi_struct &n, int work_done);
void napi_synchronize(const napi_struct &n); // header inline: until its poll is over
int dev_set_threaded(net_device &dev, bool threaded);
inline bool napi_disable_pending(const napi_struct &n) { return n.state & NAPI_STATE_DISABLE; }
inline bool napi_prefer_busy_poll(const napi_struct &n) { return n.state & NAPI_STATE_PREFER_BUSY_POLL; }

struct softnet_data {
	softnet_data();
	~softnet_data();
	list_head poll_list;
	sk_buff_head process_queue;
	sk_buff_head input_pkt_queue; // its lock is the backlog lock
	napi_struct backlog;
	Qdisc *output_queue = nullptr; // linked by next_sched
	Qdisc **output_queue_tailp = &output_queue;
	sk_buff *completion_queue = nullptr;
	sk_buff_head defer_list; // skbs to free on the cpu that allocated them
	u32 xmit_recursion = 0;
	bool xmit_more = false;
	bool in_net_rx_action = false;
	std::shared_ptr<sd_flow_limit> flow_limit; // net.core.flow_limit_cpu_bitmap
	u16 cpu = 0;
	// Other cpus' whose backlogs were given packets and who are to be told; linked by rps_ipi_next.
	softnet_data *rps_ipi_list = nullptr, *rps_ipi_next = nullptr;
	call_single_data_t csd, defer_csd;
	bool defer_ipi_scheduled = false;
	u32 input_queue_head = 0, input_queue_tail = 0;
	u32 processed = 0, dropped = 0, time_squeeze = 0, received_rps = 0;
};
extern percpu<softnet_data> softnet;
// More packets follow at once: the driver need not tell the hardware yet.
inline bool netdev_xmit_more() { return softnet->xmit_more; }

void net_dev_init(); // of the current host
// Made by the loopback driver: lo, and the device that routes point to when theirs goes away.
extern const pernet_operations loopback_net_ops;
net_device &blackhole_netdev();
u32 live_netdevs(const host &h);

} // namespace skbwalk
