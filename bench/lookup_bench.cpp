// SPDX-License-Identifier: GPL-2.0-only
//
// How long does it take to find a segment's socket? __inet_lookup_established of a host whose hash holds so
// many sockets, beside boost::unordered_flat_map from the same key to a pointer to the same socket, whose key
// line it touches too. 1k, 64k and 1M sockets are TCP sockets (tcp_sock); 10M are TIME_WAIT sockets, which
// stand in the same chains and of which a machine has so many. All are from the host's slab caches, the bench
// gives them their addresses and inserts them by inet_ehash_insert.
//
// `hit`: each key depends on what the last lookup found, so that lookups cannot overlap; `miss`: independent
// keys. Each lookup takes a reference and keeps it: to give it back is not part of the lookup.
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "bench/harness.h"
#include "sim/world.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk::bench {

namespace {

struct key {
	be32 saddr, daddr;
	be16 sport;
	u16 dport; // in host order, as the lookup takes it

	bool operator==(const key &o) const { return std::memcmp(this, &o, sizeof(*this)) == 0; }
};
static_assert(sizeof(key) == 12);

const be32 here = htonl(0xc0a80001), elsewhere = htonl(0xc0a80002);
constexpr u16 port = 80;

// Number -> connection, each another's: a bijection on 40 bits spreads the peer's address and port.
key key_of(u64 number, be32 local)
{
	constexpr u64 bits = (u64{1} << 40) - 1;
	u64 x = number * 0x5DEECE66D & bits;
	x ^= x >> 21;
	x = x * 0x9E3779B97F & bits;
	return {htonl(0x0a000000 | static_cast<u32>(x >> 16)), local, htons(static_cast<u16>(x)), port};
}

// What inet_ehashfn computes, widened by a multiplication for a map that uses the high bits.
struct same_hash {
	using is_avalanching = void;
	std::size_t operator()(const key &k) const noexcept
	{
		return jhash_3words(k.daddr.raw(), k.saddr.raw(), u32{k.dport} << 16 | k.sport.raw(),
		                    0x5bd1e995) *
		       0x9E3779B97F4A7C15u;
	}
};
// One multiplication, folded.
struct multiply_hash {
	using is_avalanching = void;
	std::size_t operator()(const key &k) const noexcept
	{
		u64 addresses;
		u32 ports;
		std::memcpy(&addresses, &k, sizeof(addresses));
		std::memcpy(&ports, &k.sport, sizeof(ports));
		__extension__ using u128 = unsigned __int128;
		const u128 m =
			static_cast<u128>(addresses ^ 0xa0761d6478bd642f) * (u64{ports} ^ 0xe7037ed1a0b428db);
		return static_cast<u64>(m) ^ static_cast<u64>(m >> 64);
	}
};

// Tables on huge pages, as ours are.
template <class T> struct huge_allocator {
	using value_type = T;
	huge_allocator() = default;
	template <class U> huge_allocator(const huge_allocator<U> &) {}
	T *allocate(std::size_t n) { return static_cast<T *>(huge_arena(n * sizeof(T))); }
	void deallocate(T *, std::size_t) {}
	bool operator==(const huge_allocator &) const { return true; }
};
template <class Hash>
using map_of = boost::unordered_flat_map<key, sock_common *, Hash, std::equal_to<key>,
                                         huge_allocator<std::pair<const key, sock_common *>>>;

// A host with so many sockets in its established hash, and the rivals' maps to the same sockets. It stays
// until the program ends.
class table {
public:
	enum class kind { established, time_wait };

	table(u32 n, kind k)
		: n_(n), world_({.thash_entries = inet_ehash_buckets(n)}),
		  cpu_(*world_.add_host("bench", 1).cpus[0])
	{
		const enter_cpu in(cpu_);

		net_ = &init_net();
		info_ = &*tcp_hashinfo;
		sock &first = full(0);
		net_->ipv4.sysctl_max_tw_buckets = static_cast<int>(n);
		sockets_.reserve(n);
		for (u32 i = 0; i < n; ++i) {
			sock_common &sk =
				k == kind::established ? (i ? full(i) : first) : in_time_wait(first, i);
			refcount_set(sk.skc_refcnt, 1);
			inet_ehash_insert(sk, nullptr, nullptr);
			sockets_.push_back(&sk);
		}
		seconds_ = (cpu_ns() - start_) / 1e9;
		bytes_ = resident_bytes() - before_;

		numbers random(42);
		const u64 asked = std::bit_floor(std::min<u64>(std::max<u64>(n, 1 << 16), 4 << 20));
		hits_ = static_cast<key *>(huge_arena(asked * sizeof(key)));
		misses_ = static_cast<key *>(huge_arena(asked * sizeof(key)));
		mask_ = asked - 1;
		for (u64 i = 0; i < asked; ++i) {
			hits_[i] = key_of(random() % n, here);
			misses_[i] = key_of(random() % n, elsewhere);
		}
	}

	template <class Hash> map_of<Hash> &map()
	{
		auto &m = std::get<std::unique_ptr<map_of<Hash>>>(maps_);
		if (!m) {
			m = std::make_unique<map_of<Hash>>();
			m->reserve(n_);
			for (u32 i = 0; i < n_; ++i)
				m->emplace(key_of(i, here), sockets_[i]);
		}
		return *m;
	}

	u32 n() const { return n_; }
	double seconds() const { return seconds_; }
	double bytes() const { return bytes_; }
	cpu &at() { return cpu_; }
	net &network() { return *net_; }
	inet_hashinfo &info() { return *info_; }
	// Takes one of some sockets of its own out of the hash and puts it in as another connection.
	void move(u64 nr)
	{
		while (movers_.size() < 64)
			movers_.push_back(&full(n_ + static_cast<u32>(movers_.size())));
		sock &sk = *movers_[nr % movers_.size()];
		if (sk_hashed(sk))
			inet_unhash(sk);
		sk.sk_dport = htons(static_cast<u16>(nr));
		sk.sk_daddr = htonl(0x0b000000 | static_cast<u32>(nr & 0xffffff));
		inet_ehash_insert(sk, nullptr, nullptr);
	}
	// Endless, in random order.
	const key &hit(u64 i) const { return hits_[i & mask_]; }
	const key &miss(u64 i) const { return misses_[i & mask_]; }

private:
	void address(sock_common &sk, u32 number)
	{
		const key k = key_of(number, here);
		sk.sk_daddr = k.saddr;
		sk.sk_rcv_saddr = k.daddr;
		sk.sk_dport = k.sport;
		sk.sk_num = k.dport;
	}
	sock &full(u32 number)
	{
		sock &sk = *sk_alloc(*net_, AF_INET, GFP_KERNEL, tcp_prot, true);
		sk.sk_state = TCP_ESTABLISHED;
		address(sk, number);
		return sk;
	}
	sock_common &in_time_wait(const sock &of, u32 number)
	{
		inet_timewait_sock &tw = *inet_twsk_alloc(of, tcp_death_row(*net_), TCP_TIME_WAIT);
		address(tw, number);
		return tw;
	}

	// From before the host boots, whose table this counts too.
	double before_ = resident_bytes(), start_ = cpu_ns();
	u32 n_;
	sim::world world_;
	cpu &cpu_;
	net *net_;
	inet_hashinfo *info_;
	std::vector<sock_common *> sockets_;
	std::vector<sock *> movers_;
	key *hits_, *misses_;
	u64 mask_;
	double seconds_, bytes_;
	std::tuple<std::unique_ptr<map_of<same_hash>>, std::unique_ptr<map_of<multiply_hash>>> maps_;
};

// Made when first asked for and never ended: to free so many sockets one by one takes long and shows nothing.
table &the_table(const std::string &size)
{
	static auto &tables = *new std::map<std::string, table *>;
	table *&t = tables[size];
	if (!t) {
		u32 n = size == "1k" ? 1000 : size == "64k" ? 1 << 16 : size == "1M" ? 1'000'000 : 10'000'000;
		if (smoke())
			n = std::min(n, u32{1} << 14);
		t = new table(n, size == "10M" ? table::kind::time_wait : table::kind::established);
	}
	return *t;
}

void give_back(sock_common &sk)
{
	if (refcount_dec_and_test(sk.sk_refcnt))
		std::abort(); // the hash has one
}

constexpr int at_once = 256; // lookups an iteration

// Always 0, and known only when the socket's key line has come.
u32 nothing_of(const sock_common *sk)
{
	u32 nothing = sk ? READ_ONCE(sk->sk_family) ^ AF_INET : 0;
	asm volatile("" : "+r"(nothing));
	return nothing;
}

key after(key k, u32 nothing)
{
	u32 saddr;
	std::memcpy(&saddr, &k, sizeof(saddr));
	saddr ^= nothing;
	std::memcpy(&k.saddr, &saddr, sizeof(saddr));
	return k;
}

// Runs `find` on key after key; with `dependent`, on keys that depend on what it found last.
template <bool dependent, bool hits, class Find> void drive(benchmark::State &state, table &t, Find find)
{
	const enter_cpu in(t.at());
	u64 i = 0, found = 0;
	u32 nothing = 0;
	for (auto _ : state) {
		for (int j = 0; j < at_once; ++j, ++i) {
			key k = hits ? t.hit(i) : t.miss(i);
			if (dependent)
				k = after(k, nothing);
			const sock_common *sk = find(k);
			found += sk != nullptr;
			if (dependent)
				nothing = nothing_of(sk);
		}
	}
	if (found != (hits ? i : 0))
		state.SkipWithError("not every lookup ended as it should");
	state.SetItemsProcessed(static_cast<std::int64_t>(i));
}

[[gnu::always_inline]] inline sock_common *ours(table &t, const key &k)
{
	return __inet_lookup_established(t.network(), t.info(), k.saddr, k.sport, k.daddr, k.dport, 1, 0);
}

// The rival: its map, then the socket's own key.
template <class Map> sock_common *theirs(table &t, Map &map, const key &k)
{
	const auto at = map.find(k);
	if (at == map.end())
		return nullptr;
	sock_common *sk = at->second;
	const u64 addresses = INET_ADDR_COOKIE(k.saddr, k.daddr);
	return inet_keys_match(t.network(), *sk, addresses, INET_COMBINED_PORTS(k.sport, k.dport), 1, 0)
	               ? sk
	               : nullptr;
}

template <bool dependent, bool hits> void register_ours(const std::string &name, const std::string &size)
{
	benchmark::RegisterBenchmark((name + "/ours").c_str(), [size](benchmark::State &state) {
		table &t = the_table(size);
		drive<dependent, hits>(state, t, [&](const key &k) { return ours(t, k); });
	});
}
template <bool dependent, bool hits, class Hash>
void register_boost(const std::string &name, const std::string &size)
{
	benchmark::RegisterBenchmark(name.c_str(), [size](benchmark::State &state) {
		table &t = the_table(size);
		auto &map = t.map<Hash>();
		drive<dependent, hits>(state, t, [&](const key &k) { return theirs(t, map, k); });
	});
}

// What ip_list_rcv_finish does for lookups ahead of early demux (it asks for the rest of each socket too,
// which TCP will read and no lookup does), and the lookups of early demux; the rival one by one.
void ours_by_16(benchmark::State &state, const std::string &size)
{
	table &t = the_table(size);
	const enter_cpu in(t.at());
	u64 i = 0, found = 0;
	std::array<established_hint, 16> hints;
	std::array<established_hint *, 16> all;
	std::transform(hints.begin(), hints.end(), all.begin(), [](auto &hint) { return &hint; });
	for (auto _ : state) {
		for (int j = 0; j < at_once; j += 16, i += 16) {
			for (u64 n = 0; n < hints.size(); ++n) {
				const key &k = t.hit(i + n);
				hints[n].hash = established_hash(t.info(), t.network(), k.daddr, k.dport,
				                                 k.saddr, k.sport);
				prefetch_line(t.info(), hints[n].hash);
			}
			prefetch_established(t.info(), all);
			for (u64 n = 0; n < hints.size(); ++n) {
				const key &k = t.hit(i + n);
				found += established_by_hint(t.network(), t.info(), k.saddr, k.sport, k.daddr,
				                             k.dport, hints[n], 1, 0) != nullptr;
			}
		}
	}
	if (found != i)
		state.SkipWithError("not every lookup ended as it should");
	state.SetItemsProcessed(static_cast<std::int64_t>(i));
}

// Two reads, the second where the first says, in as much memory as the sockets of the table take.
void two_reads(benchmark::State &state)
{
	static char *memory = nullptr;
	static u64 lines = 0;
	if (!memory) {
		lines = static_cast<u64>(the_table("10M").bytes()) / 64;
		memory = static_cast<char *>(huge_arena(lines * 64));
		// A cycle through all of them in an order without pattern: steps of an odd, random multiple.
		std::vector<u32> order(lines);
		for (u64 i = 0; i < lines; ++i)
			order[i] = static_cast<u32>(i);
		numbers random(7);
		for (u64 i = lines - 1; i > 0; --i)
			std::swap(order[i], order[random() % (i + 1)]);
		for (u64 i = 0; i < lines; ++i)
			*reinterpret_cast<void **>(memory + u64{64} * order[i]) =
				memory + u64{64} * order[(i + 1) % lines];
	}
	static void *at = memory;
	for (auto _ : state)
		for (int j = 0; j < 2 * at_once; ++j)
			at = *static_cast<void **>(at);
	benchmark::DoNotOptimize(at);
	state.SetItemsProcessed(state.iterations() * at_once);
}

// What a lookup of one thread costs, beside others: the heart of the lookup, which needs no cpu of a host.
// A process that had threads once keeps its locked instructions (stack/kernel/atomic.h).
void readers(benchmark::State &state, const char *name, int threads, bool writer)
{
	if (!alone(state, name)) {
		for (auto _ : state) {}
		return;
	}
	table &t = the_table("64k");
	const int lookups = smoke() ? 20'000 : 2'000'000;
	std::atomic<bool> done{false};
	std::vector<double> spent(threads);
	std::vector<std::thread> running;
	u64 moves = 0;

	for (auto _ : state) {
		for (int r = 0; r < threads; ++r)
			running.emplace_back([&, r] {
				numbers random(r);
				u64 i = random(), missed = 0;
				const double start = cpu_ns();
				for (int n = 0; n < lookups; ++n, ++i) {
					const key &k = t.hit(i);
					sock_common *sk = inet_ehash_lookup(
						t.info(), t.network(), k.saddr, k.sport, k.daddr, k.dport,
						established_hash(t.info(), t.network(), k.daddr, k.dport,
					                         k.saddr, k.sport),
						1, 0, give_back);
					if (sk)
						give_back(*sk);
					missed += !sk;
				}
				spent[r] = (cpu_ns() - start) / lookups;
				if (missed)
					std::abort();
			});
		std::thread moving([&] {
			const enter_cpu in(t.at());
			for (; writer && !done.load(std::memory_order_relaxed); ++moves)
				t.move(moves);
		});
		for (std::thread &reader : running)
			reader.join();
		done.store(true);
		moving.join();
	}
	double sum = 0;
	for (const double ns : spent)
		sum += ns;
	sample(name, sum / threads, "ns");
}

// Of the table of 10M: told by the name that is asked for.
void made(benchmark::State &state, bool bytes)
{
	const table &t = the_table("10M");
	for (auto _ : state) {}
	if (bytes)
		sample("made/10M/bytes", t.bytes() / 1e9, "GB");
	else
		sample("made/10M/seconds", t.seconds(), "s");
}

std::function<void()> count_lookups(bool hits)
{
	table &t = the_table("64k");
	return [&t, hits] {
		const enter_cpu in(t.at());
		for (u64 i = 0; i < 10'000; ++i)
			benchmark::DoNotOptimize(ours(t, hits ? t.hit(i) : t.miss(i)));
	};
}

} // namespace

void set_up()
{
	register_ours<true, true>("hit/1k", "1k");
	register_boost<true, true, same_hash>("hit/1k/boost", "1k");
	register_ours<true, false>("miss/1k", "1k");
	register_boost<true, false, same_hash>("miss/1k/boost", "1k");
	for (const std::string size : {"64k", "1M", "10M"}) {
		register_ours<true, true>("hit/" + size, size);
		register_boost<true, true, same_hash>("hit/" + size + "/boost", size);
		benchmark::RegisterBenchmark(("batch/" + size + "/ours").c_str(), ours_by_16, size);
		register_boost<false, true, multiply_hash>("batch/" + size + "/boost", size);
	}
	benchmark::RegisterBenchmark("hit/10M/two_reads", two_reads);
	register_ours<false, false>("miss/10M", "10M");
	register_boost<false, false, multiply_hash>("miss/10M/boost", "10M");
	benchmark::RegisterBenchmark("readers/one", readers, "readers/one", 1, false)->Iterations(1);
	benchmark::RegisterBenchmark("readers/two", readers, "readers/two", 2, true)->Iterations(1);
	benchmark::RegisterBenchmark("made/10M/seconds", made, false)->Iterations(1);
	benchmark::RegisterBenchmark("made/10M/bytes", made, true)->Iterations(1);
	counted("hit", 10'000, [] { return count_lookups(true); });
	counted("miss", 10'000, [] { return count_lookups(false); });
}

} // namespace skbwalk::bench
