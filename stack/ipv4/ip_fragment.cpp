// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_fragment.c: IPv4's reassembly. A fragment comes into ip_defrag, which finds the queue of its
// datagram by addresses, identifier, protocol and who asks; ip_frag_queue checks that it fits to what is
// there and puts it in; with the last one missing, ip_frag_reasm joins all to the datagram, in the skb of the
// fragment that came last. ip_expire gives up after ipfrag_time and tells the sender.
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/inet_frag.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

namespace {

constexpr u32 IP_FRAG_TIME = 30 * HZ;

struct ipq : inet_frag_queue {
	u8 ecn = 0;          // the codepoints of all
	u16 max_df_size = 0; // of the longest fragment with DF
	int iif = 0;
	u32 rid = 0;
	inet_peer *peer = nullptr; // counted
};
ipq &ipq_of(inet_frag_queue &q) { return static_cast<ipq &>(q); }

perhost<inet_frags> ip4_frags;

} // namespace

static u8 ip4_frag_ecn(u8 tos)
{
	TRACE();
	return static_cast<u8>(1u << (tos & INET_ECN_MASK));
}

static void ip4_frag_init(inet_frag_queue &q, const void *a)
{
	TRACE();
	ipq &qp = ipq_of(q);
	const auto &key = *static_cast<const frag_v4_compare_key *>(a);

	q.key.v4 = key;
	qp.ecn = 0;
	if (q.fqdir->max_dist) {
		rcu_read_lock();
		inet_peer *p =
			inet_getpeer_v4(*q.fqdir->net->ipv4.peers, key.saddr, static_cast<int>(key.vif));

		qp.peer = p && refcount_inc_not_zero(p->refcnt) ? p : nullptr;
		rcu_read_unlock();
	}
}

static void ip4_frag_free(inet_frag_queue &q)
{
	TRACE();
	if (ipq_of(q).peer)
		inet_putpeer(*ipq_of(q).peer);
}

static void ipq_put(ipq &ipq)
{
	TRACE();
	inet_frag_put(ipq);
}

static void ipq_kill(ipq &ipq)
{
	TRACE();
	inet_frag_kill(ipq);
}

// Only who the datagram was for tells the sender; a router that looked into it does not.
static bool frag_expire_skip_icmp(u32 user)
{
	TRACE();
	return user == IP_DEFRAG_AF_PACKET ||
	       ip_defrag_user_in_between(user, IP_DEFRAG_CONNTRACK_IN, __IP_DEFRAG_CONNTRACK_IN_END) ||
	       ip_defrag_user_in_between(user, IP_DEFRAG_CONNTRACK_BRIDGE_IN,
	                                 __IP_DEFRAG_CONNTRACK_BRIDGE_IN);
}

namespace {

// With the queue locked: gives it up. What comes back is the fragment that the sender is told about, on a
// route, or one that is not worth that (report is false), or null.
skb_ptr give_up(ipq &qp, bool &report)
{
	net &net = *qp.fqdir->net;

	report = false;
	if (qp.flags & INET_FRAG_COMPLETE)
		return nullptr;
	ipq_kill(qp);
	__IP_INC_STATS(net, IPSTATS_MIB_REASMFAILS);
	__IP_INC_STATS(net, IPSTATS_MIB_REASMTIMEOUT);
	if (!(qp.flags & INET_FRAG_FIRST_IN))
		return nullptr;
	skb_ptr head = inet_frag_pull_head(qp);
	if (!head)
		return nullptr;
	head->dev = dev_get_by_index_rcu(net, qp.iif);
	if (!head->dev)
		return head;
	const iphdr &iph = ip_hdr(*head);
	if (ip_route_input_noref(*head, iph.daddr, iph.saddr, iph.tos, *head->dev))
		return head;
	report = !frag_expire_skip_icmp(qp.key.v4.user) || skb_rtable(*head)->rt_type == RTN_LOCAL;
	return head;
}

} // namespace

static void ip_expire(timer_list &t)
{
	TRACE();
	ipq &qp = ipq_of(container_of(t, &inet_frag_queue::timer));
	skb_ptr head;

	rcu_read_lock();
	if (!qp.fqdir->dead) {
		bool report;

		spin_lock(qp.lock);
		head = give_up(qp, report);
		spin_unlock(qp.lock);
		if (report)
			icmp_send(*head, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, be32{});
	}
	rcu_read_unlock();
	if (head)
		kfree_skb(std::move(head));
	ipq_put(qp);
}

static ipq *ip_find(net &net, const iphdr &iph, u32 user, int vif)
{
	TRACE();
	const frag_v4_compare_key key{iph.saddr, iph.daddr,   user, static_cast<u32>(vif),
	                              iph.id,    iph.protocol};

	return static_cast<ipq *>(inet_frag_find(*net.ipv4.frags, &key));
}

// Has the sender sent so many datagrams meanwhile that this fragment may belong to a new one with an old
// number?
static bool ip_frag_too_far(ipq &qp)
{
	TRACE();
	const auto max = static_cast<u32>(qp.fqdir->max_dist);

	if (!qp.peer || !max)
		return false;
	const u32 start = qp.rid;
	const u32 end = static_cast<u32>(atomic_add_return(1, qp.peer->rid));
	qp.rid = end;
	const bool rc = qp.fragments_tail && end - start > max;
	if (rc)
		__IP_INC_STATS(*qp.fqdir->net, IPSTATS_MIB_REASMFAILS);
	return rc;
}

static int ip_frag_reinit(ipq &qp)
{
	TRACE();
	if (!mod_timer(qp.timer, jiffies() + static_cast<u32>(qp.fqdir->timeout))) {
		refcount_inc(qp.refcnt);
		return -ETIMEDOUT;
	}
	sub_frag_mem_limit(*qp.fqdir, inet_frag_rbtree_purge(qp.rb_fragments));
	qp.flags = 0;
	qp.len = 0;
	qp.meat = 0;
	qp.fragments_tail = nullptr;
	qp.last_run_head = nullptr;
	qp.iif = 0;
	qp.ecn = 0;
	return 0;
}

static bool ip_frag_coalesce_ok(const ipq &qp)
{
	TRACE();
	return qp.key.v4.user == IP_DEFRAG_LOCAL_DELIVER;
}

static int ip_frag_reasm(ipq &qp, sk_buff &skb, sk_buff *prev_tail, net_device *dev)
{
	TRACE(skb);
	net &net = *qp.fqdir->net;
	const auto out_fail = [&](int err) {
		__IP_INC_STATS(net, IPSTATS_MIB_REASMFAILS);
		return err;
	};

	ipq_kill(qp);
	const u8 ecn = ip_frag_ecn_table[qp.ecn];
	if (ecn == 0xff)
		return out_fail(-EINVAL);
	void *reasm_data = inet_frag_reasm_prepare(qp, skb, prev_tail);
	if (!reasm_data)
		return out_fail(-ENOMEM);
	const u32 len = ip_hdrlen(skb) + static_cast<u32>(qp.len);
	if (len > 65535)
		return out_fail(-E2BIG);
	inet_frag_reasm_finish(qp, skb, reasm_data, ip_frag_coalesce_ok(qp));

	skb.dev = dev;
	IPCB(skb).frag_max_size = std::max(qp.max_df_size, qp.max_size);
	iphdr &iph = ip_hdr(skb);
	iph.tot_len = htons(static_cast<u16>(len));
	iph.tos |= ecn;
	// With DF it is cut again when it is forwarded, no longer than the sender cut it. DF of a short
	// fragment alone says nothing.
	if (qp.max_df_size == qp.max_size) {
		IPCB(skb).flags |= IPSKB_FRAG_PMTU;
		iph.frag_off = htons(IP_DF);
	} else {
		iph.frag_off = be16{};
	}
	ip_send_check(iph);
	__IP_INC_STATS(net, IPSTATS_MIB_REASMOKS);
	qp.fragments_tail = nullptr;
	qp.last_run_head = nullptr;
	return 0;
}

namespace {

int drop(skb_ptr &skb, int err)
{
	kfree_skb(std::move(skb));
	return err;
}

int discard_qp(ipq &qp, skb_ptr &skb, int err)
{
	inet_frag_kill(qp);
	__IP_INC_STATS(*qp.fqdir->net, IPSTATS_MIB_REASMFAILS);
	return drop(skb, err);
}

// Does the fragment, up to byte `end`, agree with what is known of the datagram's length?
bool length_agrees(ipq &qp, sk_buff &skb, bool more, int &end)
{
	if (!more) {
		if (end < qp.len || ((qp.flags & INET_FRAG_LAST_IN) && end != qp.len))
			return false;
		qp.flags |= INET_FRAG_LAST_IN;
		qp.len = end;
		return true;
	}
	if (end & 7) { // all but the last are a multiple of eight
		end &= ~7;
		if (skb.ip_summed != CHECKSUM_UNNECESSARY)
			skb.ip_summed = CHECKSUM_NONE;
	}
	if (end > qp.len) {
		if (qp.flags & INET_FRAG_LAST_IN)
			return false;
		qp.len = end;
	}
	return true;
}

} // namespace

// 0: skb is the whole datagram now. Else it is taken.
static int ip_frag_queue(ipq &qp, skb_ptr &skb)
{
	TRACE(skb);
	net &net = *qp.fqdir->net;

	if (qp.flags & INET_FRAG_COMPLETE)
		return drop(skb, -ENOENT);
	if (!(IPCB(*skb).flags & IPSKB_FRAG_COMPLETE) && ip_frag_too_far(qp)) {
		if (const int err = ip_frag_reinit(qp)) {
			ipq_kill(qp);
			return drop(skb, err);
		}
	}
	const u8 ecn = ip4_frag_ecn(ip_hdr(*skb).tos);
	const u16 frag_off = ntohs(ip_hdr(*skb).frag_off);
	const int offset = (frag_off & IP_OFFSET) << 3;
	const auto ihl = static_cast<int>(ip_hdrlen(*skb));
	const u32 before = static_cast<u32>(skb_network_offset(*skb) + ihl);
	int end = offset + static_cast<int>(skb->len) - static_cast<int>(before);

	if (!length_agrees(qp, *skb, frag_off & IP_MF, end) || end == offset)
		return discard_qp(qp, skb, -EINVAL);
	if (!pskb_pull(*skb, before))
		return discard_qp(qp, skb, -ENOMEM);
	if (const int err = pskb_trim_rcsum(*skb, static_cast<u32>(end - offset)))
		return discard_qp(qp, skb, err);

	net_device *dev = skb->dev;
	sk_buff *prev_tail = qp.fragments_tail;
	const int inserted = inet_frag_queue_insert(qp, *skb, offset, end);
	if (inserted == IPFRAG_DUP)
		return drop(skb, -EINVAL);
	if (inserted) {
		__IP_INC_STATS(net, IPSTATS_MIB_REASM_OVERLAPS);
		return discard_qp(qp, skb, -EINVAL);
	}
	sk_buff &queued = *skb;
	if (dev)
		qp.iif = dev->ifindex;
	qp.stamp = queued.tstamp;
	qp.mono_delivery_time = queued.mono_delivery_time;
	qp.meat += static_cast<int>(queued.len);
	qp.ecn |= ecn;
	add_frag_mem_limit(*qp.fqdir, queued.truesize);
	if (!offset)
		qp.flags |= INET_FRAG_FIRST_IN;
	const u16 fragsize = static_cast<u16>(queued.len + static_cast<u32>(ihl));
	qp.max_size = std::max(qp.max_size, fragsize);
	if (frag_off & IP_DF)
		qp.max_df_size = std::max(qp.max_df_size, fragsize);

	if (qp.flags == (INET_FRAG_FIRST_IN | INET_FRAG_LAST_IN) && qp.meat == qp.len) {
		const std::uintptr_t orefdst = std::exchange(queued._skb_refdst, 0);
		const int err = ip_frag_reasm(qp, queued, prev_tail, dev);

		queued._skb_refdst = orefdst;
		if (err) {
			inet_frag_kill(qp);
			static_cast<void>(skb.release()); // the queue has it
		}
		return err;
	}
	skb_dst_drop(queued);
	skb_orphan(queued);
	static_cast<void>(skb.release());
	return -EINPROGRESS;
}

int ip_defrag(net &net, skb_ptr &skb, u32 user)
{
	TRACE(skb);
	__IP_INC_STATS(net, IPSTATS_MIB_REASMREQDS);
	rcu_read_lock();
	const net_device *dev = skb->dev ? skb->dev : skb_dst(*skb)->dev;
	const int vif = l3mdev_master_ifindex_rcu(dev);
	ipq *qp = ip_find(net, ip_hdr(*skb), user, vif);
	if (!qp) {
		rcu_read_unlock();
		__IP_INC_STATS(net, IPSTATS_MIB_REASMFAILS);
		return drop(skb, -ENOMEM);
	}
	spin_lock(qp->lock);
	const int ret = ip_frag_queue(*qp, skb);
	spin_unlock(qp->lock);
	rcu_read_unlock();
	ipq_put(*qp);
	return ret;
}

// For who sees packets before IP checked them. Null: taken.
skb_ptr ip_check_defrag(net &net, skb_ptr skb, u32 user)
{
	TRACE(skb);
	iphdr iph;
	const int netoff = skb_network_offset(*skb);

	if (skb->protocol != htons(ETH_P_IP) || skb_copy_bits(*skb, netoff, &iph, sizeof(iph)) < 0)
		return skb;
	const u32 hlen = iph.ihl() * 4, len = ntohs(iph.tot_len), total = static_cast<u32>(netoff) + len;
	if (iph.ihl() < 5 || iph.version() != 4 || skb->len < total || len < hlen || !ip_is_fragment(iph))
		return skb;
	skb = skb_share_check(std::move(skb), GFP_ATOMIC);
	if (!skb)
		return nullptr;
	if (!pskb_may_pull(*skb, static_cast<u32>(netoff) + hlen) || pskb_trim_rcsum(*skb, total)) {
		kfree_skb(std::move(skb));
		return nullptr;
	}
	IPCB(*skb) = {};
	if (ip_defrag(net, skb, user))
		return nullptr;
	skb_clear_hash(*skb);
	return skb;
}

int ip4_frags_sysctl_write(net &net, const std::string &name, long value)
{
	TRACE();
	fqdir &fqdir = *net.ipv4.frags;

	if (name == "ipfrag_high_thresh") {
		if (value < fqdir.low_thresh)
			return -EINVAL;
		fqdir.high_thresh = value;
	} else if (name == "ipfrag_low_thresh") {
		if (value < 0 || value > fqdir.high_thresh)
			return -EINVAL;
		fqdir.low_thresh = value;
	} else if (name == "ipfrag_time") {
		fqdir.timeout = static_cast<int>(value * static_cast<long>(HZ));
	} else if (name == "ipfrag_max_dist") {
		if (value < 0)
			return -EINVAL;
		fqdir.max_dist = static_cast<int>(value);
	} else {
		return -ENOENT;
	}
	return 0;
}

static int ipv4_frags_init_net(net &net)
{
	TRACE();
	fqdir_init(net.ipv4.frags, *ip4_frags, net);
	net.ipv4.frags->high_thresh = 4 * 1024 * 1024;
	net.ipv4.frags->low_thresh = 3 * 1024 * 1024;
	net.ipv4.frags->timeout = IP_FRAG_TIME;
	net.ipv4.frags->max_dist = 64;
	return 0;
}

static void ipv4_frags_exit_net(net &net)
{
	TRACE();
	fqdir_pre_exit(*net.ipv4.frags);
	fqdir_exit(*net.ipv4.frags);
}

static u32 ip4_key_hashfn(const void *data, u32 seed)
{
	TRACE();
	u32 words[sizeof(frag_v4_compare_key) / sizeof(u32)];

	std::memcpy(words, data, sizeof(words));
	return jhash2(words, sizeof(words) / sizeof(u32), seed);
}

static u32 ip4_obj_hashfn(const inet_frag_queue &q, u32 seed)
{
	TRACE();
	return jhash2(reinterpret_cast<const u32 *>(&q.key.v4), sizeof(frag_v4_compare_key) / sizeof(u32),
	              seed);
}

static bool ip4_obj_cmpfn(const inet_frag_queue &q, const void *key)
{
	TRACE();
	return q.key.v4 == *static_cast<const frag_v4_compare_key *>(key);
}

namespace {

const pernet_operations ip4_frags_ops = {
	.name = "ip4_frags", .init = ipv4_frags_init_net, .exit = ipv4_frags_exit_net};

} // namespace

void ipfrag_init()
{
	TRACE();
	inet_frags &f = *ip4_frags;

	f.qsize = 200; // the kernel's sizeof(struct ipq): limits depend on it
	f.object_size = sizeof(ipq);
	f.construct = [](void *memory) -> inet_frag_queue * { return ::new (memory) ipq; };
	f.destroy = [](inet_frag_queue &q) { static_cast<ipq &>(q).~ipq(); };
	f.constructor = ip4_frag_init;
	f.destructor = ip4_frag_free;
	f.frag_expire = ip_expire;
	f.frags_cache_name = "ip4-frags";
	f.hashfn = ip4_key_hashfn;
	f.obj_hashfn = ip4_obj_hashfn;
	f.obj_equal = ip4_obj_cmpfn;
	inet_frags_init(f);
	register_pernet_subsys(ip4_frags_ops);
}

} // namespace skbwalk
