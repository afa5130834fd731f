// SPDX-License-Identifier: GPL-2.0-only
//
// User ids of a user namespace as ids of the kernel (kernel/user_namespace.c). There is the initial namespace
// only: it maps every id but the last, which is invalid, to itself.
#pragma once

#include <array>

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr u32 UID_GID_MAP_MAX_BASE_EXTENTS = 5;
constexpr u32 INVALID_UID = ~0u;

struct uid_gid_extent {
	u32 first, lower_first, count;
};
struct uid_gid_map {
	u32 nr_extents;
	std::array<uid_gid_extent, UID_GID_MAP_MAX_BASE_EXTENTS> extent;
};
struct user_namespace {
	uid_gid_map uid_map;
};
inline constexpr user_namespace init_user_ns{{1, {{{0, 0, ~0u}}}}};

// INVALID_UID when the namespace has no such id.
u32 make_kuid(const user_namespace &ns, u32 uid);
u32 map_id_range_down(const uid_gid_map &map, u32 id, u32 count);

} // namespace skbwalk
