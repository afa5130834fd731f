// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/hooks.c, the part on packets on their way: functions that netfilter calls when one was
// made here (LOCAL_OUT: labeled, if there is something to label with), is forwarded, or leaves
// (POST_ROUTING). With neither labels nor marks nothing is asked. In linux-4.18 each has a function for IPv4
// before it.
#include "stack/security/selinux/hooks.h"

#include "stack/core/dst.h"
#include "stack/core/netdevice.h"
#include "stack/core/request_sock.h"
#include "stack/netfilter/netfilter.h"
#include "stack/netlabel/netlabel.h"
#include "stack/security/security.h"
#include "stack/security/selinux/classmap.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk {

namespace {

// A SYN+ACK's is the listener.
const sock *skb_to_full_sk(const sk_buff &skb)
{
	const sock *sk = skb.sk;

	if (sk && sk->sk_state == TCP_NEW_SYN_RECV)
		sk = static_cast<const sock_common *>(sk)->skc_listener;
	return sk && sk->sk_state != TCP_TIME_WAIT ? sk : nullptr;
}

constexpr u32 refused = NF_DROP_ERR(-ECONNREFUSED);

struct packet_audit : common_audit_data {
	lsm_network_audit of;
	packet_audit(int ifindex, u16 family)
	{
		type = LSM_AUDIT_DATA_NET;
		net = &of;
		of.netif = ifindex;
		of.family = family;
	}
	packet_audit(const packet_audit &) = delete;
	packet_audit &operator=(const packet_audit &) = delete;
};

u16 family_of(const nf_hook_state &state) { return state.pf; } // NFPROTO_IPV4 is AF_INET
static_assert(NFPROTO_IPV4 == AF_INET);

} // namespace

static u32 selinux_ip_forward(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	if (!selinux_policycap_netpeer())
		return NF_ACCEPT;
	const bool secmark_active = selinux_secmark_enabled();
	const bool peerlbl_active = selinux_peerlbl_enabled();
	if (!secmark_active && !peerlbl_active)
		return NF_ACCEPT;

	const u16 family = family_of(state);
	packet_audit ad(state.in->ifindex, family);
	u32 peer_sid;
	be32 addr;
	if (selinux_skb_peerlbl_sid(*skb, family, peer_sid))
		return NF_DROP;
	if (selinux_parse_skb(*skb, ad, &addr, true, nullptr))
		return NF_DROP;
	if (peerlbl_active &&
	    selinux_inet_sys_rcv_skb(*state.net, state.in->ifindex, addr, family, peer_sid, ad))
		return NF_DROP;
	if (secmark_active && avc_has_perm(peer_sid, skb->secmark, SECCLASS_PACKET, PACKET__FORWARD_IN, &ad))
		return NF_DROP;
	return NF_ACCEPT; // nothing to put a label on with
}

static u32 selinux_ip_output(void *, skb_ptr &skb, const nf_hook_state &)
{
	TRACE(skb);
	[[maybe_unused]] const bool enabled = netlbl_enabled();

	assert(!enabled);
	return NF_ACCEPT;
}

// For policies that do not know of network_peer_controls.
static u32 selinux_ip_postroute_compat(sk_buff &skb, const nf_hook_state &state)
{
	TRACE(skb);
	const sock *sk = skb_to_full_sk(skb);
	u8 proto = 0;

	if (!sk)
		return NF_ACCEPT;
	const sk_security_struct &sksec = selinux_sock(*sk);
	packet_audit ad(state.out->ifindex, family_of(state));
	if (selinux_parse_skb(skb, ad, nullptr, false, &proto))
		return NF_DROP;
	if (selinux_secmark_enabled() &&
	    avc_has_perm(sksec.sid, skb.secmark, SECCLASS_PACKET, PACKET__SEND, &ad))
		return refused;
	return selinux_xfrm_postroute_last(sksec.sid, skb, ad, proto) ? refused : NF_ACCEPT;
}

static u32 selinux_ip_postroute(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	if (!selinux_policycap_netpeer())
		return selinux_ip_postroute_compat(*skb, state);
	const bool secmark_active = selinux_secmark_enabled();
	const bool peerlbl_active = selinux_peerlbl_enabled();
	if (!secmark_active && !peerlbl_active)
		return NF_ACCEPT;

	const sock *sk = skb_to_full_sk(*skb);
	const u16 family = family_of(state);
	u32 secmark_perm = PACKET__SEND, peer_sid = SECINITSID_KERNEL;
	if (!sk) { // the kernel's own, or on its way through
		if (skb->skb_iif) {
			secmark_perm = PACKET__FORWARD_OUT;
			if (selinux_skb_peerlbl_sid(*skb, family, peer_sid))
				return NF_DROP;
		}
	} else if (sk->sk_state == TCP_LISTEN) { // a SYN+ACK: as the connection will be labeled
		u32 skb_sid;

		if (selinux_skb_peerlbl_sid(*skb, family, skb_sid) ||
		    selinux_conn_sid(selinux_sock(*sk).sid, skb_sid, peer_sid))
			return NF_DROP;
	} else {
		peer_sid = selinux_sock(*sk).sid;
	}

	packet_audit ad(state.out->ifindex, family);
	be32 addr;
	if (selinux_parse_skb(*skb, ad, &addr, false, nullptr))
		return NF_DROP;
	if (secmark_active && avc_has_perm(peer_sid, skb->secmark, SECCLASS_PACKET, secmark_perm, &ad))
		return refused;
	if (peerlbl_active) {
		u32 if_sid, node_sid;

		if (sel_netif_sid(*state.net, state.out->ifindex, if_sid))
			return NF_DROP;
		if (avc_has_perm(peer_sid, if_sid, SECCLASS_NETIF, NETIF__EGRESS, &ad))
			return refused;
		if (sel_netnode_sid(addr, family, node_sid))
			return NF_DROP;
		if (avc_has_perm(peer_sid, node_sid, SECCLASS_NODE, NODE__SENDTO, &ad))
			return refused;
	}
	return NF_ACCEPT;
}

// --- linux-4.18 ---

static u32 selinux_ipv4_forward(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	return selinux_ip_forward(priv, skb, state);
}

static u32 selinux_ipv4_output(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	return selinux_ip_output(priv, skb, state);
}

static u32 selinux_ipv4_postroute(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	return selinux_ip_postroute(priv, skb, state);
}

namespace {

constexpr nf_hook_ops at(nf_hookfn hook, u32 hooknum, int priority)
{
	return {.hook = hook,
	        .dev = nullptr,
	        .priv = nullptr,
	        .pf = NFPROTO_IPV4,
	        .hooknum = hooknum,
	        .priority = priority};
}
constexpr nf_hook_ops selinux_nf_ops[] = {
	at(selinux_ip_postroute, NF_INET_POST_ROUTING, NF_IP_PRI_SELINUX_LAST),
	at(selinux_ip_forward, NF_INET_FORWARD, NF_IP_PRI_SELINUX_FIRST),
	at(selinux_ip_output, NF_INET_LOCAL_OUT, NF_IP_PRI_SELINUX_FIRST),
};
constexpr nf_hook_ops selinux_nf_ops_418[] = {
	at(selinux_ipv4_postroute, NF_INET_POST_ROUTING, NF_IP_PRI_SELINUX_LAST),
	at(selinux_ipv4_forward, NF_INET_FORWARD, NF_IP_PRI_SELINUX_FIRST),
	at(selinux_ipv4_output, NF_INET_LOCAL_OUT, NF_IP_PRI_SELINUX_FIRST),
};

const nf_hook_ops *ops_of_release()
{
	return current.host->features.selinux_ipv4_hooks ? selinux_nf_ops_418 : selinux_nf_ops;
}

} // namespace

static int selinux_nf_register(net &net)
{
	TRACE();
	return nf_register_net_hooks(net, ops_of_release(), std::size(selinux_nf_ops));
}

static void selinux_nf_unregister(net &net)
{
	TRACE();
	nf_unregister_net_hooks(net, ops_of_release(), std::size(selinux_nf_ops));
}

namespace {

const pernet_operations selinux_net_ops = {"selinux", selinux_nf_register, selinux_nf_unregister};

} // namespace

void selinux_nf_ip_init()
{
	TRACE();
	register_pernet_subsys(selinux_net_ops);
}

} // namespace skbwalk
