// SPDX-License-Identifier: GPL-2.0-only
//
// printk keeps its line under the host's monotonic time, in the form that dmesg has. Nothing is lost and
// nothing is limited: who prints much limits itself.
#include "stack/kernel/printk.h"

#include <cstdio>

#include "stack/kernel/percpu.h"
#include "stack/kernel/timer.h"

namespace skbwalk {

namespace {

perhost<std::vector<std::string>> log;

} // namespace

// not traced: a macro in the kernel
void printk(std::string_view line)
{
	const u64 us = static_cast<u64>(sched_clock()) / NSEC_PER_USEC;
	char stamp[40];

	std::snprintf(stamp, sizeof(stamp), "[%5llu.%06llu] ",
	              static_cast<unsigned long long>(us / 1'000'000),
	              static_cast<unsigned long long>(us % 1'000'000));
	log->push_back(stamp + std::string(line));
}

// not traced: for who reads the log
const std::vector<std::string> &kernel_log(host &h) { return log.of(h); }

} // namespace skbwalk
