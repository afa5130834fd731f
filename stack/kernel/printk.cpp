// SPDX-License-Identifier: GPL-2.0-only
//
// kernel/printk/printk.c, lib/ratelimit.c, net/core/utils.c (net_ratelimit): a message, its level and the
// time at which it was said, kept with its host.
//
// Unlike the kernel, there is no console that could be slow, no buffer that could be full, and no context in
// which a message must wait.
#include "stack/kernel/printk.h"

#include <cstdarg>
#include <cstdio>

#include "stack/kernel/percpu.h"
#include "stack/trace/trace.h"

namespace skbwalk {

namespace {

perhost<std::deque<printk_info>> log_buf;
perhost<ratelimit_state> net_ratelimit_state;

constexpr std::size_t LINE_MAX_TEXT = 1024; // LOG_LINE_MAX and the prefix
constexpr std::size_t LOG_LINES = 4096;

void keep(printk_info info)
{
	log_buf->push_back(std::move(info));
	if (log_buf->size() > LOG_LINES)
		log_buf->pop_front();
}

int store(const char *fmt, va_list args)
{
	char buf[LINE_MAX_TEXT];
	const int said = std::vsnprintf(buf, sizeof(buf), fmt, args);
	printk_info info{.ts_nsec = sched_clock(), .level = LOGLEVEL_WARNING, .text = said < 0 ? "" : buf};

	if (info.text.size() >= 2 && info.text[0] == KERN_SOH) {
		if (info.text[1] >= '0' && info.text[1] <= '7')
			info.level = static_cast<u8>(info.text[1] - '0');
		info.text.erase(0, 2);
	}
	if (info.text.ends_with('\n'))
		info.text.pop_back();
	keep(std::move(info));
	return said;
}

} // namespace

int _printk(const char *fmt, ...)
{
	TRACE();
	va_list args;

	va_start(args, fmt);
	const int r = store(fmt, args);
	va_end(args);
	return r;
}

// not traced: a macro in the kernel
void printk(std::string_view line)
{
	keep({.ts_nsec = sched_clock(), .level = LOGLEVEL_WARNING, .text = std::string(line)});
}

bool ___ratelimit(ratelimit_state &rs, const char *func)
{
	TRACE();
	const u32 now = jiffies();

	if (!rs.interval)
		return true;
	if (!rs.begin)
		rs.begin = now;
	if (static_cast<s32>(rs.begin + static_cast<u32>(rs.interval) - now) < 0) {
		if (rs.missed)
			_printk("%c4%s: %d callbacks suppressed\n", KERN_SOH, func, rs.missed);
		rs.missed = 0;
		rs.begin = now;
		rs.printed = 0;
	}
	if (rs.burst && rs.burst > rs.printed) {
		++rs.printed;
		return true;
	}
	++rs.missed;
	return false;
}

bool net_ratelimit()
{
	TRACE();
	return ___ratelimit(*net_ratelimit_state, "net_ratelimit");
}

// not traced: for looking at state from outside
std::deque<printk_info> &kernel_log(host &h) { return log_buf.of(h); }

} // namespace skbwalk
