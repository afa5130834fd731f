// SPDX-License-Identifier: GPL-2.0-only
//
// Where the code that runs now runs: which host (one simulated kernel), which cpu, which task. One
// thread-local, as the kernel has `current` and `this_cpu`; the only mutable state of stack/ that is not
// inside a host.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk {

struct task_struct;
struct cpu;
struct host;
struct net;
struct profile_features;
struct host_state;
struct cpu_points;
namespace trace {
struct recorder;
}

constexpr u32 HZ = 250;
constexpr u64 NSEC_PER_SEC = 1'000'000'000;
constexpr u64 NSEC_PER_MSEC = 1'000'000;
constexpr u64 NSEC_PER_USEC = 1'000;
constexpr u64 TICK_NSEC = NSEC_PER_SEC / HZ;

// What the world above gives to a host. All times are nanoseconds of the world's clock.
struct platform {
	virtual ~platform() = default;
	// Ask that `c` be entered (cpu_interrupt_timer) at `when_ns` or as soon after as it is free; one
	// request a cpu, the latest replaces the former; ~0 cancels.
	virtual void arm_timer(cpu &c, u64 when_ns) = 0;
	// A task became runnable, or a softirq was raised from outside, on a cpu that may be idle.
	virtual void kick(cpu &c) = 0;
	// Run `fn(arg)` in no particular cpu's context at `when_ns` (links use it). Returned id cancels.
	virtual u64 at(u64 when_ns, void (*fn)(void *), void *arg) = 0;
	virtual void cancel(u64 id) = 0;
	// Ask that `c`, which is not running, be entered (cpu_interrupt_device) as soon as it is free.
	virtual void interrupt(cpu &c) = 0;
	// As `at`, for what a device of host `h` does: where a cpu of `h` passes the time while it runs,
	// `fn` is called at its next interrupt_point (devices_due), even in a softirq: it says so by
	// device_event_at.
	virtual u64 at_device(host &h, u64 when_ns, void (*fn)(void *), void *arg) = 0;
	// Calls what at_device has for the host of `c` up to the time of `c`.
	virtual void devices_due(cpu &c) = 0;
};

// Structural differences between kernel releases (reference/seeds/DELTAS.md); all false is linux-6.1. A
// profile sets them.
struct profile_features {
	bool options_before_window = false;   // D1: tcp_options_write before tcp_select_window
	bool ip_rcv_in_core = false;          // D2: ip_rcv called inside __netif_receive_skb_core
	bool rcu_bh_output = false;           // D3: ip_finish_output2 and neigh_lookup disable bottom halves
	bool nat_helper_hooks = false;        // D4
	bool always_ct_events = false;        // D5
	bool md5_lookup_out_of_line = false;  // D6
	bool backlog_plain_lock = false;      // D7
	bool bridge_hook_slow = false;        // D8
	bool forwardable_out_of_line = false; // D9
	bool selinux_ipv4_hooks = false;      // D10
	bool split_seq_and_ts_off = false;    // D11: secure_tcp_seq and secure_tcp_ts_off apart
	bool openreq_child_md5 = false;       // D12
	bool mapped_child_late = false; // D15: a child gets its mapped operations after tcp_v4_syn_recv_sock
	bool conn_request_44 = false;   // D13: order in tcp_conn_request and in the child's set-up
	bool prequeue = false;          // D14
	bool alloc_asks_ksize = false;  // until 6.1.y: __alloc_skb asks what room it got, afterwards
	bool mtu_by_dst_ops = false;    // until 5.14: an output's MTU is asked of the dst's operations
};

// Objects that live once a cpu or once a host are declared at namespace scope as percpu<T> / perhost<T>
// (percpu.h): each reserves room in the areas below, as DEFINE_PER_CPU does.
struct object_area {
	struct release {
		void operator()(std::byte *p) const;
	};
	std::unique_ptr<std::byte[], release> memory;
	~object_area();
	object_area() = default;
	object_area(const object_area &) = delete;
	object_area &operator=(const object_area &) = delete;
	void construct(bool per_cpu);
	void destroy(); // in the reverse order; the area stays in place until all are gone
	bool per_cpu_ = false;
};

// One simulated kernel.
struct host {
	host(platform &p, std::string name, u16 id, u32 cpus, u64 seed);
	~host();
	host(const host &) = delete;
	host &operator=(const host &) = delete;

	platform &plat;
	std::string name;
	u16 id;
	u64 seed;
	u64 boot_ns = 0; // world time at which this host's monotonic clock was zero
	profile_features features;
	u32 thash_entries = 0; // chains of the established hash, a power of two; 0: as a small machine has
	trace::recorder *recorder = nullptr;
	object_area area; // perhost<T>
	std::vector<std::unique_ptr<cpu>> cpus;
	u64 wall_ns = 1'704'067'200 * NSEC_PER_SEC; // what the wall clock says at world time zero
	std::unique_ptr<host_state> state;          // what is private to stack/kernel
	std::unique_ptr<cpu_points> points; // what happens at functions' entries (cpus.h); null: nothing does
	// Coarse cost of a system call, of a packet's hop and of a device's interrupt, charged to the running
	// cpu, tracing on or off.
	u32 syscall_cost_ns = 300;
	u32 hop_cost_ns = 2000;
	u32 irq_cost_ns = 1000;
	u64 device_event_ns = ~u64{0}; // what at_device has is due first then
};

// The current context. `cpu` and `host` are null only outside any simulated kernel.
struct context {
	skbwalk::host *host = nullptr;
	skbwalk::cpu *cpu = nullptr;
	task_struct *task = nullptr; // null: the idle task
	// The host's recorder, when all that it asks of the three above is known to it
	// (stack/trace/trace.cpp); null: nobody has asked. Who changes them makes it null.
	trace::recorder *ready = nullptr;
};
extern constinit thread_local context current;

// Back to where the code ran before, and: this task runs now.
inline void return_to(const context &before)
{
	current = before;
	current.ready = nullptr;
}
inline void now_runs(task_struct *t)
{
	current.task = t;
	current.ready = nullptr;
}

// Enter a cpu from the world (event loop, scenario set-up, tests), and leave it again. Inside, code runs as
// if it had interrupted what the cpu was doing: a task that was left in the middle (interrupt_point), or the
// idle task. Leaving asks the platform for the cpu's next timer interrupt.
class enter_cpu {
public:
	explicit enter_cpu(cpu &c);
	~enter_cpu();
	enter_cpu(const enter_cpu &) = delete;
	enter_cpu &operator=(const enter_cpu &) = delete;

private:
	context before_;
};

} // namespace skbwalk
