// SPDX-License-Identifier: GPL-2.0-only
//
// How network devices come and go: the part of net/core/dev.c that keeps a host's devices. alloc_netdev makes
// one, register_netdevice gives it an index and a name in its namespace, dev_change_net_namespace moves it,
// unregister_netdevice takes it away, and each step tells the notifiers. It is freed after a grace period
// when nobody refers to it. Left out: the RTM_NEWLINK messages to user space, stacked devices' adjacency
// (net_device::master is all there is), XDP.
//
// Unlike the kernel, no rtnl mutex is taken: who configures does not sleep in between.
#include <algorithm>
#include <cassert>

#include "stack/core/dev_addr_lists.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdev_queues.h"
#include "stack/core/netdevice.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk {

namespace {

struct net_device_list {
	std::vector<notifier_fn> netdev_chain;
	std::vector<net_device *> todo; // unregistered, not yet freed
	u32 live = 0;
	u32 next_trace_id = 1;
};
perhost<net_device_list> devices_of_host;

constexpr u32 DEFAULT_TX_QUEUE_LEN = 1000;

} // namespace

net_device::net_device()
{
	++devices_of_host->live;
	trace_id = devices_of_host->next_trace_id++;
}

net_device::~net_device() { --devices_of_host->live; }

u32 live_netdevs(const host &h) { return devices_of_host.of(const_cast<host &>(h)).live; }

// --- notifiers ---

void register_netdevice_notifier(notifier_fn fn)
{
	TRACE();
	devices_of_host->netdev_chain.push_back(fn);
	for (net *n : all_nets(*current.host)) {
		for (net_device *dev : n->dev_list) {
			fn(*dev, NETDEV_REGISTER);
			if (dev->flags & IFF_UP)
				fn(*dev, NETDEV_UP);
		}
	}
}

int call_netdevice_notifiers(netdev_cmd event, net_device &dev)
{
	TRACE(dev);
	for (const notifier_fn fn : devices_of_host->netdev_chain)
		if (const int err = fn(dev, event))
			return err;
	return 0;
}

// --- by name and by index ---

net_device *__dev_get_by_name(net &net, const std::string &name)
{
	TRACE();
	for (net_device *dev : net.dev_list)
		if (dev->name == name)
			return dev;
	return nullptr;
}

net_device *dev_get_by_name_rcu(net &net, const std::string &name)
{
	TRACE();
	for (net_device *dev : net.dev_list)
		if (dev->name == name)
			return dev;
	return nullptr;
}

int netdev_get_name(net &net, std::string &name, int ifindex)
{
	TRACE();
	const net_device *dev = dev_get_by_index_rcu(net, ifindex);

	if (!dev)
		return -ENODEV;
	name = dev->name;
	return 0;
}

net_device *__dev_get_by_index(net &net, int ifindex)
{
	TRACE();
	for (net_device *dev : net.dev_list)
		if (dev->ifindex == ifindex)
			return dev;
	return nullptr;
}

net_device *dev_get_by_index_rcu(net &net, int ifindex)
{
	TRACE();
	for (net_device *dev : net.dev_list)
		if (dev->ifindex == ifindex)
			return dev;
	return nullptr;
}

static bool dev_valid_name(const std::string &name)
{
	TRACE();
	constexpr std::size_t IFNAMSIZ = 16;

	if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == "..")
		return false;
	return std::none_of(name.begin(), name.end(), [](char c) {
		return c == '/' || c == ':' || c == ' ' || (c >= '\t' && c <= '\r');
	});
}

// Fills in the first free number for %d.
static int dev_prep_valid_name(net &net, const std::string &want, std::string &out)
{
	TRACE();
	if (!dev_valid_name(want))
		return -EINVAL;

	const std::size_t percent = want.find('%');

	if (percent == want.npos) {
		out = want;
		return __dev_get_by_name(net, want) ? -EEXIST : 0;
	}
	if (want.compare(percent, 2, "%d") != 0 || want.find('%', percent + 1) != want.npos)
		return -EINVAL;
	for (int i = 0; i < 32768; ++i) {
		std::string name = want;

		name.replace(percent, 2, std::to_string(i));
		if (!__dev_get_by_name(net, name)) {
			if (!dev_valid_name(name))
				return -EINVAL;
			out = std::move(name);
			return 0;
		}
	}
	return -ENFILE;
}

static int dev_get_valid_name(net &net, net_device &dev, const std::string &name)
{
	TRACE(dev);
	std::string out;

	if (const int err = dev_prep_valid_name(net, name, out))
		return err;
	dev.name = std::move(out);
	return 0;
}

int dev_change_name(net_device &dev, const std::string &newname)
{
	TRACE(dev);
	if (dev.flags & IFF_UP)
		return -EBUSY;
	if (dev.name == newname)
		return 0;
	if (const int err = dev_get_valid_name(dev_net(dev), dev, newname))
		return err;
	call_netdevice_notifiers(NETDEV_CHANGENAME, dev);
	return 0;
}

static int dev_new_index(net &net)
{
	TRACE();
	do {
		++net.ifindex;
	} while (__dev_get_by_index(net, net.ifindex));
	return net.ifindex;
}

static void list_netdevice(net_device &dev)
{
	TRACE(dev);
	net &net = dev_net(dev);

	net.dev_list.push_back(&dev);
	++net.dev_base_seq;
}

static void unlist_netdevice(net_device &dev)
{
	TRACE(dev);
	net &net = dev_net(dev);

	std::erase(net.dev_list, &dev);
	++net.dev_base_seq;
}

int dev_get_iflink(const net_device &dev)
{
	TRACE(dev);
	return dev.netdev_ops->ndo_get_iflink ? dev.netdev_ops->ndo_get_iflink(dev) : dev.ifindex;
}

// --- a device above another ---

net_device *netdev_master_upper_dev_get(const net_device &dev)
{
	TRACE(dev);
	return dev.master;
}

static int __netdev_upper_dev_link(net_device &dev, net_device &upper_dev)
{
	TRACE(dev);
	if (&dev == &upper_dev || upper_dev.master == &dev)
		return -EBUSY;
	if (dev.master)
		return dev.master == &upper_dev ? -EEXIST : -EBUSY;
	if (const int ret = call_netdevice_notifiers(NETDEV_PRECHANGEUPPER, dev))
		return ret;
	dev_hold(upper_dev);
	dev.master = &upper_dev;
	if (const int ret = call_netdevice_notifiers(NETDEV_CHANGEUPPER, dev)) {
		dev.master = nullptr;
		dev_put(&upper_dev);
		return ret;
	}
	return 0;
}

int netdev_master_upper_dev_link(net_device &dev, net_device &upper_dev)
{
	TRACE(dev);
	return __netdev_upper_dev_link(dev, upper_dev);
}

static void __netdev_upper_dev_unlink(net_device &dev, net_device &upper_dev)
{
	TRACE(dev);
	assert(dev.master == &upper_dev);
	call_netdevice_notifiers(NETDEV_PRECHANGEUPPER, dev);
	dev.master = nullptr;
	dev_put(&upper_dev);
	call_netdevice_notifiers(NETDEV_CHANGEUPPER, dev);
}

void netdev_upper_dev_unlink(net_device &dev, net_device &upper_dev)
{
	TRACE(dev);
	__netdev_upper_dev_unlink(dev, upper_dev);
}

// --- coming and going ---

net_device *alloc_netdev_mqs(net &net, std::string name, void (*setup)(net_device &dev), u32 txqs, u32 rxqs)
{
	TRACE();
	assert(txqs != 0 && rxqs != 0);
	auto dev = std::make_unique<net_device>();

	dev->nd_net = &net;
	dev->priv_flags = IFF_XMIT_DST_RELEASE | IFF_XMIT_DST_RELEASE_PERM;
	setup(*dev);
	if (!dev->tx_queue_len) {
		dev->priv_flags |= IFF_NO_QUEUE;
		dev->tx_queue_len = DEFAULT_TX_QUEUE_LEN;
	}
	dev->real_num_tx_queues = txqs;
	for (u32 i = 0; i < txqs; ++i) {
		dev->_tx.push_back(std::make_unique<netdev_queue>());
		dev->_tx.back()->dev = dev.get();
		dql_init(dev->_tx.back()->dql, HZ);
	}
	dev->num_rx_queues = rxqs;
	dev->_rx.resize(rxqs);
	dev->name = std::move(name);
	return dev.release();
}

// not traced: a macro in the kernel
net_device *alloc_netdev(net &net, std::string name, void (*setup)(net_device &dev), u32 txqs)
{
	return alloc_netdev_mqs(net, std::move(name), setup, txqs, 1);
}

void free_netdev(net_device &dev)
{
	TRACE(dev);
	if (dev.reg_state == NETREG_UNREGISTERING) // on its way already
		return;
	assert(dev.reg_state == NETREG_UNINITIALIZED || dev.reg_state == NETREG_UNREGISTERED);
	if (dev.reg_state == NETREG_UNINITIALIZED && dev.priv_destructor)
		dev.priv_destructor(dev);
	delete &dev;
}

int register_netdevice(net_device &dev)
{
	TRACE(dev);
	net &net = dev_net(dev);

	assert(dev.reg_state == NETREG_UNINITIALIZED);

	int ret = dev_get_valid_name(net, dev, std::string(dev.name));

	if (ret < 0)
		return ret;
	if (dev.netdev_ops->ndo_init) {
		ret = dev.netdev_ops->ndo_init(dev);
		if (ret)
			return ret > 0 ? -EIO : ret;
	}
	if (!dev.ifindex) {
		dev.ifindex = dev_new_index(net);
	} else if (__dev_get_by_index(net, dev.ifindex)) {
		if (dev.netdev_ops->ndo_uninit)
			dev.netdev_ops->ndo_uninit(dev);
		return -EBUSY;
	}

	dev.hw_features |= NETIF_F_SOFT_FEATURES | NETIF_F_SOFT_FEATURES_OFF;
	dev.features |= NETIF_F_SOFT_FEATURES;
	dev.wanted_features = dev.features & dev.hw_features;
	if (!(dev.flags & IFF_LOOPBACK))
		dev.hw_features |= NETIF_F_NOCACHE_COPY;
	// Who can segment can also do so without counting IP's ids up, when asked.
	if (dev.hw_features & NETIF_F_TSO)
		dev.hw_features |= NETIF_F_TSO_MANGLEID;
	if (dev.vlan_features & NETIF_F_TSO)
		dev.vlan_features |= NETIF_F_TSO_MANGLEID;
	if (dev.hw_enc_features & NETIF_F_TSO)
		dev.hw_enc_features |= NETIF_F_TSO_MANGLEID;
	dev.vlan_features |= NETIF_F_HIGHDMA;
	dev.hw_enc_features |= NETIF_F_SG;

	dev.reg_state = NETREG_REGISTERED;
	__netdev_update_features(dev);
	dev.state |= __LINK_STATE_PRESENT;
	linkwatch_init_dev(dev);
	dev_init_scheduler(dev);
	dev_hold(dev);
	list_netdevice(dev);

	ret = call_netdevice_notifiers(NETDEV_REGISTER, dev);
	if (ret)
		unregister_netdevice(dev);
	return ret;
}

static void flush_backlog(net_device &dev)
{
	TRACE(dev);
	for (const auto &c : current.host->cpus) {
		softnet_data &sd = softnet.of(*c);

		for (sk_buff_head *queue : {&sd.input_pkt_queue, &sd.process_queue}) {
			for (sk_buff *skb = skb_peek(*queue), *next; skb; skb = next) {
				next = skb->next;
				if (skb->dev == &dev)
					kfree_skb(__skb_unlink(*skb, *queue));
			}
		}
	}
}

void net_set_todo(net_device &dev)
{
	TRACE(dev);
	devices_of_host->todo.push_back(&dev);
	call_rcu(dev.rcu, [](rcu_head *head) {
		container_of(*head, &net_device::rcu).grace_period_over = true;
		netdev_run_todo();
	});
}

void unregister_netdevice_many(const std::vector<net_device *> &devs)
{
	TRACE();
	for (net_device *dev : devs)
		assert(dev->reg_state == NETREG_REGISTERED);
	for (net_device *dev : devs)
		dev_close(*dev);
	for (net_device *dev : devs) {
		unlist_netdevice(*dev);
		dev->reg_state = NETREG_UNREGISTERING;
		flush_backlog(*dev);
	}
	for (net_device *dev : devs) {
		dev_shutdown(*dev);
		call_netdevice_notifiers(NETDEV_UNREGISTER, *dev);
		dev_uc_flush(*dev);
		if (dev->netdev_ops->ndo_uninit)
			dev->netdev_ops->ndo_uninit(*dev);
		netif_reset_xps_queues_gt(*dev, 0);
		end_threads_of(*dev);
		linkwatch_forget_dev(*dev);
	}
	for (net_device *dev : devs) {
		net_set_todo(*dev);
		dev_put(dev);
	}
}

void unregister_netdevice(net_device &dev)
{
	TRACE_INLINE(dev);
	unregister_netdevice_many({&dev});
}

void netdev_run_todo()
{
	TRACE();
	std::vector<net_device *> &todo = devices_of_host->todo;
	std::vector<net_device *> waiting;

	for (net_device *dev : std::exchange(todo, {})) {
		if (dev->pcpu_refcnt != 1 || !dev->grace_period_over) {
			waiting.push_back(dev);
			continue;
		}
		dev->reg_state = NETREG_UNREGISTERED;
		if (dev->priv_destructor)
			dev->priv_destructor(*dev);
		free_netdev(*dev);
	}
	todo.insert(todo.end(), waiting.begin(), waiting.end());
}

int dev_change_net_namespace(net_device &dev, net &to, const char *pattern)
{
	TRACE(dev);
	std::string new_name = dev.name;

	if (dev.features & NETIF_F_NETNS_LOCAL)
		return -EINVAL;
	if (dev.reg_state != NETREG_REGISTERED)
		return -EINVAL;
	if (net_eq(dev_net(dev), to))
		return 0;
	if (__dev_get_by_name(to, dev.name)) {
		if (!pattern)
			return -EEXIST;
		if (const int err = dev_prep_valid_name(to, pattern, new_name))
			return err;
	}

	dev_close(dev);
	unlist_netdevice(dev);
	dev_shutdown(dev);
	call_netdevice_notifiers(NETDEV_UNREGISTER, dev);
	dev_uc_flush(dev);

	const int new_ifindex = __dev_get_by_index(to, dev.ifindex) ? dev_new_index(to) : dev.ifindex;

	dev.nd_net = &to;
	dev.ifindex = new_ifindex;
	dev.name = std::move(new_name);
	list_netdevice(dev);
	call_netdevice_notifiers(NETDEV_REGISTER, dev);
	return 0;
}

// --- namespaces and boot ---

// Devices that are no namespace's own go back to the initial one; virtual ones end with the namespace.
static void default_device_exit_net(net &net)
{
	TRACE();
	for (net_device *dev : std::vector(net.dev_list)) {
		if ((dev->features & NETIF_F_NETNS_LOCAL) || !dev->link_kind.empty())
			continue;

		const std::string fb_name = "dev" + std::to_string(dev->ifindex);

		[[maybe_unused]] const int err = dev_change_net_namespace(
			*dev, init_net(), __dev_get_by_name(init_net(), fb_name) ? "dev%d" : fb_name.c_str());
		assert(!err);
	}
}

static void default_device_exit(net &net)
{
	TRACE();
	if (&net != &init_net())
		default_device_exit_net(net);
	// A device may take its peer along; the loopback device came first and goes last.
	while (!net.dev_list.empty()) {
		net_device &dev = *net.dev_list.back();

		if (dev.dellink)
			dev.dellink(dev);
		else
			unregister_netdevice(dev);
	}
	net.loopback_dev = nullptr;
}

static int default_device_init(net &)
{
	TRACE();
	return 0;
}

static constexpr pernet_operations default_device_ops = {"default_device", default_device_init,
                                                         default_device_exit};

void net_dev_init()
{
	TRACE();
	register_pernet_device(loopback_net_ops);
	register_pernet_device(default_device_ops);
	open_softirq(NET_TX_SOFTIRQ, net_tx_action);
	open_softirq(NET_RX_SOFTIRQ, net_rx_action);
}

} // namespace skbwalk
