// SPDX-License-Identifier: GPL-2.0-only
#include "stack/ipv4/tcp_output.h"

#include "tests/ipv4/tcp_bench.h"

namespace skbwalk {
namespace {

using test::tcp_bench;

struct offer {
	u32 rcv_wnd = 0, clamp = 0;
	u8 wscale = 0xff;
};

offer first_offer(const sock &sk, int space, u32 mss, u32 clamp = 0, bool wscale_ok = true,
                  u32 init_rcv_wnd = 0)
{
	offer o{.clamp = clamp};

	tcp_select_initial_window(sk, space, mss, o.rcv_wnd, o.clamp, wscale_ok, o.wscale, init_rcv_wnd);
	return o;
}

// What a Linux host with default sysctls says in its SYN: win 64240 on Ethernet, win 65495 on loopback,
// wscale 7.
TEST(tcp_output, default_buffer_and_first_window_is_whole_segments_of_64_kib)
{
	tcp_bench b;
	const int space = 131072 / 2;

	const offer eth = first_offer(b.tp, space, 1460);
	EXPECT_EQ(eth.rcv_wnd, 64240u);
	EXPECT_EQ(eth.wscale, 7);
	EXPECT_EQ(eth.clamp, 65535u << 7);
	EXPECT_EQ(first_offer(b.tp, space, 65495).rcv_wnd, 65495u);
}

TEST(tcp_output, no_scaling_and_clamp_is_what_sixteen_bits_hold)
{
	tcp_bench b;

	const offer o = first_offer(b.tp, 200'000, 1460, 0, false);
	EXPECT_EQ(o.rcv_wnd, 65535u);
	EXPECT_EQ(o.wscale, 0);
	EXPECT_EQ(o.clamp, 65535u);
	EXPECT_EQ(first_offer(b.tp, 65536, 1000, 0, true, 10).rcv_wnd, 10'000u); // initrwnd of the route
}

std::vector<u8> written(tcp_sock *tp, tcp_out_options &opts, std::size_t len)
{
	u8 header[60];

	std::memset(header, 0xee, sizeof(header));
	tcp_options_write(*reinterpret_cast<tcphdr *>(header), tp, opts);
	EXPECT_EQ(header[20 + len], 0xee);
	return {header + 20, header + 20 + len};
}

TEST(tcp_output, syn_and_options_lie_as_linux_lays_them)
{
	tcp_out_options opts;

	opts.options = OPTION_TS | OPTION_SACK_ADVERTISE | OPTION_WSCALE;
	opts.mss = 1460;
	opts.ws = 7;
	opts.tsval = 0x01020304;
	EXPECT_EQ(written(nullptr, opts, 20),
	          (std::vector<u8>{2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7}));

	opts.options = OPTION_SACK_ADVERTISE;
	EXPECT_EQ(written(nullptr, opts, 8), (std::vector<u8>{2, 4, 0x05, 0xb4, 1, 1, 4, 2}));
}

TEST(tcp_output, duplicate_came_and_its_block_is_told_first_and_once)
{
	tcp_bench b;
	tcp_out_options opts;
	tcp_md5sig_key *md5;

	b.tp.rx_opt.dsack = 1;
	b.tp.rx_opt.num_sacks = 1;
	b.tp.duplicate_sack[0] = {seq32(1), seq32(2)};
	b.tp.selective_acks[0] = {seq32(5), seq32(6)};
	EXPECT_EQ(tcp_established_options(b.tp, nullptr, opts, md5), 20u);
	EXPECT_EQ(written(&b.tp, opts, 20),
	          (std::vector<u8>{1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 6}));
	EXPECT_FALSE(b.tp.rx_opt.dsack);
}

TEST(tcp_output, timestamps_and_four_gaps_and_three_blocks_fit)
{
	tcp_bench b;
	tcp_out_options opts;
	tcp_md5sig_key *md5;

	b.tp.rx_opt.tstamp_ok = 1;
	b.tp.rx_opt.num_sacks = 4;
	EXPECT_EQ(tcp_established_options(b.tp, nullptr, opts, md5), 40u);
	EXPECT_EQ(opts.num_sack_blocks, 3);
}

TEST(tcp_output, buffer_half_full_and_window_does_not_shrink_below_the_offer)
{
	tcp_bench b;

	b.tp.sk_rcvbuf = 131072;
	b.tp.window_clamp = 65535u << 7;
	b.tp.rcv_ssthresh = 65536;
	b.tp.rx_opt.rcv_wscale = 7;
	b.tp.icsk_ack.rcv_mss = 1448;
	b.tp.rcv_nxt = b.tp.rcv_wup = seq32(1000);
	b.tp.rcv_wnd = 64000;
	b.tp.sk_backlog.rmem_alloc = 100'000;
	EXPECT_EQ(__tcp_select_window(b.tp), 15'488u); // (131072 - 100000) / 2, in units of 128
	EXPECT_EQ(tcp_select_window(b.tp), 64000 >> 7);
	b.tp.rcv_nxt = seq32(1000 + 60'000); // most of it was used: the right edge stays
	EXPECT_EQ(tcp_select_window(b.tp), 15'488 >> 7);
}

} // namespace
} // namespace skbwalk
