// SPDX-License-Identifier: GPL-2.0-only
//
// Recording. TRACE() is the first line of every modelled function: it takes the function's name from the
// function itself and, where given, the objects that it is about (skb, sk, dev: pointer or reference), for
// ids and probes. Off, it costs one instruction that does nothing, or, where code cannot be changed, one
// predictable branch on the word `armed`. On, one record of 32 bytes into a preallocated ring, no formatting.
//
//   int ip_rcv(skb_ptr skb, net_device &dev, ...)
//   {
//           TRACE(skb, dev);
//
// TRACE_INLINE() is the same for functions that the kernel has in headers. TRACE_PART() stands inside a
// function whose rest the compiler moved out of line (ftrace shows NAME.part.0): from there to the end of the
// block counts as that part. What a view shows of all this is decided when a trace is written, never here.
#pragma once

#include <cstddef>
#include <source_location>

#include "stack/kernel/types.h"

namespace skbwalk {
struct sk_buff;
struct sock;
struct net_device;
} // namespace skbwalk

namespace skbwalk::trace {

enum class site_kind : u8 { function, header_inline, part };

// One per traced function, in a linker section of its own so that all can be listed without running any
// (hence the alignment: elements of a section must lie without gaps). The sites of inline functions, which
// the linker merges, cannot share a section (g++ would make one group of all that a file uses): a section of
// pointers to them stands in.
struct alignas(32) site {
	const char *name;
	const char *file;
	u32 line;
	site_kind kind;
};

// The one mutable global: is anything armed (recording, probes, breakpoints, faults, interrupt points)?
extern constinit u32 armed;

// The objects that a record is about. A field that does not apply is null.
struct objects {
	const sk_buff *skb = nullptr;
	const sock *sk = nullptr;
	const net_device *dev = nullptr;
};

// What stands for an object that a call is not about: its id, wherever that lies, reads as 0.
extern constinit const std::byte no_object[1024];
template <class T> const T *none() { return reinterpret_cast<const T *>(no_object); }

// Objects in registers, none() for none: a call that is not made must cost nothing on the stack. Who calls
// shall think it unlikely, and lay the call aside; the functions themselves (trace.cpp) shall be as fast as
// any.
[[gnu::cold]] void enter(const site &s, const sk_buff *skb, const sock *sk,
                         const net_device *dev) asm("skbwalk_trace_enter");
[[gnu::cold]] void enter(const site &s) asm("skbwalk_trace_enter_plain"); // about no object
[[gnu::cold]] void leave(const site &s) asm("skbwalk_trace_leave");

// Collect pick() of each argument: a null changes nothing. Overloads for sk_buff, skb_ptr, sock and
// net_device stand beside those types.
inline void pick(objects &o, const sk_buff *skb) { o.skb = skb ? skb : o.skb; }
inline void pick(objects &o, const sk_buff &skb) { o.skb = &skb; }
inline void pick(objects &o, const sock *sk) { o.sk = sk ? sk : o.sk; }
inline void pick(objects &o, const sock &sk) { o.sk = &sk; }
inline void pick(objects &o, const net_device *dev) { o.dev = dev ? dev : o.dev; }
inline void pick(objects &o, const net_device &dev) { o.dev = &dev; }
template <class T>
requires requires(const T &t) { trace_object(t); }
inline void pick(objects &o, const T &t) { pick(o, trace_object(t)); }

// As the kernel's static keys: where g++ optimises for x86-64, what asks is a jump to the call, and settle()
// makes each of them an instruction without effect while nothing is armed. Both have one byte of opcode and
// four more, the jump's distance or a number that eax is compared with for flags that nobody reads; so it is
// one byte that changes. As linked they jump: calls too many do no harm, and a program that records never
// changes them.
#if defined(__x86_64__) && defined(__OPTIMIZE__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define SKBWALK_TRACE_JUMPS
#endif

[[gnu::always_inline]] inline bool asked()
{
#ifdef SKBWALK_TRACE_JUMPS
	// The list's part for a function that the linker merges goes with that function ("?").
	asm inline goto("1:\t.byte 0xe9\n\t.long %l[yes] - . - 4\n\t"
	                ".pushsection skbwalk_jumps,\"a?\",@progbits\n\t.quad 1b\n\t.popsection"
	                :
	                :
	                : "cc"
	                : yes);
	return false;
yes:
	return true;
#else
	return __builtin_expect(armed != 0, 0);
#endif
}

// Makes the jumps fit `armed`, where they are worth it: who makes a world calls it when all is armed that
// shall be. What is armed later makes them jump again.
void settle();

// Asks at both ends and keeps nothing in between. `armed` changes only where no function of a host with a
// recorder runs: a recorder lives as long as its world.
class scope {
public:
	template <class... T>
	[[gnu::always_inline]] explicit scope(const site &s, const T &...args) : site_(s)
	{
		if (asked()) {
			if constexpr (sizeof...(args) == 0) {
				enter(s);
			} else {
				objects o{none<sk_buff>(), none<sock>(), none<net_device>()};
				(pick(o, args), ...);
				enter(s, o.skb, o.sk, o.dev);
			}
		}
	}
	[[gnu::always_inline]] ~scope()
	{
		if (asked())
			leave(site_);
	}
	scope(const scope &) = delete;
	scope &operator=(const scope &) = delete;

private:
	const site &site_;
};

} // namespace skbwalk::trace

#ifdef SKBWALK_NO_TRACE
#define TRACE(...) static_cast<void>(0)
#define TRACE_INLINE(...) static_cast<void>(0)
#define TRACE_PART() static_cast<void>(0)
#else
#define SKBWALK_TRACE_SITE(sect, kind, var, ...)                                              \
	[[gnu::section(sect), gnu::used]] static constexpr ::skbwalk::trace::site var##_site{ \
		__func__, __FILE__, __LINE__, kind};                                          \
	const ::skbwalk::trace::scope var { var##_site __VA_OPT__(, ) __VA_ARGS__ }
#define TRACE(...) \
	SKBWALK_TRACE_SITE("skbwalk_sites", ::skbwalk::trace::site_kind::function, trace_scope_, __VA_ARGS__)
#define TRACE_INLINE(...)                                                                          \
	static constexpr ::skbwalk::trace::site trace_scope__site{                                 \
		__func__, __FILE__, __LINE__, ::skbwalk::trace::site_kind::header_inline};         \
	asm inline(".pushsection skbwalk_inline_refs,\"aw\",@progbits\n\t.quad %c0\n\t.popsection" \
	           :                                                                               \
	           : "i"(&trace_scope__site));                                                     \
	const ::skbwalk::trace::scope trace_scope_ { trace_scope__site __VA_OPT__(, ) __VA_ARGS__ }
#define TRACE_PART() SKBWALK_TRACE_SITE("skbwalk_sites", ::skbwalk::trace::site_kind::part, trace_part_)
#endif
