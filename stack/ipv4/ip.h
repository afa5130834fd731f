// SPDX-License-Identifier: GPL-2.0-only
//
// IPv4's own (include/net/ip.h): the control block, input, output, fragments, options.
#pragma once

#include "stack/ipv4/inet_sock.h"

namespace skbwalk {

struct packet_type;
struct rtable;

struct inet_skb_parm {
	int iif = 0;
	ip_options opt;
	u16 flags = 0;
	u16 frag_max_size = 0;
};
constexpr u16 IPSKB_FORWARDED = 1, IPSKB_XFRM_TUNNEL_SIZE = 2, IPSKB_XFRM_TRANSFORMED = 4, IPSKB_FRAG_COMPLETE = 8, IPSKB_REROUTED = 16,
	      IPSKB_DOREDIRECT = 32, IPSKB_FRAG_PMTU = 64, IPSKB_L3SLAVE = 128, IPSKB_NOPOLICY = 256, IPSKB_MULTIPATH = 512;

// The control block while IP has the skb. Unlike the kernel, options' data stays in the header: cb has the parsed numbers only.
struct inet_skb_cb {
	int iif;
	u16 flags;
	u16 frag_max_size;
	u8 optlen, srr, rr, ts;
	u8 is_strictroute : 1, srr_is_hit : 1, is_changed : 1, rr_needaddr : 1, ts_needtime : 1, ts_needaddr : 1;
	u8 router_alert, cipso;
	be32 nexthop, faddr;
};
static_assert(sizeof(inet_skb_cb) <= sizeof(sk_buff::cb));
inline inet_skb_cb &IPCB(sk_buff &skb) { return reinterpret_cast<inet_skb_cb &>(skb.cb); }
inline const inet_skb_cb &IPCB(const sk_buff &skb) { return reinterpret_cast<const inet_skb_cb &>(skb.cb); }

struct ipcm_cookie {
	u64 transmit_time = 0;
	u32 mark = 0;
	int tsflags = 0;
	int oif = 0;
	be32 addr{};
	ip_options *opt = nullptr;
	u8 protocol = 0;
	u8 ttl = 0;
	s16 tos = -1;
	u32 priority = 0;
	u16 gso_size = 0;
};
inline void ipcm_init_sk(ipcm_cookie &ipc, const inet_sock &inet)
{
	ipc.mark = inet.sk_mark;
	ipc.oif = inet.sk_bound_dev_if;
	ipc.addr = inet.inet_saddr;
	ipc.protocol = static_cast<u8>(inet.inet_num);
}
using getfrag_fn = int (*)(void *from, char *to, int offset, int len, int odd, sk_buff &skb);

constexpr u32 IP_REPLY_ARG_NOSRCCHECK = 1;
struct ip_reply_arg {
	const void *iov_base = nullptr;
	u32 iov_len = 0;
	int flags = 0;
	__wsum csum = 0;
	int csumoffset = -1; // in 16-bit words of the data; -1: none
	int bound_dev_if = 0;
	u8 tos = 0;
	u32 uid = 0;
};

enum ip_defrag_users { IP_DEFRAG_LOCAL_DELIVER = 0, IP_DEFRAG_CALL_RA_CHAIN = 1, IP_DEFRAG_CONNTRACK_IN = 2, IP_DEFRAG_CONNTRACK_OUT = 3,
		       IP_DEFRAG_CONNTRACK_BRIDGE_IN = 4 };

// --- ip_input.c ---
int ip_rcv(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev);
void ip_list_rcv(list_head &head, packet_type &pt, net_device &orig_dev);
int ip_local_deliver(skb_ptr skb);
int ip_local_deliver_finish(net &net, sock *sk, skb_ptr skb);
void ip_protocol_deliver_rcu(net &net, skb_ptr skb, int protocol);
bool ip_call_ra_chain(sk_buff &skb);
// --- ip_output.c ---
int ip_queue_xmit(sock &sk, skb_ptr skb, flowi4 &fl);
int __ip_queue_xmit(sock &sk, skb_ptr skb, flowi4 &fl, u8 tos);
int ip_build_and_send_pkt(skb_ptr skb, const sock &sk, be32 saddr, be32 daddr, ip_options *opt, u8 tos);
int ip_output(net &net, sock *sk, skb_ptr skb);
int ip_mc_output(net &net, sock *sk, skb_ptr skb);
int ip_local_out(net &net, sock *sk, skb_ptr skb);
int __ip_local_out(net &net, sock *sk, skb_ptr &skb); // 1: go on with dst_output; else consumed
void ip_send_check(iphdr &iph);
int ip_do_fragment(net &net, sock *sk, skb_ptr skb, int (*output)(struct net &, struct sock *, skb_ptr));
int ip_append_data(sock &sk, flowi4 &fl4, getfrag_fn getfrag, void *from, int len, int protolen, ipcm_cookie &ipc, rtable *&rt, u32 flags);
int ip_generic_getfrag(void *from, char *to, int offset, int len, int odd, sk_buff &skb);
int ip_push_pending_frames(sock &sk, flowi4 &fl4);
void ip_flush_pending_frames(sock &sk);
skb_ptr ip_make_skb(sock &sk, flowi4 &fl4, getfrag_fn getfrag, void *from, int length, int transhdrlen, ipcm_cookie &ipc, rtable *&rt,
		    inet_cork &cork, u32 flags, int &err);
skb_ptr __ip_make_skb(sock &sk, flowi4 &fl4, sk_buff_head &queue, inet_cork &cork);
int ip_send_skb(net &net, skb_ptr skb);
void ip_send_unicast_reply(sock &sk, sk_buff &skb, const inet_skb_cb &sopt, be32 daddr, be32 saddr, const ip_reply_arg &arg, u32 len,
			   u64 transmit_time, u32 txhash);
void __ip_select_ident(net &net, iphdr &iph, int segs);
void ip_select_ident_segs(net &net, sk_buff &skb, sock *sk, int segs);  // inlines
void ip_select_ident(net &net, sk_buff &skb, sock *sk);
// --- ip_forward.c, ip_fragment.c, ip_options.c ---
int ip_forward(skb_ptr skb);
[[nodiscard]] int ip_defrag(net &net, skb_ptr &skb, u32 user); // 0: whole now; else taken
skb_ptr ip_check_defrag(net &net, skb_ptr skb, u32 user);
void ipfrag_init();
int ip_options_compile(net &net, sk_buff &skb);       // fills IPCB
void ip_options_build(sk_buff &skb, const ip_options &opt, be32 daddr, const rtable &rt);
int __ip_options_echo(net &net, ip_options &dopt, sk_buff &skb, const inet_skb_cb &sopt);
void ip_options_fragment(sk_buff &skb);
int ip_options_rcv_srr(sk_buff &skb, net_device &dev);
void ip_forward_options(sk_buff &skb);
// --- ip_sockglue.c ---
int ip_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen);
int ip_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen);
void ip_icmp_error(sock &sk, sk_buff &skb, int err, be16 port, u32 info, const u8 *payload);
void ip_local_error(sock &sk, int err, be32 daddr, be16 dport, u32 info);
int ip_recv_error(sock &sk, msghdr &msg, int len, int &addr_len);
void ipv4_pktinfo_prepare(const sock &sk, sk_buff &skb);
// --- small inlines ---
bool ip_is_fragment(const iphdr &iph);
u32 ip_dst_mtu_maybe_forward(const dst_entry &dst, bool forwarding);
u32 ip_skb_dst_mtu(sock *sk, const sk_buff &skb);
bool ip_dont_fragment(const sock &sk, const dst_entry &dst);
bool ip_sk_use_pmtu(const sock &sk);
bool ip_sk_ignore_df(const sock &sk);
int ip_decrease_ttl(iphdr &iph);
inline u8 RT_TOS(u8 tos) { return tos & 0x1E; }
void ip_sock_set_tos(sock &sk, int val);
void ip_mc_drop_socket(sock &sk);

} // namespace skbwalk
