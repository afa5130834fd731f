// SPDX-License-Identifier: GPL-2.0-only
//
// kernel/user_namespace.c, as far as a socket's owner needs it: make_kuid() looks an id up in the extents of
// a namespace's map. Left out: namespaces below the initial one, and maps of more extents than fit into one.
#include "stack/kernel/user_namespace.h"

#include "stack/trace/trace.h"

namespace skbwalk {

static const uid_gid_extent *map_id_range_down_base(u32 extents, const uid_gid_map &map, u32 id, u32 count)
{
	TRACE();
	const u32 id2 = id + count - 1;

	for (u32 i = 0; i < extents; ++i) {
		const u32 first = map.extent[i].first;
		const u32 last = first + map.extent[i].count - 1;

		if (id >= first && id <= last && id2 >= first && id2 <= last)
			return &map.extent[i];
	}
	return nullptr;
}

u32 map_id_range_down(const uid_gid_map &map, u32 id, u32 count)
{
	TRACE();
	const uid_gid_extent *extent = map_id_range_down_base(map.nr_extents, map, id, count);

	return extent ? id - extent->first + extent->lower_first : INVALID_UID;
}

static u32 map_id_down(const uid_gid_map &map, u32 id)
{
	TRACE();
	return map_id_range_down(map, id, 1);
}

u32 make_kuid(const user_namespace &ns, u32 uid)
{
	TRACE();
	return map_id_down(ns.uid_map, uid);
}

} // namespace skbwalk
