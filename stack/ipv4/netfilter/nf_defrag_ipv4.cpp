// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/nf_defrag_ipv4.c: connection tracking sees whole datagrams, so fragments are gathered
// before it, and what leaves is cut again.
#include "stack/ipv4/inet_sock.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/netfilter/ip_tables.h"
#include "stack/kernel/softirq.h"
#include "stack/netfilter/nf_conntrack.h"

namespace skbwalk {

static int nf_ct_ipv4_gather_frags(net &net, skb_ptr &skb, u32 user)
{
	TRACE(skb);
	local_bh_disable();
	const int err = ip_defrag(net, skb, user);
	local_bh_enable();

	if (!err)
		skb->ignore_df = 1;
	return err;
}

static u32 nf_ct_defrag_user(u32 hooknum, const sk_buff &skb)
{
	TRACE(skb);
	u32 zone_id = 0;

	if (skb_nfct(skb)) {
		ip_conntrack_info ctinfo;
		const nf_conn *ct = nf_ct_get(skb, ctinfo);

		zone_id = nf_ct_zone_id(nf_ct_zone(*ct), CTINFO2DIR(ctinfo));
	}
	const auto *nf_bridge = static_cast<const nf_bridge_info *>(skb_ext_find(skb, SKB_EXT_BRIDGE_NF));
	if (nf_bridge && nf_bridge->in_prerouting)
		return IP_DEFRAG_CONNTRACK_BRIDGE_IN + zone_id;
	return (hooknum == NF_INET_PRE_ROUTING ? IP_DEFRAG_CONNTRACK_IN : IP_DEFRAG_CONNTRACK_OUT) + zone_id;
}

static u32 ipv4_conntrack_defrag(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	const sock *sk = skb->sk;
	ip_conntrack_info ctinfo;

	if (sk && sk_fullsock(*sk) && sk->sk_family == AF_INET &&
	    static_cast<const inet_sock &>(*sk).nodefrag)
		return NF_ACCEPT;
	if (!nf_ct_get(*skb, ctinfo) && ctinfo == IP_CT_UNTRACKED)
		return NF_ACCEPT;
	if (ntohs(ip_hdr(*skb).frag_off) & (IP_MF | IP_OFFSET)) {
		const u32 user = nf_ct_defrag_user(state.hook, *skb);

		if (nf_ct_ipv4_gather_frags(*state.net, skb, user))
			return NF_STOLEN;
	}
	return NF_ACCEPT;
}

static const nf_hook_ops ipv4_defrag_ops[] = {
	{.hook = ipv4_conntrack_defrag,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_PRE_ROUTING,
         .priority = NF_IP_PRI_CONNTRACK_DEFRAG},
	{.hook = ipv4_conntrack_defrag,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_OUT,
         .priority = NF_IP_PRI_CONNTRACK_DEFRAG},
};

static void defrag4_net_exit(net &net)
{
	TRACE();
	if (net.nf.defrag_ipv4_users) {
		nf_unregister_net_hooks(net, ipv4_defrag_ops, 2);
		net.nf.defrag_ipv4_users = 0;
	}
}

static const pernet_operations defrag4_net_ops{"nf_defrag_ipv4", nullptr, defrag4_net_exit};

int nf_defrag_init()
{
	TRACE();
	register_pernet_subsys(defrag4_net_ops);
	return 0;
}

int nf_defrag_ipv4_enable(net &net)
{
	TRACE();
	if (net.nf.defrag_ipv4_users) {
		++net.nf.defrag_ipv4_users;
		return 0;
	}
	const int err = nf_register_net_hooks(net, ipv4_defrag_ops, 2);

	if (!err)
		net.nf.defrag_ipv4_users = 1;
	return err;
}

void nf_defrag_ipv4_disable(net &net)
{
	TRACE();
	if (net.nf.defrag_ipv4_users && --net.nf.defrag_ipv4_users == 0)
		nf_unregister_net_hooks(net, ipv4_defrag_ops, 2);
}

} // namespace skbwalk
