// SPDX-License-Identifier: GPL-2.0-only
//
// The established hash under real threads: readers look sockets up, without a lock, while a writer takes
// sockets out of one chain and puts the same memory, as another connection, into another.
#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <thread>

#include "sim/world.h"
#include "stack/ipv4/inet_hashtables.h"

namespace skbwalk::test {
namespace {

constexpr u32 lines = 2, chains = lines * heads_per_line;
constexpr u32 stayers = 24; // connections 0 to 23 are in the table all the time
constexpr u32 wanderers = 12;
constexpr u32 connections = stayers + 4 * wanderers;

be32 peer_of(u32 nr) { return htonl(0x0a000000 + nr); }
be16 port_of(u32 nr) { return htons(static_cast<u16>(1024 + nr)); }
u32 hash_of(u32 nr) { return nr * 0x9e3779b1; }

// Socket memory that is never given away for anything else: what SLAB_TYPESAFE_BY_RCU promises to readers.
class socket_pool {
public:
	explicit socket_pool(u32 n) : sockets_(std::make_unique<sock_common[]>(n))
	{
		for (u32 i = 0; i < n; ++i) {
			refcount_set(sockets_[i].skc_refcnt, 0);
			free_.push_back(&sockets_[i]);
		}
	}
	sock_common *take()
	{
		const std::lock_guard guard(lock_);
		if (free_.empty())
			return nullptr;
		sock_common *sk = free_.back();
		free_.pop_back();
		return sk;
	}
	void put(sock_common &sk)
	{
		if (!refcount_dec_and_test(sk.skc_refcnt))
			return;
		const std::lock_guard guard(lock_);
		free_.push_back(&sk);
	}
	std::size_t unused() const { return free_.size(); }

private:
	std::mutex lock_;
	std::unique_ptr<sock_common[]> sockets_;
	std::vector<sock_common *> free_;
};

socket_pool *pool; // where put_back gives to

void put_back(sock_common &sk) { pool->put(sk); }

// Of tables without a filter and of tables with one.
class ehash : public testing::TestWithParam<bool> {
protected:
	ehash() : world_({}), host_(world_.add_host("h", 1)), sockets_(stayers + wanderers)
	{
		const enter_cpu in(*host_.cpus[0]);
		net_ = &init_net();
		pool = &sockets_;
		h_.ehash = make_large_array<inet_ehash_bucket>(chains);
		h_.ehash_mask = chains - 1;
		for (u32 i = 0; i < chains; ++i)
			INIT_HLIST_NULLS_HEAD(h_.ehash[i].chain, i);
		if (GetParam())
			ehash_filter_init(h_);
		for (u32 nr = 0; nr < stayers; ++nr)
			insert(nr);
	}
	// The only writer: no lock of the chain is needed.
	sock_common *insert(u32 nr)
	{
		sock_common *sk = sockets_.take();
		if (!sk)
			return nullptr;
		WRITE_ONCE(sk->skc_net, net_);
		WRITE_ONCE(sk->skc_daddr, peer_of(nr));
		WRITE_ONCE(sk->skc_rcv_saddr, htonl(0x0a0000fe));
		WRITE_ONCE(sk->skc_dport, port_of(nr));
		WRITE_ONCE(sk->skc_num, u16{80});
		WRITE_ONCE(sk->skc_hash, hash_of(nr));
		refcount_set(sk->skc_refcnt, 1);
		enter_ehash(h_, *sk);
		return sk;
	}
	void remove(sock_common &sk)
	{
		leave_ehash(h_, sk);
		sockets_.put(sk);
	}
	sock_common *lookup(u32 nr) const
	{
		return inet_ehash_lookup(h_, *net_, peer_of(nr), port_of(nr), htonl(0x0a0000fe), 80,
		                         hash_of(nr), 1, 0, put_back);
	}
	// What the heads of its line lead to, whatever a filter says.
	bool heads_lead_to(u32 nr) const
	{
		for (u32 n = 0; n < heads_per_line; ++n)
			if (const auto link =
			            hlist_nulls_first(h_.ehash[ehash_line(h_, hash_of(nr)) + n].chain);
			    !is_a_nulls(link) &&
			    READ_ONCE(
				    container_of(nulls_entry(link), &sock_common::skc_nulls_node).skc_hash) ==
			            hash_of(nr))
				return true;
		return false;
	}
	static bool is(const sock_common &sk, u32 nr)
	{
		return READ_ONCE(sk.skc_daddr) == peer_of(nr) && READ_ONCE(sk.skc_dport) == port_of(nr) &&
		       READ_ONCE(sk.skc_hash) == hash_of(nr);
	}

	sim::world world_;
	host &host_;
	net *net_;
	socket_pool sockets_;
	inet_hashinfo h_;
};

struct tally {
	u64 missed = 0; // a socket that was there all the time
	u64 wrong = 0;  // another connection's socket
	u64 wanderers_found = 0;
	u64 wanderers_absent = 0;
};

// Each wanderer leaves after the hint was made, others take the chains of its line, and it comes again.
TEST_P(ehash, hint_out_of_date_finds_what_is_there_by_now)
{
	const enter_cpu in(*host_.cpus[0]);
	const auto found = [&](u32 nr, const established_hint &hint) {
		sock_common *sk = established_by_hint(*net_, h_, peer_of(nr), port_of(nr), htonl(0x0a0000fe),
		                                      80, hint, 1, 0);
		if (sk)
			sockets_.put(*sk);
		return sk;
	};
	u32 displaced = 0;

	for (u32 nr = stayers; nr < connections - wanderers; ++nr) {
		established_hint hint{hash_of(nr), 0}, *const one = &hint;
		sock_common *sk = insert(nr);
		prefetch_established(h_, std::span(&one, 1));
		EXPECT_EQ(found(nr, hint), sk);
		remove(*sk);
		EXPECT_EQ(found(nr, hint), nullptr);

		std::vector<sock_common *> others;
		for (u32 other = connections - wanderers; other < connections - 1; ++other)
			others.push_back(insert(other));
		displaced += !is_a_nulls(hlist_nulls_first(h_.ehash[hint.chain].chain));
		EXPECT_EQ(found(nr, hint), nullptr);
		sk = insert(nr);
		EXPECT_EQ(found(nr, hint), sk);
		remove(*sk);
		for (sock_common *other : others)
			remove(*other);
	}
	EXPECT_GT(displaced, 0U);
}

TEST_P(ehash, readers_beside_a_writer_miss_no_socket_and_get_no_wrong_one)
{
	constexpr int moves = 1'000'000;
	std::atomic<bool> done{false};
	std::array<tally, 2> tallies;
	std::vector<std::thread> readers;

	for (u32 r = 0; r < tallies.size(); ++r)
		readers.emplace_back([&, r] {
			std::minstd_rand random(r + 1);
			tally t;
			while (!done.load(std::memory_order_relaxed)) {
				const u32 nr = static_cast<u32>(random() % connections);
				sock_common *sk = lookup(nr);
				if (!sk) {
					(nr < stayers ? t.missed : t.wanderers_absent)++;
					continue;
				}
				t.wrong += !is(*sk, nr);
				t.wanderers_found += nr >= stayers;
				sockets_.put(*sk);
			}
			tallies[r] = t;
		});

	std::minstd_rand random(7);
	std::array<sock_common *, connections> hashed{};
	int reused = 0;
	for (int i = 0; i < moves; ++i) {
		const u32 nr = stayers + static_cast<u32>(random() % (connections - stayers));
		if (hashed[nr]) {
			remove(*std::exchange(hashed[nr], nullptr));
		} else if ((hashed[nr] = insert(nr))) {
			++reused;
		}
	}
	done.store(true);
	for (std::thread &reader : readers)
		reader.join();

	u64 found = 0, absent = 0;
	for (const tally &t : tallies) {
		EXPECT_EQ(t.missed, 0u);
		EXPECT_EQ(t.wrong, 0u);
		found += t.wanderers_found;
		absent += t.wanderers_absent;
	}
	// Or nothing was tried.
	EXPECT_GT(reused, moves / 8);
	EXPECT_GT(found, 100u);
	EXPECT_GT(absent, 100u);
	for (sock_common *sk : hashed)
		if (sk)
			remove(*sk);
	EXPECT_EQ(sockets_.unused(), wanderers) << "references of wandering sockets are left";
}

TEST_P(ehash, socket_whose_last_reference_went_is_not_found_though_still_in_its_chain)
{
	sock_common *sk = insert(stayers);
	EXPECT_EQ(lookup(stayers), sk);
	sockets_.put(*sk);
	sockets_.put(*sk);
	EXPECT_EQ(lookup(stayers), nullptr);
	leave_ehash(h_, *sk);
	EXPECT_EQ(lookup(stayers), nullptr);
}

TEST_P(ehash, line_that_is_full_keeps_the_rest_behind_its_first_head_and_loses_none_when_others_leave)
{
	std::vector<u32> numbers; // of one line, more than it has heads
	for (u32 nr = stayers; numbers.size() < wanderers; ++nr)
		if (ehash_line(h_, hash_of(nr)) == 0)
			numbers.push_back(nr);
	for (u32 order = 0; order < 20; ++order) {
		std::vector<std::pair<u32, sock_common *>> in;
		for (const u32 nr : numbers)
			in.emplace_back(nr, insert(nr));
		EXPECT_FALSE(is_a_nulls(hlist_nulls_next(nulls_entry(hlist_nulls_first(h_.ehash[0].chain)))));
		std::shuffle(in.begin(), in.end(), std::minstd_rand(order + 1));
		while (!in.empty()) {
			const auto [gone, sk] = in.back();
			in.pop_back();
			remove(*sk);
			EXPECT_EQ(lookup(gone), nullptr);
			for (const auto &[nr, stays] : in) {
				ASSERT_EQ(lookup(nr), stays);
				sockets_.put(*stays);
			}
		}
		for (u32 nr = 0; nr < stayers; ++nr) {
			sock_common *found = lookup(nr);
			ASSERT_NE(found, nullptr) << nr;
			sockets_.put(*found);
		}
	}
}

TEST_P(ehash, newest_of_one_connections_sockets_is_found)
{
	sock_common *older = insert(stayers), *newer = insert(stayers);
	EXPECT_EQ(lookup(stayers), newer);
	sockets_.put(*newer);
	remove(*newer);
	EXPECT_EQ(lookup(stayers), older);
	sockets_.put(*older);
	remove(*older);
	EXPECT_EQ(lookup(stayers), nullptr);
}

TEST_P(ehash, link_that_ends_on_another_chain_is_followed_again_from_the_start)
{
	// A reader on the way through the first chain of a line reads the link of a socket that went to chain
	// 2 in between: what it then reaches is chain 2's end. The chain is made so by hand, and mended by
	// another thread.
	std::vector<std::pair<u32, sock_common *>> in;
	for (u32 nr = stayers; in.size() < wanderers; ++nr)
		if (ehash_line(h_, hash_of(nr)) == 0)
			in.emplace_back(nr, insert(nr));
	const auto [front, sk] = in.back();
	const auto [behind, last] = in[in.size() - 2];
	ASSERT_EQ(&nulls_entry(hlist_nulls_first(h_.ehash[0].chain)), &sk->skc_nulls_node);
	const std::uintptr_t link = sk->skc_nulls_node.next.load();
	ASSERT_EQ(&nulls_entry(link), &last->skc_nulls_node);
	sk->skc_nulls_node.next.store(NULLS_MARKER(2));
	std::thread mender([sk = sk, link] {
		std::this_thread::sleep_for(std::chrono::milliseconds(20));
		sk->skc_nulls_node.next.store(link);
	});
	sock_common *found = lookup(behind);
	mender.join();
	ASSERT_EQ(found, last) << "the reader took another chain's end for its own";
	sockets_.put(*found);
	for (const auto &[nr, each] : in)
		remove(*each);
}

INSTANTIATE_TEST_SUITE_P(without_filter, ehash, testing::Values(false));
INSTANTIATE_TEST_SUITE_P(with_filter, ehash, testing::Values(true));

class ehash_filter : public ehash {};
INSTANTIATE_TEST_SUITE_P(with_filter, ehash_filter, testing::Values(true));

TEST_P(ehash_filter, socket_that_its_chain_leads_to_is_found_at_once)
{
	u32 nr = stayers;
	while (!ehash_lacks(h_, INET_ADDR_COOKIE(peer_of(nr), htonl(0x0a0000fe)),
	                    INET_COMBINED_PORTS(port_of(nr), 80)))
		++nr;
	constexpr int rounds = 20'000;
	std::atomic<int> inserted{0}, found{0};
	int missed = 0;
	// At once, but where both threads share a cpu.
	const auto wait_for = [](const std::atomic<int> &at, int value) {
		for (int n = 1; at.load(std::memory_order_acquire) != value; ++n)
			if (n % 1024 == 0)
				std::this_thread::yield();
	};

	std::thread reader([&] {
		for (int i = 1; i <= rounds; ++i) {
			wait_for(inserted, i);
			while (!heads_lead_to(nr))
				;
			if (sock_common *sk = lookup(nr))
				sockets_.put(*sk);
			else
				++missed;
			found.store(i, std::memory_order_release);
		}
	});
	for (int i = 1; i <= rounds; ++i) {
		inserted.store(i, std::memory_order_relaxed);
		sock_common *sk = insert(nr);
		wait_for(found, i);
		remove(*sk);
	}
	reader.join();
	EXPECT_EQ(missed, 0) << "sockets were in their chain before their prints were in the filter";
}

// Lines with locks of their own may share a word; at times there are more prints than places.
TEST(key_filter, word_that_two_writers_change_loses_none_of_their_prints)
{
	constexpr u64 stays = u64{200} << 56;
	filter_word word{0};
	u64 denied = 0;

	filter_add(word, stays);
	{
		std::vector<std::jthread> writers;
		for (u64 w = 0; w < 2; ++w)
			writers.emplace_back([&word, w] {
				for (u64 i = 0; i < 300'000; ++i) {
					const u64 mine = (1 + 2 * (i % 50) + w) << 56;
					for (u64 n = 0; n < i % 6; ++n)
						filter_add(word, mine);
					for (u64 n = 0; n < i % 6; ++n)
						filter_remove(word, mine);
				}
			});
		for (int i = 0; i < 1'000'000; ++i)
			denied += filter_lacks(word, stays);
	}
	EXPECT_EQ(denied, 0U);
	filter_remove(word, stays);
	EXPECT_EQ(word.load(), 0U);
}

} // namespace
} // namespace skbwalk::test
