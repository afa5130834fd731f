// SPDX-License-Identifier: GPL-2.0-only
//
// One line of function_graph text, taken apart: the columns, which stand there or do not as the recorder's
// options said, and what is behind them.
//
//    3.730597 |   0)  nettest-103   | d..1. |   0.711 us    |      do_accept [tcp]();
//    abstime      cpu  proc            latency  duration         indent, body
#pragma once

#include <string_view>

#include "stack/kernel/types.h"

namespace skbwalk::sim {

enum class graph_kind : u8 {
	enter,       // `name() {`
	leaf,        // `name();`
	leave,       // `}`
	irq_begin,   // `==========> |`
	irq_end,     // `<========== |`
	remark,      // `/* ... */`: another event, a mark
	open_remark, // `/* ...`: more lines of it follow
	banner,      // ` 0)  from-1  =>  to-2`
	lost,        // `CPU:0 [LOST 12 EVENTS]`
	nothing,     // rules, `#`, what reports say about themselves
	event,       // another event's line in a report
	unknown,
};

struct graph_line {
	graph_kind kind = graph_kind::unknown;
	std::string_view cpu;  // empty: no such column
	std::string_view task; // COMM-PID; in a banner, who ran before
	std::string_view next; // in a banner, who runs now
	std::string_view name; // with the compiler's suffixes, without the module
	u32 indent = 0;        // spaces before the body, from a column that is the same for all lines
	u64 lost = 0;
};

[[nodiscard]] graph_line read_graph_line(std::string_view line);

// Without blanks and a carriage return at both ends.
[[nodiscard]] std::string_view trim(std::string_view s);
// The number that begins with the first digit of `s`; 0: none, all bits: too large.
[[nodiscard]] u64 number_in(std::string_view s);

} // namespace skbwalk::sim
