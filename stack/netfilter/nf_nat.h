// SPDX-License-Identifier: GPL-2.0-only
//
// Network address translation (include/net/netfilter/nf_nat.h). A new connection is given its mapping once,
// by a rule or, where none has one, as it is; from then on each packet is changed so that it looks like the
// inverse of what the other direction's tuple says.
#pragma once

#include "stack/netfilter/nf_conntrack.h"
#include "stack/netfilter/nf_nat_range.h"

namespace skbwalk {

enum nf_nat_manip_type : u8 { NF_NAT_MANIP_SRC, NF_NAT_MANIP_DST };
inline nf_nat_manip_type HOOK2MANIP(u32 hooknum)
{
	return hooknum != NF_INET_POST_ROUTING && hooknum != NF_INET_LOCAL_IN ? NF_NAT_MANIP_DST
	                                                                      : NF_NAT_MANIP_SRC;
}
inline nf_conn_nat *nfct_nat(const nf_conn &ct)
{
	return static_cast<nf_conn_nat *>(nf_ct_ext_find(ct, NF_CT_EXT_NAT));
}
inline bool nf_nat_initialized(const nf_conn &ct, nf_nat_manip_type manip)
{
	return ct.status & (manip == NF_NAT_MANIP_SRC ? IPS_SRC_NAT_DONE : IPS_DST_NAT_DONE);
}

// A verdict.
u32 nf_nat_setup_info(nf_conn &ct, const nf_nat_range2 &range, nf_nat_manip_type maniptype);
u32 nf_nat_alloc_null_binding(nf_conn &ct, u32 hooknum);
nf_conn_nat *nf_ct_nat_ext_add(nf_conn &ct);
u32 nf_nat_packet(nf_conn &ct, ip_conntrack_info ctinfo, u32 hooknum, sk_buff &skb);
u32 nf_nat_inet_fn(void *priv, skb_ptr &skb, const nf_hook_state &state);
int nf_nat_register_fn(net &net, u8 pf, const nf_hook_ops &ops, const nf_hook_ops *orig_nat_ops,
                       u32 ops_count);
void nf_nat_unregister_fn(net &net, u8 pf, const nf_hook_ops &ops, u32 ops_count);

// --- nf_nat_proto.c ---
u32 nf_nat_manip_pkt(sk_buff &skb, nf_conn &ct, nf_nat_manip_type mtype, ip_conntrack_dir dir);
bool nf_nat_icmp_reply_translation(sk_buff &skb, nf_conn &ct, ip_conntrack_info ctinfo, u32 hooknum);
int nf_nat_ipv4_register_fn(net &net, const nf_hook_ops &ops);
void nf_nat_ipv4_unregister_fn(net &net, const nf_hook_ops &ops);

// --- nf_nat_masquerade.c, nf_nat_redirect.c ---
u32 nf_nat_masquerade_ipv4(sk_buff &skb, u32 hooknum, const nf_nat_range2 &range, const net_device &out);
void nf_nat_masquerade_inet_register_notifiers();
u32 nf_nat_redirect_ipv4(sk_buff &skb, const nf_nat_range2 &range, u32 hooknum);

int nf_nat_init();

} // namespace skbwalk
