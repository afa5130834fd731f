// SPDX-License-Identifier: GPL-2.0-only
//
// What the files tcp_output*.cpp, one file in the kernel (net/ipv4/tcp_output.c), give each other.
#pragma once

#include "stack/ipv4/tcp.h"

namespace skbwalk {

constexpr u16 OPTION_SACK_ADVERTISE = 1 << 0, OPTION_TS = 1 << 1, OPTION_MD5 = 1 << 2, OPTION_WSCALE = 1 << 3,
	      OPTION_FAST_OPEN_COOKIE = 1 << 8;

// What a segment's options will be: sized first, written when the header is built.
struct tcp_out_options {
	u16 options = 0; // OPTION_*
	u16 mss = 0;     // 0: none
	u8 ws = 0;
	u8 num_sack_blocks = 0;
	u8 bpf_opt_len = 0;
	u8 *hash_location = nullptr; // where MD5's digest goes
	u32 tsval = 0, tsecr = 0;
	tcp_fastopen_cookie *fastopen_cookie = nullptr;
};

// --- tcp_output_options.cpp: sizes in bytes ---
u32 tcp_syn_options(sock &sk, sk_buff &skb, tcp_out_options &opts, tcp_md5sig_key *&md5);
u32 tcp_synack_options(const sock &sk, request_sock &req, u32 mss, sk_buff &skb, tcp_out_options &opts,
                       const tcp_md5sig_key *md5, tcp_fastopen_cookie *foc, int synack_type,
                       sk_buff *syn_skb);
u32 tcp_established_options(sock &sk, sk_buff *skb, tcp_out_options &opts, tcp_md5sig_key *&md5);
void tcp_options_write(tcphdr &th, tcp_sock *tp, tcp_out_options &opts);
// --- tcp_output.cpp ---
seq32 tcp_acceptable_seq(const sock &sk);
void tcp_init_nondata_skb(sk_buff &skb, seq32 seq, u8 flags);
void tcp_queue_skb(sock &sk, skb_ptr skb);
void tcp_ecn_send_synack(sock &sk, sk_buff &skb);
void tcp_ecn_send_syn(sock &sk, sk_buff &skb);
void tcp_ecn_clear_syn(sock &sk, sk_buff &skb);
inline bool tcp_urg_mode(const tcp_sock &tp) { return tp.snd_una != tp.snd_up; }
inline void tcp_add_tx_delay(sk_buff &skb, const tcp_sock &tp)
{
	if (tp.tcp_tx_delay)
		skb.tstamp += static_cast<u64>(tp.tcp_tx_delay) * NSEC_PER_USEC;
}
// --- tcp_output_window.cpp ---
u16 tcp_select_window(sock &sk);
// --- tcp_output_mss.cpp ---
int __tcp_mtu_to_mss(sock &sk, int pmtu);
int tcp_mtu_probe(sock &sk);
// --- tcp_output_fragment.cpp ---
void tcp_set_skb_tso_segs(sk_buff &skb, u32 mss_now);
int tcp_init_tso_segs(sk_buff &skb, u32 mss_now);
void tcp_adjust_pcount(sock &sk, const sk_buff &skb, int decr);
bool tcp_has_tx_tstamp(const sk_buff &skb);
int __pskb_trim_head(sk_buff &skb, int len);
int tso_fragment(sock &sk, sk_buff &skb, u32 len, u32 mss_now, gfp_t gfp);
// --- tcp_output_write.cpp ---
void tcp_event_new_data_sent(sock &sk, sk_buff &skb);
u32 tcp_tso_segs(sock &sk, u32 mss_now);
bool tcp_snd_wnd_test(const tcp_sock &tp, const sk_buff &skb, u32 cur_mss);
bool tcp_pacing_check(sock &sk);
bool tcp_small_queue_check(sock &sk, const sk_buff &skb, u32 factor);
bool skb_still_in_host_queue(sock &sk, const sk_buff &skb); // tcp_output_retransmit.cpp

} // namespace skbwalk
