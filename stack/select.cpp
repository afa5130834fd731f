// SPDX-License-Identifier: GPL-2.0-only
//
// fs/select.c: poll(). do_poll asks each file; the first time round, each file's poll queues the caller where
// it would be woken
// (__pollwait), until one has something. With nothing to report it sleeps; pollwake marks the table and wakes
// the task, which asks all files again, without queueing. With net.core.busy_poll the task polls its
// sockets' devices for a while before it sleeps. Left out: select.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

#include "stack/core/busy_poll.h"
#include "stack/socket.h"

namespace skbwalk {

namespace {

constexpr std::size_t N_INLINE_POLL_ENTRIES = 9;
constexpr s64 MAX_SLACK = 100 * static_cast<s64>(NSEC_PER_MSEC);
constexpr u64 timer_slack_ns = 50 * NSEC_PER_USEC; // of each task

struct poll_table_entry {
	file *filp = nullptr;
	u32 key = 0;
	wait_queue_entry wait;
	wait_queue_head *wait_address = nullptr;
};

struct poll_wqueues : poll_table {
	task_struct *polling_task = nullptr;
	bool triggered = false;
	std::size_t inline_index = 0;
	std::array<poll_table_entry, N_INLINE_POLL_ENTRIES> inline_entries;
	std::deque<poll_table_entry> more; // the kernel takes pages
};

} // namespace

// --- how exact a timeout must be ---

static s64 __estimate_accuracy(const timespec64 &tv)
{
	TRACE();
	constexpr s64 divfactor = 1000;

	if (tv.tv_sec < 0)
		return 0;
	if (tv.tv_sec > MAX_SLACK / (static_cast<s64>(NSEC_PER_SEC) / divfactor))
		return MAX_SLACK;
	return std::min(tv.tv_nsec / divfactor + tv.tv_sec * (static_cast<s64>(NSEC_PER_SEC) / divfactor),
	                MAX_SLACK);
}

// A thousandth of the time left.
u64 select_estimate_accuracy(const timespec64 &tv)
{
	TRACE();
	timespec64 now;

	ktime_get_ts64(now);
	set_normalized_timespec64(now, tv.tv_sec - now.tv_sec, tv.tv_nsec - now.tv_nsec);
	return std::max(static_cast<u64>(__estimate_accuracy(now)), timer_slack_ns);
}

static void poll_select_set_timeout(timespec64 &to, s64 sec, s64 nsec)
{
	TRACE();
	if (!sec && !nsec) {
		to = {};
		return;
	}
	ktime_get_ts64(to);
	to = timespec64_add_safe(to, {sec, nsec});
}

// --- waiting on many queues ---

static int __pollwake(wait_queue_entry &wait, unsigned mode, int sync, void *key)
{
	TRACE();
	poll_wqueues &pwq = *static_cast<poll_wqueues *>(wait.priv);
	wait_queue_entry dummy_wait;

	dummy_wait.priv = pwq.polling_task;
	dummy_wait.func = default_wake_function;
	pwq.triggered = true;
	return default_wake_function(dummy_wait, mode, sync, key);
}

static int pollwake(wait_queue_entry &wait, unsigned mode, int sync, void *key)
{
	TRACE();
	const poll_table_entry &entry = container_of(wait, &poll_table_entry::wait);

	if (key && !(key_to_poll(key) & entry.key))
		return 0;
	return __pollwake(wait, mode, sync, key);
}

static poll_table_entry &poll_get_entry(poll_wqueues &p)
{
	TRACE();
	if (p.inline_index < N_INLINE_POLL_ENTRIES)
		return p.inline_entries[p.inline_index++];
	return p.more.emplace_back();
}

static void __pollwait(file &filp, wait_queue_head &wait_address, poll_table &p)
{
	TRACE();
	poll_wqueues &pwq = static_cast<poll_wqueues &>(p);
	poll_table_entry &entry = poll_get_entry(pwq);

	get_file(filp);
	entry.filp = &filp;
	entry.wait_address = &wait_address;
	entry.key = p.key;
	init_waitqueue_func_entry(entry.wait, pollwake);
	entry.wait.priv = &pwq;
	add_wait_queue(wait_address, entry.wait);
}

static void poll_initwait(poll_wqueues &pwq)
{
	TRACE();
	pwq.qproc = __pollwait;
	pwq.polling_task = current.task;
}

static void free_poll_entry(poll_table_entry &entry)
{
	TRACE();
	remove_wait_queue(*entry.wait_address, entry.wait);
	fput(*entry.filp);
}

static void poll_freewait(poll_wqueues &pwq)
{
	TRACE();
	for (std::size_t i = 0; i < pwq.inline_index; ++i)
		free_poll_entry(pwq.inline_entries[i]);
	for (auto entry = pwq.more.rbegin(); entry != pwq.more.rend(); ++entry)
		free_poll_entry(*entry);
}

// 0: time is up.
static int poll_schedule_timeout(poll_wqueues &pwq, int state, const u64 *expires, u64 slack)
{
	TRACE();
	int rc = -EINTR;

	set_current_state(state);
	if (!pwq.triggered)
		rc = schedule_hrtimeout_range(expires, slack);
	set_current_state(TASK_RUNNING);
	pwq.triggered = false;
	return rc;
}

// --- poll ---

u32 vfs_poll(file &f, poll_table *pt)
{
	TRACE_INLINE();
	constexpr u32 DEFAULT_POLLMASK = EPOLLIN | EPOLLOUT | EPOLLRDNORM | EPOLLWRNORM;

	return f.f_op->poll ? f.f_op->poll(f, pt) : DEFAULT_POLLMASK;
}

static u32 do_pollfd(pollfd &pfd, poll_table &pwait, bool &can_busy_poll, u32 busy_flag)
{
	TRACE_INLINE();
	u32 mask = 0;

	if (pfd.fd >= 0) {
		const fd_ref f = __fdget(pfd.fd);

		mask = EPOLLNVAL;
		if (f.f) {
			const u32 filter = static_cast<u16>(pfd.events) | EPOLLERR | EPOLLHUP;

			pwait.key = filter | busy_flag;
			mask = vfs_poll(*f.f, &pwait);
			if (mask & busy_flag)
				can_busy_poll = true;
			mask &= filter;
			fdput(f);
		}
	}
	pfd.revents = static_cast<s16>(mask);
	return mask;
}

static int do_poll(std::vector<pollfd> &list, poll_wqueues &wait, const timespec64 *end_time)
{
	TRACE();
	poll_table &pt = wait;
	bool timed_out = false;
	int count = 0;
	u64 slack = 0;
	u64 expire = 0;
	u32 busy_flag = net_busy_loop_on() ? POLL_BUSY_LOOP : 0;
	u64 busy_start = 0;

	if (end_time && !end_time->tv_sec && !end_time->tv_nsec) {
		pt.qproc = nullptr;
		timed_out = true;
	}
	if (end_time && !timed_out)
		slack = select_estimate_accuracy(*end_time);
	for (;;) {
		bool can_busy_loop = false;

		for (pollfd &pfd : list) {
			if (do_pollfd(pfd, pt, can_busy_loop, busy_flag)) {
				++count;
				pt.qproc = nullptr; // nobody will wait
				busy_flag = 0;
				can_busy_loop = false;
			}
		}
		pt.qproc = nullptr; // all queues have it
		if (!count && signal_pending(*current.task))
			count = -ERESTARTNOHAND;
		if (count || timed_out)
			break;
		if (can_busy_loop && !current.cpu->need_resched) {
			if (!busy_start) {
				busy_start = busy_loop_current_time();
				continue;
			}
			if (!busy_loop_timeout(busy_start))
				continue;
		}
		busy_flag = 0;
		if (end_time)
			expire = static_cast<u64>(timespec64_to_ktime(*end_time));
		if (!poll_schedule_timeout(wait, TASK_INTERRUPTIBLE, end_time ? &expire : nullptr, slack))
			timed_out = true;
	}
	return count;
}

static int do_sys_poll(pollfd *ufds, u32 nfds, const timespec64 *end_time)
{
	TRACE();
	if (nfds > (current.task->files ? current.task->files->nofile : files_struct().nofile))
		return -EINVAL;
	if (!ufds && nfds)
		return -EFAULT;
	std::vector<pollfd> fds(ufds, ufds + nfds);
	poll_wqueues table;

	poll_initwait(table);
	const int fdcount = do_poll(fds, table, end_time);
	poll_freewait(table);
	for (u32 i = 0; i < nfds; ++i)
		ufds[i].revents = fds[i].revents;
	return fdcount;
}

long __x64_sys_poll(const pt_regs &regs)
{
	TRACE();
	auto *ufds = reinterpret_cast<pollfd *>(regs.di);
	const int timeout_msecs = static_cast<int>(regs.dx);
	timespec64 end_time;

	if (timeout_msecs >= 0)
		poll_select_set_timeout(end_time, timeout_msecs / 1000,
		                        static_cast<s64>(NSEC_PER_MSEC) * (timeout_msecs % 1000));
	return do_sys_poll(ufds, static_cast<u32>(regs.si), timeout_msecs >= 0 ? &end_time : nullptr);
}

} // namespace skbwalk
