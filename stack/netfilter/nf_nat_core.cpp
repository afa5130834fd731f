// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_nat_core.c. At each of NAT's hooks nf_nat_inet_fn looks whether the packet's connection
// has its mapping for that side; if not, the tables of rules are asked (the list that nf_nat_register_fn
// keeps for the hook), and where they say nothing it is mapped to itself. get_unique_tuple finds addresses
// and a port that no other connection's answers would have. Left out: helpers, GRE, SCTP, DCCP, decoding for
// IPsec.
#include "stack/core/netdevice.h"
#include "stack/netfilter/nf_conntrack_private.h"
#include "stack/netfilter/nf_nat.h"

namespace skbwalk {

namespace {

struct nat_globals {
	std::vector<list_head> bysource; // connections by their source
	std::array<spinlock_t, CONNTRACK_LOCKS> locks;
	siphash_key_t hash_rnd;
};
perhost<nat_globals> nat;

struct nf_nat_lookup_hook_priv {
	nf_hook_entries *entries = nullptr;
};
struct nf_nat_hooks_net {
	std::vector<nf_hook_ops> nat_hook_ops;
	std::vector<nf_nat_lookup_hook_priv> privs;
	u32 users = 0;
};
using nat_net = std::array<nf_nat_hooks_net, NFPROTO_IPV6 + 1>;

} // namespace

static int nat_net_init(net &net);
static void nat_net_exit(net &net);
static const pernet_operations nat_net_ops{"nf_nat", nat_net_init, nat_net_exit};

static u32 hash_by_src(const net &net, const nf_conntrack_tuple &tuple)
{
	TRACE();
	struct {
		nf_conntrack_man src;
		u32 net_mix;
		u32 protonum;
	} combined{tuple.src, net_hash_mix(net), tuple.dst.protonum};

	return reciprocal_scale(static_cast<u32>(siphash(&combined, sizeof(combined), nat->hash_rnd)),
	                        static_cast<u32>(nat->bysource.size()));
}

// The table has what comes in; so look for the answer to it.
static bool nf_nat_used_tuple(const nf_conntrack_tuple &tuple, const nf_conn &ignored_conntrack)
{
	TRACE();
	nf_conntrack_tuple reply;

	nf_ct_invert_tuple(reply, tuple);
	return nf_conntrack_tuple_taken(reply, ignored_conntrack);
}

static bool nf_nat_inet_in_range(const nf_conntrack_tuple &t, const nf_nat_range2 &range)
{
	TRACE();
	const u32 a = ntohl(t.src.u3);

	return a >= ntohl(range.min_addr) && a <= ntohl(range.max_addr);
}

static bool l4proto_in_range(const nf_conntrack_tuple &tuple, nf_nat_manip_type maniptype, be16 min, be16 max)
{
	TRACE();
	u16 port = 0;

	switch (tuple.dst.protonum) {
	case IPPROTO_ICMP:
		port = ntohs(tuple.src.u);
		break;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		port = ntohs(maniptype == NF_NAT_MANIP_SRC ? tuple.src.u : tuple.dst.u);
		break;
	default:
		return true;
	}
	return port >= ntohs(min) && port <= ntohs(max);
}

static bool nf_in_range(const nf_conntrack_tuple &tuple, const nf_nat_range2 &range)
{
	TRACE();
	if (range.flags & NF_NAT_RANGE_MAP_IPS && !nf_nat_inet_in_range(tuple, range))
		return false;
	if (!(range.flags & NF_NAT_RANGE_PROTO_SPECIFIED))
		return true;
	return l4proto_in_range(tuple, NF_NAT_MANIP_SRC, range.min_proto, range.max_proto);
}

static bool same_src(const nf_conn &ct, const nf_conntrack_tuple &tuple)
{
	TRACE();
	const nf_conntrack_tuple &t = ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple;

	return t.dst.protonum == tuple.dst.protonum && t.src.u3 == tuple.src.u3 && t.src.u == tuple.src.u;
}

// Another connection of the same source: the same mapping, if it is in range.
static bool find_appropriate_src(net &net, const nf_conntrack_tuple &tuple, nf_conntrack_tuple &result,
                                 const nf_nat_range2 &range)
{
	TRACE();
	list_head &head = nat->bysource[hash_by_src(net, tuple)];

	for (list_head *l = head.next; l != &head; l = l->next) {
		nf_conn &ct = list_entry(*l, &nf_conn::nat_bysource);

		if (!same_src(ct, tuple) || !net_eq(net, nf_ct_net(ct)))
			continue;
		nf_ct_invert_tuple(result, ct.tuplehash[IP_CT_DIR_REPLY].tuple);
		result.dst = tuple.dst;
		if (nf_in_range(result, range))
			return true;
	}
	return false;
}

// Of several addresses the one that source and destination hash to, so that a client keeps it.
static void find_best_ips_proto(nf_conntrack_tuple &tuple, const nf_nat_range2 &range,
                                nf_nat_manip_type maniptype)
{
	TRACE();
	if (!(range.flags & NF_NAT_RANGE_MAP_IPS))
		return;
	be32 &var_ipp = maniptype == NF_NAT_MANIP_SRC ? tuple.src.u3 : tuple.dst.u3;

	if (range.min_addr == range.max_addr) {
		var_ipp = range.min_addr;
		return;
	}
	const std::array<u32, 4> src{tuple.src.u3.raw(), 0, 0, 0};
	const u32 j = jhash2(src.data(), static_cast<u32>(src.size()),
	                     range.flags & NF_NAT_RANGE_PERSISTENT ? 0 : tuple.dst.u3.raw());
	const u32 minip = ntohl(range.min_addr), dist = ntohl(range.max_addr) - minip + 1;

	var_ipp = htonl(minip + reciprocal_scale(j, dist));
}

// A port, or an ICMP id, that makes the tuple unique: from a random place on, and elsewhere when that is
// full.
static void nf_nat_l4proto_unique_tuple(nf_conntrack_tuple &tuple, const nf_nat_range2 &range,
                                        nf_nat_manip_type maniptype, const nf_conn &ct)
{
	TRACE();
	constexpr u32 max_attempts = 128;
	const bool specified = range.flags & NF_NAT_RANGE_PROTO_SPECIFIED;
	be16 *keyptr = nullptr;
	u32 min = 0, range_size = 65536;

	switch (tuple.dst.protonum) {
	case IPPROTO_ICMP:
		keyptr = &tuple.src.u;
		if (specified) {
			min = ntohs(range.min_proto);
			range_size = ntohs(range.max_proto) - min + 1u;
		}
		break;
	case IPPROTO_UDP:
	case IPPROTO_TCP: {
		keyptr = maniptype == NF_NAT_MANIP_SRC ? &tuple.src.u : &tuple.dst.u;
		if (specified) {
			u32 max = ntohs(range.max_proto);

			min = ntohs(range.min_proto);
			if (max < min)
				std::swap(max, min);
			range_size = max - min + 1;
			break;
		}
		if (maniptype == NF_NAT_MANIP_DST) // the destination's port stays
			return;
		// A privileged port gets a privileged one; below 512 they tell who it is.
		const u16 port = ntohs(*keyptr);
		min = port < 512 ? 1 : port < 1024 ? 600 : 1024;
		range_size = (port < 512 ? 511u : port < 1024 ? 1023u : 65535u) - min + 1;
		break;
	}
	default:
		return;
	}
	u16 off = range.flags & NF_NAT_RANGE_PROTO_OFFSET
	                  ? static_cast<u16>(ntohs(*keyptr) - ntohs(range.base_proto))
	                  : get_random_u16();
	u32 attempts = range_size > max_attempts ? max_attempts : range_size;

	for (;;) {
		for (u32 i = 0; i < attempts; ++i, ++off) {
			*keyptr = htons(static_cast<u16>(min + off % range_size));
			if (!nf_nat_used_tuple(tuple, ct))
				return;
		}
		if (attempts >= range_size || attempts < 16)
			return;
		attempts /= 2;
		off = get_random_u16();
	}
}

static void get_unique_tuple(nf_conntrack_tuple &tuple, const nf_conntrack_tuple &orig_tuple,
                             const nf_nat_range2 &range, nf_conn &ct, nf_nat_manip_type maniptype)
{
	TRACE();
	const bool random = range.flags & NF_NAT_RANGE_PROTO_RANDOM_ALL;

	if (maniptype == NF_NAT_MANIP_SRC && !random) {
		if (nf_in_range(orig_tuple, range)) {
			if (!nf_nat_used_tuple(orig_tuple, ct)) {
				tuple = orig_tuple;
				return;
			}
		} else if (find_appropriate_src(nf_ct_net(ct), orig_tuple, tuple, range)) {
			if (!nf_nat_used_tuple(tuple, ct))
				return;
		}
	}
	tuple = orig_tuple;
	find_best_ips_proto(tuple, range, maniptype);
	if (!random) {
		if (range.flags & NF_NAT_RANGE_PROTO_SPECIFIED) {
			if (!(range.flags & NF_NAT_RANGE_PROTO_OFFSET) &&
			    l4proto_in_range(tuple, maniptype, range.min_proto, range.max_proto) &&
			    (range.min_proto == range.max_proto || !nf_nat_used_tuple(tuple, ct)))
				return;
		} else if (!nf_nat_used_tuple(tuple, ct)) {
			return;
		}
	}
	nf_nat_l4proto_unique_tuple(tuple, range, maniptype, ct);
}

nf_conn_nat *nf_ct_nat_ext_add(nf_conn &ct)
{
	TRACE();
	nf_conn_nat *ext = nfct_nat(ct);

	if (!ext && !nf_ct_is_confirmed(ct))
		ext = static_cast<nf_conn_nat *>(nf_ct_ext_add(ct, NF_CT_EXT_NAT));
	return ext;
}

u32 nf_nat_setup_info(nf_conn &ct, const nf_nat_range2 &range, nf_nat_manip_type maniptype)
{
	TRACE();
	net &net = nf_ct_net(ct);
	nf_conntrack_tuple curr_tuple, new_tuple;

	if (nf_ct_is_confirmed(ct))
		return NF_ACCEPT;
	assert(!nf_nat_initialized(ct, maniptype));
	nf_ct_invert_tuple(curr_tuple, ct.tuplehash[IP_CT_DIR_REPLY].tuple);
	get_unique_tuple(new_tuple, curr_tuple, range, ct, maniptype);
	if (!nf_ct_tuple_equal(new_tuple, curr_tuple)) {
		nf_conntrack_tuple reply;

		nf_ct_invert_tuple(reply, new_tuple);
		nf_conntrack_alter_reply(ct, reply);
		ct.status |= maniptype == NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;
	}
	if (maniptype == NF_NAT_MANIP_SRC) {
		const u32 srchash = hash_by_src(net, ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple);
		spinlock_t &lock = nat->locks[srchash % CONNTRACK_LOCKS];

		spin_lock_bh(lock);
		list_add(ct.nat_bysource, nat->bysource[srchash]);
		spin_unlock_bh(lock);
	}
	ct.status |= maniptype == NF_NAT_MANIP_DST ? IPS_DST_NAT_DONE : IPS_SRC_NAT_DONE;
	return NF_ACCEPT;
}

static u32 __nf_nat_alloc_null_binding(nf_conn &ct, nf_nat_manip_type manip)
{
	TRACE();
	const nf_conntrack_tuple &reply = ct.tuplehash[IP_CT_DIR_REPLY].tuple;
	const be32 ip = manip == NF_NAT_MANIP_SRC ? reply.dst.u3 : reply.src.u3;

	return nf_nat_setup_info(ct, {.flags = NF_NAT_RANGE_MAP_IPS, .min_addr = ip, .max_addr = ip}, manip);
}

u32 nf_nat_alloc_null_binding(nf_conn &ct, u32 hooknum)
{
	TRACE();
	return __nf_nat_alloc_null_binding(ct, HOOK2MANIP(hooknum));
}

u32 nf_nat_packet(nf_conn &ct, ip_conntrack_info ctinfo, u32 hooknum, sk_buff &skb)
{
	TRACE(skb);
	const nf_nat_manip_type mtype = HOOK2MANIP(hooknum);
	const ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
	u32 statusbit = mtype == NF_NAT_MANIP_SRC ? IPS_SRC_NAT : IPS_DST_NAT;

	if (dir == IP_CT_DIR_REPLY)
		statusbit ^= IPS_NAT_MASK;
	return ct.status & statusbit ? nf_nat_manip_pkt(skb, ct, mtype, dir) : NF_ACCEPT;
}

static bool nf_nat_oif_changed(u32 hooknum, ip_conntrack_info ctinfo, const nf_conn_nat *ext,
                               const net_device *out)
{
	TRACE_INLINE();
	return ext && ext->masq_index && hooknum == NF_INET_POST_ROUTING &&
	       CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL && ext->masq_index != out->ifindex;
}

u32 nf_nat_inet_fn(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	const nf_nat_manip_type maniptype = HOOK2MANIP(state.hook);
	ip_conntrack_info ctinfo;
	nf_conn *ct = nf_ct_get(*skb, ctinfo);

	if (!ct)
		return NF_ACCEPT;
	const nf_conn_nat *ext = nfct_nat(*ct);
	bool may_have_moved = true;

	if (ctinfo != IP_CT_ESTABLISHED && ctinfo != IP_CT_ESTABLISHED_REPLY &&
	    !nf_nat_initialized(*ct, maniptype)) {
		may_have_moved = false;
		if (const nf_hook_entries *e = static_cast<nf_nat_lookup_hook_priv *>(priv)->entries) {
			for (const nf_hook_entry &one : e->hooks) {
				const u32 ret = one.hook(one.priv, skb, state);

				if (ret != NF_ACCEPT)
					return ret;
				if (nf_nat_initialized(*ct, maniptype))
					break;
			}
		}
		if (!nf_nat_initialized(*ct, maniptype)) {
			const u32 ret = nf_nat_alloc_null_binding(*ct, state.hook);

			if (ret != NF_ACCEPT)
				return ret;
		}
	}
	if (may_have_moved && nf_nat_oif_changed(state.hook, ctinfo, ext, state.out)) {
		nf_ct_kill_acct(*ct, ctinfo, *skb); // its address is another device's
		return NF_DROP;
	}
	return nf_nat_packet(*ct, ctinfo, state.hook, *skb);
}

static void nf_nat_cleanup_conntrack(nf_conn &ct)
{
	TRACE();
	const u32 h = hash_by_src(nf_ct_net(ct), ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple);

	spin_lock_bh(nat->locks[h % CONNTRACK_LOCKS]);
	list_del_init(ct.nat_bysource);
	spin_unlock_bh(nat->locks[h % CONNTRACK_LOCKS]);
}

int nf_nat_register_fn(net &net, u8 pf, const nf_hook_ops &ops, const nf_hook_ops *orig_nat_ops,
                       u32 ops_count)
{
	TRACE();
	nf_nat_hooks_net &proto = (*static_cast<nat_net *>(net_generic(net, nat_net_ops).get()))[pf];
	u32 hooknum = 0;

	while (hooknum < ops_count && orig_nat_ops[hooknum].hooknum != ops.hooknum)
		++hooknum;
	if (hooknum == ops_count)
		return -EINVAL;
	if (proto.nat_hook_ops.empty()) {
		assert(proto.users == 0);
		proto.nat_hook_ops.assign(orig_nat_ops, orig_nat_ops + ops_count);
		proto.privs.assign(ops_count, {});
		for (u32 i = 0; i < ops_count; ++i)
			proto.nat_hook_ops[i].priv = &proto.privs[i];
		if (const int ret = nf_register_net_hooks(net, proto.nat_hook_ops.data(), ops_count)) {
			proto.nat_hook_ops.clear();
			return ret;
		}
	}
	const int ret = nf_hook_entries_insert_raw(proto.privs[hooknum].entries, ops);
	if (!ret)
		++proto.users;
	return ret;
}

void nf_nat_unregister_fn(net &net, u8 pf, const nf_hook_ops &ops, u32 ops_count)
{
	TRACE();
	nf_nat_hooks_net &proto = (*static_cast<nat_net *>(net_generic(net, nat_net_ops).get()))[pf];

	if (!proto.users)
		return;
	--proto.users;
	for (u32 i = 0; i < ops_count; ++i)
		if (proto.nat_hook_ops[i].hooknum == ops.hooknum)
			nf_hook_entries_delete_raw(proto.privs[i].entries, ops);
	if (proto.users == 0) {
		nf_unregister_net_hooks(net, proto.nat_hook_ops.data(), ops_count);
		proto.nat_hook_ops.clear();
	}
}

static int nat_net_init(net &net)
{
	TRACE();
	net_generic(net, nat_net_ops) = std::make_shared<nat_net>();
	return 0;
}

static void nat_net_exit(net &net)
{
	TRACE();
	net_generic(net, nat_net_ops).reset();
}

static const nf_nat_hook nat_hook{nf_nat_cleanup_conntrack};

int nf_nat_init()
{
	TRACE();
	const std::size_t buckets = nf_conntrack_of_host().hash.size();

	nat->bysource = std::vector<list_head>(buckets < CONNTRACK_LOCKS ? CONNTRACK_LOCKS : buckets);
	get_random_bytes(&nat->hash_rnd, sizeof(nat->hash_rnd));
	register_pernet_subsys(nat_net_ops);
	nf_nat_set_hook(&nat_hook);
	return 0;
}

} // namespace skbwalk
