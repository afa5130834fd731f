// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_output.c, datagrams. ip_setup_cork takes the route and what holds for the whole datagram;
// __ip_append_data takes bytes from the caller by its getfrag function and lays them in packets of the MTU,
// so that a datagram which must be fragmented is born in its fragments; __ip_make_skb joins these to one
// packet and writes its header; ip_send_skb sends it. ip_make_skb does all for one call's data without
// touching the socket, ip_append_data and ip_push_pending_frames do it over several calls (and for kernel's
// own: ICMP). ip_send_unicast_reply answers a packet of no socket: TCP's resets. Left out: sendpage, zero
// copy, time stamps on request.
#include <algorithm>
#include <new>

#include "stack/core/sysctl_net_core.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/ip_output.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/security/security.h"

namespace skbwalk {

namespace {

// The longest head that is asked for in one piece: an order that allocation rarely fails at.
constexpr u32 SKB_MAX_ALLOC = (static_cast<u32>(PAGE_SIZE) << 2) - SKB_SHINFO_SIZE;

} // namespace

int ip_generic_getfrag(void *from, char *to, int, int len, int odd, sk_buff &skb)
{
	TRACE(skb);
	msghdr &msg = *static_cast<msghdr *>(from);
	const auto n = static_cast<std::size_t>(len);

	if (skb.ip_summed == CHECKSUM_PARTIAL)
		return copy_from_iter_full(to, n, msg.msg_iter) ? 0 : -EFAULT;
	__wsum csum = 0;
	if (!csum_and_copy_from_iter_full(to, n, csum, msg.msg_iter))
		return -EFAULT;
	skb.csum = csum_block_add(skb.csum, csum, static_cast<u32>(odd));
	return 0;
}

namespace {

// What __ip_append_data knows of the datagram it lays out. Lengths in bytes; those of a fragment with its IP
// header.
struct layout {
	sock &sk;
	sk_buff_head &queue;
	inet_cork &cork;
	page_frag &pfrag;
	getfrag_fn getfrag;
	void *from;
	u32 flags;
	net_device &dev;
	bool paged;
	u8 csummode;
	int mtu;
	int fragheaderlen;
	int maxfraglen;  // of a fragment that is not the last
	int length;      // still to come
	int transhdrlen; // room for the transport's header, which its owner fills; zero once there is one
	int offset = 0;  // in the caller's data
	int wmem_alloc_delta = 0;
};

// Begins a packet behind `skb_prev` (null: the first) and fills it. What stands beyond the last multiple of
// eight in the one before moves over, since that one is not the last any more.
int append_skb(layout &l, sk_buff *skb_prev)
{
	const int fraggap = skb_prev ? static_cast<int>(skb_prev->len) - l.maxfraglen : 0;
	int datalen = l.length + fraggap;
	if (datalen > l.mtu - l.fragheaderlen)
		datalen = l.maxfraglen - l.fragheaderlen;
	const int fraglen = datalen + l.fragheaderlen;
	const auto hh_len = static_cast<int>(LL_RESERVED_SPACE(l.dev));
	const int alloc_extra = hh_len + 15;
	int alloclen = fraglen, pagedlen = 0;

	if ((l.flags & MSG_MORE) && !(l.dev.features & NETIF_F_SG)) {
		alloclen = l.mtu;
	} else if (l.paged || (fraglen + alloc_extra >= static_cast<int>(SKB_MAX_ALLOC) &&
	                       (l.dev.features & NETIF_F_SG))) {
		alloclen = l.fragheaderlen + l.transhdrlen + fraggap;
		pagedlen = datalen - l.transhdrlen - fraggap;
	}
	alloclen += alloc_extra;

	skb_ptr skb;
	int err = -ENOBUFS;
	if (l.transhdrlen)
		skb = sock_alloc_send_skb(l.sk, static_cast<u64>(alloclen),
		                          static_cast<int>(l.flags & MSG_DONTWAIT), err);
	else if (refcount_read(l.sk.sk_wmem_alloc) + l.wmem_alloc_delta <= 2 * l.sk.sk_sndbuf)
		skb = alloc_skb(static_cast<u32>(alloclen), l.sk.sk_allocation);
	if (!skb)
		return err;

	skb->ip_summed = l.csummode & 3;
	skb->csum = 0;
	skb_reserve(*skb, static_cast<u32>(hh_len));
	u8 *data = skb_put(*skb, static_cast<u32>(fraglen - pagedlen));
	skb_set_network_header(*skb, 0);
	skb->transport_header = static_cast<u16>(skb->network_header + l.fragheaderlen);
	data += l.fragheaderlen;
	if (fraggap) {
		skb->csum = skb_copy_and_csum_bits(*skb_prev, l.maxfraglen, data + l.transhdrlen, fraggap);
		skb_prev->csum = csum_sub(skb_prev->csum, skb->csum);
		data += fraggap;
		pskb_trim_unique(*skb_prev, static_cast<u32>(l.maxfraglen));
	}
	const int copy = datalen - l.transhdrlen - fraggap - pagedlen;
	if (copy > 0 && l.getfrag(l.from, reinterpret_cast<char *>(data + l.transhdrlen), l.offset, copy,
	                          fraggap, *skb) < 0) {
		kfree_skb(std::move(skb));
		return -EFAULT;
	}
	l.offset += copy;
	l.length -= copy + l.transhdrlen;
	l.transhdrlen = 0;
	l.csummode = CHECKSUM_NONE;
	skb_shinfo(*skb).tx_flags =
		std::exchange(l.cork.tx_flags, u8{0}); // a time stamp is of the first fragment only
	if ((l.flags & MSG_CONFIRM) && !skb_prev)
		skb->dst_pending_confirm = 1;
	if (!skb->destructor) {
		skb->destructor = sock_wfree;
		skb->sk = &l.sk;
		l.wmem_alloc_delta += static_cast<int>(skb->truesize);
	}
	__skb_queue_tail(l.queue, std::move(skb));
	return 0;
}

// Adds `copy` bytes at most to the packet: behind its head, or in pages where the device takes those.
int append_bytes(layout &l, sk_buff &skb, int copy)
{
	if (!(l.dev.features & NETIF_F_SG) && static_cast<int>(skb_tailroom(skb)) >= copy) {
		const u32 off = skb.len;
		u8 *to = skb_put(skb, static_cast<u32>(copy));

		if (l.getfrag(l.from, reinterpret_cast<char *>(to), l.offset, copy, static_cast<int>(off),
		              skb) < 0) {
			__skb_trim(skb, off);
			return -EFAULT;
		}
	} else {
		page_frag &pfrag = l.pfrag;
		u32 i = skb_shinfo(skb).nr_frags;

		if (!sk_page_frag_refill(l.sk, pfrag))
			return -ENOMEM;
		if (!skb_can_coalesce(skb, i, pfrag.pg, pfrag.offset)) {
			if (i == MAX_SKB_FRAGS)
				return -EMSGSIZE;
			__skb_fill_page_desc(skb, i, pfrag.pg, pfrag.offset, 0);
			skb_shinfo(skb).nr_frags = static_cast<u8>(++i);
			get_page(*pfrag.pg);
		}
		copy = std::min(copy, static_cast<int>(pfrag.size - pfrag.offset));
		auto *to = reinterpret_cast<char *>(pfrag.pg->data) + pfrag.offset;
		if (l.getfrag(l.from, to, l.offset, copy, static_cast<int>(skb.len), skb) < 0)
			return -EFAULT;
		pfrag.offset += static_cast<u32>(copy);
		skb_shinfo(skb).frags[i - 1].size += static_cast<u32>(copy);
		skb_len_add(skb, copy);
		l.wmem_alloc_delta += copy;
	}
	l.offset += copy;
	l.length -= copy;
	return 0;
}

} // namespace

static int __ip_append_data(sock &sk, flowi4 &fl4, sk_buff_head &queue, inet_cork &cork, page_frag &pfrag,
                            getfrag_fn getfrag, void *from, int length, int transhdrlen, u32 flags)
{
	TRACE(sk);
	const ip_options *opt = cork.opt;
	const int optlen = opt ? opt->optlen : 0;
	const rtable &rt = dst_rtable(*cork.dst);
	sk_buff *skb = skb_peek_tail(queue);
	const auto mtu = static_cast<int>(cork.gso_size ? IP_MAX_MTU : cork.fragsize);
	const int fragheaderlen = static_cast<int>(sizeof(iphdr)) + optlen;
	const int maxnonfragsize = ip_sk_ignore_df(sk) ? static_cast<int>(IP_MAX_MTU) : mtu;

	if (cork.length + length > maxnonfragsize - fragheaderlen) {
		ip_local_error(sk, EMSGSIZE, fl4.daddr, inet_sk(sk).inet_dport,
		               static_cast<u32>(mtu - optlen));
		return -EMSGSIZE;
	}
	// A datagram that begins here and is not fragmented can be summed by the device.
	const bool device_sums = transhdrlen && length + fragheaderlen <= mtu &&
	                         (rt.dev->features & (NETIF_F_HW_CSUM | NETIF_F_IP_CSUM)) &&
	                         (!(flags & MSG_MORE) || cork.gso_size);
	layout l{.sk = sk,
	         .queue = queue,
	         .cork = cork,
	         .pfrag = pfrag,
	         .getfrag = getfrag,
	         .from = from,
	         .flags = flags,
	         .dev = *rt.dev,
	         .paged = cork.gso_size != 0,
	         .csummode = device_sums ? CHECKSUM_PARTIAL : CHECKSUM_NONE,
	         .mtu = mtu,
	         .fragheaderlen = fragheaderlen,
	         .maxfraglen = ((mtu - fragheaderlen) & ~7) + fragheaderlen,
	         .length = length,
	         .transhdrlen = transhdrlen};
	int err = 0;

	cork.length += length;
	if (!skb)
		err = append_skb(l, nullptr);
	while (!err && l.length > 0) {
		skb = skb_peek_tail(queue);
		int copy = l.mtu - static_cast<int>(skb->len);
		if (copy < l.length)
			copy = l.maxfraglen - static_cast<int>(skb->len);
		err = copy <= 0 ? append_skb(l, skb) : append_bytes(l, *skb, std::min(copy, l.length));
	}
	if (err) {
		cork.length -= l.length;
		IP_INC_STATS(sock_net(sk), IPSTATS_MIB_OUTDISCARDS);
	}
	if (l.wmem_alloc_delta)
		refcount_add(l.wmem_alloc_delta, sk.sk_wmem_alloc);
	return err;
}

// On success the cork has the caller's route.
static int ip_setup_cork(sock &sk, inet_cork &cork, const ipcm_cookie &ipc, rtable *&rtp)
{
	TRACE(sk);
	rtable *rt = rtp;

	if (!rt)
		return -EFAULT;
	cork.fragsize = ip_sk_use_pmtu(sk) ? dst_mtu(*rt) : rt->dev->mtu;
	if (cork.fragsize < IPV4_MIN_MTU)
		return -ENETUNREACH;
	if (ipc.opt) {
		if (!cork.opt) {
			void *memory = kmalloc_trace(sizeof(ip_options), sk.sk_allocation);

			if (!memory)
				return -ENOBUFS;
			cork.opt = ::new (memory) ip_options;
		}
		*cork.opt = *ipc.opt;
		cork.flags |= IPCORK_OPT;
		cork.addr = ipc.addr;
	}
	cork.gso_size = ipc.gso_size;
	cork.dst = rt;
	rtp = nullptr;
	cork.length = 0;
	cork.ttl = ipc.ttl;
	cork.tos = ipc.tos;
	cork.mark = ipc.mark;
	cork.priority = ipc.priority;
	cork.transmit_time = ipc.transmit_time;
	cork.tx_flags = 0; // no SO_TIMESTAMPING
	return 0;
}

// Fragments wait on the socket until ip_push_pending_frames; the first call takes the route.
int ip_append_data(sock &sk, flowi4 &fl4, getfrag_fn getfrag, void *from, int length, int transhdrlen,
                   ipcm_cookie &ipc, rtable *&rtp, u32 flags)
{
	TRACE(sk);
	inet_cork &cork = inet_sk(sk).cork.base;

	if (flags & MSG_PROBE)
		return 0;
	if (skb_queue_empty(sk.sk_write_queue)) {
		if (const int err = ip_setup_cork(sk, cork, ipc, rtp))
			return err;
	} else {
		transhdrlen = 0;
	}
	return __ip_append_data(sk, fl4, sk.sk_write_queue, cork, sk_page_frag(sk), getfrag, from, length,
	                        transhdrlen, flags);
}

static void ip_cork_release(inet_cork &cork)
{
	TRACE();
	cork.flags &= ~IPCORK_OPT;
	kfree(std::exchange(cork.opt, nullptr));
	dst_release(std::exchange(cork.dst, nullptr));
}

skb_ptr __ip_make_skb(sock &sk, flowi4 &fl4, sk_buff_head &queue, inet_cork &cork)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);
	net &net = sock_net(sk);
	skb_ptr skb = __skb_dequeue(queue);

	if (!skb)
		return nullptr;
	sk_buff **tail_skb = &skb_shinfo(*skb).frag_list;
	if (skb->data < skb_network_header(*skb))
		__skb_pull(*skb, static_cast<u32>(skb_network_offset(*skb)));
	while (skb_ptr tmp_skb = __skb_dequeue(queue)) {
		__skb_pull(*tmp_skb, skb_network_header_len(*skb));
		skb->len += tmp_skb->len;
		skb->data_len += tmp_skb->len;
		skb->truesize += tmp_skb->truesize;
		tmp_skb->destructor = nullptr;
		tmp_skb->sk = nullptr;
		sk_buff *last = tmp_skb.release();
		*tail_skb = last;
		tail_skb = &last->next;
	}

	// Who does not insist on path MTU discovery lets this host fragment its datagrams.
	rtable &rt = dst_rtable(*cork.dst);
	skb->ignore_df = ip_sk_ignore_df(sk);
	be16 df{};
	if (inet.pmtudisc == IP_PMTUDISC_DO || inet.pmtudisc == IP_PMTUDISC_PROBE ||
	    (skb->len <= dst_mtu(rt) && ip_dont_fragment(sk, rt)))
		df = htons(IP_DF);
	ip_options *opt = cork.flags & IPCORK_OPT ? cork.opt : nullptr;
	u8 ttl = cork.ttl;
	if (!ttl)
		ttl = rt.rt_type == RTN_MULTICAST ? inet.mc_ttl : static_cast<u8>(ip_select_ttl(inet, rt));

	iphdr &iph = ip_hdr(*skb);
	iph.ver_ihl = 4 << 4 | 5;
	iph.tos = cork.tos != -1 ? static_cast<u8>(cork.tos) : inet.tos;
	iph.frag_off = df;
	iph.ttl = ttl;
	iph.protocol = sk.sk_protocol;
	ip_copy_addrs(iph, fl4);
	ip_select_ident(net, *skb, &sk);
	if (opt) {
		iph.ver_ihl = static_cast<u8>(iph.ver_ihl + (opt->optlen >> 2));
		ip_options_build(*skb, *opt, cork.addr, rt);
	}
	skb->priority = cork.tos != -1 ? cork.priority : sk.sk_priority;
	skb->mark = cork.mark;
	skb->tstamp = cork.transmit_time;
	skb_dst_set(*skb, std::exchange(cork.dst, nullptr)); // the packet has the route now

	if (iph.protocol == IPPROTO_ICMP) {
		// A raw socket's header may lie in a page, so it told the flow what type it sends.
		const bool raw = sk.sk_type == SOCK_RAW && !(fl4.flowi4_flags & FLOWI_FLAG_KNOWN_NH);

		icmp_out_count(net, raw ? fl4.fl4_icmp_type : icmp_hdr(*skb).type);
	}
	ip_cork_release(cork);
	return skb;
}

static skb_ptr ip_finish_skb(sock &sk, flowi4 &fl4)
{
	TRACE_INLINE(sk);
	return __ip_make_skb(sk, fl4, sk.sk_write_queue, inet_sk(sk).cork.base);
}

int ip_send_skb(net &net, skb_ptr skb)
{
	TRACE(skb);
	sock *sk = skb->sk;
	int err = ip_local_out(net, sk, std::move(skb));

	if (err) {
		if (err > 0)
			err = net_xmit_errno(err);
		if (err)
			IP_INC_STATS(net, IPSTATS_MIB_OUTDISCARDS);
	}
	return err;
}

int ip_push_pending_frames(sock &sk, flowi4 &fl4)
{
	TRACE(sk);
	skb_ptr skb = ip_finish_skb(sk, fl4);

	return skb ? ip_send_skb(sock_net(sk), std::move(skb)) : 0;
}

static void __ip_flush_pending_frames(sock &sk, sk_buff_head &queue, inet_cork &cork)
{
	TRACE(sk);
	while (skb_ptr skb = __skb_dequeue_tail(queue))
		kfree_skb(std::move(skb));
	ip_cork_release(cork);
}

void ip_flush_pending_frames(sock &sk)
{
	TRACE(sk);
	__ip_flush_pending_frames(sk, sk.sk_write_queue, inet_sk(sk).cork.base);
}

// Null with err == 0: nothing was to be made (MSG_PROBE).
skb_ptr ip_make_skb(sock &sk, flowi4 &fl4, getfrag_fn getfrag, void *from, int length, int transhdrlen,
                    ipcm_cookie &ipc, rtable *&rtp, inet_cork &cork, u32 flags, int &err)
{
	TRACE(sk);
	sk_buff_head queue;

	err = 0;
	if (flags & MSG_PROBE)
		return nullptr;
	cork.flags = 0;
	cork.addr = be32{};
	cork.opt = nullptr;
	err = ip_setup_cork(sk, cork, ipc, rtp);
	if (err)
		return nullptr;
	err = __ip_append_data(sk, fl4, queue, cork, sk_page_frag(sk), getfrag, from, length, transhdrlen,
	                       flags);
	if (err) {
		__ip_flush_pending_frames(sk, queue, cork);
		return nullptr;
	}
	return __ip_make_skb(sk, fl4, queue, cork);
}

static int ip_reply_glue_bits(void *dptr, char *to, int offset, int len, int odd, sk_buff &skb)
{
	TRACE(skb);
	const __wsum csum = csum_partial_copy_nocheck(static_cast<const char *>(dptr) + offset, to,
	                                              static_cast<u32>(len));

	skb.csum = csum_block_add(skb.csum, csum, static_cast<u32>(odd));
	return 0;
}

// `sk` is one of the kernel's own sockets and set up for this packet alone.
void ip_send_unicast_reply(sock &sk, sk_buff &skb, const ip_options_info &sopt, be32 daddr, be32 saddr,
                           const ip_reply_arg &arg, u32 len, u64 transmit_time, u32 txhash)
{
	TRACE(skb, sk);
	net &net = sock_net(sk);
	ip_options replyopts;
	ipcm_cookie ipc;
	flowi4 fl4;

	if (__ip_options_echo(net, replyopts, skb, sopt))
		return;
	ipcm_init(ipc);
	ipc.addr = daddr;
	ipc.transmit_time = transmit_time;
	if (replyopts.optlen) {
		ipc.opt = &replyopts;
		if (replyopts.srr)
			daddr = replyopts.faddr;
	}
	int oif = arg.bound_dev_if;
	if (!oif && netif_index_is_l3_master(net, skb.skb_iif))
		oif = skb.skb_iif;
	const u32 mark = IP4_REPLY_MARK(net, skb.mark);
	flowi4_init_output(fl4, oif, mark ? mark : sk.sk_mark, RT_TOS(arg.tos), RT_SCOPE_UNIVERSE,
	                   ip_hdr(skb).protocol, ip_reply_arg_flowi_flags(arg), daddr, saddr,
	                   tcp_hdr(skb).source, tcp_hdr(skb).dest, arg.uid);
	security_skb_classify_flow(skb, fl4);
	rtable *rt = ip_route_output_flow(net, fl4, &sk).rt;
	if (!rt)
		return;

	inet_sk(sk).tos = static_cast<u8>(arg.tos & ~3); // without ECN's bits
	sk.sk_protocol = ip_hdr(skb).protocol;
	sk.sk_bound_dev_if = arg.bound_dev_if;
	sk.sk_sndbuf = net_core->sysctl_wmem_default;
	ipc.mark = fl4.flowi4_mark;
	const int err = ip_append_data(sk, fl4, ip_reply_glue_bits, const_cast<void *>(arg.iov_base),
	                               static_cast<int>(len), 0, ipc, rt, MSG_DONTWAIT);
	if (err) {
		ip_flush_pending_frames(sk);
	} else if (sk_buff *nskb = skb_peek(sk.sk_write_queue)) {
		if (arg.csumoffset >= 0) {
			const be16 check = csum_fold(csum_add(nskb->csum, arg.csum));

			std::memcpy(skb_transport_header(*nskb) + 2 * arg.csumoffset, &check, sizeof(check));
		}
		nskb->ip_summed = CHECKSUM_NONE;
		nskb->mono_delivery_time = transmit_time != 0;
		if (txhash) {
			nskb->hash = txhash;
			nskb->l4_hash = 1;
			nskb->sw_hash = 0;
		}
		ip_push_pending_frames(sk, fl4);
	}
	dst_release(rt);
}

} // namespace skbwalk
