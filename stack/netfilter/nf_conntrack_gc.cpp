// SPDX-License-Identifier: GPL-2.0-only
//
// The rest of net/netfilter/nf_conntrack_core.c: how connections end, by their time, by order, or early
// because the table is full (gc_worker, nf_ct_delete, early_drop), how many the table holds, and how it all
// begins.
#include "stack/core/netdevice.h"
#include "stack/kernel/softirq.h"
#include "stack/netfilter/nf_conntrack_private.h"

namespace skbwalk {

namespace {

constexpr u32 GC_SCAN_INTERVAL_MAX = 60 * HZ, GC_SCAN_INTERVAL_MIN = 1 * HZ,
	      GC_SCAN_INTERVAL_CLAMP = 300 * HZ;
constexpr u32 GC_SCAN_INITIAL_COUNT = 100, GC_SCAN_INTERVAL_INIT = GC_SCAN_INTERVAL_MAX;
constexpr u32 GC_SCAN_EXPIRED_MAX = 64000 / HZ;
constexpr u32 NF_CT_EVICTION_RANGE = 8;
// Of a machine with a GiB of memory or somewhat more.
constexpr u32 default_buckets = 65536;

perhost<conntrack_globals> globals;

constexpr s32 clamp(s32 v, u32 low, u32 high)
{
	return v < static_cast<s32>(low)    ? static_cast<s32>(low)
	       : v > static_cast<s32>(high) ? static_cast<s32>(high)
	                                    : v;
}

} // namespace

conntrack_globals &conntrack_state() { return *globals; }
nf_conntrack_table &nf_conntrack_of_host() { return globals->table; }

void nf_nat_set_hook(const nf_nat_hook *hook)
{
	TRACE();
	globals->nat_hook = hook;
}

static void clean_from_lists(nf_conn &ct)
{
	TRACE();
	hlist_nulls_del_init_rcu(ct.tuplehash[IP_CT_DIR_ORIGINAL].hnnode);
	hlist_nulls_del_init_rcu(ct.tuplehash[IP_CT_DIR_REPLY].hnnode);
	nf_ct_remove_expectations(ct);
}

void nf_ct_destroy(nf_conntrack &nfct)
{
	TRACE();
	nf_conn &ct = nf_ct_to_nf_conn(nfct);

	nf_ct_remove_expectations(ct);
	if (ct.master)
		nf_ct_put(ct.master);
	nf_conntrack_free(ct);
}

static void __nf_ct_delete_from_lists(nf_conn &ct)
{
	TRACE();
	const net &net = nf_ct_net(ct);
	u32 hash = 0, reply_hash = 0, sequence = 0;

	do {
		sequence = globals->table.generation;
		hash = hash_conntrack(net, ct.tuplehash[0].tuple, nf_ct_zone_id(ct.zone, IP_CT_DIR_ORIGINAL));
		reply_hash =
			hash_conntrack(net, ct.tuplehash[1].tuple, nf_ct_zone_id(ct.zone, IP_CT_DIR_REPLY));
	} while (nf_conntrack_double_lock(hash, reply_hash, sequence));
	clean_from_lists(ct);
	nf_conntrack_double_unlock(hash, reply_hash);
}

static void nf_ct_delete_from_lists(nf_conn &ct)
{
	TRACE();
	nf_ct_helper_destroy(ct);
	local_bh_disable();
	__nf_ct_delete_from_lists(ct);
	local_bh_enable();
}

bool nf_ct_delete(nf_conn &ct)
{
	TRACE();
	if (ct.status & IPS_DYING)
		return false;
	ct.status |= IPS_DYING;
	if (nf_conn_tstamp *tstamp = nf_conn_tstamp_find(ct))
		tstamp->stop = ktime_get_real_ns();
	nf_ct_delete_from_lists(ct);
	nf_ct_put(&ct);
	return true;
}

void nf_ct_gc_expired(nf_conn &ct)
{
	TRACE();
	if (!refcount_inc_not_zero(ct.use))
		return;
	TRACE_PART();
	if (nf_ct_should_gc(ct))
		nf_ct_kill(ct);
	nf_ct_put(&ct);
}

namespace {

// Calls fn(ct, hash node) along a chain; the next link is read before, since fn may end the connection. After
// that the next one may be gone as well, and the walk starts again.
template <class F> void along_chain(u32 bucket, F &&fn)
{
	for (std::uintptr_t link = hlist_nulls_first(globals->table.hash[bucket]); !is_a_nulls(link);) {
		nf_conntrack_tuple_hash &h = tuplehash_of(nulls_entry(link));
		const std::uintptr_t next = hlist_nulls_next(h.hnnode);
		const bool ended = fn(nf_ct_tuplehash_to_ctrack(h), h);

		link = ended ? hlist_nulls_first(globals->table.hash[bucket]) : next;
	}
}

} // namespace

static u32 early_drop_list(net &net, u32 bucket)
{
	TRACE();
	u32 drops = 0;

	along_chain(bucket, [&net, &drops](nf_conn &tmp, nf_conntrack_tuple_hash &) {
		if (nf_ct_is_expired(tmp)) {
			const bool goes = nf_ct_should_gc(tmp);

			nf_ct_gc_expired(tmp);
			return goes;
		}
		if (tmp.status & IPS_ASSURED || !net_eq(nf_ct_net(tmp), net) || nf_ct_is_dying(tmp))
			return false;
		if (!refcount_inc_not_zero(tmp.use))
			return false;
		const bool ended = nf_ct_is_confirmed(tmp) && nf_ct_delete(tmp);
		drops += ended;
		nf_ct_put(&tmp);
		return ended;
	});
	return drops;
}

bool early_drop(net &net, u32 hash)
{
	TRACE();
	const u32 hsize = static_cast<u32>(globals->table.hash.size());
	u32 bucket = reciprocal_scale(hash, hsize);

	for (u32 i = 0; i < NF_CT_EVICTION_RANGE; ++i) {
		rcu_read_lock();
		const u32 drops = early_drop_list(net, bucket);
		rcu_read_unlock();

		if (drops) {
			NF_CT_STAT_ADD(net, &ip_conntrack_stat::early_drop, drops);
			return true;
		}
		bucket = (bucket + 1) % hsize;
	}
	return false;
}

static bool gc_worker_skip_ct(const nf_conn &ct)
{
	TRACE();
	return !nf_ct_is_confirmed(ct) || nf_ct_is_dying(ct);
}

static bool gc_worker_can_early_drop(const nf_conn &ct)
{
	TRACE();
	if (!(ct.status & IPS_ASSURED))
		return true;
	const nf_conntrack_l4proto &l4proto = nf_ct_l4proto_find(nf_ct_protonum(ct));

	return l4proto.can_early_drop && l4proto.can_early_drop(ct);
}

// Unlike the kernel, no time passes while it scans, so a round is never cut because it took too long.
static void gc_worker(delayed_work &work)
{
	TRACE();
	conntrack_gc_work &gc_work = container_of(work, &conntrack_gc_work::dwork);
	const u32 start_time = nfct_time_stamp(), hashsz = static_cast<u32>(globals->table.hash.size());
	const u32 nf_conntrack_max95 = gc_work.early_drop ? globals->table.max / 100 * 95 : 0;
	u32 i = gc_work.next_bucket, expired_count = 0;
	bool cut = false;

	if (i == 0) {
		gc_work.avg_timeout = GC_SCAN_INTERVAL_INIT;
		gc_work.count = GC_SCAN_INITIAL_COUNT;
		gc_work.start_time = start_time;
	}
	s32 next_run = static_cast<s32>(gc_work.avg_timeout), count = static_cast<s32>(gc_work.count);

	for (; i < hashsz && !cut; ++i) {
		rcu_read_lock();
		along_chain(i, [&](nf_conn &tmp, nf_conntrack_tuple_hash &) {
			if (cut)
				return false;
			if (expired_count > GC_SCAN_EXPIRED_MAX) {
				cut = true;
				return false;
			}
			if (nf_ct_is_expired(tmp)) {
				const bool goes = nf_ct_should_gc(tmp);

				nf_ct_gc_expired(tmp);
				++expired_count;
				return goes;
			}
			next_run += (clamp(static_cast<s32>(nf_ct_expires(tmp)), GC_SCAN_INTERVAL_MIN,
			                   GC_SCAN_INTERVAL_CLAMP) -
			             next_run) /
			            ++count;
			if (gc_worker_skip_ct(tmp) || !nf_conntrack_max95 ||
			    nf_ct_pernet(nf_ct_net(tmp)).count < nf_conntrack_max95)
				return false;
			if (!refcount_inc_not_zero(tmp.use))
				return false;
			const bool ended =
				!gc_worker_skip_ct(tmp) && gc_worker_can_early_drop(tmp) && nf_ct_kill(tmp);
			expired_count += ended;
			nf_ct_put(&tmp);
			return ended;
		});
		rcu_read_unlock();
	}
	const u32 delta_time = nfct_time_stamp() - gc_work.start_time;
	if (cut) {
		gc_work.next_bucket = i - 1;
		gc_work.avg_timeout = static_cast<u32>(next_run);
		gc_work.count = static_cast<u32>(count);
		next_run = delta_time < GC_SCAN_INTERVAL_MAX;
	} else {
		gc_work.next_bucket = 0;
		next_run = clamp(next_run, GC_SCAN_INTERVAL_MIN, GC_SCAN_INTERVAL_MAX);
		const s32 spent = delta_time ? static_cast<s32>(delta_time) : 1;

		next_run = next_run > spent ? next_run - spent : 1;
	}
	if (gc_work.exiting)
		return;
	if (next_run)
		gc_work.early_drop = false;
	queue_delayed_work(gc_work.dwork, static_cast<u32>(next_run));
}

static void conntrack_gc_work_init(conntrack_gc_work &gc_work)
{
	TRACE();
	INIT_DELAYED_WORK(gc_work.dwork, gc_worker);
	gc_work.exiting = false;
}

void nf_conntrack_free(nf_conn &ct)
{
	TRACE();
	const net &net = nf_ct_net(ct);

	assert(refcount_read(ct.use) == 0);
	if (ct.status & IPS_SRC_NAT_DONE && globals->nat_hook)
		globals->nat_hook->remove_nat_bysrc(ct);
	if (ct.ext)
		kfree(ct.ext);
	ct.~nf_conn();
	kmem_cache_free(*globals->cachep, &ct);
	--nf_ct_pernet(net).count;
}

void nf_ct_iterate_cleanup_net(net &net, int (*iter)(nf_conn &i, void *data), void *data)
{
	TRACE();
	if (!net.ct || !nf_ct_pernet(net).count)
		return;
	for (u32 bucket = 0; bucket < globals->table.hash.size(); ++bucket)
		along_chain(bucket, [&net, iter, data](nf_conn &ct, nf_conntrack_tuple_hash &h) {
			if (NF_CT_DIRECTION(h) != IP_CT_DIR_REPLY || !net_eq(nf_ct_net(ct), net) ||
			    !iter(ct, data))
				return false;
			nf_conntrack_get(&ct);
			const bool ended = nf_ct_delete(ct);
			nf_ct_put(&ct);
			return ended;
		});
}

static int kill_all(nf_conn &, void *)
{
	TRACE();
	return 1;
}

void nf_conntrack_cleanup_net(net &net)
{
	TRACE();
	nf_ct_iterate_cleanup_net(net, kill_all, nullptr);
}

void nf_conntrack_cleanup_end()
{
	TRACE();
	globals->gc.exiting = true;
	cancel_delayed_work_sync(globals->gc.dwork);
}

static std::vector<hlist_nulls_head> nf_ct_alloc_hashtable(u32 size)
{
	TRACE();
	std::vector<hlist_nulls_head> hash((size + 511) / 512 * 512); // whole pages

	for (std::size_t i = 0; i < hash.size(); ++i)
		INIT_HLIST_NULLS_HEAD(hash[i], i);
	return hash;
}

int nf_conntrack_hash_resize(u32 hashsize)
{
	TRACE();
	nf_conntrack_table &t = globals->table;

	if (!hashsize)
		return -EINVAL;
	std::vector<hlist_nulls_head> hash = nf_ct_alloc_hashtable(hashsize);
	if (hash.size() == t.hash.size())
		return 0;
	local_bh_disable();
	++t.generation;
	for (hlist_nulls_head &head : t.hash)
		for (std::uintptr_t link = hlist_nulls_first(head); !is_a_nulls(link);
		     link = hlist_nulls_first(head)) {
			nf_conntrack_tuple_hash &h = tuplehash_of(nulls_entry(link));
			const nf_conn &ct = nf_ct_tuplehash_to_ctrack(h);

			hlist_nulls_del_init_rcu(h.hnnode);
			const u32 raw = hash_conntrack_raw(
				h.tuple, nf_ct_zone_id(nf_ct_zone(ct), NF_CT_DIRECTION(h)), nf_ct_net(ct));
			hlist_nulls_add_head_rcu(h.hnnode,
			                         hash[reciprocal_scale(raw, static_cast<u32>(hash.size()))]);
		}
	t.hash.swap(hash);
	++t.generation;
	local_bh_enable();
	return 0;
}

int nf_conntrack_init_start()
{
	TRACE();
	nf_conntrack_table &t = globals->table;

	t.hash = nf_ct_alloc_hashtable(default_buckets);
	t.max = static_cast<u32>(t.hash.size());
	get_random_bytes(&globals->hash_rnd, sizeof(globals->hash_rnd));
	globals->cachep = &kmem_cache_create("nf_conntrack", sizeof(nf_conn), 8);
	if (const int ret = nf_conntrack_proto_init())
		return ret;
	conntrack_gc_work_init(globals->gc);
	queue_delayed_work(globals->gc.dwork, HZ);
	return 0;
}

static void nf_conntrack_attach(sk_buff &nskb, const sk_buff &skb)
{
	TRACE(nskb);
	ip_conntrack_info ctinfo;
	nf_conn *ct = nf_ct_get(skb, ctinfo);

	ctinfo = CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL ? IP_CT_RELATED_REPLY : IP_CT_RELATED;
	nf_ct_set(nskb, ct, ctinfo);
	nf_conntrack_get(skb_nfct(nskb));
}

static void nf_conntrack_set_closing(nf_conntrack &nfct)
{
	TRACE();
	nf_conn &ct = nf_ct_to_nf_conn(nfct);

	if (nf_ct_protonum(ct) == IPPROTO_TCP)
		nf_conntrack_tcp_set_closing(ct);
}

static const nf_ct_hook nf_conntrack_hook{
	.destroy = nf_ct_destroy, .attach = nf_conntrack_attach, .set_closing = nf_conntrack_set_closing};

void nf_conntrack_init_end()
{
	TRACE();
	nf_ct_set_hook(&nf_conntrack_hook);
}

int nf_conntrack_init_net(net &net)
{
	TRACE();
	net.ct = std::make_shared<netns_ct>();
	nf_conntrack_proto_pernet_init(net);
	return 0;
}

} // namespace skbwalk
