// SPDX-License-Identifier: GPL-2.0-only
//
// sysctl, and ethtool: features (-K), rings (-g, -G), throttling (-c, -C), queues (-l, -L), statistics (-S).
#include <algorithm>
#include <functional>
#include <sstream>
#include <utility>

#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/bridge/br_netfilter.h"
#include "stack/core/ethtool.h"
#include "stack/core/neighbour.h"
#include "stack/core/rps.h"
#include "stack/core/sysctl_net_core.h"
#include "stack/ipv4/inet_frag.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/tcp.h"
#include "stack/netfilter/nf_conntrack.h"
#include "stack/netfilter/nf_log.h"
#include "stack/sched/sch_generic.h"

namespace skbwalk::sim {

namespace {

// A sysctl: its numbers as text, and a way to store others (0 or -errno).
struct setting {
	std::function<std::string()> read;
	std::function<int(const std::vector<long> &)> write;
	std::size_t numbers = 1;
};

template <class T> setting number(T &place)
{
	return {[&place] { return fmt::format("{}", place); },
	        [&place](const std::vector<long> &v) {
			place = static_cast<T>(v[0]);
			return 0;
		}};
}

// Each at least `least`, and none that its type cannot hold.
template <class A> setting numbers(A &place, long least = 0)
{
	using element = typename A::value_type;
	return {[&place] { return fmt::format("{}", fmt::join(place, "\t")); },
	        [&place, least](const std::vector<long> &v) {
			for (const long n : v)
				if (n < least || !std::in_range<element>(n))
					return -EINVAL;
			for (std::size_t i = 0; i < place.size(); ++i)
				place[i] = static_cast<element>(v[i]);
			return 0;
		},
	        place.size()};
}

struct core_name {
	std::string_view name;
	int net_core_settings::*place;
};
constexpr core_name core_names[] = {{"rmem_default", &net_core_settings::sysctl_rmem_default},
                                    {"rmem_max", &net_core_settings::sysctl_rmem_max},
                                    {"wmem_default", &net_core_settings::sysctl_wmem_default},
                                    {"wmem_max", &net_core_settings::sysctl_wmem_max},
                                    {"netdev_max_backlog", &net_core_settings::netdev_max_backlog},
                                    {"netdev_budget", &net_core_settings::netdev_budget},
                                    {"netdev_budget_usecs", &net_core_settings::netdev_budget_usecs},
                                    {"dev_weight", &net_core_settings::dev_weight},
                                    {"optmem_max", &net_core_settings::optmem_max},
                                    {"skb_defer_max", &net_core_settings::sysctl_skb_defer_max},
                                    {"gro_normal_batch", &net_core_settings::gro_normal_batch},
                                    {"busy_read", &net_core_settings::sysctl_net_busy_read},
                                    {"busy_poll", &net_core_settings::sysctl_net_busy_poll}};

struct neigh_name {
	std::string_view name;
	int item;
	u32 per_second; // 0: a plain number; else the value is a time, this many units a second
};
constexpr neigh_name neigh_names[] = {{"mcast_solicit", NEIGH_VAR_MCAST_PROBES, 0},
                                      {"ucast_solicit", NEIGH_VAR_UCAST_PROBES, 0},
                                      {"app_solicit", NEIGH_VAR_APP_PROBES, 0},
                                      {"mcast_resolicit", NEIGH_VAR_MCAST_REPROBES, 0},
                                      {"retrans_time_ms", NEIGH_VAR_RETRANS_TIME, 1000},
                                      {"base_reachable_time_ms", NEIGH_VAR_BASE_REACHABLE_TIME, 1000},
                                      {"base_reachable_time", NEIGH_VAR_BASE_REACHABLE_TIME, 1},
                                      {"delay_first_probe_time", NEIGH_VAR_DELAY_PROBE_TIME, 1},
                                      {"gc_stale_time", NEIGH_VAR_GC_STALETIME, 1},
                                      {"unres_qlen_bytes", NEIGH_VAR_QUEUE_LEN_BYTES, 0},
                                      {"locktime", NEIGH_VAR_LOCKTIME, 100}};

std::optional<setting> neigh_setting(net &space, const std::string &rest)
{
	const std::size_t dot = rest.rfind('.');
	if (dot == std::string::npos)
		return {};
	const std::string dev_name = rest.substr(0, dot), item = rest.substr(dot + 1);
	neigh_table &tbl = arp_tbl();
	if (dev_name == "default" && item == "gc_thresh1")
		return number(tbl.gc_thresh1);
	if (dev_name == "default" && item == "gc_thresh2")
		return number(tbl.gc_thresh2);
	if (dev_name == "default" && item == "gc_thresh3")
		return number(tbl.gc_thresh3);
	neigh_parms *parms = &tbl.parms;
	if (dev_name != "default") {
		const net_device *dev = __dev_get_by_name(space, dev_name);
		const in_device *in = dev ? __in_dev_get_rcu(*dev) : nullptr;
		parms = in ? in->arp_parms : nullptr;
	}
	const auto known = std::ranges::find(neigh_names, item, &neigh_name::name);
	if (!parms || known == std::end(neigh_names))
		return {};
	int &place = parms->data[static_cast<std::size_t>(known->item)];
	if (!known->per_second)
		return number(place);
	const u32 unit = known->per_second;
	const bool reachable = known->item == NEIGH_VAR_BASE_REACHABLE_TIME;
	return setting{[&place, unit] { return fmt::format("{}", static_cast<u64>(place) * unit / HZ); },
	               [&place, unit, parms, reachable](const std::vector<long> &v) {
			       place = static_cast<int>((static_cast<u64>(v[0]) * HZ + unit - 1) / unit);
			       if (reachable)
				       parms->reachable_time = neigh_rand_reach_time(static_cast<u32>(place));
			       return 0;
		       }};
}

// Reassembly's limits: those that must stand in order are refused by the stack.
std::optional<setting> fragment_setting(net &space, const std::string &rest)
{
	const fqdir &limits = *space.ipv4.frags;
	std::function<long()> read;
	if (rest == "ipfrag_high_thresh")
		read = [&limits] { return limits.high_thresh; };
	else if (rest == "ipfrag_low_thresh")
		read = [&limits] { return limits.low_thresh; };
	else if (rest == "ipfrag_time")
		read = [&limits] { return limits.timeout / static_cast<long>(HZ); };
	else if (rest == "ipfrag_max_dist")
		read = [&limits] { return limits.max_dist; };
	else
		return {};
	return setting{[read] { return fmt::format("{}", read()); },
	               [&space, rest](const std::vector<long> &v) {
			       return ip4_frags_sysctl_write(space, rest, v[0]);
		       }};
}

std::optional<setting> ipv4_setting(net &space, const std::string &rest)
{
	netns_ipv4 &v4 = space.ipv4;
	if (rest.starts_with("neigh."))
		return neigh_setting(space, rest.substr(6));
	if (rest.starts_with("ipfrag_"))
		return fragment_setting(space, rest);
	if (rest == "tcp_rmem")
		return numbers(v4.sysctl_tcp_rmem, SOCK_MIN_RCVBUF);
	if (rest == "tcp_wmem")
		return numbers(v4.sysctl_tcp_wmem, 1);
	if (rest == "tcp_mem")
		return numbers(proto_of(tcp_prot).sysctl_mem);
	if (rest == "ip_local_port_range")
		return numbers(v4.ip_local_ports);
	if (rest == "ping_group_range")
		return numbers(v4.ping_group_range);

	const auto special = [&space, rest](const std::vector<long> &v) {
		return devinet_sysctl_write(space, rest, static_cast<int>(v[0]));
	};
	if (rest.starts_with("conf.")) {
		const std::size_t dot = rest.rfind('.');
		const int *place =
			dot > 5 ? devconf_sysctl(space, rest.substr(5, dot - 5), rest.substr(dot + 1))
				: nullptr;
		if (!place)
			return {};
		return setting{[place] { return fmt::format("{}", *place); }, special};
	}
	if (rest == "route.flush")
		return setting{nullptr, special};
	int *place = ipv4_sysctl(v4, rest.c_str());
	if (!place)
		return {};
	if (rest == "ip_forward")
		return setting{[place] { return fmt::format("{}", *place); }, special};
	return number(*place);
}

std::optional<setting> conntrack_setting(net &space, const std::string &name)
{
	if (name == "buckets")
		return setting{[] { return fmt::format("{}", nf_conntrack_of_host().hash.size()); },
		               [](const std::vector<long> &v) {
				       return v[0] > 0 ? nf_conntrack_hash_resize(static_cast<u32>(v[0]))
			                               : -EINVAL;
			       }};
	const nf_ct_sysctl found = nf_conntrack_sysctl(space, name);
	if (found.u8_place)
		return number(*found.u8_place);
	if (!found.u32_place)
		return {};
	u32 &place = *found.u32_place;
	const u32 unit = found.seconds ? HZ : 1;
	return setting{[&place, unit] { return fmt::format("{}", place / unit); },
	               [&place, unit, only = found.read_only](const std::vector<long> &v) {
			       if (only)
				       return -EPERM;
			       place = static_cast<u32>(v[0]) * unit;
			       return 0;
		       }};
}

std::optional<setting> find_setting(command &c, const std::string &key)
{
	if (key.starts_with("net.netfilter.nf_conntrack_"))
		return conntrack_setting(*c.in, key.substr(27));
	if (key == "net.netfilter.nf_log_all_netns" && net_eq(*c.in, init_net()))
		return number(nf_log_all_netns());
	if (key == "net.nf_conntrack_max")
		return conntrack_setting(*c.in, "max");
	if (key.starts_with("net.ipv4."))
		return ipv4_setting(*c.in, key.substr(9));
	if (key.starts_with("net.bridge.")) {
		int *place = brnf_sysctl(*c.in, key.substr(11));
		if (!place)
			return {};
		return setting{[place] { return fmt::format("{}", *place); },
		               [place](const std::vector<long> &v) {
				       *place = v[0] ? 1 : 0;
				       return 0;
			       }};
	}
	if (key.starts_with("net.core.")) {
		const auto known = std::ranges::find(core_names, key.substr(9), &core_name::name);
		if (known != std::end(core_names))
			return number((*net_core).*known->place);
		if (key == "net.core.somaxconn")
			return number(c.in->core.sysctl_somaxconn);
		if (key == "net.core.txrehash")
			return number(c.in->core.sysctl_txrehash);
		if (key == "net.core.rps_sock_flow_entries")
			return setting{[] { return fmt::format("{}", rps_sock_flow_entries()); },
			               [](const std::vector<long> &v) { return rps_sock_flow_sysctl(v[0]); }};
		if (key == "net.core.flow_limit_table_len")
			return setting{[] { return fmt::format("{}", rps->flow_limit_table_len); },
			               [](const std::vector<long> &v) {
					       if (v[0] <= 0 || v[0] & (v[0] - 1) || v[0] > 1 << 24)
						       return -EINVAL;
					       rps->flow_limit_table_len = static_cast<int>(v[0]);
					       return 0;
				       }};
	}
	return {};
}

// Is that a name of a kernel's that we have no use for?
[[noreturn]] void no_setting(command &c, const std::string &key)
{
	static constexpr std::string_view ours[] = {"net.ipv4.", "net.core.", "net.netfilter.", "net.nf_",
	                                            "net.bridge."};
	if (std::ranges::none_of(ours, [&](std::string_view p) { return key.starts_with(p); }))
		c.not_modelled(fmt::format("the sysctl {}", key));
	std::string path = key;
	std::ranges::replace(path, '.', '/');
	command::fails(fmt::format(
		"sysctl: cannot stat /proc/sys/{}: No such file or directory (or it is not modelled)", path));
}

void write_setting(command &c, const std::string &key, const std::string &value)
{
	// There is no IPv6 to disable.
	if (key.starts_with("net.ipv6.conf.") && key.ends_with(".disable_ipv6") && value == "1")
		return;
	if (key == "net.ipv4.tcp_congestion_control") {
		if (tcp_set_default_congestion_control(*c.in, value.c_str()))
			command::fails(
				"sysctl: setting key \"net.ipv4.tcp_congestion_control\": No such file or directory");
		return;
	}
	if (key == "net.core.flow_limit_cpu_bitmap") {
		if (flow_limit_cpu_sysctl(value))
			command::fails(fmt::format("sysctl: setting key \"{}\": Invalid argument", key));
		return;
	}
	if (key == "net.core.default_qdisc") {
		if (qdisc_set_default(value))
			command::fails(
				"sysctl: setting key \"net.core.default_qdisc\": No such file or directory");
		return;
	}
	const auto s = find_setting(c, key);
	if (!s)
		no_setting(c, key);
	std::istringstream in{value};
	std::vector<long> values;
	for (long v = 0; in >> v;)
		values.push_back(v);
	if (!in.eof() || values.size() != s->numbers)
		command::fails(fmt::format("sysctl: setting key \"{}\": Invalid argument", key));
	if (s->write(values))
		command::fails(fmt::format("sysctl: setting key \"{}\": Invalid argument", key));
}

void read_setting(command &c, const std::string &key, bool bare)
{
	std::string value;
	if (key == "net.ipv4.tcp_congestion_control") {
		const tcp_congestion_ops *ca = c.in->ipv4.tcp_congestion_control;
		value = ca ? ca->name : "";
	} else if (key == "net.core.flow_limit_cpu_bitmap") {
		value = flow_limit_cpu_bitmap();
	} else if (key == "net.core.default_qdisc") {
		value = qdisc_get_default();
	} else {
		const auto s = find_setting(c, key);
		if (!s || !s->read)
			no_setting(c, key);
		value = s->read();
	}
	c.out += bare ? value + "\n" : fmt::format("{} = {}\n", key, value);
}

// `net/ipv4/conf/eth0.5/x' keeps the dot of the name; `net.ipv4...' is the same with the two exchanged.
std::string plain_key(std::string key)
{
	if (key.find('/') != std::string::npos && key.find('/') < key.find('.'))
		for (char &ch : key)
			ch = ch == '/' ? '.' : ch == '.' ? '/' : ch;
	return key;
}

// ---- ethtool --------------------------------------------------------------------------------------------

struct feature_name {
	std::string_view name;
	netdev_features_t bits;
};
constexpr feature_name feature_names[] = {{"tso", NETIF_F_ALL_TSO},
                                          {"tcp-segmentation-offload", NETIF_F_ALL_TSO},
                                          {"gso", NETIF_F_GSO},
                                          {"generic-segmentation-offload", NETIF_F_GSO},
                                          {"gro", NETIF_F_GRO},
                                          {"generic-receive-offload", NETIF_F_GRO},
                                          {"rx-gro-list", NETIF_F_GRO_FRAGLIST},
                                          {"rx-udp-gro-forwarding", NETIF_F_GRO_UDP_FWD},
                                          {"tx", NETIF_F_CSUM_MASK | NETIF_F_SCTP_CRC},
                                          {"tx-checksumming", NETIF_F_CSUM_MASK | NETIF_F_SCTP_CRC},
                                          {"rx", NETIF_F_RXCSUM},
                                          {"rx-checksumming", NETIF_F_RXCSUM},
                                          {"sg", NETIF_F_SG | NETIF_F_FRAGLIST},
                                          {"scatter-gather", NETIF_F_SG | NETIF_F_FRAGLIST}};

void set_features(command &c)
{
	const std::string name = c.take("a device");
	net_device *dev = __dev_get_by_name(*c.in, name);
	if (!dev)
		command::fails(fmt::format("Cannot get device feature names: No such device"));
	netdev_features_t on = 0, off = 0;
	while (c.more()) {
		const std::string word = c.take("a feature");
		const auto known = std::ranges::find(feature_names, word, &feature_name::name);
		if (known == std::end(feature_names))
			c.not_modelled(fmt::format("the feature {}", word));
		(c.take_on_off(word) ? on : off) |= known->bits;
	}
	if (!(on | off))
		c.bad("expected FEATURE on|off");
	if (!((on | off) & dev->hw_features))
		command::fails("Cannot change any device features");
	dev->wanted_features = (dev->wanted_features | (on & dev->hw_features)) & ~(off & dev->hw_features);
	netdev_update_features(*dev);
}

// The device whose driver answers `what`, as ethtool's ioctl finds it.
template <class F> net_device &asked(command &c, F ethtool_ops::*op, std::string_view what)
{
	const std::string name = c.take("a device");
	net_device *dev = __dev_get_by_name(*c.in, name);
	if (!dev)
		command::fails(
			"netlink error: no device matches name (offset 24)\nnetlink error: No such device");
	if (!dev->ethtool_ops || !(dev->ethtool_ops->*op))
		command::fails(fmt::format("{}: Operation not supported", what));
	return *dev;
}

void show_rings(command &c)
{
	net_device &dev = asked(c, &ethtool_ops::get_ringparam, "netlink error");
	ethtool_ringparam ring;
	c.done();
	dev.ethtool_ops->get_ringparam(dev, ring);
	c.out += fmt::format("Ring parameters for {}:\nPre-set maximums:\nRX:\t\t{}\nTX:\t\t{}\n"
	                     "Current hardware settings:\nRX:\t\t{}\nTX:\t\t{}\n",
	                     dev.name, ring.rx_max_pending, ring.tx_max_pending, ring.rx_pending,
	                     ring.tx_pending);
}

void set_rings(command &c)
{
	net_device &dev = asked(c, &ethtool_ops::set_ringparam, "netlink error");
	ethtool_ringparam ring;
	dev.ethtool_ops->get_ringparam(dev, ring);
	while (c.more()) {
		const std::string word = c.take("rx or tx");
		if (word != "rx" && word != "tx")
			c.not_modelled(fmt::format("the ring {}", word));
		const auto size = static_cast<u32>(c.take_number("a number of descriptors", 1 << 20));
		const u32 most = word == "rx" ? ring.rx_max_pending : ring.tx_max_pending;
		if (size > most)
			command::fails(
				"netlink error: requested ring size exceeds maximum (offset 36)\nnetlink "
				"error: Invalid argument");
		(word == "rx" ? ring.rx_pending : ring.tx_pending) = size;
	}
	if (dev.ethtool_ops->set_ringparam(dev, ring))
		command::fails("netlink error: Cannot allocate memory");
}

void show_coalescing(command &c)
{
	net_device &dev = asked(c, &ethtool_ops::get_coalesce, "netlink error");
	ethtool_coalesce ec;
	c.done();
	dev.ethtool_ops->get_coalesce(dev, ec);
	c.out += fmt::format("Coalesce parameters for {}:\nrx-usecs:\t{}\n", dev.name, ec.rx_coalesce_usecs);
}

void set_coalescing(command &c)
{
	net_device &dev = asked(c, &ethtool_ops::set_coalesce, "netlink error");
	ethtool_coalesce ec;
	dev.ethtool_ops->get_coalesce(dev, ec);
	while (c.more()) {
		const std::string word = c.take("rx-usecs");
		if (word != "rx-usecs")
			c.not_modelled(fmt::format("`ethtool -C ... {}'", word));
		ec.rx_coalesce_usecs = static_cast<u32>(c.take_number("microseconds", 1 << 30));
	}
	if (dev.ethtool_ops->set_coalesce(dev, ec))
		command::fails("netlink error: Invalid argument");
}

void show_channels(command &c)
{
	net_device &dev = asked(c, &ethtool_ops::get_channels, "netlink error");
	ethtool_channels channels;
	c.done();
	dev.ethtool_ops->get_channels(dev, channels);
	c.out += fmt::format("Channel parameters for {}:\n", dev.name);
	const auto counts = [&c](std::string_view what, u32 rx, u32 tx) {
		c.out += fmt::format("{}:\nRX:\t\t{}\nTX:\t\t{}\nOther:\t\tn/a\nCombined:\tn/a\n", what, rx,
		                     tx);
	};
	counts("Pre-set maximums", channels.max_rx, channels.max_tx);
	counts("Current hardware settings", channels.rx_count, channels.tx_count);
}

void set_channels(command &c)
{
	net_device &dev = asked(c, &ethtool_ops::set_channels, "netlink error");
	ethtool_channels channels;
	dev.ethtool_ops->get_channels(dev, channels);
	const u32 rx = channels.rx_count, tx = channels.tx_count;
	while (c.more()) {
		const std::string word = c.take("rx or tx");
		if (word != "rx" && word != "tx")
			c.not_modelled(fmt::format("the channels {}", word));
		(word == "rx" ? channels.rx_count : channels.tx_count) =
			static_cast<u32>(c.take_number("a number of queues", 1 << 20));
	}
	const auto refused = [](std::string_view why) {
		command::fails(
			fmt::format("netlink error: {} (offset 36)\nnetlink error: Invalid argument", why));
	};
	if (channels.rx_count == rx && channels.tx_count == tx)
		return;
	if (channels.rx_count > channels.max_rx || channels.tx_count > channels.max_tx)
		refused("requested channel count exceeds maximum");
	if (!channels.rx_count || !channels.tx_count)
		refused("requested channel counts would result in no RX or TX channel being configured");
	if (dev.ethtool_ops->set_channels(dev, channels))
		command::fails("netlink error: Invalid argument");
}

void show_statistics(command &c)
{
	net_device &dev = asked(c, &ethtool_ops::get_ethtool_stats, "no stats available");
	std::vector<std::pair<std::string, u64>> stats;
	c.done();
	dev.ethtool_ops->get_ethtool_stats(dev, stats);
	c.out += "NIC statistics:\n";
	for (const auto &[name, value] : stats)
		c.out += fmt::format("     {}: {}\n", name, value);
}

} // namespace

void sysctl(command &c)
{
	bool writes = false, bare = false;
	while (c.peek().starts_with('-')) {
		const std::string option = c.take("an option");
		if (option == "-w")
			writes = true;
		else if (option == "-n")
			bare = true;
		else if (option != "-q" && option != "-e")
			c.not_modelled(fmt::format("`sysctl {}'", option));
	}
	if (!c.more())
		c.bad("expected a name, or NAME=VALUE");
	while (c.more()) {
		std::string word = c.take("a name");
		const std::size_t equals = word.find('=');
		if (equals == std::string::npos && writes)
			command::fails(fmt::format("sysctl: \"{}\" must be of the form name=value", word));
		if (equals == std::string::npos) {
			read_setting(c, plain_key(word), bare);
			continue;
		}
		write_setting(c, plain_key(word.substr(0, equals)), word.substr(equals + 1));
	}
}

void ethtool(command &c)
{
	const std::string what = c.peek().starts_with('-') ? c.take("an option") : "";
	if (what == "-K" || what == "--features" || what == "--offload")
		set_features(c);
	else if (what == "-g" || what == "--show-ring")
		show_rings(c);
	else if (what == "-G" || what == "--set-ring")
		set_rings(c);
	else if (what == "-c" || what == "--show-coalesce")
		show_coalescing(c);
	else if (what == "-C" || what == "--coalesce")
		set_coalescing(c);
	else if (what == "-l" || what == "--show-channels")
		show_channels(c);
	else if (what == "-L" || what == "--set-channels")
		set_channels(c);
	else if (what == "-S" || what == "--statistics")
		show_statistics(c);
	else
		c.not_modelled(fmt::format("`ethtool {}'", what.empty() ? c.peek() : what));
}

} // namespace skbwalk::sim
