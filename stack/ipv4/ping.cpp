// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ping.c: sockets that send ICMP echo requests and get the replies that carry their identifier. The
// caller gives type and sequence number; identifier and checksum are filled in here. ping_rcv comes from
// icmp_rcv for a reply, ping_err for an error about a request. A task may have such a socket when its group
// is in net.ipv4.ping_group_range.
#include "stack/ipv4/ping.h"

#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/kernel/rculist.h"

namespace skbwalk {

namespace {

constexpr u32 current_egid = 0; // tasks are root

// What is being sent: the header, and the sum of the data as it is copied.
struct pingfakehdr {
	icmphdr icmph{};
	msghdr *msg = nullptr;
	__wsum wcheck = 0;
};

auto &ping_hashslot(ping_table_t &table, const net &net, u32 num)
{
	return table.hash[(num + net_hash_mix(net)) & PING_HTABLE_MASK];
}

} // namespace

perhost<ping_table_t> ping_table;

// --- identifiers ---

// not traced: a part of its caller, as in the kernel
static bool ident_in_use(const net &net, u16 ident, const sock *asking)
{
	for (const ping_sock &sk2 : ping_hashslot(*ping_table, net, ident)) {
		if (!net_eq(sock_net(sk2), net) || sk2.inet_num != ident)
			continue;
		if (!asking || (&sk2 != asking && (!sk2.sk_reuse || !asking->sk_reuse)))
			return true;
	}
	return false;
}

int ping_get_port(sock &sk, u16 ident)
{
	TRACE(sk);
	ping_table_t &table = *ping_table;
	net &net = sock_net(sk);
	int err = 0;

	spin_lock(table.lock);
	if (!ident) {
		u16 result = static_cast<u16>(table.ping_port_rover + 1);
		u32 i = 0;

		for (; i < (1u << 16); ++i, ++result) {
			if (!result)
				++result;
			if (!ident_in_use(net, result, nullptr)) {
				table.ping_port_rover = ident = result;
				break;
			}
		}
		if (i == (1u << 16))
			err = -EADDRINUSE;
	} else if (ident_in_use(net, ident, &sk)) {
		err = -EADDRINUSE;
	}
	if (!err) {
		sk.sk_num = ident;
		if (!ping_sk(sk).ping_node.is_linked()) {
			sock_hold(sk);
			ping_hashslot(table, net, ident).push_front(ping_sk(sk));
			sock_set_flag(sk, SOCK_RCU_FREE);
			sock_prot_inuse_add(net, *sk.sk_prot, 1);
		}
	}
	spin_unlock(table.lock);
	return err;
}

static int ping_hash(sock &)
{
	TRACE();
	assert(false && "a ping socket is hashed when it gets its identifier");
	return 0;
}

void ping_unhash(sock &sk)
{
	TRACE(sk);
	ping_table_t &table = *ping_table;

	spin_lock(table.lock);
	if (ping_sk(sk).ping_node.is_linked()) {
		auto &slot = ping_hashslot(table, sock_net(sk), sk.sk_num);

		slot.erase(slot.iterator_to(ping_sk(sk)));
		__sock_put(sk);
		sk.sk_num = 0;
		inet_sk(sk).inet_sport = be16{};
		sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, -1);
	}
	spin_unlock(table.lock);
}

static sock *ping_lookup(net &net, sk_buff &skb, u16 ident)
{
	TRACE(skb);
	if (skb.protocol != htons(ETH_P_IP))
		return nullptr;
	const int dif = inet_iif(skb);
	const int sdif = inet_sdif(skb);

	for (ping_sock &sk : rcu_view(ping_hashslot(*ping_table, net, ident))) {
		if (!net_eq(sock_net(sk), net) || sk.inet_num != ident || sk.sk_family != AF_INET)
			continue;
		if (sk.inet_rcv_saddr && sk.inet_rcv_saddr != ip_hdr(skb).daddr)
			continue;
		if (sk.sk_bound_dev_if && sk.sk_bound_dev_if != dif && sk.sk_bound_dev_if != sdif)
			continue;
		return &sk;
	}
	return nullptr;
}

// --- a socket's life ---

static int ping_init_sock(sock &sk)
{
	TRACE(sk);
	const auto &range = sock_net(sk).ipv4.ping_group_range;

	return range[0] <= current_egid && current_egid <= range[1] ? 0 : -EACCES;
}

static void ping_close(sock &sk, long)
{
	TRACE(sk);
	sk_common_release(sk);
}

static int ping_pre_connect(sock &, sockaddr_storage &, int addr_len)
{
	TRACE();
	return addr_len < static_cast<int>(sizeof(sockaddr_in)) ? -EINVAL : 0;
}

static int ping_check_bind_addr(sock &sk, const sockaddr_storage &uaddr, int addr_len)
{
	TRACE(sk);
	net &net = sock_net(sk);
	const auto &addr = uaddr.as<sockaddr_in>();

	if (addr_len < static_cast<int>(sizeof(sockaddr_in)))
		return -EINVAL;
	if (addr.sin_family != AF_INET && !(addr.sin_family == AF_UNSPEC && !addr.sin_addr))
		return -EAFNOSUPPORT;
	if (!addr.sin_addr)
		return 0;
	const u32 kind = inet_addr_type_table(net, addr.sin_addr, RT_TABLE_LOCAL);
	if (kind == RTN_MULTICAST || kind == RTN_BROADCAST ||
	    (kind != RTN_LOCAL && !inet_can_nonlocal_bind(net, inet_sk(sk))))
		return -EADDRNOTAVAIL;
	return 0;
}

static void ping_set_saddr(sock &sk, const sockaddr_storage &saddr)
{
	TRACE(sk);
	if (saddr.family() == AF_INET)
		inet_sk(sk).inet_saddr = sk.sk_rcv_saddr = saddr.as<sockaddr_in>().sin_addr;
}

static int ping_bind(sock &sk, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(sk);
	inet_sock &isk = inet_sk(sk);
	int err = ping_check_bind_addr(sk, uaddr, addr_len);

	if (err)
		return err;
	lock_sock(sk);
	const u16 snum = ntohs(uaddr.as<sockaddr_in>().sin_port);
	if (isk.inet_num) {
		err = -EINVAL;
	} else if (ping_get_port(sk, snum)) {
		err = -EADDRINUSE;
	} else {
		ping_set_saddr(sk, uaddr);
		if (isk.inet_rcv_saddr)
			sk.sk_userlocks |= SOCK_BINDADDR_LOCK;
		if (snum)
			sk.sk_userlocks |= SOCK_BINDPORT_LOCK;
		isk.inet_sport = htons(isk.inet_num);
		isk.inet_daddr = be32{};
		isk.inet_dport = be16{};
		sk_dst_reset(sk);
	}
	release_sock(sk);
	return err;
}

// --- errors ---

static bool ping_supported(u8 type, u8 code)
{
	TRACE_INLINE();
	return type == ICMP_ECHO && code == 0;
}

void ping_err(sk_buff &skb, int offset, u32 info)
{
	TRACE(skb);
	const auto &icmph = *reinterpret_cast<const icmphdr *>(skb.data + offset); // of the request
	const u8 type = icmp_hdr(skb).type;
	const u8 code = icmp_hdr(skb).code;

	if (!ping_supported(icmph.type, icmph.code))
		return;
	sock *sk = ping_lookup(dev_net(*skb.dev), skb, ntohs(icmph.un.echo.id));
	if (!sk)
		return;

	const inet_sock &inet = inet_sk(*sk);
	int err = EHOSTUNREACH;
	bool harderr = false;
	switch (type) {
	case ICMP_SOURCE_QUENCH:
		err = EREMOTEIO; // no error, but a pinger wants to know
		break;
	case ICMP_PARAMETERPROB:
		err = EPROTO;
		harderr = true;
		break;
	case ICMP_DEST_UNREACH:
		if (code == ICMP_FRAG_NEEDED) {
			ipv4_sk_update_pmtu(skb, *sk, info);
			if (inet.pmtudisc == IP_PMTUDISC_DONT)
				return;
			err = EMSGSIZE;
			harderr = true;
		} else if (code <= NR_ICMP_UNREACH) {
			harderr = icmp_err_convert[code].fatal;
			err = icmp_err_convert[code].errno_;
		}
		break;
	case ICMP_REDIRECT:
		ipv4_sk_redirect(skb, *sk);
		err = EREMOTEIO;
		break;
	default: // ICMP_TIME_EXCEEDED
		break;
	}
	if (!inet.recverr) {
		if (!harderr || sk->sk_state != TCP_ESTABLISHED)
			return;
	} else {
		ip_icmp_error(*sk, skb, err, be16{}, info, reinterpret_cast<const u8 *>(&icmph));
	}
	sk->sk_err = err;
	sk_error_report(*sk);
}

// --- sending ---

static int ping_getfrag(void *from, char *to, int, int fraglen, int, [[maybe_unused]] sk_buff &skb)
{
	TRACE(skb);
	pingfakehdr &pfh = *static_cast<pingfakehdr *>(from);

	return csum_and_copy_from_iter_full(to, static_cast<std::size_t>(fraglen), pfh.wcheck,
	                                    pfh.msg->msg_iter)
	               ? 0
	               : -EFAULT;
}

static int ping_v4_push_pending_frames(sock &sk, pingfakehdr &pfh, flowi4 &fl4)
{
	TRACE(sk);
	sk_buff *skb = skb_peek(sk.sk_write_queue);

	if (!skb)
		return 0;
	pfh.wcheck = csum_partial(&pfh.icmph, sizeof(icmphdr), pfh.wcheck);
	pfh.icmph.checksum = csum_fold(pfh.wcheck);
	icmp_hdr(*skb) = pfh.icmph;
	skb->ip_summed = CHECKSUM_NONE;
	return ip_push_pending_frames(sk, fl4);
}

static int ping_common_sendmsg(msghdr &msg, std::size_t len, icmphdr &user_icmph)
{
	TRACE();
	if (len > 0xFFFF)
		return -EMSGSIZE;
	if (len < sizeof(icmphdr))
		return -EINVAL;
	if (msg.msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (!copy_from_iter_full(&user_icmph, sizeof(icmphdr), msg.msg_iter))
		return -EFAULT;
	return ping_supported(user_icmph.type, user_icmph.code) ? 0 : -EINVAL;
}

static int ping_v4_sendmsg(sock &sk, msghdr &msg, std::size_t len)
{
	TRACE(sk);
	net &net = sock_net(sk);
	inet_sock &inet = inet_sk(sk);
	icmphdr user_icmph;
	int err = ping_common_sendmsg(msg, len, user_icmph);

	if (err)
		return err;
	be32 daddr;
	if (msg.msg_name) {
		if (msg.msg_namelen < static_cast<int>(sizeof(sockaddr_in)))
			return -EINVAL;
		const auto &usin = msg.msg_name->as<sockaddr_in>();

		if (usin.sin_family != AF_INET)
			return -EAFNOSUPPORT;
		daddr = usin.sin_addr;
	} else {
		if (sk.sk_state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		daddr = inet.inet_daddr;
	}

	ipcm_cookie ipc;
	ipcm_init_sk(ipc, inet);
	const std::shared_ptr<ip_options> inet_opt = inet.inet_opt;
	ipc.opt = inet_opt.get();
	be32 saddr = ipc.addr, faddr = daddr;
	ipc.addr = daddr;
	if (ipc.opt && ipc.opt->srr) {
		if (!daddr)
			return -EINVAL;
		faddr = ipc.opt->faddr;
	}
	u8 tos = get_rttos(ipc, inet);
	if (sock_flag(sk, SOCK_LOCALROUTE) || (msg.msg_flags & MSG_DONTROUTE) ||
	    (ipc.opt && ipc.opt->is_strictroute))
		tos |= RTO_ONLINK;
	if (ipv4_is_multicast(daddr)) {
		if (!ipc.oif || netif_index_is_l3_master(net, ipc.oif))
			ipc.oif = inet.mc_index;
		if (!saddr)
			saddr = inet.mc_addr;
	} else if (!ipc.oif) {
		ipc.oif = inet.uc_index;
	}

	flowi4 fl4;
	flowi4_init_output(fl4, ipc.oif, ipc.mark, tos, RT_SCOPE_UNIVERSE, sk.sk_protocol,
	                   inet_sk_flowi_flags(sk), faddr, saddr, be16{}, be16{}, sk.sk_uid);
	fl4.fl4_icmp_type = user_icmph.type;
	fl4.fl4_icmp_code = user_icmph.code;
	security_sk_classify_flow(sk, fl4);
	const rt_or_err route = ip_route_output_flow(net, fl4, &sk);
	rtable *rt = route.rt;
	bool send = false;
	if (!rt) {
		err = route.err;
		if (err == -ENETUNREACH)
			IP_INC_STATS(net, IPSTATS_MIB_OUTNOROUTES);
	} else if ((rt->rt_flags & RTCF_BROADCAST) && !sock_flag(sk, SOCK_BROADCAST)) {
		err = -EACCES;
	} else {
		if ((msg.msg_flags & MSG_CONFIRM) && (msg.msg_flags & MSG_PROBE))
			dst_confirm_neigh(*rt, &fl4.daddr);
		send = true; // never empty: there is a header
	}
	if (send) {
		if (!ipc.addr)
			ipc.addr = fl4.daddr;
		lock_sock(sk);
		pingfakehdr pfh;
		pfh.icmph.type = user_icmph.type;
		pfh.icmph.code = user_icmph.code;
		pfh.icmph.un.echo.id = inet.inet_sport;
		pfh.icmph.un.echo.sequence = user_icmph.un.echo.sequence;
		pfh.msg = &msg;
		err = ip_append_data(sk, fl4, ping_getfrag, &pfh, static_cast<int>(len), sizeof(icmphdr), ipc,
		                     rt, static_cast<u32>(msg.msg_flags));
		if (err)
			ip_flush_pending_frames(sk);
		else
			err = ping_v4_push_pending_frames(sk, pfh, fl4);
		release_sock(sk);
	}
	dst_release(rt);
	return err ? err : static_cast<int>(len);
}

// --- receiving ---

static int ping_recvmsg(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len)
{
	TRACE(sk);
	int err = 0;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return inet_recv_error(sk, msg, static_cast<int>(len), addr_len);
	skb_ptr skb = skb_recv_datagram(sk, static_cast<u32>(flags), err);
	if (!skb)
		return err;
	int copied = static_cast<int>(skb->len);
	if (static_cast<std::size_t>(copied) > len) {
		msg.msg_flags |= MSG_TRUNC;
		copied = static_cast<int>(len);
	}
	err = skb_copy_datagram_msg(*skb, 0, msg, copied);
	if (!err) {
		sock_recv_cmsgs(msg, sk, *skb);
		if (msg.msg_name) {
			auto &sin = msg.msg_name->as<sockaddr_in>();

			sin = {};
			sin.sin_addr = ip_hdr(*skb).saddr;
			addr_len = sizeof(sin);
		}
		err = copied;
	}
	skb_free_datagram(sk, std::move(skb));
	return err;
}

static skb_drop_reason __ping_queue_rcv_skb(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	skb_drop_reason reason = SKB_NOT_DROPPED_YET;

	if (sock_queue_rcv_skb_reason(sk, skb, &reason) < 0)
		kfree_skb_reason(std::move(skb), reason);
	return reason;
}

static int ping_queue_rcv_skb(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	return __ping_queue_rcv_skb(sk, std::move(skb)) ? -1 : 0;
}

skb_drop_reason ping_rcv(sk_buff &skb)
{
	TRACE(skb);
	net &net = dev_net(*skb.dev);
	const icmphdr &icmph = icmp_hdr(skb);

	// The header goes with it.
	skb_push(skb, static_cast<u32>(skb.data - reinterpret_cast<const u8 *>(&icmph)));
	sock *sk = ping_lookup(net, skb, ntohs(icmph.un.echo.id));
	if (!sk)
		return SKB_DROP_REASON_NO_SOCKET;
	skb_ptr skb2 = skb_clone(skb, GFP_ATOMIC);
	if (!skb2)
		return SKB_DROP_REASON_NOMEM;
	return __ping_queue_rcv_skb(*sk, std::move(skb2));
}

// --- the protocol ---

namespace {

sock *construct_ping_sock(void *memory) { return ::new (memory) ping_sock; }
void destruct_ping_sock(sock &sk) { ping_sk(sk).~ping_sock(); }

} // namespace

proto ping_prot = {
	.name = "PING",
	.close = ping_close,
	.pre_connect = ping_pre_connect,
	.connect = ip4_datagram_connect,
	.disconnect = __udp_disconnect,
	.init = ping_init_sock,
	.setsockopt = ip_setsockopt,
	.getsockopt = ip_getsockopt,
	.sendmsg = ping_v4_sendmsg,
	.recvmsg = ping_recvmsg,
	.bind = ping_bind,
	.backlog_rcv = ping_queue_rcv_skb,
	.release_cb = ip4_datagram_release_cb,
	.hash = ping_hash,
	.unhash = ping_unhash,
	.get_port = ping_get_port,
	.put_port = ping_unhash,
	.obj_size = sizeof(ping_sock),
	.construct = construct_ping_sock,
	.destruct = destruct_ping_sock,
};

void ping_init()
{
	TRACE();
	ping_table->ping_port_rover = 0;
}

} // namespace skbwalk
