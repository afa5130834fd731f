// SPDX-License-Identifier: GPL-2.0-only
//
// The sysctls of net/ipv4/devinet.c: net.ipv4.conf.{all,default,DEV}.NAME and net.ipv4.ip_forward. A write to
// `default` goes to the devices that never had a value or an address of their own; one to forwarding goes to
// all devices; some flush routes.
#include <string_view>

#include "stack/ipv4/ip_fib.h"

namespace skbwalk {

namespace {

struct entry {
	const char *name;
	ipv4_devconf_item item;
	bool flushes; // routes are computed anew after a write
};
constexpr entry devinet_vars[] = {
	{"forwarding", IPV4_DEVCONF_FORWARDING, false},
	{"mc_forwarding", IPV4_DEVCONF_MC_FORWARDING, false},
	{"bc_forwarding", IPV4_DEVCONF_BC_FORWARDING, true},
	{"accept_redirects", IPV4_DEVCONF_ACCEPT_REDIRECTS, false},
	{"secure_redirects", IPV4_DEVCONF_SECURE_REDIRECTS, false},
	{"shared_media", IPV4_DEVCONF_SHARED_MEDIA, false},
	{"rp_filter", IPV4_DEVCONF_RP_FILTER, false},
	{"send_redirects", IPV4_DEVCONF_SEND_REDIRECTS, false},
	{"accept_source_route", IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE, false},
	{"accept_local", IPV4_DEVCONF_ACCEPT_LOCAL, true},
	{"src_valid_mark", IPV4_DEVCONF_SRC_VMARK, false},
	{"proxy_arp", IPV4_DEVCONF_PROXY_ARP, false},
	{"medium_id", IPV4_DEVCONF_MEDIUM_ID, false},
	{"bootp_relay", IPV4_DEVCONF_BOOTP_RELAY, false},
	{"log_martians", IPV4_DEVCONF_LOG_MARTIANS, false},
	{"tag", IPV4_DEVCONF_TAG, false},
	{"arp_filter", IPV4_DEVCONF_ARPFILTER, false},
	{"arp_announce", IPV4_DEVCONF_ARP_ANNOUNCE, false},
	{"arp_ignore", IPV4_DEVCONF_ARP_IGNORE, false},
	{"arp_accept", IPV4_DEVCONF_ARP_ACCEPT, false},
	{"arp_notify", IPV4_DEVCONF_ARP_NOTIFY, false},
	{"arp_evict_nocarrier", IPV4_DEVCONF_ARP_EVICT_NOCARRIER, false},
	{"proxy_arp_pvlan", IPV4_DEVCONF_PROXY_ARP_PVLAN, false},
	{"force_igmp_version", IPV4_DEVCONF_FORCE_IGMP_VERSION, false},
	{"igmpv2_unsolicited_report_interval", IPV4_DEVCONF_IGMPV2_UNSOLICITED_REPORT_INTERVAL, false},
	{"igmpv3_unsolicited_report_interval", IPV4_DEVCONF_IGMPV3_UNSOLICITED_REPORT_INTERVAL, false},
	{"ignore_routes_with_linkdown", IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN, false},
	{"drop_gratuitous_arp", IPV4_DEVCONF_DROP_GRATUITOUS_ARP, false},
	{"disable_xfrm", IPV4_DEVCONF_NOXFRM, true},
	{"disable_policy", IPV4_DEVCONF_NOPOLICY, true},
	{"promote_secondaries", IPV4_DEVCONF_PROMOTE_SECONDARIES, true},
	{"route_localnet", IPV4_DEVCONF_ROUTE_LOCALNET, true},
	{"drop_unicast_in_l2_multicast", IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST, true},
};

const entry *entry_of(std::string_view name)
{
	for (const entry &e : devinet_vars)
		if (name == e.name)
			return &e;
	return nullptr;
}

ipv4_devconf *conf_of(net &net, const std::string &dev)
{
	if (dev == "all")
		return net.ipv4.devconf_all.get();
	if (dev == "default")
		return net.ipv4.devconf_dflt.get();
	net_device *d = __dev_get_by_name(net, dev);
	return d && d->ip_ptr ? &d->ip_ptr->cnf : nullptr;
}

} // namespace

static void devinet_copy_dflt_conf(net &net, std::size_t i)
{
	TRACE();
	rcu_read_lock();
	for (net_device *dev : net.dev_list)
		if (in_device *in_dev = __in_dev_get_rcu(*dev);
		    in_dev && !(in_dev->cnf.state & (u64{1} << i)))
			in_dev->cnf.data[i] = net.ipv4.devconf_dflt->data[i];
	rcu_read_unlock();
}

static void inet_forward_change(net &net)
{
	TRACE();
	const int on = IPV4_DEVCONF_ALL(net, IPV4_DEVCONF_FORWARDING);

	net.ipv4.devconf_all->data[IPV4_DEVCONF_ACCEPT_REDIRECTS] = !on;
	net.ipv4.devconf_dflt->data[IPV4_DEVCONF_FORWARDING] = on;
	net.ipv4.sysctl_ip_forward = on;
	for (net_device *dev : net.dev_list)
		if (in_device *in_dev = __in_dev_get_rcu(*dev))
			in_dev->cnf.data[IPV4_DEVCONF_FORWARDING] = on;
}

static void devinet_sysctl_forward(net &net, ipv4_devconf &cnf, int value)
{
	TRACE();
	int &valp = cnf.data[IPV4_DEVCONF_FORWARDING];

	if (valp == value)
		return;
	valp = value;
	if (&cnf == net.ipv4.devconf_dflt.get())
		return;
	if (&cnf == net.ipv4.devconf_all.get())
		inet_forward_change(net);
	rt_cache_flush(net);
}

static void devinet_conf_proc(net &net, ipv4_devconf &cnf, const entry &e, int value)
{
	TRACE();
	const int old_value = cnf.data[e.item];

	cnf.data[e.item] = value;
	cnf.state |= u64{1} << e.item;
	if (&cnf == net.ipv4.devconf_dflt.get())
		devinet_copy_dflt_conf(net, e.item);
	if (e.flushes && old_value != value)
		rt_cache_flush(net);
}

int *devconf_sysctl(net &net, const std::string &dev, const std::string &name)
{
	TRACE();
	const entry *e = entry_of(name);
	ipv4_devconf *cnf = e ? conf_of(net, dev) : nullptr;

	return cnf ? &cnf->data[e->item] : nullptr;
}

int devinet_sysctl_write(net &net, const std::string &name, int value)
{
	TRACE();
	if (name == "ip_forward") {
		devinet_sysctl_forward(net, *net.ipv4.devconf_all, value);
		return 0;
	}
	if (name == "route.flush") {
		rt_cache_flush(net);
		++net.ipv4.fnhe_genid;
		return 0;
	}
	const std::size_t last = name.rfind('.');
	if (name.rfind("conf.", 0) != 0 || last <= 5)
		return -ENOENT;
	const entry *e = entry_of(std::string_view(name).substr(last + 1));
	ipv4_devconf *cnf = conf_of(net, name.substr(5, last - 5));
	if (!e || !cnf)
		return -ENOENT;
	if (e->item == IPV4_DEVCONF_FORWARDING)
		devinet_sysctl_forward(net, *cnf, value);
	else
		devinet_conf_proc(net, *cnf, *e, value);
	return 0;
}

} // namespace skbwalk
