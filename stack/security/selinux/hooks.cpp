// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/hooks.c: from a hook of the framework to questions to the access vector cache. A socket is
// labeled in selinux_socket_post_create, by its task's context; what a task does with it is asked in
// sock_has_perm (its own context against the socket's); bind and connect ask about the port's and the
// address's as well. A packet that comes in meets selinux_socket_sock_rcv_skb, a connection that comes in
// gets its label from the listener (selinux_inet_conn_request, selinux_inet_csk_clone), and its file's inode
// in selinux_sock_graft. What packets on their way are asked is in hooks_netfilter.cpp. Left out: all objects
// that are not of the network.
#include "stack/security/selinux/hooks.h"

#include <cassert>
#include <cstring>

#include "stack/core/flow.h"
#include "stack/core/request_sock.h"
#include "stack/kernel/percpu.h"
#include "stack/netlabel/netlabel.h"
#include "stack/security/capability.h"
#include "stack/security/security.h"
#include "stack/security/selinux/classmap.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk {

namespace {

perhost<selinux_blobs> blobs;

constexpr int MAY_WRITE = 2, MAY_READ = 4, MAY_APPEND = 8;
constexpr unsigned CAP_OPT_NOAUDIT = 2;

// What the log says of a socket, or of an address.
struct net_audit : common_audit_data {
	lsm_network_audit of;
	net_audit()
	{
		type = LSM_AUDIT_DATA_NET;
		net = &of;
	}
	net_audit(const net_audit &) = delete;
	net_audit &operator=(const net_audit &) = delete;
};

} // namespace

// not traced: the kernel has a variable here
const selinux_blobs &selinux_blob_offsets() { return *blobs; }

// not traced: what a process does with /proc/self/attr before it execs
void selinux_set_task_sid(task_struct &t, u32 sid)
{
	auto tsec = std::make_shared<task_security_struct>();

	tsec->osid = tsec->sid = sid;
	t.cred_security = std::move(tsec);
}

bool selinux_secmark_enabled()
{
	TRACE();
	return selinux_policycap_alwaysnetwork(); // no rule of iptables marks packets
}

bool selinux_peerlbl_enabled()
{
	TRACE();
	return selinux_policycap_alwaysnetwork() || netlbl_enabled() || selinux_xfrm_enabled();
}

static bool default_protocol_stream(int protocol)
{
	TRACE_INLINE();
	return protocol == IPPROTO_IP || protocol == IPPROTO_TCP;
}

static bool default_protocol_dgram(int protocol)
{
	TRACE_INLINE();
	return protocol == IPPROTO_IP || protocol == IPPROTO_UDP;
}

static u16 socket_type_to_security_class(int family, int type, int protocol)
{
	TRACE_INLINE();
	switch (family) {
	case AF_INET:
	case AF_INET6:
		if (type == SOCK_STREAM)
			return default_protocol_stream(protocol) ? SECCLASS_TCP_SOCKET
			                                         : SECCLASS_RAWIP_SOCKET;
		if (type == SOCK_DGRAM) {
			if (default_protocol_dgram(protocol))
				return SECCLASS_UDP_SOCKET;
			if (selinux_policycap_extsockclass() && protocol == IPPROTO_ICMP)
				return SECCLASS_ICMP_SOCKET;
		}
		return SECCLASS_RAWIP_SOCKET;
	case PF_PACKET:
		return SECCLASS_PACKET_SOCKET;
	default:
		return SECCLASS_SOCKET;
	}
}

// --- capabilities ---

static int cred_has_capability(int cap, unsigned opts)
{
	TRACE();
	const u32 sid = current_sid();
	const u32 av = 1u << (cap & 31);
	common_audit_data ad;
	av_decision avd;

	if (cap > 31) // those of class capability2: nothing here asks for one
		return 0;
	ad.type = LSM_AUDIT_DATA_CAP;
	ad.cap = cap;
	const int rc = avc_has_perm_noaudit(sid, sid, SECCLASS_CAPABILITY, av, avd);
	if (!(opts & CAP_OPT_NOAUDIT))
		avc_audit(sid, sid, SECCLASS_CAPABILITY, av, avd, rc, &ad);
	return rc;
}

static int selinux_capable(const cred &, const user_namespace &, int cap, unsigned opts)
{
	TRACE();
	return cred_has_capability(cap, opts);
}

// --- files: read() and write() ---

static int inode_has_perm(const socket &inode, u32 perms, common_audit_data *adp)
{
	TRACE(inode.sk);
	const inode_security_struct &isec = selinux_inode(inode);

	return avc_has_perm(current_sid(), isec.sid, isec.sclass, perms, adp);
}

// A descriptor may have been opened by another: may it be used, and what it leads to?
static int file_has_perm(const file &f, u32 av)
{
	TRACE();
	const file_security_struct &fsec = selinux_file(f);
	common_audit_data ad;
	const u32 sid = current_sid();

	ad.type = LSM_AUDIT_DATA_FILE;
	if (sid != fsec.sid)
		if (const int rc = avc_has_perm(sid, fsec.sid, SECCLASS_FD, FD__USE, &ad))
			return rc;
	return av ? inode_has_perm(*static_cast<const socket *>(f.private_data), av, &ad) : 0;
}

static u32 file_mask_to_av(int mask)
{
	TRACE_INLINE();
	u32 av = 0;

	if (mask & MAY_READ)
		av |= FILE__READ;
	if (mask & MAY_APPEND)
		av |= FILE__APPEND;
	else if (mask & MAY_WRITE)
		av |= FILE__WRITE;
	return av;
}

static int selinux_revalidate_file_permission(const file &f, int mask)
{
	TRACE();
	return file_has_perm(f, file_mask_to_av(mask));
}

static int selinux_file_permission(file &f, int mask)
{
	TRACE();
	// Unlike the kernel, only sockets have files with a label.
	if (!mask || !f.f_security)
		return 0;
	const file_security_struct &fsec = selinux_file(f);
	const inode_security_struct &isec = selinux_inode(*static_cast<const socket *>(f.private_data));
	if (current_sid() == fsec.sid && fsec.isid == isec.sid && fsec.pseqno == avc_policy_seqno())
		return 0; // nothing has changed since it was opened
	return selinux_revalidate_file_permission(f, mask);
}

static int selinux_file_alloc_security(file &f)
{
	TRACE();
	selinux_file(f).sid = current_sid();
	return 0;
}

static int selinux_inode_alloc_security(socket &inode)
{
	TRACE();
	inode_security_struct &isec = selinux_inode(inode);

	::new (&isec) inode_security_struct{};
	isec.sid = SECINITSID_UNLABELED;
	isec.sclass = SECCLASS_FILE;
	isec.initialized = LABEL_INVALID;
	return 0;
}

static void selinux_inode_free_security([[maybe_unused]] socket &inode) { TRACE(); }

// --- sockets ---

static int socket_sockcreate_sid(const task_security_struct &tsec, u16 secclass, u32 &socksid)
{
	TRACE();
	if (tsec.sockcreate_sid > SECSID_NULL) {
		socksid = tsec.sockcreate_sid;
		return 0;
	}
	return security_transition_sid(tsec.sid, tsec.sid, secclass, socksid);
}

// May the task do that with the socket? The kernel's own sockets everybody may use.
static int sock_has_perm(const sock &sk, u32 perms)
{
	TRACE(sk);
	const sk_security_struct &sksec = selinux_sock(sk);
	net_audit ad;

	if (sksec.sid == SECINITSID_KERNEL)
		return 0;
	ad.of.sk = &sk;
	return avc_has_perm(current_sid(), sksec.sid, sksec.sclass, perms, &ad);
}

static int selinux_socket_create(int family, int type, int protocol, bool kern)
{
	TRACE();
	const task_security_struct &tsec = selinux_cred();
	u32 newsid;

	if (kern)
		return 0;
	const u16 secclass = socket_type_to_security_class(family, type, protocol);
	if (const int rc = socket_sockcreate_sid(tsec, secclass, newsid))
		return rc;
	return avc_has_perm(tsec.sid, newsid, secclass, SOCKET__CREATE, nullptr);
}

static int selinux_socket_post_create(socket &sock, int family, int type, int protocol, bool kern)
{
	TRACE(sock.sk);
	inode_security_struct &isec = selinux_inode(sock);
	const u16 sclass = socket_type_to_security_class(family, type, protocol);
	u32 sid = SECINITSID_KERNEL;

	if (!kern)
		if (const int err = socket_sockcreate_sid(selinux_cred(), sclass, sid))
			return err;
	isec.sclass = sclass;
	isec.sid = sid;
	isec.initialized = LABEL_INITIALIZED;
	if (!sock.sk)
		return 0;
	sk_security_struct &sksec = selinux_sock(*sock.sk);
	sksec.sclass = sclass;
	sksec.sid = sid;
	return selinux_netlbl_socket_post_create(*sock.sk, static_cast<u16>(family));
}

static int __selinux_socket_bind(sock &sk, sockaddr_storage &address, int addrlen)
{
	TRACE(sk);
	const sk_security_struct &sksec = selinux_sock(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	const u16 family = sk.sk_family;
	u32 sid;

	if (const int err = sock_has_perm(sk, SOCKET__BIND))
		return err;
	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (addrlen < static_cast<int>(sizeof(u16)))
		return -EINVAL;
	be32 addr{};
	u16 snum = 0;
	switch (address.family()) {
	case AF_UNSPEC:
	case AF_INET: {
		const auto &addr4 = address.as<sockaddr_in>();

		if (addrlen < static_cast<int>(sizeof(sockaddr_in)))
			return -EINVAL;
		if (address.family() == AF_UNSPEC && (family == AF_INET6 || addr4.sin_addr))
			return -EAFNOSUPPORT;
		snum = ntohs(addr4.sin_port);
		addr = addr4.sin_addr;
		break;
	}
	case AF_INET6:
		if (addrlen < 24) // SIN6_LEN_RFC2133
			return -EINVAL;
		snum = ntohs(address.as<sockaddr_in6>().sin6_port);
		break;
	default:
		return -EAFNOSUPPORT;
	}

	net_audit ad;
	ad.of.sport = htons(snum);
	ad.of.family = AF_INET;
	// A port that is not one of those given out by themselves has a name of its own.
	if (snum && (snum < ipv4.sysctl_ip_prot_sock || snum < ipv4.ip_local_ports[0] ||
	             snum > ipv4.ip_local_ports[1])) {
		if (const int err = sel_netport_sid(static_cast<u8>(sk.sk_protocol), snum, sid))
			return err;
		if (const int err = avc_has_perm(sksec.sid, sid, sksec.sclass, SOCKET__NAME_BIND, &ad))
			return err;
	}
	// TCP, UDP and raw sockets have their node_bind in the same place.
	static_assert(TCP_SOCKET__NODE_BIND == UDP_SOCKET__NODE_BIND &&
	              TCP_SOCKET__NODE_BIND == RAWIP_SOCKET__NODE_BIND);
	if (const int err = sel_netnode_sid(addr, AF_INET, sid))
		return err;
	ad.of.v4info.saddr = addr;
	return avc_has_perm(sksec.sid, sid, sksec.sclass, TCP_SOCKET__NODE_BIND, &ad);
}

static int selinux_socket_bind(socket &sock, sockaddr_storage &address, int addrlen)
{
	TRACE(sock.sk);
	return __selinux_socket_bind(*sock.sk, address, addrlen);
}

static int selinux_socket_connect_helper(sock &sk, sockaddr_storage &address, int addrlen)
{
	TRACE(sk);
	const sk_security_struct &sksec = selinux_sock(sk);
	u32 sid;

	if (const int err = sock_has_perm(sk, SOCKET__CONNECT))
		return err;
	if (addrlen < static_cast<int>(sizeof(u16)))
		return -EINVAL;
	if (address.family() == AF_UNSPEC || sksec.sclass != SECCLASS_TCP_SOCKET)
		return 0;
	be16 port{};
	switch (address.family()) {
	case AF_INET:
		if (addrlen < static_cast<int>(sizeof(sockaddr_in)))
			return -EINVAL;
		port = address.as<sockaddr_in>().sin_port;
		break;
	case AF_INET6:
		if (addrlen < 24) // SIN6_LEN_RFC2133
			return -EINVAL;
		port = address.as<sockaddr_in6>().sin6_port;
		break;
	default:
		return -EAFNOSUPPORT;
	}
	if (const int err = sel_netport_sid(static_cast<u8>(sk.sk_protocol), ntohs(port), sid))
		return err;
	net_audit ad;
	ad.of.dport = port;
	ad.of.family = address.family();
	return avc_has_perm(sksec.sid, sid, sksec.sclass, TCP_SOCKET__NAME_CONNECT, &ad);
}

static int selinux_socket_connect(socket &sock, sockaddr_storage &address, int addrlen)
{
	TRACE(sock.sk);
	if (const int err = selinux_socket_connect_helper(*sock.sk, address, addrlen))
		return err;
	return selinux_netlbl_socket_connect(*sock.sk, address);
}

static int selinux_socket_listen(socket &sock, int)
{
	TRACE(sock.sk);
	return sock_has_perm(*sock.sk, SOCKET__LISTEN);
}

static int selinux_socket_accept(socket &sock, socket &newsock)
{
	TRACE(sock.sk);
	if (const int err = sock_has_perm(*sock.sk, SOCKET__ACCEPT))
		return err;
	inode_security_struct &isec = selinux_inode(sock);
	inode_security_struct &newisec = selinux_inode(newsock);

	spin_lock(isec.lock);
	newisec.sclass = isec.sclass;
	newisec.sid = isec.sid;
	spin_unlock(isec.lock);
	newisec.initialized = LABEL_INITIALIZED;
	return 0;
}

static int selinux_socket_sendmsg(socket &sock, msghdr &msg, int)
{
	TRACE(sock.sk);
	if (const int rc = sock_has_perm(*sock.sk, SOCKET__WRITE))
		return rc;
	// With Fast Open, sending connects.
	if (msg.msg_name && msg.msg_flags & MSG_FASTOPEN && sock.type == SOCK_STREAM)
		return selinux_socket_connect(sock, *msg.msg_name, msg.msg_namelen);
	return 0;
}

static int selinux_socket_recvmsg(socket &sock, msghdr &, int, int)
{
	TRACE(sock.sk);
	return sock_has_perm(*sock.sk, SOCKET__READ);
}

static int selinux_socket_getsockname(socket &sock)
{
	TRACE(sock.sk);
	return sock_has_perm(*sock.sk, SOCKET__GETATTR);
}

static int selinux_socket_getpeername(socket &sock)
{
	TRACE(sock.sk);
	return sock_has_perm(*sock.sk, SOCKET__GETATTR);
}

static int selinux_socket_setsockopt(socket &sock, int level, int optname)
{
	TRACE(sock.sk);
	if (const int err = sock_has_perm(*sock.sk, SOCKET__SETOPT))
		return err;
	return selinux_netlbl_socket_setsockopt(sock, level, optname);
}

static int selinux_socket_getsockopt(socket &sock, int, int)
{
	TRACE(sock.sk);
	return sock_has_perm(*sock.sk, SOCKET__GETOPT);
}

static int selinux_socket_shutdown(socket &sock, int)
{
	TRACE(sock.sk);
	return sock_has_perm(*sock.sk, SOCKET__SHUTDOWN);
}

// SO_PEERSEC: the context of who is at the other end, with its closing zero.
static int selinux_socket_getpeersec_stream(socket &sock, void *optval, int &optlen)
{
	TRACE(sock.sk);
	const sk_security_struct &sksec = selinux_sock(*sock.sk);
	const u32 peer_sid = sksec.sclass == SECCLASS_TCP_SOCKET ? sksec.peer_sid : SECSID_NULL;

	if (peer_sid == SECSID_NULL)
		return -ENOPROTOOPT;
	const std::string scontext = security_sid_to_context(peer_sid);
	const int length = static_cast<int>(scontext.size()) + 1;
	const int room = std::exchange(optlen, length);
	if (length > room)
		return -ERANGE;
	std::memcpy(optval, scontext.c_str(), static_cast<std::size_t>(length));
	return 0;
}

// --- packets that come in ---

static int selinux_parse_skb_ipv4(sk_buff &skb, common_audit_data &ad, u8 *proto)
{
	TRACE(skb);
	const int offset = skb_network_offset(skb);
	iphdr ih;

	if (skb_copy_bits(skb, offset, &ih, sizeof(ih)))
		return -EINVAL;
	const int ihlen = ih.ihl() * 4;
	if (ihlen < static_cast<int>(sizeof(ih)))
		return -EINVAL;
	ad.net->v4info.saddr = ih.saddr;
	ad.net->v4info.daddr = ih.daddr;
	if (proto)
		*proto = ih.protocol;
	struct {
		be16 source, dest;
	} ports; // of TCP and UDP alike
	if ((ih.protocol != IPPROTO_TCP && ih.protocol != IPPROTO_UDP) || ntohs(ih.frag_off) & IP_OFFSET)
		return 0;
	if (!skb_copy_bits(skb, offset + ihlen, &ports, sizeof(ports))) {
		ad.net->sport = ports.source;
		ad.net->dport = ports.dest;
	}
	return 0;
}

int selinux_parse_skb(sk_buff &skb, common_audit_data &ad, be32 *addrp, bool src, u8 *proto)
{
	TRACE(skb);
	if (ad.net->family != AF_INET)
		return 0;
	if (const int ret = selinux_parse_skb_ipv4(skb, ad, proto))
		return ret;
	if (addrp)
		*addrp = src ? ad.net->v4info.saddr : ad.net->v4info.daddr;
	return 0;
}

int selinux_skb_peerlbl_sid(sk_buff &skb, u16 family, u32 &sid)
{
	TRACE(skb);
	u32 xfrm_sid, nlbl_sid, nlbl_type;

	if (selinux_xfrm_skb_sid(skb, xfrm_sid))
		return -EACCES;
	if (selinux_netlbl_skbuff_getsid(skb, family, nlbl_type, nlbl_sid))
		return -EACCES;
	return security_net_peersid_resolve(nlbl_sid, nlbl_type, xfrm_sid, sid) ? -EACCES : 0;
}

// A connection has its listener's label, and of the peer's the range.
int selinux_conn_sid(u32 sk_sid, u32 skb_sid, u32 &conn_sid)
{
	TRACE();
	if (skb_sid != SECSID_NULL)
		return security_sid_mls_copy(sk_sid, skb_sid, conn_sid);
	conn_sid = sk_sid;
	return 0;
}

int selinux_inet_sys_rcv_skb(net &ns, int ifindex, be32 addr, u16 family, u32 peer_sid, common_audit_data &ad)
{
	TRACE();
	u32 if_sid, node_sid;

	if (const int err = sel_netif_sid(ns, ifindex, if_sid))
		return err;
	if (const int err = avc_has_perm(peer_sid, if_sid, SECCLASS_NETIF, NETIF__INGRESS, &ad))
		return err;
	if (const int err = sel_netnode_sid(addr, family, node_sid))
		return err;
	return avc_has_perm(peer_sid, node_sid, SECCLASS_NODE, NODE__RECVFROM, &ad);
}

// For policies that do not know of network_peer_controls.
static int selinux_sock_rcv_skb_compat(sock &sk, sk_buff &skb, u16 family)
{
	TRACE(sk, skb);
	sk_security_struct &sksec = selinux_sock(sk);
	net_audit ad;
	be32 addr;

	ad.of.netif = skb.skb_iif;
	ad.of.family = family;
	if (const int err = selinux_parse_skb(skb, ad, &addr, true, nullptr))
		return err;
	if (selinux_secmark_enabled())
		if (const int err = avc_has_perm(sksec.sid, skb.secmark, SECCLASS_PACKET, PACKET__RECV, &ad))
			return err;
	if (const int err = selinux_netlbl_sock_rcv_skb(sksec, skb, family, ad))
		return err;
	return selinux_xfrm_sock_rcv_skb(sksec.sid, skb, ad);
}

static int selinux_socket_sock_rcv_skb(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	const u32 sk_sid = selinux_sock(sk).sid;
	u16 family = sk.sk_family;

	if (family != AF_INET && family != AF_INET6)
		return 0;
	if (family == AF_INET6 && skb.protocol == htons(ETH_P_IP))
		family = AF_INET;
	if (!selinux_policycap_netpeer())
		return selinux_sock_rcv_skb_compat(sk, skb, family);
	const bool secmark_active = selinux_secmark_enabled();
	const bool peerlbl_active = selinux_peerlbl_enabled();
	if (!secmark_active && !peerlbl_active)
		return 0;

	net_audit ad;
	be32 addr;
	ad.of.netif = skb.skb_iif;
	ad.of.family = family;
	if (const int err = selinux_parse_skb(skb, ad, &addr, true, nullptr))
		return err;
	if (peerlbl_active) {
		u32 peer_sid;

		if (const int err = selinux_skb_peerlbl_sid(skb, family, peer_sid))
			return err;
		if (const int err =
		            selinux_inet_sys_rcv_skb(sock_net(sk), skb.skb_iif, addr, family, peer_sid, ad))
			return err;
		if (const int err = avc_has_perm(sk_sid, peer_sid, SECCLASS_PEER, PEER__RECV, &ad))
			return err;
	}
	return secmark_active ? avc_has_perm(sk_sid, skb.secmark, SECCLASS_PACKET, PACKET__RECV, &ad) : 0;
}

// --- a socket's life ---

static int selinux_sk_alloc_security(sock &sk, u16, gfp_t)
{
	TRACE(sk);
	sk_security_struct &sksec = selinux_sock(sk);

	sksec.peer_sid = SECINITSID_UNLABELED;
	sksec.sid = SECINITSID_UNLABELED;
	sksec.sclass = SECCLASS_SOCKET;
	selinux_netlbl_sk_security_reset(sksec);
	return 0;
}

static void selinux_sk_free_security(sock &sk)
{
	TRACE(sk);
	selinux_netlbl_sk_security_free(selinux_sock(sk));
}

static void selinux_sk_clone_security(const sock &sk, sock &newsk)
{
	TRACE(sk);
	const sk_security_struct &sksec = selinux_sock(sk);
	sk_security_struct &newsksec = selinux_sock(newsk);

	newsksec.sid = sksec.sid;
	newsksec.peer_sid = sksec.peer_sid;
	newsksec.sclass = sksec.sclass;
	selinux_netlbl_sk_security_reset(newsksec);
}

static void selinux_sk_getsecid(const sock &sk, u32 &secid)
{
	TRACE(sk);
	secid = selinux_sock(sk).sid;
}

static void selinux_sock_graft(sock &sk, socket &parent)
{
	TRACE(sk);
	inode_security_struct &isec = selinux_inode(parent);
	sk_security_struct &sksec = selinux_sock(sk);

	if (sk.sk_family == AF_INET || sk.sk_family == AF_INET6)
		isec.sid = sksec.sid;
	sksec.sclass = isec.sclass;
}

static int selinux_inet_conn_request(const sock &sk, sk_buff &skb, request_sock &req)
{
	TRACE(sk, skb);
	const sk_security_struct &sksec = selinux_sock(sk);
	const u16 family = req.sk_family;
	u32 connsid, peersid;

	if (const int err = selinux_skb_peerlbl_sid(skb, family, peersid))
		return err;
	if (const int err = selinux_conn_sid(sksec.sid, peersid, connsid))
		return err;
	req.secid = connsid;
	req.peer_secid = peersid;
	return selinux_netlbl_inet_conn_request(req, family);
}

static void selinux_inet_csk_clone(sock &newsk, const request_sock &req)
{
	TRACE(newsk);
	sk_security_struct &newsksec = selinux_sock(newsk);

	newsksec.sid = req.secid;
	newsksec.peer_sid = req.peer_secid;
	selinux_netlbl_inet_csk_clone(newsk, req.sk_family);
}

static void selinux_inet_conn_established(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	u16 family = sk.sk_family;

	if (family == AF_INET6 && skb.protocol == htons(ETH_P_IP))
		family = AF_INET;
	// A label that cannot be told leaves none.
	static_cast<void>(selinux_skb_peerlbl_sid(skb, family, selinux_sock(sk).peer_sid));
}

static void selinux_req_classify_flow(const request_sock &req, flowi4 &fl)
{
	TRACE();
	fl.flowi4_secid = req.secid;
}

// --- TUN devices ---

static int selinux_tun_dev_alloc_security(void *&security)
{
	TRACE();
	void *memory = kmalloc_trace(sizeof(tun_security_struct), GFP_KERNEL);

	if (!memory)
		return -ENOMEM;
	security = ::new (memory) tun_security_struct{current_sid()};
	return 0;
}

static void selinux_tun_dev_free_security(void *security)
{
	TRACE();
	kfree(security);
}

static int selinux_tun_dev_create()
{
	TRACE();
	const u32 sid = current_sid();

	return avc_has_perm(sid, sid, SECCLASS_TUN_SOCKET, SOCKET__CREATE, nullptr);
}

static int selinux_tun_dev_attach_queue(void *security)
{
	TRACE();
	const auto &tunsec = *static_cast<const tun_security_struct *>(security);

	return avc_has_perm(current_sid(), tunsec.sid, SECCLASS_TUN_SOCKET, TUN_SOCKET__ATTACH_QUEUE,
	                    nullptr);
}

static int selinux_tun_dev_attach(sock &sk, void *security)
{
	TRACE(sk);
	sk_security_struct &sksec = selinux_sock(sk);

	sksec.sid = static_cast<const tun_security_struct *>(security)->sid;
	sksec.sclass = SECCLASS_TUN_SOCKET;
	return 0;
}

static int selinux_tun_dev_open(void *security)
{
	TRACE();
	auto &tunsec = *static_cast<tun_security_struct *>(security);
	const u32 sid = current_sid();

	if (const int err = avc_has_perm(sid, tunsec.sid, SECCLASS_TUN_SOCKET, SOCKET__RELABELFROM, nullptr))
		return err;
	if (const int err = avc_has_perm(sid, sid, SECCLASS_TUN_SOCKET, SOCKET__RELABELTO, nullptr))
		return err;
	tunsec.sid = sid;
	return 0;
}

// --- boot ---

namespace {

// Room for one more module's part in a blob; the offset of that part.
template <class T> u32 reserve(u32 &bytes)
{
	constexpr u32 align = alignof(T);
	const u32 offset = (bytes + align - 1) / align * align;

	bytes = offset + static_cast<u32>(sizeof(T));
	return offset;
}

} // namespace

// not traced: the kernel's selinux_init runs before ftrace is there
void security_add_hooks_selinux()
{
	security_hook_heads &heads = lsm_hooks();

	blobs->sock = reserve<sk_security_struct>(heads.lbs_sock);
	blobs->inode = reserve<inode_security_struct>(heads.lbs_inode);
	blobs->file = reserve<file_security_struct>(heads.lbs_file);
#define HOOK(name) heads.name.push_back(selinux_##name)
	HOOK(capable);
	HOOK(file_permission);
	HOOK(file_alloc_security);
	HOOK(inode_alloc_security);
	HOOK(inode_free_security);
	HOOK(socket_create);
	HOOK(socket_post_create);
	HOOK(socket_bind);
	HOOK(socket_connect);
	HOOK(socket_listen);
	HOOK(socket_accept);
	HOOK(socket_sendmsg);
	HOOK(socket_recvmsg);
	HOOK(socket_getsockname);
	HOOK(socket_getpeername);
	HOOK(socket_getsockopt);
	HOOK(socket_setsockopt);
	HOOK(socket_shutdown);
	HOOK(socket_sock_rcv_skb);
	HOOK(socket_getpeersec_stream);
	HOOK(sk_alloc_security);
	HOOK(sk_free_security);
	HOOK(sk_clone_security);
	HOOK(sk_getsecid);
	HOOK(sock_graft);
	HOOK(inet_conn_request);
	HOOK(inet_csk_clone);
	HOOK(inet_conn_established);
	HOOK(req_classify_flow);
	HOOK(tun_dev_alloc_security);
	HOOK(tun_dev_free_security);
	HOOK(tun_dev_create);
	HOOK(tun_dev_attach_queue);
	HOOK(tun_dev_attach);
	HOOK(tun_dev_open);
#undef HOOK
	heads.xfrm_decode_session.push_back(selinux_xfrm_decode_session);
}

// not traced: a kernel does not end
void selinux_exit()
{
	avc_flush();
	sel_netif_flush();
	sel_netnode_flush();
	sel_netport_flush();
}

} // namespace skbwalk
