// SPDX-License-Identifier: GPL-2.0-only
#include "devices/e1000/card_sum.h"

#include <algorithm>
#include <cstring>

#include "stack/wire/ones_sum.h"

namespace skbwalk {

namespace {

u16 folded(u64 sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return static_cast<u16>(sum);
}

void copy_bytes(std::byte *to, const std::byte *from, std::size_t n)
{
	if (to && n)
		std::memcpy(to, from, n);
}

} // namespace

// The bytes of a sum of words change places where those of every word do: what lies in memory is summed as it
// is.
//
// not traced: the card does it
u16 card_sum(const std::byte *bytes, std::size_t n, u32 begin)
{
	return folded(u64{__builtin_bswap16(folded(ones_sum(bytes, static_cast<u32>(n))))} + begin);
}

// not traced: the card does it
void summed_copy::append(std::byte *to, const std::byte *from, std::size_t n)
{
	const std::size_t at = size_;

	size_ += n;
	if (!from) { // adds nothing
		if (to)
			std::memset(to, 0, n);
		return;
	}

	const std::size_t before = std::clamp(first_, at, at + n) - at;
	const std::size_t summed = std::clamp(end_, at + before, at + n) - at - before;
	const std::size_t after = before + summed;

	copy_bytes(to, from, before);
	if (summed) {
		const auto length = static_cast<u32>(summed);
		const u32 sum = to ? ones_sum_copied(to + before, from + before, length)
		                   : ones_sum(from + before, length);

		// A piece that begins in the middle of a word.
		sum_ += (at + before - first_) & 1 ? __builtin_bswap16(folded(sum)) : sum;
	}
	copy_bytes(to ? to + after : nullptr, from + after, n - after);
}

// not traced: the card does it
u16 summed_copy::sum() const { return __builtin_bswap16(folded(sum_)); }

} // namespace skbwalk
