// SPDX-License-Identifier: GPL-2.0-only
#include "tests/ipv4/tcp_bench.h"

namespace skbwalk {
namespace {

using test::tcp_bench;

class rate_bench : public tcp_bench {
public:
	// One segment, sent at this time (us).
	skb_ptr sent(u64 at_us)
	{
		skb_ptr skb = alloc_skb(100, GFP_KERNEL);

		skb->tstamp = at_us * NSEC_PER_USEC;
		seq_ += 1000;
		TCP_SKB_CB(*skb).end_seq = seq_;
		tcp_rate_skb_sent(tp, *skb);
		tp.packets_out++;
		return skb;
	}
	// An ACK at this time for the one given: the sample.
	rate_sample ack(skb_ptr skb, u64 at_us)
	{
		rate_sample rs;

		tp.tcp_mstamp = at_us;
		tcp_rate_skb_delivered(tp, *skb, rs);
		tp.delivered++;
		tp.packets_out--;
		tcp_rate_gen(tp, 1, 0, false, rs);
		consume_skb(std::move(skb));
		return rs;
	}

private:
	seq32 seq_{1};
};

TEST(tcp_rate, lone_segment_and_sample_spans_its_round_trip)
{
	rate_bench b;

	const rate_sample rs = b.ack(b.sent(1'000), 21'000);
	EXPECT_EQ(rs.delivered, 1);
	EXPECT_EQ(rs.interval_us, 20'000);
}

// Four sent over 3 ms, acknowledged over 9 ms: the slower of the two counts.
TEST(tcp_rate, acks_spread_out_and_sample_takes_the_longer_interval)
{
	rate_bench b;
	std::vector<skb_ptr> flight;

	for (u64 i = 0; i < 4; ++i)
		flight.push_back(b.sent(1'000 + i * 1'000));
	rate_sample rs;
	for (u64 i = 0; i < 4; ++i)
		rs = b.ack(std::move(flight[i]), 21'000 + i * 3'000);
	EXPECT_EQ(rs.delivered, 4);
	EXPECT_EQ(rs.snd_interval_us, 3'000u);
	EXPECT_EQ(rs.rcv_interval_us, 29'000u);
	EXPECT_EQ(rs.interval_us, 29'000);
	EXPECT_EQ(b.tp.rate_delivered, 4u);
}

TEST(tcp_rate, interval_below_least_round_trip_and_sample_is_no_good)
{
	rate_bench b;

	minmax_reset(b.tp.rtt_min, 0, 50'000);
	EXPECT_EQ(b.ack(b.sent(1'000), 21'000).interval_us, -1);
}

TEST(tcp_rate, application_had_nothing_and_lower_rate_is_not_kept)
{
	rate_bench b;

	b.ack(b.sent(1'000), 11'000); // one in 10 ms
	b.tp.app_limited = 100;
	const rate_sample rs = b.ack(b.sent(20'000), 120'000);
	EXPECT_TRUE(rs.is_app_limited);
	EXPECT_EQ(b.tp.rate_interval_us, 10'000u);
}

} // namespace
} // namespace skbwalk
