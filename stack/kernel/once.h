// SPDX-License-Identifier: GPL-2.0-only
//
// READ_ONCE and WRITE_ONCE (include/asm-generic/rwonce.h): one load or store of a plain field that readers
// without a lock share with a writer. Relaxed: order comes from the reference counts and links around them.
#pragma once

#include <bit>
#include <type_traits>

#include "stack/kernel/types.h"

namespace skbwalk {

template <class T>
using once_word = std::conditional_t<
	sizeof(T) == 1, u8,
	std::conditional_t<sizeof(T) == 2, u16, std::conditional_t<sizeof(T) == 4, u32, u64>>>;

// `field` is aligned to its size, whatever its type asks for.
template <class T> [[nodiscard]] T READ_ONCE(const T &field)
{
	static_assert(std::is_trivially_copyable_v<T> && sizeof(T) == sizeof(once_word<T>));
	return std::bit_cast<T>(
		__atomic_load_n(reinterpret_cast<const once_word<T> *>(&field), __ATOMIC_RELAXED));
}

template <class T> void WRITE_ONCE(T &field, std::type_identity_t<T> value)
{
	static_assert(std::is_trivially_copyable_v<T> && sizeof(T) == sizeof(once_word<T>));
	__atomic_store_n(reinterpret_cast<once_word<T> *>(&field), std::bit_cast<once_word<T>>(value),
	                 __ATOMIC_RELAXED);
}

} // namespace skbwalk
