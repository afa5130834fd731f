// SPDX-License-Identifier: GPL-2.0-only
#include "stack/netfilter/nf_queue.h"

#include "tests/core/net_host.h"

namespace skbwalk::test {
namespace {

std::vector<std::string> said;
u32 answer = NF_ACCEPT;
nf_queue_entry *waiting = nullptr;

u32 first(void *, skb_ptr &, const nf_hook_state &)
{
	said.push_back("first");
	return std::exchange(answer, NF_ACCEPT);
}
u32 second(void *, skb_ptr &, const nf_hook_state &)
{
	said.push_back("second");
	return NF_ACCEPT;
}
int okfn(net &, sock *, skb_ptr skb)
{
	said.push_back("okfn");
	consume_skb(std::move(skb));
	return 0;
}
int keep(nf_queue_entry &entry, u32 queuenum)
{
	said.push_back("queue " + std::to_string(queuenum));
	waiting = &entry;
	return 0;
}
constexpr nf_queue_handler handler{keep};
constexpr nf_hook_ops ops[] = {
	{first, nullptr, nullptr, NFPROTO_BRIDGE, NF_BR_FORWARD, -1},
	{second, nullptr, nullptr, NFPROTO_BRIDGE, NF_BR_FORWARD, 1},
};

struct nf_queue_test : testing::Test {
	net_host host;
	void SetUp() override
	{
		said.clear();
		host.enter();
		nf_register_net_hooks(init_net(), ops, 2);
	}
	void TearDown() override
	{
		nf_unregister_net_hooks(init_net(), ops, 2);
		host.leave();
	}
	void pass(u32 verdict)
	{
		answer = verdict;
		NF_HOOK(NFPROTO_BRIDGE, NF_BR_FORWARD, init_net(), nullptr, alloc_skb(64, GFP_KERNEL),
		        nullptr, nullptr, okfn);
	}
};
using order = std::vector<std::string>;

TEST_F(nf_queue_test, without_a_handler_the_packet_is_dropped_unless_the_verdict_bypasses)
{
	pass(NF_QUEUE_NR(3));
	EXPECT_EQ(said, order{"first"});
	said.clear();
	pass(NF_QUEUE_NR(3) | NF_VERDICT_FLAG_QUEUE_BYPASS);
	EXPECT_EQ(said, (order{"first", "second", "okfn"}));
}

TEST_F(nf_queue_test, accepted_packet_goes_on_behind_the_hook_that_queued_it)
{
	nf_register_queue_handler(handler);
	pass(NF_QUEUE_NR(7));
	EXPECT_EQ(said, (order{"first", "queue 7"}));
	nf_reinject(*waiting, NF_ACCEPT);
	EXPECT_EQ(said, (order{"first", "queue 7", "second", "okfn"}));
	nf_unregister_queue_handler();
}

TEST_F(nf_queue_test, repeat_asks_the_same_hook_again_and_stop_asks_nobody)
{
	nf_register_queue_handler(handler);
	pass(NF_QUEUE_NR(0));
	nf_reinject(*waiting, NF_REPEAT);
	EXPECT_EQ(said, (order{"first", "queue 0", "first", "second", "okfn"}));
	said.clear();
	pass(NF_QUEUE_NR(0));
	nf_reinject(*waiting, NF_STOP);
	EXPECT_EQ(said, (order{"first", "queue 0", "okfn"}));
	nf_unregister_queue_handler();
}

TEST_F(nf_queue_test, dropped_packet_does_not_come_back)
{
	nf_register_queue_handler(handler);
	pass(NF_QUEUE_NR(0));
	nf_reinject(*waiting, NF_DROP);
	EXPECT_EQ(said, (order{"first", "queue 0"}));
	nf_unregister_queue_handler();
}

} // namespace
} // namespace skbwalk::test
