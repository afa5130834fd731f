// SPDX-License-Identifier: GPL-2.0-only
//
// The established hash of a host, with the filter that large tables have. What concurrent readers see is in
// tests/threads.
#include "stack/ipv4/inet_hashtables.h"

#include "tests/ipv4/tcp_bench.h"

namespace skbwalk {
namespace {

using test::tcp_bench;

const be32 peer = htonl(0x0a000002), here = htonl(0x0a000001), elsewhere = htonl(0x0a000009);

class filtered : public tcp_bench {
public:
	filtered() : h(*tcp_hashinfo)
	{
		inet_hashinfo_init(h, 64, 16, 16);
		ehash_filter_init(h);
		tp.sk_family = AF_INET;
		tp.sk_daddr = peer;
		tp.sk_rcv_saddr = here;
		tp.sk_dport = htons(80);
		tp.sk_num = 33000;
		refcount_set(tp.sk_refcnt, 1);
		inet_ehash_insert(tp, nullptr, nullptr);
	}
	bool finds(be32 local)
	{
		const sock_common *sk =
			__inet_lookup_established(init_net(), h, peer, htons(80), local, 33000, 1, 0);

		return sk == &tp && !refcount_dec_and_test(tp.sk_refcnt);
	}
	bool filter_is_empty() const
	{
		for (u64 i = 0; i <= h.ehash_filter_mask; ++i)
			if (h.ehash_filter[i].load())
				return false;
		return true;
	}

	inet_hashinfo &h;
};

TEST(inet_hashtables, filter_denies_who_is_not_in_and_nobody_who_is)
{
	filtered f;

	EXPECT_TRUE(f.finds(here));
	EXPECT_FALSE(f.finds(elsewhere));
	EXPECT_TRUE(
		ehash_lacks(f.h, INET_ADDR_COOKIE(peer, elsewhere), INET_COMBINED_PORTS(htons(80), 33000)));
	EXPECT_FALSE(ehash_lacks(f.h, INET_ADDR_COOKIE(peer, here), INET_COMBINED_PORTS(htons(80), 33000)));
	inet_unhash(f.tp);
	EXPECT_FALSE(f.finds(here));
	EXPECT_TRUE(f.filter_is_empty());
}

TEST(inet_hashtables,
     socket_that_changes_its_address_while_hashed_is_found_by_the_new_one_and_leaves_no_print)
{
	filtered f;

	ASSERT_EQ(inet_bhash2_update_saddr(f.tp, elsewhere, AF_INET), 0);
	EXPECT_FALSE(f.finds(here));
	inet_unhash(f.tp);
	EXPECT_TRUE(f.filter_is_empty());
	inet_ehash_insert(f.tp, nullptr, nullptr);
	EXPECT_TRUE(f.finds(elsewhere));
	EXPECT_FALSE(f.finds(here));
	inet_unhash(f.tp);
	EXPECT_TRUE(f.filter_is_empty());
}

} // namespace
} // namespace skbwalk
