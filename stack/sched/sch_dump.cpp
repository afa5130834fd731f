// SPDX-License-Identifier: GPL-2.0-only
//
// What `tc qdisc show` and `tc class show` ask for (net/sched/sch_api.c): each discipline of a namespace's
// devices, each class of a device's, with what it was told and what it counts.
#include "stack/core/net_namespace.h"
#include "stack/sched/pkt_sched.h"

namespace skbwalk {

static bool tc_qdisc_dump_ignore(const Qdisc &q, bool dump_invisible)
{
	TRACE();
	if (q.flags & TCQ_F_BUILTIN)
		return true;
	return (q.flags & TCQ_F_INVISIBLE) && !dump_invisible;
}

static void tc_fill_qdisc(std::vector<tc_message> &out, Qdisc &q)
{
	TRACE();
	tc_message m;

	m.dev = &qdisc_dev(q);
	m.parent = q.parent;
	m.handle = q.handle;
	m.info = static_cast<u32>(refcount_read(q.refcnt));
	m.kind = q.ops->id;
	if (q.ops->dump && q.ops->dump(q, m.options) < 0)
		return;
	if (q.ops->dump_stats && q.ops->dump_stats(q, m.xstats) < 0)
		return;
	m.bstats = q.bstats;
	m.qstats = q.qstats;
	m.qstats.qlen = qdisc_qlen(q);
	out.push_back(std::move(m));
}

static void tc_dump_qdisc_root(Qdisc &root, std::vector<tc_message> &out, bool dump_invisible)
{
	TRACE();
	if (!tc_qdisc_dump_ignore(root, dump_invisible))
		tc_fill_qdisc(out, root);
	if (!root.dev_queue->dev)
		return;
	for (Qdisc *q : qdisc_hash_list(qdisc_dev(root)))
		if (!tc_qdisc_dump_ignore(*q, dump_invisible))
			tc_fill_qdisc(out, *q);
}

std::vector<tc_message> tc_dump_qdisc(net &net, bool invisible)
{
	TRACE();
	std::vector<tc_message> out;

	for (const net_device *dev : net.dev_list)
		tc_dump_qdisc_root(*dev->qdisc, out, invisible);
	return out;
}

// --- classes ---

namespace {

struct qdisc_dump_args : qdisc_walker {
	std::vector<tc_message> *out = nullptr;
};

} // namespace

static int tc_fill_tclass(std::vector<tc_message> &out, Qdisc &q, unsigned long cl)
{
	TRACE();
	const Qdisc_class_ops &cl_ops = *q.ops->cl_ops;
	tc_message m;

	m.dev = &qdisc_dev(q);
	m.parent = q.handle;
	m.handle = q.handle;
	m.kind = q.ops->id;
	m.has_stats = false;
	if (cl_ops.dump && cl_ops.dump(q, cl, m) < 0)
		return -1;
	if (cl_ops.dump_stats && cl_ops.dump_stats(q, cl, m) < 0)
		return -1;
	out.push_back(std::move(m));
	return 0;
}

static int qdisc_class_dump(Qdisc &q, unsigned long cl, qdisc_walker &arg)
{
	TRACE();
	return tc_fill_tclass(*static_cast<qdisc_dump_args &>(arg).out, q, cl);
}

static void tc_dump_tclass_qdisc(Qdisc &q, std::vector<tc_message> &out, u32 parent)
{
	TRACE();
	if (tc_qdisc_dump_ignore(q, false) || !q.ops->cl_ops || (parent && TC_H_MAJ(parent) != q.handle))
		return;

	qdisc_dump_args arg;

	arg.fn = qdisc_class_dump;
	arg.out = &out;
	q.ops->cl_ops->walk(q, arg);
}

static void tc_dump_tclass_root(Qdisc &root, std::vector<tc_message> &out, u32 parent)
{
	TRACE();
	tc_dump_tclass_qdisc(root, out, parent);
	if (!root.dev_queue->dev)
		return;
	for (Qdisc *q : qdisc_hash_list(qdisc_dev(root)))
		tc_dump_tclass_qdisc(*q, out, parent);
}

std::vector<tc_message> tc_dump_tclass(net_device &dev, u32 parent)
{
	TRACE(dev);
	std::vector<tc_message> out;

	tc_dump_tclass_root(*dev.qdisc, out, parent);
	return out;
}

} // namespace skbwalk
