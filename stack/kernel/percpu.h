// SPDX-License-Identifier: GPL-2.0-only
//
// Objects that live once a cpu or once a host. Declared at namespace scope, each reserves an offset before
// main runs; every host and cpu has an area in which they are constructed in order of declaration and
// destroyed in the reverse.
#pragma once

#include <new>

#include "stack/kernel/sched.h"

namespace skbwalk {

namespace area_detail {
struct slot {
	std::size_t offset;
	void (*construct)(void *);
	void (*destroy)(void *);
};
// Returns the offset of the new object in its kind of area.
std::size_t reserve(bool per_cpu, std::size_t size, std::size_t align, void (*construct)(void *),
                    void (*destroy)(void *));
template <class T> std::size_t reserve(bool per_cpu)
{
	return reserve(
		per_cpu, sizeof(T), alignof(T), [](void *p) { ::new (p) T(); },
		[](void *p) { static_cast<T *>(p)->~T(); });
}
} // namespace area_detail

// DEFINE_PER_CPU: `percpu<softnet_data> softnet;` then `*softnet` is this cpu's and `softnet.of(c)`
// another's.
template <class T> class percpu {
public:
	percpu() : offset_(area_detail::reserve<T>(true)) {}
	T &of(cpu &c) const { return *std::launder(reinterpret_cast<T *>(c.area.memory.get() + offset_)); }
	T &operator*() const { return of(*current.cpu); }
	T *operator->() const { return &of(*current.cpu); }

private:
	std::size_t offset_;
};

// What is a global variable in the kernel (tcp_hashinfo, ptype_base, slab caches): one for each host.
template <class T> class perhost {
public:
	perhost() : offset_(area_detail::reserve<T>(false)) {}
	T &of(host &h) const { return *std::launder(reinterpret_cast<T *>(h.area.memory.get() + offset_)); }
	T &operator*() const { return of(*current.host); }
	T *operator->() const { return &of(*current.host); }

private:
	std::size_t offset_;
};

} // namespace skbwalk
