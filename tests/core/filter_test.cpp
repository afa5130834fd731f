// SPDX-License-Identifier: GPL-2.0-only
#include "stack/core/filter.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>

#include "tests/kernel/bench_world.h"

namespace skbwalk {
namespace {

proto filtered_prot = {
	.name = "FILTERED",
	.obj_size = sizeof(sock),
	.construct = [](void *memory) -> sock * { return ::new (memory) sock; },
	.destruct = [](sock &sk) { sk.~sock(); },
};

class filtered_socket : public testing::Test {
protected:
	filtered_socket() : in_(world_.c0())
	{
		skb_init();
		filtered_prot.index = 0;
		proto_register(filtered_prot, true);
		sk_ = sk_alloc(init_net(), AF_INET, GFP_KERNEL, filtered_prot, true);
		sock_init_data(nullptr, *sk_);
	}
	~filtered_socket() override
	{
		sock_put(*sk_);
		rcu_process_callbacks(world_.h);
		EXPECT_EQ(slab_report(world_.h), "");
	}

	int attach(std::vector<sock_filter> program)
	{
		return sk_attach_filter({static_cast<u16>(program.size()), program.data()}, *sk_);
	}
	// What the attached program says of a packet of these bytes.
	u32 run(std::vector<u8> bytes)
	{
		skb_ptr skb = packet(bytes);
		const u32 verdict = bpf_prog_run_save_cb(*sk_->sk_filter_ptr->prog, *skb);
		consume_skb(std::move(skb));
		return verdict;
	}
	// The value that a program computes in A.
	u32 computes(std::vector<sock_filter> program, std::vector<u8> bytes = {0x11, 0x22, 0x33, 0x44, 0x45})
	{
		program.push_back({BPF_RET | BPF_A, 0, 0, 0});
		EXPECT_EQ(attach(program), 0);
		return run(std::move(bytes));
	}
	static skb_ptr packet(const std::vector<u8> &bytes)
	{
		skb_ptr skb = alloc_skb(256, GFP_KERNEL);

		skb_reserve(*skb, 64);
		skb_reset_mac_header(*skb);
		std::memcpy(skb_put(*skb, static_cast<u32>(bytes.size())), bytes.data(), bytes.size());
		skb_reset_network_header(*skb);
		skb->protocol = htons(0x0800);
		skb->mark = 77;
		return skb;
	}

	test::bench_world world_;
	enter_cpu in_;
	sock *sk_;
};

constexpr sock_filter accept_all{BPF_RET | BPF_K, 0, 0, 0xffff};

TEST_F(filtered_socket, loads_are_in_network_order_and_end_the_program_beyond_the_packet)
{
	EXPECT_EQ(computes({{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}}), 0x11223344u);
	EXPECT_EQ(computes({{BPF_LD | BPF_H | BPF_ABS, 0, 0, 1}}), 0x2233u);
	EXPECT_EQ(computes({{BPF_LD | BPF_B | BPF_ABS, 0, 0, 4}}), 0x45u);
	EXPECT_EQ(computes({{BPF_LDX | BPF_IMM, 0, 0, 2}, {BPF_LD | BPF_B | BPF_IND, 0, 0, 1}}), 0x44u);
	EXPECT_EQ(computes({{BPF_LDX | BPF_B | BPF_MSH, 0, 0, 4}, {BPF_MISC | BPF_TXA, 0, 0, 0}}), 20u);
	EXPECT_EQ(computes({{BPF_LD | BPF_W | BPF_LEN, 0, 0, 0}}), 5u);
	EXPECT_EQ(computes({{BPF_LD | BPF_IMM, 0, 0, 9}, {BPF_LD | BPF_W | BPF_ABS, 0, 0, 2}}), 0u);
	EXPECT_EQ(computes({{BPF_LD | BPF_B | BPF_ABS, 0, 0, static_cast<u32>(SKF_NET_OFF + 3)}}), 0x44u);
}

TEST_F(filtered_socket, arithmetic_is_of_32_bits_and_a_division_by_zero_drops)
{
	const auto of = [this](u32 a, u16 op, u32 by) {
		return computes({{BPF_LD | BPF_IMM, 0, 0, a},
		                 {BPF_LDX | BPF_IMM, 0, 0, by},
		                 {static_cast<u16>(BPF_ALU | op | BPF_X), 0, 0, 0}});
	};
	EXPECT_EQ(of(~0u, BPF_ADD, 2), 1u);
	EXPECT_EQ(of(1, BPF_SUB, 2), ~0u);
	EXPECT_EQ(of(7, BPF_MUL, 6), 42u);
	EXPECT_EQ(of(7, BPF_DIV, 2), 3u);
	EXPECT_EQ(of(7, BPF_MOD, 4), 3u);
	EXPECT_EQ(of(7, BPF_DIV, 0), 0u);
	EXPECT_EQ(of(6, BPF_AND, 3), 2u);
	EXPECT_EQ(of(6, BPF_OR, 3), 7u);
	EXPECT_EQ(of(6, BPF_XOR, 3), 5u);
	EXPECT_EQ(of(1, BPF_LSH, 4), 16u);
	EXPECT_EQ(of(16, BPF_RSH, 4), 1u);
	EXPECT_EQ(computes({{BPF_LD | BPF_IMM, 0, 0, 5}, {BPF_ALU | BPF_NEG, 0, 0, 0}}),
	          static_cast<u32>(-5));
}

TEST_F(filtered_socket, ancillary_loads_ask_the_packets_head)
{
	const auto of = [this](int what) {
		return computes({{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<u32>(SKF_AD_OFF + what)}});
	};
	EXPECT_EQ(of(SKF_AD_PROTOCOL), 0x0800u);
	EXPECT_EQ(of(SKF_AD_MARK), 77u);
	EXPECT_EQ(of(SKF_AD_CPU), 0u);
	EXPECT_EQ(of(SKF_AD_IFINDEX), 0u); // it came from no device
}

TEST_F(filtered_socket, a_program_that_could_do_harm_is_refused)
{
	EXPECT_EQ(attach({}), -EINVAL);
	EXPECT_EQ(attach({{BPF_LD | BPF_IMM, 0, 0, 1}}), -EINVAL) << "ends without a return";
	EXPECT_EQ(attach({{0xffff, 0, 0, 0}, accept_all}), -EINVAL) << "unknown";
	EXPECT_EQ(attach({{BPF_JMP | BPF_JA, 0, 0, 1}, accept_all}), -EINVAL) << "jumps out";
	EXPECT_EQ(attach({{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1}, accept_all}), -EINVAL) << "jumps out";
	EXPECT_EQ(attach({{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, accept_all}), -EINVAL) << "divides by zero";
	EXPECT_EQ(attach({{BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32}, accept_all}), -EINVAL) << "shifts too far";
	EXPECT_EQ(attach({{BPF_ST, 0, 0, 16}, accept_all}), -EINVAL) << "no such memory";
	EXPECT_EQ(attach({{BPF_LD | BPF_MEM, 0, 0, 1}, accept_all}), -EINVAL) << "reads what it never wrote";
	// One of the two ways to the load does not write.
	EXPECT_EQ(attach({{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 1},
	                  {BPF_ST, 0, 0, 1},
	                  {BPF_LD | BPF_MEM, 0, 0, 1},
	                  accept_all}),
	          -EINVAL);
	EXPECT_EQ(attach({{BPF_ST, 0, 0, 1}, {BPF_LD | BPF_MEM, 0, 0, 1}, accept_all}), 0);
}

TEST_F(filtered_socket, a_packet_is_cut_to_what_the_program_keeps_but_not_below_the_cap)
{
	const auto kept = [this](u32 verdict, u32 cap) {
		EXPECT_EQ(attach({{BPF_RET | BPF_K, 0, 0, verdict}}), 0);
		skb_ptr skb = packet({1, 2, 3, 4, 5, 6, 7, 8});
		const int err = sk_filter_trim_cap(*sk_, *skb, cap);
		const int len = static_cast<int>(skb->len);
		consume_skb(std::move(skb));
		return err ? err : len;
	};
	EXPECT_EQ(kept(5, 1), 5);
	EXPECT_EQ(kept(2, 4), 4);
	EXPECT_EQ(kept(100, 1), 8);
	EXPECT_EQ(kept(0, 1), -EPERM);
}

TEST_F(filtered_socket, what_is_attached_is_charged_replaced_given_back_and_locked)
{
	EXPECT_EQ(sk_detach_filter(*sk_), -ENOENT);
	ASSERT_EQ(attach({accept_all}), 0);
	const int charged = sk_->sk_omem_alloc;
	EXPECT_GT(charged, 0);
	ASSERT_EQ(attach({accept_all}), 0);
	EXPECT_EQ(sk_->sk_omem_alloc, charged);
	sock_filter back{};
	EXPECT_EQ(sk_get_filter(*sk_, nullptr, 0), 1);
	EXPECT_EQ(sk_get_filter(*sk_, &back, 1), 1);
	EXPECT_EQ(back.k, accept_all.k);
	sock_set_flag(*sk_, SOCK_FILTER_LOCKED);
	EXPECT_EQ(attach({accept_all}), -EPERM);
	EXPECT_EQ(sk_detach_filter(*sk_), -EPERM);
	sock_reset_flag(*sk_, SOCK_FILTER_LOCKED);
	EXPECT_EQ(sk_detach_filter(*sk_), 0);
	EXPECT_EQ(sk_->sk_omem_alloc, 0);
}

} // namespace
} // namespace skbwalk
