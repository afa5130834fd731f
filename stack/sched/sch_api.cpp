// SPDX-License-Identifier: GPL-2.0-only
//
// net/sched/sch_api.c: disciplines by name and by handle, and what `tc` asks for. tc_modify_qdisc decides
// whether a request changes a discipline that is there or makes one (qdisc_create), which qdisc_graft then
// puts in its place: at the device's root, or as a class's leaf. A device's disciplines below its root stand
// in a table by handle. The watchdog runs a root again when its time has come. Left out: size tables, rate
// estimators, ingress, blocks of filters, notifications; sch_dump.cpp has the dumps.
#include <algorithm>
#include <cassert>
#include <map>

#include "stack/kernel/kmod.h"
#include "stack/kernel/random.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

namespace {

constexpr u32 DEFAULT_TX_QUEUE_LEN = 1000;
constexpr unsigned QDISC_HASH_BITS = 4;
using qdisc_hash = std::array<list_head, 1 << QDISC_HASH_BITS>;

struct sched_api {
	std::vector<const Qdisc_ops *> qdisc_base; // what can be asked for: noop cannot
	// net_device::qdisc_hash, of those that have any.
	std::map<const net_device *, qdisc_hash> hash;
	u32 autohandle = TC_H_MAKE(0x80000000, 0);
};
perhost<sched_api> api;

list_head &bucket(const Qdisc &q) { return api->hash[&qdisc_dev(q)][hash_32(q.handle, QDISC_HASH_BITS)]; }

} // namespace

// --- by name ---

int register_qdisc(const Qdisc_ops &ops)
{
	TRACE();
	assert(ops.enqueue && ops.dequeue && ops.peek);
	for (const Qdisc_ops *q : api->qdisc_base)
		if (std::string_view{q->id} == ops.id)
			return -EEXIST;
	api->qdisc_base.push_back(&ops);
	return 0;
}

static const Qdisc_ops *qdisc_lookup_ops(const std::string &kind)
{
	TRACE();
	for (const Qdisc_ops *q : api->qdisc_base)
		if (kind == q->id)
			return q;
	return nullptr;
}

static const Qdisc_ops *qdisc_lookup_default(const std::string &name)
{
	TRACE();
	return qdisc_lookup_ops(name);
}

std::string qdisc_get_default()
{
	TRACE();
	return default_qdisc_ops().id;
}

int qdisc_set_default(const std::string &id)
{
	TRACE();
	const Qdisc_ops *ops = qdisc_lookup_default(id);

	if (!ops) {
		(void)request_module("sch_" + id);
		ops = qdisc_lookup_default(id);
	}
	if (!ops)
		return -ENOENT;
	set_default_qdisc_ops(*ops);
	return 0;
}

void pktsched_init()
{
	TRACE();
	for (const Qdisc_ops *ops : {&pfifo_fast_ops, &pfifo_qdisc_ops, &bfifo_qdisc_ops,
	                             &pfifo_head_drop_qdisc_ops, &noqueue_qdisc_ops})
		register_qdisc(*ops);
	register_qdisc(fq_codel_qdisc_ops); // not a module in Debian's kernels
	provide_sched_modules();
}

int sch_default_qdisc()
{
	TRACE();
	return qdisc_set_default("fq_codel");
}

static int netem_module_init()
{
	TRACE();
	return register_qdisc(netem_qdisc_ops);
}

static int prio_module_init()
{
	TRACE();
	return register_qdisc(prio_qdisc_ops);
}

static int tbf_module_init()
{
	TRACE();
	return register_qdisc(tbf_qdisc_ops);
}

// not traced: what a distribution has on its disk
void provide_sched_modules()
{
	static const std::vector<module> table = {
		{"sch_fq", {}, {}, fq_module_init},
		{"sch_netem", {}, {}, netem_module_init},
		{"sch_prio", {}, {}, prio_module_init},
		{"sch_tbf", {}, {}, tbf_module_init},
	};

	provide_modules(table);
}

// --- by handle ---

void qdisc_hash_add(Qdisc &q, bool invisible)
{
	TRACE();
	if (q.parent == TC_H_ROOT || (q.flags & (TCQ_F_INGRESS | TCQ_F_BUILTIN)))
		return;
	list_add(q.hash, bucket(q));
	if (invisible)
		q.flags |= TCQ_F_INVISIBLE;
}

void qdisc_hash_del(Qdisc &q)
{
	TRACE();
	if (q.parent == TC_H_ROOT || list_empty(q.hash))
		return;
	list_del_init(q.hash);

	const auto it = api->hash.find(&qdisc_dev(q));

	if (std::ranges::all_of(it->second, [](const list_head &l) { return list_empty(l); }))
		api->hash.erase(it);
}

// not traced: hash_for_each
std::vector<Qdisc *> qdisc_hash_list(const net_device &dev)
{
	std::vector<Qdisc *> all;

	if (const auto it = api->hash.find(&dev); it != api->hash.end())
		for (list_head &head : it->second)
			for (list_head *at = head.next; at != &head; at = at->next)
				all.push_back(&list_entry(*at, &Qdisc::hash));
	return all;
}

static Qdisc *qdisc_match_from_root(Qdisc &root, u32 handle)
{
	TRACE();
	if (!root.dev_queue->dev)
		return root.handle == handle ? &root : nullptr;
	if (!(root.flags & TCQ_F_BUILTIN) && root.handle == handle)
		return &root;

	const auto it = api->hash.find(&qdisc_dev(root));

	if (it == api->hash.end())
		return nullptr;

	list_head &head = it->second[hash_32(handle, QDISC_HASH_BITS)];

	for (list_head *at = head.next; at != &head; at = at->next)
		if (Qdisc &q = list_entry(*at, &Qdisc::hash); q.handle == handle)
			return &q;
	return nullptr;
}

Qdisc *qdisc_lookup(net_device &dev, u32 handle)
{
	TRACE(dev);
	return handle ? qdisc_match_from_root(*dev.qdisc, handle) : nullptr;
}

Qdisc *qdisc_lookup_rcu(net_device &dev, u32 handle)
{
	TRACE(dev);
	return handle ? qdisc_match_from_root(*dev.qdisc, handle) : nullptr;
}

static Qdisc *qdisc_leaf(Qdisc &p, u32 classid, int &err, netlink_ext_ack *extack)
{
	TRACE();
	const Qdisc_class_ops *cops = p.ops->cl_ops;

	err = 0;
	if (!cops) {
		err = nl_refuse(extack, -EOPNOTSUPP, "Parent qdisc is not classful");
		return nullptr;
	}

	const unsigned long cl = cops->find(p, classid);

	if (!cl) {
		err = nl_refuse(extack, -ENOENT, "Specified class not found");
		return nullptr;
	}
	return cops->leaf(p, cl);
}

static u32 qdisc_alloc_handle(net_device &dev)
{
	TRACE(dev);
	for (int i = 0x8000; i > 0; --i) {
		api->autohandle += TC_H_MAKE(0x10000, 0);
		if (api->autohandle == TC_H_MAKE(TC_H_ROOT, 0))
			api->autohandle = TC_H_MAKE(0x80000000, 0);
		if (!qdisc_lookup(dev, api->autohandle))
			return api->autohandle;
	}
	return 0;
}

void qdisc_tree_reduce_backlog(Qdisc &sch, int n, int len)
{
	TRACE();
	const int drops = std::max(n, 0);

	rcu_read_lock();
	for (Qdisc *q = &sch; q->parent && q->parent != TC_H_ROOT && !(q->flags & TCQ_F_NOPARENT);) {
		const u32 parentid = q->parent;
		const bool notify = !q->q.qlen;

		q = qdisc_lookup_rcu(qdisc_dev(*q), TC_H_MAJ(parentid));
		if (!q)
			break;

		const Qdisc_class_ops *cops = q->ops->cl_ops;

		if (notify && cops->qlen_notify)
			cops->qlen_notify(*q, cops->find(*q, parentid));
		q->q.qlen -= static_cast<u32>(n);
		q->qstats.backlog -= static_cast<u64>(static_cast<s64>(len));
		__qdisc_qstats_drop(*q, drops);
	}
	rcu_read_unlock();
}

// --- the watchdog ---

using watchdog = qdisc_watchdog;
namespace callback { // in C a function may have a struct's name

static hrtimer_restart qdisc_watchdog(hrtimer &timer)
{
	TRACE();
	const watchdog &wd = container_of(timer, &watchdog::timer);

	rcu_read_lock();
	__netif_schedule(qdisc_root(*wd.qdisc));
	rcu_read_unlock();
	return HRTIMER_NORESTART;
}

} // namespace callback

static void qdisc_watchdog_init_clockid(qdisc_watchdog &wd, Qdisc &qdisc)
{
	TRACE();
	hrtimer_init(wd.timer, HRTIMER_MODE_ABS_PINNED);
	wd.timer.function = callback::qdisc_watchdog;
	wd.qdisc = &qdisc;
}

void qdisc_watchdog_init(qdisc_watchdog &wd, Qdisc &qdisc)
{
	TRACE();
	qdisc_watchdog_init_clockid(wd, qdisc);
}

void qdisc_watchdog_schedule_range_ns(qdisc_watchdog &wd, u64 expires, u64 delta_ns)
{
	TRACE();
	if (qdisc_root_sleeping(*wd.qdisc).state & __QDISC_STATE_DEACTIVATED)
		return;
	// Set for a time in this range: it stays.
	if (hrtimer_is_queued(wd.timer) && wd.last_expires - expires <= delta_ns)
		return;
	wd.last_expires = expires;
	hrtimer_start_range_ns(wd.timer, static_cast<ktime_t>(expires), delta_ns, HRTIMER_MODE_ABS_PINNED);
}

void qdisc_watchdog_schedule_ns(qdisc_watchdog &wd, u64 expires)
{
	TRACE_INLINE();
	qdisc_watchdog_schedule_range_ns(wd, expires, 0);
}

void qdisc_watchdog_cancel(qdisc_watchdog &wd)
{
	TRACE();
	if (wd.timer.base)
		hrtimer_cancel(wd.timer);
}

// --- into place ---

static void qdisc_clear_nolock(Qdisc &sch)
{
	TRACE();
	sch.flags &= ~(TCQ_F_NOLOCK | TCQ_F_CPUSTATS);
}

static void notify_and_destroy(Qdisc *old)
{
	TRACE();
	qdisc_put(old);
}

// `new_qdisc` (null: what stands there by default) becomes the leaf of the parent's class, or without a
// parent the device's root. What was there ends.
static int qdisc_graft(net_device &dev, Qdisc *parent, u32 classid, Qdisc *new_qdisc, netlink_ext_ack *extack)
{
	TRACE(dev);
	if (!parent) {
		if (new_qdisc)
			new_qdisc->depth = 0;
		if (dev.flags & IFF_UP)
			dev_deactivate(dev);
		for (std::size_t i = 0; i < dev._tx.size(); ++i) {
			Qdisc *old = dev_graft_qdisc(*dev._tx[i], new_qdisc);

			if (new_qdisc && i > 0)
				qdisc_refcount_inc(*new_qdisc);
			qdisc_put(old);
		}
		if (new_qdisc)
			qdisc_refcount_inc(*new_qdisc);
		notify_and_destroy(std::exchange(dev.qdisc, new_qdisc ? new_qdisc : &noop_qdisc()));
		if (dev.flags & IFF_UP)
			dev_activate(dev);
		return 0;
	}

	const Qdisc_class_ops *cops = parent->ops->cl_ops;

	if (new_qdisc && (new_qdisc->flags & TCQ_F_NOLOCK) && !(parent->flags & TCQ_F_NOLOCK))
		qdisc_clear_nolock(*new_qdisc);
	if (!cops || !cops->graft)
		return -EOPNOTSUPP;

	const unsigned long cl = cops->find(*parent, classid);

	if (!cl)
		return nl_refuse(extack, -ENOENT, "Specified class not found");
	if (new_qdisc && new_qdisc->ops == &noqueue_qdisc_ops)
		return nl_refuse(extack, -EINVAL, "Cannot assign noqueue to a class");
	if (new_qdisc && parent->depth >= 7)
		return nl_refuse(extack, -E2BIG, "Qdisc hierarchy is too deep");

	Qdisc *old = nullptr;

	if (const int err = cops->graft(*parent, cl, new_qdisc, old, extack))
		return err;
	if (new_qdisc)
		new_qdisc->depth = parent->depth + 1;
	notify_and_destroy(old);
	return 0;
}

static Qdisc *qdisc_create(net_device &dev, netdev_queue &dev_queue, const tc_request &n, int &err,
                           netlink_ext_ack *extack)
{
	TRACE(dev);
	const Qdisc_ops *ops = n.kind ? qdisc_lookup_ops(*n.kind) : nullptr;

	if (!ops && n.kind) {
		(void)request_module("sch_" + *n.kind);
		ops = qdisc_lookup_ops(*n.kind);
	}
	if (!ops) {
		err = nl_refuse(extack, -ENOENT, "Specified qdisc kind is unknown");
		return nullptr;
	}

	Qdisc *sch = qdisc_alloc(dev_queue, *ops);

	sch->parent = n.parent;
	sch->handle = n.handle ? n.handle : qdisc_alloc_handle(dev);
	if (!netif_is_multiqueue(dev))
		sch->flags |= TCQ_F_ONETXQUEUE;
	// An old way to say that a device shall have no queue.
	if ((dev.priv_flags & IFF_NO_QUEUE) && !dev.tx_queue_len)
		dev.tx_queue_len = DEFAULT_TX_QUEUE_LEN;
	if (!sch->handle)
		err = nl_refuse(extack, -ENOSPC, "Maximum number of qdisc handles was exceeded");
	else
		err = ops->init ? ops->init(*sch, n.options ? &*n.options : nullptr, extack) : 0;
	if (err) {
		qdisc_put(sch);
		return nullptr;
	}
	qdisc_hash_add(*sch, false);
	return sch;
}

static int qdisc_change(Qdisc &sch, const tc_request &n, netlink_ext_ack *extack)
{
	TRACE();
	if (!n.options)
		return 0;
	if (!sch.ops->change)
		return nl_refuse(extack, -EINVAL, "Change operation not supported by specified qdisc");
	return sch.ops->change(sch, &*n.options, extack);
}

// --- is `p` below `q`? ---

namespace {

struct check_loop_arg : qdisc_walker {
	const Qdisc *p = nullptr;
	int depth = 0;
};

} // namespace

static int check_loop(Qdisc &q, const Qdisc &p, int depth);

static int check_loop_fn(Qdisc &q, unsigned long cl, qdisc_walker &w)
{
	TRACE();
	const auto &arg = static_cast<const check_loop_arg &>(w);
	Qdisc *leaf = q.ops->cl_ops->leaf(q, cl);

	if (!leaf)
		return 0;
	if (leaf == arg.p || arg.depth > 7)
		return -ELOOP;
	return check_loop(*leaf, *arg.p, arg.depth + 1);
}

static int check_loop(Qdisc &q, const Qdisc &p, int depth)
{
	TRACE();
	if (!q.ops->cl_ops)
		return 0;

	check_loop_arg arg;

	arg.fn = check_loop_fn;
	arg.depth = depth;
	arg.p = &p;
	q.ops->cl_ops->walk(q, arg);
	return arg.stop ? -ELOOP : 0;
}

// --- requests ---

static int tc_get_qdisc(const tc_request &n, netlink_ext_ack *extack)
{
	TRACE(n.dev);
	net_device &dev = *n.dev;
	const u32 clid = n.parent;
	Qdisc *p = nullptr;
	Qdisc *q = nullptr;

	if (clid) {
		if (clid != TC_H_ROOT) {
			int err = 0;

			p = qdisc_lookup(dev, TC_H_MAJ(clid));
			if (!p)
				return nl_refuse(extack, -ENOENT,
				                 "Failed to find qdisc with specified classid");
			q = qdisc_leaf(*p, clid, err, extack);
			if (err)
				return err;
		} else {
			q = dev.qdisc;
		}
		if (!q)
			return nl_refuse(extack, -ENOENT, "Cannot find specified qdisc on specified device");
		if (n.handle && q->handle != n.handle)
			return nl_refuse(extack, -EINVAL, "Invalid handle");
	} else {
		q = qdisc_lookup(dev, n.handle);
		if (!q)
			return nl_refuse(extack, -ENOENT, "Failed to find qdisc with specified handle");
	}
	if (n.kind && *n.kind != q->ops->id)
		return nl_refuse(extack, -EINVAL, "Invalid qdisc name");
	if (!clid)
		return nl_refuse(extack, -EINVAL, "Classid cannot be zero");
	if (!q->handle)
		return nl_refuse(extack, -ENOENT, "Cannot delete qdisc with handle of zero");
	return qdisc_graft(dev, p, clid, nullptr, extack);
}

int tc_del_qdisc(const tc_request &n, netlink_ext_ack *extack) { return tc_get_qdisc(n, extack); }

namespace {

bool req_create_or_replace(u16 flags) { return (flags & NLM_F_CREATE) && (flags & NLM_F_REPLACE); }
bool req_create_exclusive(u16 flags) { return (flags & NLM_F_CREATE) && (flags & NLM_F_EXCL); }
bool req_change(u16 flags) { return !(flags & (NLM_F_CREATE | NLM_F_REPLACE | NLM_F_EXCL)); }

// What a request comes to.
enum class verdict { create, graft, change };

int decide(const tc_request &n, Qdisc *p, Qdisc *&q, verdict &what, netlink_ext_ack *extack)
{
	const bool other_kind = q && n.kind && *n.kind != q->ops->id;
	const auto create = [&] {
		what = verdict::create;
		if (n.nlmsg_flags & NLM_F_CREATE)
			return 0;
		return nl_refuse(extack, -ENOENT, "Qdisc not found. To create specify NLM_F_CREATE flag");
	};

	if (!n.handle) {
		if (!q)
			return create();
		if (other_kind &&
		    (req_create_or_replace(n.nlmsg_flags) || req_create_exclusive(n.nlmsg_flags)))
			return create();
		what = other_kind && req_change(n.nlmsg_flags) ? verdict::create : verdict::change;
		return 0;
	}
	if (q && q->handle == n.handle) {
		what = verdict::change;
		return 0;
	}
	if (q && !(n.nlmsg_flags & NLM_F_REPLACE))
		return nl_refuse(extack, -EEXIST, "NLM_F_REPLACE needed to override");
	if (TC_H_MIN(n.handle))
		return nl_refuse(extack, -EINVAL, "Invalid minor handle");
	q = qdisc_lookup(*n.dev, n.handle);
	if (!q)
		return create();
	if (q->parent != n.parent)
		return nl_refuse(extack, -EINVAL, "Cannot move an existing qdisc to a different parent");
	if (n.nlmsg_flags & NLM_F_EXCL)
		return nl_refuse(extack, -EEXIST, "Exclusivity flag on, cannot override");
	if (n.kind && *n.kind != q->ops->id)
		return nl_refuse(extack, -EINVAL, "Invalid qdisc name");
	if (q == p || (p && check_loop(*q, *p, 0)))
		return nl_refuse(extack, -ELOOP, "Qdisc parent/child loop detected");
	qdisc_refcount_inc(*q);
	what = verdict::graft;
	return 0;
}

} // namespace

int tc_modify_qdisc(const tc_request &n, netlink_ext_ack *extack)
{
	TRACE(n.dev);
	net_device &dev = *n.dev;
	verdict what = verdict::change;
	Qdisc *p = nullptr;
	Qdisc *q = nullptr;
	int err = 0;

	if (n.parent) {
		if (n.parent != TC_H_ROOT) {
			p = qdisc_lookup(dev, TC_H_MAJ(n.parent));
			if (!p)
				return nl_refuse(extack, -ENOENT, "Failed to find specified qdisc");
			q = qdisc_leaf(*p, n.parent, err, extack);
			if (err)
				return err;
		} else {
			q = dev.qdisc;
		}
		if (q && !q->handle) // a default
			q = nullptr;
		err = decide(n, p, q, what, extack);
		if (err)
			return err;
	} else {
		if (!n.handle)
			return nl_refuse(extack, -EINVAL, "Handle cannot be zero");
		q = qdisc_lookup(dev, n.handle);
	}

	if (what == verdict::change) {
		if (!q)
			return nl_refuse(extack, -ENOENT, "Specified qdisc not found");
		if (n.nlmsg_flags & NLM_F_EXCL)
			return nl_refuse(extack, -EEXIST, "Exclusivity flag on, cannot modify");
		if (n.kind && *n.kind != q->ops->id)
			return nl_refuse(extack, -EINVAL, "Invalid qdisc name");
		return qdisc_change(*q, n, extack);
	}
	if (what == verdict::create) {
		q = qdisc_create(dev, p ? *p->dev_queue : *netdev_get_tx_queue(dev, 0), n, err, extack);
		if (!q)
			return err;
	}
	err = qdisc_graft(dev, p, n.parent, q, extack);
	if (err)
		qdisc_put(q);
	return err;
}

} // namespace skbwalk
