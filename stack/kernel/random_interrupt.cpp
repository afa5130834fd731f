// SPDX-License-Identifier: GPL-2.0-only
//
// Interrupts as a source of randomness (drivers/char/random.c): each mixes its moment into its cpu's fast
// pool (SipHash's permutation); after 1024 of them or a second, a timer moves half of that into the input
// pool and credits a bit for each 64 interrupts, until there is enough for the generator.
//
// Unlike the kernel, the input pool is a chain of SipHash-2-4 and not BLAKE2s, and nothing is drawn from it:
// numbers come from streams of the world's seed (random.h).
#include <algorithm>
#include <array>
#include <bit>

#include "stack/kernel/internal.h"
#include "stack/kernel/interrupt.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

constexpr u32 MIX_INFLIGHT = 1U << 31;
constexpr u32 POOL_READY_BITS = 256;

void mix_interrupt_randomness(timer_list &work);

struct fast_pool {
	std::array<u64, 4> pool{0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261,
	                        0x7465646279746573};
	u32 last = INITIAL_JIFFIES;
	u32 count = 0;
	timer_list mix;
	fast_pool() { timer_setup(mix, mix_interrupt_randomness, TIMER_PINNED); }
	~fast_pool() { timer_delete(mix); }
};
percpu<fast_pool> irq_randomness;

struct pool {
	spinlock_t lock;
	siphash_key_t hash;
	u32 init_bits = 0;
};
perhost<pool> input_pool;

void permute(std::array<u64, 4> &s)
{
	s[0] += s[1];
	s[1] = std::rotl(s[1], 13) ^ s[0];
	s[0] = std::rotl(s[0], 32);
	s[2] += s[3];
	s[3] = std::rotl(s[3], 16) ^ s[2];
	s[0] += s[3];
	s[3] = std::rotl(s[3], 21) ^ s[0];
	s[2] += s[1];
	s[1] = std::rotl(s[1], 17) ^ s[2];
	s[2] = std::rotl(s[2], 32);
}

void fast_mix(std::array<u64, 4> &s, u64 v1, u64 v2)
{
	TRACE();
	s[3] ^= v1;
	permute(s);
	s[0] ^= v1;
	s[3] ^= v2;
	permute(s);
	s[0] ^= v2;
}

void _mix_pool_bytes(const void *buf, std::size_t len)
{
	TRACE();
	siphash_key_t &hash = input_pool->hash;

	hash.key[0] = siphash(buf, len, hash);
	hash.key[1] = siphash(buf, len, hash);
}

void mix_pool_bytes(const void *buf, std::size_t len)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(input_pool->lock);

	_mix_pool_bytes(buf, len);
	_raw_spin_unlock_irqrestore(input_pool->lock, flags);
}

// Nothing is waiting for the generator, so that there is nobody to wake when it is ready.
void _credit_init_bits(u32 bits)
{
	TRACE();
	input_pool->init_bits = std::min(POOL_READY_BITS, input_pool->init_bits + bits);
}

bool crng_ready() { return input_pool->init_bits >= POOL_READY_BITS; }

void mix_interrupt_randomness(timer_list &work)
{
	TRACE();
	fast_pool &p = container_of(work, &fast_pool::mix);
	std::array<u64, 2> half;

	local_irq_disable();
	std::copy_n(p.pool.begin(), half.size(), half.begin());
	const u32 count = p.count & 0xffff;

	p.count = 0;
	p.last = jiffies();
	local_irq_enable();
	mix_pool_bytes(half.data(), sizeof(half));
	if (!crng_ready())
		_credit_init_bits(std::clamp<u32>(count / 64, 1, sizeof(half) * 8));
}

} // namespace

// not traced: for who asks
u32 interrupt_randomness_bits() { return input_pool->init_bits; }

// Unlike the kernel, the place that was interrupted is told by its task and not by an instruction.
void add_interrupt_randomness(int irq)
{
	TRACE();
	fast_pool &p = *irq_randomness;
	const u64 place = current.task ? current.task->id : 0;

	fast_mix(p.pool, current.cpu->now_ns,
	         place ^ static_cast<u64>(__builtin_bswap32(static_cast<u32>(irq))));
	const u32 new_count = ++p.count;

	if (new_count & MIX_INFLIGHT)
		return;
	if (new_count < 1024 && !time_before(p.last + HZ, jiffies()))
		return;
	p.count |= MIX_INFLIGHT;
	if (!timer_pending(p.mix)) {
		p.mix.expires = jiffies();
		add_timer_on(p.mix, *current.cpu);
	}
}

} // namespace skbwalk
