// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_sockglue.c, socket options of level SOL_IP. Flags, bytes and devices are kept in the inet_sock;
// IP_OPTIONS compiles the options that every packet of the socket is to carry. Left out, and answered with
// ENOPROTOOPT: membership in groups, policies, security labels, multicast routing, RFC 4884 extensions.
#include <algorithm>
#include <cstring>

#include "stack/ipv4/inet_connection_sock.h"
#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/netfilter/nf_sockopt.h"
#include "stack/security/capability.h"

namespace skbwalk {

void __ip_sock_set_tos(sock &sk, int val)
{
	TRACE(sk);
	u8 &tos = inet_sk(sk).tos;

	if (sk.sk_type == SOCK_STREAM) // its ECN bits are TCP's
		val = (val & ~INET_ECN_MASK) | (tos & INET_ECN_MASK);
	if (tos != val) {
		tos = static_cast<u8>(val);
		sk.sk_priority = rt_tos2priority(tos);
		sk_dst_reset(sk);
	}
}

void ip_sock_set_tos(sock &sk, int val)
{
	TRACE(sk);
	lock_sock(sk);
	__ip_sock_set_tos(sk, val);
	release_sock(sk);
}

namespace {

// Options that nobody but the protocol may answer.
constexpr int IP_PKTOPTIONS = 9, IP_IPSEC_POLICY = 16, IP_XFRM_POLICY = 17;

// Options that are one bit of cmsg_flags; 0 for others.
u32 cmsg_flag(int optname)
{
	switch (optname) {
	case IP_PKTINFO:
		return IP_CMSG_PKTINFO;
	case IP_RECVTTL:
		return IP_CMSG_TTL;
	case IP_RECVTOS:
		return IP_CMSG_TOS;
	case IP_RECVOPTS:
		return IP_CMSG_RECVOPTS;
	case IP_RETOPTS:
		return IP_CMSG_RETOPTS;
	case IP_RECVORIGDSTADDR:
		return IP_CMSG_ORIGDSTADDR;
	case IP_CHECKSUM:
		return IP_CMSG_CHECKSUM;
	case IP_RECVFRAGSIZE:
		return IP_CMSG_RECVFRAGSIZE;
	}
	return 0;
}

// A number is given as one byte or as an int; nothing is zero.
int number_of(const void *optval, u32 optlen)
{
	int val = 0;

	if (optlen >= sizeof(int)) {
		std::memcpy(&val, optval, sizeof(val));
	} else if (optlen >= 1) {
		u8 byte;

		std::memcpy(&byte, optval, 1);
		val = byte;
	}
	return val;
}

int set_options(sock &sk, const void *optval, u32 optlen)
{
	inet_sock &inet = inet_sk(sk);
	std::shared_ptr<ip_options> opt;

	if (optlen > sizeof(ip_options::data))
		return -EINVAL;
	if (const int err = ip_options_get(sock_net(sk), opt, optval, optlen))
		return err;
	if (inet.is_icsk &&
	    (sk.sk_family == PF_INET || !((1u << sk.sk_state) & (TCPF_LISTEN | TCPF_CLOSE)))) {
		inet_connection_sock &icsk = inet_csk(sk);
		const int before = inet.inet_opt ? inet.inet_opt->optlen : 0;

		icsk.icsk_ext_hdr_len = static_cast<u16>(icsk.icsk_ext_hdr_len - before + opt->optlen);
		icsk.icsk_sync_mss(sk, icsk.icsk_pmtu_cookie);
	}
	inet.inet_opt = std::move(opt);
	return 0;
}

// Zero: any.
int set_unicast_if(sock &sk, int val, u32 optlen)
{
	if (optlen != sizeof(int))
		return -EINVAL;
	const int ifindex = static_cast<int>(ntohl(std::bit_cast<be32>(val)));
	if (ifindex) {
		const net_device *dev = __dev_get_by_index(sock_net(sk), ifindex);

		if (!dev)
			return -EADDRNOTAVAIL;
		const int midx = l3mdev_master_ifindex(*dev);
		if (sk.sk_bound_dev_if && midx != sk.sk_bound_dev_if)
			return -EINVAL;
	}
	inet_sk(sk).uc_index = ifindex;
	return 0;
}

struct ip_mreqn {
	be32 imr_multiaddr;
	be32 imr_address;
	int imr_ifindex;
};
constexpr u32 ip_mreq_size = 8;

int set_multicast_if(sock &sk, const void *optval, u32 optlen)
{
	inet_sock &inet = inet_sk(sk);
	ip_mreqn mreq{};

	if (sk.sk_type == SOCK_STREAM || optlen < sizeof(be32))
		return -EINVAL;
	if (optlen >= ip_mreq_size)
		std::memcpy(&mreq, optval, std::min<std::size_t>(optlen, sizeof(mreq)) & ~std::size_t{3});
	else
		std::memcpy(&mreq.imr_address, optval, sizeof(be32));
	if (!mreq.imr_ifindex && !mreq.imr_address) {
		inet.mc_index = 0;
		inet.mc_addr = be32{};
		return 0;
	}
	const net_device *dev = mreq.imr_ifindex ? __dev_get_by_index(sock_net(sk), mreq.imr_ifindex)
	                                         : __ip_dev_find(sock_net(sk), mreq.imr_address, false);
	if (!dev)
		return -EADDRNOTAVAIL;
	const int midx = l3mdev_master_ifindex(*dev);
	if (sk.sk_bound_dev_if && dev->ifindex != sk.sk_bound_dev_if && midx != sk.sk_bound_dev_if)
		return -EINVAL;
	inet.mc_index = dev->ifindex;
	inet.mc_addr = mreq.imr_address;
	return 0;
}

// One number, with the socket locked.
int set_number(sock &sk, int optname, int val, u32 optlen)
{
	inet_sock &inet = inet_sk(sk);
	const bool given = optlen >= 1, on = val != 0;

	switch (optname) {
	case IP_TOS:
		__ip_sock_set_tos(sk, val);
		return 0;
	case IP_TTL:
		if (!given || (val != -1 && (val < 1 || val > 255)))
			return -EINVAL;
		inet.uc_ttl = static_cast<s16>(val);
		return 0;
	case IP_HDRINCL:
		if (sk.sk_type != SOCK_RAW)
			return -ENOPROTOOPT;
		inet.hdrincl = on;
		return 0;
	case IP_NODEFRAG:
		if (sk.sk_type != SOCK_RAW)
			return -ENOPROTOOPT;
		inet.nodefrag = on;
		return 0;
	case IP_BIND_ADDRESS_NO_PORT:
		inet.bind_address_no_port = on;
		return 0;
	case IP_MTU_DISCOVER:
		if (val < IP_PMTUDISC_DONT || val > IP_PMTUDISC_OMIT)
			return -EINVAL;
		inet.pmtudisc = static_cast<u8>(val);
		return 0;
	case IP_RECVERR:
		inet.recverr = on;
		if (!on)
			skb_queue_purge(sk.sk_error_queue);
		return 0;
	case IP_MULTICAST_TTL:
		if (sk.sk_type == SOCK_STREAM || !given)
			return -EINVAL;
		if (val == -1)
			val = 1;
		if (val < 0 || val > 255)
			return -EINVAL;
		inet.mc_ttl = static_cast<u8>(val);
		return 0;
	case IP_MULTICAST_LOOP:
		if (!given)
			return -EINVAL;
		inet.mc_loop = on;
		return 0;
	case IP_MULTICAST_ALL:
		if (!given || (val != 0 && val != 1))
			return -EINVAL;
		inet.mc_all = on;
		return 0;
	case IP_FREEBIND:
		if (!given)
			return -EINVAL;
		inet.freebind = on;
		return 0;
	case IP_TRANSPARENT:
		if (on && !sockopt_ns_capable(init_user_ns, CAP_NET_RAW) &&
		    !sockopt_ns_capable(init_user_ns, CAP_NET_ADMIN))
			return -EPERM;
		if (!given)
			return -EINVAL;
		inet.transparent = on;
		return 0;
	case IP_MINTTL:
		if (!given || val < 0 || val > 255)
			return -EINVAL;
		inet.min_ttl = static_cast<u8>(val);
		return 0;
	case IP_UNICAST_IF:
		return set_unicast_if(sk, val, optlen);
	}
	return -ENOPROTOOPT;
}

int set_cmsg_flag(sock &sk, int optname, bool on)
{
	inet_sock &inet = inet_sk(sk);
	const u32 flag = cmsg_flag(optname);

	if (flag == IP_CMSG_RECVFRAGSIZE && sk.sk_type != SOCK_RAW && sk.sk_type != SOCK_DGRAM)
		return -EINVAL;
	if (flag == IP_CMSG_CHECKSUM && on != ((inet.cmsg_flags & flag) != 0))
		inet.convert_csum = static_cast<u8>(inet.convert_csum + (on ? 1 : -1));
	inet.cmsg_flags = on ? inet.cmsg_flags | flag : inet.cmsg_flags & ~flag;
	return 0;
}

} // namespace

int do_ip_setsockopt(sock &sk, int, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	const int val = number_of(optval, optlen);
	int err;

	if (optname == IP_ROUTER_ALERT)
		return ip_ra_control(sk, val != 0, nullptr);
	sockopt_lock_sock(sk);
	if (optname == IP_OPTIONS)
		err = set_options(sk, optval, optlen);
	else if (optname == IP_MULTICAST_IF)
		err = set_multicast_if(sk, optval, optlen);
	else if (cmsg_flag(optname))
		err = set_cmsg_flag(sk, optname, val != 0);
	else
		err = set_number(sk, optname, val, optlen);
	sockopt_release_sock(sk);
	return err;
}

int ip_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	if (level != SOL_IP)
		return -ENOPROTOOPT;
	const int err = do_ip_setsockopt(sk, level, optname, optval, optlen);

	if (err == -ENOPROTOOPT && optname != IP_HDRINCL && optname != IP_IPSEC_POLICY &&
	    optname != IP_XFRM_POLICY)
		return nf_setsockopt(sk, PF_INET, optname, optval, optlen);
	return err;
}

namespace {

// What the next hop of a connected socket takes; 0 when it is not connected.
int mtu_of(sock &sk)
{
	dst_entry *dst = sk_dst_get(sk);

	if (!dst)
		return 0;
	const u32 mtu = dst_mtu(*dst);
	dst_release(dst);
	return static_cast<int>(mtu);
}

int get_number(sock &sk, int optname, int &val)
{
	const inet_sock &inet = inet_sk(sk);

	switch (optname) {
	case IP_TOS:
		val = inet.tos;
		return 0;
	case IP_TTL:
		val = inet.uc_ttl == -1 ? sock_net(sk).ipv4.sysctl_ip_default_ttl : inet.uc_ttl;
		return 0;
	case IP_HDRINCL:
		val = inet.hdrincl;
		return 0;
	case IP_NODEFRAG:
		val = inet.nodefrag;
		return 0;
	case IP_BIND_ADDRESS_NO_PORT:
		val = inet.bind_address_no_port;
		return 0;
	case IP_MTU_DISCOVER:
		val = inet.pmtudisc;
		return 0;
	case IP_MTU:
		val = mtu_of(sk);
		return val ? 0 : -ENOTCONN;
	case IP_RECVERR:
		val = inet.recverr;
		return 0;
	case IP_MULTICAST_TTL:
		val = inet.mc_ttl;
		return 0;
	case IP_MULTICAST_LOOP:
		val = inet.mc_loop;
		return 0;
	case IP_MULTICAST_ALL:
		val = inet.mc_all;
		return 0;
	case IP_UNICAST_IF:
		val = std::bit_cast<int>(htonl(static_cast<u32>(inet.uc_index)));
		return 0;
	case IP_FREEBIND:
		val = inet.freebind;
		return 0;
	case IP_TRANSPARENT:
		val = inet.transparent;
		return 0;
	case IP_MINTTL:
		val = inet.min_ttl;
		return 0;
	case IP_PROTOCOL:
		val = inet.inet_num;
		return 0;
	}
	if (!cmsg_flag(optname))
		return -ENOPROTOOPT;
	val = (inet.cmsg_flags & cmsg_flag(optname)) != 0;
	return 0;
}

int give(const void *from, int size, void *optval, int &optlen)
{
	optlen = std::min(optlen, size);
	std::memcpy(optval, from, static_cast<std::size_t>(optlen));
	return 0;
}

} // namespace

int do_ip_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	if (level != SOL_IP)
		return -EOPNOTSUPP;
	if (optlen < 0)
		return -EINVAL;
	sockopt_lock_sock(sk);
	if (optname == IP_OPTIONS) {
		ip_options opt = inet_sk(sk).inet_opt ? *inet_sk(sk).inet_opt : ip_options{};

		sockopt_release_sock(sk);
		if (opt.optlen)
			ip_options_undo(opt);
		return give(opt.data, opt.optlen, optval, optlen);
	}
	if (optname == IP_MULTICAST_IF) {
		const be32 addr = inet_sk(sk).mc_addr;

		sockopt_release_sock(sk);
		return give(&addr, sizeof(addr), optval, optlen);
	}
	int val = 0;
	const int err = get_number(sk, optname, val);
	sockopt_release_sock(sk);
	if (err)
		return err;
	if (optlen < static_cast<int>(sizeof(val)) && optlen > 0 && val >= 0 && val <= 255) {
		const u8 byte = static_cast<u8>(val);

		return give(&byte, 1, optval, optlen);
	}
	return give(&val, sizeof(val), optval, optlen);
}

int ip_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	const int err = do_ip_getsockopt(sk, level, optname, optval, optlen);

	if (err == -ENOPROTOOPT && optname != IP_PKTOPTIONS)
		return nf_getsockopt(sk, PF_INET, optname, optval, optlen);
	return err;
}

} // namespace skbwalk
