// SPDX-License-Identifier: GPL-2.0-only
//
// Chance from a seed, and the bytes of packets: what the makers of frames and of scenario files share.
#pragma once

#include <string>
#include <vector>

#include "stack/kernel/random.h"
#include "stack/kernel/types.h"

namespace skbwalk::fuzz {

using bytes = std::vector<u8>;

class dice {
public:
	dice(u64 seed, const char *purpose, u64 extra = 0) : stream_{seed, purpose, extra} {}
	u64 word() { return stream_.next(); }
	u32 below(u64 n) { return n ? static_cast<u32>(word() % n) : 0; }
	bool one_in(u32 n) { return below(n) == 0; }
	bool percent(u32 p) { return below(100) < p; }
	template <class T, std::size_t N> T pick(const T (&from)[N]) { return from[below(N)]; }
	// Mostly small, sometimes at a border, seldom anything.
	u32 wild()
	{
		static constexpr u32 borders[] = {0,       1,          2,          0x7f,       0x80,
		                                  0xff,    0x100,      0x7fff,     0x8000,     0xffff,
		                                  0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff,
		                                  1460,    1448,       536};
		switch (below(4)) {
		case 0:
			return pick(borders);
		case 1:
			return static_cast<u32>(word());
		default:
			return below(3000);
		}
	}

private:
	random_stream stream_;
};

inline void put16(u8 *to, u32 v)
{
	to[0] = static_cast<u8>(v >> 8);
	to[1] = static_cast<u8>(v);
}
inline void put32(u8 *to, u32 v)
{
	put16(to, v >> 16);
	put16(to + 2, v);
}
inline u32 get16(const u8 *p) { return static_cast<u32>(p[0] << 8 | p[1]); }
inline u32 get32(const u8 *p) { return get16(p) << 16 | get16(p + 2); }

inline u16 sum16(const u8 *p, std::size_t n, u32 start = 0)
{
	u64 sum = start;
	for (std::size_t i = 0; i < n; i += 2)
		sum += static_cast<u32>(p[i] << 8) | (i + 1 < n ? p[i + 1] : 0u);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return static_cast<u16>(~sum);
}

} // namespace skbwalk::fuzz
