// SPDX-License-Identifier: GPL-2.0-only
#include "stack/ipv4/tcp_input_private.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "tests/ipv4/tcp_bench.h"

namespace skbwalk {
namespace {

using test::tcp_bench;

// A socket that has sent `out` segments of 1000 bytes from sequence 1000 on, and expects 5000 next.
class input_bench : public tcp_bench {
public:
	explicit input_bench(u32 out = 0)
	{
		tp.icsk_ca_ops = &tcp_reno;
		tp.mss_cache = 1000;
		tp.advmss = 1000;
		tp.tcp_header_len = sizeof(tcphdr);
		tp.reordering = 3;
		tp.max_window = tp.snd_wnd = 60000;
		tp.rx_opt.sack_ok = TCP_SACK_SEEN;
		tp.snd_una = tp.high_seq = seq32(1000);
		for (u32 i = 0; i < out; i++)
			sent(1000 + i * 1000);
		tp.snd_nxt = tp.write_seq = seq32(1000 + out * 1000);

		tp.rcv_nxt = tp.rcv_wup = tp.copied_seq = seq32(5000);
		tp.rcv_wnd = tp.window_clamp = 30000;
		tp.icsk_ack.rcv_mss = 536;
		tp.sk_rcvbuf = 131072;
		tp.sk_data_ready = [](sock &) {};
	}
	~input_bench()
	{
		skb_rbtree_purge(tp.out_of_order_queue);
		__skb_queue_purge(tp.sk_receive_queue);
		while (sk_buff *skb = tcp_rtx_queue_head(tp)) {
			list_del_init(skb->tcp_tsorted_anchor);
			__kfree_skb(tcp_rtx_queue_unlink(*skb, tp));
		}
	}
	// The segment of the retransmit queue that begins there.
	tcp_skb_cb &at(u32 seq)
	{
		for (sk_buff &skb : tp.tcp_rtx_queue)
			if (TCP_SKB_CB(skb).seq == seq32(seq))
				return TCP_SKB_CB(skb);
		ADD_FAILURE() << "no segment begins at " << seq;
		return TCP_SKB_CB(*tcp_rtx_queue_head(tp));
	}
	// A header with these options, which end at a multiple of four.
	static skb_ptr header(u8 flags, std::initializer_list<u8> options)
	{
		skb_ptr skb = alloc_skb(sizeof(tcphdr) + 40, GFP_KERNEL);

		skb_reset_transport_header(*skb);
		tcphdr th{};
		th.flags = flags;
		th.doff_res = static_cast<u8>((sizeof(tcphdr) + options.size()) / 4 << 4);
		skb_put_data(*skb, &th, sizeof(th));
		skb_put_data(*skb, options.begin(), static_cast<u32>(options.size()));
		TCP_SKB_CB(*skb) = {};
		return skb;
	}
	struct block {
		u32 start, end;
	};
	// An ACK of `ack` with these blocks comes: the flags that it gives.
	u32 sack(u32 ack, std::initializer_list<block> blocks)
	{
		skb_ptr skb = header(TCPHDR_ACK, {});
		const u8 head[] = {TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK,
		                   static_cast<u8>(2 + 8 * blocks.size())};

		skb_put_data(*skb, head, sizeof(head));
		for (const block &b : blocks) {
			const tcp_sack_block_wire wire{htonl(b.start), htonl(b.end)};

			skb_put_data(*skb, &wire, sizeof(wire));
		}
		tcp_hdr(*skb).doff_res = static_cast<u8>(skb->len / 4 << 4);
		tcp_parse_options(init_net(), *skb, tp.rx_opt, true, nullptr);
		TCP_SKB_CB(*skb).ack_seq = seq32(ack);

		rate_sample rs;
		tcp_sacktag_state state;
		state.rate = &rs;
		const u32 flag = tcp_sacktag_write_queue(tp, *skb, tp.snd_una, state);

		__kfree_skb(std::move(skb));
		return flag;
	}
	void data(u32 seq, u32 len)
	{
		skb_ptr skb = header(TCPHDR_ACK, {});

		TCP_SKB_CB(*skb).seq = seq32(seq);
		TCP_SKB_CB(*skb).end_seq = seq32(seq + len);
		TCP_SKB_CB(*skb).tcp_flags = TCPHDR_ACK;
		// The bytes themselves would not fit.
		EXPECT_EQ(pskb_expand_head(*skb, 0, static_cast<int>(len), GFP_KERNEL), 0);
		std::memset(skb_put(*skb, len), 'x', len);
		tcp_data_queue(tp, std::move(skb));
	}
	std::vector<u32> out_of_order()
	{
		std::vector<u32> starts;

		for (sk_buff &skb : tp.out_of_order_queue)
			starts.push_back(TCP_SKB_CB(skb).seq.v);
		return starts;
	}
	u64 counter(linux_mib_item i) { return init_net().mib.net_statistics[i]; }

private:
	void sent(u32 seq)
	{
		skb_ptr skb = alloc_skb(1000, GFP_KERNEL);

		skb_put(*skb, 1000);
		skb->tstamp = NSEC_PER_MSEC;
		TCP_SKB_CB(*skb) = {};
		TCP_SKB_CB(*skb).seq = seq32(seq);
		TCP_SKB_CB(*skb).end_seq = seq32(seq + 1000);
		tcp_skb_pcount_set(*skb, 1);
		tp.packets_out++;
		list_add_tail(skb->tcp_tsorted_anchor, tp.tsorted_sent_queue);
		tcp_rbtree_insert(tp.tcp_rtx_queue, std::move(skb));
	}
};

void parse(const skb_ptr &skb, tcp_options_received &opt, bool estab)
{
	tcp_parse_options(init_net(), *skb, opt, estab, nullptr);
}

constexpr std::initializer_list<u8> syn_options = {2, 4, 0x05, 0xb4, 4, 2, 8,         10, 0, 0,
                                                   0, 1, 0,    0,    0, 0, 1 /*NOP*/, 3,  3, 15};

TEST(tcp_input, syn_with_every_option_and_all_are_taken)
{
	input_bench b;
	skb_ptr skb = b.header(TCPHDR_SYN, syn_options);
	tcp_options_received opt;

	parse(skb, opt, false);
	EXPECT_EQ(opt.mss_clamp, 1460);
	EXPECT_TRUE(opt.sack_ok);
	EXPECT_TRUE(opt.saw_tstamp);
	EXPECT_EQ(opt.rcv_tsval, 1u);
	EXPECT_TRUE(opt.wscale_ok);
	EXPECT_EQ(opt.snd_wscale, 14); // RFC 7323 allows no more
	consume_skb(std::move(skb));
}

TEST(tcp_input, syn_cut_inside_an_option_and_what_came_before_it_counts)
{
	input_bench b;
	skb_ptr skb = b.header(TCPHDR_SYN, {2, 4, 0x02, 0x18, 8, 10, 0, 0});
	tcp_options_received opt;

	parse(skb, opt, false);
	EXPECT_EQ(opt.mss_clamp, 536);
	EXPECT_FALSE(opt.saw_tstamp);
	consume_skb(std::move(skb));
}

TEST(tcp_input, established_option_of_a_syn_comes_and_is_ignored)
{
	input_bench b;
	skb_ptr skb = b.header(TCPHDR_ACK, syn_options);
	tcp_options_received opt;

	opt.tstamp_ok = 1;
	parse(skb, opt, true);
	EXPECT_EQ(opt.mss_clamp, 0);
	EXPECT_FALSE(opt.wscale_ok);
	EXPECT_TRUE(opt.saw_tstamp);
	consume_skb(std::move(skb));
}

TEST(tcp_input, four_out_third_is_sacked_and_tagged)
{
	input_bench b(4);

	EXPECT_TRUE(b.sack(1000, {{3000, 4000}}) & FLAG_DATA_SACKED);
	EXPECT_EQ(b.tp.sacked_out, 1u);
	EXPECT_EQ(b.at(3000).sacked, TCPCB_SACKED_ACKED);
	EXPECT_EQ(b.at(2000).sacked, 0);
	EXPECT_EQ(tcp_highest_sack_seq(b.tp), seq32(4000));
}

TEST(tcp_input, block_that_is_known_grows_and_only_the_new_part_counts)
{
	input_bench b(4);

	b.sack(1000, {{3000, 4000}});
	EXPECT_TRUE(b.sack(1000, {{3000, 5000}}) & FLAG_DATA_SACKED);
	EXPECT_EQ(b.tp.sacked_out, 2u);
	EXPECT_EQ(b.tp.highest_sack, nullptr); // nothing behind it
	EXPECT_FALSE(b.sack(1000, {{3000, 5000}}) & FLAG_DATA_SACKED);
	EXPECT_EQ(b.tp.sacked_out, 2u);
}

TEST(tcp_input, block_beyond_what_was_sent_and_it_is_discarded)
{
	input_bench b(4);

	EXPECT_FALSE(b.sack(1000, {{4000, 6000}}) & FLAG_DATA_SACKED);
	EXPECT_EQ(b.tp.sacked_out, 0u);
	EXPECT_EQ(b.counter(LINUX_MIB_TCPSACKDISCARD), 1u);
}

TEST(tcp_input, second_is_sacked_after_fourth_and_reordering_is_measured)
{
	input_bench b(6);

	b.tp.reordering = 1;
	b.sack(1000, {{6000, 7000}});
	EXPECT_TRUE(b.sack(1000, {{2000, 3000}, {6000, 7000}}) & FLAG_DATA_SACKED);
	EXPECT_EQ(b.tp.reord_seen, 1u);
	EXPECT_EQ(b.tp.reordering, 5u); // from 2000 to the end of what was SACKed
}

TEST(tcp_input, first_block_below_the_ack_and_an_undo_counts_on_it)
{
	input_bench b(4);

	b.tp.undo_marker = seq32(500);
	b.tp.undo_retrans = 1;
	b.tp.total_retrans = 1;
	EXPECT_TRUE(b.sack(1000, {{600, 1000}}) & FLAG_DSACKING_ACK);
	EXPECT_EQ(b.tp.undo_retrans, 0);
	EXPECT_EQ(b.counter(LINUX_MIB_TCPDSACKRECV), 1u);
}

TEST(tcp_input, clamp_of_two_gib_is_negative_and_wraps_so_that_the_window_grows)
{
	input_bench b;
	skb_ptr skb = alloc_skb(1000, GFP_KERNEL);

	skb_put(*skb, 1000);
	b.tp.window_clamp = 1u << 31;
	b.tp.rcv_ssthresh = 64240;
	tcp_grow_window(b.tp, *skb, false);
	EXPECT_EQ(b.tp.rcv_ssthresh, 64240u + 2000);
	consume_skb(std::move(skb));
}

TEST(tcp_input, hole_then_filled_and_both_are_readable_and_acknowledged_at_once)
{
	input_bench b;

	b.data(5100, 50);
	EXPECT_EQ(b.tp.rcv_nxt, seq32(5000));
	EXPECT_EQ(b.out_of_order(), std::vector<u32>{5100});
	EXPECT_EQ(b.tp.rx_opt.num_sacks, 1);
	EXPECT_EQ(b.tp.selective_acks[0].start_seq, seq32(5100));

	b.data(5000, 100);
	EXPECT_EQ(b.tp.rcv_nxt, seq32(5150));
	EXPECT_TRUE(b.out_of_order().empty());
	EXPECT_EQ(b.tp.rx_opt.num_sacks, 0);
	EXPECT_TRUE(b.tp.icsk_ack.pending & ICSK_ACK_NOW);
}

TEST(tcp_input, out_of_order_segment_comes_twice_and_the_second_is_dropped_and_reported)
{
	input_bench b;

	b.data(5200, 100);
	b.data(5220, 30);
	EXPECT_EQ(b.out_of_order(), std::vector<u32>{5200});
	EXPECT_TRUE(b.tp.rx_opt.dsack);
	EXPECT_EQ(b.tp.duplicate_sack[0].start_seq, seq32(5220));
	EXPECT_EQ(b.tp.duplicate_sack[0].end_seq, seq32(5250));
	EXPECT_EQ(drop_counter(SKB_DROP_REASON_TCP_OFOMERGE), 1u);
}

TEST(tcp_input, out_of_order_segment_covers_two_and_they_go)
{
	input_bench b;

	b.data(5200, 50);
	b.data(5400, 50);
	b.data(5600, 50);
	b.data(5150, 350); // from before the first to behind the second
	EXPECT_EQ(b.out_of_order(), (std::vector<u32>{5150, 5600}));
	EXPECT_EQ(b.tp.rx_opt.num_sacks, 2);
	EXPECT_EQ(b.tp.selective_acks[0].start_seq, seq32(5150)); // the newest first
	EXPECT_EQ(b.tp.selective_acks[0].end_seq, seq32(5500));
	EXPECT_EQ(drop_counter(SKB_DROP_REASON_TCP_OFOMERGE), 2u);
}

TEST(tcp_input, old_data_comes_and_is_dropped_with_its_reason)
{
	input_bench b;

	b.data(4900, 100);
	EXPECT_EQ(b.tp.rcv_nxt, seq32(5000));
	EXPECT_EQ(drop_counter(SKB_DROP_REASON_TCP_OLD_DATA), 1u);
	EXPECT_TRUE(inet_csk_ack_scheduled(b.tp));
}

TEST(tcp_input, data_right_of_the_window_comes_and_is_dropped_with_its_reason)
{
	input_bench b;

	b.data(5000 + 30000, 10);
	EXPECT_TRUE(b.out_of_order().empty());
	EXPECT_EQ(drop_counter(SKB_DROP_REASON_TCP_OVERWINDOW), 1u);
}

TEST(tcp_input, header_as_predicted_with_or_without_push_and_no_other)
{
	input_bench b;
	const u32 hp_bits = htonl(~(TCP_RESERVED_BITS | TCP_FLAG_PSH)).raw();
	tcphdr th{};

	b.tp.rx_opt.snd_wscale = 7;
	b.tp.snd_wnd = 512u << 7;
	b.tp.tcp_header_len = sizeof(tcphdr) + TCPOLEN_TSTAMP_ALIGNED;
	tcp_fast_path_on(b.tp);
	th.doff_res = 8 << 4;
	th.flags = TCPHDR_ACK | TCPHDR_PSH;
	th.window = htons(512);
	EXPECT_EQ(tcp_flag_word(th) & hp_bits, b.tp.pred_flags);
	th.window = htons(511);
	EXPECT_NE(tcp_flag_word(th) & hp_bits, b.tp.pred_flags);
	th.window = htons(512);
	th.flags = TCPHDR_ACK | TCPHDR_FIN;
	EXPECT_NE(tcp_flag_word(th) & hp_bits, b.tp.pred_flags);
}

} // namespace
} // namespace skbwalk
