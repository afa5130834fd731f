// SPDX-License-Identifier: GPL-2.0-only
//
// fs/eventpoll.c: sets of files to wait for. An item (epitem) watches one descriptor: ep_insert asks the
// file, and its poll queues ep_poll_callback where the file wakes its waiters. The callback puts the item on
// the ready list and wakes one who waits in ep_poll; ep_send_events asks the ready files again and hands out
// what is true then; an item with level triggering goes back to the end of the ready list. While that scan
// runs, callbacks collect items in ovflist.
//
//   file's wait queue -> eppoll_entry -> epitem -> eventpoll: rbr (all), rdllist (ready), wq (waiters)
//
// Left out: wake-up sources, busy polling, the limit on watches.
#include <algorithm>
#include <climits>
#include <cstring>
#include <new>
#include <utility>

#include "stack/kernel/percpu.h"
#include "stack/kernel/refcount.h"
#include "stack/kernel/slab.h"
#include "stack/security/security.h"
#include "stack/socket.h"

namespace skbwalk {

namespace {

constexpr u32 EP_PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
constexpr u32 EPOLLINOUT_BITS = EPOLLIN | EPOLLOUT;
constexpr u32 EPOLLEXCLUSIVE_OK_BITS =
	EPOLLINOUT_BITS | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
constexpr int EP_MAX_NESTS = 4;
constexpr int EP_MAX_EVENTS = INT_MAX / static_cast<int>(sizeof(epoll_event));
constexpr u32 EPOLL_CLOEXEC = SOCK_CLOEXEC;

// A lock to sleep for (mutexes are recorded nowhere, so they have no names here).
struct sleeping_lock {
	const task_struct *owner = nullptr;
	wait_queue_head waiters;

	void lock()
	{
		wait_queue_entry wait;

		for (init_wait(wait); owner; schedule())
			prepare_to_wait_exclusive(waiters, wait, TASK_UNINTERRUPTIBLE);
		if (!list_empty(wait.entry))
			finish_wait(waiters, wait);
		owner = current.task;
	}
	void unlock()
	{
		assert(owner == current.task);
		owner = nullptr;
		if (waitqueue_active(waiters))
			__wake_up(waiters, TASK_NORMAL, 1, nullptr);
	}
};

struct epitem;

struct eppoll_entry {
	eppoll_entry *next = nullptr;
	epitem *base = nullptr;
	wait_queue_entry wait;
	wait_queue_head *whead = nullptr;
};

struct epoll_filefd {
	skbwalk::file *file = nullptr;
	int fd = -1;
};

struct epitem {
	rb_hook rbn;
	rcu_head rcu;
	list_head rdllink;
	epitem *next = nullptr; // in ovflist; EP_UNACTIVE_PTR: not there
	epoll_filefd ffd;
	bool dying = false; // its file is being released
	eppoll_entry *pwqlist = nullptr;
	eventpoll *ep = nullptr;
	list_head fllink; // in file::f_ep
	epoll_event event{};
};
epitem *const EP_UNACTIVE_PTR = reinterpret_cast<epitem *>(~std::uintptr_t{0});

// Unlike the kernel, the descriptor comes first, so that an order does not depend on addresses.
bool ffd_less(const epoll_filefd &a, const epoll_filefd &b)
{
	return a.fd != b.fd ? a.fd < b.fd : a.file < b.file;
}
struct item_less {
	bool operator()(const epitem &a, const epitem &b) const { return ffd_less(a.ffd, b.ffd); }
	bool operator()(const epitem &a, const epoll_filefd &b) const { return ffd_less(a.ffd, b); }
	bool operator()(const epoll_filefd &a, const epitem &b) const { return ffd_less(a, b.ffd); }
};

} // namespace

struct eventpoll {
	sleeping_lock mtx;
	wait_queue_head wq;        // who waits in ep_poll
	wait_queue_head poll_wait; // who polls this set's own file
	list_head rdllist;
	spinlock_t lock; // of rdllist and ovflist
	rb_tree_of<epitem, &epitem::rbn, item_less> rbr;
	epitem *ovflist = EP_UNACTIVE_PTR;
	skbwalk::file *file = nullptr;
	u64 gen = 0; // of the last check for loops that came by
	int loop_check_depth = 0;
	refcount_t refcount;
	rcu_head rcu;
};

namespace {

struct ep_pqueue : poll_table {
	epitem *epi = nullptr;
};

struct eventpoll_globals {
	kmem_cache *epi_cache = nullptr;
	kmem_cache *pwq_cache = nullptr;
	sleeping_lock epmutex;
	u64 loop_check_gen = 0;
	eventpoll *inserting_into = nullptr;
	std::vector<file *> tfile_check_list; // files with new links
	std::array<int, EP_MAX_NESTS + 1> path_count{};
};
perhost<eventpoll_globals> epoll;

// wake_up(), wake_up_sync(): macros in the kernel.
void wake_one(wait_queue_head &wq) { __wake_up(wq, TASK_NORMAL, 1, nullptr); }

template <class T> T &of_rcu(rcu_head &head) { return container_of(head, &T::rcu); }

} // namespace

static int ep_eventpoll_release(file &f);
static u32 ep_eventpoll_poll(file &f, poll_table *wait);
static u32 ep_item_poll(const epitem &epi, poll_table &pt, int depth);

static const file_operations eventpoll_fops = {
	.name = "[eventpoll]",
	.poll = ep_eventpoll_poll,
	.release = ep_eventpoll_release,
	.put = security_file_free,
};

static bool is_file_epoll(const file &f)
{
	TRACE_INLINE();
	return f.f_op == &eventpoll_fops;
}

static bool ep_is_linked(const epitem &epi)
{
	TRACE_INLINE();
	return !list_empty(epi.rdllink);
}

static bool ep_events_available(const eventpoll &ep)
{
	TRACE_INLINE();
	return !list_empty(ep.rdllist) || ep.ovflist != EP_UNACTIVE_PTR;
}

// Tells those who poll the set itself.
static void ep_poll_safewake(eventpoll &ep)
{
	TRACE();
	__wake_up(ep.poll_wait, TASK_NORMAL, 1, poll_to_key(EPOLLIN));
}

static void ep_remove_wait_queue(eppoll_entry &pwq)
{
	TRACE();
	rcu_read_lock();
	if (pwq.whead)
		remove_wait_queue(*pwq.whead, pwq.wait);
	rcu_read_unlock();
}

static void ep_unregister_pollwait(eventpoll &, epitem &epi)
{
	TRACE();
	while (eppoll_entry *pwq = epi.pwqlist) {
		epi.pwqlist = pwq->next;
		ep_remove_wait_queue(*pwq);
		pwq->~eppoll_entry();
		kmem_cache_free(*epoll->pwq_cache, pwq);
	}
}

// --- a scan of the ready list ---

static void ep_start_scan(eventpoll &ep, list_head &txlist)
{
	TRACE();
	_raw_spin_lock_irq(ep.lock);
	list_splice_init(ep.rdllist, txlist);
	ep.ovflist = nullptr;
	_raw_spin_unlock_irq(ep.lock);
}

static void ep_done_scan(eventpoll &ep, list_head &txlist)
{
	TRACE();
	_raw_spin_lock_irq(ep.lock);
	for (epitem *nepi = ep.ovflist; nepi;) {
		epitem &epi = *nepi;

		// ovflist is last in, first out: reversed here.
		if (!ep_is_linked(epi))
			list_add(epi.rdllink, ep.rdllist);
		nepi = std::exchange(epi.next, EP_UNACTIVE_PTR);
	}
	ep.ovflist = EP_UNACTIVE_PTR;
	list_splice_init(txlist, ep.rdllist); // what the scan left
	if (!list_empty(ep.rdllist) && waitqueue_active(ep.wq))
		wake_one(ep.wq);
	_raw_spin_unlock_irq(ep.lock);
}

// --- ends ---

static void epi_rcu_free(rcu_head *head)
{
	TRACE();
	epitem &epi = of_rcu<epitem>(*head);

	epi.~epitem();
	kmem_cache_free(*epoll->epi_cache, &epi);
}

static void ep_get(eventpoll &ep)
{
	TRACE_INLINE();
	refcount_inc(ep.refcount);
}

static bool ep_refcount_dec_and_test(eventpoll &ep)
{
	TRACE();
	if (!refcount_dec_and_test(ep.refcount))
		return false;
	assert(ep.rbr.empty());
	return true;
}

static void ep_free(eventpoll &ep)
{
	TRACE();
	call_rcu(ep.rcu, [](rcu_head *head) {
		eventpoll &gone = of_rcu<eventpoll>(*head);

		gone.~eventpoll();
		kfree(&gone);
	});
}

// Null: the file is being released already.
static file *epi_fget(const epitem &epi)
{
	TRACE();
	file *f = epi.ffd.file;

	if (!f->f_count)
		return nullptr;
	get_file(*f);
	return f;
}

static void ep_remove_file(eventpoll &, epitem &epi, file &f)
{
	TRACE();
	list_del_init(epi.fllink);
	if (list_empty(f.f_ep))
		f.ep_release = nullptr;
}

static bool ep_remove_epi(eventpoll &ep, epitem &epi)
{
	TRACE();
	ep.rbr.erase(ep.rbr.iterator_to(epi));
	_raw_spin_lock_irq(ep.lock);
	if (ep_is_linked(epi))
		list_del_init(epi.rdllink);
	_raw_spin_unlock_irq(ep.lock);
	call_rcu(epi.rcu, epi_rcu_free);
	return true;
}

static void ep_remove(eventpoll &ep, epitem &epi)
{
	TRACE();
	ep_unregister_pollwait(ep, epi);
	if (epi.dying)
		return;
	file *f = epi_fget(epi);
	if (!f)
		return; // eventpoll_release_file is on its way
	ep_remove_file(ep, epi, *f);
	if (ep_remove_epi(ep, epi)) {
		[[maybe_unused]] const bool last = ep_refcount_dec_and_test(ep);
		assert(!last); // the set's own file holds one
	}
	fput(*f);
}

static void ep_clear_and_put(eventpoll &ep)
{
	TRACE();
	if (waitqueue_active(ep.poll_wait))
		ep_poll_safewake(ep);
	ep.mtx.lock();
	for (epitem &epi : ep.rbr) {
		ep_unregister_pollwait(ep, epi);
		cond_resched();
	}
	for (auto it = ep.rbr.begin(); it != ep.rbr.end();) {
		epitem &epi = *it++;

		ep_remove(ep, epi);
		cond_resched();
	}
	ep.mtx.unlock();
	if (ep_refcount_dec_and_test(ep))
		ep_free(ep);
}

static int ep_eventpoll_release(file &f)
{
	TRACE();
	if (f.private_data)
		ep_clear_and_put(*static_cast<eventpoll *>(f.private_data));
	return 0;
}

// A file goes that sets still watch.
static void eventpoll_release_file(file &f)
{
	TRACE();
	while (!list_empty(f.f_ep)) {
		epitem &epi = list_entry(*f.f_ep.next, &epitem::fllink);
		eventpoll &ep = *epi.ep;

		epi.dying = true;
		ep.mtx.lock();
		ep_unregister_pollwait(ep, epi);
		ep_remove_file(ep, epi, f);
		const bool dispose = ep_remove_epi(ep, epi);
		ep.mtx.unlock();
		if (dispose && ep_refcount_dec_and_test(ep))
			ep_free(ep);
	}
}

// --- asking a file ---

static u32 __ep_eventpoll_poll(file &f, poll_table *wait, int depth)
{
	TRACE();
	eventpoll &ep = *static_cast<eventpoll *>(f.private_data);
	list_head txlist;
	poll_table pt;
	u32 res = 0;

	poll_wait(f, &ep.poll_wait, wait);
	ep.mtx.lock();
	ep_start_scan(ep, txlist);
	while (!list_empty(txlist)) {
		epitem &epi = list_entry(*txlist.next, &epitem::rdllink);

		if (ep_item_poll(epi, pt, depth + 1)) {
			res = EPOLLIN | EPOLLRDNORM;
			break;
		}
		list_del_init(epi.rdllink); // woken for nothing that was asked
	}
	ep_done_scan(ep, txlist);
	ep.mtx.unlock();
	return res;
}

static u32 ep_item_poll(const epitem &epi, poll_table &pt, int depth)
{
	TRACE();
	file *f = epi_fget(epi);

	if (!f)
		return 0;
	pt.key = epi.event.events;
	const u32 res = is_file_epoll(*f) ? __ep_eventpoll_poll(*f, &pt, depth) : vfs_poll(*f, &pt);
	fput(*f);
	return res & epi.event.events;
}

static u32 ep_eventpoll_poll(file &f, poll_table *wait)
{
	TRACE();
	return __ep_eventpoll_poll(f, wait, 0);
}

// --- being told ---

static int ep_poll_callback(wait_queue_entry &wait, unsigned, int sync, void *key)
{
	TRACE();
	epitem &epi = *container_of(wait, &eppoll_entry::wait).base;
	eventpoll &ep = *epi.ep;
	const u32 pollflags = key_to_poll(key);
	const u32 wanted = epi.event.events;
	bool pwake = false;
	int ewake = 0;

	const unsigned long flags = _raw_spin_lock_irqsave(ep.lock);
	// Without events (EPOLLONESHOT took them) the item sleeps until it is modified; a key says what
	// happened.
	if ((wanted & ~EP_PRIVATE_BITS) && (!pollflags || (pollflags & wanted))) {
		if (ep.ovflist != EP_UNACTIVE_PTR) {
			if (epi.next == EP_UNACTIVE_PTR) {
				epi.next = ep.ovflist;
				ep.ovflist = &epi;
			}
		} else if (!ep_is_linked(epi)) {
			list_add_tail(epi.rdllink, ep.rdllist);
		}
		if (waitqueue_active(ep.wq)) {
			if (wanted & EPOLLEXCLUSIVE) {
				const u32 in_out = pollflags & EPOLLINOUT_BITS;

				if (!in_out || (in_out != EPOLLINOUT_BITS && (wanted & in_out)))
					ewake = 1;
			}
			if (sync)
				__wake_up_sync(ep.wq, TASK_NORMAL);
			else
				wake_one(ep.wq);
		}
		pwake = waitqueue_active(ep.poll_wait);
	}
	_raw_spin_unlock_irqrestore(ep.lock, flags);
	if (pwake)
		ep_poll_safewake(ep);
	return wanted & EPOLLEXCLUSIVE ? ewake : 1;
}

static void ep_ptable_queue_proc(file &, wait_queue_head &whead, poll_table &pt)
{
	TRACE();
	ep_pqueue &epq = static_cast<ep_pqueue &>(pt);
	epitem *epi = epq.epi;

	if (!epi) // memory ran out before
		return;
	void *memory = kmem_cache_alloc(*epoll->pwq_cache, GFP_KERNEL);
	if (!memory) {
		epq.epi = nullptr;
		return;
	}
	auto *pwq = ::new (memory) eppoll_entry;
	init_waitqueue_func_entry(pwq->wait, ep_poll_callback);
	pwq->whead = &whead;
	pwq->base = epi;
	if (epi->event.events & EPOLLEXCLUSIVE)
		add_wait_queue_exclusive(whead, pwq->wait);
	else
		add_wait_queue(whead, pwq->wait);
	pwq->next = epi->pwqlist;
	epi->pwqlist = pwq;
}

// --- sets within sets ---

static int path_count_inc(int nests)
{
	TRACE();
	static constexpr std::array<int, EP_MAX_NESTS + 1> path_limits{1000, 500, 100, 50, 10};
	const auto depth = static_cast<std::size_t>(nests);

	if (!nests)
		return 0;
	return ++epoll->path_count[depth] > path_limits[depth] ? -1 : 0;
}

static int reverse_path_check_proc(const file &f, int depth)
{
	TRACE();
	if (depth > EP_MAX_NESTS)
		return -1;
	for (list_head *at = f.f_ep.next; at != &f.f_ep; at = at->next) {
		const file &above = *list_entry(*at, &epitem::fllink).ep->file;

		if (const int error = list_empty(above.f_ep) ? path_count_inc(depth)
		                                             : reverse_path_check_proc(above, depth + 1))
			return error;
	}
	return 0;
}

// Would a wake-up of one of the files have to go too many ways?
static int reverse_path_check()
{
	TRACE();
	for (const file *f : epoll->tfile_check_list) {
		epoll->path_count = {};
		if (const int error = reverse_path_check_proc(*f, 0))
			return error;
	}
	return 0;
}

static void list_file(file &f)
{
	TRACE();
	auto &list = epoll->tfile_check_list;

	if (std::find(list.begin(), list.end(), &f) == list.end())
		list.push_back(&f);
}

static int ep_loop_check_proc(eventpoll &ep, int depth)
{
	TRACE();
	int result = 0;

	if (ep.gen == epoll->loop_check_gen)
		return ep.loop_check_depth;
	ep.mtx.lock();
	ep.gen = epoll->loop_check_gen;
	for (epitem &epi : ep.rbr) {
		if (!is_file_epoll(*epi.ffd.file)) {
			list_file(*epi.ffd.file);
			continue;
		}
		eventpoll &ep_tovisit = *static_cast<eventpoll *>(epi.ffd.file->private_data);

		if (&ep_tovisit == epoll->inserting_into || depth > EP_MAX_NESTS)
			result = EP_MAX_NESTS + 1;
		else
			result = std::max(result, ep_loop_check_proc(ep_tovisit, depth + 1) + 1);
		if (result > EP_MAX_NESTS)
			break;
	}
	ep.loop_check_depth = result;
	ep.mtx.unlock();
	return result;
}

static int ep_get_upwards_depth_proc(eventpoll &ep, int depth)
{
	TRACE();
	int result = 0;

	if (ep.gen == epoll->loop_check_gen)
		return ep.loop_check_depth;
	for (list_head *at = ep.file->f_ep.next; at != &ep.file->f_ep; at = at->next)
		result = std::max(result,
		                  ep_get_upwards_depth_proc(*list_entry(*at, &epitem::fllink).ep, depth + 1) +
		                          1);
	ep.gen = epoll->loop_check_gen;
	ep.loop_check_depth = result;
	return result;
}

// May `to` be watched by `ep`: no loop, no chain that is too long?
static int ep_loop_check(eventpoll &ep, eventpoll &to)
{
	TRACE();
	epoll->inserting_into = &ep;
	const int depth = ep_loop_check_proc(to, 0);
	if (depth > EP_MAX_NESTS)
		return -1;
	return depth + 1 + ep_get_upwards_depth_proc(ep, 0) > EP_MAX_NESTS ? -1 : 0;
}

static void clear_tfile_check_list()
{
	TRACE();
	epoll->tfile_check_list.clear();
}

// --- epoll_ctl ---

static epitem *ep_find(eventpoll &ep, file &f, int fd)
{
	TRACE();
	const auto it = ep.rbr.find(epoll_filefd{&f, fd}, item_less{});

	return it == ep.rbr.end() ? nullptr : &*it;
}

static void ep_rbtree_insert(eventpoll &ep, epitem &epi)
{
	TRACE();
	ep.rbr.insert_equal(epi);
}

static int attach_epitem(file &f, epitem &epi)
{
	TRACE();
	f.ep_release = eventpoll_release_file;
	list_add(epi.fllink, f.f_ep);
	return 0;
}

static int ep_insert(eventpoll &ep, const epoll_event &event, file &tfile, int fd, bool full_check)
{
	TRACE();
	void *memory = kmem_cache_alloc(*epoll->epi_cache, GFP_KERNEL);

	if (!memory)
		return -ENOMEM;
	epitem &epi = *::new (memory) epitem;
	epi.ep = &ep;
	epi.ffd = {&tfile, fd};
	epi.event = event;
	epi.next = EP_UNACTIVE_PTR;
	attach_epitem(tfile, epi);
	if (full_check && !is_file_epoll(tfile))
		list_file(tfile);
	ep_rbtree_insert(ep, epi);
	ep_get(ep);
	if (full_check && reverse_path_check()) {
		ep_remove(ep, epi);
		return -EINVAL;
	}

	ep_pqueue epq;
	epq.epi = &epi;
	epq.qproc = ep_ptable_queue_proc;
	const u32 revents = ep_item_poll(epi, epq, 1);
	if (!epq.epi) {
		ep_remove(ep, epi);
		return -ENOMEM;
	}

	bool pwake = false;
	_raw_spin_lock_irq(ep.lock);
	if (revents && !ep_is_linked(epi)) {
		list_add_tail(epi.rdllink, ep.rdllist);
		if (waitqueue_active(ep.wq))
			wake_one(ep.wq);
		pwake = waitqueue_active(ep.poll_wait);
	}
	_raw_spin_unlock_irq(ep.lock);
	if (pwake)
		ep_poll_safewake(ep);
	return 0;
}

static int ep_modify(eventpoll &ep, epitem &epi, const epoll_event &event)
{
	TRACE();
	poll_table pt;
	bool pwake = false;

	epi.event = event; // before the file is asked, lest something is missed
	if (ep_item_poll(epi, pt, 1)) {
		_raw_spin_lock_irq(ep.lock);
		if (!ep_is_linked(epi)) {
			list_add_tail(epi.rdllink, ep.rdllist);
			if (waitqueue_active(ep.wq))
				wake_one(ep.wq);
			pwake = waitqueue_active(ep.poll_wait);
		}
		_raw_spin_unlock_irq(ep.lock);
	}
	if (pwake)
		ep_poll_safewake(ep);
	return 0;
}

static bool ep_op_has_event(int op)
{
	TRACE_INLINE();
	return op != EPOLL_CTL_DEL;
}

// not traced: a part of its caller, as in the kernel
static int ctl_locked(eventpoll &ep, int op, file &tf, int fd, epoll_event &epds, bool full_check)
{
	epitem *epi = ep_find(ep, tf, fd);

	epds.events |= EPOLLERR | EPOLLHUP;
	switch (op) {
	case EPOLL_CTL_ADD:
		return epi ? -EEXIST : ep_insert(ep, epds, tf, fd, full_check);
	case EPOLL_CTL_DEL:
		if (!epi)
			return -ENOENT;
		ep_remove(ep, *epi);
		return 0;
	case EPOLL_CTL_MOD:
		if (!epi)
			return -ENOENT;
		return epi->event.events & EPOLLEXCLUSIVE ? -EINVAL : ep_modify(ep, *epi, epds);
	default:
		return -EINVAL;
	}
}

// not traced: a part of its caller, as in the kernel
static int ctl_files(file &f, int op, file &tf, int fd, epoll_event &epds)
{
	if (!tf.f_op->poll)
		return -EPERM;
	if (&f == &tf || !is_file_epoll(f))
		return -EINVAL;
	if (ep_op_has_event(op) && (epds.events & EPOLLEXCLUSIVE)) {
		if (op == EPOLL_CTL_MOD)
			return -EINVAL;
		if (op == EPOLL_CTL_ADD && (is_file_epoll(tf) || (epds.events & ~EPOLLEXCLUSIVE_OK_BITS)))
			return -EINVAL;
	}

	eventpoll &ep = *static_cast<eventpoll *>(f.private_data);
	bool full_check = false;
	int error = 0;
	ep.mtx.lock();
	// A new link in a set that is watched, or to a set: loops and long chains must not come up.
	if (op == EPOLL_CTL_ADD &&
	    (!list_empty(f.f_ep) || ep.gen == epoll->loop_check_gen || is_file_epoll(tf))) {
		ep.mtx.unlock();
		epoll->epmutex.lock();
		++epoll->loop_check_gen;
		full_check = true;
		if (is_file_epoll(tf) && ep_loop_check(ep, *static_cast<eventpoll *>(tf.private_data)))
			error = -ELOOP;
		if (!error)
			ep.mtx.lock();
	}
	if (!error) {
		error = ctl_locked(ep, op, tf, fd, epds, full_check);
		ep.mtx.unlock();
	}
	if (full_check) {
		clear_tfile_check_list();
		++epoll->loop_check_gen;
		epoll->epmutex.unlock();
	}
	return error;
}

static int do_epoll_ctl(int epfd, int op, int fd, epoll_event &epds)
{
	TRACE();
	const fd_ref f = __fdget(epfd);
	int error = -EBADF;

	if (f.f) {
		const fd_ref tf = __fdget(fd);

		if (tf.f) {
			error = ctl_files(*f.f, op, *tf.f, fd, epds);
			fdput(tf);
		}
		fdput(f);
	}
	return error;
}

long __x64_sys_epoll_ctl(const pt_regs &regs)
{
	TRACE();
	const int op = static_cast<int>(regs.si);
	epoll_event epds{};

	if (ep_op_has_event(op)) {
		const void *uevent = reinterpret_cast<const void *>(regs.r10);

		if (!uevent)
			return -EFAULT;
		std::memcpy(&epds, uevent, sizeof(epds));
	}
	return do_epoll_ctl(static_cast<int>(regs.di), op, static_cast<int>(regs.dx), epds);
}

// --- epoll_create ---

static int ep_alloc(eventpoll *&pep)
{
	TRACE();
	if (!epoll->epi_cache) {
		epoll->epi_cache = &kmem_cache_create("eventpoll_epi", sizeof(epitem), alignof(epitem));
		epoll->pwq_cache =
			&kmem_cache_create("eventpoll_pwq", sizeof(eppoll_entry), alignof(eppoll_entry));
		epoll->loop_check_gen = 1; // eventpoll_init()
	}
	void *memory = kmalloc_trace(sizeof(eventpoll), GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	pep = ::new (memory) eventpoll;
	init_waitqueue_head(pep->wq);
	init_waitqueue_head(pep->poll_wait);
	refcount_set(pep->refcount, 1);
	return 0;
}

static int do_epoll_create(u32 flags)
{
	TRACE();
	eventpoll *ep = nullptr;

	if (flags & ~EPOLL_CLOEXEC)
		return -EINVAL;
	if (const int error = ep_alloc(ep))
		return error;
	const int fd = get_unused_fd_flags(flags);
	if (fd < 0) {
		ep_clear_and_put(*ep);
		return fd;
	}
	file *f = alloc_file_pseudo(eventpoll_fops, ep, 0);
	if (!f) {
		put_unused_fd(fd);
		ep_clear_and_put(*ep);
		return -ENFILE;
	}
	ep->file = f;
	fd_install(fd, *f);
	return fd;
}

long __x64_sys_epoll_create1(const pt_regs &regs)
{
	TRACE();
	return do_epoll_create(static_cast<u32>(regs.di));
}

// --- epoll_wait ---

static int ep_send_events(eventpoll &ep, epoll_event *events, int maxevents)
{
	TRACE();
	list_head txlist;
	poll_table pt;
	int res = 0;

	if (current.task->fatal_signal)
		return -EINTR;
	ep.mtx.lock();
	ep_start_scan(ep, txlist);
	while (!list_empty(txlist) && res < maxevents) {
		epitem &epi = list_entry(*txlist.next, &epitem::rdllink);

		list_del_init(epi.rdllink);
		const u32 revents = ep_item_poll(epi, pt, 1);
		if (!revents)
			continue;
		events[res++] = {revents, epi.event.data};
		if (epi.event.events & EPOLLONESHOT)
			epi.event.events &= EP_PRIVATE_BITS;
		else if (!(epi.event.events & EPOLLET))
			list_add_tail(epi.rdllink, ep.rdllist); // asked again the next time
	}
	ep_done_scan(ep, txlist);
	ep.mtx.unlock();
	return res;
}

static timespec64 *ep_timeout_to_timespec(timespec64 &to, int ms)
{
	TRACE();
	timespec64 now;

	if (ms < 0)
		return nullptr;
	to = {ms / 1000, static_cast<s64>(NSEC_PER_MSEC) * (ms % 1000)};
	if (ms) {
		ktime_get_ts64(now);
		to = timespec64_add_safe(now, to);
	}
	return &to;
}

// Leaves the queue whether or not somebody was woken: an entry is not used twice.
static int ep_autoremove_wake_function(wait_queue_entry &entry, unsigned mode, int sync, void *key)
{
	TRACE();
	const int ret = default_wake_function(entry, mode, sync, key);

	list_del_init(entry.entry);
	return ret;
}

static int ep_poll(eventpoll &ep, epoll_event *events, int maxevents, const timespec64 *timeout)
{
	TRACE();
	bool timed_out = false;
	u64 slack = 0;
	u64 expires = 0;
	const u64 *to = nullptr;

	if (timeout && (timeout->tv_sec | timeout->tv_nsec)) {
		slack = select_estimate_accuracy(*timeout);
		expires = static_cast<u64>(timespec64_to_ktime(*timeout));
		to = &expires;
	} else if (timeout) {
		timed_out = true;
	}
	bool eavail = ep_events_available(ep);
	for (;;) {
		if (eavail) {
			if (const int res = ep_send_events(ep, events, maxevents))
				return res;
		}
		if (timed_out)
			return 0;
		if (signal_pending(*current.task))
			return -EINTR;

		wait_queue_entry wait;
		init_wait_func(wait, ep_autoremove_wake_function);
		_raw_spin_lock_irq(ep.lock);
		set_current_state(TASK_INTERRUPTIBLE);
		eavail = ep_events_available(ep);
		if (!eavail)
			__add_wait_queue_exclusive(ep.wq, wait);
		_raw_spin_unlock_irq(ep.lock);
		if (!eavail)
			timed_out = !schedule_hrtimeout_range(to, slack);
		set_current_state(TASK_RUNNING);
		eavail = true;
		if (!list_empty(wait.entry)) {
			_raw_spin_lock_irq(ep.lock);
			// Off the queue meanwhile: woken after the time was up, and so there is something.
			if (timed_out)
				eavail = list_empty(wait.entry);
			list_del_init(wait.entry);
			_raw_spin_unlock_irq(ep.lock);
		}
	}
}

static int do_epoll_wait(int epfd, epoll_event *events, int maxevents, const timespec64 *to)
{
	TRACE();
	if (maxevents <= 0 || maxevents > EP_MAX_EVENTS)
		return -EINVAL;
	if (!events)
		return -EFAULT;
	const fd_ref f = __fdget(epfd);
	if (!f.f)
		return -EBADF;
	int error = -EINVAL;
	if (is_file_epoll(*f.f))
		error = ep_poll(*static_cast<eventpoll *>(f.f->private_data), events, maxevents, to);
	fdput(f);
	return error;
}

long __x64_sys_epoll_wait(const pt_regs &regs)
{
	TRACE();
	timespec64 to;

	return do_epoll_wait(static_cast<int>(regs.di), reinterpret_cast<epoll_event *>(regs.si),
	                     static_cast<int>(regs.dx),
	                     ep_timeout_to_timespec(to, static_cast<int>(regs.r10)));
}

} // namespace skbwalk
