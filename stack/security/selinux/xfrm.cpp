// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/xfrm.c: labels of security associations. There are none, so that packets have no label of
// this kind, and a policy without network_peer_controls asks about unlabeled ones.
#include "stack/security/selinux/classmap.h"
#include "stack/security/selinux/netlabel.h"

namespace skbwalk {

// not traced: reads a counter, of labeled associations and policies
bool selinux_xfrm_enabled() { return false; }

static int selinux_xfrm_skb_sid_ingress(sk_buff &skb, u32 &sid, int)
{
	TRACE(skb);
	sid = SECSID_NULL; // no sec_path
	return 0;
}

static u32 selinux_xfrm_skb_sid_egress(sk_buff &skb)
{
	TRACE(skb);
	return SECSID_NULL;
}

int selinux_xfrm_decode_session(sk_buff &skb, u32 &sid, int ckall)
{
	TRACE(skb);
	return selinux_xfrm_skb_sid_ingress(skb, sid, ckall);
}

int selinux_xfrm_skb_sid(sk_buff &skb, u32 &sid)
{
	TRACE(skb);
	const int rc = selinux_xfrm_skb_sid_ingress(skb, sid, 0);

	if (!rc && sid == SECSID_NULL)
		sid = selinux_xfrm_skb_sid_egress(skb);
	return rc;
}

// A policy can forbid a socket what comes unprotected.
int selinux_xfrm_sock_rcv_skb(u32 sk_sid, sk_buff &skb, common_audit_data &ad)
{
	TRACE(skb);
	return avc_has_perm(sk_sid, SECINITSID_UNLABELED, SECCLASS_ASSOCIATION, ASSOCIATION__RECVFROM, &ad);
}

int selinux_xfrm_postroute_last(u32 sk_sid, sk_buff &skb, common_audit_data &ad, u8)
{
	TRACE(skb);
	return avc_has_perm(sk_sid, SECINITSID_UNLABELED, SECCLASS_ASSOCIATION, ASSOCIATION__SENDTO, &ad);
}

} // namespace skbwalk
