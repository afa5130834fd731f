// SPDX-License-Identifier: GPL-2.0-only
//
// The armed half of TRACE(): keeps the depth of the task (or of the cpu's idle task) and hands the call to
// the world's recorder. Depth is kept whether recording or not, so that a task that sleeps in a system call
// when recording starts goes on at its own depth. Also the list of sites that the linker makes.
#include "stack/trace/trace.h"

#include <bit>
#include <cassert>
#include <cstddef>
#include <cstring>
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

// At the time of a return the task may run on another cpu than at the call.
u16 &depth_of(const context &c) { return c.task ? c.task->depth : c.cpu->idle_depth; }

run_context context_of(const cpu &c)
{
	static_assert(static_cast<u8>(run_context::task) == 0 && static_cast<u8>(run_context::softirq) == 1);
	return c.hardirq_nesting ? run_context::hardirq : static_cast<run_context>(u8{c.serving_softirq});
}

// In sites from the first of the section; where an inline function's lies, the linker decides.
inline u32 id_of(const site &s)
{
	static_assert(sizeof(site) == 32);
	return static_cast<u32>((reinterpret_cast<std::intptr_t>(&s) -
	                         reinterpret_cast<std::intptr_t>(__start_skbwalk_sites)) >>
	                        5);
}

inline u32 id_at(const void *object, u32 offset)
{
	return object ? *reinterpret_cast<const u32 *>(static_cast<const std::byte *>(object) + offset) : 0;
}

} // namespace

// ---- the recorder's part of each call, in this file so that it is one function
// ------------------------------

inline bool recorder::only_writes(const context &c) const
{
	return next_ < plain_end_ && c.task == caller_.task && c.cpu == caller_.on &&
	       (!c.task || c.task->id == caller_.id); // a new task may lie where one was
}

// The next record, the caller's, for which there is room, but for the ids of objects.
inline record &recorder::next_call(record_kind kind, u32 what, u16 depth)
{
	const cpu &on = *caller_.on;
	record &r = *next_++;
	// Small fields go into memory together, as words: so many stores would be most of the work.
	static_assert(offsetof(record, site) == 8 && offsetof(record, depth) == 12 &&
	              offsetof(record, task) == 14 && offsetof(record, host) == 16 &&
	              offsetof(record, cpu) == 17 && offsetof(record, context) == 18 &&
	              offsetof(record, kind) == 19 && std::endian::native == std::endian::little);
	const u64 which = what | u64{depth} << 32 | u64{caller_.id} << 48;
	const u32 where =
		caller_.where | static_cast<u32>(context_of(on)) << 16 | static_cast<u32>(kind) << 24;

	r.time_ns = on.now_ns;
	std::memcpy(&r.site, &which, sizeof(which));
	std::memcpy(&r.host, &where, sizeof(where));
	return r;
}

inline void recorder::entered(const site &s, const objects &o)
{
	record &r = next_call(record_kind::enter, id_of(s), (*caller_.depth)++);

	r.skb = id_at(o.skb, ids_.skb);
	r.sk = id_at(o.sk, ids_.sk);
	r.dev = id_at(o.dev, ids_.dev);
}

inline void recorder::left(const site &s)
{
	record &r = next_call(record_kind::leave, id_of(s), --*caller_.depth);

	r.skb = r.sk = r.dev = 0;
}

// A remark. The same text is kept once.
void recorder::noted(const context &c, const std::string &text, const objects &o, u16 depth)
{
	if (!recording_)
		return;
	const auto [known, is_new] = noted_.try_emplace(text, static_cast<u32>(texts_.size()));
	if (is_new)
		texts_.push_back(text);
	if (!prepare(c))
		return;
	record &r = next_call(record_kind::note, known->second, depth);

	r.skb = id_at(o.skb, ids_.skb);
	r.sk = 0;
	r.dev = id_at(o.dev, ids_.dev);
}

void recorder::call_entered(const site &s, const objects &o)
{
	for (const hook &h : hooks_)
		if (h.entered && is_armed(h.who))
			h.entered(h.arg, s, o);
}

void recorder::call_left(const site &s)
{
	for (const hook &h : hooks_)
		if (h.left && is_armed(h.who))
			h.left(h.arg, s);
}

// Depth is kept where there is a recorder.
[[gnu::noinline]] static void enter_slowly(const site &s, const sk_buff *skb, const sock *sk,
                                           const net_device *dev)
{
	const context c = current;
	const objects o{skb, sk, dev};

	if (recorder *r = c.host->recorder) {
		if (r->recording() && r->prepare(c))
			r->entered(s, o);
		else
			++depth_of(c);
		r->call_entered(s, o);
	}
	if (c.host->points)
		function_point(s);
}

[[gnu::noinline]] static void leave_slowly(const site &s)
{
	const context c = current;
	recorder *const r = c.host->recorder;

	if (!r)
		return;
	assert(depth_of(c) != 0);
	if (r->recording() && r->prepare(c))
		r->left(s);
	else
		--depth_of(c);
	r->call_left(s);
}

// What happens at nearly every call, without a call: all else is done by the functions above.
extern "C" void skbwalk_trace_enter(const site &s, const sk_buff *skb, const sock *sk, const net_device *dev)
{
	const context c = current;

	if (!c.cpu)
		return;
	recorder *const r = c.host->recorder;

	if (__builtin_expect(!r || !r->only_writes(c) || c.host->points, 0)) {
		enter_slowly(s, skb, sk, dev);
		return;
	}
	r->entered(s, {skb, sk, dev});
}

extern "C" void skbwalk_trace_leave(const site &s)
{
	const context c = current;

	if (!c.cpu)
		return;
	recorder *const r = c.host->recorder;

	if (__builtin_expect(!r || !r->only_writes(c), 0)) {
		leave_slowly(s);
		return;
	}
	r->left(s);
}

void note(const std::string &text, const objects &o)
{
	const context &c = current;

	if (!c.cpu)
		return;
	if (recorder *r = c.host->recorder)
		r->noted(c, text, o, depth_of(c));
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

u32 site_id(const site &s) { return id_of(s); }

const site &site_of(u32 id)
{
	return *reinterpret_cast<const site *>(reinterpret_cast<std::intptr_t>(__start_skbwalk_sites) +
	                                       std::intptr_t{static_cast<s32>(id)} *
	                                               static_cast<std::intptr_t>(sizeof(site)));
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
