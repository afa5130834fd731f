// SPDX-License-Identifier: GPL-2.0-only
#include "stack/core/sock.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "stack/security/security.h"
#include "tests/kernel/bench_world.h"

namespace skbwalk {
namespace {

struct plain_sock : sock {
	std::vector<u32> processed; // marks of what came through the backlog or at once
};
plain_sock &plain(sock &sk) { return static_cast<plain_sock &>(sk); }

int take(sock &sk, skb_ptr skb)
{
	plain(sk).processed.push_back(skb->mark);
	consume_skb(std::move(skb));
	return 0;
}

void purge(sock &sk)
{
	__skb_queue_purge(sk.sk_receive_queue);
	sk_mem_reclaim_final(sk);
}

proto plain_prot = {
	.name = "PLAIN",
	.obj_size = sizeof(plain_sock),
	.construct = [](void *memory) -> sock * { return ::new (memory) plain_sock; },
	.destruct = [](sock &sk) { plain(sk).~plain_sock(); },
	.memory_accounted = true,
};

class sock_fixture : public testing::Test {
protected:
	sock_fixture() : in_(world_.c0())
	{
		skb_init();
		plain_prot.index = 0;
		proto_register(plain_prot, true);
		proto_of(plain_prot).sysctl_mem = {1000, 2000, 3000};
		sk_ = sk_alloc(init_net(), AF_INET, GFP_KERNEL, plain_prot, true);
		sock_init_data(nullptr, *sk_);
		sk_->sk_wq = std::make_shared<socket_wq>();
		sk_->sk_backlog_rcv = take;
		sk_->sk_destruct = purge;
	}
	~sock_fixture() override
	{
		if (sk_)
			sock_put(*sk_);
		EXPECT_EQ(live_socks(world_.h), 0u);
	}
	static skb_ptr packet(u32 mark = 0, u32 len = 100)
	{
		skb_ptr skb = alloc_skb(len, GFP_KERNEL);

		skb_put(*skb, len);
		skb->mark = mark;
		return skb;
	}

	test::bench_world world_{2};
	enter_cpu in_;
	sock *sk_ = nullptr;
};

using sock_owned = sock_fixture;
using sock_memory = sock_fixture;
using sock_queue = sock_fixture;
using sock_security = sock_fixture;

TEST_F(sock_owned, segments_wait_in_the_backlog_and_are_processed_at_release)
{
	lock_sock(*sk_);
	for (u32 i = 1; i <= 3; ++i) {
		skb_ptr skb = packet(i);

		bh_lock_sock(*sk_);
		ASSERT_TRUE(sock_owned_by_user(*sk_));
		ASSERT_EQ(sk_add_backlog(*sk_, skb, 100'000), 0);
		bh_unlock_sock(*sk_);
		EXPECT_TRUE(skb.is_taken());
	}
	EXPECT_TRUE(plain(*sk_).processed.empty());
	release_sock(*sk_);
	EXPECT_EQ(plain(*sk_).processed, (std::vector<u32>{1, 2, 3}));
	EXPECT_EQ(sk_->sk_backlog.len, 0);
	EXPECT_FALSE(sock_owned_by_user(*sk_));
}

TEST_F(sock_owned, backlog_beyond_its_limit_refuses_and_leaves_the_packet)
{
	skb_ptr a = packet(), b = packet();

	lock_sock(*sk_);
	ASSERT_EQ(sk_add_backlog(*sk_, a, 10), 0);
	EXPECT_EQ(sk_add_backlog(*sk_, b, 10), -ENOBUFS);
	ASSERT_TRUE(b);
	consume_skb(std::move(b));
	release_sock(*sk_);
}

TEST_F(sock_fixture, freed_one_lives_until_its_last_packet_is_out)
{
	skb_ptr skb = sock_wmalloc(*sk_, 100, 1, GFP_KERNEL);

	EXPECT_EQ(sk_wmem_alloc_get(*sk_), static_cast<int>(skb->truesize));
	sock_put(*std::exchange(sk_, nullptr));
	EXPECT_EQ(live_socks(world_.h), 1u);
	consume_skb(std::move(skb));
	EXPECT_EQ(live_socks(world_.h), 0u);
}

TEST_F(sock_fixture, rcu_freed_one_lives_until_the_grace_period_ends)
{
	sock_set_flag(*sk_, SOCK_RCU_FREE);
	sock_put(*std::exchange(sk_, nullptr));
	EXPECT_EQ(live_socks(world_.h), 1u);
	rcu_process_callbacks(world_.h);
	EXPECT_EQ(live_socks(world_.h), 0u);
}

TEST_F(sock_queue, received_packet_counts_until_it_is_read)
{
	skb_ptr skb = packet();
	const auto truesize = static_cast<int>(skb->truesize);

	ASSERT_EQ(sock_queue_rcv_skb(*sk_, skb), 0);
	EXPECT_EQ(sk_rmem_alloc_get(*sk_), truesize);
	EXPECT_EQ(sk_->sk_forward_alloc, SK_MEM_QUANTUM - truesize);
	int err = 0;
	skb_ptr read = skb_recv_datagram(*sk_, MSG_DONTWAIT, err);
	ASSERT_TRUE(read);
	skb_free_datagram(*sk_, std::move(read));
	EXPECT_EQ(sk_rmem_alloc_get(*sk_), 0);
	// The page went back at once.
	EXPECT_EQ(sk_->sk_forward_alloc, 0);
	EXPECT_FALSE(skb_recv_datagram(*sk_, MSG_DONTWAIT, err));
	EXPECT_EQ(err, -EAGAIN);
}

TEST_F(sock_queue, full_one_refuses_with_the_reason)
{
	skb_drop_reason reason = SKB_NOT_DROPPED_YET;
	skb_ptr a = packet(), b = packet();

	sk_->sk_rcvbuf = 100;
	ASSERT_EQ(sock_queue_rcv_skb_reason(*sk_, a, &reason), 0);
	EXPECT_EQ(sock_queue_rcv_skb_reason(*sk_, b, &reason), -ENOMEM);
	EXPECT_EQ(reason, SKB_DROP_REASON_SOCKET_RCVBUFF);
	EXPECT_EQ(atomic_read(sk_->sk_drops), 1);
	kfree_skb_reason(std::move(b), reason);
}

TEST_F(sock_queue, peek_leaves_the_packet_for_the_reader)
{
	skb_ptr skb = packet(5);
	int err = 0;

	ASSERT_EQ(sock_queue_rcv_skb(*sk_, skb), 0);
	skb_ptr seen = skb_recv_datagram(*sk_, MSG_DONTWAIT | MSG_PEEK, err);
	EXPECT_EQ(seen->mark, 5u);
	skb_free_datagram(*sk_, std::move(seen));
	skb_ptr read = skb_recv_datagram(*sk_, MSG_DONTWAIT, err);
	ASSERT_TRUE(read);
	EXPECT_FALSE(skb_shared(*read));
	skb_free_datagram(*sk_, std::move(read));
}

TEST_F(sock_memory, beyond_the_hard_limit_is_refused_but_within_the_reserve_of_a_cpu_is_not_seen)
{
	proto_of(plain_prot).sysctl_mem = {0, 1, 2};
	sk_->sk_type = SOCK_DGRAM;
	refcount_set(sk_->sk_wmem_alloc, 1 << 20);
	// Less than a megabyte is booked on the cpu only.
	EXPECT_EQ(__sk_mem_schedule(*sk_, 100 * SK_MEM_QUANTUM, SK_MEM_SEND), 1);
	EXPECT_EQ(__sk_mem_schedule(*sk_, 300 * SK_MEM_QUANTUM, SK_MEM_SEND), 0);
	EXPECT_EQ(sk_->sk_forward_alloc, 100 * SK_MEM_QUANTUM);
	sk_mem_reclaim(*sk_);
	EXPECT_EQ(sk_->sk_forward_alloc, 0);
	refcount_set(sk_->sk_wmem_alloc, 1);
}

TEST_F(sock_memory, page_frag_is_used_again_when_all_pieces_are_back)
{
	page_frag frag;

	ASSERT_TRUE(skb_page_frag_refill(32, frag, GFP_KERNEL));
	page *pg = frag.pg;
	EXPECT_EQ(frag.size, 8 * PAGE_SIZE);
	get_page(*pg);
	frag.offset = frag.size - 16;
	ASSERT_TRUE(skb_page_frag_refill(16, frag, GFP_KERNEL));
	EXPECT_EQ(frag.pg, pg);
	put_page(*pg);
	ASSERT_TRUE(skb_page_frag_refill(32, frag, GFP_KERNEL));
	EXPECT_EQ(frag.pg, pg);
	EXPECT_EQ(frag.offset, 0u);
	put_page(*frag.pg);
}

TEST_F(sock_fixture, buffer_options_double_and_are_bounded)
{
	const auto set = [&](int name, int val) {
		return sk_setsockopt(*sk_, SOL_SOCKET, name, &val, sizeof(val));
	};

	EXPECT_EQ(set(SO_RCVBUF, 10'000), 0);
	EXPECT_EQ(sk_->sk_rcvbuf, 20'000);
	EXPECT_EQ(set(SO_SNDBUF, 1), 0);
	EXPECT_EQ(sk_->sk_sndbuf, static_cast<int>(SOCK_MIN_SNDBUF));
	EXPECT_EQ(set(SO_SNDBUF, 100'000'000), 0);
	EXPECT_EQ(sk_->sk_sndbuf, 2 * 212'992);
	EXPECT_EQ(set(SO_TYPE, 1), -ENOPROTOOPT);
	EXPECT_EQ(sk_setsockopt(*sk_, SOL_SOCKET, SO_RCVBUF, "", 1), -EINVAL);

	const s64 timeout[2] = {1, 500'000};
	EXPECT_EQ(sk_setsockopt(*sk_, SOL_SOCKET, SO_RCVTIMEO, timeout, sizeof(timeout)), 0);
	EXPECT_EQ(sk_->sk_rcvtimeo, 375);
	s64 back[2];
	int len = sizeof(back);
	EXPECT_EQ(sk_getsockopt(*sk_, SOL_SOCKET, SO_RCVTIMEO, back, len), 0);
	EXPECT_EQ(back[0], 1);
	EXPECT_EQ(back[1], 500'000);
}

TEST_F(sock_security, registered_module_refuses_a_packet)
{
	lsm_hooks().socket_sock_rcv_skb.push_back(
		[](sock &, sk_buff &skb) { return skb.mark == 13 ? -EACCES : 0; });
	skb_drop_reason reason = SKB_NOT_DROPPED_YET;
	skb_ptr bad = packet(13), good = packet(14);

	EXPECT_EQ(sock_queue_rcv_skb_reason(*sk_, bad, &reason), -EACCES);
	EXPECT_EQ(reason, SKB_DROP_REASON_SOCKET_FILTER);
	kfree_skb_reason(std::move(bad), reason);
	EXPECT_EQ(sock_queue_rcv_skb_reason(*sk_, good, &reason), 0);
}

TEST_F(sock_security, blob_of_the_modules_lives_with_the_socket)
{
	lsm_hooks().lbs_sock = 24;
	sock *sk = sk_alloc(init_net(), AF_INET, GFP_KERNEL, plain_prot, true);

	EXPECT_NE(sk->sk_security, nullptr);
	sock_init_data(nullptr, *sk);
	sock_put(*sk);
	lsm_hooks().sk_alloc_security.push_back([](sock &, u16, gfp_t) { return -EPERM; });
	EXPECT_EQ(sk_alloc(init_net(), AF_INET, GFP_KERNEL, plain_prot, true), nullptr);
}

TEST(secure_seq, sequence_number_depends_on_all_four_and_grows_with_the_clock)
{
	test::bench_world world;
	const enter_cpu in(world.c0());
	const be32 a = htonl(0x0a000001), b = htonl(0x0a000002);
	const net &n = init_net();
	const auto first = secure_tcp_seq_and_ts_off(n, a, b, htons(1000), htons(80));
	const auto other = secure_tcp_seq_and_ts_off(n, a, b, htons(1001), htons(80));

	EXPECT_NE(first.seq, other.seq);
	set_clock(world.c0(), world.c0().now_ns + 64'000);
	const auto later = secure_tcp_seq_and_ts_off(n, a, b, htons(1000), htons(80));
	EXPECT_EQ(later.seq - first.seq, 1000u);
	EXPECT_EQ(later.ts_off, first.ts_off);
}

} // namespace
} // namespace skbwalk
