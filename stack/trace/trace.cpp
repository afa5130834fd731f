// SPDX-License-Identifier: GPL-2.0-only
//
// The armed half of TRACE(): keeps the depth of the task (or of the cpu's idle task) and hands the call to
// the world's recorder. Depth is kept whether recording or not, so that a task that sleeps in a system call
// when recording starts goes on at its own depth. Also the list of sites that the linker makes.
#include "stack/trace/trace.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

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
extern unsigned char *const __start_skbwalk_jumps[] __attribute__((weak));
extern unsigned char *const __stop_skbwalk_jumps[] __attribute__((weak));
}

namespace skbwalk::trace {

constinit u32 armed = 0;
constinit const std::byte no_object[1024] = {};

namespace {

// Do the jumps of scopes jump?
bool jumping = true;

// False, and nothing is changed: the machine does not let a program write its code.
bool set_jumping(bool on)
{
	constexpr unsigned char jump = 0xe9, compare = 0x3d;
	const auto [first, last] = std::minmax_element(__start_skbwalk_jumps, __stop_skbwalk_jumps);
	if (first == last)
		return false;
	const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
	const auto from = reinterpret_cast<std::uintptr_t>(*first) & ~(page - 1);
	const auto size = reinterpret_cast<std::uintptr_t>(*last) + 1 - from;

	if (mprotect(reinterpret_cast<void *>(from), size, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	for (unsigned char *const *at = __start_skbwalk_jumps; at != __stop_skbwalk_jumps; ++at) {
		if (**at == (on ? compare : jump)) // else it is a breakpoint of a debugger that came since
			__atomic_store_n(*at, on ? jump : compare, __ATOMIC_RELAXED);
	}
	mprotect(reinterpret_cast<void *>(from), size, PROT_READ | PROT_EXEC);
	jumping = on;
	return true;
}

// A debugger keeps the byte that it lays a breakpoint over, and writes it back.
bool is_debugged()
{
	std::ifstream status{"/proc/self/status"};
	std::string word;
	long pid = 0;

	while (status >> word)
		if (word == "TracerPid:")
			return status >> pid && pid != 0;
	return false;
}

// At the time of a return the task may run on another cpu than at the call.
u16 &depth_of(const context &c) { return c.task ? c.task->depth : c.cpu->idle_depth; }

// Where it lies: below 4 GiB, as all of a program that is linked where it runs.
inline u32 id_of(const site &s) { return static_cast<u32>(reinterpret_cast<std::uintptr_t>(&s)); }

// Of an object, or of `no_object`.
inline u32 id_at(const void *object, u32 offset)
{
	return *reinterpret_cast<const u32 *>(static_cast<const std::byte *>(object) + offset);
}

template <class T> const T *null_if_none(const T *object) { return object == none<T>() ? nullptr : object; }

} // namespace

// ---- the recorder's part of each call, in this file so that it is one function
// ------------------------------

// The next record, at next_, the caller's, for which there is room, but for the ids of objects: these come
// first, so that what holds their pointers is free for the rest.
inline void recorder::next_call(record &r, record_kind kind, u32 what, u16 depth)
{
	const cpu &on = *caller_.on;
	// Small fields go into memory together, as words: so many stores would be most of the work.
	static_assert(offsetof(record, depth) % 4 == 0 && offsetof(record, task) % 4 == 2 &&
	              std::endian::native == std::endian::little);
	const u32 who = caller_.task | depth;
	const u32 where = on.recorded | static_cast<u32>(kind) << 24;

	next_ = &r + 1;
	r.time_ns = on.now_ns;
	r.site = what;
	std::memcpy(&r.depth, &who, sizeof(who));
	std::memcpy(&r.host, &where, sizeof(where));
}

inline void recorder::entered(const site &s, const objects &o)
{
	record &r = *next_;

	r.skb = id_at(o.skb, ids_.skb);
	r.sk = id_at(o.sk, ids_.sk);
	r.dev = id_at(o.dev, ids_.dev);
	next_call(r, record_kind::enter, id_of(s), (*caller_.depth)++);
}

inline void recorder::entered(const site &s)
{
	record &r = *next_;

	r.skb = r.sk = r.dev = 0;
	next_call(r, record_kind::enter, id_of(s), (*caller_.depth)++);
}

inline void recorder::left(const site &s)
{
	record &r = *next_;

	r.skb = r.sk = r.dev = 0;
	next_call(r, record_kind::leave, id_of(s), --*caller_.depth);
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
	record &r = *next_;

	r.skb = id_at(o.skb ? o.skb : none<sk_buff>(), ids_.skb);
	r.sk = 0;
	r.dev = id_at(o.dev ? o.dev : none<net_device>(), ids_.dev);
	next_call(r, record_kind::note, known->second, depth);
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
	const objects o{null_if_none(skb), null_if_none(sk), null_if_none(dev)};

	if (!c.cpu)
		return;
	if (recorder *r = c.host->recorder) {
		if (r->recording() && r->prepare(c)) {
			r->entered(s, {skb, sk, dev});
			// From now on the fast way, unless there is more to do than to record.
			current.ready = c.host->points ? nullptr : r;
		} else {
			++depth_of(c);
		}
		r->call_entered(s, o);
	}
	if (c.host->points)
		function_point(s);
}

[[gnu::noinline]] static void leave_slowly(const site &s)
{
	const context c = current;
	recorder *const r = c.cpu ? c.host->recorder : nullptr;

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
	recorder *const r = current.ready;

	if (__builtin_expect(!r || !r->only_writes(), 0))
		enter_slowly(s, skb, sk, dev);
	else
		r->entered(s, {skb, sk, dev});
}

extern "C" void skbwalk_trace_enter_plain(const site &s)
{
	recorder *const r = current.ready;

	if (__builtin_expect(!r || !r->only_writes(), 0))
		enter_slowly(s, none<sk_buff>(), none<sock>(), none<net_device>());
	else
		r->entered(s);
}

extern "C" void skbwalk_trace_leave(const site &s)
{
	recorder *const r = current.ready;

	if (__builtin_expect(!r || !r->only_writes(), 0))
		leave_slowly(s);
	else
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

void arm(armed_by who)
{
	__atomic_fetch_add(&armed, static_cast<u32>(who), __ATOMIC_RELAXED);
	current.ready = nullptr;
	if (!jumping && !set_jumping(true))
		std::abort(); // what the machine let us change once
}

void settle()
{
	if (jumping && !armed && !is_debugged())
		static_cast<void>(set_jumping(false));
}

void disarm(armed_by who)
{
	assert(is_armed(who));
	__atomic_fetch_sub(&armed, static_cast<u32>(who), __ATOMIC_RELAXED);
	current.ready = nullptr;
}

bool is_armed(armed_by who)
{
	return __atomic_load_n(&armed, __ATOMIC_RELAXED) & (static_cast<u32>(who) * 0xff);
}

u32 site_id(const site &s) { return id_of(s); }

const site &site_of(u32 id) { return *reinterpret_cast<const site *>(std::uintptr_t{id}); }

void for_each_site([[maybe_unused]] const std::function<void(const site &)> &fn)
{
#ifndef SKBWALK_NO_TRACE // then there are no such sections, and no addresses of their ends
	for (const site *s = __start_skbwalk_sites; s != __stop_skbwalk_sites; ++s)
		fn(*s);
	// A reference stands wherever the function was expanded.
	std::set<const site *> seen;

	for (const site *const *s = __start_skbwalk_inline_refs; s != __stop_skbwalk_inline_refs; ++s)
		if (seen.insert(*s).second)
			fn(**s);
#endif
}

} // namespace skbwalk::trace
