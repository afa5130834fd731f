// SPDX-License-Identifier: GPL-2.0-only
//
// The AF_INET6 family (net/ipv6/af_inet6.c, ipv6_sockglue.c) for stream sockets: making them, binding them to
// any address or to an IPv4-mapped one, telling their addresses in IPv6's form. Left out: IPv6 itself.

#include "stack/ipv6/ipv6.h"

#include "stack/core/addrconf_core.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/udp.h"
#include "stack/netfilter/nf_sockopt.h"
#include "stack/security/capability.h"

namespace skbwalk {

bool ipv6_addr_v4mapped(const in6_addr &a)
{
	TRACE_INLINE();
	static constexpr u8 prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return !std::memcmp(a.s6_addr, prefix, sizeof(prefix));
}

in6_addr ipv6_addr_set_v4mapped(be32 addr)
{
	TRACE_INLINE();
	in6_addr a{};
	a.s6_addr[10] = a.s6_addr[11] = 0xff;
	std::memcpy(a.s6_addr + 12, &addr, sizeof(addr));
	return a;
}

// not traced: an accessor
be32 ipv6_addr_v4(const in6_addr &a)
{
	be32 v4;
	std::memcpy(&v4, a.s6_addr + 12, sizeof(v4));
	return v4;
}

static void inet6_sock_destruct(sock &sk)
{
	TRACE(sk);
	inet_sock_destruct(sk);
}

static int inet6_create(net &net, socket &parent, int protocol, bool kern)
{
	TRACE();
	if (protocol < 0 || protocol >= 256)
		return -EINVAL;
	if (parent.type != SOCK_STREAM)
		return -ESOCKTNOSUPPORT;
	if (protocol && protocol != IPPROTO_TCP)
		return -EPROTONOSUPPORT;
	parent.ops = &inet6_stream_ops;
	sock *made = sk_alloc(net, PF_INET6, GFP_KERNEL, tcpv6_prot, kern);
	if (!made)
		return -ENOBUFS;
	sock &sk = *made;
	inet_sock &inet = inet_sk(sk);

	sock_init_data(&parent, sk);
	inet.is_icsk = 1;
	inet.pinet6 = true;
	sk.sk_destruct = inet6_sock_destruct;
	sk.sk_family = PF_INET6;
	sk.sk_protocol = IPPROTO_TCP;
	sk.sk_backlog_rcv = sk.sk_prot->backlog_rcv;
	sk.sk_txrehash = static_cast<u8>(net.core.sysctl_txrehash);
	inet.pmtudisc =
		static_cast<u8>(net.ipv4.sysctl_ip_no_pmtu_disc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT);
	const int err = sk.sk_prot->init(sk);
	if (err) {
		sk_common_release(sk);
		parent.sk = nullptr;
	}
	return err;
}

static int __inet6_bind(sock &sk, sockaddr_storage &uaddr, int)
{
	TRACE(sk);
	const sockaddr_in6 addr = uaddr.as<sockaddr_in6>();
	inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);
	be32 v4addr{};

	if (addr.sin6_family != AF_INET6)
		return -EAFNOSUPPORT;
	const int type = ipv6_addr_type(addr.sin6_addr);
	if ((type & IPV6_ADDR_MULTICAST) && sk.sk_type == SOCK_STREAM)
		return -EINVAL;
	const u16 snum = ntohs(addr.sin6_port);
	if (snum && snum < net.ipv4.sysctl_ip_prot_sock && !ns_capable(init_user_ns, CAP_NET_BIND_SERVICE))
		return -EACCES;
	const auto bind = [&] {
		if (sk.sk_state != TCP_CLOSE || inet.inet_num)
			return -EINVAL;
		if (type == IPV6_ADDR_MAPPED) {
			if (sk.skc_ipv6only)
				return -EINVAL;
			v4addr = ipv6_addr_v4(addr.sin6_addr);
			const u32 kind = inet_addr_type_dev_table(net, nullptr, v4addr);
			if (!inet_can_nonlocal_bind(net, inet) && v4addr && kind != RTN_LOCAL &&
			    kind != RTN_MULTICAST && kind != RTN_BROADCAST)
				return -EADDRNOTAVAIL;
		} else if (type != IPV6_ADDR_ANY) {
			return -EADDRNOTAVAIL; // no device has an IPv6 address
		}
		inet.inet_rcv_saddr = inet.inet_saddr = v4addr;
		sk.sk_v6_rcv_saddr = addr.sin6_addr;
		if (snum || !inet.bind_address_no_port) {
			if (const int err = sk.sk_prot->get_port(sk, snum)) {
				inet.inet_rcv_saddr = inet.inet_saddr = be32{};
				sk.sk_v6_rcv_saddr = {};
				return err;
			}
		}
		if (type != IPV6_ADDR_ANY)
			sk.sk_userlocks |= SOCK_BINDADDR_LOCK;
		if (snum)
			sk.sk_userlocks |= SOCK_BINDPORT_LOCK;
		inet.inet_sport = htons(inet.inet_num);
		inet.inet_dport = be16{};
		inet.inet_daddr = be32{};
		return 0;
	};

	lock_sock(sk);
	const int err = bind();
	release_sock(sk);
	return err;
}

int inet6_bind(socket &parent, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(parent.sk);
	if (addr_len < static_cast<int>(sizeof(sockaddr_in6)) - 4) // without scope id, as RFC 2133 had it
		return -EINVAL;
	return __inet6_bind(*parent.sk, uaddr, addr_len);
}

int inet6_release(socket &parent)
{
	TRACE(parent.sk);
	return parent.sk ? inet_release(parent) : -EINVAL;
}

int inet6_getname(socket &parent, sockaddr_storage &uaddr, int peer)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;
	const inet_sock &inet = inet_sk(sk);
	sockaddr_in6 &sin6 = uaddr.as<sockaddr_in6>();
	int ret = sizeof(sockaddr_in6);

	sin6 = {};
	lock_sock(sk);
	if (peer) {
		if (!inet.inet_dport || (((1u << sk.sk_state) & (TCPF_CLOSE | TCPF_SYN_SENT)) && peer == 1)) {
			ret = -ENOTCONN;
		} else {
			sin6.sin6_port = inet.inet_dport;
			sin6.sin6_addr = sk.sk_v6_daddr;
		}
	} else {
		sin6.sin6_port = inet.inet_sport;
		sin6.sin6_addr = sk.sk_v6_rcv_saddr;
	}
	if (ret >= 0)
		sin6.sin6_scope_id = ipv6_iface_scope_id(sin6.sin6_addr, sk.sk_bound_dev_if);
	release_sock(sk);
	return ret;
}

void inet6_csk_addr2sockaddr(sock &sk, sockaddr_storage &uaddr)
{
	TRACE(sk);
	sockaddr_in6 &sin6 = uaddr.as<sockaddr_in6>();

	sin6 = {};
	sin6.sin6_addr = sk.sk_v6_daddr;
	sin6.sin6_port = inet_sk(sk).inet_dport;
}

// Unlike the kernel, IPV6_V6ONLY is the only option of its own level.
static int do_ipv6_setsockopt(sock &sk, int, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	int retv = -ENOPROTOOPT;
	int val = 0;

	if (optlen >= sizeof(val))
		std::memcpy(&val, optval, sizeof(val));
	sockopt_lock_sock(sk);
	if (optname == IPV6_V6ONLY) {
		if (optlen < sizeof(int) || inet_sk(sk).inet_num) {
			retv = -EINVAL;
		} else {
			sk.skc_ipv6only = val != 0;
			retv = 0;
		}
	}
	sockopt_release_sock(sk);
	return retv;
}

int ipv6_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	if (level == SOL_IP && sk.sk_type != SOCK_RAW)
		return udp_prot.setsockopt(sk, level, optname, optval, optlen);
	if (level != SOL_IPV6)
		return -ENOPROTOOPT;
	const int err = do_ipv6_setsockopt(sk, level, optname, optval, optlen);

	return err == -ENOPROTOOPT ? nf_setsockopt(sk, PF_INET6, optname, optval, optlen) : err;
}

static int do_ipv6_getsockopt(const sock &sk, int, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	if (optname != IPV6_V6ONLY)
		return -ENOPROTOOPT;
	if (optlen < static_cast<int>(sizeof(int)))
		return -EINVAL;
	const int val = sk.skc_ipv6only;
	std::memcpy(optval, &val, sizeof(val));
	optlen = sizeof(val);
	return 0;
}

int ipv6_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	if (level == SOL_IP && sk.sk_type != SOCK_RAW)
		return udp_prot.getsockopt(sk, level, optname, optval, optlen);
	if (level != SOL_IPV6)
		return -ENOPROTOOPT;
	const int err = do_ipv6_getsockopt(sk, level, optname, optval, optlen);

	return err == -ENOPROTOOPT ? nf_getsockopt(sk, PF_INET6, optname, optval, optlen) : err;
}

static int inet6_sendmsg(socket &parent, msghdr &msg, std::size_t size)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;

	if (inet_send_prepare(sk))
		return -EAGAIN;
	return sk.sk_prot->sendmsg(sk, msg, size);
}

static int inet6_recvmsg(socket &parent, msghdr &msg, std::size_t size, int flags)
{
	TRACE(parent.sk);
	int addr_len = 0;
	const int err = parent.sk->sk_prot->recvmsg(*parent.sk, msg, size, flags, addr_len);

	if (err >= 0)
		msg.msg_namelen = addr_len;
	return err;
}

const proto_ops inet6_stream_ops = {
	.family = PF_INET6,
	.release = inet6_release,
	.bind = inet6_bind,
	.connect = inet_stream_connect,
	.accept = inet_accept,
	.getname = inet6_getname,
	.poll = tcp_poll,
	.ioctl = inet_ioctl,
	.listen = inet_listen,
	.shutdown = inet_shutdown,
	.setsockopt = sock_common_setsockopt,
	.getsockopt = sock_common_getsockopt,
	.sendmsg = inet6_sendmsg,
	.recvmsg = inet6_recvmsg,
	.set_rcvlowat = tcp_set_rcvlowat,
};

namespace {

const net_proto_family inet6_family_ops = {PF_INET6, inet6_create};

} // namespace

namespace {
struct inet6_module {
	bool loaded = false;
};
perhost<inet6_module> module_of_host;
} // namespace

bool ipv6_mod_enabled()
{
	TRACE();
	return module_of_host->loaded;
}

void inet6_init()
{
	TRACE();
	module_of_host->loaded = true;
	static_cast<void>(proto_register(tcpv6_prot, true));
	// Unlike the kernel, each protocol has its own account of memory; the limits are the same.
	proto_of(tcpv6_prot).sysctl_mem = proto_of(tcp_prot).sysctl_mem;
	static_cast<void>(sock_register(inet6_family_ops));
}

} // namespace skbwalk
