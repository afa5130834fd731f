// SPDX-License-Identifier: GPL-2.0-only
//
// A system call as a C program makes it: arguments into registers, through the door, the result out.
#pragma once

#include <concepts>
#include <cstddef>

#include "stack/socket.h"

namespace skbwalk::sim {

template <class T> u64 register_of(T *p) { return reinterpret_cast<std::uintptr_t>(p); }
inline u64 register_of(std::nullptr_t) { return 0; }
template <class T>
requires std::integral<T> || std::is_enum_v<T> u64 register_of(T v)
{
	return static_cast<u64>(static_cast<s64>(v));
}

// What the call returns: a negative errno when it failed. Runs on the current task.
template <class... T> long system_call(sys_nr nr, T... args)
{
	pt_regs regs;
	u64 *const places[] = {&regs.di, &regs.si, &regs.dx, &regs.r10, &regs.r8, &regs.r9};
	u64 *const *place = places;
	((**place++ = register_of(args)), ...);
	static_assert(sizeof...(args) <= 6);
	regs.orig_ax = static_cast<u64>(nr);
	entry_SYSCALL_64_after_hwframe(regs);
	return static_cast<long>(regs.ax);
}

} // namespace skbwalk::sim
