// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/raw.c: sockets that send and receive whole IP packets of one protocol. On the way in,
// raw_local_deliver gives a clone to each that matches, before the protocol itself has the packet; on the way
// out, raw_sendmsg finds the route and either lets IP make the header, or takes the caller's (IP_HDRINCL).
// ICMP errors go to all that match. Left out: multicast routing.
#include "stack/ipv4/raw.h"

#include <algorithm>

#include "stack/core/xfrm.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/kernel/rculist.h"
#include "stack/netfilter/netfilter.h"

namespace skbwalk {

namespace {

constexpr int SIOCOUTQ = 0x5411, SIOCINQ = 0x541B;

// A caller's message, of which the first bytes may have been looked at already.
struct raw_frag_vec {
	msghdr *msg = nullptr;
	u8 hdr[2] = {}; // type and code of ICMP
	int hlen = 0;
};

} // namespace

perhost<raw_hashinfo> raw_v4_hashinfo;

int raw_hash_sk(sock &sk)
{
	TRACE(sk);
	raw_hashinfo &h = *raw_v4_hashinfo;

	spin_lock(h.lock);
	sock_hold(sk);
	h.ht[raw_hashfunc(sock_net(sk), sk.sk_num)].push_front(raw_sk(sk));
	sock_set_flag(sk, SOCK_RCU_FREE);
	spin_unlock(h.lock);
	sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, 1);
	return 0;
}

void raw_unhash_sk(sock &sk)
{
	TRACE(sk);
	raw_hashinfo &h = *raw_v4_hashinfo;

	spin_lock(h.lock);
	if (raw_sk(sk).raw_node.is_linked()) {
		auto &chain = h.ht[raw_hashfunc(sock_net(sk), sk.sk_num)];

		chain.erase(chain.iterator_to(raw_sk(sk)));
		__sock_put(sk);
		sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, -1);
	}
	spin_unlock(h.lock);
}

static bool raw_sk_bound_dev_eq(const net &, int bound_dev_if, int dif, int sdif)
{
	TRACE_INLINE();
	return !bound_dev_if || bound_dev_if == dif || bound_dev_if == sdif; // sysctl raw_l3mdev_accept is 1
}

bool raw_v4_match(const net &net, const sock &sk, u16 num, be32 raddr, be32 laddr, int dif, int sdif)
{
	TRACE(sk);
	const inet_sock &inet = inet_sk(sk);

	return net_eq(sock_net(sk), net) && inet.inet_num == num &&
	       !(inet.inet_daddr && inet.inet_daddr != raddr) &&
	       !(inet.inet_rcv_saddr && inet.inet_rcv_saddr != laddr) &&
	       raw_sk_bound_dev_eq(net, sk.sk_bound_dev_if, dif, sdif);
}

// --- the way in ---

// True: this socket does not want the type.
static bool icmp_filter(const sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	icmphdr buffer;
	const auto *hdr = static_cast<const icmphdr *>(
		skb_header_pointer(skb, skb_transport_offset(skb), sizeof(buffer), &buffer));

	if (!hdr)
		return true;
	return hdr->type < 32 && ((1u << hdr->type) & raw_sk(sk).filter.data);
}

static bool raw_v4_input(net &net, sk_buff &skb, const iphdr &iph, u32 hash)
{
	TRACE(skb);
	const int sdif = inet_sdif(skb);
	const int dif = inet_iif(skb);
	bool delivered = false;

	rcu_read_lock();
	for (raw_sock &sk : rcu_view(raw_v4_hashinfo->ht[hash])) {
		if (!raw_v4_match(net, sk, iph.protocol, iph.saddr, iph.daddr, dif, sdif))
			continue;
		delivered = true;
		if ((iph.protocol != IPPROTO_ICMP || !icmp_filter(sk, skb)) &&
		    ip_mc_sf_allow(sk, iph.daddr, iph.saddr, skb.dev->ifindex, sdif)) {
			if (skb_ptr clone = skb_clone(skb, GFP_ATOMIC))
				raw_rcv(sk, std::move(clone));
		}
	}
	rcu_read_unlock();
	return delivered;
}

bool raw_local_deliver(sk_buff &skb, int protocol)
{
	TRACE(skb);
	net &net = dev_net(*skb.dev);

	return raw_v4_input(net, skb, ip_hdr(skb), raw_hashfunc(net, static_cast<u32>(protocol)));
}

static int raw_rcv_skb(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	skb_drop_reason reason = SKB_NOT_DROPPED_YET;

	ipv4_pktinfo_prepare(sk, *skb);
	if (sock_queue_rcv_skb_reason(sk, skb, &reason) < 0) {
		kfree_skb_reason(std::move(skb), reason);
		return NET_RX_DROP;
	}
	return NET_RX_SUCCESS;
}

int raw_rcv(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	if (!xfrm4_policy_check(&sk, XFRM_POLICY_IN, *skb)) {
		atomic_inc(sk.sk_drops);
		kfree_skb_reason(std::move(skb), SKB_DROP_REASON_XFRM_POLICY);
		return NET_RX_DROP;
	}
	nf_reset_ct(*skb);
	skb_push(*skb, static_cast<u32>(skb->data - skb_network_header(*skb)));
	raw_rcv_skb(sk, std::move(skb));
	return 0;
}

// --- errors ---

static void raw_err(sock &sk, sk_buff &skb, u32 info)
{
	TRACE(sk, skb);
	const inet_sock &inet = inet_sk(sk);
	const u8 type = icmp_hdr(skb).type;
	const u8 code = icmp_hdr(skb).code;
	int err = EHOSTUNREACH;
	bool harderr = false;

	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED) {
		ipv4_sk_update_pmtu(skb, sk, info);
	} else if (type == ICMP_REDIRECT) {
		ipv4_sk_redirect(skb, sk);
		return;
	}
	// Without recverr an error says nothing to a socket that sends anywhere.
	if (!inet.recverr && sk.sk_state != TCP_ESTABLISHED)
		return;
	switch (type) {
	case ICMP_SOURCE_QUENCH:
		return;
	case ICMP_PARAMETERPROB:
		err = EPROTO;
		harderr = true;
		break;
	case ICMP_DEST_UNREACH:
		if (code > NR_ICMP_UNREACH)
			break;
		if (code == ICMP_FRAG_NEEDED) {
			harderr = inet.pmtudisc != IP_PMTUDISC_DONT;
			err = EMSGSIZE;
		} else {
			err = icmp_err_convert[code].errno_;
			harderr = icmp_err_convert[code].fatal;
		}
		break;
	default: // ICMP_TIME_EXCEEDED
		break;
	}
	if (inet.recverr) {
		const auto &iph = *reinterpret_cast<const iphdr *>(skb.data);

		ip_icmp_error(sk, skb, err, be16{}, info, inet.hdrincl ? skb.data : skb.data + iph.ihl() * 4);
	}
	if (inet.recverr || harderr) {
		sk.sk_err = err;
		sk_error_report(sk);
	}
}

void raw_icmp_error(sk_buff &skb, int protocol, u32 info)
{
	TRACE(skb);
	net &net = dev_net(*skb.dev);
	const int dif = skb.dev->ifindex;
	const int sdif = inet_sdif(skb);

	rcu_read_lock();
	for (raw_sock &sk : rcu_view(raw_v4_hashinfo->ht[raw_hashfunc(net, static_cast<u32>(protocol))])) {
		const auto &iph = *reinterpret_cast<const iphdr *>(skb.data);

		if (raw_v4_match(net, sk, iph.protocol, iph.daddr, iph.saddr, dif, sdif))
			raw_err(sk, skb, info);
	}
	rcu_read_unlock();
}

// --- the way out ---

// The caller's own header: what it left zero is filled in.
static int raw_send_hdrinc(sock &sk, const flowi4 &fl4, msghdr &msg, std::size_t length, rtable *&rt,
                           u32 flags, const ipcm_cookie &ipc)
{
	TRACE(sk);
	const inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);
	const auto outdiscard = [&](int err) {
		IP_INC_STATS(net, IPSTATS_MIB_OUTDISCARDS);
		return err == -ENOBUFS && !inet.recverr ? 0 : err;
	};

	if (length > rt->dev->mtu) {
		ip_local_error(sk, EMSGSIZE, fl4.daddr, inet.inet_dport, rt->dev->mtu);
		return -EMSGSIZE;
	}
	if (length < sizeof(iphdr))
		return -EINVAL;
	if (flags & MSG_PROBE)
		return 0;

	const u32 hlen = LL_RESERVED_SPACE(*rt->dev);
	int err = 0;
	skb_ptr skb =
		sock_alloc_send_skb(sk, length + hlen + 15, static_cast<int>(flags & MSG_DONTWAIT), err);
	if (!skb)
		return outdiscard(err);
	skb_reserve(*skb, hlen);
	skb->protocol = htons(ETH_P_IP);
	skb->priority = sk.sk_priority;
	skb->mark = ipc.mark;
	skb->tstamp = ipc.transmit_time;
	net_device *out = rt->dev;
	skb_dst_set(*skb, std::exchange(rt, nullptr));

	skb_reset_network_header(*skb);
	iphdr &iph = ip_hdr(*skb);
	skb_put(*skb, static_cast<u32>(length));
	skb->ip_summed = CHECKSUM_NONE;
	if (flags & MSG_CONFIRM)
		skb->dst_pending_confirm = 1;
	skb->transport_header = skb->network_header;
	if (!copy_from_iter_full(&iph, length, msg.msg_iter)) {
		kfree_skb(std::move(skb));
		return outdiscard(-EFAULT);
	}
	const u32 iphlen = iph.ihl() * 4;
	if (iphlen > length || iphlen < sizeof(iphdr)) {
		kfree_skb(std::move(skb));
		return outdiscard(-EINVAL);
	}
	if (!iph.saddr)
		iph.saddr = fl4.saddr;
	iph.check = be16{};
	iph.tot_len = htons(static_cast<u16>(length));
	if (!iph.id)
		ip_select_ident(net, *skb, nullptr);
	iph.check = ip_fast_csum(&iph, iph.ihl());
	skb->transport_header = static_cast<u16>(skb->transport_header + iphlen);
	if (iph.protocol == IPPROTO_ICMP && length >= iphlen + sizeof(icmphdr))
		icmp_out_count(net, icmp_hdr(*skb).type);

	err = NF_HOOK(NFPROTO_IPV4, NF_INET_LOCAL_OUT, net, &sk, std::move(skb), nullptr, out, dst_output);
	if (err > 0)
		err = net_xmit_errno(err);
	return err ? outdiscard(err) : 0;
}

// A route may depend on type and code of ICMP.
static int raw_probe_proto_opt(raw_frag_vec &rfv, flowi4 &fl4)
{
	TRACE();
	if (fl4.flowi4_proto != IPPROTO_ICMP)
		return 0;
	rfv.hlen = sizeof(rfv.hdr);
	if (!copy_from_iter_full(rfv.hdr, sizeof(rfv.hdr), rfv.msg->msg_iter))
		return -EFAULT;
	fl4.fl4_icmp_type = rfv.hdr[0];
	fl4.fl4_icmp_code = rfv.hdr[1];
	return 0;
}

static int raw_getfrag(void *from, char *to, int offset, int len, int odd, sk_buff &skb)
{
	TRACE(skb);
	const raw_frag_vec &rfv = *static_cast<const raw_frag_vec *>(from);

	if (offset < rfv.hlen) {
		const int copy = std::min(rfv.hlen - offset, len);

		if (skb.ip_summed == CHECKSUM_PARTIAL)
			std::memcpy(to, rfv.hdr + offset, static_cast<std::size_t>(copy));
		else
			skb.csum = csum_block_add(
				skb.csum,
				csum_partial_copy_nocheck(rfv.hdr + offset, to, static_cast<u32>(copy)),
				static_cast<u32>(odd));
		odd = 0;
		offset += copy;
		to += copy;
		len -= copy;
		if (!len)
			return 0;
	}
	return ip_generic_getfrag(rfv.msg, to, offset - rfv.hlen, len, odd, skb);
}

static int raw_sendmsg(sock &sk, msghdr &msg, std::size_t len)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);
	const bool hdrincl = inet.hdrincl;
	be32 daddr;

	if (len > 0xFFFF)
		return -EMSGSIZE;
	if (msg.msg_flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (msg.msg_namelen) {
		if (msg.msg_namelen < static_cast<int>(sizeof(sockaddr_in)))
			return -EINVAL;
		const auto &usin = msg.msg_name->as<sockaddr_in>();

		if (usin.sin_family != AF_INET && usin.sin_family)
			return -EAFNOSUPPORT;
		daddr = usin.sin_addr;
	} else {
		if (sk.sk_state != TCP_ESTABLISHED)
			return -EDESTADDRREQ;
		daddr = inet.inet_daddr;
	}

	ipcm_cookie ipc;
	ipcm_init_sk(ipc, inet);
	if (hdrincl)
		ipc.protocol = IPPROTO_RAW;
	be32 saddr = ipc.addr;
	ipc.addr = daddr;
	const std::shared_ptr<ip_options> inet_opt = inet.inet_opt;
	ipc.opt = inet_opt.get();
	if (ipc.opt) {
		if (hdrincl || (ipc.opt->srr && !daddr)) {
			dst_release(nullptr);
			return -EINVAL;
		}
		if (ipc.opt->srr)
			daddr = ipc.opt->faddr;
	}
	u8 tos = get_rtconn_flags(ipc, sk);
	if (msg.msg_flags & MSG_DONTROUTE)
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
	flowi4_init_output(fl4, ipc.oif, ipc.mark, tos, RT_SCOPE_UNIVERSE,
	                   hdrincl ? ipc.protocol : sk.sk_protocol,
	                   static_cast<u8>(inet_sk_flowi_flags(sk) | (hdrincl ? FLOWI_FLAG_KNOWN_NH : 0)),
	                   daddr, saddr, be16{}, be16{}, sk.sk_uid);
	raw_frag_vec rfv;
	rfv.msg = &msg;
	int err = hdrincl ? 0 : raw_probe_proto_opt(rfv, fl4);
	rtable *rt = nullptr;
	if (!err) {
		security_sk_classify_flow(sk, fl4);
		const rt_or_err route = ip_route_output_flow(net, fl4, &sk);

		rt = route.rt;
		err = route.err;
		if (rt)
			err = (rt->rt_flags & RTCF_BROADCAST) && !sock_flag(sk, SOCK_BROADCAST) ? -EACCES : 0;
	}
	bool send = !err;
	if (send && (msg.msg_flags & MSG_CONFIRM)) {
		if (msg.msg_flags & MSG_PROBE)
			dst_confirm_neigh(*rt, &fl4.daddr);
		send = !(msg.msg_flags & MSG_PROBE) || len;
	}
	if (send && hdrincl) {
		err = raw_send_hdrinc(sk, fl4, msg, len, rt, static_cast<u32>(msg.msg_flags), ipc);
	} else if (send) {
		if (!ipc.addr)
			ipc.addr = fl4.daddr;
		lock_sock(sk);
		err = ip_append_data(sk, fl4, raw_getfrag, &rfv, static_cast<int>(len), 0, ipc, rt,
		                     static_cast<u32>(msg.msg_flags));
		if (err) {
			ip_flush_pending_frames(sk);
		} else if (!(msg.msg_flags & MSG_MORE)) {
			err = ip_push_pending_frames(sk, fl4);
			if (err == -ENOBUFS && !inet.recverr)
				err = 0;
		}
		release_sock(sk);
	}
	dst_release(rt);
	return err < 0 ? err : static_cast<int>(len);
}

// --- a socket's life ---

static void raw_close(sock &sk, long)
{
	TRACE(sk);
	ip_ra_control(sk, false, nullptr); // the router alert chain may know it
	sk_common_release(sk);
}

static void raw_destroy(sock &sk)
{
	TRACE(sk);
	lock_sock(sk);
	ip_flush_pending_frames(sk);
	release_sock(sk);
}

static int raw_bind(sock &sk, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);
	int ret = -EINVAL;

	lock_sock(sk);
	if (sk.sk_state == TCP_CLOSE && addr_len >= static_cast<int>(sizeof(sockaddr_in))) {
		const be32 addr = uaddr.as<sockaddr_in>().sin_addr;
		const u32 kind = inet_addr_type_table(net, addr, RT_TABLE_LOCAL);

		ret = -EADDRNOTAVAIL;
		if (inet_can_nonlocal_bind(net, inet) || !addr || kind == RTN_LOCAL ||
		    kind == RTN_MULTICAST || kind == RTN_BROADCAST) {
			inet.inet_rcv_saddr = inet.inet_saddr = addr;
			if (kind == RTN_MULTICAST || kind == RTN_BROADCAST)
				inet.inet_saddr = be32{}; // the device's
			sk_dst_reset(sk);
			ret = 0;
		}
	}
	release_sock(sk);
	return ret;
}

static int raw_recvmsg(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len)
{
	TRACE(sk);
	int err = 0;

	if (flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (flags & MSG_ERRQUEUE)
		return ip_recv_error(sk, msg, static_cast<int>(len), addr_len);
	skb_ptr skb = skb_recv_datagram(sk, static_cast<u32>(flags), err);
	if (!skb)
		return err;
	std::size_t copied = skb->len;
	if (len < copied) {
		msg.msg_flags |= MSG_TRUNC;
		copied = len;
	}
	err = skb_copy_datagram_msg(*skb, 0, msg, static_cast<int>(copied));
	if (!err) {
		sock_recv_cmsgs(msg, sk, *skb);
		if (msg.msg_name) {
			auto &sin = msg.msg_name->as<sockaddr_in>();

			sin = {};
			sin.sin_addr = ip_hdr(*skb).saddr;
			addr_len = sizeof(sin);
		}
		if (flags & MSG_TRUNC)
			copied = skb->len;
	}
	skb_free_datagram(sk, std::move(skb));
	return err ? err : static_cast<int>(copied);
}

static int raw_sk_init(sock &sk)
{
	TRACE(sk);
	if (sk.sk_num == IPPROTO_ICMP)
		raw_sk(sk).filter = {};
	return 0;
}

// --- options ---

static int raw_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	if (level != SOL_RAW)
		return ip_setsockopt(sk, level, optname, optval, optlen);
	if (optname != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk.sk_num != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	std::memcpy(&raw_sk(sk).filter.data, optval, std::min<std::size_t>(optlen, sizeof(u32)));
	return 0;
}

static int raw_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	if (level != SOL_RAW)
		return ip_getsockopt(sk, level, optname, optval, optlen);
	if (optname != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (sk.sk_num != IPPROTO_ICMP)
		return -EOPNOTSUPP;
	if (optlen < 0)
		return -EINVAL;
	optlen = std::min(optlen, static_cast<int>(sizeof(u32)));
	std::memcpy(optval, &raw_sk(sk).filter.data, static_cast<std::size_t>(optlen));
	return 0;
}

static int raw_ioctl(sock &sk, int cmd, int &value)
{
	TRACE(sk);
	switch (cmd) {
	case SIOCOUTQ:
		value = sk_wmem_alloc_get(sk);
		return 0;
	case SIOCINQ: {
		spin_lock_bh(sk.sk_receive_queue.lock);
		const sk_buff *skb = skb_peek(sk.sk_receive_queue);

		value = skb ? static_cast<int>(skb->len) : 0;
		spin_unlock_bh(sk.sk_receive_queue.lock);
		return 0;
	}
	default:
		return -ENOIOCTLCMD;
	}
}

// --- the protocol ---

namespace {

sock *construct_raw_sock(void *memory) { return ::new (memory) raw_sock; }
void destruct_raw_sock(sock &sk) { raw_sk(sk).~raw_sock(); }

} // namespace

proto raw_prot = {
	.name = "RAW",
	.close = raw_close,
	.connect = ip4_datagram_connect,
	.disconnect = __udp_disconnect,
	.ioctl = raw_ioctl,
	.init = raw_sk_init,
	.destroy = raw_destroy,
	.setsockopt = raw_setsockopt,
	.getsockopt = raw_getsockopt,
	.sendmsg = raw_sendmsg,
	.recvmsg = raw_recvmsg,
	.bind = raw_bind,
	.backlog_rcv = raw_rcv_skb,
	.release_cb = ip4_datagram_release_cb,
	.hash = raw_hash_sk,
	.unhash = raw_unhash_sk,
	.obj_size = sizeof(raw_sock),
	.construct = construct_raw_sock,
	.destruct = destruct_raw_sock,
};

void raw_init()
{
	TRACE();
	assert(raw_v4_hashinfo->ht[0].empty());
}

} // namespace skbwalk
