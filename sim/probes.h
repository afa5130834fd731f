// SPDX-License-Identifier: GPL-2.0-only
//
// Probes: while a scenario is recorded, chosen fields are captured whenever certain functions are entered,
// and the machine's stack if it is asked for. Nothing is formatted then. Afterwards each hit becomes a line
// as bpftrace scripts print it, with the kernel's stack below it:
//
//   veth_xmit skb=1f skblen=145 bytes skbdev=v2 ===> peer_skbdev=v2_peer
//
//   	0000000000512a34 veth_xmit+84
//   	00000000004f0b12 dev_hard_start_xmit+150
//
// docs/probes.md explains it.
#pragma once

#include <array>
#include <deque>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "sim/probe_fields.h"
#include "sim/trace_tree.h"
#include "stack/trace/recorder.h"

namespace skbwalk::sim {

class profile;

// The message says what was wrong and what comes near.
struct bad_probe : std::runtime_error {
	using std::runtime_error::runtime_error;
};

struct probe {
	std::string function; // a name or a glob
	std::vector<const probe_field *> fields;
	std::string format; // printf's conversions, one for each field; empty: each field with its label
	bool kstack = false;
};
// "veth_xmit { skb, skb.len, kstack }", or "veth_xmit { printf("len %d dev %s", skb.len, dev.name) }". Throws
// bad_probe: also for a function that is not in the program.
[[nodiscard]] probe parse_probe(std::string_view text);

// What was captured; as long as it lives and the recorder records.
class probe_set {
public:
	// `addresses`: keep, for every call, where in the program it stands and who called it.
	probe_set(trace::recorder &r, std::vector<probe> probes, bool addresses);
	~probe_set();
	probe_set(const probe_set &) = delete;
	probe_set &operator=(const probe_set &) = delete;

	// One block for each hit whose call is wanted. The tree is of the recorder, with the stack view
	// applied.
	[[nodiscard]] std::string text(const call_tree &stack, const std::vector<bool> &wanted) const;
	// The machine addresses at the entry of the n-th recorded call, innermost first; empty: none were
	// kept.
	[[nodiscard]] std::vector<u64> addresses_of(u32 call) const;

private:
	struct hit {
		u32 probe;
		u32 call; // the n-th that was recorded
		std::vector<raw_value> values;
		std::vector<u64> stack;
	};
	static void entered(void *arg, const trace::site &s, const trace::objects &o);
	void enter(const trace::site &s, const trace::objects &o);

	trace::recorder &recorder_;
	std::vector<probe> probes_;
	std::unordered_map<const trace::site *, std::vector<u32>> by_site_;
	bool addresses_;
	u32 calls_ = 0; // entered while recording
	std::deque<hit> hits_;
	std::deque<std::array<u64, 10>>
		call_addresses_; // the recorder's own, then the call's and its callers'
};

// What a stack reads as: the names of the view, innermost first, with the machine's addresses where a frame
// of ours is the same function's. 0: this program has it inlined, or left it by a jump.
struct stack_line {
	std::string_view name;
	u64 address = 0;
	u64 offset = 0;
};
[[nodiscard]] std::vector<stack_line> stack_of(const call_tree &stack, u32 call,
                                               const std::vector<u64> &machine);

// Calls of a tree by function, as bcc's funccount prints them; by stack, as stackcount does. `pattern` is a
// name or a glob.
[[nodiscard]] std::string function_counts(const call_tree &graph, std::string_view pattern);
[[nodiscard]] std::string stack_counts(const call_tree &graph, const call_tree &stack,
                                       std::string_view pattern);
// Throws bad_probe where no function of the program is of that name.
void check_pattern(std::string_view option, std::string_view pattern);

} // namespace skbwalk::sim
