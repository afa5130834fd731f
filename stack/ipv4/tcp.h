// SPDX-License-Identifier: GPL-2.0-only
//
// TCP (include/linux/tcp.h, include/net/tcp.h): the socket, what an skb of TCP carries in its control block,
// the constants, and what the files tcp_*.cpp give each other.
#pragma once

#include "stack/ipv4/inet_hashtables.h"

namespace skbwalk {

constexpr u32 MAX_TCP_HEADER = 320; // L1_CACHE_ALIGN(128 + MAX_HEADER) of Debian's configuration
constexpr u32 MAX_TCP_OPTION_SPACE = 40, TCP_MIN_SND_MSS = 48,
	      TCP_MIN_GSO_SIZE = TCP_MIN_SND_MSS - MAX_TCP_OPTION_SPACE;
constexpr u32 MAX_TCP_WINDOW = 32767, TCP_MIN_MSS = 88, TCP_MSS_DEFAULT = 536, TCP_BASE_MSS = 1024,
	      TCP_PROBE_INTERVAL = 600, TCP_PROBE_THRESHOLD = 8, TCP_FASTRETRANS_THRESH = 3,
	      TCP_MAX_QUICKACKS = 16, TCP_MAX_WSCALE = 14, MAX_TCP_KEEPIDLE = 32767, TCP_INIT_CWND = 10,
	      TCP_RMEM_TO_WIN_SCALE = 8, TCP_INFINITE_SSTHRESH = 0x7fffffff;
constexpr u32 TCP_DELACK_MAX = HZ / 5, TCP_DELACK_MIN = HZ / 25, TCP_ATO_MIN = HZ / 25,
	      TCP_RTO_MAX = 120 * HZ, TCP_RTO_MIN = HZ / 5, TCP_TIMEOUT_MIN = 2,
	      TCP_TIMEOUT_MIN_US = 2 * 1000, TCP_TIMEOUT_INIT = 1 * HZ, TCP_TIMEOUT_FALLBACK = 3 * HZ,
	      TCP_RESOURCE_PROBE_INTERVAL = HZ / 2, TCP_FIN_TIMEOUT = 60 * HZ, TCP_PAWS_WINDOW = 1,
	      TCP_PAWS_24DAYS = 60 * 60 * 24 * 24, TCP_PAWS_MSL = 60, TCP_KEEPALIVE_TIME = 7200 * HZ;
constexpr u8 TCPOPT_NOP = 1, TCPOPT_EOL = 0, TCPOPT_MSS = 2, TCPOPT_WINDOW = 3, TCPOPT_SACK_PERM = 4,
	     TCPOPT_SACK = 5, TCPOPT_TIMESTAMP = 8, TCPOPT_MD5SIG = 19, TCPOPT_FASTOPEN = 34;
constexpr u8 TCPOLEN_MSS = 4, TCPOLEN_WINDOW = 3, TCPOLEN_SACK_PERM = 2, TCPOLEN_TIMESTAMP = 10,
	     TCPOLEN_MD5SIG = 18, TCPOLEN_FASTOPEN_BASE = 2, TCPOLEN_TSTAMP_ALIGNED = 12,
	     TCPOLEN_WSCALE_ALIGNED = 4, TCPOLEN_SACKPERM_ALIGNED = 4, TCPOLEN_SACK_BASE = 2,
	     TCPOLEN_SACK_BASE_ALIGNED = 4, TCPOLEN_SACK_PERBLOCK = 8, TCPOLEN_MD5SIG_ALIGNED = 20,
	     TCPOLEN_MSS_ALIGNED = 4;
constexpr u32 TCP_NAGLE_OFF = 1, TCP_NAGLE_CORK = 2, TCP_NAGLE_PUSH = 4;

enum tcp_ca_state : u8 { TCP_CA_Open, TCP_CA_Disorder, TCP_CA_CWR, TCP_CA_Recovery, TCP_CA_Loss };
enum tcp_chrono : u8 {
	TCP_CHRONO_UNSPEC,
	TCP_CHRONO_BUSY,
	TCP_CHRONO_RWND_LIMITED,
	TCP_CHRONO_SNDBUF_LIMITED,
	__TCP_CHRONO_MAX
};
enum tsq_enum {
	TSQ_THROTTLED,
	TSQ_QUEUED,
	TCP_TSQ_DEFERRED,
	TCP_WRITE_TIMER_DEFERRED,
	TCP_DELACK_TIMER_DEFERRED,
	TCP_MTU_REDUCED_DEFERRED,
	TCP_ACK_DEFERRED
};
constexpr u32 TSQF_THROTTLED = 1, TSQF_QUEUED = 2, TCPF_TSQ_DEFERRED = 4, TCPF_WRITE_TIMER_DEFERRED = 8,
	      TCPF_DELACK_TIMER_DEFERRED = 16, TCPF_MTU_REDUCED_DEFERRED = 32, TCPF_ACK_DEFERRED = 64;

// What the rate sampler keeps with a sent segment until it is acknowledged.
struct tcp_skb_cb_tx {
	u32 is_app_limited : 1, delivered_ce : 20, unused2 : 11;
	u32 delivered;
	u64 first_tx_mstamp;
	u64 delivered_mstamp;
};
// The control block. `seq` first: the trees order by it.
struct tcp_skb_cb {
	seq32 seq;
	seq32 end_seq;  // seq + SYN + FIN + data length
	u32 tcp_tw_isn; // on input; the next two on output
	u16 tcp_gso_segs, tcp_gso_size;
	u8 tcp_flags;
	u8 sacked; // TCPCB_*
	u8 ip_dsfield;
	u8 txstamp_ack : 1, eor : 1, has_rxtstamp : 1, unused : 5;
	seq32 ack_seq;
	union {
		tcp_skb_cb_tx tx;
		u8 header[24]; // on input: IP's control block, kept aside
	};
};
constexpr u8 TCPCB_SACKED_ACKED = 0x01, TCPCB_SACKED_RETRANS = 0x02, TCPCB_LOST = 0x04, TCPCB_TAGBITS = 0x07,
	     TCPCB_REPAIRED = 0x10, TCPCB_EVER_RETRANS = 0x80,
	     TCPCB_RETRANS = TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS | TCPCB_REPAIRED;
static_assert(sizeof(tcp_skb_cb) <= sizeof(sk_buff::cb));
inline tcp_skb_cb &TCP_SKB_CB(sk_buff &skb) { return reinterpret_cast<tcp_skb_cb &>(skb.cb); }
inline const tcp_skb_cb &TCP_SKB_CB(const sk_buff &skb)
{
	return reinterpret_cast<const tcp_skb_cb &>(skb.cb);
}
inline int tcp_skb_pcount(const sk_buff &skb) { return TCP_SKB_CB(skb).tcp_gso_segs; }
inline void tcp_skb_pcount_set(sk_buff &skb, int segs)
{
	TCP_SKB_CB(skb).tcp_gso_segs = static_cast<u16>(segs);
}
inline void tcp_skb_pcount_add(sk_buff &skb, int segs)
{
	TCP_SKB_CB(skb).tcp_gso_segs = static_cast<u16>(TCP_SKB_CB(skb).tcp_gso_segs + segs);
}
inline int tcp_skb_mss(const sk_buff &skb) { return TCP_SKB_CB(skb).tcp_gso_size; }
inline bool tcp_skb_can_collapse_to(const sk_buff &skb) { return !TCP_SKB_CB(skb).eor; }

struct tcp_sack_block_wire {
	be32 start_seq, end_seq;
};
struct tcp_sack_block {
	seq32 start_seq, end_seq;
};
struct tcp_options_received {
	int ts_recent_stamp = 0; // seconds
	u32 ts_recent = 0;
	u32 rcv_tsval = 0;
	u32 rcv_tsecr = 0;
	u16 saw_tstamp : 1 = 0, tstamp_ok : 1 = 0, dsack : 1 = 0, wscale_ok : 1 = 0, sack_ok : 3 = 0,
			 smc_ok : 1 = 0, snd_wscale : 4 = 0, rcv_wscale : 4 = 0;
	u8 saw_unknown : 1 = 0;
	u8 num_sacks = 0;
	u16 user_mss = 0;
	u16 mss_clamp = 0;
};
constexpr u8 TCP_SACK_SEEN = 1 << 0, TCP_DSACK_SEEN = 1 << 2;

struct tcp_fastopen_cookie {
	s8 len = -1;
	u8 val[16] = {};
	bool exp = false;
};

constexpr int TCP_FASTOPEN_COOKIE_SIZE = 8;
constexpr int TFO_CLIENT_ENABLE = 1, TFO_SERVER_ENABLE = 2, TFO_CLIENT_NO_COOKIE = 4,
	      TFO_SERVER_COOKIE_NOT_REQD = 0x200, TFO_SERVER_WO_SOCKOPT1 = 0x400;
constexpr u32 TCP_FASTOPEN_KEY_LENGTH = 16, TCP_FASTOPEN_KEY_MAX = 2, // the second: of cookies given before
	TCP_FASTOPEN_KEY_BUF_LENGTH = TCP_FASTOPEN_KEY_LENGTH * TCP_FASTOPEN_KEY_MAX;
constexpr u8 TFO_STATUS_UNSPEC = 0, TFO_COOKIE_UNAVAILABLE = 1, TFO_DATA_NOT_ACKED = 2,
	     TFO_SYN_RETRANSMITTED = 3;
// What MSG_FASTOPEN keeps until the SYN is out.
struct tcp_fastopen_request {
	tcp_fastopen_cookie cookie; // size 0 means a cookie request
	msghdr *data = nullptr;
	std::size_t size = 0;
	int copied = 0;
};

struct minmax_sample {
	u32 t = 0, v = 0;
};
struct minmax {
	minmax_sample s[3];
};
u32 minmax_running_min(minmax &m, u32 win, u32 t, u32 meas);
u32 minmax_running_max(minmax &m, u32 win, u32 t, u32 meas);
inline u32 minmax_get(const minmax &m) { return m.s[0].v; }
inline u32 minmax_reset(minmax &m, u32 t, u32 meas)
{
	// Not one from another: a read of what was just written in halves waits.
	for (minmax_sample &s : m.s) {
		s.t = t;
		s.v = meas;
	}
	return meas;
}

struct tcp_rack {
	u64 mstamp = 0;
	u32 rtt_us = 0;
	seq32 end_seq;
	u32 last_delivered = 0;
	u8 reo_wnd_steps = 0;
	u8 reo_wnd_persist : 5 = 0, dsack_seen : 1 = 0, advanced : 1 = 0;
};

struct rate_sample {
	u64 prior_mstamp = 0;
	u32 prior_delivered = 0;
	u32 prior_delivered_ce = 0;
	s32 delivered = 0;
	s32 delivered_ce = 0;
	long interval_us = 0;
	u32 snd_interval_us = 0;
	u32 rcv_interval_us = 0;
	long rtt_us = -1;
	int losses = 0;
	u32 acked_sacked = 0;
	u32 prior_in_flight = 0;
	seq32 last_end_seq;
	bool is_app_limited = false;
	bool is_retrans = false;
	bool is_ack_delayed = false;
};
struct ack_sample {
	u32 pkts_acked;
	s32 rtt_us;
	u32 in_flight;
};

// What MD5 needs to know of the address family.
struct tcp_md5sig_key;
struct tcp_md5sig_info;
struct tcp_sock_af_ops {
	tcp_md5sig_key *(*md5_lookup)(const sock &sk, const sock &addr_sk);
	int (*calc_md5_hash)(u8 *location, const tcp_md5sig_key &key, const sock *sk, const sk_buff &skb);
	int (*md5_parse)(sock &sk, int optname, const void *optval, u32 optlen);
};
extern const tcp_sock_af_ops tcp_sock_ipv4_specific;

struct tcp_sock : inet_connection_sock {
	u16 tcp_header_len = 0;
	u16 gso_segs = 0;
	u32 pred_flags = 0; // the fast path's expected word, as it lies in memory
	u64 bytes_received = 0;
	u32 segs_in = 0, data_segs_in = 0;
	seq32 rcv_nxt, copied_seq, rcv_wup, snd_nxt;
	u32 segs_out = 0, data_segs_out = 0;
	u64 bytes_sent = 0, bytes_acked = 0;
	u32 dsack_dups = 0;
	seq32 snd_una, snd_sml;
	u32 rcv_tstamp = 0, lsndtime = 0;
	u32 last_oow_ack_time = 0;
	u32 compressed_ack_rcv_nxt = 0;
	u32 tsoffset = 0;
	list_head tsq_node;
	list_head tsorted_sent_queue;
	seq32 snd_wl1;
	u32 snd_wnd = 0, max_window = 0, mss_cache = 0;
	u32 window_clamp = 0, rcv_ssthresh = 0;
	u8 scaling_ratio = 0;
	tcp_rack rack;
	u16 advmss = 0;
	u8 compressed_ack = 0;
	u8 dup_ack_counter : 2 = 0, tlp_retrans : 1 = 0, fast_ack_mode : 2 = 0;
	u32 chrono_start = 0;
	u32 chrono_stat[3] = {};
	u8 chrono_type : 2 = 0, rate_app_limited : 1 = 0, fastopen_connect : 1 = 0,
			 fastopen_no_cookie : 1 = 0, is_sack_reneg : 1 = 0, fastopen_client_fail : 2 = 0;
	u8 nonagle : 4 = 0, thin_lto : 1 = 0, recvmsg_inq : 1 = 0, repair : 1 = 0, frto : 1 = 0;
	u8 repair_queue = 0;
	u8 save_syn : 2 = 0, syn_data : 1 = 0, syn_fastopen : 1 = 0, syn_fastopen_exp : 1 = 0,
		      syn_fastopen_ch : 1 = 0, syn_data_acked : 1 = 0, is_cwnd_limited : 1 = 0;
	seq32 tlp_high_seq;
	u32 tcp_tx_delay = 0;
	u64 tcp_wstamp_ns = 0, tcp_clock_cache = 0, tcp_mstamp = 0; // ns, ns, us
	u32 srtt_us = 0, mdev_us = 0, mdev_max_us = 0, rttvar_us = 0;
	seq32 rtt_seq;
	minmax rtt_min;
	u32 packets_out = 0, retrans_out = 0, max_packets_out = 0;
	seq32 cwnd_usage_seq;
	u16 urg_data = 0;
	u8 ecn_flags = 0;
	u8 keepalive_probes = 0;
	u32 reordering = 0, reord_seen = 0;
	seq32 snd_up;
	tcp_options_received rx_opt;
	u32 snd_ssthresh = TCP_INFINITE_SSTHRESH, snd_cwnd_ = TCP_INIT_CWND, snd_cwnd_cnt = 0,
	    snd_cwnd_clamp = ~0u, snd_cwnd_used = 0, snd_cwnd_stamp = 0, prior_cwnd = 0, prr_delivered = 0,
	    prr_out = 0, delivered = 0, delivered_ce = 0, lost = 0, app_limited = 0;
	u64 first_tx_mstamp = 0, delivered_mstamp = 0;
	u32 rate_delivered = 0, rate_interval_us = 0;
	u32 rcv_wnd = 0;
	seq32 write_seq;
	u32 notsent_lowat = 0;
	seq32 pushed_seq;
	u32 lost_out = 0, sacked_out = 0;
	hrtimer pacing_timer, compressed_ack_timer;
	sk_buff *lost_skb_hint = nullptr, *retransmit_skb_hint = nullptr;
	skb_rb_root out_of_order_queue; // owned skbs
	sk_buff *ooo_last_skb = nullptr;
	tcp_sack_block duplicate_sack[1], selective_acks[4], recv_sack_cache[4];
	sk_buff *highest_sack = nullptr;
	int lost_cnt_hint = 0;
	u32 prior_ssthresh = 0;
	seq32 high_seq;
	u32 retrans_stamp = 0;
	seq32 undo_marker;
	int undo_retrans = 0;
	u64 bytes_retrans = 0;
	u32 total_retrans = 0;
	seq32 urg_seq;
	u32 keepalive_time = 0, keepalive_intvl = 0;
	int linger2 = 0;
	u32 timeout_rehash = 0, rcv_ooopack = 0;
	u32 rcv_rtt_last_tsecr = 0;
	struct {
		u32 rtt_us = 0;
		seq32 seq;
		u64 time = 0;
	} rcv_rtt_est;
	struct {
		u32 space = 0;
		seq32 seq;
		u64 time = 0;
	} rcvq_space;
	struct {
		seq32 probe_seq_start, probe_seq_end;
	} mtu_probe;
	u32 plb_rehash = 0;
	u32 mtu_info = 0;
	const tcp_sock_af_ops *af_specific = nullptr;
	tcp_md5sig_info *md5sig_info = nullptr;
	tcp_fastopen_request *fastopen_req = nullptr;
	request_sock *fastopen_rsk = nullptr;
	u8 bpf_sock_ops_cb_flags = 0; // which events a cgroup's sockops program asked for
	saved_syn *saved_syn_ptr = nullptr;
	u8 compressed_ack_pad = 0;
	u8 syn_retries_left = 0;
	// linux-4.4's prequeue: segments that wait for the reading task (profile feature).
	struct {
		sk_buff_head prequeue;
		task_struct *task = nullptr;
		msghdr *msg = nullptr;
		int memory = 0;
		int len = 0;
	} ucopy;
};
inline tcp_sock &tcp_sk(sock &sk) { return static_cast<tcp_sock &>(sk); }
inline const tcp_sock &tcp_sk(const sock &sk) { return static_cast<const tcp_sock &>(sk); }
inline u32 tcp_snd_cwnd(const tcp_sock &tp) { return tp.snd_cwnd_; }
inline void tcp_snd_cwnd_set(tcp_sock &tp, u32 val)
{
	assert(static_cast<int>(val) > 0);
	tp.snd_cwnd_ = val;
}

struct tcp_request_sock_ops;
struct tcp_request_sock : inet_request_sock {
	const tcp_request_sock_ops *af_specific = nullptr;
	u64 snt_synack = 0; // us
	bool tfo_listener = false;
	bool is_mptcp = false;
	u32 txhash = 0;
	seq32 rcv_isn, snt_isn;
	u32 ts_off = 0;
	u32 last_oow_ack_time = 0;
	seq32 rcv_nxt;
	u8 syn_tos = 0;
};
inline tcp_request_sock &tcp_rsk(request_sock &r) { return static_cast<tcp_request_sock &>(r); }
inline const tcp_request_sock &tcp_rsk(const request_sock &r)
{
	return static_cast<const tcp_request_sock &>(r);
}
struct tcp_timewait_sock : inet_timewait_sock {
	u32 tw_rcv_wnd = 0;
	u32 tw_ts_offset = 0;
	u32 tw_last_oow_ack_time = 0;
	int tw_ts_recent_stamp = 0;
	u32 tw_tx_delay = 0;
	seq32 tw_rcv_nxt, tw_snd_nxt;
	u32 tw_ts_recent = 0;
	tcp_md5sig_key *tw_md5_key = nullptr; // signs what is answered
};
inline tcp_timewait_sock &tcp_twsk(sock_common &sk) { return static_cast<tcp_timewait_sock &>(sk); }

struct tcp_request_sock_ops {
	u16 mss_clamp;
	tcp_md5sig_key *(*req_md5_lookup)(const sock &sk, const sock &addr_sk);
	int (*calc_md5_hash)(u8 *location, const tcp_md5sig_key &key, const sock *sk, const sk_buff &skb);
	dst_entry *(*route_req)(const sock &sk, sk_buff &skb, flowi4 &fl, request_sock &req);
	void (*init_req)(request_sock &req, const sock &sk, sk_buff &skb); // linux-4.4: apart from route_req
	tcp_seq_and_ts_off (*init_seq_and_ts_off)(const net &net, const sk_buff &skb);
	u32 (*init_ts_off)(const net &net,
	                   const sk_buff &skb); // linux-5.15 and older: these two in its place
	u32 (*init_seq)(const sk_buff &skb);
	u32 (*cookie_init_seq)(const sk_buff &skb, u16 &mss);
	int (*send_synack)(const sock &sk, dst_entry *dst, flowi4 &fl, request_sock &req,
	                   tcp_fastopen_cookie *foc, int synack_type, sk_buff *syn_skb);
};
enum tcp_synack_type { TCP_SYNACK_NORMAL, TCP_SYNACK_FASTOPEN, TCP_SYNACK_COOKIE };
enum tcp_tw_status { TCP_TW_SUCCESS = 0, TCP_TW_RST = 1, TCP_TW_ACK = 2, TCP_TW_SYN = 3 };
enum tcp_ca_event {
	CA_EVENT_TX_START,
	CA_EVENT_CWND_RESTART,
	CA_EVENT_COMPLETE_CWR,
	CA_EVENT_LOSS,
	CA_EVENT_ECN_NO_CE,
	CA_EVENT_ECN_IS_CE
};
constexpr u32 TCP_CONG_NON_RESTRICTED = 1, TCP_CONG_NEEDS_ECN = 2;
enum tcp_ca_ack_event_flags { CA_ACK_SLOWPATH = 1, CA_ACK_WIN_UPDATE = 2, CA_ACK_ECE = 4 };
struct tcp_congestion_ops {
	const char *name;
	u32 flags;
	u32 (*ssthresh)(sock &sk);
	void (*cong_avoid)(sock &sk, u32 ack, u32 acked);
	void (*set_state)(sock &sk, u8 new_state);
	void (*cwnd_event)(sock &sk, tcp_ca_event ev);
	void (*in_ack_event)(sock &sk, u32 flags);
	void (*pkts_acked)(sock &sk, const ack_sample &sample);
	u32 (*min_tso_segs)(sock &sk);
	void (*cong_control)(sock &sk, const rate_sample &rs);
	u32 (*undo_cwnd)(sock &sk);
	u32 (*sndbuf_expand)(sock &sk);
	void (*init)(sock &sk);
	void (*release)(sock &sk);
};

constexpr u32 FLAG_DATA = 0x01, FLAG_WIN_UPDATE = 0x02, FLAG_DATA_ACKED = 0x04,
	      FLAG_RETRANS_DATA_ACKED = 0x08, FLAG_SYN_ACKED = 0x10, FLAG_DATA_SACKED = 0x20, FLAG_ECE = 0x40,
	      FLAG_LOST_RETRANS = 0x80, FLAG_SLOWPATH = 0x100, FLAG_ORIG_SACK_ACKED = 0x200,
	      FLAG_SND_UNA_ADVANCED = 0x400, FLAG_DSACKING_ACK = 0x800, FLAG_SET_XMIT_TIMER = 0x1000,
	      FLAG_SACK_RENEGING = 0x2000, FLAG_UPDATE_TS_RECENT = 0x4000, FLAG_NO_CHALLENGE_ACK = 0x8000,
	      FLAG_ACK_MAYBE_DELAYED = 0x10000, FLAG_DSACK_TLP = 0x20000;
constexpr u32 FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED,
	      FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED,
	      FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_ECE | FLAG_DSACKING_ACK,
	      FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED;

// --- small inlines of include/net/tcp.h ---
inline u32 tcp_left_out(const tcp_sock &tp) { return tp.sacked_out + tp.lost_out; }
inline u32 tcp_packets_in_flight(const tcp_sock &tp)
{
	return tp.packets_out - tcp_left_out(tp) + tp.retrans_out;
}
inline bool tcp_is_sack(const tcp_sock &tp) { return tp.rx_opt.sack_ok; }
inline bool tcp_is_reno(const tcp_sock &tp) { return !tcp_is_sack(tp); }
inline bool tcp_in_slow_start(const tcp_sock &tp) { return tcp_snd_cwnd(tp) < tp.snd_ssthresh; }
inline bool tcp_in_initial_slowstart(const tcp_sock &tp) { return tp.snd_ssthresh >= TCP_INFINITE_SSTHRESH; }
inline bool tcp_in_cwnd_reduction(const sock &sk)
{
	return (1u << inet_csk(sk).icsk_ca_state) & ((1u << TCP_CA_CWR) | (1u << TCP_CA_Recovery));
}
inline seq32 tcp_wnd_end(const tcp_sock &tp) { return tp.snd_una + tp.snd_wnd; }
inline u32 tcp_min_rtt(const tcp_sock &tp) { return minmax_get(tp.rtt_min); }
inline sk_buff *tcp_send_head(const sock &sk) { return skb_peek(sk.sk_write_queue); }
inline sk_buff *tcp_write_queue_tail(const sock &sk) { return skb_peek_tail(sk.sk_write_queue); }
inline bool tcp_write_queue_empty(const sock &sk) { return tcp_sk(sk).write_seq == tcp_sk(sk).snd_nxt; }
inline bool tcp_rtx_queue_empty(const sock &sk) { return sk.tcp_rtx_queue.empty(); }
inline bool tcp_rtx_and_write_queues_empty(const sock &sk)
{
	return tcp_rtx_queue_empty(sk) && tcp_write_queue_empty(sk);
}
inline sk_buff *tcp_rtx_queue_head(sock &sk) { return skb_rb_first(sk.tcp_rtx_queue); }
inline sk_buff *tcp_rtx_queue_tail(sock &sk) { return skb_rb_last(sk.tcp_rtx_queue); }
inline u32 tcp_time_stamp_raw_ms(u64 us) { return static_cast<u32>(us / 1000); }
inline u32 tcp_time_stamp(const tcp_sock &tp)
{
	return static_cast<u32>(tp.tcp_mstamp / 1000);
} // TCP_TS_HZ 1000
u32 tcp_time_stamp_raw(); // reads the clock
u32 tcp_skb_timestamp(const sk_buff &skb);
inline u64 tcp_skb_timestamp_us(const sk_buff &skb) { return skb.tstamp / 1000; }
inline u64 tcp_clock_us() { return tcp_clock_ns() / 1000; }
inline u32 tcp_stamp_us_delta(u64 t1, u64 t0)
{
	TRACE_INLINE();
	const s64 d = static_cast<s64>(t1 - t0);
	return d > 0 ? static_cast<u32>(d) : 0;
}
u32 tcp_receive_window(const tcp_sock &tp);
int tcp_win_from_space(const sock &sk, int space);
int tcp_space(const sock &sk);
int tcp_full_space(const sock &sk);
bool tcp_checksum_complete(sk_buff &skb);
bool tcp_paws_check(const tcp_options_received &rx_opt, int paws_win);
bool tcp_paws_reject(const tcp_options_received &rx_opt, int rst);
void tcp_fast_path_on(tcp_sock &tp);
void __tcp_fast_path_on(tcp_sock &tp, u32 snd_wnd);
void tcp_fast_path_check(sock &sk);
u32 tcp_current_ssthresh(const sock &sk);
bool tcp_skb_sent_after(u64 t1, u64 t2, seq32 seq1, seq32 seq2);
void tcp_dec_quickack_mode(sock &sk);
int tcp_fin_time(const sock &sk);
u32 __tcp_set_rto(const tcp_sock &tp);
void tcp_bound_rto(const sock &sk);
bool tcp_is_cwnd_limited(const sock &sk);
bool tcp_stream_is_thin(const tcp_sock &tp);
u32 tcp_max_tso_deferred_mss(const tcp_sock &tp);
u32 tcp_rto_min(const sock &sk);
u32 tcp_rto_min_us(const sock &sk);
s64 tcp_rto_delta_us(sock &sk);
u32 tcp_probe0_base(const sock &sk);
u32 tcp_probe0_when(const sock &sk, u32 max_when);
void tcp_check_probe_timer(sock &sk);
void tcp_reset_xmit_timer(sock &sk, int what, u32 when, u32 max_when);
void tcp_push_pending_frames(sock &sk);
void tcp_adjust_rcv_ssthresh(sock &sk);
void tcp_move_syn(tcp_sock &tp, request_sock &req);
void tcp_segs_in(tcp_sock &tp, const sk_buff &skb);
void tcp_add_write_queue_tail(sock &sk, skb_ptr skb);
[[nodiscard]] skb_ptr tcp_unlink_write_queue(sk_buff &skb, sock &sk);
void tcp_wmem_free_skb(sock &sk, skb_ptr skb);
void tcp_rtx_queue_unlink_and_free(sk_buff &skb, sock &sk);
bool tcp_out_of_memory(sock &sk);
bool tcp_too_many_orphans(sock &sk, int shift);
bool tcp_check_oom(sock &sk, int shift);
void tcp_highest_sack_reset(sock &sk);
void tcp_advance_highest_sack(sock &sk, sk_buff &skb);
void tcp_highest_sack_replace(sock &sk, sk_buff *old, sk_buff *skb);
seq32 tcp_highest_sack_seq(const tcp_sock &tp);
bool tcp_needs_internal_pacing(const sock &sk);
u64 tcp_pacing_delay(const sock &sk);
void tcp_clear_all_retrans_hints(tcp_sock &tp);
inline void tcp_clear_retrans_hints_partial(tcp_sock &tp) { tp.lost_skb_hint = nullptr; }
inline u32 tcp_dst_advmss(const dst_entry &dst)
{
	const u32 mss = dst_metric_advmss(dst);
	return mss > TCP_MIN_MSS ? mss : TCP_MIN_MSS;
}
inline u16 tcp_mss_clamp(const tcp_sock &tp, u32 mss)
{
	const u16 user_mss = tp.rx_opt.user_mss;
	return static_cast<u16>(user_mss && user_mss < mss ? user_mss : mss);
}
inline bool tcp_ca_needs_ecn(const sock &sk) { return inet_csk(sk).icsk_ca_ops->flags & TCP_CONG_NEEDS_ECN; }
inline void tcp_init_wl(tcp_sock &tp, seq32 seq) { tp.snd_wl1 = seq; }
inline void tcp_update_wl(tcp_sock &tp, seq32 seq) { tp.snd_wl1 = seq; }
inline bool tcp_skb_is_last(const sock &sk, const sk_buff &skb)
{
	return skb_queue_is_last(sk.sk_write_queue, skb);
}
inline bool skb_is_tcp_pure_ack(const sk_buff &skb) { return skb.truesize == 2; }
inline void skb_set_tcp_pure_ack(sk_buff &skb) { skb.truesize = 2; }
inline bool tcp_under_memory_pressure(const sock &sk) { return proto_of(*sk.sk_prot).memory_pressure != 0; }
inline bool tcp_skb_can_collapse(const sk_buff &to, const sk_buff &) { return tcp_skb_can_collapse_to(to); }
inline bool tcp_passive_fastopen(const sock &sk)
{
	return sk.sk_state == TCP_SYN_RECV && tcp_sk(sk).fastopen_rsk;
}
// Unlike the kernel, the namespace's keepalive times are in seconds, as sysctl prints them; a socket's are in
// jiffies.
inline u32 keepalive_intvl_when(const tcp_sock &tp)
{
	return tp.keepalive_intvl ? tp.keepalive_intvl
	                          : static_cast<u32>(sock_net(tp).ipv4.sysctl_tcp_keepalive_intvl) * HZ;
}
inline u32 keepalive_time_when(const tcp_sock &tp)
{
	return tp.keepalive_time ? tp.keepalive_time
	                         : static_cast<u32>(sock_net(tp).ipv4.sysctl_tcp_keepalive_time) * HZ;
}
inline int keepalive_probes(const tcp_sock &tp)
{
	return tp.keepalive_probes ? tp.keepalive_probes : sock_net(tp).ipv4.sysctl_tcp_keepalive_probes;
}
inline u32 keepalive_time_elapsed(const tcp_sock &tp)
{
	const u32 now = tcp_jiffies32();
	const u32 a = now - tp.icsk_ack.lrcvtime, b = now - tp.rcv_tstamp;
	return a < b ? a : b;
}
constexpr u32 TCP_SYNCOOKIE_PERIOD = 60 * HZ, MAX_SYNCOOKIE_AGE = 2,
	      TCP_SYNCOOKIE_VALID = MAX_SYNCOOKIE_AGE * TCP_SYNCOOKIE_PERIOD;

// --- tcp.c ---
void tcp_init(); // of the current host: hash tables, slab, congestion control
void tcp_init_sock(sock &sk);
void tcp_set_state(sock &sk, int state);
void tcp_done(sock &sk);
void tcp_close(sock &sk, long timeout);
void __tcp_close(sock &sk, long timeout);
void tcp_shutdown(sock &sk, int how);
int tcp_disconnect(sock &sk, int flags);
int tcp_abort(sock &sk, int err);
u32 tcp_poll(file &file, socket &sock, poll_table *wait);
int tcp_ioctl(sock &sk, int cmd, int &value);
int tcp_sendmsg(sock &sk, msghdr &msg, std::size_t size);
int tcp_sendmsg_locked(sock &sk, msghdr &msg, std::size_t size);
int tcp_recvmsg(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len);
int tcp_setsockopt(sock &sk, int level, int optname, const void *optval, u32 optlen);
int tcp_getsockopt(sock &sk, int level, int optname, void *optval, int &optlen);
int tcp_set_rcvlowat(sock &sk, int val);
void tcp_cleanup_rbuf(sock &sk, int copied);
void __tcp_cleanup_rbuf(sock &sk, int copied);
void tcp_push(sock &sk, int flags, int mss_now, u32 nonagle, int size_goal);
void tcp_mark_push(tcp_sock &tp, sk_buff &skb);
void tcp_skb_entail(sock &sk, skb_ptr skb);
skb_ptr tcp_stream_alloc_skb(sock &sk, int size, gfp_t gfp, bool force_schedule);
bool tcp_stream_memory_free(const sock &sk, int wake);
void tcp_write_queue_purge(sock &sk);
void tcp_enter_memory_pressure(sock &sk);
void tcp_leave_memory_pressure(sock &sk);
int tcp_send_mss(sock &sk, int &size_goal, int flags);
void tcp_remove_empty_skb(sock &sk);
int tcp_wmem_schedule(sock &sk, int copy);
struct tcp_info;
void tcp_get_info(sock &sk, tcp_info &info);
// --- tcp_input.c ---
int tcp_rcv_state_process(
	sock &sk, skb_ptr &skb); // 0: took the skb; 1: the caller answers it with a reset and frees it
void tcp_rcv_established(sock &sk, skb_ptr skb);
int tcp_conn_request(const request_sock_ops &rsk_ops, const tcp_request_sock_ops &af_ops, sock &sk,
                     skb_ptr &skb);
request_sock *inet_reqsk_alloc(const request_sock_ops &ops, sock &sk_listener, bool attach_listener);
void tcp_reqsk_send_challenge_ack(sock &sk, sk_buff &skb, request_sock &req);
u16 tcp_parse_mss_option(const tcphdr &th, u16 user_mss);
u16 tcp_get_syncookie_mss(const request_sock_ops &rsk_ops, const tcp_request_sock_ops &af_ops, sock &sk,
                          tcphdr &th);
void tcp_parse_options(const net &net, const sk_buff &skb, tcp_options_received &opt_rx, bool estab,
                       tcp_fastopen_cookie *foc);
const u8 *tcp_parse_md5sig_option(const tcphdr &th);
void tcp_initialize_rcv_mss(sock &sk);
void tcp_init_transfer(sock &sk, int bpf_op, sk_buff *skb);
void tcp_finish_connect(sock &sk, sk_buff *skb);
void tcp_rcv_space_adjust(sock &sk);
void tcp_data_ready(sock &sk);
void tcp_fin(sock &sk);
void tcp_reset(sock &sk, sk_buff *skb);
void tcp_rearm_rto(sock &sk);
void tcp_synack_rtt_meas(sock &sk, request_sock *req);
inline void tcp_synack_rtt_meas(sock &sk, request_sock &req) { tcp_synack_rtt_meas(sk, &req); }
void tcp_enter_cwr(sock &sk);
void tcp_enter_loss(sock &sk);
void tcp_enter_recovery(sock &sk, bool ece_ack);
void tcp_cwnd_reduction(sock &sk, int newly_acked_sacked, int newly_lost, int flag);
void tcp_simple_retransmit(sock &sk);
void tcp_mark_skb_lost(sock &sk, sk_buff &skb);
u32 tcp_init_cwnd(const tcp_sock &tp, const dst_entry *dst);
void tcp_check_space(sock &sk);
bool tcp_add_backlog(sock &sk, skb_ptr &skb,
                     skb_drop_reason &reason); // tcp_ipv4.c; true: dropped (skb left), false: queued
bool tcp_oow_rate_limited(net &net, const sk_buff &skb, int mib_idx, u32 &last_oow_ack_time);
void tcp_rbtree_insert(skb_rb_root &root, skb_ptr skb);
int tcp_skb_shift(sk_buff &to, sk_buff &from, int pcount, int shiftlen);
void tcp_sack_compress_send_ack(sock &sk);
void tcp_done_with_error(sock &sk, int err);
void tcp_clear_retrans(tcp_sock &tp);
void tcp_ca_event_call(sock &sk, tcp_ca_event event); // tcp_ca_event(), header inline
// --- tcp_output.c ---
int tcp_connect(sock &sk);
int __tcp_transmit_skb(sock &sk, sk_buff *skb, int clone_it, gfp_t gfp_mask,
                       seq32 rcv_nxt); // owns skb when !clone_it
int tcp_transmit_skb(sock &sk, sk_buff *skb, int clone_it, gfp_t gfp_mask);
bool tcp_write_xmit(sock &sk, u32 mss_now, u32 nonagle, int push_one, gfp_t gfp);
void __tcp_push_pending_frames(sock &sk, u32 cur_mss, u32 nonagle);
void tcp_push_one(sock &sk, u32 mss_now);
u32 tcp_current_mss(sock &sk);
u32 tcp_sync_mss(sock &sk, u32 pmtu);
int tcp_mtu_to_mss(sock &sk, int pmtu);
int tcp_mss_to_mtu(sock &sk, int mss);
void tcp_mtup_init(sock &sk);
u32 tcp_bound_to_half_wnd(const tcp_sock &tp, u32 pktsize); // inline
void tcp_send_ack(sock &sk);
void __tcp_send_ack(sock &sk, seq32 rcv_nxt);
void tcp_send_delayed_ack(sock &sk);
void tcp_send_fin(sock &sk);
void tcp_send_active_reset(sock &sk, gfp_t priority);
int tcp_send_synack(sock &sk);
skb_ptr tcp_make_synack(const sock &sk, dst_entry *dst, request_sock &req, tcp_fastopen_cookie *foc,
                        int synack_type, sk_buff *syn_skb);
void tcp_select_initial_window(const sock &sk, int space, u32 mss, u32 &rcv_wnd, u32 &window_clamp,
                               int wscale_ok, u8 &rcv_wscale, u32 init_rcv_wnd);
u32 __tcp_select_window(sock &sk);
bool tcp_schedule_loss_probe(sock &sk, bool advancing_rto);
void tcp_send_loss_probe(sock &sk);
void tcp_send_probe0(sock &sk);
int tcp_write_wakeup(sock &sk, int mib);
void tcp_send_window_probe(sock &sk);
int tcp_retransmit_skb(sock &sk, sk_buff &skb, int segs);
int __tcp_retransmit_skb(sock &sk, sk_buff &skb, int segs);
void tcp_xmit_retransmit_queue(sock &sk);
int tcp_fragment(sock &sk, int tcp_queue /* tcp_queue enum */, sk_buff &skb, u32 len, u32 mss_now, gfp_t gfp);
enum tcp_queue { TCP_FRAG_IN_WRITE_QUEUE, TCP_FRAG_IN_RTX_QUEUE };
int tcp_trim_head(sock &sk, sk_buff &skb, u32 len);
void tcp_skb_collapse_tstamp(sk_buff &skb, const sk_buff &next_skb);
void tcp_release_cb(sock &sk);
void tcp_wfree(sk_buff &skb);
void tcp_tsq_handler(sock &sk);
void tcp_tasklet_init(); // of the current host's cpus
enum hrtimer_restart tcp_pace_kick(hrtimer &timer);
void tcp_chrono_start(sock &sk, tcp_chrono type);
void tcp_chrono_stop(sock &sk, tcp_chrono type);
void tcp_mstamp_refresh(tcp_sock &tp);
int tcp_rtx_synack(const sock &sk, request_sock &req);
void tcp_cwnd_restart(sock &sk, s32 delta);
void tcp_update_skb_after_send(sock &sk, sk_buff &skb, u64 prior_wstamp);
// --- tcp_timer.c ---
void tcp_init_xmit_timers(sock &sk);
void tcp_clear_xmit_timers(sock &sk);
void tcp_retransmit_timer(sock &sk);
void tcp_write_timer_handler(sock &sk);
void tcp_delack_timer_handler(sock &sk);
void tcp_syn_ack_timeout(const request_sock &req);
void tcp_set_keepalive(sock &sk, int val);
u32 tcp_clamp_probe0_to_user_timeout(const sock &sk, u32 when);
hrtimer_restart tcp_compressed_ack_kick(hrtimer &timer);
// --- tcp_ipv4.c ---
extern proto tcp_prot;
extern const inet_connection_sock_af_ops ipv4_specific;
extern const request_sock_ops tcp_request_sock_ops_v4; // the kernel's tcp_request_sock_ops
extern const tcp_request_sock_ops tcp_request_sock_ipv4_ops;
int tcp_v4_rcv(skb_ptr skb);
bool tcp_prequeue(sock &sk, skb_ptr &skb); // linux-4.4's; false: not taken
void tcp_prequeue_process(sock &sk);
void tcp_v4_init();
void tcp_v4_exit(); // before a host ends
int tcp_v4_do_rcv(sock &sk, skb_ptr skb);
int tcp_v4_err(sk_buff &skb, u32 info);
void tcp_v4_early_demux(sk_buff &skb);
int tcp_v4_connect(sock &sk, sockaddr_storage &uaddr, int addr_len);
int tcp_v4_pre_connect(sock &sk, sockaddr_storage &uaddr, int addr_len);
int tcp_v4_conn_request(sock &sk, skb_ptr &skb);
using child_init_fn = void (*)(sock &newsk, const sock &sk);
sock *tcp_v4_syn_recv_sock(const sock &sk, sk_buff &skb, request_sock &req, dst_entry *dst,
                           request_sock *req_unhash, bool &own_req, child_init_fn opt_child_init);
void tcp_v4_send_check(sock &sk, sk_buff &skb);
void __tcp_v4_send_check(sk_buff &skb, be32 saddr, be32 daddr);
void tcp_v4_send_reset(const sock *sk, sk_buff &skb);
void tcp_v4_destroy_sock(sock &sk);
int tcp_v4_init_sock(sock &sk);
void tcp_v4_mtu_reduced(sock &sk);
void inet_sk_rx_dst_set(sock &sk, const sk_buff &skb);
int tcp_filter(sock &sk, sk_buff &skb);
void tcp_req_err(sock_common &sk, seq32 seq, bool abort);
tcp_md5sig_key *tcp_v4_md5_lookup(const sock &sk, const sock &addr_sk); // tcp_md5.cpp
skb_drop_reason tcp_inbound_md5_hash(const sock *sk, const sk_buff &skb, be32 saddr, be32 daddr, int family,
                                     int dif, int sdif); // tcp_md5.cpp
int tcp_twsk_unique(sock &sk, sock_common &sktw, void *twp);
// --- tcp_minisocks.c ---
void tcp_time_wait(sock &sk, int state, int timeo);
tcp_tw_status tcp_timewait_state_process(inet_timewait_sock &tw, sk_buff &skb, const tcphdr &th, u32 &tw_isn);
sock *tcp_check_req(sock &sk, sk_buff &skb, request_sock &req, bool fastopen, bool &req_stolen);
int tcp_child_process(sock &parent, sock &child, skb_ptr &skb); // as tcp_rcv_state_process
sock *tcp_create_openreq_child(const sock &sk, request_sock &req, sk_buff &skb);
void tcp_openreq_init_rwin(request_sock &req, const sock &sk_listener, dst_entry *dst);
void tcp_ca_openreq_child(sock &sk, const dst_entry *dst);
void tcp_twsk_destructor(inet_timewait_sock &tw);
// --- tcp_cong.c, tcp_cubic.c ---
int tcp_register_congestion_control(const tcp_congestion_ops &ca);
void tcp_assign_congestion_control(sock &sk);
void tcp_init_congestion_control(sock &sk);
void tcp_cleanup_congestion_control(sock &sk);
int tcp_set_congestion_control(sock &sk, const char *name, bool load, bool cap_net_admin);
const tcp_congestion_ops *tcp_ca_find(const char *name);
void tcp_set_ca_state(sock &sk, u8 ca_state);
u32 tcp_slow_start(tcp_sock &tp, u32 acked);
void tcp_cong_avoid_ai(tcp_sock &tp, u32 w, u32 acked);
u32 tcp_reno_ssthresh(sock &sk);
u32 tcp_reno_undo_cwnd(sock &sk);
void tcp_reno_cong_avoid(sock &sk, u32 ack, u32 acked);
const tcp_congestion_ops *tcp_ca_find_key(u32 key);
int tcp_set_default_congestion_control(net &net, const char *name);
void tcp_congestion_default(); // boots the current host's list: reno, cubic; cubic becomes the initial
                               // namespace's
extern const tcp_congestion_ops tcp_reno, cubictcp;
u32 cubic_root(u64 a);
constexpr u32 TCP_CA_UNSPEC = 0;
// --- tcp_rate.c, tcp_recovery.c ---
void tcp_rate_skb_sent(sock &sk, sk_buff &skb);
void tcp_rate_skb_delivered(sock &sk, sk_buff &skb, rate_sample &rs);
void tcp_rate_gen(sock &sk, u32 delivered, u32 lost, bool is_sack_reneg, rate_sample &rs);
void tcp_rate_check_app_limited(sock &sk);
bool tcp_rack_mark_lost(sock &sk);
void tcp_rack_advance(tcp_sock &tp, u8 sacked, seq32 end_seq, u64 xmit_time);
void tcp_rack_reo_timeout(sock &sk);
void tcp_rack_update_reo_wnd(sock &sk, rate_sample &rs);
s32 tcp_rack_skb_timeout(tcp_sock &tp, sk_buff &skb, u32 reo_wnd);
void tcp_newreno_mark_lost(sock &sk, bool snd_una_advanced);
// --- tcp_metrics.c ---
void tcp_update_metrics(sock &sk);
void tcp_init_metrics(sock &sk);
bool tcp_peer_is_proven(request_sock &req, dst_entry *dst);
void tcp_metrics_init();
// --- tcp_fastopen.c (the parts on the ordinary road), tcp_ulp.c, syncookies.c ---
sock *tcp_try_fastopen(sock &sk, sk_buff &skb, request_sock &req, tcp_fastopen_cookie &foc,
                       const dst_entry *dst);
bool tcp_fastopen_defer_connect(sock &sk, int &err);
void tcp_fastopen_active_disable_ofo_check(sock &sk);
void fastopen_queue_tune(sock &sk, int backlog); // header inline
void tcp_fastopen_init_key_once(net &net);
// Keys of a listener, or with a null `sk` of the namespace; the backup key may be null.
int tcp_fastopen_reset_cipher(net &net, sock *sk, const u8 *primary_key, const u8 *backup_key);
// Into `key`, which has room for TCP_FASTOPEN_KEY_BUF_LENGTH; returns how many there are.
u32 tcp_fastopen_get_cipher(const net &net, const sock *sk, u8 *key);
void tcp_fastopen_destroy_cipher(sock &sk);
void tcp_fastopen_ctx_destroy(net &net);
void tcp_free_fastopen_req(tcp_sock &tp); // tcp.c
bool tcp_fastopen_cookie_check(sock &sk, u16 &mss, tcp_fastopen_cookie &cookie);
void tcp_fastopen_cache_get(sock &sk, u16 &mss, tcp_fastopen_cookie &cookie);
void tcp_fastopen_cache_set(sock &sk, u16 mss, const tcp_fastopen_cookie *cookie, bool syn_lost, u16 try_exp);
void reqsk_fastopen_remove(sock &sk, request_sock *req, bool reset); // request_sock.c
void tcp_fastopen_active_disable(sock &sk);
void tcp_fastopen_add_skb(sock &sk, sk_buff &skb); // data that came with a SYN or SYN+ACK
bool tcp_fastopen_active_should_disable(sock &sk);
void tcp_fastopen_active_detect_blackhole(sock &sk, bool expired);
int tcp_set_ulp(sock &sk, const char *name);
void tcp_cleanup_ulp(sock &sk);
u32 cookie_v4_init_sequence(const sk_buff &skb, u16 &mss);
sock *cookie_v4_check(sock &sk, sk_buff &skb);
u64 cookie_init_timestamp(request_sock &req, u64 now);
u32 __cookie_v4_init_sequence(const iphdr &iph, const tcphdr &th, u16 &mssp);
int __cookie_v4_check(const iphdr &iph, const tcphdr &th, u32 cookie);
bool cookie_timestamp_decode(const net &net, tcp_options_received &tcp_opt);
sock *tcp_get_cookie_sock(sock &sk, sk_buff &skb, request_sock &req, dst_entry *dst, u32 tsoff);
bool tcp_synq_no_recent_overflow(const sock &sk); // header inlines
void tcp_synq_overflow(const sock &sk);
u32 tcp_cookie_time();
// --- tcp_offload.c ---
skb_segs tcp4_gso_segment(sk_buff &skb, netdev_features_t features);
skb_segs tcp_gso_segment(sk_buff &skb, netdev_features_t features);
// --- bpf's hooks on TCP; empty while nothing is attached ---

} // namespace skbwalk

#include "stack/ipv4/tcp_inline.h"
