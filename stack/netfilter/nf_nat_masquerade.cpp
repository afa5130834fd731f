// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_nat_masquerade.c: source NAT to the address that the outgoing device has for the next hop.
// When the device goes down or the address away, connections that used it go too. Unlike the kernel, that is
// done at once, not by a worker.
#include "stack/core/netdevice.h"
#include "stack/ipv4/route.h"
#include "stack/netfilter/nf_nat.h"

namespace skbwalk {

namespace {

struct masq_dev_work {
	int ifindex;
	be32 addr; // 0: whatever it is
};

} // namespace

u32 nf_nat_masquerade_ipv4(sk_buff &skb, u32 hooknum, const nf_nat_range2 &range, const net_device &out)
{
	TRACE(skb, out);
	ip_conntrack_info ctinfo;
	nf_conn &ct = *nf_ct_get(skb, ctinfo);

	assert(hooknum == NF_INET_POST_ROUTING);
	static_cast<void>(hooknum);
	if (!ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple.src.u3) // from nowhere yet: DHCP
		return NF_ACCEPT;
	const be32 nh = rt_nexthop(*skb_rtable(skb), ip_hdr(skb).daddr);
	const be32 newsrc = inet_select_addr(out, nh, RT_SCOPE_UNIVERSE);
	if (!newsrc)
		return NF_DROP;
	if (nf_conn_nat *ext = nf_ct_nat_ext_add(ct))
		ext->masq_index = out.ifindex;
	return nf_nat_setup_info(ct,
	                         {.flags = range.flags | NF_NAT_RANGE_MAP_IPS,
	                          .min_addr = newsrc,
	                          .max_addr = newsrc,
	                          .min_proto = range.min_proto,
	                          .max_proto = range.max_proto},
	                         NF_NAT_MANIP_SRC);
}

static int device_cmp(nf_conn &i, void *arg)
{
	TRACE();
	const nf_conn_nat *ext = nfct_nat(i);

	return ext && ext->masq_index == static_cast<const masq_dev_work *>(arg)->ifindex;
}

static int inet_cmp(nf_conn &ct, void *ptr)
{
	TRACE();
	return device_cmp(ct, ptr) &&
	       static_cast<const masq_dev_work *>(ptr)->addr == ct.tuplehash[IP_CT_DIR_REPLY].tuple.dst.u3;
}

static int masq_device_event(net_device &dev, netdev_cmd event)
{
	TRACE(dev);
	masq_dev_work w{dev.ifindex, {}};

	if (event == NETDEV_DOWN)
		nf_ct_iterate_cleanup_net(dev_net(dev), device_cmp, &w);
	return 0;
}

static int masq_inet_event(in_ifaddr &ifa, netdev_cmd event)
{
	TRACE();
	if (event != NETDEV_DOWN || ifa.ifa_dev->dead)
		return 0;
	net_device &dev = *ifa.ifa_dev->dev;
	masq_dev_work w{dev.ifindex, ifa.ifa_address};

	nf_ct_iterate_cleanup_net(dev_net(dev), inet_cmp, &w);
	return 0;
}

void nf_nat_masquerade_inet_register_notifiers()
{
	TRACE();
	register_netdevice_notifier(masq_device_event);
	register_inetaddr_notifier(masq_inet_event);
}

} // namespace skbwalk
