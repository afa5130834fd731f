// SPDX-License-Identifier: GPL-2.0-only
//
// The functions that the kernel has inline in include/net/ip.h: what may be fragmented, the MTU that counts,
// identifiers.
#pragma once

#include <algorithm>

#include "stack/ipv4/ip.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

inline u8 RT_TOS(u8 tos) { return tos & IPTOS_TOS_MASK; }
inline u8 RT_CONN_FLAGS_TOS(const sock &sk, u8 tos)
{
	return static_cast<u8>(RT_TOS(tos) | sock_flag(sk, SOCK_LOCALROUTE));
}
inline u8 RT_CONN_FLAGS(const sock &sk) { return RT_CONN_FLAGS_TOS(sk, inet_sk(sk).tos); }
// Of a datagram: its own type of service, else the socket's.
inline u8 get_rttos(const ipcm_cookie &ipc, const inet_sock &inet)
{
	return RT_TOS(ipc.tos != -1 ? static_cast<u8>(ipc.tos) : inet.tos);
}
inline u8 get_rtconn_flags(const ipcm_cookie &ipc, const sock &sk)
{
	return ipc.tos != -1 ? RT_CONN_FLAGS_TOS(sk, static_cast<u8>(ipc.tos)) : RT_CONN_FLAGS(sk);
}
inline u32 IP4_REPLY_MARK(const net &net, u32 mark) { return net.ipv4.sysctl_fwmark_reflect ? mark : 0; }
inline u8 ip_reply_arg_flowi_flags(const ip_reply_arg &arg)
{
	return arg.flags & IP_REPLY_ARG_NOSRCCHECK ? FLOWI_FLAG_ANYSRC : 0;
}
inline bool ip_is_fragment(const iphdr &iph) { return ntohs(iph.frag_off) & (IP_MF | IP_OFFSET); }
inline int ip_check_csum_start(const sk_buff &skb)
{
	return skb.csum_start < skb.network_header + ip_hdrlen(skb) ? -EINVAL : 0;
}
// Mends the checksum for a TTL one less.
inline int ip_decrease_ttl(iphdr &iph)
{
	const u32 check = iph.check.raw() + u32{htons(0x0100).raw()};

	iph.check = std::bit_cast<be16>(static_cast<u16>(check + (check >= 0xFFFF)));
	return --iph.ttl;
}
inline bool ip_mtu_locked(const dst_entry &dst)
{
	return dst_rtable(dst).rt_mtu_locked || dst_metric_locked(dst, RTAX_MTU);
}
inline bool ip_dont_fragment(const sock &sk, const dst_entry &dst)
{
	TRACE_INLINE(sk);
	const u8 pmtudisc = inet_sk(sk).pmtudisc;

	return pmtudisc == IP_PMTUDISC_DO || (pmtudisc == IP_PMTUDISC_WANT && !ip_mtu_locked(dst));
}
inline bool ip_sk_accept_pmtu(const sock &sk)
{
	return inet_sk(sk).pmtudisc != IP_PMTUDISC_INTERFACE && inet_sk(sk).pmtudisc != IP_PMTUDISC_OMIT;
}
inline bool ip_sk_use_pmtu(const sock &sk) { return inet_sk(sk).pmtudisc < IP_PMTUDISC_PROBE; }
inline bool ip_sk_ignore_df(const sock &sk)
{
	return inet_sk(sk).pmtudisc < IP_PMTUDISC_DO || inet_sk(sk).pmtudisc == IP_PMTUDISC_OMIT;
}
// A router does not trust what ICMP said of a path, unless it is told to.
// not traced: what two functions of older releases both have
inline u32 mtu_of_route(const dst_entry &dst, bool with_learned)
{
	const rtable &rt = dst_rtable(dst);
	const net_device &dev = *dst.dev;

	if (with_learned && rt.rt_pmtu && time_before(jiffies(), dst.expires))
		return std::min<u32>(rt.rt_pmtu, IP_MAX_MTU);
	u32 mtu = dst_metric_raw(dst, RTAX_MTU);
	if (!mtu) {
		mtu = dev.mtu;
		if (ip_mtu_locked(dst) && rt.rt_uses_gateway && mtu > 576)
			mtu = 576;
	}
	return std::min(mtu, IP_MAX_MTU);
}
inline u32 ip_dst_mtu_maybe_forward(const dst_entry &dst, bool forwarding)
{
	TRACE_INLINE();
	const bool with_learned =
		dev_net(*dst.dev).ipv4.sysctl_ip_fwd_use_pmtu || ip_mtu_locked(dst) || !forwarding;

	if (with_learned && current.host->features.mtu_by_dst_ops)
		return dst_mtu(dst);
	return mtu_of_route(dst, with_learned);
}
inline u32 ip_skb_dst_mtu(sock *sk, const sk_buff &skb)
{
	TRACE_INLINE(skb, sk);
	const dst_entry &dst = *skb_dst(skb);

	if (!sk || !sk_fullsock(*sk) || ip_sk_use_pmtu(*sk))
		return ip_dst_mtu_maybe_forward(dst, IPCB(skb).flags & IPSKB_FORWARDED);
	return std::min(dst.dev->mtu, IP_MAX_MTU);
}
// A connected socket counts its own; a packet that nobody may fragment needs none.
inline void ip_select_ident_segs(net &net, sk_buff &skb, sock *sk, int segs)
{
	TRACE_INLINE(skb, sk);
	iphdr &iph = ip_hdr(skb);

	if (sk && inet_sk(*sk).inet_daddr) {
		u16 &id = inet_sk(*sk).inet_id;

		if (sk->sk_protocol == IPPROTO_TCP) {
			iph.id = htons(id);
			id = static_cast<u16>(id + segs);
		} else {
			id = static_cast<u16>(id + segs);
			iph.id = htons(id);
		}
	} else if ((ntohs(iph.frag_off) & IP_DF) && !skb.ignore_df) {
		iph.id = be16{};
	} else {
		__ip_select_ident(net, iph, segs);
	}
}
inline void ip_select_ident(net &net, sk_buff &skb, sock *sk)
{
	TRACE_INLINE(skb, sk);
	ip_select_ident_segs(net, skb, sk, 1);
}
inline int ip_options_echo(net &net, ip_options &dopt, sk_buff &skb)
{
	TRACE_INLINE(skb);
	return __ip_options_echo(net, dopt, skb, IPCB(skb));
}
inline void ip_cmsg_recv(msghdr &msg, sk_buff &skb)
{
	TRACE_INLINE(skb);
	ip_cmsg_recv_offset(msg, *skb.sk, skb, 0, 0);
}
inline bool ip_defrag_user_in_between(u32 user, ip_defrag_users lower_bond, ip_defrag_users upper_bond)
{
	return user >= lower_bond && user <= upper_bond;
}

} // namespace skbwalk
