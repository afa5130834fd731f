// SPDX-License-Identifier: GPL-2.0-only
//
// Connection tracking (include/net/netfilter/nf_conntrack*.h, include/net/netns/conntrack.h). A connection is
// known by two tuples, one as its packets come, one as its answers do; both stand in one hash table of the
// host. A packet carries its connection, and what it is to it, in sk_buff::_nfct.
//
//   skb._nfct -> nf_conn { use, timeout, status, tuplehash[ORIGINAL], tuplehash[REPLY], ext, proto }
//                             |                        |
//   nf_conntrack_hash[h1] ----+   [h2] ----------------+
//
// A new connection is the packet's alone until the packet has left (confirm); then the table holds a
// reference too. Unlike the kernel, addresses are IPv4's only.
#pragma once

#include "stack/core/net_namespace.h"
#include "stack/core/nulls.h"
#include "stack/core/skbuff.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"
#include "stack/netfilter/netfilter.h"
#include "stack/wire/headers.h"

namespace skbwalk {

// --- uapi/linux/netfilter/nf_conntrack_common.h, nf_conntrack_tcp.h ---
enum ip_conntrack_info : u8 {
	IP_CT_ESTABLISHED,
	IP_CT_RELATED,
	IP_CT_NEW,
	IP_CT_IS_REPLY,
	IP_CT_ESTABLISHED_REPLY = IP_CT_ESTABLISHED + IP_CT_IS_REPLY,
	IP_CT_RELATED_REPLY = IP_CT_RELATED + IP_CT_IS_REPLY,
	IP_CT_NUMBER,
	IP_CT_UNTRACKED = 7
};
enum ip_conntrack_dir : u8 { IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY, IP_CT_DIR_MAX };
inline ip_conntrack_dir CTINFO2DIR(ip_conntrack_info ctinfo)
{
	return ctinfo >= IP_CT_IS_REPLY ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
}
inline ip_conntrack_dir other_dir(ip_conntrack_dir dir)
{
	return dir == IP_CT_DIR_ORIGINAL ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
}
constexpr u32 IPS_EXPECTED = 1 << 0, IPS_SEEN_REPLY = 1 << 1, IPS_ASSURED = 1 << 2, IPS_CONFIRMED = 1 << 3,
	      IPS_SRC_NAT = 1 << 4, IPS_DST_NAT = 1 << 5, IPS_NAT_MASK = IPS_SRC_NAT | IPS_DST_NAT,
	      IPS_SEQ_ADJUST = 1 << 6, IPS_SRC_NAT_DONE = 1 << 7, IPS_DST_NAT_DONE = 1 << 8,
	      IPS_NAT_DONE_MASK = IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE, IPS_DYING = 1 << 9,
	      IPS_FIXED_TIMEOUT = 1 << 10, IPS_TEMPLATE = 1 << 11, IPS_NAT_CLASH = 1 << 12,
	      IPS_HELPER = 1 << 13, IPS_OFFLOAD = 1 << 14;
enum ip_conntrack_events { IPCT_NEW, IPCT_RELATED, IPCT_DESTROY, IPCT_REPLY, IPCT_ASSURED, IPCT_PROTOINFO };

enum tcp_conntrack : u8 {
	TCP_CONNTRACK_NONE,
	TCP_CONNTRACK_SYN_SENT,
	TCP_CONNTRACK_SYN_RECV,
	TCP_CONNTRACK_ESTABLISHED,
	TCP_CONNTRACK_FIN_WAIT,
	TCP_CONNTRACK_CLOSE_WAIT,
	TCP_CONNTRACK_LAST_ACK,
	TCP_CONNTRACK_TIME_WAIT,
	TCP_CONNTRACK_CLOSE,
	TCP_CONNTRACK_SYN_SENT2,
	TCP_CONNTRACK_MAX,
	TCP_CONNTRACK_IGNORE,
	TCP_CONNTRACK_RETRANS,
	TCP_CONNTRACK_UNACK,
	TCP_CONNTRACK_TIMEOUT_MAX
};
constexpr u8 IP_CT_TCP_FLAG_WINDOW_SCALE = 0x01, IP_CT_TCP_FLAG_SACK_PERM = 0x02,
	     IP_CT_TCP_FLAG_CLOSE_INIT = 0x04, IP_CT_TCP_FLAG_BE_LIBERAL = 0x08,
	     IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED = 0x10, IP_CT_TCP_FLAG_MAXACK_SET = 0x20,
	     IP_CT_EXP_CHALLENGE_ACK = 0x40, IP_CT_TCP_SIMULTANEOUS_OPEN = 0x80;

// --- tuples ---
// The part that NAT changes: a port, or an ICMP id.
struct nf_conntrack_man {
	be32 u3{};
	be16 u{};
	u16 l3num = 0;
	friend bool operator==(const nf_conntrack_man &, const nf_conntrack_man &) = default;
};
struct nf_conntrack_tuple {
	nf_conntrack_man src;
	struct {
		be32 u3{};
		be16 u{}; // a port, or an ICMP type and code
		u8 protonum = 0;
		ip_conntrack_dir dir = IP_CT_DIR_ORIGINAL;
	} dst;
	[[nodiscard]] u8 icmp_type() const { return dst.u.b[0]; }
};
inline bool nf_ct_tuple_equal(const nf_conntrack_tuple &a, const nf_conntrack_tuple &b)
{
	return a.src == b.src && a.dst.u3 == b.dst.u3 && a.dst.u == b.dst.u &&
	       a.dst.protonum == b.dst.protonum;
}
struct nf_conntrack_tuple_hash {
	hlist_nulls_node hnnode;
	nf_conntrack_tuple tuple;
};
inline ip_conntrack_dir NF_CT_DIRECTION(const nf_conntrack_tuple_hash &h) { return h.tuple.dst.dir; }

// --- zones: only the one that all are in ---
struct nf_conntrack_zone {
	u16 id = 0;
	u8 flags = 0;
	u8 dir = 3;
};
inline constexpr nf_conntrack_zone nf_ct_zone_dflt{};
inline u16 nf_ct_zone_id(const nf_conntrack_zone &zone, ip_conntrack_dir dir)
{
	return zone.dir & 1 << dir ? zone.id : u16{0};
}

// --- a connection ---
struct ip_ct_tcp_state {
	u32 td_end;    // max of seq + len
	u32 td_maxend; // max of ack + max(win, 1)
	u32 td_maxwin; // max(win)
	u32 td_maxack; // max of ack
	u8 td_scale;
	u8 flags;
};
struct ip_ct_tcp {
	ip_ct_tcp_state seen[2]; // by direction
	tcp_conntrack state;
	u8 last_dir;   // of the last packet
	u8 retrans;    // of the same acknowledgment
	u8 last_index; // which flags the last packet had
	u32 last_seq, last_ack, last_end;
	u16 last_win;
	u8 last_wscale, last_flags; // of a SYN that was let through and not believed
};
struct nf_ct_udp {
	u32 stream_ts;
};
union nf_conntrack_proto {
	ip_ct_tcp tcp;
	nf_ct_udp udp;
};

enum nf_ct_ext_id : u8 {
	NF_CT_EXT_HELPER,
	NF_CT_EXT_NAT,
	NF_CT_EXT_SEQADJ,
	NF_CT_EXT_ACCT,
	NF_CT_EXT_ECACHE,
	NF_CT_EXT_TSTAMP,
	NF_CT_EXT_NUM
};
// Parts that not every connection has, behind one another from `data`; offset 0: not there.
struct nf_ct_ext {
	u8 offset[NF_CT_EXT_NUM];
	u8 len;
	u32 gen_id;
};

struct nf_conn : nf_conntrack {
	spinlock_t lock;
	u32 timeout = 0; // jiffies when it is dead; until it is confirmed, from then on
	nf_conntrack_zone zone;
	nf_conntrack_tuple_hash tuplehash[IP_CT_DIR_MAX];
	u32 status = 0; // IPS_*
	net *ct_net = nullptr;
	list_head nat_bysource;
	nf_conn *master = nullptr;
	u32 mark = 0;
	u32 secmark = 0;
	nf_ct_ext *ext = nullptr;
	nf_conntrack_proto proto{};
};
inline nf_conn &nf_ct_to_nf_conn(nf_conntrack &nfct) { return static_cast<nf_conn &>(nfct); }
inline nf_conn &nf_ct_tuplehash_to_ctrack(nf_conntrack_tuple_hash &hash)
{
	nf_conntrack_tuple_hash *first = &hash - hash.tuple.dst.dir;

	return container_of(reinterpret_cast<nf_conntrack_tuple_hash(&)[IP_CT_DIR_MAX]>(*first),
	                    &nf_conn::tuplehash);
}
inline nf_conntrack_tuple_hash &tuplehash_of(hlist_nulls_node &n)
{
	return *reinterpret_cast<nf_conntrack_tuple_hash *>(reinterpret_cast<u8 *>(&n) -
	                                                    offsetof(nf_conntrack_tuple_hash, hnnode));
}
inline u16 nf_ct_l3num(const nf_conn &ct) { return ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple.src.l3num; }
inline u8 nf_ct_protonum(const nf_conn &ct) { return ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.protonum; }
inline net &nf_ct_net(const nf_conn &ct) { return *ct.ct_net; }
inline const nf_conntrack_zone &nf_ct_zone(const nf_conn &ct) { return ct.zone; }
inline bool nf_ct_zone_equal(const nf_conn &a, const nf_conntrack_zone &b, ip_conntrack_dir dir)
{
	return nf_ct_zone_id(nf_ct_zone(a), dir) == nf_ct_zone_id(b, dir);
}
inline bool nf_ct_is_template(const nf_conn &ct) { return ct.status & IPS_TEMPLATE; }
inline bool nf_ct_is_confirmed(const nf_conn &ct) { return ct.status & IPS_CONFIRMED; }
inline bool nf_ct_is_dying(const nf_conn &ct) { return ct.status & IPS_DYING; }
inline bool nf_conntrack_tcp_established(const nf_conn &ct)
{
	return ct.proto.tcp.state == TCP_CONNTRACK_ESTABLISHED && (ct.status & IPS_ASSURED);
}
inline u32 nfct_time_stamp() { return jiffies(); }
inline u32 nf_ct_expires(const nf_conn &ct)
{
	const s32 timeout = static_cast<s32>(ct.timeout - nfct_time_stamp());

	return timeout > 0 ? static_cast<u32>(timeout) : 0;
}
inline bool nf_ct_is_expired(const nf_conn &ct)
{
	return static_cast<s32>(ct.timeout - nfct_time_stamp()) <= 0;
}
inline bool nf_ct_should_gc(const nf_conn &ct)
{
	return nf_ct_is_confirmed(ct) && nf_ct_is_expired(ct) && !nf_ct_is_dying(ct);
}
// The connection that the packet belongs to, counted by the packet; null with IP_CT_UNTRACKED: it is not to
// be tracked.
inline nf_conn *nf_ct_get(const sk_buff &skb, ip_conntrack_info &ctinfo)
{
	const auto nfct = reinterpret_cast<std::uintptr_t>(skb._nfct);

	ctinfo = static_cast<ip_conntrack_info>(nfct & 7);
	return reinterpret_cast<nf_conn *>(nfct & ~std::uintptr_t{7});
}
inline void nf_ct_set(sk_buff &skb, nf_conn *ct, ip_conntrack_info info)
{
	if (ct)
		skb.slow_gro = 1;
	skb._nfct = reinterpret_cast<nf_conn *>(reinterpret_cast<std::uintptr_t>(ct) | info);
}

// --- counters, sysctls, timeouts (include/net/netns/conntrack.h) ---
struct ip_conntrack_stat {
	u64 found = 0, invalid = 0, insert = 0, insert_failed = 0, clash_resolve = 0, drop = 0,
	    early_drop = 0, error = 0, search_restart = 0, chaintoolong = 0;
};
enum udp_conntrack { UDP_CT_UNREPLIED, UDP_CT_REPLIED, UDP_CT_MAX };
struct nf_tcp_net {
	std::array<u32, TCP_CONNTRACK_TIMEOUT_MAX> timeouts{};
	u8 tcp_loose = 0, tcp_be_liberal = 0, tcp_max_retrans = 0, tcp_ignore_invalid_rst = 0;
};
struct nf_conntrack_net {
	u32 count = 0; // connections that are allocated
	u32 expect_count = 0;
	u32 users4 = 0;
};
struct netns_ct {
	u8 sysctl_log_invalid = 0, sysctl_events = 2, sysctl_acct = 0, sysctl_tstamp = 0, sysctl_checksum = 1;
	bool ctnetlink_has_listener = false;
	ip_conntrack_stat stat;
	u32 generic_timeout = 0;
	nf_tcp_net tcp;
	std::array<u32, UDP_CT_MAX> udp_timeouts{};
	u32 icmp_timeout = 0;
	nf_conntrack_net cnet;
};
inline netns_ct &net_ct(const net &net) { return *net.ct; }
inline nf_conntrack_net &nf_ct_pernet(const net &net) { return net.ct->cnet; }
inline nf_tcp_net &nf_tcp_pernet(const net &net) { return net.ct->tcp; }
inline void NF_CT_STAT_INC(const net &net, u64 ip_conntrack_stat::*count) { ++(net.ct->stat.*count); }
inline void NF_CT_STAT_ADD(const net &net, u64 ip_conntrack_stat::*count, u64 n) { net.ct->stat.*count += n; }

// --- nf_conntrack_core.c ---
constexpr u32 CONNTRACK_LOCKS = 1024;
struct nf_conntrack_table {
	std::vector<hlist_nulls_head> hash;
	std::array<spinlock_t, CONNTRACK_LOCKS> locks;
	u32 max = 0;
	u32 generation = 0; // a seqcount: odd while the table is resized
};
nf_conntrack_table &nf_conntrack_of_host();
u32 nf_conntrack_in(sk_buff &skb, const nf_hook_state &state);
void nf_ct_destroy(nf_conntrack &nfct);
inline void nf_ct_put(nf_conn *ct)
{
	if (ct && refcount_dec_and_test(ct->use))
		nf_ct_destroy(*ct);
}
// Counted, or null.
nf_conntrack_tuple_hash *nf_conntrack_find_get(net &net, const nf_conntrack_zone &zone,
                                               const nf_conntrack_tuple &tuple);
bool nf_ct_get_tuplepr(const sk_buff &skb, u32 nhoff, u16 l3num, net &net, nf_conntrack_tuple &tuple);
bool nf_ct_invert_tuple(nf_conntrack_tuple &inverse, const nf_conntrack_tuple &orig);
bool nf_conntrack_tuple_taken(const nf_conntrack_tuple &tuple, const nf_conn &ignored_conntrack);
void nf_conntrack_alter_reply(nf_conn &ct, const nf_conntrack_tuple &newreply);
u32 __nf_conntrack_confirm(sk_buff &skb);
bool nf_ct_delete(nf_conn &ct);
inline bool nf_ct_kill(nf_conn &ct)
{
	TRACE_INLINE();
	return nf_ct_delete(ct);
}
bool nf_ct_kill_acct(nf_conn &ct, ip_conntrack_info ctinfo, const sk_buff &skb);
void __nf_ct_refresh_acct(nf_conn &ct, ip_conntrack_info ctinfo, const sk_buff &skb, u32 extra_jiffies,
                          bool do_acct);
inline void nf_ct_refresh_acct(nf_conn &ct, ip_conntrack_info ctinfo, const sk_buff &skb, u32 extra_jiffies)
{
	TRACE_INLINE(skb);
	__nf_ct_refresh_acct(ct, ctinfo, skb, extra_jiffies, true);
}
void nf_ct_acct_add(nf_conn &ct, u32 dir, u32 packets, u32 bytes);
inline void nf_ct_acct_update(nf_conn &ct, u32 dir, u32 bytes)
{
	TRACE_INLINE();
	nf_ct_acct_add(ct, dir, 1, bytes);
}
// Calls iter for each of that namespace's connections; what it says yes to dies.
void nf_ct_iterate_cleanup_net(net &net, int (*iter)(nf_conn &i, void *data), void *data);
// A connection that no packet made, as user space asks for: -EEXIST where its tuples are taken.
nf_conn *nf_conntrack_alloc(net &net, const nf_conntrack_zone &zone, const nf_conntrack_tuple &orig,
                            const nf_conntrack_tuple &repl);
int nf_conntrack_hash_check_insert(nf_conn &ct);
void nf_conntrack_free(nf_conn &ct);
int nf_conntrack_hash_resize(u32 hashsize);
u32 nf_conntrack_count(const net &net);
void nf_conntrack_tcp_set_closing(nf_conn &ct);

// What NAT does for a connection that ends.
struct nf_nat_hook {
	void (*remove_nat_bysrc)(nf_conn &ct);
};
void nf_nat_set_hook(const nf_nat_hook *hook);

// --- extensions ---
void *nf_ct_ext_add(nf_conn &ct, nf_ct_ext_id id);
void *__nf_ct_ext_find(const nf_ct_ext &ext, nf_ct_ext_id id);
inline void *nf_ct_ext_find(const nf_conn &ct, nf_ct_ext_id id)
{
	if (!ct.ext || !ct.ext->offset[id])
		return nullptr;
	if (ct.ext->gen_id)
		return __nf_ct_ext_find(*ct.ext, id);
	return reinterpret_cast<u8 *>(ct.ext) + ct.ext->offset[id];
}
u32 nf_conntrack_ext_genid();
struct nf_conn_counter {
	u64 packets, bytes;
};
struct nf_conn_acct {
	nf_conn_counter counter[IP_CT_DIR_MAX];
};
inline nf_conn_acct *nf_conn_acct_find(const nf_conn &ct)
{
	return static_cast<nf_conn_acct *>(nf_ct_ext_find(ct, NF_CT_EXT_ACCT));
}
struct nf_conn_tstamp {
	u64 start, stop;
};
inline nf_conn_tstamp *nf_conn_tstamp_find(const nf_conn &ct)
{
	return static_cast<nf_conn_tstamp *>(nf_ct_ext_find(ct, NF_CT_EXT_TSTAMP));
}
// Events for listeners of ctnetlink: there never is one.
struct nf_conntrack_ecache {
	u64 cache;
};
bool nf_ct_ecache_ext_add(nf_conn &ct);
void nf_ct_deliver_cached_events(nf_conn &ct);
inline void nf_conntrack_event_cache(ip_conntrack_events event, nf_conn &ct)
{
	TRACE_INLINE();
	if (auto *e = static_cast<nf_conntrack_ecache *>(nf_ct_ext_find(ct, NF_CT_EXT_ECACHE)))
		e->cache |= 1u << event;
}
// NAT's part.
struct nf_conn_nat {
	int masq_index; // of the device whose address is used
};
// A protocol's own helper (FTP and the like): none is loaded, so no connection has one.
struct nf_conntrack_helper {
	u32 (*help)(sk_buff &skb, u32 protoff, nf_conn &ct, ip_conntrack_info ctinfo);
};
struct nf_conn_help {
	const nf_conntrack_helper *helper;
};
inline nf_conn_help *nfct_help(const nf_conn &ct)
{
	return static_cast<nf_conn_help *>(nf_ct_ext_find(ct, NF_CT_EXT_HELPER));
}
s32 nf_ct_seq_offset(const nf_conn &ct, ip_conntrack_dir dir, u32 seq);

// May drop the packet: its connection lost a race against another with the same tuples.
inline u32 nf_conntrack_confirm(sk_buff &skb)
{
	TRACE_INLINE(skb);
	auto *ct = static_cast<nf_conn *>(skb_nfct(skb));
	u32 ret = NF_ACCEPT;

	if (!ct)
		return ret;
	if (!nf_ct_is_confirmed(*ct)) {
		ret = __nf_conntrack_confirm(skb);
		if (ret == NF_ACCEPT)
			ct = static_cast<nf_conn *>(skb_nfct(skb));
	}
	if (ret == NF_ACCEPT &&
	    (current.host->features.always_ct_events || (ct->ext && ct->ext->offset[NF_CT_EXT_ECACHE])))
		nf_ct_deliver_cached_events(*ct);
	return ret;
}

// --- nf_conntrack_proto.c: hooks in a namespace, on as long as someone needs them ---
int nf_ct_netns_get(net &net, u8 nfproto);
void nf_ct_netns_put(net &net, u8 nfproto);
u32 nf_confirm(sk_buff &skb, u32 protoff, nf_conn &ct, ip_conntrack_info ctinfo);
struct nf_conntrack_l4proto {
	u8 l4proto;
	bool allow_clash; // a clash at confirm may be mended
	bool (*can_early_drop)(const nf_conn &ct);
	const char *name;
};
extern const nf_conntrack_l4proto nf_conntrack_l4proto_tcp, nf_conntrack_l4proto_udp,
	nf_conntrack_l4proto_icmp, nf_conntrack_l4proto_generic;
const nf_conntrack_l4proto &nf_ct_l4proto_find(u8 l4proto);
const char *tcp_conntrack_name(tcp_conntrack state);
void nf_l4proto_log_invalid(const sk_buff &skb, const nf_hook_state &state, u8 protonum, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void nf_ct_l4proto_log_invalid(const sk_buff &skb, const nf_conn &ct, const nf_hook_state &state,
                               const char *fmt, ...) __attribute__((format(printf, 4, 5)));
// By protocol: a verdict, or its negation where the packet is invalid.
int nf_conntrack_tcp_packet(nf_conn &ct, sk_buff &skb, u32 dataoff, ip_conntrack_info ctinfo,
                            const nf_hook_state &state);
int nf_conntrack_udp_packet(nf_conn &ct, sk_buff &skb, u32 dataoff, ip_conntrack_info ctinfo,
                            const nf_hook_state &state);
int nf_conntrack_icmp_packet(nf_conn &ct, sk_buff &skb, ip_conntrack_info ctinfo, const nf_hook_state &state);
int nf_conntrack_icmpv4_error(nf_conn *tmpl, sk_buff &skb, u32 dataoff, const nf_hook_state &state);
bool icmp_pkt_to_tuple(const sk_buff &skb, u32 dataoff, nf_conntrack_tuple &tuple);
bool nf_conntrack_invert_icmp_tuple(nf_conntrack_tuple &tuple, const nf_conntrack_tuple &orig);
void nf_conntrack_tcp_init_net(net &net);
void nf_conntrack_udp_init_net(net &net);
void nf_conntrack_icmp_init_net(net &net);
void nf_conntrack_generic_init_net(net &net);
void nf_conntrack_proto_pernet_init(net &net);
int nf_conntrack_proto_init();

// --- modules ---
int nf_conntrack_init_start();
void nf_conntrack_init_end();
int nf_conntrack_init_net(net &net);
void nf_conntrack_cleanup_net(net &net);
void nf_conntrack_cleanup_end(); // before the host ends
int nf_conntrack_standalone_init();
// Numbers below net.netfilter.nf_conntrack_*, by the rest of the name; empty place: none of that name.
struct nf_ct_sysctl {
	u32 *u32_place = nullptr;
	u8 *u8_place = nullptr;
	bool seconds = false; // kept in jiffies
	bool read_only = false;
};
nf_ct_sysctl nf_conntrack_sysctl(net &net, std::string_view name);

// --- stack/ipv4/netfilter/nf_defrag_ipv4.c ---
int nf_defrag_ipv4_enable(net &net);
void nf_defrag_ipv4_disable(net &net);

} // namespace skbwalk
