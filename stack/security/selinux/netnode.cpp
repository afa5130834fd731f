// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/netnode.c: the SID of an address, remembered; a bucket keeps the 16 that came last. Left
// out: IPv6.
#include <list>

#include "stack/kernel/percpu.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/spinlock.h"
#include "stack/security/selinux/objsec.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk {

namespace {

constexpr u32 SEL_NETNODE_HASH_SIZE = 256, SEL_NETNODE_HASH_BKT_LIMIT = 16;
struct sel_netnode {
	be32 addr;
	u16 family;
	u32 sid;
};
struct netnodes {
	spinlock_t lock;
	std::list<sel_netnode> hash[SEL_NETNODE_HASH_SIZE];
};
perhost<netnodes> nodes;

} // namespace

static u32 sel_netnode_hashfn_ipv4(be32 addr)
{
	TRACE();
	return addr.raw() & (SEL_NETNODE_HASH_SIZE - 1);
}

static const sel_netnode *sel_netnode_find(be32 addr, u16 family)
{
	TRACE();
	for (const sel_netnode &node : nodes->hash[sel_netnode_hashfn_ipv4(addr)])
		if (node.family == family && node.addr == addr)
			return &node;
	return nullptr;
}

static void sel_netnode_insert(const sel_netnode &node)
{
	TRACE();
	auto &bucket = nodes->hash[sel_netnode_hashfn_ipv4(node.addr)];

	bucket.push_front(node);
	if (bucket.size() > SEL_NETNODE_HASH_BKT_LIMIT)
		bucket.pop_back();
}

static int sel_netnode_sid_slow(be32 addr, u16 family, u32 &sid)
{
	TRACE();
	spin_lock_bh(nodes->lock);
	if (const sel_netnode *node = sel_netnode_find(addr, family)) {
		sid = node->sid;
		spin_unlock_bh(nodes->lock);
		return 0;
	}
	const int ret = security_node_sid(family, addr, sid);
	if (!ret)
		sel_netnode_insert({addr, family, sid});
	spin_unlock_bh(nodes->lock);
	return ret;
}

int sel_netnode_sid(be32 addr, u16 family, u32 &sid)
{
	TRACE();
	rcu_read_lock();
	const sel_netnode *node = sel_netnode_find(addr, family);
	if (node)
		sid = node->sid;
	rcu_read_unlock();
	return node ? 0 : sel_netnode_sid_slow(addr, family, sid);
}

void sel_netnode_flush()
{
	TRACE();
	spin_lock_bh(nodes->lock);
	for (auto &bucket : nodes->hash)
		bucket.clear();
	spin_unlock_bh(nodes->lock);
}

} // namespace skbwalk
