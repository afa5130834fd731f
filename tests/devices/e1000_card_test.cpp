// SPDX-License-Identifier: GPL-2.0-only
//
// The card alone: a test is its driver and its wire.
#include "devices/e1000/card.h"

#include <cstring>

#include "stack/kernel/leaks.h"
#include "stack/wire/checksum.h"
#include "tests/kernel/bench_world.h"

namespace skbwalk::test {
namespace {

constexpr mac_addr address{{0x52, 0x54, 0, 1, 2, 3}};

struct port final : e1000_port {
	explicit port(bench_world &w) : world(w) {}
	u64 send(std::vector<std::byte> &bytes) override
	{
		busy_ns = std::max(busy_ns, now_ns()) + bytes.size() * byte_ns;
		sent.emplace_back(64, std::byte{0xee}).swap(bytes); // which must not come out later
		return busy_ns;
	}
	void phy_power(bool) override {}
	[[nodiscard]] u64 now_ns() const override { return world.now_ns; }

	bench_world &world;
	std::vector<std::vector<std::byte>> sent;
	u64 byte_ns = 0, busy_ns = 0;
};

struct e1000_card_test : testing::Test {
	static constexpr u32 descriptors = 16;
	bench_world world;
	port wire{world};
	e1000_card card{world.h, 11, address, wire};
	e1000_tx_desc *tx = nullptr;
	e1000_rx_desc *rx = nullptr;
	dma_addr_t tx_dma = 0, rx_dma = 0, buffers_dma = 0;
	u8 *buffers = nullptr;
	u32 tail = 0;

	void SetUp() override
	{
		const enter_cpu in(world.c0());

		tx = static_cast<e1000_tx_desc *>(dma_alloc_coherent(card.dma, 4096, tx_dma, GFP_KERNEL));
		rx = static_cast<e1000_rx_desc *>(dma_alloc_coherent(card.dma, 4096, rx_dma, GFP_KERNEL));
		buffers = static_cast<u8 *>(dma_alloc_coherent(card.dma, 65536, buffers_dma, GFP_KERNEL));
		card.set_link(true, 1000);
		card.write(E1000_TDBAL, static_cast<u32>(tx_dma));
		card.write(E1000_TDLEN, descriptors * 16);
		card.write(E1000_TCTL, E1000_TCTL_EN | E1000_TCTL_PSP);
		card.write(E1000_RDBAL, static_cast<u32>(rx_dma));
		card.write(E1000_RDLEN, descriptors * 16);
		for (u32 i = 0; i < descriptors; ++i)
			rx[i].buffer_addr.set(buffers_dma + 2048 * i);
		card.write(E1000_RDT, descriptors - 1);
		card.write(E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_BAM);
		card.read(E1000_ICR);
	}
	void TearDown() override
	{
		const enter_cpu in(world.c0());

		EXPECT_THAT(card.dma.dma_errors, testing::IsEmpty());
		dma_free_coherent(card.dma, 4096, tx, tx_dma);
		dma_free_coherent(card.dma, 4096, rx, rx_dma);
		dma_free_coherent(card.dma, 65536, buffers, buffers_dma);
	}
	void add(u64 address_of, u32 lower, u32 upper)
	{
		tx[tail].buffer_addr.set(address_of);
		tx[tail].lower.set(lower);
		tx[tail].upper.set(upper);
		tail = (tail + 1) % descriptors;
	}
	void go() { card.write(E1000_TDT, tail); }
	void cut_behind(u8 header);
	std::vector<std::byte> sent_in_pieces(const std::vector<u32> &pieces, u16 last);
	static std::vector<std::byte> frame(std::size_t n, const mac_addr &to = address)
	{
		std::vector<std::byte> bytes(n);

		std::memcpy(bytes.data(), to.data(), std::min<std::size_t>(n, 6));
		return bytes;
	}
};

bool sums_are_right(const std::vector<std::byte> &frame)
{
	iphdr ip;

	std::memcpy(&ip, frame.data() + ETH_HLEN, sizeof(ip));

	const u32 length = ntohs(ip.tot_len) - 20u;

	return ETH_HLEN + ntohs(ip.tot_len) == frame.size() &&
	       csum_fold(csum_partial(frame.data() + ETH_HLEN, 20, 0)).raw() == 0 &&
	       csum_tcpudp_magic(ip.saddr, ip.daddr, length, ip.protocol,
	                         csum_partial(frame.data() + ETH_HLEN + 20, length, 0))
	                       .raw() == 0;
}

// One of TCP to the card itself: of IP's header no length and no sum, of TCP's sum what the addresses add.
void put_packet(u8 *p, u32 bytes)
{
	iphdr ip{};
	tcphdr th{};

	for (u32 i = 0; i < bytes; ++i)
		p[i] = static_cast<u8>(i * 7);
	std::memcpy(p, address.data(), 6);
	p[12] = 8;
	p[13] = 0;
	ip.ver_ihl = 0x45;
	ip.ttl = 64;
	ip.id = htons(0xffff);
	ip.protocol = IPPROTO_TCP;
	ip.saddr = htonl(0x0a000001);
	ip.daddr = htonl(0x0a000002);
	th.seq = htonl(0xfffffff0);
	th.doff_res = 5 << 4;
	th.flags = TCPHDR_ACK | TCPHDR_PSH | TCPHDR_FIN | TCPHDR_CWR;
	th.check = std::bit_cast<be16>(
		static_cast<u16>(~csum_tcpudp_magic(ip.saddr, ip.daddr, 0, IPPROTO_TCP, 0).raw()));
	std::memcpy(p + 14, &ip, 20);
	std::memcpy(p + 34, &th, 20);
}

// Where its sums are.
e1000_context_desc context_of_packet()
{
	e1000_context_desc context{};

	context.ipcss = 14;
	context.ipcso = 14 + 10;
	context.ipcse.set(33);
	context.tucss = 34;
	context.tucso = 34 + 16;
	return context;
}

void e1000_card_test::cut_behind(u8 header)
{
	const u32 mss = 1000, payload = 2500;

	put_packet(buffers, header + payload);

	e1000_context_desc context = context_of_packet();

	context.hdr_len = header;
	context.mss.set(mss);
	context.cmd_and_length.set(E1000_TXD_CMD_DEXT | E1000_TXD_CMD_TSE | E1000_TXD_CMD_TCP |
	                           E1000_TXD_CMD_IP | payload);
	std::memcpy(tx + tail++, &context, 16);

	const u32 data = E1000_TXD_CMD_DEXT | E1000_TXD_DTYP_D | E1000_TXD_CMD_TSE;
	const u32 sums = (E1000_TXD_POPTS_TXSM | E1000_TXD_POPTS_IXSM) << 8;

	add(buffers_dma, data | 101, sums); // in two pieces, the second from the middle of a word on
	add(buffers_dma + 101, data | (header + payload - 101) | E1000_TXD_CMD_EOP | E1000_TXD_CMD_RS, sums);
	go();

	ASSERT_EQ(wire.sent.size(), 3u);
	std::vector<u8> got;
	for (std::size_t i = 0; i < 3; ++i) {
		const std::vector<std::byte> &f = wire.sent[i];
		tcphdr seg;
		iphdr seg_ip;

		EXPECT_TRUE(sums_are_right(f)) << i;
		std::memcpy(&seg_ip, f.data() + 14, 20);
		std::memcpy(&seg, f.data() + 34, 20);
		EXPECT_EQ(ntohl(seg.seq), static_cast<u32>(0xfffffff0 + i * mss));
		EXPECT_EQ(ntohs(seg_ip.id), static_cast<u16>(0xffff + i));
		EXPECT_EQ(seg.fin() && seg.psh(), i == 2);
		EXPECT_EQ(seg.cwr(), i == 0);
		for (std::size_t b = header; b < f.size(); ++b)
			got.push_back(static_cast<u8>(f[b]));
	}
	ASSERT_EQ(got.size(), payload);
	EXPECT_EQ(std::memcmp(got.data(), buffers + header, payload), 0);
	EXPECT_TRUE(tx[2].upper.get() & E1000_TXD_STAT_DD);
	EXPECT_FALSE(tx[1].upper.get() & E1000_TXD_STAT_DD) << "it did not ask to be told";
	EXPECT_EQ(card.read(E1000_TSCTC), 1u);
}

TEST_F(e1000_card_test, packet_with_tso_is_cut_into_segments_with_right_sums_flags_and_numbers)
{
	cut_behind(54);
}
TEST_F(e1000_card_test, what_is_cut_may_begin_in_the_middle_of_a_word) { cut_behind(55); }

// As cut_behind, of one frame; without `last` TCP's sum ends where the packet does.
std::vector<std::byte> e1000_card_test::sent_in_pieces(const std::vector<u32> &pieces, u16 last)
{
	u32 bytes = 0, at = 0;

	for (const u32 n : pieces)
		bytes += n;
	put_packet(buffers, bytes);

	const be16 length = htons(static_cast<u16>(bytes - ETH_HLEN));
	const u16 begin =
		ntohs(csum_tcpudp_magic(htonl(0x0a000001), htonl(0x0a000002), bytes - 34, IPPROTO_TCP, 0));

	std::memcpy(buffers + 16, &length, 2);
	buffers[50] = static_cast<u8>(~begin >> 8);
	buffers[51] = static_cast<u8>(~begin);

	e1000_context_desc context = context_of_packet();

	context.tucse.set(last);
	context.cmd_and_length.set(E1000_TXD_CMD_DEXT | E1000_TXD_CMD_TCP | E1000_TXD_CMD_IP);
	std::memcpy(tx + tail, &context, 16);
	tail = (tail + 1) % descriptors;
	for (const u32 n : pieces) {
		add(buffers_dma + at,
		    E1000_TXD_CMD_DEXT | E1000_TXD_DTYP_D | n | (at + n == bytes ? E1000_TXD_CMD_EOP : 0),
		    (E1000_TXD_POPTS_TXSM | E1000_TXD_POPTS_IXSM) << 8);
		at += n;
	}
	go();
	EXPECT_EQ(wire.sent.size(), 1u);
	return wire.sent.empty() ? std::vector<std::byte>(bytes) : wire.sent.back();
}

TEST_F(e1000_card_test, sum_of_a_packet_is_right_whatever_pieces_it_is_gathered_from)
{
	for (const std::vector<u32> &pieces : std::vector<std::vector<u32>>{
		     {1053}, {54, 999}, {20, 15, 1, 333, 64, 620}, {33, 1, 21, 998}, {35, 34, 129, 855}}) {
		EXPECT_TRUE(sums_are_right(sent_in_pieces(pieces, 0))) << pieces.size();
		wire.sent.clear();
	}
}

TEST_F(e1000_card_test, sum_ends_where_the_context_says)
{
	std::vector<std::byte> f = sent_in_pieces({41, 60, 200}, 120);

	f.resize(121);
	EXPECT_EQ(card_sum(f.data() + 34, f.size() - 34,
	                   ntohs(csum_tcpudp_magic(htonl(0x0a000001), htonl(0x0a000002), 301 - 34,
	                                           IPPROTO_TCP, 0)) ^
	                           0xffffu),
	          0xffff);
}

TEST_F(e1000_card_test, received_sums_are_checked_over_all_of_a_frames_buffers)
{
	card.write(E1000_RXCSUM, E1000_RXCSUM_TUOFL);
	card.write(E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_LPE);

	const std::vector<std::byte> good = sent_in_pieces({5001}, 0);
	const u8 checked =
		E1000_RXD_STAT_DD | E1000_RXD_STAT_EOP | E1000_RXD_STAT_IPCS | E1000_RXD_STAT_TCPCS;

	card.receive(good);
	EXPECT_EQ(rx[2].status, checked);
	EXPECT_EQ(rx[2].errors, 0);
	EXPECT_EQ(std::memcmp(buffers, good.data(), 5001), 0);
	for (const std::size_t at : {40u, 3000u, 5000u}) {
		std::vector<std::byte> bad = good;

		bad[at] ^= std::byte{1};
		card.receive(bad);

		const e1000_rx_desc &d = rx[card.read(E1000_RDH) - 1];

		EXPECT_EQ(d.status, checked) << at;
		EXPECT_EQ(d.errors, E1000_RXD_ERR_TCPE) << at;
	}

	std::vector<std::byte> bad = good;

	bad[22] ^= std::byte{1};
	card.receive(bad);
	EXPECT_EQ(rx[14].status, checked);
	EXPECT_EQ(rx[14].errors, E1000_RXD_ERR_IPE);
}

TEST_F(e1000_card_test, packets_are_sent_as_the_last_ones_place_was_left)
{
	std::memset(buffers, 7, 200);
	for (const u32 length : {100u, 62u, 200u})
		add(buffers_dma, length | E1000_TXD_CMD_EOP | E1000_TXD_CMD_RS, 0);
	go();

	ASSERT_EQ(wire.sent.size(), 3u);
	EXPECT_EQ(wire.sent[0], std::vector<std::byte>(100, std::byte{7}));
	EXPECT_EQ(wire.sent[1], std::vector<std::byte>(62, std::byte{7}));
	EXPECT_EQ(wire.sent[2], std::vector<std::byte>(200, std::byte{7}));
}

TEST_F(e1000_card_test, packet_without_a_byte_is_counted_and_not_sent)
{
	add(buffers_dma, E1000_TXD_CMD_EOP | E1000_TXD_CMD_RS, 0);
	go();

	EXPECT_EQ(wire.sent.size(), 0u);
	EXPECT_EQ(card.counted().tx_bad_descriptors, 1u);
	EXPECT_EQ(card.read(E1000_GPTC), 0u);
	EXPECT_EQ(card.read(E1000_TDH), card.read(E1000_TDT));
}

TEST_F(e1000_card_test, packet_buffer_full_leaves_the_rest_in_the_ring_until_the_wire_takes_it)
{
	wire.byte_ns = 8000; // a megabit
	for (int i = 0; i < 14; ++i)
		add(buffers_dma, 1514 | E1000_TXD_CMD_EOP | E1000_TXD_CMD_RS, 0);
	go();

	const std::size_t at_once = wire.sent.size();

	EXPECT_EQ(at_once, 11u) << "sixteen kilobytes and the frame that crosses them";
	EXPECT_EQ(card.read(E1000_TDH), 11u);
	world.run_ms(200);
	EXPECT_EQ(wire.sent.size(), 14u);
	EXPECT_EQ(card.read(E1000_TDH), card.read(E1000_TDT));
}

TEST_F(e1000_card_test, interrupts_are_spaced_by_itr_and_wait_for_the_mask)
{
	card.write(E1000_ITR, 1000); // 256 us
	card.write(E1000_ICS, E1000_ICR_RXT0);
	EXPECT_EQ(card.counted().interrupts, 0u) << "masked";
	card.write(E1000_IMS, E1000_ICR_RXT0);
	EXPECT_EQ(card.counted().interrupts, 1u);
	EXPECT_EQ(card.read(E1000_ICR), E1000_ICR_RXT0);
	card.write(E1000_ICS, E1000_ICR_RXT0);
	EXPECT_EQ(card.counted().interrupts, 1u) << "too soon";
	world.run_ms(1);
	EXPECT_EQ(card.counted().interrupts, 2u);
	EXPECT_EQ(card.counted().throttled, 1u);
	card.write(E1000_IMC, ~0u);
	card.read(E1000_ICR);
}

TEST_F(e1000_card_test, interrupts_are_never_nearer_than_the_cards_own_gap)
{
	card.interrupt_gap(128'000);
	card.write(E1000_ITR, 4);
	card.write(E1000_IMS, E1000_ICR_RXT0);
	card.write(E1000_ICS, E1000_ICR_RXT0);
	card.read(E1000_ICR);
	world.run_ms(1);
	card.write(E1000_ICS, E1000_ICR_RXT0);
	card.read(E1000_ICR);
	EXPECT_EQ(card.counted().interrupts, 2u);
	card.write(E1000_ICS, E1000_ICR_RXT0);
	EXPECT_EQ(card.counted().interrupts, 2u) << "too soon";
	world.run_ms(1);
	EXPECT_EQ(card.counted().interrupts, 3u);
	card.write(E1000_IMC, ~0u);
	card.read(E1000_ICR);
}

TEST_F(e1000_card_test, frames_that_are_short_long_or_for_others_leave_the_ring_alone)
{
	card.receive(frame(59));
	card.receive(frame(1519));
	card.receive(frame(16200));
	card.receive(frame(60, {{0x52, 0x54, 0, 9, 9, 9}}));
	card.receive(frame(60, {{0x01, 0, 0x5e, 0, 0, 1}}));
	EXPECT_EQ(card.read(E1000_RDH), 0u);
	EXPECT_EQ(card.counted().rx_undersize, 1u);
	EXPECT_EQ(card.counted().rx_oversize, 2u);
	EXPECT_EQ(card.counted().rx_filtered, 2u);
	card.receive(frame(1518));
	card.receive(frame(60, {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}));
	EXPECT_EQ(card.read(E1000_RDH), 2u);
	EXPECT_EQ(rx[0].length.get(), 1522u);
	EXPECT_EQ(rx[0].status, E1000_RXD_STAT_DD | E1000_RXD_STAT_EOP | E1000_RXD_STAT_IXSM);
}

TEST_F(e1000_card_test, jumbo_frame_where_it_is_allowed_fills_several_buffers)
{
	card.write(E1000_RCTL, E1000_RCTL_EN | E1000_RCTL_LPE);
	card.receive(frame(5000));
	EXPECT_EQ(card.read(E1000_RDH), 3u);
	EXPECT_FALSE(rx[0].status & E1000_RXD_STAT_EOP);
	EXPECT_TRUE(rx[2].status & E1000_RXD_STAT_EOP);
	EXPECT_EQ(rx[2].length.get(), 5004u - 2 * 2048);
}

TEST_F(e1000_card_test, ring_without_a_free_buffer_loses_the_frame_and_counts_it)
{
	for (int i = 0; i < 20; ++i)
		card.receive(frame(60));
	EXPECT_EQ(card.counted().rx_no_buffer, 5u) << "fifteen were free";
	EXPECT_EQ(card.read(E1000_MPC), 5u);
	EXPECT_EQ(card.read(E1000_MPC), 0u) << "reading clears";
	EXPECT_TRUE(card.read(E1000_ICR) & E1000_ICR_RXO);
}

TEST_F(e1000_card_test, descriptor_with_an_address_that_is_not_mapped_is_reported_and_sends_zeros)
{
	add(0x7777'0000, 100 | E1000_TXD_CMD_EOP, 0);
	go();
	ASSERT_EQ(wire.sent.size(), 1u);
	ASSERT_EQ(card.dma.dma_errors.size(), 1u);
	EXPECT_NE(card.dma.dma_errors[0].find("not mapped"), std::string::npos);
	card.dma.dma_errors.clear();
}

} // namespace
} // namespace skbwalk::test
