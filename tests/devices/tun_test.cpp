// SPDX-License-Identifier: GPL-2.0-only
#include "devices/tun.h"

#include <numeric>
#include <optional>

#include "tests/core/net_host.h"
#include "tests/support/gro_bench.h"

namespace skbwalk::test {
namespace {

constexpr u32 headers_len = ETH_HLEN + 20 + 20;
constexpr u16 tcp_at = ETH_HLEN + 20, check_at = offsetof(tcphdr, check);

// What came up from the device.
struct arrived {
	u32 len, headlen, frags;
	u16 gso_size, gso_segs;
	u32 gso_type;
	u8 ip_summed;
	int csum_start; // from the network header
	u16 csum_offset;
	const void *first_frag;
};
std::optional<arrived> last;
net_device *next_hop; // to which a frame goes on; null: it ends here

int look(skb_ptr skb, net_device &, packet_type &, net_device &)
{
	const skb_shared_info &shinfo = skb_shinfo(*skb);

	last = {skb->len,         skb_headlen(*skb),
	        shinfo.nr_frags,  shinfo.gso_size,
	        shinfo.gso_segs,  shinfo.gso_type,
	        skb->ip_summed,   skb_checksum_start_offset(*skb),
	        skb->csum_offset, shinfo.nr_frags ? skb_frag_address(shinfo.frags[0]) : nullptr};
	if (!next_hop) {
		consume_skb(std::move(skb));
		return NET_RX_SUCCESS;
	}
	skb_push(*skb, ETH_HLEN);
	skb->dev = next_hop;
	EXPECT_EQ(dev_queue_xmit(std::move(skb)), 0);
	return NET_RX_SUCCESS;
}

// A frame as a kernel with TSO leaves it to the device: its checksum is the pseudo header's sum.
std::vector<u8> unfinished_frame(const net_device &to, u32 payload)
{
	std::vector<u8> packet = packet_of({.len = payload});
	auto &th = *reinterpret_cast<tcphdr *>(packet.data() + 20);
	const auto &ip = *reinterpret_cast<const iphdr *>(packet.data());

	th.check = std::bit_cast<be16>(
		static_cast<u16>(~tcp_v4_check(20 + payload, ip.saddr, ip.daddr, 0).raw()));
	const ethhdr eth{to.dev_addr, mac_addr{{2, 0, 0, 0, 0, 1}}, htons(ETH_P_IP)};
	std::vector<u8> frame(ETH_HLEN + packet.size());
	std::memcpy(frame.data(), &eth, ETH_HLEN);
	std::memcpy(frame.data() + ETH_HLEN, packet.data(), packet.size());
	return frame;
}

constexpr virtio_net_hdr large{
	VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4, headers_len, 1448, tcp_at, check_at};

struct tun_vnet : testing::Test {
	net_host host;
	packet_type ip{.type = htons(ETH_P_IP), .func = look};
	net_device *tap = nullptr, *other = nullptr;

	void SetUp() override
	{
		int err = 0;

		last = {};
		next_hop = nullptr;
		host.enter();
		ipv4_offload_init();
		dev_add_pack(ip);
		for (net_device **dev : {&tap, &other}) {
			*dev = tun_set_iff(init_net(), dev == &tap ? "tap0" : "tap1",
			                   IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, nullptr, nullptr, err);
			ASSERT_NE(*dev, nullptr);
			dev_open(**dev);
		}
	}
	void TearDown() override
	{
		tun_chr_close(*tap);
		tun_chr_close(*other);
		dev_remove_pack(ip);
		host.leave();
	}
	static long write(net_device &dev, const virtio_net_hdr &header, const std::vector<u8> &frame)
	{
		std::vector<u8> bytes(sizeof(header) + frame.size());

		std::memcpy(bytes.data(), &header, sizeof(header));
		std::copy(frame.begin(), frame.end(), bytes.begin() + sizeof(header));
		return tun_get_user(dev, bytes.data(), bytes.size());
	}
};

TEST_F(tun_vnet, frame_whose_sum_is_unfinished_comes_up_as_partial)
{
	const std::vector<u8> frame = unfinished_frame(*tap, 100);

	EXPECT_EQ(write(*tap, {VIRTIO_NET_HDR_F_NEEDS_CSUM, 0, 0, 0, tcp_at, check_at}, frame),
	          static_cast<long>(sizeof(virtio_net_hdr) + frame.size()));
	ASSERT_TRUE(last);
	EXPECT_EQ(last->ip_summed, CHECKSUM_PARTIAL);
	EXPECT_EQ(last->csum_start, 20);
	EXPECT_EQ(last->csum_offset, check_at);
	EXPECT_EQ(last->gso_size, 0);
	EXPECT_EQ(last->headlen, 140u);
}

TEST_F(tun_vnet, large_frame_in_pages_comes_up_as_one_gso_packet_of_those_pages)
{
	constexpr u32 page_bytes = PAGE_SIZE << 3;
	const std::vector<u8> frame = unfinished_frame(*tap, 60'000);
	page *pages[] = {alloc_pages(GFP_KERNEL, 3), alloc_pages(GFP_KERNEL, 3)};
	const auto rest = static_cast<u32>(frame.size()) - page_bytes;

	std::memcpy(pages[0]->data, frame.data(), page_bytes);
	std::memcpy(pages[1]->data, frame.data() + page_bytes, rest);
	const skb_frag_t frags[] = {{pages[0], page_bytes, 0}, {pages[1], rest, 0}};

	EXPECT_EQ(tun_get_user(*tap, &large, sizeof(large), frags),
	          static_cast<long>(sizeof(large) + frame.size()));
	ASSERT_TRUE(last);
	EXPECT_EQ(last->len, frame.size() - ETH_HLEN);
	EXPECT_EQ(last->headlen, headers_len - ETH_HLEN);
	EXPECT_EQ(last->frags, 2u);
	EXPECT_EQ(last->first_frag, pages[0]->data + headers_len);
	EXPECT_EQ(last->gso_size, 1448);
	EXPECT_EQ(last->gso_segs, 0); // to be counted by who looks at its headers
	EXPECT_EQ(last->gso_type, SKB_GSO_TCPV4 | SKB_GSO_DODGY);
	EXPECT_EQ(last->ip_summed, CHECKSUM_PARTIAL);
	for (page *pg : pages) {
		EXPECT_EQ(pg->refcount, 1u); // what the packet had it gave back
		put_page(*pg);
	}
}

TEST_F(tun_vnet, large_header_before_what_fits_into_one_segment_makes_no_gso_packet)
{
	EXPECT_GT(write(*tap, large, unfinished_frame(*tap, 1448)), 0);
	ASSERT_TRUE(last);
	EXPECT_EQ(last->gso_size, 0);
	EXPECT_EQ(last->ip_summed, CHECKSUM_PARTIAL);
}

TEST_F(tun_vnet, gso_size_of_a_byte_is_raised_to_what_the_stack_can_count)
{
	virtio_net_hdr header = large;

	header.gso_size = 1;
	EXPECT_GT(write(*tap, header, unfinished_frame(*tap, 30'000)), 0);
	ASSERT_TRUE(last);
	EXPECT_EQ(last->gso_size, 8);
}

TEST_F(tun_vnet, header_that_does_not_fit_its_frame_is_refused_and_counted)
{
	const std::vector<u8> frame = unfinished_frame(*tap, 5000);
	const auto with = [](auto change) {
		virtio_net_hdr header = large;

		change(header);
		return header;
	};
	const std::pair<virtio_net_hdr, u64> hostile[] = {
		// {header, is it one of those that are counted as wrong framing?}
		{with([](auto &h) { h.gso_type = 0x7f; }), 1},
		{with([](auto &h) { h.gso_type = VIRTIO_NET_HDR_GSO_UDP; }), 1},
		{with([](auto &h) { h.gso_type = VIRTIO_NET_HDR_GSO_ECN; }), 1},
		{with([](auto &h) { h.gso_size = 0; }), 1},
		{with([](auto &h) { h.gso_size = GSO_BY_FRAGS; }), 1},
		{with([](auto &h) { h.csum_offset = 6; }), 1},
		{with([](auto &h) { h.csum_start = static_cast<u16>(5000 + headers_len - 18); }), 1},
		{with([](auto &h) { h.csum_start = 0xffff; }), 1},
		{with([](auto &h) { h.csum_offset = 0xffff; }), 1},
		{with([](auto &h) { h.hdr_len = 5000 + headers_len + 1; }), 0},
		{with([](auto &h) { h.flags = 0, h.hdr_len = ETH_HLEN - 1; }), 0},
	};
	u64 counted = 0;

	for (const auto &[header, counts] : hostile) {
		EXPECT_EQ(write(*tap, header, frame), -EINVAL) << &header - &hostile[0].first;
		counted += counts;
		EXPECT_EQ(tun_rx_frame_errors(*tap), counted);
	}
	EXPECT_EQ(tun_get_user(*tap, &large, 5), -EINVAL);
	EXPECT_EQ(write(*tap, {}, {}), -EINVAL);
	EXPECT_FALSE(last);
}

TEST_F(tun_vnet, large_packet_leaves_whole_with_its_header_for_who_takes_it_so)
{
	const std::vector<u8> frame = unfinished_frame(*tap, 60'000);

	EXPECT_EQ(set_offload(*other, TUN_F_CSUM | TUN_F_TSO4), 0);
	EXPECT_EQ(other->features & (NETIF_F_HW_CSUM | NETIF_F_TSO), NETIF_F_HW_CSUM | NETIF_F_TSO);
	next_hop = other;
	EXPECT_GT(write(*tap, large, frame), 0);

	tun_frame out;
	EXPECT_EQ(tun_do_read(*other, out), sizeof(virtio_net_hdr) + frame.size());
	EXPECT_EQ(std::memcmp(&out.header, &large, sizeof(large)), 0);
	ASSERT_GT(out.pieces.size(), 2u);
	EXPECT_EQ(out.pieces[0].data, &out.header);
	std::vector<u8> bytes;
	for (std::size_t i = 1; i < out.pieces.size(); ++i) {
		const u8 *at = static_cast<const u8 *>(out.pieces[i].data);
		bytes.insert(bytes.end(), at, at + out.pieces[i].len);
	}
	EXPECT_TRUE(bytes == frame);
	consume_skb(std::move(out.skb));
	EXPECT_EQ(tun_do_read(*other, out), 0u);
}

TEST_F(tun_vnet, large_packet_leaves_in_segments_with_their_sums_for_who_takes_nothing)
{
	next_hop = other;
	EXPECT_GT(write(*tap, large, unfinished_frame(*tap, 60'000)), 0);

	std::vector<u8> got(70'000);
	u32 segments = 0;
	for (std::size_t n; (n = tun_do_read(*other, got.data(), got.size())); ++segments) {
		const auto &header = *reinterpret_cast<const virtio_net_hdr *>(got.data());
		const auto &iph = *reinterpret_cast<const iphdr *>(got.data() + sizeof(header) + ETH_HLEN);
		const u32 length = ntohs(iph.tot_len) - 20u;

		EXPECT_EQ(header.flags | header.gso_type, 0);
		ASSERT_EQ(n, sizeof(header) + ETH_HLEN + 20 + length);
		EXPECT_FALSE(tcp_v4_check(length, iph.saddr, iph.daddr, csum_partial(&iph + 1, length, 0)));
	}
	EXPECT_EQ(segments, (60'000u + 1447) / 1448);
}

TEST_F(tun_vnet, what_nobody_knows_how_to_take_unfinished_is_refused)
{
	EXPECT_EQ(set_offload(*tap, TUN_F_CSUM | 0x100), -EINVAL);
	EXPECT_EQ(set_offload(*tap, TUN_F_TSO4), -EINVAL); // segments without sums
	EXPECT_FALSE(tap->features & (NETIF_F_HW_CSUM | NETIF_F_TSO));
}

} // namespace
} // namespace skbwalk::test
