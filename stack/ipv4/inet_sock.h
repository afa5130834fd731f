// SPDX-License-Identifier: GPL-2.0-only
//
// Internet sockets and requests (include/net/inet_sock.h).
#pragma once

#include "stack/core/flow.h"
#include "stack/core/request_sock.h"
#include "stack/core/sock.h"

namespace skbwalk {

// What is known of a packet's options; srr, rr, ts, router_alert and cipso are offsets from the IP header, 0:
// not there.
struct ip_options_info {
	be32 faddr{};   // the last hop of a source route
	be32 nexthop{}; // the next one, when srr_is_hit
	u8 optlen = 0, srr = 0, rr = 0, ts = 0;
	u8 is_strictroute : 1 = 0, srr_is_hit : 1 = 0, is_changed : 1 = 0, rr_needaddr : 1 = 0,
			    ts_needtime : 1 = 0, ts_needaddr : 1 = 0;
	u8 router_alert = 0, cipso = 0;
};
struct ip_options : ip_options_info {
	u8 data[40] = {}; // as on the wire, for options that are not in a packet
};
using ip_options_rcu = ip_options; // freed after a grace period there; here owned by its holder

struct inet_request_sock : request_sock {
	u16 snd_wscale : 4 = 0, rcv_wscale : 4 = 0, tstamp_ok : 1 = 0, sack_ok : 1 = 0, wscale_ok : 1 = 0,
			 ecn_ok : 1 = 0, acked : 1 = 0, no_srccheck : 1 = 0, smc_ok : 1 = 0;
	u32 ir_mark = 0;
	std::shared_ptr<ip_options> ireq_opt;
};
// ir_* are the names of a request's addresses.
#define ir_loc_addr skc_rcv_saddr
#define ir_rmt_addr skc_daddr
#define ir_num skc_num
#define ir_rmt_port skc_dport
#define ir_iif skc_bound_dev_if
inline inet_request_sock &inet_rsk(request_sock &r) { return static_cast<inet_request_sock &>(r); }
inline const inet_request_sock &inet_rsk(const request_sock &r)
{
	return static_cast<const inet_request_sock &>(r);
}

struct inet_cork {
	u32 flags = 0;
	be32 addr{};
	ip_options *opt = nullptr;
	u32 fragsize = 0;
	int length = 0;
	dst_entry *dst = nullptr;
	u8 tx_flags = 0;
	u8 ttl = 0;
	s16 tos = -1;
	u32 priority = 0;
	u16 gso_size = 0;
	u64 transmit_time = 0;
	u32 mark = 0;
};
struct inet_cork_full {
	inet_cork base;
	flowi4 fl;
};
constexpr u32 IPCORK_OPT = 1, IPCORK_ALLFRAG = 2, IPCORK_TS_OPT_ID = 4;

struct inet_sock : sock {
	be32 inet_saddr{};
	s16 uc_ttl = -1;
	be16 inet_sport{};
	u16 inet_id = 0;
	u8 tos = 0;
	u8 min_ttl = 0;
	u8 mc_ttl = 1;
	u8 pmtudisc = 1; // IP_PMTUDISC_WANT
	u8 recverr : 1 = 0, is_icsk : 1 = 0, freebind : 1 = 0, hdrincl : 1 = 0, mc_loop : 1 = 1,
		     transparent : 1 = 0, mc_all : 1 = 1, nodefrag : 1 = 0;
	u8 bind_address_no_port : 1 = 0, recverr_rfc4884 : 1 = 0, defer_connect : 1 = 0;
	u8 rcv_tos = 0;
	u8 convert_csum = 0;
	u32 cmsg_flags = 0;
	int uc_index = 0, mc_index = 0;
	be32 mc_addr{};
	struct ip_mc_socklist *mc_list = nullptr; // groups that it joined
	std::shared_ptr<ip_options> inet_opt;
	inet_cork_full cork;
	bool pinet6 = false; // an AF_INET6 socket: v6only and so on live in sock_common
};
#define inet_num skc_num
#define inet_daddr skc_daddr
#define inet_dport skc_dport
#define inet_rcv_saddr skc_rcv_saddr
inline inet_sock &inet_sk(sock &sk) { return static_cast<inet_sock &>(sk); }
inline const inet_sock &inet_sk(const sock &sk) { return static_cast<const inet_sock &>(sk); }

void inet_sk_set_state(sock &sk, int state);
void inet_sk_state_store(sock &sk, int newstate);
void inet_sk_copy_descendant(sock &to, const sock &from);
u8 inet_sk_flowi_flags(const sock &sk); // header inline
bool inet_can_nonlocal_bind(net &net, const inet_sock &inet);
u32 inet_ehashfn(const net &net, be32 laddr, u16 lport, be32 faddr, be16 fport);
int inet_request_bound_dev_if(const sock &sk, const sk_buff &skb);
u32 inet_request_mark(const sock &sk, const sk_buff &skb);

// net/ipv4/af_inet.c
int inet_release(socket &sock);
int inet_bind(socket &sock, sockaddr_storage &uaddr, int addr_len);
int __inet_bind(sock &sk, sockaddr_storage &uaddr, int addr_len, u32 flags);
int inet_stream_connect(socket &sock, sockaddr_storage &uaddr, int addr_len, int flags);
int __inet_stream_connect(socket &sock, sockaddr_storage &uaddr, int addr_len, int flags, bool is_sendmsg);
int inet_dgram_connect(socket &sock, sockaddr_storage &uaddr, int addr_len, int flags);
int inet_accept(socket &sock, socket &newsock, int flags, bool kern);
void __inet_accept(socket &parent, socket &newsock, sock &newsk);
int inet_getname(socket &sock, sockaddr_storage &uaddr, int peer);
int inet_listen(socket &sock, int backlog);
int inet_shutdown(socket &sock, int how);
int inet_sendmsg(socket &sock, msghdr &msg, std::size_t size);
int inet_recvmsg(socket &sock, msghdr &msg, std::size_t size, int flags);
int inet_send_prepare(sock &sk);
int inet_ioctl(socket &sock, u32 cmd, int &value);
void inet_sock_destruct(sock &sk);
int inet_sk_rebuild_header(sock &sk);
int inet_ctl_sock_create(sock *&sk, u16 family, u16 type, u8 protocol, net &net);
void inet_ctl_sock_destroy(sock &sk);
void inet_init(); // boots IPv4 on the current host
void inet_exit(); // before it ends

// net/ipv4/datagram.c
int __ip4_datagram_connect(sock &sk, sockaddr_storage &uaddr, int addr_len);
int ip4_datagram_connect(sock &sk, sockaddr_storage &uaddr, int addr_len);
void ip4_datagram_release_cb(sock &sk);

// Transport protocols below IP, and socket types (include/net/protocol.h).
struct net_protocol {
	int (*handler)(skb_ptr skb);
	int (*err_handler)(sk_buff &skb, u32 info); // 0, or negative errno
	bool no_policy;
	bool icmp_strict_tag_validation;
	void (*early_demux)(sk_buff &skb);
};
struct inet_protosw {
	u16 type;
	u8 protocol;
	proto *prot;
	const proto_ops *ops;
	u8 flags;
};
constexpr u8 INET_PROTOSW_REUSE = 1, INET_PROTOSW_PERMANENT = 2, INET_PROTOSW_ICSK = 4;
struct inet_protocols {
	std::array<const net_protocol *, 256> inet_protos{};
	std::array<std::vector<const inet_protosw *>, 11> inetsw;
};
extern perhost<inet_protocols> inet_protos_of;
int inet_add_protocol(const net_protocol &prot, u8 protocol);
void inet_register_protosw(const inet_protosw &p);

} // namespace skbwalk
