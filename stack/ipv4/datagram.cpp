// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/datagram.c: what UDP, raw and ping sockets share. connect() looks the route up, keeps it, and
// fixes peer and local address; a route that went stale while a task owned the socket is looked up again when
// it lets go.
#include "stack/core/sock_reuseport.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

int __ip4_datagram_connect(sock &sk, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);
	const auto &usin = uaddr.as<sockaddr_in>();
	net &net = sock_net(sk);

	if (addr_len < static_cast<int>(sizeof(sockaddr_in)))
		return -EINVAL;
	if (usin.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	sk_dst_reset(sk);

	int oif = sk.sk_bound_dev_if;
	be32 saddr = inet.inet_saddr;
	if (ipv4_is_multicast(usin.sin_addr)) {
		if (!oif || netif_index_is_l3_master(net, oif))
			oif = inet.mc_index;
		if (!saddr)
			saddr = inet.mc_addr;
	} else if (!oif) {
		oif = inet.uc_index;
	}
	flowi4 &fl4 = inet.cork.fl;
	const rt_or_err route = ip_route_connect(fl4, usin.sin_addr, saddr, oif, sk.sk_protocol,
	                                         inet.inet_sport, usin.sin_port, sk);
	if (!route.rt) {
		if (route.err == -ENETUNREACH)
			IP_INC_STATS(net, IPSTATS_MIB_OUTNOROUTES);
		return route.err;
	}
	if ((route.rt->rt_flags & RTCF_BROADCAST) && !sock_flag(sk, SOCK_BROADCAST)) {
		ip_rt_put(*route.rt);
		return -EACCES;
	}
	if (!inet.inet_saddr)
		inet.inet_saddr = fl4.saddr;
	if (!inet.inet_rcv_saddr) {
		inet.inet_rcv_saddr = fl4.saddr;
		if (sk.sk_prot->rehash)
			sk.sk_prot->rehash(sk);
	}
	inet.inet_daddr = fl4.daddr;
	inet.inet_dport = usin.sin_port;
	reuseport_has_conns_set(sk);
	sk.sk_state = TCP_ESTABLISHED;
	sk_set_txhash(sk);
	inet.inet_id = get_random_u16();
	sk_dst_set(sk, route.rt);
	return 0;
}

int ip4_datagram_connect(sock &sk, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(sk);
	lock_sock(sk);
	const int res = __ip4_datagram_connect(sk, uaddr, addr_len);
	release_sock(sk);
	return res;
}

void ip4_datagram_release_cb(sock &sk)
{
	TRACE(sk);
	const inet_sock &inet = inet_sk(sk);
	dst_entry *dst = __sk_dst_get(sk);

	if (!dst || !dst->obsolete || dst->ops->check(*dst, 0))
		return;
	const be32 daddr = inet.inet_opt && inet.inet_opt->srr ? inet.inet_opt->faddr : inet.inet_daddr;
	flowi4 fl4;
	const rt_or_err route =
		ip_route_output_ports(sock_net(sk), fl4, &sk, daddr, inet.inet_saddr, inet.inet_dport,
	                              inet.inet_sport, sk.sk_protocol, RT_CONN_FLAGS(sk), sk.sk_bound_dev_if);

	// Senders change the route without the socket's lock, hence no __sk_dst_set().
	sk_dst_set(sk, route.rt);
}

} // namespace skbwalk
