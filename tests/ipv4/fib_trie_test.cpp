// SPDX-License-Identifier: GPL-2.0-only
#include <algorithm>
#include <tuple>

#include "tests/ipv4/ip_host.h"

namespace skbwalk::test {
namespace {

struct plain_route {
	u32 key;
	u8 len;
	u32 table;
	u32 priority;
};

u32 mask(u8 len) { return len ? ~0u << (32 - len) : 0; }

fib_config config(const plain_route &r, int oif)
{
	fib_config cfg;
	cfg.fc_dst = htonl(r.key);
	cfg.fc_dst_len = r.len;
	cfg.fc_table = r.table;
	cfg.fc_priority = r.priority;
	cfg.fc_oif = oif;
	cfg.fc_scope = RT_SCOPE_LINK;
	return cfg;
}

// The longest prefix; of these, local's before main's, and the lowest number.
const plain_route *best(const std::vector<plain_route> &routes, u32 addr)
{
	const plain_route *found = nullptr;
	for (const plain_route &r : routes) {
		if ((addr & mask(r.len)) != r.key)
			continue;
		if (!found || std::tuple(r.len, r.table, ~r.priority) >
		                      std::tuple(found->len, found->table, ~found->priority))
			found = &r;
	}
	return found;
}

TEST(fib_trie, any_routes_added_and_deleted_lookup_finds_what_a_linear_search_finds)
{
	ip_host host;
	random_stream rnd(7, "fib_trie");
	std::vector<plain_route> routes;

	host.enter();
	net &net = copy_net_ns("t");
	veth_newlink(net, "a", net, "b");
	net_device &dev = *__dev_get_by_name(net, "a");
	dev_open(dev);

	const auto check = [&](u32 addr) {
		flowi4 fl4;
		fib_result res;
		fl4.daddr = htonl(addr);
		const plain_route *want = best(routes, addr);
		const int err = fib_lookup(net, fl4, res, 0);

		if (!want) {
			ASSERT_EQ(err, -ENETUNREACH) << std::hex << addr;
			return;
		}
		ASSERT_EQ(err, 0) << std::hex << addr << " wanted " << want->key << "/" << std::dec
				  << +want->len;
		ASSERT_EQ(res.prefixlen, want->len) << std::hex << addr;
		ASSERT_EQ(res.fi->fib_tb_id, want->table);
		ASSERT_EQ(res.fi->fib_priority, want->priority);
	};

	// Clustered keys make nodes grow and shrink; wide ones make long skips.
	for (int step = 0; step < 6000; ++step) {
		const u8 len = static_cast<u8>(rnd.below(33));
		const u32 base =
			rnd.below(4) ? 0x0a000000u | rnd.below(1 << 12) : static_cast<u32>(rnd.next());
		const plain_route r{base & mask(len), len, rnd.below(3) ? RT_TABLE_MAIN : RT_TABLE_LOCAL,
		                    rnd.below(3)};
		const auto same = [&r](const plain_route &o) {
			return o.key == r.key && o.len == r.len && o.table == r.table &&
			       o.priority == r.priority;
		};
		const bool there = std::any_of(routes.begin(), routes.end(), same);

		if (step < 3000 ? rnd.below(4) != 0 : rnd.below(4) == 0) {
			fib_config cfg = config(r, dev.ifindex);
			cfg.fc_nlflags = NLM_F_CREATE | NLM_F_EXCL;
			ASSERT_EQ(inet_rtm_newroute(net, cfg, nullptr), there ? -EEXIST : 0);
			if (!there)
				routes.push_back(r);
		} else if (!routes.empty()) {
			const auto i =
				static_cast<std::ptrdiff_t>(rnd.below(static_cast<u32>(routes.size())));
			fib_config cfg = config(routes[static_cast<std::size_t>(i)], dev.ifindex);
			ASSERT_EQ(inet_rtm_delroute(net, cfg, nullptr), 0);
			routes.erase(routes.begin() + i);
		}
		check(base);
		check(0x0a000000u | rnd.below(1 << 13));
		if (!routes.empty()) {
			const plain_route &at = routes[rnd.below(static_cast<u32>(routes.size()))];
			check(at.key);
			check(at.key | ~mask(at.len));
		}
		if (HasFatalFailure())
			break;
	}
	// A dump shows each once.
	u32 lines = 0;
	fib_table_dump(
		*fib_get_table(net, RT_TABLE_MAIN),
		[](const fib_rt_info &, void *n) { ++*static_cast<u32 *>(n); }, &lines);
	EXPECT_EQ(lines, std::count_if(routes.begin(), routes.end(),
	                               [](const auto &r) { return r.table == RT_TABLE_MAIN; }));
	cleanup_net(net);
	host.leave();
	host.run_ms(100);
}

} // namespace
} // namespace skbwalk::test
