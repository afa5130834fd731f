// SPDX-License-Identifier: GPL-2.0-only
//
// The forwarding information base (include/net/ip_fib.h, net/ipv4/fib_lookup.h).
//
//   fib_table -> trie of prefixes -> leaf: fib_alias (prefix length, type, table) -> fib_info (scope,
//   metrics) -> fib_nh
//
// While no rule is added, `local` and `main` share one trie: one walk finds the longest prefix of both. A
// fib_info is shared by the aliases that mean the same; its nexthops keep the routes made from them (a cached
// dst for output on each cpu, one for input) and what was learned about single destinations
// (fib_nh_exception: path MTU, redirect).
#pragma once

#include <vector>

#include "stack/core/netlink_ext_ack.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

constexpr u8 RTPROT_UNSPEC = 0, RTPROT_REDIRECT = 1, RTPROT_KERNEL = 2, RTPROT_BOOT = 3, RTPROT_STATIC = 4;
constexpr u32 RT_TABLE_UNSPEC = 0, RT_TABLE_DEFAULT = 253, RT_TABLE_MAIN = 254, RT_TABLE_LOCAL = 255;
constexpr u32 RTNH_F_DEAD = 1, RTNH_F_PERVASIVE = 2, RTNH_F_ONLINK = 4, RTNH_F_OFFLOAD = 8,
	      RTNH_F_LINKDOWN = 16, RTNH_F_UNRESOLVED = 32, RTNH_F_TRAP = 64;
constexpr u32 RTNH_COMPARE_MASK = RTNH_F_DEAD | RTNH_F_LINKDOWN | RTNH_F_OFFLOAD | RTNH_F_TRAP;
constexpr int FIB_LOOKUP_NOREF = 1, FIB_LOOKUP_IGNORE_LINKSTATE = 2;
constexpr u8 RTN_MAX = 11;

// `ip route ...`, taken apart. Zero means that it was not given.
struct fib_config_nh {
	int oif = 0;
	bool has_gw = false;
	be32 gw{};
	int weight = 1;
	u32 flags = 0; // RTNH_F_ONLINK
};
struct fib_config {
	u8 fc_dst_len = 0;
	u8 fc_tos = 0;
	u8 fc_protocol = RTPROT_BOOT;
	u8 fc_scope = RT_SCOPE_UNIVERSE;
	u8 fc_type = RTN_UNICAST;
	u8 fc_gw_family = 0; // AF_INET when there is a gateway
	u32 fc_table = 0;
	be32 fc_dst{};
	be32 fc_gw4{};
	int fc_oif = 0;
	u32 fc_flags = 0;
	u32 fc_priority = 0;
	be32 fc_prefsrc{};
	const std::array<u32, RTAX_MAX> *fc_mx = nullptr;
	std::vector<fib_config_nh> fc_mp; // several nexthops instead of fc_gw4 and fc_oif
	u16 fc_nlflags = 0;
	net *fc_net = nullptr; // fc_nlinfo.nl_net
};

struct fib_nh_exception {
	fib_nh_exception *fnhe_next;
	u32 fnhe_genid;
	be32 fnhe_daddr;
	u32 fnhe_pmtu;
	bool fnhe_mtu_locked;
	be32 fnhe_gw;
	u32 fnhe_expires;
	rtable *fnhe_rth_input;
	rtable *fnhe_rth_output;
	u32 fnhe_stamp;
	rcu_head rcu;
};
struct fnhe_hash_bucket {
	fib_nh_exception *chain;
};
constexpr u32 FNHE_HASH_SHIFT = 11, FNHE_HASH_SIZE = 1 << FNHE_HASH_SHIFT;
constexpr int FNHE_RECLAIM_DEPTH = 5;

struct fib_nh_common {
	net_device *nhc_dev = nullptr;
	int nhc_oif = 0;
	u8 nhc_scope = 0;
	u16 nhc_family = AF_INET;
	u16 nhc_gw_family = 0;
	u32 nhc_flags = 0;
	be32 nhc_gw4{};
	int nhc_weight = 1;
	s32 nhc_upper_bound = 0;
	rtable **nhc_pcpu_rth_output = nullptr; // one for each cpu of the host
	rtable *nhc_rth_input = nullptr;
	fnhe_hash_bucket *nhc_exceptions = nullptr;
};
struct fib_info;
struct fib_nh : fib_nh_common {
	list_hook nh_hash; // by device
	fib_info *nh_parent = nullptr;
	be32 nh_saddr{};
	u32 nh_saddr_genid = 0;
};
struct fib_info {
	list_hook fib_hash;
	list_hook fib_lhash; // by preferred source
	net *fib_net = nullptr;
	refcount_t fib_treeref;
	refcount_t fib_clntref;
	u32 fib_flags = 0;
	bool fib_dead = false;
	u8 fib_protocol = 0;
	u8 fib_scope = 0;
	u8 fib_type = 0;
	be32 fib_prefsrc{};
	u32 fib_tb_id = 0;
	u32 fib_priority = 0;
	dst_metrics *fib_metrics = nullptr; // null: all zero
	int fib_nhs = 0;
	bool pfsrc_removed = false;
	rcu_head rcu;
	fib_nh *fib_nh_ = nullptr; // fib_nhs of them, behind the struct
};
inline int fib_info_num_path(const fib_info &fi) { return fi.fib_nhs; }
inline fib_nh_common &fib_info_nhc(const fib_info &fi, int nhsel) { return fi.fib_nh_[nhsel]; }
inline fib_nh &fib_info_nh(const fib_info &fi, int nhsel) { return fi.fib_nh_[nhsel]; }
inline u32 fib_metric(const fib_info &fi, int metric)
{
	return fi.fib_metrics ? fi.fib_metrics->metrics[static_cast<std::size_t>(metric - 1)] : 0;
}

constexpr u8 FA_S_ACCESSED = 1;
struct fib_alias {
	fib_alias *next =
		nullptr; // in the leaf: longer prefixes first, then higher table numbers, then by priority
	fib_info *fa_info = nullptr;
	u8 fa_dscp = 0;
	u8 fa_type = 0;
	u8 fa_state = 0;
	u8 fa_slen = 0; // 32 - prefix length
	u32 tb_id = 0;
	s16 fa_default = -1;
	rcu_head rcu;
};

struct trie;
struct fib_table {
	u32 tb_id = 0;
	int tb_num_default = 0;
	trie *tb_data = nullptr; // `local` has main's
	bool owns_trie = false;
};
struct fib_result {
	be32 prefix{};
	u8 prefixlen = 0;
	u8 nh_sel = 0;
	u8 type = RTN_UNSPEC;
	u8 scope = 0;
	u8 dscp = 0;
	u32 tclassid = 0;
	fib_nh_common *nhc = nullptr;
	fib_info *fi = nullptr;
	fib_table *table = nullptr;
	fib_alias *fa_head = nullptr;
};
inline fib_nh_common &FIB_RES_NHC(const fib_result &res) { return *res.nhc; }
inline net_device *FIB_RES_DEV(const fib_result &res) { return res.nhc->nhc_dev; }
inline int FIB_RES_OIF(const fib_result &res) { return res.nhc->nhc_oif; }

struct fib_prop {
	int error;
	u8 scope;
};
extern const std::array<fib_prop, RTN_MAX + 1> fib_props;

// --- fib_trie.c ---
int fib_table_lookup(fib_table &tb, const flowi4 &flp, fib_result &res,
                     int fib_flags); // -EAGAIN: no route here
bool fib_lookup_good_nhc(const fib_nh_common &nhc, int fib_flags, const flowi4 &flp);
int fib_table_insert(net &net, fib_table &tb, fib_config &cfg, netlink_ext_ack *extack);
int fib_table_delete(net &net, fib_table &tb, fib_config &cfg, netlink_ext_ack *extack);
int fib_table_flush(net &net, fib_table &tb, bool flush_all);
void fib_free_table(fib_table *tb);
fib_table *fib_trie_table(u32 id, fib_table *alias);
void fib_trie_init();
// One line of `ip route show`; in order of prefixes, within one of priority. The callback's `arg` is passed
// through.
struct fib_rt_info {
	const fib_info *fi;
	u32 tb_id;
	be32 dst;
	u8 dst_len;
	u8 dscp;
	u8 type;
};
void fib_table_dump(const fib_table &tb, void (*line)(const fib_rt_info &fri, void *arg), void *arg);

// --- fib_frontend.c ---
fib_table *fib_new_table(net &net, u32 id);
fib_table *fib_get_table(net &net, u32 id);
int fib_lookup(net &net, flowi4 &flp, fib_result &res, int flags); // header inline
void fib_flush(net &net);
void fib_add_ifaddr(in_ifaddr &ifa);
void fib_del_ifaddr(in_ifaddr &ifa, in_ifaddr *iprim);
void fib_modify_prefix_metric(in_ifaddr &ifa, u32 new_metric);
int fib_validate_source(sk_buff &skb, be32 src, be32 dst, u8 tos, int oif, net_device &dev, in_device &idev,
                        u32 &itag);
bool fib_info_nh_uses_dev(const fib_info &fi, const net_device &dev);
be32 fib_compute_spec_dst(sk_buff &skb);
void ip_fib_init();
// `ip route add|append|change|replace|del`: fc_nlflags say which (add: CREATE|EXCL, append: CREATE|APPEND,
// replace: CREATE|REPLACE, change: REPLACE). A del matches what is given; scope RT_SCOPE_NOWHERE and type 0
// match any.
int inet_rtm_newroute(net &net, fib_config &cfg, netlink_ext_ack *extack);
int inet_rtm_delroute(net &net, fib_config &cfg, netlink_ext_ack *extack);

// --- fib_semantics.c ---
fib_info *fib_create_info(fib_config &cfg, int &err, netlink_ext_ack *extack); // null with err
void fib_release_info(fib_info *fi);
void free_fib_info(fib_info &fi);
void fib_info_put(fib_info &fi); // header inline
void fib_nh_common_release(fib_nh_common &nhc);
int fib_check_nh(net &net, fib_nh &nh, u32 table, u8 scope, netlink_ext_ack *extack);
int fib_nh_match(net &net, const fib_config &cfg, const fib_info &fi, netlink_ext_ack *extack); // 0: matches
bool fib_metrics_match(const fib_config &cfg, const fib_info &fi);
be32 fib_result_prefsrc(net &net, fib_result &res);
be32 fib_info_update_nhc_saddr(net &net, fib_nh_common &nhc, u8 scope);
void fib_select_path(net &net, fib_result &res, flowi4 &fl4, const sk_buff *skb);
void fib_select_multipath(fib_result &res, int hash);
int fib_multipath_hash(const net &net, const flowi4 *fl4, const sk_buff *skb); // route.c
int ip_fib_check_default(be32 gw, const net_device &dev); // 0: a gateway of some route on the device
int fib_sync_down_dev(net_device &dev, netdev_cmd event, bool force);
int fib_sync_down_addr(net_device &dev, be32 local);
int fib_sync_up(net_device &dev, u32 nh_flags);
void fib_sync_mtu(net_device &dev, u32 orig_mtu);
void fib_nhc_update_mtu(fib_nh_common &nhc, u32 new_mtu, u32 orig);
void fnhe_update_pmtu(fib_nh_exception &fnhe, u32 new_mtu, u32 orig); // route.c
dst_metrics *ip_fib_metrics_init(const std::array<u32, RTAX_MAX> *fc_mx, int &err,
                                 netlink_ext_ack *extack); // metrics.c
void ip_fib_metrics_put(dst_metrics *fib_metrics);         // header inline

// --- shared with route.c's parts ---
void rt_add_uncached_list(rtable &rt);
void rt_del_uncached_list(rtable &rt);

} // namespace skbwalk
