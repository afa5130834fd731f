// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_sockglue.c: IP between packets and sockets. ip_icmp_error and ip_local_error put a report into
// a socket's error queue, ip_recv_error takes it out; ip_cmsg_recv_offset tells a receiver about the packet,
// ip_cmsg_send reads what a sender says about its own; ipv4_pktinfo_prepare keeps what a receiver may ask for
// before the route is let go. Options are in ip_sockglue_options.cpp. Left out: security labels, RFC 4884
// extensions.
#include <algorithm>
#include <cstring>

#include "stack/core/errqueue.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

static void ip_cmsg_recv_pktinfo(msghdr &msg, sk_buff &skb)
{
	TRACE(skb);
	in_pktinfo info = PKTINFO_SKB_CB(skb);

	info.ipi_addr = ip_hdr(skb).daddr;
	put_cmsg(msg, SOL_IP, IP_PKTINFO, sizeof(info), &info);
}

static void ip_cmsg_recv_ttl(msghdr &msg, sk_buff &skb)
{
	TRACE(skb);
	const int ttl = ip_hdr(skb).ttl;

	put_cmsg(msg, SOL_IP, IP_TTL, sizeof(ttl), &ttl);
}

static void ip_cmsg_recv_tos(msghdr &msg, sk_buff &skb)
{
	TRACE(skb);
	put_cmsg(msg, SOL_IP, IP_TOS, 1, &ip_hdr(skb).tos);
}

static void ip_cmsg_recv_opts(msghdr &msg, sk_buff &skb)
{
	TRACE(skb);
	if (IPCB(skb).optlen)
		put_cmsg(msg, SOL_IP, IP_RECVOPTS, IPCB(skb).optlen, &ip_hdr(skb) + 1);
}

static void ip_cmsg_recv_retopts(net &net, msghdr &msg, sk_buff &skb)
{
	TRACE(skb);
	ip_options opt;

	if (!IPCB(skb).optlen)
		return;
	if (ip_options_echo(net, opt, skb)) {
		msg.msg_flags |= MSG_CTRUNC;
		return;
	}
	ip_options_undo(opt);
	put_cmsg(msg, SOL_IP, IP_RETOPTS, opt.optlen, opt.data);
}

static void ip_cmsg_recv_fragsize(msghdr &msg, sk_buff &skb)
{
	TRACE(skb);
	const int val = IPCB(skb).frag_max_size;

	if (val)
		put_cmsg(msg, SOL_IP, IP_RECVFRAGSIZE, sizeof(val), &val);
}

static void ip_cmsg_recv_checksum(msghdr &msg, sk_buff &skb, int tlen, int offset)
{
	TRACE(skb);
	__wsum csum = skb.csum;

	if (skb.ip_summed != CHECKSUM_COMPLETE)
		return;
	if (offset)
		csum = csum_sub(csum, skb_checksum(skb, skb_transport_offset(skb) + tlen, offset, 0));
	put_cmsg(msg, SOL_IP, IP_CHECKSUM, sizeof(csum), &csum);
}

static void ip_cmsg_recv_dstaddr(msghdr &msg, sk_buff &skb)
{
	TRACE(skb);
	be16 copy[2]; // every transport begins with its ports
	const void *ports = skb_header_pointer(skb, skb_transport_offset(skb), sizeof(copy), copy);

	if (!ports)
		return;
	std::memcpy(copy, ports, sizeof(copy));
	const sockaddr_in sin{.sin_port = copy[1], .sin_addr = ip_hdr(skb).daddr};
	put_cmsg(msg, SOL_IP, IP_RECVORIGDSTADDR, sizeof(sin), &sin);
}

void ip_cmsg_recv_offset(msghdr &msg, sock &sk, sk_buff &skb, int tlen, int offset)
{
	TRACE(skb, sk);
	const u32 flags = inet_sk(sk).cmsg_flags;

	if (flags & IP_CMSG_PKTINFO)
		ip_cmsg_recv_pktinfo(msg, skb);
	if (flags & IP_CMSG_TTL)
		ip_cmsg_recv_ttl(msg, skb);
	if (flags & IP_CMSG_TOS)
		ip_cmsg_recv_tos(msg, skb);
	if (flags & IP_CMSG_RECVOPTS)
		ip_cmsg_recv_opts(msg, skb);
	if (flags & IP_CMSG_RETOPTS)
		ip_cmsg_recv_retopts(sock_net(sk), msg, skb);
	if (flags & IP_CMSG_ORIGDSTADDR)
		ip_cmsg_recv_dstaddr(msg, skb);
	if (flags & IP_CMSG_CHECKSUM)
		ip_cmsg_recv_checksum(msg, skb, tlen, offset);
	if (flags & IP_CMSG_RECVFRAGSIZE)
		ip_cmsg_recv_fragsize(msg, skb);
}

namespace {

// The number in a control message of `len` bytes, when there is one.
bool number_of(const u8 *data, std::size_t len, int &val)
{
	if (len != sizeof(val))
		return false;
	std::memcpy(&val, data, sizeof(val));
	return true;
}

int take_cmsg(net &net, const cmsghdr &cmsg, const u8 *data, std::size_t len, ipcm_cookie &ipc,
              ip_options &opt)
{
	int val = 0;

	switch (cmsg.cmsg_type) {
	case IP_RETOPTS: {
		opt = {};
		const u32 optlen = static_cast<u32>(std::min<std::size_t>(len, 40));
		std::memcpy(opt.data, data, optlen);
		opt.optlen = static_cast<u8>((optlen + 3) & ~3u);
		if (optlen && ip_options_compile(net, opt, nullptr))
			return -EINVAL;
		ipc.opt = &opt;
		return 0;
	}
	case IP_PKTINFO: {
		in_pktinfo info;

		if (len != sizeof(info))
			return -EINVAL;
		std::memcpy(&info, data, sizeof(info));
		if (info.ipi_ifindex)
			ipc.oif = info.ipi_ifindex;
		ipc.addr = info.ipi_spec_dst;
		return 0;
	}
	case IP_TTL:
		if (!number_of(data, len, val) || val < 1 || val > 255)
			return -EINVAL;
		ipc.ttl = static_cast<u8>(val);
		return 0;
	case IP_TOS:
		if (len == 1)
			val = *data;
		else if (!number_of(data, len, val))
			return -EINVAL;
		if (val < 0 || val > 255)
			return -EINVAL;
		ipc.tos = static_cast<s16>(val);
		ipc.priority = rt_tos2priority(static_cast<u8>(val));
		return 0;
	case IP_PROTOCOL:
		if (!number_of(data, len, val) || val < 1 || val > 255)
			return -EINVAL;
		ipc.protocol = static_cast<u8>(val);
		return 0;
	}
	return -EINVAL;
}

} // namespace

// Unlike the kernel, options go where the caller says, so that nobody has to free them.
int ip_cmsg_send(sock &sk, msghdr &msg, ipcm_cookie &ipc, ip_options &opt, bool)
{
	TRACE(sk);
	const auto *p = static_cast<const u8 *>(msg.msg_control);
	std::size_t left = msg.msg_controllen;

	while (left >= sizeof(cmsghdr)) {
		cmsghdr cmsg;

		std::memcpy(&cmsg, p, sizeof(cmsg));
		if (cmsg.cmsg_len < sizeof(cmsg) || cmsg.cmsg_len > left)
			return -EINVAL;
		if (cmsg.cmsg_level == SOL_SOCKET)
			return -EINVAL; // nothing of that level can be said
		if (cmsg.cmsg_level == SOL_IP) {
			const int err = take_cmsg(sock_net(sk), cmsg, p + sizeof(cmsg),
			                          cmsg.cmsg_len - sizeof(cmsg), ipc, opt);

			if (err)
				return err;
		}
		const std::size_t step = std::min(CMSG_ALIGN(cmsg.cmsg_len), left);
		p += step;
		left -= step;
	}
	return 0;
}

static void ip_ra_destroy_rcu(rcu_head *head)
{
	TRACE();
	ip_ra_chain &ra = container_of(*head, &ip_ra_chain::rcu);

	sock_put(*ra.saved_sk);
	kfree(&ra);
}

// Has a raw socket see packets with the router alert option, or no longer.
int ip_ra_control(sock &sk, bool on, void (*destructor)(sock &sk))
{
	TRACE(sk);
	if (sk.sk_type != SOCK_RAW || inet_sk(sk).inet_num == IPPROTO_RAW)
		return -EINVAL;
	void *memory = on ? kmalloc_trace(sizeof(ip_ra_chain), GFP_KERNEL) : nullptr;
	if (on && !memory)
		return -ENOMEM;

	ip_ra_chain **rap = &sock_net(sk).ipv4.ra_chain;
	while (*rap && (*rap)->sk != &sk)
		rap = &(*rap)->next;
	if (ip_ra_chain *ra = *rap) {
		if (on) {
			kfree(memory);
			return -EADDRINUSE;
		}
		ra->sk = nullptr;
		*rap = ra->next;
		if (ra->destructor)
			ra->destructor(sk);
		ra->saved_sk = &sk;
		call_rcu(ra->rcu, ip_ra_destroy_rcu);
		return 0;
	}
	if (!on)
		return -ENOBUFS;
	auto *new_ra = ::new (memory) ip_ra_chain;
	new_ra->sk = &sk;
	new_ra->destructor = destructor;
	*rap = new_ra;
	sock_hold(sk);
	return 0;
}

// `payload` is what of the failed packet the socket gets to see.
void ip_icmp_error(sock &sk, sk_buff &skb_in, int err, be16 port, u32 info, const u8 *payload)
{
	TRACE(sk, skb_in);
	skb_ptr skb = skb_clone(skb_in, GFP_ATOMIC);

	if (!skb)
		return;
	const struct icmphdr &icmph = icmp_hdr(*skb);
	const auto &inner = reinterpret_cast<const iphdr &>(*(&icmph + 1));
	sock_exterr_skb &serr = SKB_EXT_ERR(*skb);

	serr.ee = {.ee_errno = static_cast<u32>(err),
	           .ee_origin = SO_EE_ORIGIN_ICMP,
	           .ee_type = icmph.type,
	           .ee_code = icmph.code,
	           .ee_pad = 0,
	           .ee_info = info,
	           .ee_data = 0};
	serr.addr_offset =
		static_cast<u16>(reinterpret_cast<const u8 *>(&inner.daddr) - skb_network_header(*skb));
	serr.port = port;
	if (skb_pull(*skb, static_cast<u32>(payload - skb->data))) {
		skb_reset_transport_header(*skb);
		if (!sock_queue_err_skb(sk, skb))
			return;
	}
	kfree_skb(std::move(skb));
}

// An error that this host found before it sent anything.
void ip_local_error(sock &sk, int err, be32 daddr, be16 port, u32 info)
{
	TRACE(sk);
	if (!inet_sk(sk).recverr)
		return;
	skb_ptr skb = alloc_skb(sizeof(iphdr), GFP_ATOMIC);
	if (!skb)
		return;
	skb_put(*skb, sizeof(iphdr));
	skb_reset_network_header(*skb);
	iphdr &iph = ip_hdr(*skb);
	iph = {};
	iph.daddr = daddr;
	sock_exterr_skb &serr = SKB_EXT_ERR(*skb);
	serr.ee = {.ee_errno = static_cast<u32>(err),
	           .ee_origin = SO_EE_ORIGIN_LOCAL,
	           .ee_type = 0,
	           .ee_code = 0,
	           .ee_pad = 0,
	           .ee_info = info,
	           .ee_data = 0};
	serr.addr_offset = offsetof(iphdr, daddr);
	serr.port = port;
	__skb_pull(*skb, static_cast<u32>(skb_tail_pointer(*skb) - skb->data));
	skb_reset_transport_header(*skb);
	if (sock_queue_err_skb(sk, skb))
		kfree_skb(std::move(skb));
}

static bool ipv4_datagram_support_addr(const sock_exterr_skb &serr)
{
	TRACE();
	return serr.ee.ee_origin == SO_EE_ORIGIN_ICMP || serr.ee.ee_origin == SO_EE_ORIGIN_LOCAL || serr.port;
}

// Does cb have what control messages need? Time stamps that say where they were taken cannot be asked for.
static bool ipv4_datagram_support_cmsg(const sock &sk, sk_buff &skb, int ee_origin)
{
	TRACE(sk, skb);
	return ee_origin == SO_EE_ORIGIN_ICMP;
}

// MSG_ERRQUEUE: the failed packet's data, the address that it went to, and the error as a control message.
int ip_recv_error(sock &sk, msghdr &msg, int len, int &addr_len)
{
	TRACE(sk);
	skb_ptr skb = sock_dequeue_err_skb(sk);

	if (!skb)
		return -EAGAIN;
	int copied = static_cast<int>(skb->len);
	if (copied > len) {
		msg.msg_flags |= MSG_TRUNC;
		copied = len;
	}
	if (const int err = skb_copy_datagram_msg(*skb, 0, msg, copied)) {
		kfree_skb(std::move(skb));
		return err;
	}
	if (sock_flag(sk, SOCK_TIMESTAMP))
		sk.sk_stamp = skb->tstamp;

	const sock_exterr_skb &serr = SKB_EXT_ERR(*skb);
	if (msg.msg_name && ipv4_datagram_support_addr(serr)) {
		sockaddr_in &sin = msg.msg_name->as<sockaddr_in>();

		sin = {};
		std::memcpy(&sin.sin_addr, skb_network_header(*skb) + serr.addr_offset, sizeof(sin.sin_addr));
		sin.sin_port = serr.port;
		addr_len = sizeof(sin);
	}
	struct {
		sock_extended_err ee;
		sockaddr_in offender;
	} errhdr{serr.ee, {}};
	errhdr.offender.sin_family = AF_UNSPEC;
	if (ipv4_datagram_support_cmsg(sk, *skb, serr.ee.ee_origin)) {
		errhdr.offender.sin_family = AF_INET;
		errhdr.offender.sin_addr = ip_hdr(*skb).saddr;
		if (inet_sk(sk).cmsg_flags)
			ip_cmsg_recv(msg, *skb);
	}
	put_cmsg(msg, SOL_IP, IP_RECVERR, sizeof(errhdr), &errhdr);
	msg.msg_flags |= MSG_ERRQUEUE;
	consume_skb(std::move(skb));
	return copied;
}

// The interface that the packet came in by (for lo, the one it was sent by) and the address that would be
// answered from.
void ipv4_pktinfo_prepare(const sock &sk, sk_buff &skb, bool drop_dst)
{
	TRACE(sk, skb);
	in_pktinfo &pktinfo = PKTINFO_SKB_CB(skb);

	if ((inet_sk(sk).cmsg_flags & IP_CMSG_PKTINFO) && skb_rtable(skb)) {
		const int iif = IPCB(skb).iif == LOOPBACK_IFINDEX ? inet_iif(skb) : IPCB(skb).iif;

		pktinfo.ipi_ifindex = iif;
		pktinfo.ipi_spec_dst = fib_compute_spec_dst(skb);
	} else {
		pktinfo.ipi_ifindex = 0;
		pktinfo.ipi_spec_dst = be32{};
	}
	if (drop_dst)
		skb_dst_drop(skb);
}

} // namespace skbwalk
