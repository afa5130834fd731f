// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>

#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {
namespace {

struct ip_fragment_test : testing::Test {
	ip_wire w;
	u16 id = 100;
	void SetUp() override { w.meet(); }
	// Bytes [from, to) of a datagram's payload; `last`: nothing follows.
	ip_packet fragment(const std::vector<u8> &whole, std::size_t from, std::size_t to, bool last,
	                   u16 flags = 0) const
	{
		ip_packet p;
		p.id = id;
		p.payload.assign(whole.begin() + static_cast<std::ptrdiff_t>(from),
		                 whole.begin() + static_cast<std::ptrdiff_t>(to));
		p.frag_off = static_cast<u16>(from / 8 | (last ? 0 : IP_MF) | flags);
		return p;
	}
	// What of a datagram to port 4000 comes, in this order of bytes, is heard as this.
	std::string hear(const std::vector<ip_packet> &fragments)
	{
		std::string heard;

		w.in_task([&] {
			const int fd = static_cast<int>(sys(sys_nr::socket, AF_INET, SOCK_DGRAM, 0));
			const sockaddr_in sin = at(INADDR_ANY, 4000);

			EXPECT_EQ(sys(sys_nr::bind, fd, &sin, sizeof(sin)), 0);
			for (const ip_packet &p : fragments)
				w.receive(p);
			heard = receive(fd, MSG_DONTWAIT, 70000);
		});
		return heard;
	}
	static std::string text(const std::vector<u8> &data) { return {data.begin(), data.end()}; }
	long held() const { return w.ns().ipv4.frags->mem; }
};

TEST_F(ip_fragment_test, datagram_is_whole_in_whatever_order_its_fragments_come)
{
	const std::vector<u8> data = counting(3000), whole = udp(1, 4000, data);
	const std::vector<std::size_t> cuts{0, 800, 1600, 2400, whole.size()};
	std::vector<std::size_t> order{0, 1, 2, 3};

	do {
		std::vector<ip_packet> come;
		for (std::size_t i : order)
			come.push_back(fragment(whole, cuts[i], cuts[i + 1], i == 3));
		EXPECT_TRUE(hear(come) == text(data)) << order[0] << order[1] << order[2] << order[3];
		++id;
	} while (std::next_permutation(order.begin(), order.end()));
	EXPECT_EQ(w.mib(IPSTATS_MIB_REASMOKS), 24u);
	EXPECT_EQ(held(), 0);
}

TEST_F(ip_fragment_test, random_cuts_in_random_order_give_the_same_bytes)
{
	random_stream random(7, "fragments");

	for (int round = 0; round < 50; ++round, ++id) {
		const std::vector<u8> data = counting(1 + random.below(9000)), whole = udp(1, 4000, data);
		std::vector<ip_packet> come;

		for (std::size_t from = 0; from < whole.size();) {
			const std::size_t to = std::min(whole.size(), from + 8 * (1 + random.below(100)));
			come.push_back(fragment(whole, from, to, to == whole.size()));
			if (random.below(4) == 0)
				come.push_back(come.back()); // twice
			from = to;
		}
		for (std::size_t i = come.size(); i > 1; --i)
			std::swap(come[i - 1], come[random.below(static_cast<u32>(i))]);
		ASSERT_TRUE(hear(come) == text(data)) << round;
	}
	w.run_ms(35'000); // duplicates that came late made queues of their own
	EXPECT_EQ(held(), 0);
}

TEST_F(ip_fragment_test, overlap_spoils_the_datagram_and_a_duplicate_does_not)
{
	const std::vector<u8> data = counting(2000), whole = udp(1, 4000, data);
	const ip_packet first = fragment(whole, 0, 800, false), second = fragment(whole, 800, 1600, false),
			third = fragment(whole, 1600, whole.size(), true);

	EXPECT_TRUE(hear({first, second, first, fragment(whole, 80, 160, false), third}) == text(data));
	EXPECT_EQ(w.mib(IPSTATS_MIB_REASM_OVERLAPS), 0u);
	++id;
	EXPECT_EQ(hear({first, fragment(whole, 792, 1600, false), third}), std::to_string(-EAGAIN));
	++id;
	EXPECT_EQ(hear({fragment(whole, 800, 1600, false), fragment(whole, 0, 808, false)}),
	          std::to_string(-EAGAIN));
	EXPECT_EQ(w.mib(IPSTATS_MIB_REASM_OVERLAPS), 1u)
		<< "the first one, by its id, belonged to a datagram that is done";
}

TEST_F(ip_fragment_test, fragments_that_contradict_each_other_spoil_the_datagram)
{
	const std::vector<u8> whole = udp(1, 4000, counting(2000));
	const std::vector<std::vector<ip_packet>> cases{
		{fragment(whole, 800, 1600, true),
	         fragment(whole, 1600, 2000, false)}, // goes on behind the end
		{fragment(whole, 800, 1600, true), fragment(whole, 1600, 2000, true)}, // two ends
		{fragment(whole, 800, 1600, false),
	         fragment(whole, 400, 600, true)}, // ends before what is there
		{fragment(whole, 0, 0, false)},    // empty
	};

	for (const auto &come : cases) {
		const u64 fails = w.mib(IPSTATS_MIB_REASMFAILS);

		++id;
		for (ip_packet p : come) {
			p.id = id;
			w.receive(p);
		}
		EXPECT_EQ(w.mib(IPSTATS_MIB_REASMFAILS), fails + 1);
	}
	w.run_ms(35'000);
	EXPECT_EQ(held(), 0);
}

TEST_F(ip_fragment_test, datagram_beyond_64k_is_not_put_together)
{
	const std::vector<u8> big = counting(65528 + 16);

	for (std::size_t from = 0; from < 65528; from += 8191 / 8 * 8)
		w.receive(fragment(big, from, std::min<std::size_t>(from + 8191 / 8 * 8, 65528), false));
	w.receive(fragment(big, 65528, big.size(), true));
	EXPECT_EQ(w.mib(IPSTATS_MIB_REASMOKS), 0u);
	EXPECT_GE(w.mib(IPSTATS_MIB_REASMFAILS), 1u);
	w.run_ms(35'000);
	EXPECT_EQ(held(), 0);
}

TEST_F(ip_fragment_test,
       datagram_that_stays_incomplete_ends_after_its_time_and_the_sender_is_told_if_its_head_came)
{
	const std::vector<u8> whole = udp(1, 4000, counting(2000));

	w.receive(fragment(whole, 800, 1600, false));
	++id;
	w.receive(fragment(whole, 0, 800, false));
	EXPECT_GT(held(), 0);
	w.run_ms(29'000);
	EXPECT_EQ(w.mib(IPSTATS_MIB_REASMTIMEOUT), 0u);
	w.run_ms(4'000); // a timer of half a minute may be two seconds late
	EXPECT_EQ(w.mib(IPSTATS_MIB_REASMTIMEOUT), 2u);
	EXPECT_EQ(held(), 0);
	ASSERT_EQ(w.sent.size(), 1u);
	EXPECT_EQ(w.sent[0].icmp().type, ICMP_TIME_EXCEEDED);
	EXPECT_EQ(w.sent[0].icmp().code, ICMP_EXC_FRAGTIME);
}

TEST_F(ip_fragment_test, no_datagram_is_begun_while_too_much_memory_is_taken)
{
	const std::vector<u8> whole = udp(1, 4000, counting(2000));
	{
		const enter_cpu in(w.cpu());
		EXPECT_EQ(ip4_frags_sysctl_write(init_net(), "ipfrag_low_thresh", 1000), 0);
		EXPECT_EQ(ip4_frags_sysctl_write(init_net(), "ipfrag_high_thresh", 5000), 0);
		EXPECT_EQ(ip4_frags_sysctl_write(init_net(), "ipfrag_low_thresh", 6000), -EINVAL);
	}
	for (int i = 0; i < 20; ++i, ++id)
		w.receive(fragment(whole, 0, 800, false));
	EXPECT_LT(held(), 8000);
	EXPECT_GT(w.mib(IPSTATS_MIB_REASMFAILS), 10u);
}

TEST_F(ip_fragment_test, congestion_mark_of_one_fragment_is_the_datagrams_and_mixed_senders_are_refused)
{
	const std::vector<u8> data = counting(1000), whole = udp(1, 4000, data);
	ip_packet first = fragment(whole, 0, 800, false), second = fragment(whole, 800, whole.size(), true);

	first.tos = 2;  // ECT(0)
	second.tos = 3; // CE
	EXPECT_TRUE(hear({first, second}) == text(data));
	first.id = second.id = ++id;
	first.tos = 0;
	EXPECT_EQ(hear({first, second}), std::to_string(-EAGAIN));
	EXPECT_EQ(w.mib(IPSTATS_MIB_REASMFAILS), 1u);
}

TEST_F(ip_fragment_test, namespace_ends_with_fragments_waiting_and_nothing_is_left)
{
	for (int i = 0; i < 100; ++i, ++id)
		w.receive(fragment(udp(1, 4000, counting(2000)), 0, 800, false));
	EXPECT_GT(w.ns().ipv4.frags->rhashtable.buckets.size(), 64u) << "the table grew";
}

} // namespace
} // namespace skbwalk::test
