// SPDX-License-Identifier: GPL-2.0-only
//
// The AF_INET family (net/ipv4/af_inet.c): making sockets by type and protocol, and the operations behind the
// system calls of stream and datagram sockets: bind, listen, connect, accept, send, receive, shutdown,
// release. inet_init boots IPv4 on a host.

#include "stack/core/netdevice.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/protocol.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/tcp.h"
#include "stack/ipv4/tcp_bpf.h"
#include "stack/security/capability.h"

namespace skbwalk {

perhost<inet_protocols> inet_protos_of;

void inet_sock_destruct(sock &sk)
{
	TRACE(sk);
	__skb_queue_purge(sk.sk_receive_queue);
	__skb_queue_purge(sk.sk_error_queue);
	sk_mem_reclaim_final(sk);

	assert(sk.sk_type != SOCK_STREAM || sk.sk_state == TCP_CLOSE);
	assert(sock_flag(sk, SOCK_DEAD));
	assert(sk_rmem_alloc_get(sk) == 0);
	assert(refcount_read(sk.sk_wmem_alloc) == 0);
	assert(sk.sk_wmem_queued == 0);
	assert(sk.sk_forward_alloc == 0);

	inet_sk(sk).inet_opt.reset();
	dst_release(std::exchange(sk.sk_dst_cache, nullptr));
	dst_release(std::exchange(sk.sk_rx_dst, nullptr));
}

static int inet_autobind(sock &sk)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);
	int err = 0;

	lock_sock(sk);
	if (!inet.inet_num) {
		if (sk.sk_prot->get_port(sk, 0))
			err = -EAGAIN;
		else
			inet.inet_sport = htons(inet.inet_num);
	}
	release_sock(sk);
	return err;
}

int inet_listen(socket &parent, int backlog)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;
	int err = -EINVAL;

	lock_sock(sk);
	const u8 old_state = sk.sk_state;
	if (parent.state == SS_UNCONNECTED && parent.type == SOCK_STREAM &&
	    ((1u << old_state) & (TCPF_CLOSE | TCPF_LISTEN))) {
		err = 0;
		sk.sk_max_ack_backlog = static_cast<u32>(backlog);
		// A socket that listens already has its backlog adjusted only.
		if (old_state != TCP_LISTEN) {
			const int tcp_fastopen = sock_net(sk).ipv4.sysctl_tcp_fastopen;

			if ((tcp_fastopen & TFO_SERVER_WO_SOCKOPT1) && (tcp_fastopen & TFO_SERVER_ENABLE) &&
			    !inet_csk(sk).icsk_accept_queue.fastopenq.max_qlen) {
				fastopen_queue_tune(sk, backlog);
				tcp_fastopen_init_key_once(sock_net(sk));
			}
			err = inet_csk_listen_start(sk);
			if (!err)
				tcp_call_bpf(sk, BPF_SOCK_OPS_TCP_LISTEN_CB);
		}
	}
	release_sock(sk);
	return err;
}

static int inet_create(net &net, socket &parent, int protocol, bool kern)
{
	TRACE();
	if (protocol < 0 || protocol >= 256)
		return -EINVAL;
	parent.state = SS_UNCONNECTED;

	const inet_protosw *answer = nullptr;
	int err = -ESOCKTNOSUPPORT;
	for (const inet_protosw *p : inet_protos_of->inetsw[parent.type]) {
		if (protocol == p->protocol ? protocol != IPPROTO_IP
		                            : protocol == IPPROTO_IP || p->protocol == IPPROTO_IP) {
			if (protocol == IPPROTO_IP)
				protocol = p->protocol; // the type's default
			answer = p;
			break;
		}
		err = -EPROTONOSUPPORT;
	}
	if (!answer)
		return err;
	if (parent.type == SOCK_RAW && !kern && !ns_capable(init_user_ns, CAP_NET_RAW))
		return -EPERM;
	parent.ops = answer->ops;

	sock *made = sk_alloc(net, PF_INET, GFP_KERNEL, *answer->prot, kern);
	if (!made)
		return -ENOBUFS;
	sock &sk = *made;
	inet_sock &inet = inet_sk(sk);

	if (answer->flags & INET_PROTOSW_REUSE)
		sk.sk_reuse = SK_CAN_REUSE;
	inet.is_icsk = (answer->flags & INET_PROTOSW_ICSK) != 0;
	if (parent.type == SOCK_RAW) {
		inet.inet_num = static_cast<u16>(protocol);
		inet.hdrincl = protocol == IPPROTO_RAW;
	}
	inet.pmtudisc =
		static_cast<u8>(net.ipv4.sysctl_ip_no_pmtu_disc ? IP_PMTUDISC_DONT : IP_PMTUDISC_WANT);

	sock_init_data(&parent, sk);
	sk.sk_destruct = inet_sock_destruct;
	sk.sk_protocol = static_cast<u8>(protocol);
	sk.sk_backlog_rcv = sk.sk_prot->backlog_rcv;
	sk.sk_txrehash = static_cast<u8>(net.core.sysctl_txrehash);

	err = 0;
	if (inet.inet_num) {
		inet.inet_sport = htons(inet.inet_num);
		err = sk.sk_prot->hash(sk);
	}
	if (!err && sk.sk_prot->init)
		err = sk.sk_prot->init(sk);
	if (err) {
		sk_common_release(sk);
		parent.sk = nullptr;
	}
	return err;
}

int inet_release(socket &parent)
{
	TRACE(parent.sk);
	if (!parent.sk)
		return 0;
	sock &sk = *parent.sk;

	ip_mc_drop_socket(sk);
	const long timeout = sock_flag(sk, SOCK_LINGER) && !(current.task && current.task->fatal_signal)
	                             ? static_cast<long>(sk.sk_lingertime)
	                             : 0;
	sk.sk_prot->close(sk, timeout);
	parent.sk = nullptr;
	return 0;
}

constexpr u32 BIND_WITH_LOCK = 1 << 1;

int inet_bind(socket &parent, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;

	if (sk.sk_prot->bind)
		return sk.sk_prot->bind(sk, uaddr, addr_len);
	if (addr_len < static_cast<int>(sizeof(sockaddr_in)))
		return -EINVAL;
	return __inet_bind(sk, uaddr, addr_len, BIND_WITH_LOCK);
}

static bool inet_port_requires_bind_service(const net &net, u16 port)
{
	TRACE_INLINE();
	return port < net.ipv4.sysctl_ip_prot_sock;
}

bool inet_can_nonlocal_bind(net &net, const inet_sock &inet)
{
	TRACE_INLINE(inet);
	return net.ipv4.sysctl_ip_nonlocal_bind || inet.freebind || inet.transparent;
}

int __inet_bind(sock &sk, sockaddr_storage &uaddr, int, u32 flags)
{
	TRACE(sk);
	const sockaddr_in addr = uaddr.as<sockaddr_in>();
	inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);

	if (addr.sin_family != AF_INET && (addr.sin_family != AF_UNSPEC || addr.sin_addr))
		return -EAFNOSUPPORT;
	const u32 domain = l3mdev_fib_table_by_index(net, sk.sk_bound_dev_if);
	const u32 kind = inet_addr_type_table(net, addr.sin_addr, domain ? domain : u32{RT_TABLE_LOCAL});
	if (!inet_can_nonlocal_bind(net, inet) && addr.sin_addr && kind != RTN_LOCAL &&
	    kind != RTN_MULTICAST && kind != RTN_BROADCAST)
		return -EADDRNOTAVAIL;
	const u16 snum = ntohs(addr.sin_port);

	if (snum && inet_port_requires_bind_service(net, snum) &&
	    !ns_capable(init_user_ns, CAP_NET_BIND_SERVICE))
		return -EACCES;
	if (flags & BIND_WITH_LOCK)
		lock_sock(sk);
	int err = -EINVAL;
	if (sk.sk_state == TCP_CLOSE && !inet.inet_num) {
		err = 0;
		inet.inet_rcv_saddr = inet.inet_saddr = addr.sin_addr;
		if (kind == RTN_MULTICAST || kind == RTN_BROADCAST)
			inet.inet_saddr = be32{}; // the device's, when it sends
		if (snum || !inet.bind_address_no_port) {
			if (sk.sk_prot->get_port(sk, snum)) {
				inet.inet_saddr = inet.inet_rcv_saddr = be32{};
				err = -EADDRINUSE;
			}
		}
		if (!err) {
			if (inet.inet_rcv_saddr)
				sk.sk_userlocks |= SOCK_BINDADDR_LOCK;
			if (snum)
				sk.sk_userlocks |= SOCK_BINDPORT_LOCK;
			inet.inet_sport = htons(inet.inet_num);
			inet.inet_daddr = be32{};
			inet.inet_dport = be16{};
			sk_dst_reset(sk);
		}
	}
	if (flags & BIND_WITH_LOCK)
		release_sock(sk);
	return err;
}

int inet_dgram_connect(socket &parent, sockaddr_storage &uaddr, int addr_len, int flags)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;

	if (addr_len < 2)
		return -EINVAL;
	if (uaddr.family() == AF_UNSPEC)
		return sk.sk_prot->disconnect(sk, flags);
	if (!inet_sk(sk).inet_num && inet_autobind(sk))
		return -EAGAIN;
	return sk.sk_prot->connect(sk, uaddr, addr_len);
}

static long inet_wait_for_connect(sock &sk, long timeo, int writebias)
{
	TRACE(sk);
	wait_queue_entry wait;

	init_wait_func(wait, woken_wake_function);
	add_wait_queue(*sk_sleep(sk), wait);
	sk.sk_write_pending += writebias;
	while ((1u << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) {
		release_sock(sk);
		timeo = wait_woken(wait, TASK_INTERRUPTIBLE, timeo);
		lock_sock(sk);
		if (signal_pending(*current.task) || !timeo)
			break;
	}
	remove_wait_queue(*sk_sleep(sk), wait);
	sk.sk_write_pending -= writebias;
	return timeo;
}

int __inet_stream_connect(socket &parent, sockaddr_storage &uaddr, int addr_len, int flags, bool is_sendmsg)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;
	int err;

	if (addr_len < 2)
		return -EINVAL;
	if (uaddr.family() == AF_UNSPEC) {
		++sk.sk_disconnects;
		err = sk.sk_prot->disconnect(sk, flags);
		parent.state = err ? SS_DISCONNECTING : SS_UNCONNECTED;
		return err;
	}
	switch (parent.state) {
	case SS_CONNECTED:
		return -EISCONN;
	case SS_CONNECTING:
		err = inet_sk(sk).defer_connect ? (is_sendmsg ? -EINPROGRESS : -EISCONN) : -EALREADY;
		break;
	case SS_UNCONNECTED:
		if (sk.sk_state != TCP_CLOSE)
			return -EISCONN;
		err = sk.sk_prot->connect(sk, uaddr, addr_len);
		if (err < 0)
			return err;
		parent.state = SS_CONNECTING;
		if (!err && inet_sk(sk).defer_connect)
			return err;
		err = -EINPROGRESS; // what a call that does not wait returns
		break;
	default:
		return -EINVAL;
	}

	const long timeo = sock_sndtimeo(sk, flags & static_cast<int>(O_NONBLOCK_FLAG));
	if ((1u << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV)) {
		const tcp_fastopen_request *const fo =
			sk.sk_protocol == IPPROTO_TCP ? tcp_sk(sk).fastopen_req : nullptr;
		const int writebias = fo && fo->data; // data waits for the handshake
		const int dis = sk.sk_disconnects;

		if (!timeo || !inet_wait_for_connect(sk, timeo, writebias))
			return err;
		if (signal_pending(*current.task))
			return sock_intr_errno(timeo);
		if (dis != sk.sk_disconnects)
			return -EPIPE;
	}
	if (sk.sk_state == TCP_CLOSE) {
		// Reset, timed out, or an ICMP error.
		err = sock_error(sk);
		if (!err)
			err = -ECONNABORTED;
		parent.state = SS_UNCONNECTED;
		++sk.sk_disconnects;
		if (sk.sk_prot->disconnect(sk, flags))
			parent.state = SS_DISCONNECTING;
		return err;
	}
	parent.state = SS_CONNECTED;
	return 0;
}

int inet_stream_connect(socket &parent, sockaddr_storage &uaddr, int addr_len, int flags)
{
	TRACE(parent.sk);
	lock_sock(*parent.sk);
	const int err = __inet_stream_connect(parent, uaddr, addr_len, flags, false);
	release_sock(*parent.sk);
	return err;
}

void __inet_accept(socket &, socket &newsock, sock &newsk)
{
	TRACE(newsk);
	sock_rps_record_flow(newsk);
	assert((1u << newsk.sk_state) & (TCPF_ESTABLISHED | TCPF_SYN_RECV | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2 |
	                                 TCPF_CLOSING | TCPF_CLOSE_WAIT | TCPF_CLOSE));
	sock_graft(newsk, newsock);
	newsock.state = SS_CONNECTED;
}

int inet_accept(socket &parent, socket &newsock, int flags, bool kern)
{
	TRACE(parent.sk);
	int err = -EINVAL;

	sock *sk2 = parent.sk->sk_prot->accept(*parent.sk, flags, err, kern);
	if (!sk2)
		return err;
	lock_sock(*sk2);
	__inet_accept(parent, newsock, *sk2);
	release_sock(*sk2);
	return 0;
}

int inet_getname(socket &parent, sockaddr_storage &uaddr, int peer)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;
	const inet_sock &inet = inet_sk(sk);
	sockaddr_in &sin = uaddr.as<sockaddr_in>();
	int ret = sizeof(sockaddr_in);

	sin = {};
	lock_sock(sk);
	if (peer) {
		if (!inet.inet_dport || (((1u << sk.sk_state) & (TCPF_CLOSE | TCPF_SYN_SENT)) && peer == 1)) {
			ret = -ENOTCONN;
		} else {
			sin.sin_port = inet.inet_dport;
			sin.sin_addr = inet.inet_daddr;
		}
	} else {
		sin.sin_port = inet.inet_sport;
		sin.sin_addr = inet.inet_rcv_saddr ? inet.inet_rcv_saddr : inet.inet_saddr;
	}
	release_sock(sk);
	return ret;
}

int inet_send_prepare(sock &sk)
{
	TRACE(sk);
	sock_rps_record_flow(sk);
	if (!inet_sk(sk).inet_num && !sk.sk_prot->no_autobind && inet_autobind(sk))
		return -EAGAIN;
	return 0;
}

int inet_sendmsg(socket &parent, msghdr &msg, std::size_t size)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;

	if (inet_send_prepare(sk))
		return -EAGAIN;
	return sk.sk_prot->sendmsg(sk, msg, size);
}

int inet_recvmsg(socket &parent, msghdr &msg, std::size_t size, int flags)
{
	TRACE(parent.sk);
	int addr_len = 0;

	if (!(flags & MSG_ERRQUEUE))
		sock_rps_record_flow(*parent.sk);

	const int err = parent.sk->sk_prot->recvmsg(*parent.sk, msg, size, flags, addr_len);

	if (err >= 0)
		msg.msg_namelen = addr_len;
	return err;
}

int inet_shutdown(socket &parent, int how)
{
	TRACE(parent.sk);
	sock &sk = *parent.sk;
	int err = 0;

	++how; // SHUT_RD, SHUT_WR, SHUT_RDWR become bits
	if ((how & ~SHUTDOWN_MASK) || !how)
		return -EINVAL;
	lock_sock(sk);
	if (parent.state == SS_CONNECTING)
		parent.state = (1u << sk.sk_state) & (TCPF_SYN_SENT | TCPF_SYN_RECV | TCPF_CLOSE)
		                       ? SS_DISCONNECTING
		                       : SS_CONNECTED;
	if ((sk.sk_state == TCP_LISTEN && (how & RCV_SHUTDOWN)) || sk.sk_state == TCP_SYN_SENT) {
		err = sk.sk_prot->disconnect(sk, static_cast<int>(O_NONBLOCK_FLAG));
		parent.state = err ? SS_DISCONNECTING : SS_UNCONNECTED;
	} else if (sk.sk_state != TCP_LISTEN) {
		if (sk.sk_state == TCP_CLOSE)
			err = -ENOTCONN; // and still wakes who polls
		sk.sk_shutdown = static_cast<u8>(sk.sk_shutdown | how);
		if (sk.sk_prot->shutdown)
			sk.sk_prot->shutdown(sk, how);
	}
	sk.sk_state_change(sk);
	release_sock(sk);
	return err;
}

// As options of IP and ICMP's time stamps have it.
be32 inet_current_timestamp()
{
	TRACE();
	constexpr u64 day_ns = 86400 * NSEC_PER_SEC;

	return htonl(static_cast<u32>(ktime_get_real_ns() % day_ns / NSEC_PER_MSEC));
}

int inet_ioctl(socket &parent, u32 cmd, int &value)
{
	TRACE(parent.sk);
	return parent.sk->sk_prot->ioctl ? parent.sk->sk_prot->ioctl(*parent.sk, static_cast<int>(cmd), value)
	                                 : -ENOIOCTLCMD;
}

static int inet_sk_reselect_saddr(sock &sk)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);
	const be32 old_saddr = inet.inet_saddr;
	be32 daddr = inet.inet_daddr;
	flowi4 &fl4 = inet.cork.fl;

	if (inet.inet_opt && inet.inet_opt->srr)
		daddr = inet.inet_opt->faddr;
	const rt_or_err route = ip_route_connect(fl4, daddr, be32{}, sk.sk_bound_dev_if, sk.sk_protocol,
	                                         inet.inet_sport, inet.inet_dport, sk);
	if (!route.rt)
		return route.err;
	if (fl4.saddr != old_saddr) {
		if (const int err = inet_bhash2_update_saddr(sk, fl4.saddr, AF_INET)) {
			dst_release(route.rt);
			return err;
		}
	}
	sk_setup_caps(sk, route.rt);
	if (fl4.saddr == old_saddr)
		return 0;
	sk.sk_prot->unhash(sk); // its identity changes
	return sk.sk_prot->hash(sk);
}

int inet_sk_rebuild_header(sock &sk)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);

	if (__sk_dst_check(sk, 0))
		return 0;
	const be32 daddr = inet.inet_opt && inet.inet_opt->srr ? inet.inet_opt->faddr : inet.inet_daddr;
	const rt_or_err route = ip_route_output_ports(sock_net(sk), inet.cork.fl, &sk, daddr, inet.inet_saddr,
	                                              inet.inet_dport, inet.inet_sport, sk.sk_protocol,
	                                              RT_TOS(inet.tos), sk.sk_bound_dev_if);
	if (route.rt) {
		sk_setup_caps(sk, route.rt);
		return 0;
	}
	int err = route.err;
	sk.sk_route_caps = 0;
	if (!sock_net(sk).ipv4.sysctl_ip_dynaddr || sk.sk_state != TCP_SYN_SENT ||
	    (sk.sk_userlocks & SOCK_BINDADDR_LOCK) || (err = inet_sk_reselect_saddr(sk)) != 0)
		sk.sk_err_soft = -err;
	return err;
}

void inet_sk_set_state(sock &sk, int state)
{
	TRACE(sk);
	sk.sk_state = static_cast<u8>(state);
}

void inet_sk_state_store(sock &sk, int newstate)
{
	TRACE(sk);
	sk.sk_state = static_cast<u8>(newstate);
}

u8 inet_sk_flowi_flags(const sock &sk)
{
	TRACE_INLINE(sk);
	return inet_sk(sk).transparent || inet_sk(sk).hdrincl ? FLOWI_FLAG_ANYSRC : 0;
}

u32 inet_request_mark(const sock &sk, const sk_buff &skb)
{
	TRACE_INLINE(sk);
	return !sk.sk_mark && sock_net(sk).ipv4.sysctl_tcp_fwmark_accept ? skb.mark : sk.sk_mark;
}

int inet_request_bound_dev_if(const sock &sk, const sk_buff &)
{
	TRACE_INLINE(sk);
	return sk.sk_bound_dev_if; // no L3 master devices
}

// A socket of the kernel's own, for packets that belong to none: not in any hash.
int inet_ctl_sock_create(sock *&sk, u16 family, u16 type, u8 protocol, net &net)
{
	TRACE();
	auto *parent = new socket;
	assert(family == PF_INET);

	static_cast<void>(family);
	parent->type = type;
	parent->wq = std::make_shared<socket_wq>();
	if (const int err = inet_create(net, *parent, protocol, true)) {
		delete parent;
		return err;
	}
	sk = parent->sk;
	sk->sk_allocation = GFP_ATOMIC;
	sk->sk_prot->unhash(*sk);
	return 0;
}

void inet_ctl_sock_destroy(sock &sk)
{
	TRACE_INLINE(sk);
	socket *parent = sk.sk_socket;

	inet_release(*parent);
	delete parent;
}

int inet_recv_error(sock &sk, msghdr &msg, int len, int &addr_len)
{
	TRACE(sk);
	return sk.sk_family == AF_INET || sk.sk_family == AF_INET6 ? ip_recv_error(sk, msg, len, addr_len)
	                                                           : -EINVAL;
}

int inet_add_protocol(const net_protocol &prot, u8 protocol)
{
	TRACE();
	const net_protocol *&slot = inet_protos_of->inet_protos[protocol];

	if (slot)
		return -EINVAL;
	slot = &prot;
	return 0;
}

// Later entries of a type come after the permanent ones, so that they cannot take a protocol's place.
void inet_register_protosw(const inet_protosw &p)
{
	TRACE();
	inet_protos_of->inetsw[p.type].push_back(&p);
}

const proto_ops inet_stream_ops = {
	.family = PF_INET,
	.release = inet_release,
	.bind = inet_bind,
	.connect = inet_stream_connect,
	.accept = inet_accept,
	.getname = inet_getname,
	.poll = tcp_poll,
	.ioctl = inet_ioctl,
	.listen = inet_listen,
	.shutdown = inet_shutdown,
	.setsockopt = sock_common_setsockopt,
	.getsockopt = sock_common_getsockopt,
	.sendmsg = inet_sendmsg,
	.recvmsg = inet_recvmsg,
	.set_rcvlowat = tcp_set_rcvlowat,
};

const proto_ops inet_dgram_ops = {
	.family = PF_INET,
	.release = inet_release,
	.bind = inet_bind,
	.connect = inet_dgram_connect,
	.accept = sock_no_accept,
	.getname = inet_getname,
	.poll = udp_poll,
	.ioctl = inet_ioctl,
	.listen = sock_no_listen,
	.shutdown = inet_shutdown,
	.setsockopt = sock_common_setsockopt,
	.getsockopt = sock_common_getsockopt,
	.sendmsg = inet_sendmsg,
	.recvmsg = inet_recvmsg,
};

const proto_ops inet_sockraw_ops = {
	.family = PF_INET,
	.release = inet_release,
	.bind = inet_bind,
	.connect = inet_dgram_connect,
	.accept = sock_no_accept,
	.getname = inet_getname,
	.poll = datagram_poll,
	.ioctl = inet_ioctl,
	.listen = sock_no_listen,
	.shutdown = inet_shutdown,
	.setsockopt = sock_common_setsockopt,
	.getsockopt = sock_common_getsockopt,
	.sendmsg = inet_sendmsg,
	.recvmsg = inet_recvmsg,
};

namespace {

const net_proto_family inet_family_ops = {PF_INET, inet_create};

const net_protocol tcp_protocol = {.handler = tcp_v4_rcv,
                                   .err_handler = tcp_v4_err,
                                   .no_policy = true,
                                   .icmp_strict_tag_validation = true};
const net_protocol udp_protocol = {.handler = udp_rcv, .err_handler = udp_err, .no_policy = true};
const net_protocol icmp_protocol = {.handler = icmp_rcv, .err_handler = icmp_err, .no_policy = true};

const inet_protosw inetsw_array[] = {
	{SOCK_STREAM, IPPROTO_TCP, &tcp_prot, &inet_stream_ops, INET_PROTOSW_PERMANENT | INET_PROTOSW_ICSK},
	{SOCK_DGRAM, IPPROTO_UDP, &udp_prot, &inet_dgram_ops, INET_PROTOSW_PERMANENT},
	{SOCK_DGRAM, IPPROTO_ICMP, &ping_prot, &inet_sockraw_ops, INET_PROTOSW_REUSE},
	{SOCK_RAW, IPPROTO_IP, &raw_prot, &inet_sockraw_ops, INET_PROTOSW_REUSE},
};

struct ip_packet_types {
	packet_type ip;
};
perhost<ip_packet_types> packet_types;

} // namespace

// Unlike the kernel, the namespaces' parts register in an order that lets the control sockets find their
// routes: sockets last.
void inet_init()
{
	TRACE();
	static_cast<void>(proto_register(tcp_prot, true));
	static_cast<void>(proto_register(udp_prot, true));
	static_cast<void>(proto_register(raw_prot, true));
	static_cast<void>(proto_register(ping_prot, true));
	static_cast<void>(sock_register(inet_family_ops));
	static_cast<void>(inet_add_protocol(icmp_protocol, IPPROTO_ICMP));
	static_cast<void>(inet_add_protocol(udp_protocol, IPPROTO_UDP));
	static_cast<void>(inet_add_protocol(tcp_protocol, IPPROTO_TCP));
	for (const inet_protosw &q : inetsw_array)
		inet_register_protosw(q);

	arp_init();
	ip_rt_init(); // and devinet, the FIB
	inet_initpeers();
	tcp_init();
	tcp_v4_init();
	udp_init();
	raw_init();
	ping_init();
	icmp_init();
	ipfrag_init();

	packet_type &pt = packet_types->ip;
	pt.type = htons(ETH_P_IP);
	pt.func = ip_rcv;
	pt.list_func = ip_list_rcv;
	dev_add_pack(pt);
	ipv4_offload_init();
}

// Before a host ends: what the kernel keeps for ever.
void inet_exit()
{
	TRACE();
	dev_remove_pack(packet_types->ip);
	icmp_exit();
	tcp_v4_exit();
}

} // namespace skbwalk
