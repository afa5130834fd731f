// SPDX-License-Identifier: GPL-2.0-only
//
// Connection-oriented sockets (include/net/inet_connection_sock.h): timers, the accept queue, and the
// operations that differ by address family.
#pragma once

#include "stack/ipv4/inet_sock.h"

namespace skbwalk {

struct tcp_congestion_ops;
struct tcp_ulp_ops;
struct rtable;

constexpr u8 ICSK_TIME_RETRANS = 1, ICSK_TIME_DACK = 2, ICSK_TIME_PROBE0 = 3, ICSK_TIME_LOSS_PROBE = 5,
	     ICSK_TIME_REO_TIMEOUT = 6;
enum inet_csk_ack_state_t : u8 {
	ICSK_ACK_SCHED = 1,
	ICSK_ACK_TIMER = 2,
	ICSK_ACK_PUSHED = 4,
	ICSK_ACK_PUSHED2 = 8,
	ICSK_ACK_NOW = 16,
	ICSK_ACK_NOMEM = 32
};
constexpr u32 TCP_TIMEWAIT_LEN = 60 * HZ;

struct inet_connection_sock_af_ops {
	int (*queue_xmit)(sock &sk, skb_ptr skb, flowi4 &fl);
	void (*send_check)(sock &sk, sk_buff &skb);
	int (*rebuild_header)(sock &sk);
	void (*sk_rx_dst_set)(sock &sk, const sk_buff &skb);
	int (*conn_request)(sock &sk, skb_ptr &skb);
	sock *(*syn_recv_sock)(const sock &sk, sk_buff &skb, request_sock &req, dst_entry *dst,
	                       request_sock *req_unhash, bool &own_req,
	                       void (*opt_child_init)(sock &newsk, const sock &sk));
	u16 net_header_len;
	u16 sockaddr_len;
	int (*setsockopt)(sock &sk, int level, int optname, const void *optval, u32 optlen);
	int (*getsockopt)(sock &sk, int level, int optname, void *optval, int &optlen);
	void (*addr2sockaddr)(sock &sk, sockaddr_storage &addr);
	void (*mtu_reduced)(sock &sk);
};

struct inet_connection_sock : inet_sock {
	request_sock_queue icsk_accept_queue;
	inet_bind_bucket *icsk_bind_hash = nullptr;
	inet_bind2_bucket *icsk_bind2_hash = nullptr;
	u32 icsk_timeout = 0;
	timer_list icsk_retransmit_timer;
	timer_list icsk_delack_timer;
	timer_list icsk_keepalive_timer;
	u32 icsk_rto = 0;
	u32 icsk_rto_min = HZ / 5;
	u32 icsk_delack_max = HZ / 5;
	u32 icsk_pmtu_cookie = 0;
	const tcp_congestion_ops *icsk_ca_ops = nullptr;
	const inet_connection_sock_af_ops *icsk_af_ops = nullptr;
	const tcp_ulp_ops *icsk_ulp_ops = nullptr; // a protocol on top of TCP (TLS): none is modelled
	u32 (*icsk_sync_mss)(sock &sk, u32 pmtu) = nullptr;
	u8 icsk_ca_state : 5 = 0, icsk_ca_initialized : 1 = 0, icsk_ca_setsockopt : 1 = 0,
			   icsk_ca_dst_locked : 1 = 0;
	u8 icsk_retransmits = 0;
	u8 icsk_pending = 0;
	u8 icsk_backoff = 0;
	u8 icsk_syn_retries = 0;
	u8 icsk_probes_out = 0;
	u16 icsk_ext_hdr_len = 0;
	struct {
		u8 pending = 0;
		u8 quick = 0;
		u8 pingpong = 0;
		u8 retry = 0;
		u32 ato = 0;
		u32 timeout = 0;
		u32 lrcvtime = 0;
		u16 last_seg_size = 0;
		u16 rcv_mss = 0;
	} icsk_ack;
	struct {
		int search_high = 0;
		int search_low = 0;
		u32 probe_size : 31 = 0, enabled : 1 = 0;
		u32 probe_timestamp = 0;
	} icsk_mtup;
	u32 icsk_probes_tstamp = 0;
	u32 icsk_user_timeout = 0;
	alignas(8) u64 icsk_ca_priv[13] = {};
};
inline inet_connection_sock &inet_csk(sock &sk) { return static_cast<inet_connection_sock &>(sk); }
inline const inet_connection_sock &inet_csk(const sock &sk)
{
	return static_cast<const inet_connection_sock &>(sk);
}
template <class T> T &inet_csk_ca(sock &sk)
{
	static_assert(sizeof(T) <= sizeof(inet_connection_sock::icsk_ca_priv));
	return *reinterpret_cast<T *>(inet_csk(sk).icsk_ca_priv);
}

inline void inet_csk_schedule_ack(sock &sk) { inet_csk(sk).icsk_ack.pending |= ICSK_ACK_SCHED; }
inline bool inet_csk_ack_scheduled(const sock &sk) { return inet_csk(sk).icsk_ack.pending & ICSK_ACK_SCHED; }
inline void inet_csk_enter_pingpong_mode(sock &sk) { inet_csk(sk).icsk_ack.pingpong = 3; }
inline void inet_csk_exit_pingpong_mode(sock &sk) { inet_csk(sk).icsk_ack.pingpong = 0; }
inline bool inet_csk_in_pingpong_mode(const sock &sk) { return inet_csk(sk).icsk_ack.pingpong >= 3; }
void inet_csk_inc_pingpong_cnt(sock &sk);
void inet_csk_delack_init(sock &sk);
void inet_csk_clear_xmit_timer(sock &sk, int what); // header inlines
void inet_csk_reset_xmit_timer(sock &sk, int what, u32 when, u32 max_when);
u32 inet_csk_rto_backoff(const inet_connection_sock &icsk, u32 max_when);

// --- net/ipv4/inet_connection_sock.c ---
sock *inet_csk_accept(sock &sk, int flags, int &err, bool kern);
int inet_csk_wait_for_connect(sock &sk, long timeo);
void inet_csk_init_xmit_timers(sock &sk, timer_list::callback retransmit, timer_list::callback delack,
                               timer_list::callback keepalive);
void inet_csk_clear_xmit_timers(sock &sk);
void inet_csk_delete_keepalive_timer(sock &sk);
void inet_csk_reset_keepalive_timer(sock &sk, u32 len);
sock *inet_csk_clone_lock(const sock &sk, const request_sock &req, gfp_t priority);
int inet_csk_get_port(sock &sk, u16 snum);
int inet_csk_bind_conflict(const sock &sk, const inet_bind_bucket &tb, const inet_bind2_bucket *tb2,
                           bool relax, bool reuseport_ok);
dst_entry *inet_csk_route_req(const sock &sk, flowi4 &fl4, const request_sock &req);
dst_entry *inet_csk_route_child_sock(const sock &sk, sock &newsk, const request_sock &req);
sock *inet_csk_reqsk_queue_add(sock &sk, request_sock &req, sock &child);
bool inet_csk_reqsk_queue_hash_add(sock &sk, request_sock &req, u32 timeout);
sock *inet_csk_complete_hashdance(sock &sk, sock &child, request_sock &req, bool own_req);
bool inet_csk_reqsk_queue_drop(sock &sk, request_sock &req);
bool __inet_csk_reqsk_queue_drop(sock &sk, request_sock &req, bool from_timer);
void inet_csk_reqsk_queue_drop_and_put(sock &sk, request_sock &req);
inline void inet_csk_reqsk_queue_added(sock &sk)
{
	TRACE_INLINE(sk);
	reqsk_queue_added(inet_csk(sk).icsk_accept_queue);
}
inline int inet_csk_reqsk_queue_len(const sock &sk) { return inet_csk(sk).icsk_accept_queue.qlen; }
inline bool inet_csk_reqsk_queue_is_full(const sock &sk)
{
	return inet_csk_reqsk_queue_len(sk) > static_cast<int>(sk.sk_max_ack_backlog);
}
void inet_csk_destroy_sock(sock &sk);
void inet_csk_prepare_for_destroy_sock(sock &sk);
void inet_csk_prepare_forced_close(sock &sk);
int inet_csk_listen_start(sock &sk);
void inet_csk_listen_stop(sock &sk);
void inet_csk_addr2sockaddr(sock &sk, sockaddr_storage &uaddr);
dst_entry *inet_csk_update_pmtu(sock &sk, u32 mtu);
int inet_rtx_syn_ack(const sock &parent, request_sock &req);
void inet_csk_update_fastreuse(inet_bind_bucket &tb, sock &sk);
void inet_get_local_port_range(const net &net, int &low, int &high);
void inet_sk_get_local_port_range(const sock &sk, int &low, int &high);
bool inet_rcv_saddr_equal(const sock &sk, const sock_common &sk2, bool match_wildcard);
bool inet_rcv_saddr_any(const sock &sk);

} // namespace skbwalk
