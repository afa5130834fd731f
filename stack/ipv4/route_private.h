// SPDX-License-Identifier: GPL-2.0-only
//
// What the parts of net/ipv4/route.c share: route.cpp (the dst itself), route_exception.cpp (path MTU,
// redirects), route_output.cpp and route_input.cpp.
#pragma once

#include "stack/ipv4/icmp.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/ip_fib.h"

namespace skbwalk {

constexpr u8 ICMP_REDIR_NET = 0, ICMP_REDIR_HOST = 1, ICMP_REDIR_NETTOS = 2, ICMP_REDIR_HOSTTOS = 3;
constexpr u8 IPPROTO_IGMP = 2;
constexpr u32 RT_GC_TIMEOUT = 300 * HZ;

// /proc/net/stat/rt_cache
struct rt_cache_stat {
	u32 in_slow_tot = 0, in_slow_mc = 0, in_no_route = 0, in_brd = 0, in_martian_dst = 0,
	    in_martian_src = 0, out_slow_tot = 0, out_slow_mc = 0;
};
extern const percpu<rt_cache_stat> rt_cache_stats;

extern const dst_ops ipv4_dst_ops;

bool rt_cache_valid(const rtable *rt);
bool rt_cache_route(fib_nh_common &nhc, rtable &rt);
void rt_set_nexthop(rtable &rt, be32 daddr, const fib_result &res, fib_nh_exception *fnhe, fib_info *fi,
                    bool do_cache);
int ip_rt_bug(net &net, sock *sk, skb_ptr skb);
inline rtable *&rt_pcpu_output(fib_nh_common &nhc) { return nhc.nhc_pcpu_rth_output[current.cpu->id]; }

fib_nh_exception *find_exception(fib_nh_common &nhc, be32 daddr);
bool rt_bind_exception(rtable &rt, fib_nh_exception &fnhe, be32 daddr, bool do_cache);
void ipv4_negative_advice(sock &sk, dst_entry &dst);
void ip_rt_update_pmtu(dst_entry &dst, sock *sk, sk_buff *skb, u32 mtu, bool confirm_neigh);
void ip_do_redirect(dst_entry &dst, sock *sk, sk_buff &skb);

inline u8 ip_sock_rt_scope(const sock &sk)
{
	return sock_flag(sk, SOCK_LOCALROUTE) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}
inline u8 ip_sock_rt_tos(const sock &sk) { return RT_TOS(inet_sk(sk).tos); }

} // namespace skbwalk
