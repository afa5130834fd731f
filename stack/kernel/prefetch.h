// SPDX-License-Identifier: GPL-2.0-only
//
// include/linux/prefetch.h: memory is asked for before it is needed, so that several waits for it overlap.
// What an address holds, or whether anything lies there, does not matter.
#pragma once

#include <cstddef>

namespace skbwalk {

constexpr std::size_t L1_CACHE_BYTES = 64;

// To be written: a line that came to be read only would have to be asked for once more.
inline void prefetchw(const void *p)
{
#ifdef __x86_64__
	asm volatile("prefetchw %0" : : "m"(*static_cast<const char *>(p)));
#else
	__builtin_prefetch(p, 1);
#endif
}
inline void prefetch_range(const void *p, std::size_t n)
{
	for (std::size_t at = 0; at < n; at += L1_CACHE_BYTES)
		__builtin_prefetch(static_cast<const char *>(p) + at);
}
inline void prefetchw_range(const void *p, std::size_t n)
{
	for (std::size_t at = 0; at < n; at += L1_CACHE_BYTES)
		prefetchw(static_cast<const char *>(p) + at);
}

} // namespace skbwalk
