// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/dev_addr_lists.c: a bridge whose port need not receive everything asks for the static addresses
// (dev_uc_add); __dev_set_rx_mode has the driver set its filter by them. Left out: addresses of groups, lists
// of other devices that are synchronised with this one. Unlike the kernel, the few devices that have a list
// are found in a table of the host's.
#include "stack/core/dev_addr_lists.h"

#include <map>
#include <new>

#include "stack/kernel/kfree_rcu.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

struct netdev_hw_addr {
	list_head list;
	mac_addr addr{};
	int refcount = 1;
	rcu_head rcu;
};
struct netdev_hw_addr_list {
	list_head list;
	bool uc_promisc = false;
};
perhost<std::map<const net_device *, netdev_hw_addr_list>> uc;

void let_go(netdev_hw_addr &ha)
{
	list_del_init(ha.list);
	kfree_rcu(ha);
}

void forget_if_empty(const net_device &dev)
{
	if (const auto it = uc->find(&dev);
	    it != uc->end() && list_empty(it->second.list) && !it->second.uc_promisc)
		uc->erase(it);
}

} // namespace

static netdev_hw_addr *__hw_addr_create(const mac_addr &addr)
{
	TRACE();
	void *memory = kmalloc_trace(sizeof(netdev_hw_addr), GFP_ATOMIC);

	if (!memory)
		return nullptr;
	auto *ha = ::new (memory) netdev_hw_addr;

	ha->addr = addr;
	return ha;
}

static netdev_hw_addr *__hw_addr_lookup(netdev_hw_addr_list &list, const mac_addr &addr)
{
	TRACE();
	for (list_head *at = list.list.next; at != &list.list; at = at->next)
		if (netdev_hw_addr &ha = list_entry(*at, &netdev_hw_addr::list); ha.addr == addr)
			return &ha;
	return nullptr;
}

static int __hw_addr_add_ex(netdev_hw_addr_list &list, const mac_addr &addr)
{
	TRACE();
	if (netdev_hw_addr *ha = __hw_addr_lookup(list, addr)) {
		++ha->refcount;
		return 0;
	}

	netdev_hw_addr *ha = __hw_addr_create(addr);

	if (!ha)
		return -ENOMEM;
	list_add_tail(ha->list, list.list);
	return 0;
}

static int __hw_addr_add(netdev_hw_addr_list &list, const mac_addr &addr)
{
	TRACE();
	return __hw_addr_add_ex(list, addr);
}

static int __hw_addr_del_entry(netdev_hw_addr &ha)
{
	TRACE();
	if (!--ha.refcount)
		let_go(ha);
	return 0;
}

static int __hw_addr_del_ex(netdev_hw_addr_list &list, const mac_addr &addr)
{
	TRACE();
	netdev_hw_addr *ha = __hw_addr_lookup(list, addr);

	return ha ? __hw_addr_del_entry(*ha) : -ENOENT;
}

static int __hw_addr_del(netdev_hw_addr_list &list, const mac_addr &addr)
{
	TRACE();
	return __hw_addr_del_ex(list, addr);
}

static void __hw_addr_flush(netdev_hw_addr_list &list)
{
	TRACE();
	while (!list_empty(list.list))
		let_go(list_entry(*list.list.next, &netdev_hw_addr::list));
}

int dev_uc_add(net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	spin_lock_bh(dev.addr_list_lock);
	const int err = __hw_addr_add((*uc)[&dev], addr);

	if (!err)
		__dev_set_rx_mode(dev);
	spin_unlock_bh(dev.addr_list_lock);
	return err;
}

int dev_uc_del(net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	spin_lock_bh(dev.addr_list_lock);
	const int err = __hw_addr_del((*uc)[&dev], addr);

	if (!err)
		__dev_set_rx_mode(dev);
	forget_if_empty(dev);
	spin_unlock_bh(dev.addr_list_lock);
	return err;
}

void dev_uc_flush(net_device &dev)
{
	TRACE(dev);
	spin_lock_bh(dev.addr_list_lock);
	if (const auto it = uc->find(&dev); it != uc->end()) {
		__hw_addr_flush(it->second);
		if (dev.reg_state == NETREG_UNREGISTERING)
			uc->erase(it);
		else
			forget_if_empty(dev);
	}
	spin_unlock_bh(dev.addr_list_lock);
}

// not traced: a loop in the kernel
std::vector<mac_addr> netdev_uc_addrs(const net_device &dev)
{
	std::vector<mac_addr> addrs;

	if (const auto it = uc->find(&dev); it != uc->end()) {
		const list_head &head = it->second.list;

		for (list_head *at = head.next; at != &head; at = at->next)
			addrs.push_back(list_entry(*at, &netdev_hw_addr::list).addr);
	}
	return addrs;
}

// not traced: a field in the kernel
bool netdev_uc_promisc(const net_device &dev)
{
	const auto it = uc->find(&dev);

	return it != uc->end() && it->second.uc_promisc;
}

// not traced: a field in the kernel
void netdev_set_uc_promisc(const net_device &dev, bool is) { (*uc)[&dev].uc_promisc = is; }

} // namespace skbwalk
