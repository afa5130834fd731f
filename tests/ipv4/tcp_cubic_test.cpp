// SPDX-License-Identifier: GPL-2.0-only
#include "tests/ipv4/tcp_bench.h"

namespace skbwalk {
namespace {

using test::tcp_bench;

// Linux 6.1's own values.
TEST(tcp_cubic, cube_root_is_the_kernels_to_the_last_bit)
{
	static constexpr struct {
		u64 a;
		u32 root;
	} values[] = {{0, 0},
	              {1, 1},
	              {8, 2},
	              {27, 3},
	              {63, 4},
	              {64, 4},
	              {100, 5},
	              {1000, 10},
	              {4096, 16},
	              {65536, 40},
	              {1000000, 100},
	              {123456789, 497},
	              {1000000000, 1000},
	              {80452070310, 4316},
	              {2681735677000, 13897},
	              {4503599627370496, 165178},
	              {9223372036854775807, 2097068}};

	for (const auto &v : values)
		EXPECT_EQ(cubic_root(v.a), v.root) << v.a;
}

class cubic_bench : public tcp_bench {
public:
	cubic_bench()
	{
		tp.icsk_ca_ops = &cubictcp;
		tp.tcp_mstamp = 1'000'000;
		cubictcp.init(tp);
		tp.is_cwnd_limited = 1;
	}
	void acked(u32 rtt_us)
	{
		cubictcp.pkts_acked(tp,
		                    {.pkts_acked = 1, .rtt_us = static_cast<s32>(rtt_us), .in_flight = 1});
	}
};

TEST(tcp_cubic, loss_and_ssthresh_is_seven_tenths)
{
	cubic_bench b;

	tcp_snd_cwnd_set(b.tp, 100);
	EXPECT_EQ(cubictcp.ssthresh(b.tp), 70u);
	tcp_snd_cwnd_set(b.tp, 2);
	EXPECT_EQ(cubictcp.ssthresh(b.tp), 2u);
}

TEST(tcp_cubic, slow_start_and_window_grows_with_each_ack)
{
	cubic_bench b;

	cubictcp.cong_avoid(b.tp, 0, 4);
	EXPECT_EQ(tcp_snd_cwnd(b.tp), 14u);
}

// After a loss at 100: K is the cube root of 30 segments over C, 4.2 s, and there the window is 100 again.
TEST(tcp_cubic, recovered_and_window_returns_to_the_last_maximum_in_its_time)
{
	cubic_bench b;

	tcp_snd_cwnd_set(b.tp, 100);
	b.tp.snd_ssthresh = cubictcp.ssthresh(b.tp);
	tcp_snd_cwnd_set(b.tp, 70);
	const auto after_ms = [&b](u32 ms) {
		for (u32 t = 0; t < ms; t += 100) {
			cubictcp.cong_avoid(b.tp, 0, tcp_snd_cwnd(b.tp)); // a window each 100 ms
			b.leave();
			b.run_ms(100);
			b.enter();
		}
		return tcp_snd_cwnd(b.tp);
	};
	const u32 halfway = after_ms(2100);
	EXPECT_GE(halfway, 93u);
	EXPECT_LE(halfway, 98u);
	const u32 at_k = after_ms(2100);
	EXPECT_GE(at_k, 99u);
	EXPECT_LE(at_k, 102u);
}

TEST(tcp_cubic, ack_train_lasts_half_a_round_trip_and_slow_start_ends)
{
	cubic_bench b;

	tcp_snd_cwnd_set(b.tp, 20);
	b.tp.sk_pacing_rate = ~0ull;
	b.tp.snd_una = seq32(1);
	b.tp.snd_nxt = seq32(20'000);
	b.acked(10'000); // a new round
	for (int i = 0; i < 5; ++i) {
		b.tp.tcp_mstamp += 1'000;
		b.acked(10'000);
	}
	EXPECT_TRUE(tcp_in_initial_slowstart(b.tp)); // 5 ms: not more than half
	b.tp.tcp_mstamp += 1'000;
	b.acked(10'000);
	EXPECT_EQ(b.tp.snd_ssthresh, 20u);
	EXPECT_EQ(init_net().mib.net_statistics[LINUX_MIB_TCPHYSTARTTRAINDETECT], 1u);
}

} // namespace
} // namespace skbwalk
