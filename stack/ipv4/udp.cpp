// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/udp.c, second part: the way out, errors and options. udp_sendmsg finds destination and route;
// without a cork it makes the datagram at once and takes no lock (ip_make_skb), else it appends to what is
// pending. udp_send_skb puts the header on and sends. ICMP errors come in by udp_err and go to the socket
// that sent, where it is connected or asked for them. Hashes are in udp_hash.cpp, the way in is in
// udp_input.cpp. Left out: UDP-Lite, encapsulation, control messages.
#include <algorithm>

#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/udp.h"

namespace skbwalk {

// --- errors ---

int __udp4_lib_err(sk_buff &skb, u32 info, udp_table_t &udptable)
{
	TRACE(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	const udphdr &uh = *reinterpret_cast<const udphdr *>(skb.data + iph.ihl() * 4);
	const u8 type = icmp_hdr(skb).type;
	const u8 code = icmp_hdr(skb).code;
	net &net = dev_net(*skb.dev);

	sock *sk = __udp4_lib_lookup(net, iph.daddr, uh.dest, iph.saddr, uh.source, skb.dev->ifindex,
	                             inet_sdif(skb), udptable, nullptr);
	if (!sk || udp_sk(*sk).encap_type) {
		ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
		return -ENOENT;
	}

	const inet_sock &inet = inet_sk(*sk);
	int err = EHOSTUNREACH;
	bool harderr = false;
	switch (type) {
	case ICMP_SOURCE_QUENCH:
		return 0;
	case ICMP_PARAMETERPROB:
		err = EPROTO;
		harderr = true;
		break;
	case ICMP_DEST_UNREACH:
		if (code == ICMP_FRAG_NEEDED) {
			ipv4_sk_update_pmtu(skb, *sk, info);
			if (inet.pmtudisc == IP_PMTUDISC_DONT)
				return 0;
			err = EMSGSIZE;
			harderr = true;
		} else if (code <= NR_ICMP_UNREACH) {
			harderr = icmp_err_convert[code].fatal;
			err = icmp_err_convert[code].errno_;
		}
		break;
	case ICMP_REDIRECT:
		ipv4_sk_redirect(skb, *sk);
		return 0;
	default: // ICMP_TIME_EXCEEDED
		break;
	}

	if (!inet.recverr) {
		if (!harderr || sk->sk_state != TCP_ESTABLISHED)
			return 0;
	} else {
		ip_icmp_error(*sk, skb, err, uh.dest, info, reinterpret_cast<const u8 *>(&uh + 1));
	}
	sk->sk_err = err;
	sk_error_report(*sk);
	return 0;
}

int udp_err(sk_buff &skb, u32 info)
{
	TRACE(skb);
	const u8 type = icmp_hdr(skb).type;
	const u8 code = icmp_hdr(skb).code;
	net &net = dev_net(*skb.dev);

	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED)
		ipv4_update_pmtu(skb, net, info, 0, IPPROTO_UDP);
	else if (type == ICMP_REDIRECT)
		ipv4_redirect(skb, net, 0, IPPROTO_UDP);
	return __udp4_lib_err(skb, info, *udp_table);
}

// --- sending ---

void udp_flush_pending_frames(sock &sk)
{
	TRACE(sk);
	udp_sock &up = udp_sk(sk);

	if (up.pending) {
		up.len = 0;
		up.pending = 0;
		ip_flush_pending_frames(sk);
	}
}

// The header's checksum is zero. Leaves the sum to the device, or where fragments were summed one by one,
// adds them up.
void udp4_hwcsum(sk_buff &skb, be32 src, be32 dst)
{
	TRACE(skb);
	udphdr &uh = udp_hdr(skb);
	const int offset = skb_transport_offset(skb);
	const u32 len = skb.len - static_cast<u32>(offset);

	if (!skb_has_frag_list(skb)) {
		skb.csum_start = skb.transport_header;
		skb.csum_offset = offsetof(udphdr, check);
		// Not folded to the end: the device adds the rest.
		uh.check = std::bit_cast<be16>(
			static_cast<u16>(~csum_tcpudp_magic(src, dst, len, IPPROTO_UDP, 0).raw()));
		return;
	}
	u32 hlen = len;
	__wsum csum = 0;
	for (const sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next) {
		csum = csum_add(csum, frag->csum);
		hlen -= frag->len;
	}
	csum = skb_checksum(skb, offset, static_cast<int>(hlen), csum);
	skb.ip_summed = CHECKSUM_NONE;
	uh.check = csum_tcpudp_magic(src, dst, len, IPPROTO_UDP, csum);
	if (!uh.check)
		uh.check = CSUM_MANGLED_0;
}

// Cut into datagrams of gso_size by the device, or before it. 0, or why not.
// not traced: a part of its caller, as in the kernel
static int prepare_gso(sk_buff &skb, const sock &sk, const inet_cork &cork, u32 datalen)
{
	const u32 hlen = skb_network_header_len(skb) + static_cast<u32>(sizeof(udphdr));

	if (hlen + std::min<u32>(datalen, cork.gso_size) > cork.fragsize)
		return -EMSGSIZE;
	if (datalen > u32{cork.gso_size} * UDP_MAX_SEGMENTS || sk.sk_no_check_tx)
		return -EINVAL;
	if (skb.ip_summed != CHECKSUM_PARTIAL)
		return -EIO;
	if (datalen > cork.gso_size) {
		skb_shinfo(skb).gso_size = cork.gso_size;
		skb_shinfo(skb).gso_type = SKB_GSO_UDP_L4;
		skb_shinfo(skb).gso_segs = static_cast<u16>((datalen + cork.gso_size - 1) / cork.gso_size);
	}
	return 0;
}

static int udp_send_skb(skb_ptr skb, flowi4 &fl4, inet_cork &cork)
{
	TRACE(skb);
	sock &sk = *skb->sk;
	const inet_sock &inet = inet_sk(sk);
	const u32 len = skb->len - static_cast<u32>(skb_transport_offset(*skb));
	udphdr &uh = udp_hdr(*skb);

	uh.source = inet.inet_sport;
	uh.dest = fl4.fl4_dport;
	uh.len = htons(static_cast<u16>(len));
	uh.check = be16{};
	if (cork.gso_size) {
		const int err = prepare_gso(*skb, sk, cork, len - static_cast<u32>(sizeof(udphdr)));

		if (err) {
			kfree_skb(std::move(skb));
			return err;
		}
	}
	if (cork.gso_size || (!sk.sk_no_check_tx && skb->ip_summed == CHECKSUM_PARTIAL)) {
		udp4_hwcsum(*skb, fl4.saddr, fl4.daddr);
	} else if (sk.sk_no_check_tx) {
		skb->ip_summed = CHECKSUM_NONE;
	} else {
		uh.check = csum_tcpudp_magic(fl4.saddr, fl4.daddr, len, sk.sk_protocol, udp_csum(*skb));
		if (!uh.check)
			uh.check = CSUM_MANGLED_0;
	}

	net &net = sock_net(sk);
	int err = ip_send_skb(net, std::move(skb));
	if (!err) {
		UDP_INC_STATS(net, UDP_MIB_OUTDATAGRAMS);
	} else if (err == -ENOBUFS && !inet.recverr) {
		UDP_INC_STATS(net, UDP_MIB_SNDBUFERRORS);
		err = 0;
	}
	return err;
}

// All that is pending, as one datagram. The socket is locked.
int udp_push_pending_frames(sock &sk)
{
	TRACE(sk);
	udp_sock &up = udp_sk(sk);
	flowi4 &fl4 = up.cork.fl;
	int err = 0;

	if (skb_ptr skb = __ip_make_skb(sk, fl4, sk.sk_write_queue, up.cork.base))
		err = udp_send_skb(std::move(skb), fl4, up.cork.base);
	up.len = 0;
	up.pending = 0;
	return err;
}

// Adds to the cork, and sends unless there is more to come. The socket is locked, and released here.
// not traced: a part of its caller, as in the kernel
static int append_data(sock &sk, flowi4 &fl4, msghdr &msg, int ulen, ipcm_cookie &ipc, rtable *&rt,
                       bool corkreq)
{
	udp_sock &up = udp_sk(sk);

	up.len = static_cast<u16>(up.len + ulen);
	int err = ip_append_data(sk, fl4, ip_generic_getfrag, &msg, ulen, sizeof(udphdr), ipc, rt,
	                         static_cast<u32>(corkreq ? msg.msg_flags | MSG_MORE : msg.msg_flags));
	if (err)
		udp_flush_pending_frames(sk);
	else if (!corkreq)
		err = udp_push_pending_frames(sk);
	else if (skb_queue_empty(sk.sk_write_queue))
		up.pending = 0;
	release_sock(sk);
	return err;
}

// not traced: a part of its caller, as in the kernel
static int udp_sent(sock &sk, std::size_t len, int err)
{
	if (!err)
		return static_cast<int>(len);
	if (err == -ENOBUFS || (sk.sk_socket && (sk.sk_socket->flags & (1u << SOCK_NOSPACE))))
		UDP_INC_STATS(sock_net(sk), UDP_MIB_SNDBUFERRORS);
	return err;
}

int udp_sendmsg(sock &sk, msghdr &msg, std::size_t len)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);
	udp_sock &up = udp_sk(sk);
	net &net = sock_net(sk);
	const bool corkreq = up.corkflag || (msg.msg_flags & MSG_MORE);
	int ulen = static_cast<int>(len);
	ipcm_cookie ipc;
	rtable *rt = nullptr;

	if (len > 0xFFFF)
		return -EMSGSIZE;
	if (msg.msg_flags & MSG_OOB)
		return -EOPNOTSUPP;

	if (up.pending) {
		lock_sock(sk);
		if (up.pending) {
			if (up.pending != AF_INET) {
				release_sock(sk);
				return -EINVAL;
			}
			const int err = append_data(sk, inet.cork.fl, msg, ulen, ipc, rt, corkreq);

			dst_release(rt);
			return udp_sent(sk, len, err);
		}
		release_sock(sk);
	}
	ulen += static_cast<int>(sizeof(udphdr));

	bool connected = false;
	be32 daddr, faddr, saddr;
	be16 dport;
	if (msg.msg_name) {
		if (msg.msg_namelen < static_cast<int>(sizeof(sockaddr_in)))
			return -EINVAL;
		const auto &usin = msg.msg_name->as<sockaddr_in>();

		if (usin.sin_family != AF_INET && usin.sin_family != AF_UNSPEC)
			return -EAFNOSUPPORT;
		daddr = usin.sin_addr;
		dport = usin.sin_port;
		if (!dport)
			return -EINVAL;
	} else {
		if (sk.sk_state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		daddr = inet.inet_daddr;
		dport = inet.inet_dport;
		connected = true;
	}

	ipcm_init_sk(ipc, inet);
	ipc.gso_size = up.gso_size;
	const std::shared_ptr<ip_options> inet_opt = inet.inet_opt;
	ipc.opt = inet_opt.get();
	saddr = ipc.addr;
	ipc.addr = faddr = daddr;
	if (ipc.opt && ipc.opt->srr) {
		if (!daddr)
			return -EINVAL;
		faddr = ipc.opt->faddr;
		connected = false;
	}
	u8 tos = get_rttos(ipc, inet);
	if (sock_flag(sk, SOCK_LOCALROUTE) || (msg.msg_flags & MSG_DONTROUTE) ||
	    (ipc.opt && ipc.opt->is_strictroute)) {
		tos |= RTO_ONLINK;
		connected = false;
	}
	if (ipv4_is_multicast(daddr)) {
		if (!ipc.oif || netif_index_is_l3_master(net, ipc.oif))
			ipc.oif = inet.mc_index;
		if (!saddr)
			saddr = inet.mc_addr;
		connected = false;
	} else if (!ipc.oif) {
		ipc.oif = inet.uc_index;
	}

	flowi4 fl4_stack;
	flowi4 *fl4 = &inet.cork.fl;
	if (connected)
		rt = static_cast<rtable *>(sk_dst_check(sk, 0));
	if (!rt) {
		fl4 = &fl4_stack;
		flowi4_init_output(*fl4, ipc.oif, ipc.mark, tos, RT_SCOPE_UNIVERSE, sk.sk_protocol,
		                   inet_sk_flowi_flags(sk), faddr, saddr, dport, inet.inet_sport, sk.sk_uid);
		security_sk_classify_flow(sk, *fl4);
		const rt_or_err route = ip_route_output_flow(net, *fl4, &sk);

		if (!route.rt) {
			if (route.err == -ENETUNREACH)
				IP_INC_STATS(net, IPSTATS_MIB_OUTNOROUTES);
			dst_release(nullptr);
			return udp_sent(sk, len, route.err);
		}
		rt = route.rt;
		if ((rt->rt_flags & RTCF_BROADCAST) && !sock_flag(sk, SOCK_BROADCAST)) {
			dst_release(rt);
			return udp_sent(sk, len, -EACCES);
		}
		if (connected)
			sk_dst_set(sk, dst_clone(rt));
	}

	if (msg.msg_flags & MSG_CONFIRM) {
		if (msg.msg_flags & MSG_PROBE)
			dst_confirm_neigh(*rt, &fl4->daddr);
		if ((msg.msg_flags & MSG_PROBE) && !len) {
			dst_release(rt);
			return udp_sent(sk, len, 0);
		}
	}
	saddr = fl4->saddr;
	if (!ipc.addr)
		daddr = ipc.addr = fl4->daddr;

	int err = 0;
	if (!corkreq) {
		inet_cork cork;
		skb_ptr skb = ip_make_skb(sk, *fl4, ip_generic_getfrag, &msg, ulen, sizeof(udphdr), ipc, rt,
		                          cork, static_cast<u32>(msg.msg_flags), err);

		if (skb)
			err = udp_send_skb(std::move(skb), *fl4, cork);
	} else {
		lock_sock(sk);
		if (up.pending) { // another task corked meanwhile
			release_sock(sk);
			err = -EINVAL;
		} else {
			fl4 = &inet.cork.fl;
			fl4->daddr = daddr;
			fl4->saddr = saddr;
			fl4->fl4_dport = dport;
			fl4->fl4_sport = inet.inet_sport;
			up.pending = AF_INET;
			err = append_data(sk, *fl4, msg, ulen, ipc, rt, corkreq);
		}
	}
	dst_release(rt);
	return udp_sent(sk, len, err);
}

// --- a socket's life ---

int udp_pre_connect(sock &, sockaddr_storage &, int addr_len)
{
	TRACE();
	return addr_len < static_cast<int>(sizeof(sockaddr_in)) ? -EINVAL : 0;
}

int __udp_disconnect(sock &sk, int)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);

	sk.sk_state = TCP_CLOSE;
	inet.inet_daddr = be32{};
	inet.inet_dport = be16{};
	sk.sk_rxhash = 0;
	sk.sk_bound_dev_if = 0;
	if (!(sk.sk_userlocks & SOCK_BINDADDR_LOCK)) {
		inet.inet_rcv_saddr = inet.inet_saddr = be32{};
		if (sk.sk_prot->rehash && (sk.sk_userlocks & SOCK_BINDPORT_LOCK))
			sk.sk_prot->rehash(sk);
	}
	if (!(sk.sk_userlocks & SOCK_BINDPORT_LOCK)) {
		sk.sk_prot->unhash(sk);
		inet.inet_sport = be16{};
	}
	sk_dst_reset(sk);
	return 0;
}

int udp_disconnect(sock &sk, int flags)
{
	TRACE(sk);
	lock_sock(sk);
	__udp_disconnect(sk, flags);
	release_sock(sk);
	return 0;
}

static void udp_destroy_sock(sock &sk)
{
	TRACE(sk);
	const bool slow = lock_sock_fast(sk);

	sock_set_flag(sk, SOCK_DEAD);
	udp_flush_pending_frames(sk);
	unlock_sock_fast(sk, slow);
	if (udp_sk(sk).encap_enabled)
		--*udp_encap_needed_key;
}

static void udp_lib_close(sock &sk, long)
{
	TRACE_INLINE(sk);
	sk_common_release(sk);
}

// not traced: never called
static int udp_lib_hash(sock &)
{
	assert(false && "a UDP socket is hashed when it gets its port");
	return 0;
}

// --- options ---

static int udp_lib_setsockopt(sock &sk, int, int optname, const void *optval, u32 optlen,
                              int (*push_pending_frames)(sock &sk))
{
	TRACE(sk);
	udp_sock &up = udp_sk(sk);
	int val;

	if (optlen < sizeof(int))
		return -EINVAL;
	std::memcpy(&val, optval, sizeof(val));
	switch (optname) {
	case UDP_CORK:
		up.corkflag = val != 0;
		if (!val) {
			lock_sock(sk);
			push_pending_frames(sk);
			release_sock(sk);
		}
		return 0;
	case UDP_NO_CHECK6_TX:
		up.no_check6 = static_cast<u8>((up.no_check6 & ~1) | (val ? 1 : 0));
		return 0;
	case UDP_NO_CHECK6_RX:
		up.no_check6 = static_cast<u8>((up.no_check6 & ~2) | (val ? 2 : 0));
		return 0;
	case UDP_SEGMENT:
		if (val < 0 || val > 0xffff)
			return -EINVAL;
		up.gso_size = static_cast<u16>(val);
		return 0;
	case UDP_GRO:
		if (val && !up.encap_enabled) {
			up.encap_enabled = true;
			++*udp_encap_needed_key;
		}
		up.gro_enabled = up.accept_udp_l4 = val != 0;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int udp_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	if (level == SOL_UDP)
		return udp_lib_setsockopt(sk, level, optname, optval, optlen, udp_push_pending_frames);
	return ip_setsockopt(sk, level, optname, optval, optlen);
}

static int udp_lib_getsockopt(sock &sk, int, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	const udp_sock &up = udp_sk(sk);
	int val;

	if (optlen < 0)
		return -EINVAL;
	const int len = std::min(optlen, static_cast<int>(sizeof(int)));
	switch (optname) {
	case UDP_CORK:
		val = up.corkflag;
		break;
	case UDP_ENCAP:
		val = up.encap_type;
		break;
	case UDP_NO_CHECK6_TX:
		val = up.no_check6 & 1;
		break;
	case UDP_NO_CHECK6_RX:
		val = (up.no_check6 & 2) != 0;
		break;
	case UDP_SEGMENT:
		val = up.gso_size;
		break;
	case UDP_GRO:
		val = up.gro_enabled;
		break;
	default:
		return -ENOPROTOOPT;
	}
	optlen = len;
	std::memcpy(optval, &val, static_cast<std::size_t>(len));
	return 0;
}

static int udp_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	if (level == SOL_UDP)
		return udp_lib_getsockopt(sk, level, optname, optval, optlen);
	return ip_getsockopt(sk, level, optname, optval, optlen);
}

// --- the protocol ---

namespace {

sock *construct_udp_sock(void *memory) { return ::new (memory) udp_sock; }
void destruct_udp_sock(sock &sk) { udp_sk(sk).~udp_sock(); }

int udp_sysctl_init(net &net)
{
	net.ipv4.sysctl_udp_rmem_min = static_cast<int>(PAGE_SIZE);
	net.ipv4.sysctl_udp_wmem_min = static_cast<int>(PAGE_SIZE);
	return 0;
}

const pernet_operations udp_sysctl_ops = {"udp", udp_sysctl_init, nullptr};

} // namespace

proto udp_prot = {
	.name = "UDP",
	.close = udp_lib_close,
	.pre_connect = udp_pre_connect,
	.connect = ip4_datagram_connect,
	.disconnect = udp_disconnect,
	.ioctl = udp_ioctl,
	.init = udp_init_sock,
	.destroy = udp_destroy_sock,
	.setsockopt = udp_setsockopt,
	.getsockopt = udp_getsockopt,
	.sendmsg = udp_sendmsg,
	.recvmsg = udp_recvmsg,
	.release_cb = ip4_datagram_release_cb,
	.hash = udp_lib_hash,
	.unhash = udp_lib_unhash,
	.rehash = udp_v4_rehash,
	.get_port = udp_v4_get_port,
	.put_port = udp_lib_unhash,
	.obj_size = sizeof(udp_sock),
	.construct = construct_udp_sock,
	.destruct = destruct_udp_sock,
	.memory_accounted = true,
};

void udp_init()
{
	TRACE();
	constexpr long limit = 32768; // pages: an eighth of a machine with 1 GB

	udp_table_init(*udp_table);
	proto_of(udp_prot).sysctl_mem = {limit / 4 * 3, limit, limit / 4 * 3 * 2};
	register_pernet_subsys(udp_sysctl_ops);
}

} // namespace skbwalk
