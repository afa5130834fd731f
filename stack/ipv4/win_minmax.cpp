// SPDX-License-Identifier: GPL-2.0-only
//
// The smallest or largest of what was measured within a window of time (lib/win_minmax.c; after Kathleen
// Nichols). Three samples are kept, best first, each newer than the one before: when the best grows older
// than the window, the second takes its place. A quarter and half of a window after the best, the others are
// renewed, so that they do not all end at once.
#include "stack/ipv4/tcp.h"

namespace skbwalk {

static u32 minmax_subwin_update(minmax &m, u32 win, const minmax_sample &val)
{
	TRACE();
	const u32 dt = val.t - m.s[0].t;
	const auto drop_best = [&] {
		m.s[0] = m.s[1];
		m.s[1] = m.s[2];
		m.s[2] = val;
	};

	if (dt > win) {
		drop_best();
		if (val.t - m.s[0].t > win) // the second was as old
			drop_best();
	} else if (m.s[1].t == m.s[0].t && dt > win / 4) {
		m.s[2] = m.s[1] = val;
	} else if (m.s[2].t == m.s[1].t && dt > win / 2) {
		m.s[2] = val;
	}
	return m.s[0].v;
}

// win and t in one unit of time.
u32 minmax_running_max(minmax &m, u32 win, u32 t, u32 meas)
{
	TRACE();
	const minmax_sample val{t, meas};

	if (val.v >= m.s[0].v || val.t - m.s[2].t > win)
		return minmax_reset(m, t, meas);
	if (val.v >= m.s[1].v)
		m.s[2] = m.s[1] = val;
	else if (val.v >= m.s[2].v)
		m.s[2] = val;
	return minmax_subwin_update(m, win, val);
}

u32 minmax_running_min(minmax &m, u32 win, u32 t, u32 meas)
{
	TRACE();
	const minmax_sample val{t, meas};

	if (val.v <= m.s[0].v || val.t - m.s[2].t > win)
		return minmax_reset(m, t, meas);
	if (val.v <= m.s[1].v)
		m.s[2] = m.s[1] = val;
	else if (val.v <= m.s[2].v)
		m.s[2] = val;
	return minmax_subwin_update(m, win, val);
}

} // namespace skbwalk
