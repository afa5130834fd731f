// SPDX-License-Identifier: GPL-2.0-only
//
// Hash functions: SipHash-2-4 and 1-3 (lib/siphash.c; Aumasson and Bernstein's paper) and Jenkins' lookup3
// over words (include/linux/jhash.h). They give what the kernel's give, so that a chain's place can be
// compared. None leaves a trace: lib/ is built without ftrace, and jhash is inlined.
#include <bit>
#include <cstring>

#include "stack/kernel/random.h"

namespace skbwalk {

namespace {

class sip_state {
public:
	explicit sip_state(const siphash_key_t &key)
		: v0_(0x736f6d6570736575 ^ key.key[0]), v1_(0x646f72616e646f6d ^ key.key[1]),
		  v2_(0x6c7967656e657261 ^ key.key[0]), v3_(0x7465646279746573 ^ key.key[1])
	{}
	template <int Rounds> void absorb(u64 word)
	{
		v3_ ^= word;
		for (int i = 0; i < Rounds; ++i)
			round();
		v0_ ^= word;
	}
	template <int Rounds> u64 finish()
	{
		v2_ ^= 0xff;
		for (int i = 0; i < Rounds; ++i)
			round();
		return v0_ ^ v1_ ^ v2_ ^ v3_;
	}

private:
	void round()
	{
		v0_ += v1_;
		v2_ += v3_;
		v1_ = std::rotl(v1_, 13) ^ v0_;
		v3_ = std::rotl(v3_, 16) ^ v2_;
		v0_ = std::rotl(v0_, 32);
		v2_ += v1_;
		v0_ += v3_;
		v1_ = std::rotl(v1_, 17) ^ v2_;
		v3_ = std::rotl(v3_, 21) ^ v0_;
		v2_ = std::rotl(v2_, 32);
	}
	u64 v0_, v1_, v2_, v3_;
};

// Whole words, then a last word of the bytes that remain and the length in its top byte.
template <int C, int D> u64 sip_bytes(const void *data, std::size_t len, const siphash_key_t &key)
{
	sip_state s(key);
	const auto *p = static_cast<const u8 *>(data);
	u64 last = static_cast<u64>(len) << 56;
	u64 word;

	for (std::size_t n = len / 8; n; --n, p += 8) {
		std::memcpy(&word, p, 8);
		s.absorb<C>(word);
	}
	word = 0;
	if (len % 8)
		std::memcpy(&word, p, len % 8);
	s.absorb<C>(last | word);
	return s.finish<D>();
}

template <class... Words> u64 sip_words(const siphash_key_t &key, u64 last, Words... words)
{
	sip_state s(key);

	(s.absorb<2>(words), ...);
	s.absorb<2>(last);
	return s.finish<4>();
}

constexpr u64 sip_len(u64 bytes) { return bytes << 56; }
constexpr u64 pair(u32 low, u32 high) { return u64{high} << 32 | low; }

} // namespace

u64 siphash_1u64(u64 a, const siphash_key_t &key) { return sip_words(key, sip_len(8), a); }
u64 siphash_2u64(u64 a, u64 b, const siphash_key_t &key) { return sip_words(key, sip_len(16), a, b); }
// not traced: arithmetic
u64 siphash_3u64(u64 a, u64 b, u64 c, const siphash_key_t &key)
{
	return sip_words(key, sip_len(24), a, b, c);
}
// not traced: arithmetic
u64 siphash_4u64(u64 a, u64 b, u64 c, u64 d, const siphash_key_t &key)
{
	return sip_words(key, sip_len(32), a, b, c, d);
}
u64 siphash_1u32(u32 a, const siphash_key_t &key) { return sip_words(key, sip_len(4) | a); }
u64 siphash_2u32(u32 a, u32 b, const siphash_key_t &key) { return siphash_1u64(pair(a, b), key); }
// not traced: arithmetic
u64 siphash_3u32(u32 a, u32 b, u32 c, const siphash_key_t &key)
{
	return sip_words(key, sip_len(12) | c, pair(a, b));
}
// not traced: arithmetic
u64 siphash_4u32(u32 a, u32 b, u32 c, u32 d, const siphash_key_t &key)
{
	return siphash_2u64(pair(a, b), pair(c, d), key);
}
// not traced: arithmetic
u64 siphash(const void *data, std::size_t len, const siphash_key_t &key)
{
	return sip_bytes<2, 4>(data, len, key);
}
// not traced: arithmetic
u32 hsiphash(const void *data, std::size_t len, const siphash_key_t &key)
{
	return static_cast<u32>(sip_bytes<1, 3>(data, len, key));
}

namespace {

u32 word_at(const u8 *p)
{
	u32 w;

	std::memcpy(&w, p, sizeof(w));
	return w;
}

} // namespace

// not traced: arithmetic
u32 jhash(const void *key, u32 length, u32 initval)
{
	const auto *k = static_cast<const u8 *>(key);
	const u32 start = JHASH_INITVAL + length + initval;
	jhash_state s{start, start, start};

	for (; length > 12; length -= 12, k += 12) {
		s.a += word_at(k);
		s.b += word_at(k + 4);
		s.c += word_at(k + 8);
		s.mix();
	}
	if (!length)
		return s.c;
	u8 tail[12] = {};

	std::memcpy(tail, k, length);
	s.a += word_at(tail);
	s.b += word_at(tail + 4);
	s.c += word_at(tail + 8);
	return s.final();
}

// not traced: arithmetic
u32 jhash2(const u32 *k, u32 length, u32 initval)
{
	const u32 start = JHASH_INITVAL + (length << 2) + initval;
	jhash_state s{start, start, start};

	for (; length > 3; length -= 3, k += 3) {
		s.a += k[0];
		s.b += k[1];
		s.c += k[2];
		s.mix();
	}
	if (!length)
		return s.c;
	if (length > 2)
		s.c += k[2];
	if (length > 1)
		s.b += k[1];
	s.a += k[0];
	return s.final();
}

} // namespace skbwalk
