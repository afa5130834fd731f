// SPDX-License-Identifier: GPL-2.0-only
//
// TCP of AF_INET6 sockets over IPv4 (net/ipv6/tcp_ipv6.c). A listener's operations hand an IPv4 segment to
// tcp_ipv4's and make the child a mapped one (ipv6_mapped); connect to an IPv4-mapped address turns the
// socket into one. Left out: TCP over IPv6.

#include "stack/core/addrconf_core.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/tcp_md5.h"
#include "stack/ipv6/ipv6.h"

namespace skbwalk {

// Keys for IPv6 peers cannot be set, so that none is found.
static tcp_md5sig_key *tcp_v6_md5_lookup(const sock &sk, const sock &)
{
	TRACE(sk);
	return nullptr;
}

// An IPv4-mapped address stands for the IPv4 peer.
static int tcp_v6_parse_md5_keys(sock &sk, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	tcp_md5sig cmd;

	if (optlen < sizeof(cmd))
		return -EINVAL;
	std::memcpy(&cmd, optval, sizeof(cmd));
	const auto &sin6 = cmd.tcpm_addr.as<sockaddr_in6>();
	if (sin6.sin6_family != AF_INET6)
		return -EINVAL;
	u8 flags = cmd.tcpm_flags & TCP_MD5SIG_FLAG_IFINDEX, prefixlen = 32;
	// Unlike the kernel, no key for an IPv6 peer is taken: none can speak.
	if (!ipv6_addr_v4mapped(sin6.sin6_addr) || flags)
		return -EINVAL;
	if (optname == TCP_MD5SIG_EXT && cmd.tcpm_flags & TCP_MD5SIG_FLAG_PREFIX) {
		prefixlen = cmd.tcpm_prefixlen;
		if (prefixlen > 32)
			return -EINVAL;
	}
	const tcp_md5_addr addr{ipv6_addr_v4(sin6.sin6_addr)};
	if (!cmd.tcpm_keylen)
		return tcp_md5_do_del(sk, addr, AF_INET, prefixlen, 0, flags);
	if (cmd.tcpm_keylen > TCP_MD5SIG_MAXKEYLEN)
		return -EINVAL;
	return tcp_md5_do_add(sk, addr, AF_INET, prefixlen, 0, flags, cmd.tcpm_key,
	                      static_cast<u8>(cmd.tcpm_keylen), GFP_KERNEL);
}

namespace {

const tcp_sock_af_ops tcp_sock_ipv6_specific = {tcp_v6_md5_lookup, tcp_v4_md5_hash_skb,
                                                tcp_v6_parse_md5_keys};
const tcp_sock_af_ops tcp_sock_ipv6_mapped_specific = {tcp_v4_md5_lookup, tcp_v4_md5_hash_skb,
                                                       tcp_v6_parse_md5_keys};

} // namespace

int tcp_v6_connect(sock &sk, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(sk);
	sockaddr_in6 usin = uaddr.as<sockaddr_in6>();
	tcp_sock &tp = tcp_sk(sk);

	if (addr_len < static_cast<int>(sizeof(sockaddr_in6)) - 4)
		return -EINVAL;
	if (usin.sin6_family != AF_INET6)
		return -EAFNOSUPPORT;
	if (ipv6_addr_any(usin.sin6_addr) && ipv6_addr_v4mapped(sk.sk_v6_rcv_saddr))
		usin.sin6_addr = ipv6_addr_set_v4mapped(htonl(INADDR_LOOPBACK));
	const int type = ipv6_addr_type(usin.sin6_addr);
	if (!(type & IPV6_ADDR_MAPPED) || sk.skc_ipv6only)
		return -ENETUNREACH;
	if (tp.rx_opt.ts_recent_stamp && !(sk.sk_v6_daddr == usin.sin6_addr)) {
		tp.rx_opt.ts_recent = 0;
		tp.rx_opt.ts_recent_stamp = 0;
		tp.write_seq = seq32(0);
	}
	sk.sk_v6_daddr = usin.sin6_addr;

	const u16 exthdrlen = tp.icsk_ext_hdr_len;
	sockaddr_storage v4;
	v4.as<sockaddr_in>() = {.sin_port = usin.sin6_port, .sin_addr = ipv6_addr_v4(usin.sin6_addr)};
	tp.icsk_af_ops = &ipv6_mapped;
	tp.af_specific = &tcp_sock_ipv6_mapped_specific;
	sk.sk_backlog_rcv = tcp_v4_do_rcv;
	const int err = tcp_v4_connect(sk, v4, sizeof(sockaddr_in));
	if (err) {
		tp.icsk_ext_hdr_len = exthdrlen;
		tp.icsk_af_ops = &ipv6_specific;
		tp.af_specific = &tcp_sock_ipv6_specific;
		sk.sk_backlog_rcv = tcp_v6_do_rcv;
		return err;
	}
	sk.sk_v6_rcv_saddr = ipv6_addr_set_v4mapped(sk.sk_rcv_saddr);
	return 0;
}

static int tcp_v6_conn_request(sock &sk, skb_ptr &skb)
{
	TRACE(sk, skb);
	assert(skb->protocol == htons(ETH_P_IP)); // nothing else is received
	return tcp_v4_conn_request(sk, skb);
}

namespace {

void map_child(sock &newsk)
{
	tcp_sock &newtp = tcp_sk(newsk);

	newtp.pinet6 = true;
	newsk.sk_v6_daddr = ipv6_addr_set_v4mapped(newsk.sk_daddr);
	newsk.sk_v6_rcv_saddr = ipv6_addr_set_v4mapped(newsk.sk_rcv_saddr);
	newtp.icsk_af_ops = &ipv6_mapped;
	newsk.sk_backlog_rcv = tcp_v4_do_rcv;
	newtp.af_specific = &tcp_sock_ipv6_mapped_specific;
}

} // namespace

static void tcp_v6_mapped_child_init(sock &newsk, const sock &)
{
	TRACE(newsk);
	map_child(newsk);
}

static sock *tcp_v6_syn_recv_sock(const sock &sk, sk_buff &skb, request_sock &req, dst_entry *dst,
                                  request_sock *req_unhash, bool &own_req, child_init_fn)
{
	TRACE(sk, skb);
	assert(skb.protocol == htons(ETH_P_IP));
	if (!current.host->features.mapped_child_late)
		return tcp_v4_syn_recv_sock(sk, skb, req, dst, req_unhash, own_req, tcp_v6_mapped_child_init);

	sock *newsk = tcp_v4_syn_recv_sock(sk, skb, req, dst, req_unhash, own_req, nullptr);

	if (!newsk)
		return nullptr;
	map_child(*newsk);
	// What was charged for IPv6's header so far.
	tcp_sync_mss(*newsk, inet_csk(*newsk).icsk_pmtu_cookie);
	return newsk;
}

int tcp_v6_do_rcv(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	assert(skb->protocol == htons(ETH_P_IP));
	return tcp_v4_do_rcv(sk, std::move(skb));
}

static int tcp_v6_init_sock(sock &sk)
{
	TRACE(sk);
	tcp_init_sock(sk);
	inet_csk(sk).icsk_af_ops = &ipv6_specific;
	tcp_sk(sk).af_specific = &tcp_sock_ipv6_specific;
	return 0;
}

static int inet6_hash(sock &sk)
{
	TRACE(sk);
	return sk.sk_state == TCP_CLOSE ? 0 : __inet_hash(sk, nullptr);
}

// Before a connection is mapped nothing can be sent; the functions of IPv4 stand where only a mapped socket
// gets.
const inet_connection_sock_af_ops ipv6_specific = {
	.queue_xmit = ip_queue_xmit,
	.send_check = tcp_v4_send_check,
	.rebuild_header = inet_sk_rebuild_header,
	.sk_rx_dst_set = inet_sk_rx_dst_set,
	.conn_request = tcp_v6_conn_request,
	.syn_recv_sock = tcp_v6_syn_recv_sock,
	.net_header_len = 40,
	.sockaddr_len = sizeof(sockaddr_in6),
	.setsockopt = ipv6_setsockopt,
	.getsockopt = ipv6_getsockopt,
	.addr2sockaddr = inet6_csk_addr2sockaddr,
	.mtu_reduced = tcp_v4_mtu_reduced,
};

const inet_connection_sock_af_ops ipv6_mapped = {
	.queue_xmit = ip_queue_xmit,
	.send_check = tcp_v4_send_check,
	.rebuild_header = inet_sk_rebuild_header,
	.sk_rx_dst_set = inet_sk_rx_dst_set,
	.conn_request = tcp_v6_conn_request,
	.syn_recv_sock = tcp_v6_syn_recv_sock,
	.net_header_len = sizeof(iphdr),
	.sockaddr_len = sizeof(sockaddr_in6),
	.setsockopt = ipv6_setsockopt,
	.getsockopt = ipv6_getsockopt,
	.addr2sockaddr = inet6_csk_addr2sockaddr,
	.mtu_reduced = tcp_v4_mtu_reduced,
};

namespace {

// All that is not of the family is IPv4's.
proto of_ipv4()
{
	proto p = tcp_prot;
	p.name = "TCPv6";
	p.connect = tcp_v6_connect;
	p.init = tcp_v6_init_sock;
	p.backlog_rcv = tcp_v6_do_rcv;
	p.hash = inet6_hash;
	return p;
}

} // namespace

proto tcpv6_prot = of_ipv4();

} // namespace skbwalk
