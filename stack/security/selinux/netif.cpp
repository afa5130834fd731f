// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/netif.c: the SID of an interface, remembered by namespace and index, forgotten when the
// interface goes down.
#include <list>

#include "stack/core/netdevice.h"
#include "stack/kernel/percpu.h"
#include "stack/security/selinux/objsec.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk {

namespace {

constexpr u32 SEL_NETIF_HASH_SIZE = 64, SEL_NETIF_HASH_MAX = 1024;
struct sel_netif {
	const net *ns;
	int ifindex;
	u32 sid;
};
struct netifs_table {
	spinlock_t lock;
	u32 total = 0;
	std::list<sel_netif> hash[SEL_NETIF_HASH_SIZE];
};
perhost<netifs_table> netifs;

} // namespace

static u32 sel_netif_hashfn(const net &ns, int ifindex)
{
	TRACE_INLINE();
	// Unlike the kernel, a namespace counts by its number and not by where it lies in memory.
	return (ns.ns_inum + static_cast<u32>(ifindex)) & (SEL_NETIF_HASH_SIZE - 1);
}

static const sel_netif *sel_netif_find(const net &ns, int ifindex)
{
	TRACE_INLINE();
	for (const sel_netif &netif : netifs->hash[sel_netif_hashfn(ns, ifindex)])
		if (netif.ns == &ns && netif.ifindex == ifindex)
			return &netif;
	return nullptr;
}

static int sel_netif_insert(const sel_netif &netif)
{
	TRACE();
	if (netifs->total >= SEL_NETIF_HASH_MAX)
		return -ENOSPC;
	netifs->hash[sel_netif_hashfn(*netif.ns, netif.ifindex)].push_front(netif);
	netifs->total++;
	return 0;
}

static int sel_netif_sid_slow(net &ns, int ifindex, u32 &sid)
{
	TRACE();
	const net_device *dev = dev_get_by_index_rcu(ns, ifindex);

	if (!dev)
		return -ENOENT;
	spin_lock_bh(netifs->lock);
	if (const sel_netif *netif = sel_netif_find(ns, ifindex)) {
		sid = netif->sid;
		spin_unlock_bh(netifs->lock);
		return 0;
	}
	const int ret = security_netif_sid(dev->name, sid);
	if (!ret)
		static_cast<void>(sel_netif_insert({&ns, ifindex, sid}));
	spin_unlock_bh(netifs->lock);
	return ret;
}

int sel_netif_sid(net &ns, int ifindex, u32 &sid)
{
	TRACE();
	rcu_read_lock();
	const sel_netif *netif = sel_netif_find(ns, ifindex);
	if (netif)
		sid = netif->sid;
	rcu_read_unlock();
	return netif ? 0 : sel_netif_sid_slow(ns, ifindex, sid);
}

void sel_netif_flush()
{
	TRACE();
	spin_lock_bh(netifs->lock);
	for (auto &bucket : netifs->hash)
		bucket.clear();
	netifs->total = 0;
	spin_unlock_bh(netifs->lock);
}

} // namespace skbwalk
