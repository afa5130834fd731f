// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/icmp.c, what goes out. icmp_reply answers a request, __icmp_send reports an error about a packet:
// each asks the limits of the namespace (icmpv4_global_allow) and of the receiver (icmpv4_xrlim_allow), takes
// this cpu's control socket, finds a route back and gives header and data to icmp_push_reply. An error is
// sent about a first fragment only, never about an error, and never to many.
#include <utility>

#include "stack/core/xfrm.h"
#include "stack/ipv4/icmp_private.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/ipv4/route.h"
#include "stack/security/security.h"

namespace skbwalk {

namespace {

percpu<sock *> ipv4_icmp_sk;

} // namespace

// Null: this cpu is sending one already, and the message is about that.
static sock *icmp_xmit_lock(net &net)
{
	TRACE();
	sock *sk = *ipv4_icmp_sk;

	if (!_raw_spin_trylock(sk->sk_lock.slock))
		return nullptr;
	sk->skc_net = &net;
	return sk;
}

static void icmp_xmit_unlock(sock &sk)
{
	TRACE(sk);
	sk.skc_net = &init_net();
	spin_unlock(sk.sk_lock.slock);
}

// May one more be sent? A bucket of icmp_msgs_burst tokens, refilled by time; icmp_global_consume takes from
// it.
bool icmp_global_allow(net &net)
{
	TRACE();
	netns_ipv4 &ipv4 = net.ipv4;

	if (ipv4.icmp_global_credit > 0)
		return true;
	const u32 now = jiffies();
	const u32 delta = std::min<u32>(now - ipv4.icmp_global_stamp, HZ);
	if (delta < HZ / 50)
		return false;
	const auto incr = static_cast<int>(static_cast<u64>(ipv4.sysctl_icmp_msgs_per_sec) * delta / HZ);
	if (!incr)
		return false;
	ipv4.icmp_global_stamp = now;
	ipv4.icmp_global_credit = std::min(ipv4.icmp_global_credit + incr, ipv4.sysctl_icmp_msgs_burst);
	return true;
}

// A random number of tokens, so that nobody can count what this host sends to others.
void icmp_global_consume(net &net)
{
	TRACE();
	net.ipv4.icmp_global_credit -= static_cast<int>(get_random_u32_below<3>());
}

// Is this type free of limits?
static bool icmpv4_mask_allow(const net &net, int type, int code)
{
	TRACE();
	if (type > NR_ICMP_TYPES)
		return true;
	if (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED)
		return true;
	return !((1 << type) & net.ipv4.sysctl_icmp_ratemask);
}

static bool icmpv4_global_allow(net &net, int type, int code, bool &apply_ratelimit)
{
	TRACE();
	if (icmpv4_mask_allow(net, type, code))
		return true;
	if (icmp_global_allow(net)) {
		apply_ratelimit = true;
		return true;
	}
	ICMP_INC_STATS(net, ICMP_MIB_RATELIMITGLOBAL);
	return false;
}

static bool icmpv4_xrlim_allow(net &net, const rtable &rt, const flowi4 &fl4, int, int, bool apply_ratelimit)
{
	TRACE();
	if (!apply_ratelimit)
		return true;
	TRACE_PART();
	const net_device *dev = rt.dev;
	bool rc = true;

	rcu_read_lock();
	if (!dev || !(dev->flags & IFF_LOOPBACK)) {
		inet_peer *peer = inet_getpeer_v4(*net.ipv4.peers, fl4.daddr, l3mdev_master_ifindex_rcu(dev));

		rc = inet_peer_xrlim_allow(peer, static_cast<int>(msecs_to_jiffies(
							 static_cast<u64>(net.ipv4.sysctl_icmp_ratelimit))));
	}
	rcu_read_unlock();
	if (rc)
		icmp_global_consume(net);
	else
		ICMP_INC_STATS(net, ICMP_MIB_RATELIMITHOST);
	return rc;
}

void icmp_out_count(net &net, u8 type)
{
	TRACE();
	ICMPMSGOUT_INC_STATS(net, type);
	ICMP_INC_STATS(net, ICMP_MIB_OUTMSGS);
}

static int icmp_glue_bits(void *from, char *to, int offset, int len, int odd, sk_buff &skb)
{
	TRACE(skb);
	icmp_bxm &icmp_param = *static_cast<icmp_bxm *>(from);
	const __wsum csum = skb_copy_and_csum_bits(*icmp_param.skb, icmp_param.offset + offset,
	                                           reinterpret_cast<u8 *>(to), len);

	skb.csum = csum_block_add(skb.csum, csum, static_cast<u32>(odd));
	const u8 type = icmp_param.data.icmph.type;
	if (type <= NR_ICMP_TYPES && icmp_pointers[type].error)
		nf_ct_attach(skb, *icmp_param.skb);
	return 0;
}

// The checksum is of the header and of every fragment.
static void icmp_push_reply(sock &sk, icmp_bxm &icmp_param, flowi4 &fl4, ipcm_cookie &ipc, rtable *&rt)
{
	TRACE(sk);
	if (ip_append_data(sk, fl4, icmp_glue_bits, &icmp_param, icmp_param.data_len + icmp_param.head_len,
	                   icmp_param.head_len, ipc, rt, MSG_DONTWAIT) < 0) {
		ICMP_INC_STATS(sock_net(sk), ICMP_MIB_OUTERRORS);
		ip_flush_pending_frames(sk);
	} else if (sk_buff *skb = skb_peek(sk.sk_write_queue)) {
		struct icmphdr &icmph = icmp_hdr(*skb);
		__wsum csum = csum_partial_copy_nocheck(&icmp_param.data, &icmph,
		                                        static_cast<u32>(icmp_param.head_len));

		for (const sk_buff *skb1 = skb; skb1; skb1 = skb_queue_next(sk.sk_write_queue, *skb1))
			csum = csum_add(csum, skb1->csum);
		icmph.checksum = csum_fold(csum);
		skb->ip_summed = CHECKSUM_NONE;
		ip_push_pending_frames(sk, fl4);
	}
}

namespace {

// With the control socket taken.
void reply_from(sock &sk, net &net, icmp_bxm &icmp_param, sk_buff &skb, bool apply_ratelimit)
{
	const u32 mark = IP4_REPLY_MARK(net, skb.mark);
	const int type = icmp_param.data.icmph.type, code = icmp_param.data.icmph.code;
	ipcm_cookie ipc;
	flowi4 fl4;

	icmp_param.data.icmph.checksum = be16{};
	ipcm_init(ipc);
	inet_sk(sk).tos = ip_hdr(skb).tos;
	ipc.mark = mark;
	be32 daddr = ipc.addr = ip_hdr(skb).saddr;
	const be32 saddr = fib_compute_spec_dst(skb);
	if (icmp_param.replyopts.optlen) {
		ipc.opt = &icmp_param.replyopts;
		if (ipc.opt->srr)
			daddr = icmp_param.replyopts.faddr;
	}
	fl4.daddr = daddr;
	fl4.saddr = saddr;
	fl4.flowi4_mark = mark;
	fl4.flowi4_uid = sock_net_uid(net, nullptr);
	fl4.flowi4_tos = RT_TOS(ip_hdr(skb).tos);
	fl4.flowi4_proto = IPPROTO_ICMP;
	fl4.flowi4_oif = l3mdev_master_ifindex(*skb.dev);
	security_skb_classify_flow(skb, fl4);
	rtable *rt = ip_route_output_key(net, fl4).rt;
	if (!rt)
		return;
	if (icmpv4_xrlim_allow(net, *rt, fl4, type, code, apply_ratelimit))
		icmp_push_reply(sk, icmp_param, fl4, ipc, rt);
	dst_release(rt);
}

} // namespace

void icmp_reply(icmp_bxm &icmp_param, sk_buff &skb)
{
	TRACE(skb);
	net &net = dev_net(*skb_dst(skb)->dev);
	bool apply_ratelimit = false;

	if (ip_options_echo(net, icmp_param.replyopts, skb))
		return;
	local_bh_disable();
	if (icmpv4_global_allow(net, icmp_param.data.icmph.type, icmp_param.data.icmph.code,
	                        apply_ratelimit)) {
		if (sock *sk = icmp_xmit_lock(net)) {
			reply_from(*sk, net, icmp_param, skb, apply_ratelimit);
			icmp_xmit_unlock(*sk);
		}
	}
	local_bh_enable();
}

// Which device's table leads back? The one the packet came in by, if it did.
static net_device *icmp_get_route_lookup_dev(const sk_buff &skb)
{
	TRACE(skb);
	return skb.dev ? skb.dev : skb_dst(skb) ? skb_dst(skb)->dev : nullptr;
}

namespace {

// The route that the packet would take if it came back: for a flow that policies know by its first packet's
// addresses.
rt_or_err reverse_route(net &net, sk_buff &skb_in, net_device *lookup_dev, const flowi4 &fl4_dec)
{
	flowi4 fl4_2 = fl4_dec;

	if (inet_addr_type_dev_table(net, lookup_dev, fl4_dec.saddr) == RTN_LOCAL)
		return __ip_route_output_key(net, fl4_2);
	std::swap(fl4_2.daddr, fl4_2.saddr);
	if (fl4_2.flowi4_proto == IPPROTO_TCP || fl4_2.flowi4_proto == IPPROTO_UDP)
		std::swap(fl4_2.fl4_sport, fl4_2.fl4_dport);
	fl4_2.flowi4_oif = lookup_dev ? l3mdev_master_ifindex(*lookup_dev) : 0;
	fl4_2.flowi4_flags |= FLOWI_FLAG_ANYSRC;
	rt_or_err out = __ip_route_output_key(net, fl4_2);
	if (!out.rt)
		return out;

	// As if it had come in by the device that leads there.
	const std::uintptr_t orefdst = std::exchange(skb_in._skb_refdst, 0);
	int err = ip_route_input(skb_in, fl4_dec.daddr, fl4_dec.saddr, fl4_dec.flowi4_tos, *out.rt->dev);
	dst_release(out.rt);
	rtable *rt2 = skb_rtable(skb_in);
	skb_in._skb_refdst = orefdst;
	// Nothing can be sent by a route to here or to nowhere.
	if (!err && rt2 && (rt2->rt_type == RTN_LOCAL || rt2->rt_type == RTN_UNREACHABLE)) {
		dst_release(rt2);
		err = -EINVAL;
	}
	return err || !rt2 ? rt_or_err{nullptr, err ? err : -EINVAL} : rt_or_err{rt2, 0};
}

} // namespace

static rt_or_err icmp_route_lookup(net &net, flowi4 &fl4, sk_buff &skb_in, const iphdr &iph, be32 saddr,
                                   u8 tos, u32 mark, int type, int code, const icmp_bxm &param)
{
	TRACE(skb_in);
	fl4 = {};
	fl4.daddr = param.replyopts.srr ? param.replyopts.faddr : iph.saddr;
	fl4.saddr = saddr;
	fl4.flowi4_mark = mark;
	fl4.flowi4_uid = sock_net_uid(net, nullptr);
	fl4.flowi4_tos = static_cast<u8>(tos & ~3);
	fl4.flowi4_proto = IPPROTO_ICMP;
	fl4.fl4_icmp_type = static_cast<u8>(type);
	fl4.fl4_icmp_code = static_cast<u8>(code);
	net_device *route_lookup_dev = icmp_get_route_lookup_dev(skb_in);
	fl4.flowi4_oif = route_lookup_dev ? l3mdev_master_ifindex(*route_lookup_dev) : 0;
	security_skb_classify_flow(skb_in, fl4);
	const rt_or_err found = ip_route_output_key_hash(net, fl4, &skb_in);
	if (!found.rt)
		return found;

	// Null: policies forbid the flow as it stands.
	auto *rt = static_cast<rtable *>(xfrm_lookup(net, found.rt, fl4, nullptr, 0));
	if (rt) {
		if (rt != found.rt || inet_addr_type_dev_table(net, route_lookup_dev, fl4.daddr) == RTN_LOCAL)
			return {rt, 0};
	}
	const auto relookup_failed = [&](int err) { return rt ? rt_or_err{rt, 0} : rt_or_err{nullptr, err}; };
	flowi4 fl4_dec;
	if (const int err = xfrm_decode_session_reverse(skb_in, fl4_dec, AF_INET))
		return relookup_failed(err);
	const rt_or_err reverse = reverse_route(net, skb_in, route_lookup_dev, fl4_dec);
	if (!reverse.rt)
		return relookup_failed(reverse.err);
	auto *rt2 = static_cast<rtable *>(xfrm_lookup(net, reverse.rt, fl4_dec, nullptr, XFRM_LOOKUP_ICMP));
	if (rt2) {
		dst_release(rt);
		fl4 = fl4_dec;
		return {rt2, 0};
	}
	if (net.xfrm.policy_default[XFRM_POLICY_OUT] == XFRM_USERPOLICY_BLOCK) {
		if (rt)
			dst_release(rt);
		return {nullptr, -EPERM};
	}
	return relookup_failed(-ENOENT);
}

namespace {

// Is skb_in one that an error may be sent about (RFC 1122, section 3.2.2)?
bool may_report(sk_buff &skb_in, const rtable &rt, int type)
{
	const u8 *nh = skb_network_header(skb_in);

	if (nh < skb_in.head || nh + sizeof(iphdr) > skb_tail_pointer(skb_in))
		return false;
	if (skb_in.pkt_type != PACKET_HOST || (rt.rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)))
		return false;
	const iphdr &iph = ip_hdr(skb_in);
	if (ntohs(iph.frag_off) & IP_OFFSET)
		return false;
	if (icmp_pointers[static_cast<u8>(type)].error && iph.protocol == IPPROTO_ICMP) {
		u8 inner_type;
		const void *itp = skb_header_pointer(
			skb_in, skb_network_offset(skb_in) + static_cast<int>(iph.ihl() * 4), 1, &inner_type);

		if (!itp)
			return false;
		inner_type = *static_cast<const u8 *>(itp);
		if (inner_type > NR_ICMP_TYPES || icmp_pointers[inner_type].error)
			return false;
	}
	return true;
}

// The address that the error comes from: the one the packet was sent to, if that is here. Zero: as the route
// says.
be32 error_source(net &net, const sk_buff &skb_in, const rtable &rt)
{
	const iphdr &iph = ip_hdr(skb_in);

	if (rt.rt_flags & RTCF_LOCAL)
		return iph.daddr;
	net_device *dev = nullptr;
	if (rt_is_input_route(rt) && net.ipv4.sysctl_icmp_errors_use_inbound_ifaddr)
		dev = dev_get_by_index_rcu(net, inet_iif(skb_in));
	return dev ? inet_select_addr(*dev, iph.saddr, RT_SCOPE_LINK) : be32{};
}

// With the control socket taken.
void send_from(sock &sk, net &net, sk_buff &skb_in, const rtable &rt_in, int type, int code, be32 info,
               const ip_options_info &opt, bool apply_ratelimit)
{
	const iphdr &iph = ip_hdr(skb_in);
	const be32 saddr = error_source(net, skb_in, rt_in);
	const u8 tos = icmp_pointers[static_cast<u8>(type)].error
	                       ? static_cast<u8>(RT_TOS(iph.tos) | IPTOS_PREC_INTERNETCONTROL)
	                       : iph.tos;
	const u32 mark = IP4_REPLY_MARK(net, skb_in.mark);
	icmp_bxm icmp_param;
	ipcm_cookie ipc;
	flowi4 fl4;

	if (__ip_options_echo(net, icmp_param.replyopts, skb_in, opt))
		return;
	icmp_param.data.icmph.type = static_cast<u8>(type);
	icmp_param.data.icmph.code = static_cast<u8>(code);
	icmp_param.data.icmph.un.gateway = info;
	icmp_param.skb = &skb_in;
	icmp_param.offset = skb_network_offset(skb_in);
	inet_sk(sk).tos = tos;
	ipcm_init(ipc);
	ipc.addr = iph.saddr;
	ipc.opt = &icmp_param.replyopts;
	ipc.mark = mark;
	rtable *rt = icmp_route_lookup(net, fl4, skb_in, iph, saddr, tos, mark, type, code, icmp_param).rt;
	if (!rt)
		return;
	if (icmpv4_xrlim_allow(net, *rt, fl4, type, code, apply_ratelimit)) {
		// As much of the packet as fits into 576 bytes (RFC 1812, section 4.3.2.3).
		const int room = static_cast<int>(std::min(dst_mtu(*rt), 576u)) -
		                 static_cast<int>(sizeof(iphdr) + icmp_param.replyopts.optlen +
		                                  sizeof(struct icmphdr));

		if (room > static_cast<int>(sizeof(iphdr))) {
			icmp_param.data_len =
				std::min(static_cast<int>(skb_in.len) - icmp_param.offset, room);
			icmp_param.head_len = sizeof(struct icmphdr);
			if (!fl4.saddr)
				fl4.saddr = htonl(INADDR_DUMMY);
			icmp_push_reply(sk, icmp_param, fl4, ipc, rt);
		}
	}
	dst_release(rt);
}

} // namespace

void __icmp_send(sk_buff &skb_in, int type, int code, be32 info, const ip_options_info &opt)
{
	TRACE(skb_in);
	const rtable *rt = skb_rtable(skb_in);
	bool apply_ratelimit = false;

	if (!rt)
		return;
	rcu_read_lock();
	net &net = dev_net(rt->dev ? *rt->dev : *skb_in.dev);
	if (may_report(skb_in, *rt, type)) {
		local_bh_disable();
		if ((skb_in.dev && (skb_in.dev->flags & IFF_LOOPBACK)) ||
		    icmpv4_global_allow(net, type, code, apply_ratelimit)) {
			if (sock *sk = icmp_xmit_lock(net)) {
				send_from(*sk, net, skb_in, *rt, type, code, info, opt, apply_ratelimit);
				icmp_xmit_unlock(*sk);
			}
		}
		local_bh_enable();
	}
	rcu_read_unlock();
}

// Each cpu gets a socket to send by; its namespace is that of each message.
void icmp_init()
{
	TRACE();
	for (const auto &c : current.host->cpus) {
		sock *sk = nullptr;
		[[maybe_unused]] const int err =
			inet_ctl_sock_create(sk, PF_INET, SOCK_RAW, IPPROTO_ICMP, init_net());

		assert(!err);
		sk->sk_sndbuf = static_cast<int>(2 * SKB_TRUESIZE(64 * 1024)); // two of the longest
		sock_set_flag(*sk, SOCK_USE_WRITE_QUEUE);
		inet_sk(*sk).pmtudisc = IP_PMTUDISC_DONT;
		ipv4_icmp_sk.of(*c) = sk;
	}
}

void icmp_exit()
{
	TRACE();
	for (const auto &c : current.host->cpus)
		if (sock *sk = std::exchange(ipv4_icmp_sk.of(*c), nullptr))
			inet_ctl_sock_destroy(*sk);
}

} // namespace skbwalk
