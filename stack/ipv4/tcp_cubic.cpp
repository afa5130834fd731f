// SPDX-License-Identifier: GPL-2.0-only
//
// CUBIC (net/ipv4/tcp_cubic.c, RFC 9438). After a loss the window follows a cubic function of time: fast
// towards the size at which the loss was, slowly around it, then faster again; never slower than Reno would
// be. Time and window are fixed-point numbers: bictcp_update computes how many ACKs are one segment more.
// HyStart (hystart_update) ends slow start before the loss, when a train of ACKs grows as long as half a
// round trip or the delay grows.
#include <algorithm>
#include <bit>
#include <iterator>

#include "stack/ipv4/tcp.h"

namespace skbwalk {

namespace {

constexpr u32 BICTCP_BETA_SCALE = 1024; // scale of beta
constexpr u32 BICTCP_HZ = 10;           // time is in units of 2^-10 s
constexpr u32 HYSTART_ACK_TRAIN = 1, HYSTART_DELAY = 2;
constexpr u32 HYSTART_MIN_SAMPLES = 8;
constexpr u32 HYSTART_DELAY_MIN = 4000, HYSTART_DELAY_MAX = 16000; // us

// The module's parameters, with their defaults.
constexpr bool fast_convergence = true, tcp_friendliness = true, hystart = true;
constexpr u32 beta = 717; // what remains after a loss: 717/1024
constexpr u32 initial_ssthresh = 0;
constexpr u32 bic_scale = 41; // C = 41/1024 * 10
constexpr u32 hystart_detect = HYSTART_ACK_TRAIN | HYSTART_DELAY;
constexpr u32 hystart_low_window = 16;
constexpr s32 hystart_ack_delta_us = 2000;

constexpr u32 cube_rtt_scale = bic_scale * 10;
constexpr u32 beta_scale = 8 * (BICTCP_BETA_SCALE + beta) / 3 / (BICTCP_BETA_SCALE - beta);
constexpr u64 cube_factor = (1ull << (10 + 3 * BICTCP_HZ)) / (bic_scale * 10);

struct bictcp {
	u32 cnt;           // ACKs for one segment more
	u32 last_max_cwnd; // where the last loss was
	u32 last_cwnd;     // at the last update
	u32 last_time;
	u32 bic_origin_point; // where the curve is flat
	u32 bic_K;            // how long it takes to get there
	u32 delay_min;        // us
	u32 epoch_start;      // 0: no curve yet
	u32 ack_cnt;
	u32 tcp_cwnd; // Reno's estimate
	u16 unused;
	u8 sample_cnt;   // of the round trip in this round
	u8 found;        // HyStart has seen enough
	u32 round_start; // us
	u32 end_seq;     // of this round
	u32 last_ack;    // us
	u32 curr_rtt;    // least of this round
};

} // namespace

static void bictcp_reset(bictcp &ca)
{
	TRACE();
	std::memset(&ca, 0, offsetof(bictcp, unused));
	ca.found = 0;
}

static u32 bictcp_clock_us(const sock &sk)
{
	TRACE(sk);
	return static_cast<u32>(tcp_sk(sk).tcp_mstamp);
}

static void bictcp_hystart_reset(sock &sk)
{
	TRACE(sk);
	bictcp &ca = inet_csk_ca<bictcp>(sk);

	ca.round_start = ca.last_ack = bictcp_clock_us(sk);
	ca.end_seq = tcp_sk(sk).snd_nxt.v;
	ca.curr_rtt = ~0u;
	ca.sample_cnt = 0;
}

static void cubictcp_init(sock &sk)
{
	TRACE(sk);
	bictcp_reset(inet_csk_ca<bictcp>(sk));
	if (hystart)
		bictcp_hystart_reset(sk);
	if (!hystart && initial_ssthresh)
		tcp_sk(sk).snd_ssthresh = initial_ssthresh;
}

static void cubictcp_cwnd_event(sock &sk, tcp_ca_event event)
{
	TRACE(sk);
	if (event != CA_EVENT_TX_START)
		return;
	bictcp &ca = inet_csk_ca<bictcp>(sk);
	const u32 now = tcp_jiffies32();
	const s32 delta = static_cast<s32>(now - tcp_sk(sk).lsndtime);

	// The curve stands still while the application says nothing.
	if (ca.epoch_start && delta > 0) {
		ca.epoch_start += static_cast<u32>(delta);
		if (time_after(ca.epoch_start, now))
			ca.epoch_start = now;
	}
}

// A table for the upper six bits, then one step of Newton's method; off by 0.2 % on average.
u32 cubic_root(u64 a)
{
	TRACE();
	// 64 times the cube root of the index.
	static constexpr u8 v[] = {
		0,   54,  54,  54,  118, 118, 118, 118, 123, 129, 134, 138, 143, 147, 151, 156,
		157, 161, 164, 168, 170, 173, 176, 179, 181, 185, 187, 190, 192, 194, 197, 199,
		200, 202, 204, 206, 209, 211, 213, 215, 217, 219, 221, 222, 224, 225, 227, 229,
		231, 232, 234, 236, 237, 239, 240, 242, 244, 245, 246, 248, 250, 251, 252, 254,
	};
	u32 b = static_cast<u32>(std::bit_width(a));

	if (b < 7)
		return (static_cast<u32>(v[a]) + 35) >> 6;
	b = (b * 84 >> 8) - 1;
	const auto shift = static_cast<u32>(a >> b * 3);
	u32 x = ((static_cast<u32>(v[shift]) + 10) << b) >> 6;

	x = 2 * x + static_cast<u32>(a / (static_cast<u64>(x) * (x - 1)));
	return x * 341 >> 10;
}

namespace {

// Where the curve wants the window to be, as ACKs for one segment more.
void follow_curve(bictcp &ca, u32 cwnd)
{
	u64 t = static_cast<u64>(static_cast<s64>(static_cast<s32>(tcp_jiffies32() - ca.epoch_start)));
	u32 bic_target;

	t += usecs_to_jiffies(ca.delay_min);
	t <<= BICTCP_HZ;
	t /= HZ;
	const u64 offs = t < ca.bic_K ? ca.bic_K - t : t - ca.bic_K;
	const auto delta = static_cast<u32>(cube_rtt_scale * offs * offs * offs >> (10 + 3 * BICTCP_HZ));
	if (t < ca.bic_K)
		bic_target = ca.bic_origin_point - delta;
	else
		bic_target = ca.bic_origin_point + delta;
	ca.cnt = bic_target > cwnd ? cwnd / (bic_target - cwnd) : 100 * cwnd;
	// Without a loss so far there is no reason to be slow.
	if (ca.last_max_cwnd == 0 && ca.cnt > 20)
		ca.cnt = 20;
}

} // namespace

static void bictcp_update(bictcp &ca, u32 cwnd, u32 acked)
{
	TRACE();
	const u32 now = tcp_jiffies32();

	ca.ack_cnt += acked;
	if (ca.last_cwnd == cwnd && static_cast<s32>(now - ca.last_time) <= static_cast<s32>(HZ / 32))
		return;
	// The curve is computed once a jiffy, Reno's estimate for each ACK.
	if (!(ca.epoch_start && now == ca.last_time)) {
		ca.last_cwnd = cwnd;
		ca.last_time = now;
		if (ca.epoch_start == 0) {
			ca.epoch_start = now;
			ca.ack_cnt = acked;
			ca.tcp_cwnd = cwnd;
			if (ca.last_max_cwnd <= cwnd) {
				ca.bic_K = 0;
				ca.bic_origin_point = cwnd;
			} else {
				ca.bic_K = cubic_root(cube_factor * (ca.last_max_cwnd - cwnd));
				ca.bic_origin_point = ca.last_max_cwnd;
			}
		}
		follow_curve(ca, cwnd);
	}
	if (tcp_friendliness) {
		const u32 delta = cwnd * beta_scale >> 3;

		while (ca.ack_cnt > delta) {
			ca.ack_cnt -= delta;
			ca.tcp_cwnd++;
		}
		if (ca.tcp_cwnd > cwnd)
			ca.cnt = std::min(ca.cnt, cwnd / (ca.tcp_cwnd - cwnd));
	}
	ca.cnt = std::max(ca.cnt, 2u); // at most one and a half times as much in a round trip
}

static void cubictcp_cong_avoid(sock &sk, u32, u32 acked)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	bictcp &ca = inet_csk_ca<bictcp>(sk);

	if (!tcp_is_cwnd_limited(sk))
		return;
	if (tcp_in_slow_start(tp)) {
		acked = tcp_slow_start(tp, acked);
		if (!acked)
			return;
	}
	bictcp_update(ca, tcp_snd_cwnd(tp), acked);
	tcp_cong_avoid_ai(tp, ca.cnt, acked);
}

static u32 cubictcp_recalc_ssthresh(sock &sk)
{
	TRACE(sk);
	const u32 cwnd = tcp_snd_cwnd(tcp_sk(sk));
	bictcp &ca = inet_csk_ca<bictcp>(sk);

	ca.epoch_start = 0;
	// A loss earlier than the last time: others have come, so make room.
	if (cwnd < ca.last_max_cwnd && fast_convergence)
		ca.last_max_cwnd = cwnd * (BICTCP_BETA_SCALE + beta) / (2 * BICTCP_BETA_SCALE);
	else
		ca.last_max_cwnd = cwnd;
	return std::max(cwnd * beta / BICTCP_BETA_SCALE, 2u);
}

static void cubictcp_state(sock &sk, u8 new_state)
{
	TRACE(sk);
	if (new_state == TCP_CA_Loss) {
		bictcp_reset(inet_csk_ca<bictcp>(sk));
		bictcp_hystart_reset(sk);
	}
}

// How long a burst of the largest size takes at the pacing rate: the peer's ACKs come as late. In us.
static u32 hystart_ack_delay(const sock &sk)
{
	TRACE(sk);
	const u64 rate = sk.sk_pacing_rate;

	if (!rate)
		return 0;
	return static_cast<u32>(
		std::min<u64>(1000, static_cast<u64>(sk.sk_gso_max_size) * 4 * 1'000'000 / rate));
}

namespace {

void end_slow_start(sock &sk, bictcp &ca, linux_mib_item detected, linux_mib_item cwnd_sum)
{
	tcp_sock &tp = tcp_sk(sk);

	ca.found = 1;
	NET_INC_STATS(sock_net(sk), detected);
	NET_ADD_STATS(sock_net(sk), cwnd_sum, tcp_snd_cwnd(tp));
	tp.snd_ssthresh = tcp_snd_cwnd(tp);
}

} // namespace

static void hystart_update(sock &sk, u32 delay)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	bictcp &ca = inet_csk_ca<bictcp>(sk);

	if (after(tp.snd_una, seq32(ca.end_seq)))
		bictcp_hystart_reset(sk);
	if (tcp_snd_cwnd(tp) < hystart_low_window)
		return;
	if (hystart_detect & HYSTART_ACK_TRAIN) {
		const u32 now = bictcp_clock_us(sk);

		if (static_cast<s32>(now - ca.last_ack) <= hystart_ack_delta_us) {
			ca.last_ack = now;
			u32 threshold = ca.delay_min + hystart_ack_delay(sk);
			// Without pacing, half a round trip of data goes in one burst.
			if (sk.sk_pacing_status == SK_PACING_NONE)
				threshold >>= 1;
			if (now - ca.round_start > threshold)
				end_slow_start(sk, ca, LINUX_MIB_TCPHYSTARTTRAINDETECT,
				               LINUX_MIB_TCPHYSTARTTRAINCWND);
		}
	}
	if (hystart_detect & HYSTART_DELAY) {
		ca.curr_rtt = std::min(ca.curr_rtt, delay);
		if (ca.sample_cnt < HYSTART_MIN_SAMPLES)
			ca.sample_cnt++;
		else if (ca.curr_rtt >
		         ca.delay_min + std::clamp(ca.delay_min >> 3, HYSTART_DELAY_MIN, HYSTART_DELAY_MAX))
			end_slow_start(sk, ca, LINUX_MIB_TCPHYSTARTDELAYDETECT,
			               LINUX_MIB_TCPHYSTARTDELAYCWND);
	}
}

static void cubictcp_acked(sock &sk, const ack_sample &sample)
{
	TRACE(sk);
	bictcp &ca = inet_csk_ca<bictcp>(sk);

	if (sample.rtt_us < 0)
		return;
	// Right after a recovery, queues are not what they are otherwise.
	if (ca.epoch_start && static_cast<s32>(tcp_jiffies32() - ca.epoch_start) < static_cast<s32>(HZ))
		return;
	const u32 delay = std::max(static_cast<u32>(sample.rtt_us), 1u);
	if (ca.delay_min == 0 || ca.delay_min > delay)
		ca.delay_min = delay;
	if (!ca.found && tcp_in_slow_start(tcp_sk(sk)) && hystart)
		hystart_update(sk, delay);
}

const tcp_congestion_ops cubictcp = {
	.name = "cubic",
	.flags = 0,
	.ssthresh = cubictcp_recalc_ssthresh,
	.cong_avoid = cubictcp_cong_avoid,
	.set_state = cubictcp_state,
	.cwnd_event = cubictcp_cwnd_event,
	.in_ack_event = nullptr,
	.pkts_acked = cubictcp_acked,
	.min_tso_segs = nullptr,
	.cong_control = nullptr,
	.undo_cwnd = tcp_reno_undo_cwnd,
	.sndbuf_expand = nullptr,
	.init = cubictcp_init,
	.release = nullptr,
};

} // namespace skbwalk
