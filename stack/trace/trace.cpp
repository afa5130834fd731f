// SPDX-License-Identifier: GPL-2.0-only
//
// The armed half of TRACE(): keeps the depth of the task (or of the cpu's idle task) and hands the call to
// the world's recorder. Depth is kept whether recording or not, so that a task that sleeps in a system call
// when recording starts goes on at its own depth. Also the list of sites that the linker makes.
#include "stack/trace/trace.h"

#include <cassert>
#include <set>

#include "stack/kernel/context.h"
#include "stack/kernel/cpus.h"
#include "stack/kernel/sched.h"
#include "stack/trace/recorder.h"

extern "C" {
// Made by the linker where the section exists.
extern const skbwalk::trace::site __start_skbwalk_sites[] __attribute__((weak));
extern const skbwalk::trace::site __stop_skbwalk_sites[] __attribute__((weak));
extern const skbwalk::trace::site *const __start_skbwalk_inline_refs[] __attribute__((weak));
extern const skbwalk::trace::site *const __stop_skbwalk_inline_refs[] __attribute__((weak));
}

namespace skbwalk::trace {

constinit u32 armed = 0;

namespace {

constexpr u32 inline_bit = 1U << 31;

// At the time of a return the task may run on another cpu than at the call.
u16 &depth_of(const context &c) { return c.task ? c.task->depth : c.cpu->idle_depth; }

} // namespace

void enter(const site &s, const objects &o)
{
	const context &c = current;

	if (!c.cpu)
		return;
	u16 &depth = depth_of(c);
	const u16 at = depth++;
	if (recorder *r = c.host->recorder)
		r->entered(c, s, o, at);
	if (c.host->points)
		function_point(s);
}

void note(const std::string &text, const objects &o)
{
	const context &c = current;

	if (!c.cpu)
		return;
	if (recorder *r = c.host->recorder)
		r->noted(c, text, o, depth_of(c));
}

void leave(const site &s)
{
	const context &c = current;

	if (!c.cpu)
		return;
	u16 &depth = depth_of(c);
	assert(depth != 0);
	--depth;
	if (recorder *r = c.host->recorder)
		r->left(c, s, depth);
}

void arm(armed_by who) { __atomic_fetch_add(&armed, static_cast<u32>(who), __ATOMIC_RELAXED); }

void disarm(armed_by who)
{
	assert(is_armed(who));
	__atomic_fetch_sub(&armed, static_cast<u32>(who), __ATOMIC_RELAXED);
}

bool is_armed(armed_by who)
{
	return __atomic_load_n(&armed, __ATOMIC_RELAXED) & (static_cast<u32>(who) * 0xff);
}

u32 site_id(const site &s)
{
	// Where an inline function's site lies, the linker decides: its distance from the section counts, in
	// sites.
	const auto distance = (reinterpret_cast<std::intptr_t>(&s) -
	                       reinterpret_cast<std::intptr_t>(__start_skbwalk_sites)) /
	                      static_cast<std::intptr_t>(sizeof(site));

	if (s.kind == site_kind::header_inline)
		return static_cast<u32>(distance) | inline_bit;
	assert(&s >= __start_skbwalk_sites && &s < __stop_skbwalk_sites);
	return static_cast<u32>(distance);
}

const site &site_of(u32 id)
{
	if (!(id & inline_bit))
		return __start_skbwalk_sites[id];
	const auto distance = static_cast<std::intptr_t>(static_cast<s32>(id << 1) >> 1);

	return *reinterpret_cast<const site *>(reinterpret_cast<std::intptr_t>(__start_skbwalk_sites) +
	                                       distance * static_cast<std::intptr_t>(sizeof(site)));
}

void for_each_site(const std::function<void(const site &)> &fn)
{
	for (const site *s = __start_skbwalk_sites; s != __stop_skbwalk_sites; ++s)
		fn(*s);
	// A reference stands wherever the function was expanded.
	std::set<const site *> seen;

	for (const site *const *s = __start_skbwalk_inline_refs; s != __stop_skbwalk_inline_refs; ++s)
		if (seen.insert(*s).second)
			fn(**s);
}

} // namespace skbwalk::trace
