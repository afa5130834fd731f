// SPDX-License-Identifier: GPL-2.0-only
//
// net/l3mdev/l3mdev.c. A device is asked whether it is an L3 master or belongs to one; a master names its own
// routing table. Left out: registration of masters, which nothing here makes, and rules that match by them.
#include "stack/ipv4/l3mdev.h"

namespace skbwalk {

int l3mdev_master_ifindex_rcu(const net_device *dev)
{
	TRACE(dev);
	if (!dev)
		return 0;
	if (netif_is_l3_master(*dev))
		return dev->ifindex;
	if (netif_is_l3_slave(*dev) && dev->master)
		return dev->master->ifindex;
	return 0;
}

// Zero: the namespace's own tables.
u32 l3mdev_fib_table_rcu(const net_device *dev)
{
	TRACE(dev);
	if (!dev)
		return 0;
	assert(!netif_is_l3_master(*dev) && !netif_is_l3_slave(*dev));
	return 0;
}

int l3mdev_master_ifindex(const net_device &dev)
{
	TRACE_INLINE(dev);
	rcu_read_lock();
	const int ifindex = l3mdev_master_ifindex_rcu(&dev);
	rcu_read_unlock();
	return ifindex;
}

u32 l3mdev_fib_table(const net_device *dev)
{
	TRACE_INLINE(dev);
	rcu_read_lock();
	const u32 tb_id = l3mdev_fib_table_rcu(dev);
	rcu_read_unlock();
	return tb_id;
}

u32 l3mdev_fib_table_by_index(net &net, int ifindex)
{
	TRACE();
	if (!ifindex)
		return 0;
	rcu_read_lock();
	const u32 tb_id = l3mdev_fib_table_rcu(dev_get_by_index_rcu(net, ifindex));
	rcu_read_unlock();
	return tb_id;
}

net_device *l3mdev_master_dev_rcu(const net_device *dev)
{
	TRACE_INLINE(dev);
	if (!dev || !netif_is_l3_slave(*dev))
		return nullptr;
	return dev->master;
}

} // namespace skbwalk
