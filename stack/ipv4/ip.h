// SPDX-License-Identifier: GPL-2.0-only
//
// IPv4's own (include/net/ip.h): the control block, input, output, fragments, options.
#pragma once

#include "stack/ipv4/inet_sock.h"

namespace skbwalk {

struct packet_type;
struct rtable;

constexpr u16 IPSKB_FORWARDED = 1, IPSKB_XFRM_TUNNEL_SIZE = 2, IPSKB_XFRM_TRANSFORMED = 4,
	      IPSKB_FRAG_COMPLETE = 8, IPSKB_REROUTED = 16, IPSKB_DOREDIRECT = 32, IPSKB_FRAG_PMTU = 64,
	      IPSKB_L3SLAVE = 128, IPSKB_NOPOLICY = 256, IPSKB_MULTIPATH = 512;
// Unlike the kernel's: behind the control block stands where early demux begins to look for the socket
// (established_hint).
constexpr u16 IPSKB_EHASH = 1 << 15;

// The control block while IP has the skb: the kernel's struct inet_skb_parm.
struct inet_skb_cb : ip_options_info {
	int iif = 0;
	u16 flags = 0;
	u16 frag_max_size = 0; // of the fragments that this datagram came in
};
static_assert(sizeof(inet_skb_cb) == 24); // others keep it aside, or what they need beside it
inline inet_skb_cb &IPCB(sk_buff &skb) { return reinterpret_cast<inet_skb_cb &>(skb.cb); }
inline const inet_skb_cb &IPCB(const sk_buff &skb) { return reinterpret_cast<const inet_skb_cb &>(skb.cb); }
inline int inet_sdif(const sk_buff &skb) { return IPCB(skb).flags & IPSKB_L3SLAVE ? IPCB(skb).iif : 0; }

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
inline void ipcm_init(ipcm_cookie &ipcm) { ipcm = {}; }
inline void ipcm_init_sk(ipcm_cookie &ipc, const inet_sock &inet)
{
	ipcm_init(ipc);
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

// Who reassembles: fragments of one datagram that come to different users do not mix.
enum ip_defrag_users : u32 {
	IP_DEFRAG_LOCAL_DELIVER,
	IP_DEFRAG_CALL_RA_CHAIN,
	IP_DEFRAG_CONNTRACK_IN,
	__IP_DEFRAG_CONNTRACK_IN_END = IP_DEFRAG_CONNTRACK_IN + 65535,
	IP_DEFRAG_CONNTRACK_OUT,
	__IP_DEFRAG_CONNTRACK_OUT_END = IP_DEFRAG_CONNTRACK_OUT + 65535,
	IP_DEFRAG_CONNTRACK_BRIDGE_IN,
	__IP_DEFRAG_CONNTRACK_BRIDGE_IN = IP_DEFRAG_CONNTRACK_BRIDGE_IN + 65535,
	IP_DEFRAG_VS_IN,
	IP_DEFRAG_VS_OUT,
	IP_DEFRAG_VS_FWD,
	IP_DEFRAG_AF_PACKET,
	IP_DEFRAG_MACVLAN
};

// Options on the wire (RFC 791): type, length, data; END and NOOP are one byte.
constexpr u8 IPOPT_END = 0, IPOPT_NOOP = 1, IPOPT_RR = 7, IPOPT_TIMESTAMP = 68, IPOPT_SEC = 130,
	     IPOPT_LSRR = 131, IPOPT_CIPSO = 134, IPOPT_SID = 136, IPOPT_SSRR = 137, IPOPT_RA = 148;
constexpr u8 IPOPT_TS_TSONLY = 0, IPOPT_TS_TSANDADDR = 1, IPOPT_TS_PRESPEC = 3;
constexpr bool IPOPT_COPIED(u8 o) { return o & 0x80; }
constexpr u8 IPTOS_TOS_MASK = 0x1E, IPTOS_PREC_INTERNETCONTROL = 0xc0;
constexpr u32 IP_MAX_MTU = 0xFFFF, IPV4_MIN_MTU = 68;
constexpr u32 INADDR_DUMMY = 0xc0000008;
// Control messages that a socket asked for (inet_sock::cmsg_flags).
constexpr u32 IP_CMSG_PKTINFO = 1, IP_CMSG_TTL = 2, IP_CMSG_TOS = 4, IP_CMSG_RECVOPTS = 8,
	      IP_CMSG_RETOPTS = 16, IP_CMSG_PASSSEC = 32, IP_CMSG_ORIGDSTADDR = 64, IP_CMSG_CHECKSUM = 128,
	      IP_CMSG_RECVFRAGSIZE = 256;
struct in_pktinfo {
	int ipi_ifindex;
	be32 ipi_spec_dst;
	be32 ipi_addr;
};
inline in_pktinfo &PKTINFO_SKB_CB(sk_buff &skb) { return reinterpret_cast<in_pktinfo &>(skb.cb); }

// Raw sockets that asked for packets with the router alert option (RFC 2113).
struct ip_ra_chain {
	ip_ra_chain *next = nullptr;
	sock *sk = nullptr;
	void (*destructor)(sock &sk) = nullptr;
	sock *saved_sk = nullptr;
	rcu_head rcu;
};

// --- ip_input.c ---
int ip_rcv(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev);
void ip_list_rcv(list_head &head, packet_type &pt, net_device &orig_dev);
int ip_local_deliver(skb_ptr skb);
int ip_local_deliver_finish(net &net, sock *sk, skb_ptr skb);
void ip_protocol_deliver_rcu(net &net, skb_ptr skb, int protocol);
bool ip_call_ra_chain(skb_ptr &skb); // true: taken
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
int ip_append_data(sock &sk, flowi4 &fl4, getfrag_fn getfrag, void *from, int len, int protolen,
                   ipcm_cookie &ipc, rtable *&rt, u32 flags);
int ip_generic_getfrag(void *from, char *to, int offset, int len, int odd, sk_buff &skb);
int ip_push_pending_frames(sock &sk, flowi4 &fl4);
void ip_flush_pending_frames(sock &sk);
skb_ptr ip_make_skb(sock &sk, flowi4 &fl4, getfrag_fn getfrag, void *from, int length, int transhdrlen,
                    ipcm_cookie &ipc, rtable *&rt, inet_cork &cork, u32 flags, int &err);
skb_ptr __ip_make_skb(sock &sk, flowi4 &fl4, sk_buff_head &queue, inet_cork &cork);
int ip_send_skb(net &net, skb_ptr skb);
void ip_send_unicast_reply(sock &sk, sk_buff &skb, const ip_options_info &sopt, be32 daddr, be32 saddr,
                           const ip_reply_arg &arg, u32 len, u64 transmit_time, u32 txhash);
void __ip_select_ident(net &net, iphdr &iph, int segs);
// Slicing a datagram: along its frag_list when that fits, else by copying.
struct ip_fraglist_iter {
	sk_buff *frag; // owned: what is not yet sent
	iphdr *iph;
	int offset;
	u32 hlen;
};
void ip_fraglist_init(sk_buff &skb, iphdr &iph, u32 hlen, ip_fraglist_iter &iter);
void ip_fraglist_prepare(sk_buff &skb, ip_fraglist_iter &iter);
struct ip_frag_state {
	bool DF;
	u32 hlen, ll_rs, mtu, left;
	int offset, ptr;
	bool not_last_frag;
};
void ip_frag_init(sk_buff &skb, u32 hlen, u32 ll_rs, u32 mtu, bool DF, ip_frag_state &state);
skb_ptr ip_frag_next(sk_buff &skb, ip_frag_state &state); // null when out of memory
// --- ip_forward.c, ip_fragment.c, ip_options.c ---
int ip_forward(skb_ptr skb);
[[nodiscard]] int ip_defrag(net &net, skb_ptr &skb, u32 user); // 0: whole now; else taken
skb_ptr ip_check_defrag(net &net, skb_ptr skb, u32 user);
void ipfrag_init();
// Of a packet (opt is IPCB), or of opt.data when skb is null. A bad packet is answered by ICMP; info: where
// it is bad.
int ip_options_compile(net &net, ip_options_info &opt, sk_buff *skb);
int __ip_options_compile(net &net, ip_options_info &opt, sk_buff *skb, be32 *info);
void ip_options_build(sk_buff &skb, const ip_options &opt, be32 daddr, rtable &rt);
int __ip_options_echo(net &net, ip_options &dopt, sk_buff &skb, const ip_options_info &sopt);
int ip_options_echo(net &net, ip_options &dopt, sk_buff &skb); // inline: of IPCB
void ip_options_undo(ip_options &opt);
int ip_options_get(net &net, std::shared_ptr<ip_options> &optp, const void *data, u32 optlen);
void ip_options_fragment(sk_buff &skb);
int ip_options_rcv_srr(sk_buff &skb, net_device &dev);
void ip_forward_options(sk_buff &skb);
// --- ip_sockglue.c ---
int ip_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen);
int ip_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen);
void ip_icmp_error(sock &sk, sk_buff &skb, int err, be16 port, u32 info, const u8 *payload);
void ip_local_error(sock &sk, int err, be32 daddr, be16 dport, u32 info);
// Control messages about a packet, as its socket asked for them; tlen: the transport header's length.
void ip_cmsg_recv_offset(msghdr &msg, sock &sk, sk_buff &skb, int tlen, int offset);
void ip_cmsg_recv(msghdr &msg, sk_buff &skb); // inline
int ip_cmsg_send(sock &sk, msghdr &msg, ipcm_cookie &ipc, ip_options &opt,
                 bool allow_ipv6); // opt: room for IP_RETOPTS
int ip_recv_error(sock &sk, msghdr &msg, int len, int &addr_len);
int inet_recv_error(sock &sk, msghdr &msg, int len, int &addr_len); // af_inet.c
void ipv4_pktinfo_prepare(const sock &sk, sk_buff &skb, bool drop_dst = true);
int ip_ra_control(sock &sk, bool on, void (*destructor)(sock &sk));
int do_ip_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen);
int do_ip_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen);
void __ip_sock_set_tos(sock &sk, int val);
void ip_sock_set_tos(sock &sk, int val);
void ip_mc_drop_socket(sock &sk); // igmp.c
be32 inet_current_timestamp();    // af_inet.c: milliseconds since midnight

} // namespace skbwalk

#include "stack/ipv4/ip_inline.h"
