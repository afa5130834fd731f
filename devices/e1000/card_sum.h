// SPDX-License-Identifier: GPL-2.0-only
//
// The internet checksum (RFC 1071) as the card computes it: of what lies there, and of what it copies.
#pragma once

#include <cstddef>

#include "stack/kernel/types.h"

namespace skbwalk {

// The folded sum of 16-bit words, not complemented.
[[nodiscard]] u16 card_sum(const std::byte *bytes, std::size_t n, u32 begin = 0);

// A frame that is copied piece after piece; of its bytes those from `first` on and before `end` are summed
// on the way.
class summed_copy {
public:
	summed_copy(std::size_t first, std::size_t end) : first_(first), end_(end) {}
	// Null `to`: bytes that go nowhere. Null `from`: zeros.
	void append(std::byte *to, const std::byte *from, std::size_t n);
	// How many there have been.
	[[nodiscard]] std::size_t size() const { return size_; }
	// As card_sum's of them.
	[[nodiscard]] u16 sum() const;

private:
	std::size_t first_, end_, size_ = 0;
	u64 sum_ = 0; // as they lie in memory
};

} // namespace skbwalk
