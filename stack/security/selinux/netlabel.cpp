// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/netlabel.c: a socket's label on the wire. NetLabel has no protocol configured, so that a
// new socket's attributes are made and NetLabel finds that it stays unlabeled; packets have no label
// (SECSID_NULL). Left out: what needs a protocol.
#include "stack/security/selinux/netlabel.h"

#include <cassert>

#include "stack/core/request_sock.h"
#include "stack/netlabel/netlabel.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk {

// ss/services.c: NetLabel's domain is the type.
static int security_netlbl_sid_to_secattr(u32 sid, netlbl_lsm_secattr &secattr)
{
	TRACE();
	if (!selinux_initialized())
		return 0;
	const std::string context = security_sid_to_context(sid);
	const std::size_t type = context.find(':', context.find(':') + 1) + 1;

	secattr.domain = context.substr(type, context.find(':', type) - type);
	secattr.secid = sid;
	secattr.flags |= NETLBL_SECATTR_DOMAIN_CPY | NETLBL_SECATTR_SECID;
	return 0;
}

static netlbl_lsm_secattr *selinux_netlbl_sock_genattr(sock &sk)
{
	TRACE(sk);
	sk_security_struct &sksec = selinux_sock(sk);

	if (sksec.nlbl_secattr)
		return sksec.nlbl_secattr;
	netlbl_lsm_secattr *secattr = netlbl_secattr_alloc(GFP_ATOMIC);
	if (!secattr)
		return nullptr;
	if (security_netlbl_sid_to_secattr(sksec.sid, *secattr)) {
		netlbl_secattr_free(secattr);
		return nullptr;
	}
	sksec.nlbl_secattr = secattr;
	return secattr;
}

void selinux_netlbl_sk_security_free(sk_security_struct &sksec)
{
	TRACE();
	if (sksec.nlbl_secattr)
		netlbl_secattr_free(sksec.nlbl_secattr);
}

void selinux_netlbl_sk_security_reset(sk_security_struct &sksec)
{
	TRACE();
	sksec.nlbl_state = NLBL_UNSET;
}

int selinux_netlbl_skbuff_getsid(sk_buff &skb, u16, u32 &type, u32 &sid)
{
	TRACE(skb);
	[[maybe_unused]] const bool enabled = netlbl_enabled();

	assert(!enabled);
	type = 0;
	sid = SECSID_NULL;
	return 0;
}

int selinux_netlbl_inet_conn_request(request_sock &req, u16 family)
{
	TRACE();
	netlbl_lsm_secattr secattr;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	const int rc = security_netlbl_sid_to_secattr(req.secid, secattr);
	return rc ? rc : netlbl_req_setattr(req, secattr);
}

void selinux_netlbl_inet_csk_clone(sock &sk, u16 family)
{
	TRACE(sk);
	selinux_sock(sk).nlbl_state = family == AF_INET ? NLBL_LABELED : NLBL_UNSET;
}

int selinux_netlbl_socket_post_create(sock &sk, u16 family)
{
	TRACE(sk);
	if (family != AF_INET && family != AF_INET6)
		return 0;
	const netlbl_lsm_secattr *secattr = selinux_netlbl_sock_genattr(sk);
	if (!secattr)
		return -ENOMEM;
	const int rc = netlbl_sock_setattr(sk, family, *secattr);
	if (!rc)
		selinux_sock(sk).nlbl_state = NLBL_LABELED;
	return rc;
}

int selinux_netlbl_sock_rcv_skb(sk_security_struct &, sk_buff &skb, u16, common_audit_data &)
{
	TRACE(skb);
	[[maybe_unused]] const bool enabled = netlbl_enabled();

	assert(!enabled);
	return 0;
}

// IP options could say what label a packet has; a labeled socket's cannot be changed by hand. What is
// unlabeled has none.
int selinux_netlbl_socket_setsockopt(socket &sock, int, int)
{
	TRACE(sock.sk);
	return 0;
}

static int selinux_netlbl_socket_connect_locked(sock &sk, sockaddr_storage &)
{
	TRACE(sk);
	const sk_security_struct &sksec = selinux_sock(sk);

	if (sksec.nlbl_state != NLBL_REQSKB && sksec.nlbl_state != NLBL_CONNLABELED)
		return 0;
	assert(false && "no protocol that labels by peer");
	return 0;
}

int selinux_netlbl_socket_connect(sock &sk, sockaddr_storage &addr)
{
	TRACE(sk);
	lock_sock(sk);
	const int rc = selinux_netlbl_socket_connect_locked(sk, addr);
	release_sock(sk);
	return rc;
}

} // namespace skbwalk
