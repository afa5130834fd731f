// SPDX-License-Identifier: GPL-2.0-only
#include "stack/core/skbuff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "stack/core/gso.h"
#include "stack/core/leaks.h"
#include "stack/core/netdevice.h"
#include "stack/core/uio.h"
#include "tests/kernel/bench_world.h"

namespace skbwalk {
namespace {

class skbuff : public testing::Test {
protected:
	skbuff() : in_(world_.c0()) { skb_init(); }

	static u8 byte(u32 i) { return static_cast<u8>(i * 7 + 3); }
	static void fill(u8 *to, u32 n, u32 from)
	{
		for (u32 i = 0; i < n; ++i)
			to[i] = byte(from + i);
	}
	static page *page_of(u32 n, u32 from)
	{
		page *pg = alloc_pages(GFP_KERNEL, 0);

		fill(reinterpret_cast<u8 *>(pg->data), n, from);
		return pg;
	}
	// `linear` bytes in the head and one frag of each size; byte i of the packet is byte(i).
	static skb_ptr packet(u32 linear, std::initializer_list<u32> frags = {}, u32 headroom = 64,
	                      bool fclone = false)
	{
		skb_ptr skb = fclone ? alloc_skb_fclone(headroom + linear, GFP_KERNEL)
		                     : alloc_skb(headroom + linear, GFP_KERNEL);
		u32 at = linear;

		skb_reserve(*skb, headroom);
		fill(skb_put(*skb, linear), linear, 0);
		for (const u32 size : frags) {
			skb_fill_page_desc(*skb, skb_shinfo(*skb).nr_frags, page_of(size, at), 0, size);
			skb->len += size;
			skb->data_len += size;
			skb->truesize += static_cast<u32>(PAGE_SIZE);
			at += size;
		}
		return skb;
	}
	static std::vector<u8> bytes_of(const sk_buff &skb)
	{
		std::vector<u8> bytes(skb.len);

		EXPECT_EQ(skb_copy_bits(skb, 0, bytes.data(), static_cast<int>(skb.len)), 0);
		return bytes;
	}
	static std::vector<u8> pattern(u32 n, u32 from = 0)
	{
		std::vector<u8> bytes(n);

		fill(bytes.data(), n, from);
		return bytes;
	}

	test::bench_world world_;
	enter_cpu in_;
};

using skbuff_death = skbuff;

TEST_F(skbuff, allocated_one_has_the_room_and_truesize_of_its_size_class)
{
	skb_ptr skb = alloc_skb(100, GFP_KERNEL);

	// 128 aligned, and 320 for skb_shared_info, are of the 512 class.
	EXPECT_EQ(skb_end_offset(*skb), 512 - SKB_SHINFO_SIZE);
	EXPECT_EQ(skb->truesize, SKB_HEAD_TRUESIZE + 512);
	EXPECT_EQ(skb->len, 0u);
	EXPECT_FALSE(skb_mac_header_was_set(*skb));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, clone_shares_data_until_both_are_gone)
{
	skb_ptr skb = packet(20, {30});
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);

	EXPECT_EQ(clone->head, skb->head);
	EXPECT_NE(clone->trace_id, skb->trace_id);
	EXPECT_TRUE(skb_cloned(*skb));
	EXPECT_TRUE(skb_cloned(*clone));
	consume_skb(std::move(skb));
	EXPECT_FALSE(skb_cloned(*clone));
	EXPECT_EQ(bytes_of(*clone), pattern(50));
	consume_skb(std::move(clone));
}

TEST_F(skbuff, get_keeps_the_head_until_the_last_reference)
{
	skb_ptr skb = packet(10);
	skb_ptr again = skb_get(*skb);

	EXPECT_TRUE(skb_shared(*skb));
	consume_skb(std::move(skb));
	EXPECT_EQ(bytes_of(*again), pattern(10));
	kfree_skb_reason(std::move(again), SKB_DROP_REASON_NO_SOCKET);
	EXPECT_EQ(drop_counter(SKB_DROP_REASON_NO_SOCKET), 1u);
}

TEST_F(skbuff, first_clone_of_a_pair_is_its_second_half)
{
	skb_ptr skb = packet(10, {}, 64, true);
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);
	skb_ptr second = skb_clone(*skb, GFP_ATOMIC);

	EXPECT_EQ(clone.get(), &reinterpret_cast<sk_buff_fclones *>(skb.get())->skb2);
	EXPECT_EQ(second->fclone, SKB_FCLONE_UNAVAILABLE);
	consume_skb(std::move(clone));
	clone = skb_clone(*skb, GFP_ATOMIC);
	EXPECT_EQ(clone->fclone, SKB_FCLONE_CLONE);
	// The original goes first: the pair stays for the clone.
	consume_skb(std::move(skb));
	EXPECT_EQ(bytes_of(*clone), pattern(10));
	consume_skb(std::move(clone));
	consume_skb(std::move(second));
}

TEST_F(skbuff, released_header_lets_a_clone_write_in_the_headroom)
{
	skb_ptr skb = packet(10);

	__skb_header_release(*skb);
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);
	EXPECT_TRUE(skb_cloned(*clone));
	EXPECT_FALSE(skb_header_cloned(*clone));
	EXPECT_EQ(clone->hdr_len, 64);
	EXPECT_EQ(skb_cow_head(*clone, 40), 0);
	EXPECT_EQ(clone->head, skb->head);
	consume_skb(std::move(clone));
	consume_skb(std::move(skb));
}

TEST_F(skbuff_death, write_through_shared_data_asserts)
{
	skb_ptr skb = packet(10);
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);
	const u8 x = 0;

	EXPECT_DEATH(skb_put(*clone, 1), "skb_cloned");
	EXPECT_DEATH(static_cast<void>(skb_store_bits(*skb, 0, &x, 1)), "skb_cloned");
	consume_skb(std::move(clone));
	consume_skb(std::move(skb));
}

TEST(skb_ptr, destroyed_with_an_skb_frees_it_as_unspecified_and_tells)
{
	{
		test::bench_world world;
		const enter_cpu in(world.c0());

		skb_init();
		{
			const skb_ptr forgotten = alloc_skb(10, GFP_KERNEL);
		}
		EXPECT_EQ(skb_dropped_unspecified(), 1u);
		EXPECT_EQ(drop_counter(SKB_DROP_REASON_NOT_SPECIFIED), 1u);
	}
	EXPECT_THAT(take_leaks(), testing::ElementsAre("skb freed as NOT_SPECIFIED by a destructor: 1"));
}

TEST(skb_ptr, released_and_lost_is_left_in_its_cache)
{
	{
		test::bench_world world;
		const enter_cpu in(world.c0());

		skb_init();
		static_cast<void>(alloc_skb(10, GFP_KERNEL).release());
	}
	EXPECT_THAT(take_leaks(), testing::Contains("skbuff_head_cache: 1 left in host h"));
}

TEST_F(skbuff, copy_is_all_linear_and_its_own)
{
	skb_ptr skb = packet(20, {100, 50});

	skb_set_network_header(*skb, 4);
	skb_ptr copy = skb_copy(*skb, GFP_ATOMIC);
	EXPECT_EQ(copy->data_len, 0u);
	EXPECT_EQ(bytes_of(*copy), pattern(170));
	EXPECT_EQ(skb_network_offset(*copy), 4);
	EXPECT_FALSE(skb_cloned(*copy));
	consume_skb(std::move(skb));
	consume_skb(std::move(copy));
}

TEST_F(skbuff, pskb_copy_owns_the_head_and_shares_frags)
{
	skb_ptr skb = packet(20, {100});
	skb_ptr copy = pskb_copy(*skb, GFP_ATOMIC);

	EXPECT_NE(copy->head, skb->head);
	EXPECT_EQ(skb_shinfo(*copy).frags[0].pg, skb_shinfo(*skb).frags[0].pg);
	EXPECT_EQ(skb_shinfo(*copy).frags[0].pg->refcount, 2u);
	consume_skb(std::move(skb));
	EXPECT_EQ(bytes_of(*copy), pattern(120));
	consume_skb(std::move(copy));
}

TEST_F(skbuff, cow_of_a_clone_leaves_the_other_alone)
{
	skb_ptr skb = packet(20, {30});
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);

	ASSERT_EQ(skb_cow(*clone, 0), 0);
	EXPECT_NE(clone->head, skb->head);
	clone->data[0] = 0xee;
	EXPECT_EQ(bytes_of(*skb), pattern(50));
	consume_skb(std::move(clone));
	EXPECT_FALSE(skb_cloned(*skb));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, expanded_head_keeps_data_and_header_offsets)
{
	skb_ptr skb = packet(40, {25}, 16);

	skb_set_mac_header(*skb, -14);
	skb_set_network_header(*skb, 0);
	skb_set_transport_header(*skb, 20);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = static_cast<u16>(skb_headroom(*skb) + 20);
	const u32 room = skb_end_offset(*skb);
	const u32 truesize = skb->truesize;
	ASSERT_EQ(pskb_expand_head(*skb, 256, 0, GFP_ATOMIC), 0);
	EXPECT_EQ(skb_headroom(*skb), 16u + 256);
	EXPECT_EQ(bytes_of(*skb), pattern(65));
	EXPECT_EQ(skb_network_offset(*skb), 0);
	EXPECT_EQ(skb_transport_offset(*skb), 20);
	EXPECT_EQ(skb_checksum_start_offset(*skb), 20);
	EXPECT_EQ(skb_mac_header(*skb), skb->data - 14);
	EXPECT_EQ(skb->truesize, truesize + skb_end_offset(*skb) - room);
	consume_skb(std::move(skb));
}

TEST_F(skbuff, realloc_headroom_and_copy_expand_give_room_in_front)
{
	skb_ptr skb = packet(40, {25}, 16);
	skb_ptr more = skb_realloc_headroom(*skb, 100);
	skb_ptr copy = skb_copy_expand(*skb, 200, 10, GFP_ATOMIC);

	EXPECT_GE(skb_headroom(*more), 100u);
	EXPECT_EQ(bytes_of(*more), pattern(65));
	EXPECT_EQ(skb_headroom(*copy), 200u);
	EXPECT_GE(skb_tailroom(*copy), 10u);
	EXPECT_EQ(bytes_of(*copy), pattern(65));
	for (skb_ptr *p : {&skb, &more, &copy})
		consume_skb(std::move(*p));
}

TEST_F(skbuff, trim_ends_in_the_head_in_a_frag_and_between)
{
	for (const u32 len : {0u, 15u, 20u, 60u, 120u, 150u, 170u}) {
		skb_ptr skb = packet(20, {100, 50});

		ASSERT_EQ(pskb_trim(*skb, len), 0);
		EXPECT_EQ(skb->len, len);
		EXPECT_EQ(bytes_of(*skb), pattern(len));
		consume_skb(std::move(skb));
	}
}

TEST_F(skbuff, trim_of_a_clone_does_not_trim_the_other)
{
	skb_ptr skb = packet(20, {100});
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);

	ASSERT_EQ(pskb_trim(*clone, 30), 0);
	EXPECT_EQ(bytes_of(*clone), pattern(30));
	EXPECT_EQ(bytes_of(*skb), pattern(120));
	consume_skb(std::move(clone));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, pull_tail_linearizes_part_of_a_frag_list)
{
	for (const int delta : {50, 100, 120, 200}) {
		skb_ptr skb = packet(20, {50});
		skb_ptr a = packet(0, {}, 0), b = packet(0, {}, 0);

		fill(skb_put(*a, 50), 50, 70);
		fill(skb_put(*b, 100), 100, 120);
		skb->len += 150;
		skb->data_len += 150;
		a->next = b.release();
		skb_shinfo(*skb).frag_list = a.release();
		ASSERT_NE(__pskb_pull_tail(*skb, delta), nullptr);
		EXPECT_EQ(skb_headlen(*skb), 20u + static_cast<u32>(delta));
		EXPECT_EQ(bytes_of(*skb), pattern(220));
		consume_skb(std::move(skb));
	}
}

TEST_F(skbuff, may_pull_says_why_not)
{
	skb_ptr skb = packet(20, {50});

	EXPECT_EQ(pskb_may_pull_reason(*skb, 20), SKB_NOT_DROPPED_YET);
	EXPECT_EQ(pskb_may_pull_reason(*skb, 71), SKB_DROP_REASON_PKT_TOO_SMALL);
	EXPECT_EQ(skb_headlen(*skb), 20u);
	EXPECT_TRUE(pskb_may_pull(*skb, 60));
	EXPECT_EQ(skb_headlen(*skb), 60u);
	EXPECT_EQ(bytes_of(*skb), pattern(70));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, split_in_the_head_at_the_edge_and_inside_a_frag)
{
	for (const u32 len : {5u, 20u, 60u, 120u, 140u}) {
		skb_ptr skb = packet(20, {100, 50});
		skb_ptr rest = alloc_skb(len < 20 ? 20 - len : 0, GFP_KERNEL);

		skb_split(*skb, *rest, len);
		EXPECT_EQ(bytes_of(*skb), pattern(len)) << len;
		EXPECT_EQ(bytes_of(*rest), pattern(170 - len, len)) << len;
		consume_skb(std::move(skb));
		consume_skb(std::move(rest));
	}
}

TEST_F(skbuff, shift_moves_frags_or_part_of_one)
{
	for (const int n : {30, 100, 130, 150}) {
		skb_ptr tgt = packet(20, {50});
		skb_ptr skb = packet(0, {}, 0);
		u32 at = 70;

		for (const u32 size : {100u, 50u}) {
			skb_fill_page_desc(*skb, skb_shinfo(*skb).nr_frags, page_of(size, at), 0, size);
			skb_len_add(*skb, static_cast<int>(size));
			at += size;
		}
		ASSERT_EQ(skb_shift(*tgt, *skb, n), n);
		EXPECT_EQ(bytes_of(*tgt), pattern(70 + static_cast<u32>(n)));
		EXPECT_EQ(bytes_of(*skb), pattern(150 - static_cast<u32>(n), 70 + static_cast<u32>(n)));
		consume_skb(std::move(tgt));
		consume_skb(std::move(skb));
	}
}

TEST_F(skbuff, shift_of_adjacent_pieces_grows_the_frag)
{
	page *pg = page_of(200, 0);
	skb_ptr tgt = packet(0, {}, 0), skb = packet(0, {}, 0);

	ASSERT_EQ(skb_append_pagefrags(*tgt, pg, 0, 80), 0);
	skb_len_add(*tgt, 80);
	ASSERT_EQ(skb_append_pagefrags(*skb, pg, 80, 120), 0);
	skb_len_add(*skb, 120);
	ASSERT_EQ(skb_shift(*tgt, *skb, 40), 40);
	EXPECT_EQ(skb_shinfo(*tgt).nr_frags, 1);
	ASSERT_EQ(skb_shift(*tgt, *skb, 80), 80);
	EXPECT_EQ(skb_shinfo(*tgt).nr_frags, 1);
	EXPECT_EQ(skb_shinfo(*skb).nr_frags, 0);
	EXPECT_EQ(bytes_of(*tgt), pattern(200));
	consume_skb(std::move(tgt));
	consume_skb(std::move(skb));
	EXPECT_EQ(pg->refcount, 1u);
	put_page(*pg);
}

TEST_F(skbuff, coalesce_copies_into_tailroom_else_takes_the_frags)
{
	bool stolen;
	int delta;
	skb_ptr to = packet(20);
	skb_ptr small = packet(0, {}, 0);

	fill(skb_put(*small, 10), 10, 20);
	ASSERT_TRUE(skb_try_coalesce(*to, *small, stolen, delta));
	EXPECT_FALSE(stolen);
	EXPECT_EQ(delta, 0);
	kfree_skb_partial(std::move(small), stolen);

	skb_ptr large = packet(0, {}, 0);
	skb_fill_page_desc(*large, 0, page_of(2000, 30), 0, 2000);
	large->len = large->data_len = 2000;
	large->truesize += static_cast<u32>(PAGE_SIZE);
	ASSERT_TRUE(skb_try_coalesce(*to, *large, stolen, delta));
	EXPECT_FALSE(stolen);
	EXPECT_EQ(delta, static_cast<int>(PAGE_SIZE));
	kfree_skb_partial(std::move(large), stolen);
	EXPECT_EQ(bytes_of(*to), pattern(2030));
	consume_skb(std::move(to));
}

TEST_F(skbuff, coalesce_steals_a_head_that_is_a_piece_of_a_page)
{
	net_device dev;
	bool stolen;
	int delta;
	skb_ptr to = packet(20, {10});
	skb_ptr from = __netdev_alloc_skb(dev, 1000, GFP_ATOMIC);

	ASSERT_TRUE(from->head_frag);
	fill(skb_put(*from, 900), 900, 30);
	ASSERT_TRUE(skb_try_coalesce(*to, *from, stolen, delta));
	EXPECT_TRUE(stolen);
	EXPECT_EQ(delta, static_cast<int>(from->truesize - SKB_HEAD_TRUESIZE));
	kfree_skb_partial(std::move(from), stolen);
	EXPECT_EQ(bytes_of(*to), pattern(930));
	skb_ptr clone = skb_clone(*to, GFP_ATOMIC);
	skb_ptr more = packet(0, {5}, 0);
	EXPECT_FALSE(skb_try_coalesce(*to, *more, stolen, delta));
	for (skb_ptr *p : {&clone, &more, &to})
		consume_skb(std::move(*p));
}

TEST_F(skbuff, condense_pulls_what_fits_and_counts_the_head_only)
{
	skb_ptr skb = packet(20, {50});

	skb_condense(*skb);
	EXPECT_EQ(skb->data_len, 0u);
	EXPECT_EQ(skb->truesize, SKB_TRUESIZE(skb_end_offset(*skb)));
	EXPECT_EQ(bytes_of(*skb), pattern(70));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, frag_list_that_two_heads_share_goes_with_the_second)
{
	skb_ptr skb = packet(100);
	skb_ptr first = packet(100), second = packet(100);

	skb->len += 200;
	skb->data_len += 200;
	first->next = second.release();
	skb_shinfo(*skb).frag_list = first.release();
	skb_ptr clone = skb_clone(*skb, GFP_KERNEL);

	ASSERT_EQ(pskb_expand_head(*clone, 64, 0, GFP_KERNEL), 0); // a head of its own, with the same list
	kfree_skb(std::move(skb));
	EXPECT_NE(__pskb_pull_tail(*clone, 120), nullptr); // the first as a whole, some of the second
	EXPECT_EQ(clone->len, 300u);
	kfree_skb(std::move(clone));
	EXPECT_EQ(slab_report(world_.h), "");
}

TEST_F(skbuff, checksum_over_odd_frags_and_frag_list_is_that_of_the_bytes)
{
	skb_ptr skb = packet(21, {33, 7});
	skb_ptr member = packet(0, {}, 0);

	fill(skb_put(*member, 101), 101, 61);
	skb->len += 101;
	skb->data_len += 101;
	skb_shinfo(*skb).frag_list = member.release();
	for (const int offset : {0, 1, 20, 21, 22, 54, 60, 61, 90}) {
		const int len = 162 - offset;
		std::vector<u8> to(static_cast<std::size_t>(len));
		const std::vector<u8> want = pattern(static_cast<u32>(len), static_cast<u32>(offset));
		const be16 sum = csum_fold(csum_partial(want.data(), static_cast<u32>(len), 0));

		EXPECT_EQ(csum_fold(skb_checksum(*skb, offset, len, 0)), sum) << offset;
		EXPECT_EQ(csum_fold(skb_copy_and_csum_bits(*skb, offset, to.data(), len)), sum) << offset;
		EXPECT_EQ(to, want);
	}
	consume_skb(std::move(skb));
}

TEST_F(skbuff, checksum_help_writes_what_the_device_would)
{
	skb_ptr skb = packet(40, {60});
	const be16 zero{};

	std::memcpy(skb->data + 36, &zero, 2);
	ASSERT_TRUE(skb_partial_csum_set(*skb, 20, 16));
	ASSERT_EQ(skb_checksum_help(*skb), 0);
	EXPECT_EQ(skb->ip_summed, CHECKSUM_NONE);
	EXPECT_FALSE(csum_fold(skb_checksum(*skb, 20, 80, 0)));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, verified_sum_is_remembered_and_a_wrong_one_is_bad)
{
	skb_ptr skb = packet(100);
	const be16 zero{};

	std::memcpy(skb->data, &zero, 2);
	const be16 sum = csum_fold(csum_partial(skb->data, 100, 0));
	std::memcpy(skb->data, &sum, 2);
	EXPECT_FALSE(skb_checksum_simple_validate(*skb));
	EXPECT_TRUE(skb_csum_unnecessary(*skb));
	skb->data[50] ^= 1;
	skb->ip_summed = CHECKSUM_NONE;
	EXPECT_TRUE(skb_checksum_simple_validate(*skb));
	EXPECT_FALSE(skb->csum_valid);
	consume_skb(std::move(skb));
}

class gso : public skbuff {
protected:
	static constexpr u32 headers = ETH_HLEN + 20 + 20;

	// Ethernet, IPv4 and TCP headers, as skb_segment is called: the data begins with the payload.
	static skb_ptr large(u32 linear, std::initializer_list<u32> frags, u16 mss)
	{
		skb_ptr skb = packet(headers + linear, frags, 128);

		skb->protocol = htons(ETH_P_IP);
		skb_reset_mac_header(*skb);
		skb_set_network_header(*skb, ETH_HLEN);
		skb_set_transport_header(*skb, ETH_HLEN + 20);
		skb->ip_summed = CHECKSUM_PARTIAL;
		skb->csum_start = static_cast<u16>(skb_headroom(*skb) + ETH_HLEN + 20);
		skb->csum_offset = 16;
		skb_shinfo(*skb).gso_size = mss;
		skb_shinfo(*skb).gso_type = SKB_GSO_TCPV4;
		SKB_GSO_CB(*skb).mac_offset = static_cast<int>(skb_headroom(*skb));
		__skb_pull(*skb, headers);
		return skb;
	}
	// Every segment has the headers; payloads follow one another. Frees them.
	static void check(sk_buff *list, u32 total, u32 mss)
	{
		u32 at = 0;

		ASSERT_NE(list, nullptr);
		const sk_buff *last = list->prev;
		while (list) {
			sk_buff *next = std::exchange(list->next, nullptr);
			skb_ptr seg(list);
			const u32 payload = std::min(mss, total - at);

			if (!next) {
				EXPECT_EQ(seg.get(), last);
			}
			seg->prev = nullptr;
			ASSERT_EQ(seg->len, headers + payload);
			std::vector<u8> want = pattern(headers);
			const std::vector<u8> tail = pattern(payload, headers + at);
			want.insert(want.end(), tail.begin(), tail.end());
			EXPECT_EQ(bytes_of(*seg), want);
			EXPECT_EQ(skb_transport_offset(*seg), static_cast<int>(ETH_HLEN + 20));
			if (seg->ip_summed == CHECKSUM_NONE) {
				const u32 start = ETH_HLEN + 20;
				const be16 sum = gso_make_checksum(*seg, 0);

				EXPECT_EQ(sum,
				          csum_fold(csum_partial(want.data() + start, seg->len - start, 0)));
			} else {
				EXPECT_EQ(skb_checksum_start_offset(*seg), static_cast<int>(ETH_HLEN + 20));
			}
			at += payload;
			consume_skb(std::move(seg));
			list = next;
		}
		EXPECT_EQ(at, total);
	}
};

TEST_F(gso, scatter_gather_device_gets_shares_of_the_frags)
{
	skb_ptr skb = large(0, {1000, 2000, 500}, 700);
	const skb_segs segs = skb_segment(*skb, NETIF_F_SG | NETIF_F_HW_CSUM);

	EXPECT_EQ(segs.err, 0);
	EXPECT_EQ(skb_shinfo(*segs.list).frags[0].pg, skb_shinfo(*skb).frags[0].pg);
	EXPECT_EQ(skb_headlen(*segs.list), headers);
	check(segs.list, 3500, 700);
	consume_skb(std::move(skb));
}

TEST_F(gso, linear_head_and_frags_are_cut_alike_with_or_without_offloads)
{
	for (const netdev_features_t features :
	     {NETIF_F_SG | NETIF_F_HW_CSUM, NETIF_F_SG, NETIF_F_IP_CSUM, netdev_features_t{0}}) {
		skb_ptr skb = large(333, {1000, 700}, 450);
		const skb_segs segs = skb_segment(*skb, features);

		EXPECT_EQ(segs.err, 0);
		check(segs.list, 2033, 450);
		consume_skb(std::move(skb));
	}
}

TEST_F(gso, frag_list_of_whole_segments_becomes_the_segments)
{
	skb_ptr skb = large(500, {}, 500);
	skb_ptr a = alloc_skb(600, GFP_KERNEL), b = alloc_skb(600, GFP_KERNEL);

	skb_reserve(*a, 100);
	skb_reserve(*b, 100);
	fill(skb_put(*a, 500), 500, headers + 500);
	fill(skb_put(*b, 200), 200, headers + 1000);
	skb->len += 700;
	skb->data_len += 700;
	a->next = b.release();
	skb_shinfo(*skb).frag_list = a.release();
	const skb_segs segs = skb_segment(*skb, NETIF_F_SG | NETIF_F_HW_CSUM);
	EXPECT_EQ(segs.err, 0);
	check(segs.list, 1200, 500);
	consume_skb(std::move(skb));
}

TEST_F(gso, seglen_is_what_a_segment_measures)
{
	skb_ptr skb = large(0, {1000, 2000}, 1000);

	tcp_hdr(*skb).doff_res = 5 << 4;
	EXPECT_EQ(skb_gso_network_seglen(*skb), 1040u);
	EXPECT_TRUE(skb_gso_validate_network_len(*skb, 1040));
	EXPECT_FALSE(skb_gso_validate_network_len(*skb, 1039));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, list_keeps_order_and_splice_moves_all)
{
	sk_buff_head a, b;
	u32 order = 0;

	for (u32 i = 0; i < 3; ++i) {
		skb_ptr skb = packet(1);

		skb->mark = i;
		__skb_queue_tail(a, std::move(skb));
	}
	skb_ptr first = packet(1);
	first->mark = 9;
	__skb_queue_head(b, std::move(first));
	skb_queue_splice_tail_init(a, b);
	EXPECT_TRUE(skb_queue_empty(a));
	EXPECT_EQ(skb_queue_len(b), 4u);
	consume_skb(__skb_unlink(*b.next->next, b));
	for (const u32 want : {9u, 1u, 2u}) {
		skb_ptr skb = skb_dequeue(b);

		EXPECT_EQ(skb->mark, want) << order++;
		consume_skb(std::move(skb));
	}
	EXPECT_FALSE(skb_dequeue(b));
}

TEST_F(skbuff, extension_is_shared_by_clones_and_copied_before_a_write)
{
	skb_ptr skb = packet(1);
	auto *info = static_cast<nf_bridge_info *>(skb_ext_add(*skb, SKB_EXT_BRIDGE_NF));

	info->physinif = 7;
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);
	EXPECT_EQ(skb_ext_find(*clone, SKB_EXT_BRIDGE_NF), info);
	auto *own = static_cast<nf_bridge_info *>(skb_ext_add(*clone, SKB_EXT_BRIDGE_NF));
	EXPECT_NE(own, info);
	EXPECT_EQ(own->physinif, 7);
	skb_ext_del(*skb, SKB_EXT_BRIDGE_NF);
	EXPECT_EQ(skb_ext_find(*skb, SKB_EXT_BRIDGE_NF), nullptr);
	consume_skb(std::move(clone));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, failed_allocation_is_null_and_leaves_nothing)
{
	skb_ptr skb = packet(20, {30});
	skb_ptr clone = skb_clone(*skb, GFP_ATOMIC);

	set_failslab(world_.h, [](const kmem_cache &) { return true; });
	EXPECT_FALSE(alloc_skb(100, GFP_KERNEL));
	EXPECT_FALSE(skb_clone(*skb, GFP_ATOMIC));
	EXPECT_FALSE(skb_copy(*skb, GFP_ATOMIC));
	EXPECT_EQ(skb_cow(*clone, 0), -ENOMEM);
	EXPECT_EQ(pskb_trim(*clone, 25), -ENOMEM);
	set_failslab(world_.h, nullptr);
	EXPECT_EQ(bytes_of(*clone), pattern(50));
	consume_skb(std::move(clone));
	consume_skb(std::move(skb));
}

TEST_F(skbuff, datagram_copies_to_a_caller_and_refuses_a_wrong_sum)
{
	skb_ptr skb = packet(20, {100});
	std::vector<u8> buf(120);
	msghdr msg;

	import_single_range(false, buf.data(), 120, msg.msg_iter);
	EXPECT_EQ(skb_copy_datagram_iter(*skb, 8, msg.msg_iter, 112), 0);
	EXPECT_EQ(std::vector<u8>(buf.begin(), buf.begin() + 112), pattern(112, 8));

	// csum holds what makes the sum of the packet zero.
	const std::vector<u8> all = pattern(120);
	skb->csum = ~csum_partial(all.data(), 120, 0);
	import_single_range(false, buf.data(), 120, msg.msg_iter);
	EXPECT_EQ(skb_copy_and_csum_datagram_msg(*skb, 8, msg), 0);
	skb->csum = csum_add(skb->csum, 1);
	import_single_range(false, buf.data(), 120, msg.msg_iter);
	EXPECT_EQ(skb_copy_and_csum_datagram_msg(*skb, 8, msg), -EINVAL);
	EXPECT_EQ(msg.msg_iter.count, 120u);
	consume_skb(std::move(skb));
}

} // namespace
} // namespace skbwalk
