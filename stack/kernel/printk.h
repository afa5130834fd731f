// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's log (include/linux/printk.h, kern_levels.h): what dmesg shows.
#pragma once

#include <deque>
#include <string>
#include <string_view>

#include "stack/kernel/timer.h"
#include "stack/kernel/types.h"

namespace skbwalk {

struct host;

constexpr u8 LOGLEVEL_EMERG = 0, LOGLEVEL_ALERT = 1, LOGLEVEL_CRIT = 2, LOGLEVEL_ERR = 3,
	     LOGLEVEL_WARNING = 4, LOGLEVEL_NOTICE = 5, LOGLEVEL_INFO = 6, LOGLEVEL_DEBUG = 7;
constexpr char KERN_SOH = '\001'; // then a level's digit, at the head of a message

struct printk_info {
	ktime_t ts_nsec = 0;
	u8 level = LOGLEVEL_WARNING;
	std::string text; // without the newline
};

// A message by the current host; its length.
int _printk(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void printk(std::string_view line); // the same with a text as it is, of LOGLEVEL_WARNING

// May this be said now? At most ten times in five seconds; what was swallowed is counted and told.
struct ratelimit_state {
	int interval = 5 * static_cast<int>(HZ);
	int burst = 10;
	int printed = 0, missed = 0;
	u32 begin = 0;
};
bool ___ratelimit(ratelimit_state &rs, const char *func);
bool net_ratelimit();

// The log of a host, oldest first; of a long run, its end. `dmesg -c` clears it.
std::deque<printk_info> &kernel_log(host &h);

} // namespace skbwalk
