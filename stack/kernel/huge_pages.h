// SPDX-License-Identifier: GPL-2.0-only
//
// Memory of 2 MiB pages, where the machine has them to give: for the slabs of caches that hold much and for
// hash tables, which are read at random. The kernel's own memory is mapped so without being asked.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr std::size_t huge_page_bytes = 2 << 20;

// Zeroed, in whole huge pages and aligned to them; null: none is left.
[[nodiscard]] void *huge_pages_alloc(std::size_t bytes);
void huge_pages_free(void *p, std::size_t bytes);

// An array whose elements need no destruction; on huge pages when it is as large as one.
template <class T> struct large_array_free {
	std::size_t bytes = 0;
	void operator()(T *p) const
	{
		if (bytes >= huge_page_bytes)
			huge_pages_free(p, bytes);
		else
			::operator delete (p, std::align_val_t{64});
	}
};
template <class T> using large_array = std::unique_ptr<T[], large_array_free<T>>;
template <class T> large_array<T> make_large_array(std::size_t n)
{
	static_assert(std::is_trivially_destructible_v<T>);
	const std::size_t bytes = n * sizeof(T);
	void *p = bytes >= huge_page_bytes ? huge_pages_alloc(bytes)
	                                   : ::operator new (bytes, std::align_val_t{64});
	if (!p)
		throw std::bad_alloc();
	T *array = static_cast<T *>(p);
	for (std::size_t i = 0; i < n; ++i)
		::new (array + i) T();
	return large_array<T>(array, large_array_free<T>{bytes});
}

} // namespace skbwalk
