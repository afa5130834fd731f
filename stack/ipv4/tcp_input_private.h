// SPDX-License-Identifier: GPL-2.0-only
//
// What the files that net/ipv4/tcp_input.c is cut into give each other; static functions there.
//
//   tcp_input.cpp            a segment for a socket: fast path, checks, states, urgent data, when to
//   acknowledge tcp_input_queue.cpp      its data: receive queue, out-of-order queue, SACK blocks to send,
//   pruning tcp_input_buffer.cpp     sizes: receive MSS, quick ACKs, windows and buffers that tune themselves
//   tcp_input_ack.cpp        its acknowledgement: what leaves the retransmit queue, round trips, the window
//   tcp_input_sack.cpp       its SACK blocks: the scoreboard
//   tcp_input_recovery.cpp   what an ACK says about loss: recovery, undo, proportional rate reduction, F-RTO
//   tcp_input_options.cpp    its options
//   tcp_input_conn.cpp       how a connection begins: SYN, SYN+ACK, the established state's set-up
#pragma once

#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/tcp.h"
#include "stack/ipv4/tcp_bpf.h"

namespace skbwalk {

// What one ACK's SACK blocks gave.
struct tcp_sacktag_state {
	u64 first_sackt = 0,
	    last_sackt = 0; // when the first and last newly SACKed, never retransmitted segments left (us)
	seq32 reord;        // lowest sequence that was SACKed late
	u32 sack_delivered = 0;
	u32 flag = 0;
	u32 mss_now = 0;
	rate_sample *rate = nullptr;
};
enum rexmit_kind {
	REXMIT_NONE,
	REXMIT_LOST,
	REXMIT_NEW
}; // nothing; what is marked lost; unsent data (F-RTO)
constexpr int TCP_RACK_LOSS_DETECTION = 1, TCP_RACK_STATIC_REO_WND = 2, TCP_RACK_NO_DUPTHRESH = 4;
constexpr u16 TCP_URG_VALID = 0x0100, TCP_URG_NOTYET = 0x0200, TCP_URG_READ = 0x0400;
constexpr int TCP_NUM_SACKS = 4;

// --- tcp_input.cpp ---
void tcp_drop_reason(sock &sk, skb_ptr skb, skb_drop_reason reason);
void tcp_send_challenge_ack(sock &sk);
bool __tcp_oow_rate_limited(net &net, int mib_idx, u32 &last_oow_ack_time);
void tcp_urg(sock &sk, sk_buff &skb, const tcphdr &th);
// --- tcp_input_queue.cpp ---
void tcp_data_queue(sock &sk, skb_ptr skb);
[[nodiscard]] int tcp_queue_rcv(sock &sk, skb_ptr &skb,
                                bool &fragstolen); // 1: merged into the tail, skb left
bool reader_takes(
	const sock &sk); // linux-4.4's prequeue: is the task that runs waiting for just this segment?
int tcp_copy_to_iovec(sock &sk, sk_buff &skb, int hlen);
void tcp_dsack_set(sock &sk, seq32 seq, seq32 end_seq);
void tcp_rcv_spurious_retrans(sock &sk, const sk_buff &skb);
// --- tcp_input_buffer.cpp ---
void tcp_enter_quickack_mode(sock &sk, u32 max_quickacks);
bool tcp_in_quickack_mode(sock &sk);
void tcp_ecn_check_ce(sock &sk, const sk_buff &skb);
void tcp_sndbuf_expand(sock &sk);
void tcp_grow_window(sock &sk, const sk_buff &skb, bool adjust);
void tcp_clamp_window(sock &sk);
void tcp_init_buffer_space(sock &sk);
void tcp_rcv_rtt_measure_ts(sock &sk, const sk_buff &skb);
void tcp_event_data_recv(sock &sk, sk_buff &skb);
// --- tcp_input_ack.cpp ---
int tcp_ack(sock &sk, const sk_buff &skb, u32 flag); // 1, 0 for an old one, or a negative skb_drop_reason
void tcp_update_pacing_rate(sock &sk);
bool tcp_may_update_window(const tcp_sock &tp, seq32 ack, seq32 ack_seq, u32 nwin);
void tcp_rcv_nxt_update(tcp_sock &tp, seq32 seq);
void tcp_store_ts_recent(tcp_sock &tp);
void tcp_count_delivered(tcp_sock &tp, u32 delivered, bool ece_ack);
// --- tcp_input_sack.cpp ---
u32 tcp_sacktag_write_queue(sock &sk, const sk_buff &ack_skb, seq32 prior_snd_una, tcp_sacktag_state &state);
void tcp_check_sack_reordering(sock &sk, seq32 low_seq, bool ts);
int tcp_skb_seglen(const sk_buff &skb);
// --- tcp_input_recovery.cpp ---
void tcp_fastretrans_alert(sock &sk, seq32 prior_snd_una, int num_dupack, u32 &ack_flag, rexmit_kind &rexmit);
void tcp_remove_reno_sacks(sock &sk, int acked, bool ece_ack);
bool tcp_skb_spurious_retrans(const tcp_sock &tp, const sk_buff &skb);
void tcp_mtup_probe_success(sock &sk);
void tcp_init_cwnd_reduction(sock &sk);
void tcp_end_cwnd_reduction(sock &sk);
void tcp_try_keep_open(sock &sk);
bool tcp_try_undo_recovery(sock &sk);
void tcp_non_congestion_loss_retransmit(sock &sk);
// --- tcp_input_options.cpp ---
bool tcp_parse_aligned_timestamp(tcp_sock &tp, const tcphdr &th);
bool tcp_fast_parse_options(const net &net, const sk_buff &skb, const tcphdr &th, tcp_sock &tp);
// --- tcp_input_conn.cpp ---
int tcp_rcv_synsent_state_process(sock &sk, skb_ptr &skb,
                                  const tcphdr &th); // -1: go on with skb, 1: send a reset
void tcp_rcv_synrecv_state_fastopen(sock &sk);
void tcp_try_undo_spurious_syn(sock &sk);

} // namespace skbwalk
