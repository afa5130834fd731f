// SPDX-License-Identifier: GPL-2.0-only
//
// The life of a network device: the half of net/core/dev.c that configures. alloc_netdev makes one,
// register_netdevice gives it an index and a name in its namespace, dev_change_flags opens and closes it,
// dev_change_net_namespace moves it, unregister_netdevice takes it away, and each step tells the notifiers.
// It is freed after a grace period when nobody refers to it. dev_xmit.cpp and dev_receive.cpp hold the two
// ways of a packet. Left out: the RTM_NEWLINK messages to user space, address lists of multicast filters,
// stacked devices' adjacency (net_device::master is all there is), XDP.
//
// Unlike the kernel, no rtnl mutex is taken: who configures does not sleep in between.
#include <algorithm>
#include <cassert>
#include <charconv>

#include "stack/core/net_namespace.h"
#include "stack/core/netdevice.h"
#include "stack/ethernet/eth.h"
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

// --- features ---

static netdev_features_t netdev_fix_features(net_device &dev, netdev_features_t features)
{
	TRACE(dev);
	if ((features & NETIF_F_HW_CSUM) && (features & (NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM)))
		features &= ~(NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM);
	// Segments lie in fragments, and each needs a checksum of its own.
	if ((features & NETIF_F_ALL_TSO) && !(features & NETIF_F_SG))
		features &= ~NETIF_F_ALL_TSO;
	if ((features & NETIF_F_TSO) && !(features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)))
		features &= ~(NETIF_F_TSO | NETIF_F_TSO_ECN);
	if ((features & NETIF_F_TSO6) && !(features & (NETIF_F_HW_CSUM | NETIF_F_IPV6_CSUM)))
		features &= ~NETIF_F_TSO6;
	if ((features & NETIF_F_TSO_MANGLEID) && !(features & NETIF_F_TSO))
		features &= ~NETIF_F_TSO_MANGLEID;
	if ((features & NETIF_F_ALL_TSO) == NETIF_F_TSO_ECN)
		features &= ~NETIF_F_TSO_ECN;
	if ((features & NETIF_F_GSO) && !(features & NETIF_F_SG))
		features &= ~NETIF_F_GSO;
	return features;
}

int __netdev_update_features(net_device &dev)
{
	TRACE(dev);
	netdev_features_t features =
		(dev.features & ~dev.hw_features) | (dev.wanted_features & dev.hw_features);
	int err = 0;

	if (dev.netdev_ops->ndo_fix_features)
		features = dev.netdev_ops->ndo_fix_features(dev, features);
	features = netdev_fix_features(dev, features);
	if (dev.features == features)
		return 0;
	if (dev.netdev_ops->ndo_set_features)
		err = dev.netdev_ops->ndo_set_features(dev, features);
	if (err < 0)
		return -1;
	if (!err)
		dev.features = features;
	return 1;
}

void netdev_update_features(net_device &dev)
{
	TRACE(dev);
	if (__netdev_update_features(dev))
		call_netdevice_notifiers(NETDEV_FEAT_CHANGE, dev);
}

void netif_set_tso_max_size(net_device &dev, u32 size)
{
	TRACE(dev);
	dev.tso_max_size = std::min(GSO_MAX_SIZE, size);
	if (size < dev.gso_max_size)
		dev.gso_max_size = size;
}

void netif_inherit_tso_max(net_device &to, const net_device &from)
{
	TRACE(to);
	netif_set_tso_max_size(to, from.tso_max_size);
	to.gso_max_segs = std::min(to.gso_max_segs, from.gso_max_segs);
}

// --- up and down ---

void dev_set_rx_mode(net_device &dev)
{
	TRACE(dev);
	spin_lock_bh(dev.addr_list_lock);
	if ((dev.flags & IFF_UP) && dev.netdev_ops->ndo_set_rx_mode)
		dev.netdev_ops->ndo_set_rx_mode(dev);
	spin_unlock_bh(dev.addr_list_lock);
}

static int __dev_open(net_device &dev)
{
	TRACE(dev);
	const net_device_ops &ops = *dev.netdev_ops;

	if (!netif_device_present(dev))
		return -ENODEV;

	int ret = call_netdevice_notifiers(NETDEV_PRE_UP, dev);

	if (ret)
		return ret;
	dev.state |= __LINK_STATE_START;
	if (ops.ndo_validate_addr)
		ret = ops.ndo_validate_addr(dev);
	if (!ret && ops.ndo_open)
		ret = ops.ndo_open(dev);
	if (ret) {
		dev.state &= ~__LINK_STATE_START;
		return ret;
	}
	dev.flags |= IFF_UP;
	dev_set_rx_mode(dev);
	dev_activate(dev);
	return 0;
}

int dev_open(net_device &dev)
{
	TRACE(dev);
	if (dev.flags & IFF_UP)
		return 0;
	if (const int ret = __dev_open(dev); ret < 0)
		return ret;
	call_netdevice_notifiers(NETDEV_UP, dev);
	return 0;
}

static void __dev_close(net_device &dev)
{
	TRACE(dev);
	call_netdevice_notifiers(NETDEV_GOING_DOWN, dev);
	dev.state &= ~__LINK_STATE_START;
	dev_deactivate(dev);
	if (dev.netdev_ops->ndo_stop)
		dev.netdev_ops->ndo_stop(dev);
	dev.flags &= ~IFF_UP;
}

void dev_close(net_device &dev)
{
	TRACE(dev);
	if (!(dev.flags & IFF_UP))
		return;
	__dev_close(dev);
	call_netdevice_notifiers(NETDEV_DOWN, dev);
}

static int __dev_set_promiscuity(net_device &dev, int inc, bool notify);
static int __dev_set_allmulti(net_device &dev, int inc);

static void __dev_notify_flags(net_device &dev, u32 old_flags)
{
	TRACE(dev);
	const u32 changes = dev.flags ^ old_flags;

	if (changes & IFF_UP)
		call_netdevice_notifiers(dev.flags & IFF_UP ? NETDEV_UP : NETDEV_DOWN, dev);
	if ((dev.flags & IFF_UP) && (changes & ~(IFF_UP | IFF_PROMISC | IFF_ALLMULTI | IFF_VOLATILE)))
		call_netdevice_notifiers(NETDEV_CHANGE, dev);
}

static int __dev_change_flags(net_device &dev, u32 flags)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;
	int ret = 0;

	dev.flags = (flags & (IFF_NOARP | IFF_MULTICAST)) |
	            (dev.flags & (IFF_UP | IFF_VOLATILE | IFF_PROMISC | IFF_ALLMULTI));
	dev_set_rx_mode(dev);
	if ((old_flags ^ flags) & IFF_UP) {
		if (old_flags & IFF_UP)
			__dev_close(dev);
		else
			ret = __dev_open(dev);
	}
	if ((flags ^ dev.gflags) & IFF_PROMISC) {
		const u32 before = dev.flags;

		dev.gflags ^= IFF_PROMISC;
		if (__dev_set_promiscuity(dev, flags & IFF_PROMISC ? 1 : -1, false) >= 0 &&
		    dev.flags != before)
			dev_set_rx_mode(dev);
	}
	if ((flags ^ dev.gflags) & IFF_ALLMULTI) {
		dev.gflags ^= IFF_ALLMULTI;
		__dev_set_allmulti(dev, flags & IFF_ALLMULTI ? 1 : -1);
	}
	return ret;
}

int dev_change_flags(net_device &dev, u32 flags)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	if (const int ret = __dev_change_flags(dev, flags); ret < 0)
		return ret;
	__dev_notify_flags(dev, old_flags);
	return 0;
}

u32 dev_get_flags(const net_device &dev)
{
	TRACE(dev);
	u32 flags = (dev.flags & ~(IFF_PROMISC | IFF_ALLMULTI | IFF_RUNNING | IFF_LOWER_UP)) |
	            (dev.gflags & (IFF_PROMISC | IFF_ALLMULTI));

	if (netif_running(dev)) {
		if (netif_oper_up(dev))
			flags |= IFF_RUNNING;
		if (netif_carrier_ok(dev))
			flags |= IFF_LOWER_UP;
	}
	return flags;
}

void netdev_state_change(net_device &dev)
{
	TRACE(dev);
	if (dev.flags & IFF_UP)
		call_netdevice_notifiers(NETDEV_CHANGE, dev);
}

static int __dev_set_promiscuity(net_device &dev, int inc, bool notify)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	dev.flags |= IFF_PROMISC;
	dev.promiscuity += static_cast<u32>(inc);
	if (dev.promiscuity == 0) {
		if (inc >= 0) { // wrapped
			dev.promiscuity -= static_cast<u32>(inc);
			return -EOVERFLOW;
		}
		dev.flags &= ~IFF_PROMISC;
	}
	if (notify)
		__dev_notify_flags(dev, old_flags);
	return 0;
}

int dev_set_promiscuity(net_device &dev, int inc)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	if (const int err = __dev_set_promiscuity(dev, inc, true); err < 0)
		return err;
	if (dev.flags != old_flags)
		dev_set_rx_mode(dev);
	return 0;
}

static int __dev_set_allmulti(net_device &dev, int inc)
{
	TRACE(dev);
	const u32 old_flags = dev.flags;

	dev.flags |= IFF_ALLMULTI;
	dev.allmulti += static_cast<u32>(inc);
	if (dev.allmulti == 0) {
		if (inc >= 0) {
			dev.allmulti -= static_cast<u32>(inc);
			return -EOVERFLOW;
		}
		dev.flags &= ~IFF_ALLMULTI;
	}
	if (dev.flags != old_flags) {
		dev_set_rx_mode(dev);
		__dev_notify_flags(dev, old_flags);
	}
	return 0;
}

int dev_set_allmulti(net_device &dev, int inc)
{
	TRACE(dev);
	return __dev_set_allmulti(dev, inc);
}

static int __dev_set_mtu(net_device &dev, u32 mtu)
{
	TRACE(dev);
	if (dev.netdev_ops->ndo_change_mtu)
		return dev.netdev_ops->ndo_change_mtu(dev, mtu);
	dev.mtu = mtu;
	return 0;
}

static int dev_validate_mtu(const net_device &dev, u32 mtu)
{
	TRACE(dev);
	if (mtu < dev.min_mtu)
		return -EINVAL;
	if (dev.max_mtu && mtu > dev.max_mtu)
		return -EINVAL;
	return 0;
}

int dev_set_mtu(net_device &dev, u32 mtu)
{
	TRACE(dev);
	if (mtu == dev.mtu)
		return 0;

	int err = dev_validate_mtu(dev, mtu);

	if (err)
		return err;
	if (!netif_device_present(dev))
		return -ENODEV;
	err = call_netdevice_notifiers(NETDEV_PRECHANGEMTU, dev);
	if (err)
		return err;

	const u32 orig_mtu = dev.mtu;

	err = __dev_set_mtu(dev, mtu);
	if (err)
		return err;
	err = call_netdevice_notifiers(NETDEV_CHANGEMTU, dev);
	if (err) {
		__dev_set_mtu(dev, orig_mtu);
		call_netdevice_notifiers(NETDEV_CHANGEMTU, dev);
	}
	return err;
}

int dev_set_mac_address(net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	if (!dev.netdev_ops->ndo_set_mac_address)
		return -EOPNOTSUPP;
	if (!netif_device_present(dev))
		return -ENODEV;

	int err = call_netdevice_notifiers(NETDEV_PRE_CHANGEADDR, dev);

	if (err)
		return err;
	err = dev.netdev_ops->ndo_set_mac_address(dev, addr);
	if (err)
		return err;
	dev.addr_assign_type = NET_ADDR_SET;
	call_netdevice_notifiers(NETDEV_CHANGEADDR, dev);
	return 0;
}

rtnl_link_stats64 dev_get_stats(net_device &dev)
{
	TRACE(dev);
	rtnl_link_stats64 stats = dev.stats;

	if (dev.netdev_ops->ndo_get_stats64) {
		stats = {};
		dev.netdev_ops->ndo_get_stats64(dev, stats);
	}
	stats.rx_dropped += dev.rx_dropped;
	stats.tx_dropped += dev.tx_dropped;
	stats.rx_nohandler += dev.rx_nohandler;
	return stats;
}

// --- coming and going ---

net_device *alloc_netdev(net &net, std::string name, void (*setup)(net_device &dev), u32 txqs)
{
	TRACE();
	assert(txqs != 0);
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
	}
	dev->name = std::move(name);
	return dev.release();
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

	dev.hw_features |= NETIF_F_SOFT_FEATURES;
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
		if (dev->netdev_ops->ndo_uninit)
			dev->netdev_ops->ndo_uninit(*dev);
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
