// SPDX-License-Identifier: GPL-2.0-only
//
// Softnet and NAPI (net/core/dev.c): packets of devices without a poll function come into netif_rx and wait
// in this cpu's backlog (enqueue_to_backlog); NET_RX_SOFTIRQ polls each scheduled instance (net_rx_action),
// the backlog's own being process_backlog. Packets that another cpu shall process go to its backlog
// (dev_rps.cpp). Instances of a device that is threaded are polled by threads of their own
// (napi_threaded_poll), which scheduling wakes. Busy polling is in dev_busy_poll.cpp. Left out: netpoll.
#include "stack/core/busy_poll.h"
#include "stack/core/gro.h"
#include "stack/core/net_namespace.h"
#include "stack/core/netdev_queues.h"
#include "stack/core/netdevice.h"
#include "stack/core/rps.h"
#include "stack/core/sysctl_net_core.h"
#include "stack/kernel/delay.h"
#include "stack/kernel/jiffies.h"
#include "stack/kernel/kthread.h"

namespace skbwalk {

percpu<softnet_data> softnet;

static int process_backlog(napi_struct &napi, int quota);

softnet_data::softnet_data()
{
	cpu = current.cpu->id;
	INIT_CSD(csd, rps_trigger_softirq, this);
	INIT_CSD(defer_csd, trigger_rx_softirq, this);
	backlog.poll = process_backlog;
	backlog.weight = 64;
}

softnet_data::~softnet_data()
{
	__skb_queue_purge(input_pkt_queue);
	__skb_queue_purge(process_queue);
	__skb_queue_purge(defer_list);
	while (completion_queue) {
		skb_ptr skb(completion_queue);

		completion_queue = skb->next;
		skb->next = nullptr;
		__kfree_skb(std::move(skb));
	}
}

// --- the backlog ---

// With the interrupts off. Unlike 6.1's one function, 4.18 takes a plain lock beside local_irq_save.
static unsigned long rps_lock_irqsave(softnet_data &sd)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		const unsigned long flags = local_irq_save();

		spin_lock(sd.input_pkt_queue.lock);
		return flags;
	}
	return _raw_spin_lock_irqsave(sd.input_pkt_queue.lock);
}

static void rps_unlock_irq_restore(softnet_data &sd, unsigned long flags)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		spin_unlock(sd.input_pkt_queue.lock);
		local_irq_restore(flags);
		return;
	}
	_raw_spin_unlock_irqrestore(sd.input_pkt_queue.lock, flags);
}

static void rps_lock_irq_disable(softnet_data &sd)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		local_irq_disable();
		spin_lock(sd.input_pkt_queue.lock);
		return;
	}
	_raw_spin_lock_irq(sd.input_pkt_queue.lock);
}

static void rps_unlock_irq_enable(softnet_data &sd)
{
	TRACE_INLINE();
	if (current.host->features.backlog_plain_lock) {
		spin_unlock(sd.input_pkt_queue.lock);
		local_irq_enable();
		return;
	}
	_raw_spin_unlock_irq(sd.input_pkt_queue.lock);
}

void ____napi_schedule(softnet_data &sd, napi_struct &napi)
{
	TRACE(napi.dev);
	if (task_struct *const thread = napi.thread; (napi.state & NAPI_STATE_THREADED) && thread) {
		if (thread->state != TASK_INTERRUPTIBLE) // else being woken tells it that the poll is its own
			napi.state |= NAPI_STATE_SCHED_THREADED;
		wake_up_process(*thread);
		return;
	}
	list_add_tail(napi.poll_list, sd.poll_list);
	raise_softirq_irqoff(NET_RX_SOFTIRQ);
}

// 1: another cpu's, which is told later.
static int napi_schedule_rps(softnet_data &sd)
{
	TRACE();
	softnet_data &mysd = *softnet;

	if (&sd != &mysd) {
		sd.rps_ipi_next = mysd.rps_ipi_list;
		mysd.rps_ipi_list = &sd;
		__raise_softirq_irqoff(NET_RX_SOFTIRQ);
		return 1;
	}
	__napi_schedule_irqoff(mysd.backlog);
	return 0;
}

int enqueue_to_backlog(skb_ptr skb, int cpu, u32 &qtail)
{
	TRACE(skb, skb->dev);
	skb_drop_reason reason = SKB_DROP_REASON_NOT_SPECIFIED;
	softnet_data &sd = softnet.of(*current.host->cpus[static_cast<std::size_t>(cpu)]);
	const unsigned long flags = rps_lock_irqsave(sd);

	if (netif_running(*skb->dev)) {
		const u32 qlen = skb_queue_len(sd.input_pkt_queue);

		if (qlen <= static_cast<u32>(net_core->netdev_max_backlog) && !skb_flow_limit(*skb, qlen)) {
			if (!qlen && !(sd.backlog.state & NAPI_STATE_SCHED)) {
				sd.backlog.state |= NAPI_STATE_SCHED;
				napi_schedule_rps(sd);
			}
			__skb_queue_tail(sd.input_pkt_queue, std::move(skb));
			qtail = ++sd.input_queue_tail;
			rps_unlock_irq_restore(sd, flags);
			return NET_RX_SUCCESS;
		}
		reason = SKB_DROP_REASON_CPU_BACKLOG;
	}
	++sd.dropped;
	rps_unlock_irq_restore(sd, flags);
	++skb->dev->rx_dropped;
	kfree_skb_reason(std::move(skb), reason);
	return NET_RX_DROP;
}

int netif_rx_internal(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	if (rps->needed) {
		rps_dev_flow voidflow, *rflow = &voidflow;

		rcu_read_lock();

		int cpu = get_rps_cpu(*skb->dev, *skb, rflow);

		if (cpu < 0)
			cpu = smp_processor_id();

		const int ret = enqueue_to_backlog(std::move(skb), cpu, rflow->last_qtail);

		rcu_read_unlock();
		return ret;
	}
	u32 qtail;

	return enqueue_to_backlog(std::move(skb), smp_processor_id(), qtail);
}

int __netif_rx(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	assert(in_interrupt());
	return netif_rx_internal(std::move(skb));
}

int netif_rx(skb_ptr skb)
{
	TRACE(skb, skb->dev);
	const bool need_bh_off = !in_interrupt();

	if (need_bh_off)
		local_bh_disable();

	const int ret = netif_rx_internal(std::move(skb));

	if (need_bh_off)
		local_bh_enable();
	return ret;
}

static int process_backlog(napi_struct &napi, int quota)
{
	TRACE();
	softnet_data &sd = *softnet;
	int work = 0;

	assert(&napi == &sd.backlog);
	// Better now than at the end of net_rx_action.
	if (sd_has_rps_ipi_waiting(sd)) {
		local_irq_disable();
		net_rps_action_and_irq_enable(sd);
	}
	napi.weight = net_core->dev_weight;
	for (bool again = true; again;) {
		while (skb_ptr skb = __skb_dequeue(sd.process_queue)) {
			rcu_read_lock();
			__netif_receive_skb(std::move(skb));
			rcu_read_unlock();
			++sd.input_queue_head;
			if (++work >= quota)
				return work;
		}
		rps_lock_irq_disable(sd);
		if (skb_queue_empty(sd.input_pkt_queue)) {
			napi.state = 0;
			again = false;
		} else {
			skb_queue_splice_tail_init(sd.input_pkt_queue, sd.process_queue);
		}
		rps_unlock_irq_enable(sd);
	}
	return work;
}

// --- NAPI ---

namespace {

// All instances by id: what a socket remembers of the queue that its packets come through.
struct napi_hash_t {
	std::array<list_head, 256> head;
	u32 gen_id = 0;
};
perhost<napi_hash_t> napi_hash;

} // namespace

napi_struct *napi_by_id(u32 napi_id)
{
	TRACE();
	list_head &head = napi_hash->head[napi_id % napi_hash->head.size()];

	for (list_head *l = head.next; l != &head; l = l->next) {
		napi_struct &napi = list_entry(*l, &napi_struct::napi_hash_node);

		if (napi.napi_id == napi_id)
			return &napi;
	}
	return nullptr;
}

static void napi_hash_add(napi_struct &napi)
{
	TRACE(napi.dev);
	if (napi.state & NAPI_STATE_NO_BUSY_POLL)
		return;
	u32 &gen = napi_hash->gen_id;

	do {
		if (++gen < MIN_NAPI_ID)
			gen = MIN_NAPI_ID;
	} while (napi_by_id(gen));
	napi.napi_id = gen;
	list_add(napi.napi_hash_node, napi_hash->head[gen % napi_hash->head.size()]);
}

static void napi_hash_del(napi_struct &napi)
{
	TRACE(napi.dev);
	list_del_init(napi.napi_hash_node);
}

bool napi_schedule_prep(napi_struct &n)
{
	TRACE(n.dev);
	const u32 val = n.state;

	if (val & NAPI_STATE_DISABLE)
		return false;
	n.state |= NAPI_STATE_SCHED;
	if (val & NAPI_STATE_SCHED)
		n.state |= NAPI_STATE_MISSED;
	return !(val & NAPI_STATE_SCHED);
}

void __napi_schedule(napi_struct &n)
{
	TRACE(n.dev);
	const unsigned long flags = local_irq_save();

	____napi_schedule(*softnet, n);
	local_irq_restore(flags);
}

void __napi_schedule_irqoff(napi_struct &n)
{
	TRACE(n.dev);
	____napi_schedule(*softnet, n);
}

bool napi_schedule(napi_struct &n)
{
	TRACE_INLINE(n.dev);
	if (!napi_schedule_prep(n))
		return false;
	__napi_schedule(n);
	return true;
}

bool napi_complete(napi_struct &n)
{
	TRACE_INLINE(n.dev);
	return napi_complete_done(n, 0);
}

// The poll found less than its budget. What GRO holds goes up, unless the device has a time for it
// (gro_flush_timeout): then the instance is polled again after that, and what is older goes up. False: the
// interrupt stays off, since it will be polled again.
bool napi_complete_done(napi_struct &n, int work_done)
{
	TRACE(n.dev);
	u64 timeout = 0;
	bool ret = true;

	if (n.state & (NAPI_STATE_NPSVC | NAPI_STATE_IN_BUSY_POLL))
		return false;
	if (work_done) {
		if (n.gro_bitmask)
			timeout = n.dev->gro_flush_timeout;
		n.defer_hard_irqs_count = n.dev->napi_defer_hard_irqs;
	}
	if (n.defer_hard_irqs_count > 0) {
		--n.defer_hard_irqs_count;
		timeout = n.dev->gro_flush_timeout;
		if (timeout)
			ret = false;
	}
	if (n.gro_bitmask)
		napi_gro_flush(n, timeout != 0);
	gro_normal_list(n);
	if (!list_empty(n.poll_list)) {
		const unsigned long flags = local_irq_save();

		list_del_init(n.poll_list);
		local_irq_restore(flags);
	}
	const u32 val = n.state;

	assert(val & NAPI_STATE_SCHED);
	n.state &= ~(NAPI_STATE_MISSED | NAPI_STATE_SCHED | NAPI_STATE_SCHED_THREADED |
	             NAPI_STATE_PREFER_BUSY_POLL);
	if (val & NAPI_STATE_MISSED) { // an event came while it was polled: once more
		n.state |= NAPI_STATE_SCHED;
		__napi_schedule(n);
		return false;
	}
	if (timeout)
		hrtimer_start(n.timer, static_cast<ktime_t>(timeout), HRTIMER_MODE_REL_PINNED);
	return ret;
}

// gro_flush_timeout is over. Not an event of the device: MISSED stays as it is.
static hrtimer_restart napi_watchdog(hrtimer &timer)
{
	TRACE();
	napi_struct &napi = container_of(timer, &napi_struct::timer);

	if (!napi_disable_pending(napi) && !(napi.state & NAPI_STATE_SCHED)) {
		napi.state |= NAPI_STATE_SCHED;
		napi.state &= ~NAPI_STATE_PREFER_BUSY_POLL;
		__napi_schedule_irqoff(napi);
	}
	return HRTIMER_NORESTART;
}

// --- threads ---

// -1: the thread is to end; else the right to poll is its own.
static int napi_thread_wait(napi_struct &napi)
{
	TRACE(napi.dev);
	bool woken = false;

	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		// SCHED alone does not say whose it is: a busy poller's, or napi_disable's.
		if ((napi.state & NAPI_STATE_SCHED_THREADED) || woken) {
			assert(list_empty(napi.poll_list));
			set_current_state(TASK_RUNNING);
			return 0;
		}
		schedule();
		woken = true;
		set_current_state(TASK_INTERRUPTIBLE);
	}
	set_current_state(TASK_RUNNING);
	return -1;
}

static int __napi_poll(napi_struct &n, bool &repoll);

static void napi_threaded_poll(napi_struct &napi)
{
	TRACE(napi.dev);
	while (!napi_thread_wait(napi)) {
		for (bool repoll = true; repoll;) {
			repoll = false;
			local_bh_disable();
			__napi_poll(napi, repoll);
			local_bh_enable();
			if (repoll)
				cond_resched();
		}
	}
}

// not traced: the end of __netif_napi_del
static void end_thread(napi_struct &napi)
{
	if (!napi.thread)
		return;
	kthread_stop(*napi.thread);
	delete std::exchange(napi.thread, nullptr);
}

// not traced: in the kernel the threads end with the instances, which here can go in a callback of RCU's
void end_threads_of(net_device &dev)
{
	for (list_head *l = dev.napi_list.next; l != &dev.napi_list; l = l->next)
		end_thread(list_entry(*l, &napi_struct::dev_list));
}

// Unlike the kernel's, which any cpu may run, the thread stays on the cpu that it is made on.
static int napi_kthread_create(napi_struct &n)
{
	TRACE(n.dev);
	n.thread =
		kthread_create(*current.cpu, "napi/" + n.dev->name + '-' + std::to_string(n.napi_id), [&n] {
			napi_threaded_poll(n);
		}).release();       // until __netif_napi_del
	wake_up_process(*n.thread); // once, to where it sleeps
	return 0;
}

// Who polls now goes on; from the next time that it is scheduled on, it is the other.
int dev_set_threaded(net_device &dev, bool threaded)
{
	TRACE(dev);
	if (dev.threaded == threaded)
		return 0;
	for (list_head *l = dev.napi_list.next; l != &dev.napi_list; l = l->next) {
		napi_struct &napi = list_entry(*l, &napi_struct::dev_list);

		if (threaded && !napi.thread)
			napi_kthread_create(napi);
	}
	dev.threaded = threaded;
	for (list_head *l = dev.napi_list.next; l != &dev.napi_list; l = l->next) {
		napi_struct &napi = list_entry(*l, &napi_struct::dev_list);

		if (threaded)
			napi.state |= NAPI_STATE_THREADED;
		else
			napi.state &= ~NAPI_STATE_THREADED;
	}
	return 0;
}

void netif_napi_add_weight(net_device &dev, napi_struct &napi, int (*poll)(napi_struct &napi, int budget),
                           int weight)
{
	TRACE(dev);
	assert(!(napi.state & NAPI_STATE_LISTED));
	INIT_LIST_HEAD(napi.poll_list);
	INIT_LIST_HEAD(napi.napi_hash_node);
	hrtimer_init(napi.timer, HRTIMER_MODE_REL_PINNED);
	napi.timer.function = napi_watchdog;
	init_gro_hash(napi);
	napi.skb = nullptr;
	INIT_LIST_HEAD(napi.rx_list);
	napi.rx_count = 0;
	napi.poll = poll;
	napi.weight = weight;
	napi.dev = &dev;
	napi.state |= NAPI_STATE_LISTED | NAPI_STATE_SCHED | NAPI_STATE_NPSVC; // until napi_enable
	list_add(napi.dev_list, dev.napi_list);
	napi_hash_add(napi);
	if (dev.threaded)
		napi_kthread_create(napi);
}

void netif_napi_add(net_device &dev, napi_struct &napi, int (*poll)(napi_struct &napi, int budget))
{
	TRACE_INLINE(dev);
	netif_napi_add_weight(dev, napi, poll, NAPI_POLL_WEIGHT);
}

void __netif_napi_del(napi_struct &napi)
{
	TRACE(napi.dev);
	if (!(napi.state & NAPI_STATE_LISTED))
		return;
	napi.state &= ~NAPI_STATE_LISTED;
	napi_hash_del(napi);
	list_del_init(napi.dev_list);
	napi_free_frags(napi);
	flush_gro_hash(napi);
	napi.gro_bitmask = 0;
	end_thread(napi);
}

void netif_napi_del(napi_struct &napi)
{
	TRACE_INLINE(napi.dev);
	__netif_napi_del(napi);
}

void napi_enable(napi_struct &n)
{
	TRACE(n.dev);
	assert(n.state & NAPI_STATE_SCHED);
	n.state &= ~(NAPI_STATE_SCHED | NAPI_STATE_NPSVC);
	if (n.dev->threaded && n.thread)
		n.state |= NAPI_STATE_THREADED;
}

// Whoever has the right to poll gives it up first: nothing schedules the instance any more.
void napi_disable(napi_struct &n)
{
	TRACE(n.dev);
	might_sleep();
	n.state |= NAPI_STATE_DISABLE;
	while (n.state & (NAPI_STATE_SCHED | NAPI_STATE_NPSVC))
		usleep_range(20, 200);
	n.state |= NAPI_STATE_SCHED | NAPI_STATE_NPSVC;
	n.state &= ~(NAPI_STATE_THREADED | NAPI_STATE_PREFER_BUSY_POLL);
	hrtimer_cancel(n.timer);
	n.state &= ~NAPI_STATE_DISABLE;
}

static int __napi_poll(napi_struct &n, bool &repoll)
{
	TRACE(n.dev);
	const int weight = n.weight;
	int work = 0;

	if (n.state & NAPI_STATE_SCHED)
		work = n.poll(n, weight);
	assert(work <= weight);
	if (work < weight)
		return work;
	if (napi_disable_pending(n)) {
		napi_complete(n);
		return work;
	}
	if (napi_prefer_busy_poll(n)) {
		if (napi_complete_done(n, work))
			napi_schedule(n); // there is no time after which it is polled
		return work;
	}
	if (n.gro_bitmask)
		napi_gro_flush(n, HZ >= 1000);
	gro_normal_list(n);
	if (!list_empty(n.poll_list))
		return work;
	repoll = true;
	return work;
}

static int napi_poll(napi_struct &n, list_head &repoll)
{
	TRACE(n.dev);
	bool do_repoll = false;

	list_del_init(n.poll_list);

	const int work = __napi_poll(n, do_repoll);

	if (do_repoll)
		list_add_tail(n.poll_list, repoll);
	return work;
}

// Packets of which another cpu had the last reference come back here.
static void skb_defer_free_flush(softnet_data &sd)
{
	TRACE();
	if (skb_queue_empty_lockless(sd.defer_list))
		return;

	sk_buff_head list;
	const unsigned long flags = _raw_spin_lock_irqsave(sd.defer_list.lock);

	skb_queue_splice_tail_init(sd.defer_list, list);
	_raw_spin_unlock_irqrestore(sd.defer_list.lock, flags);
	while (skb_ptr skb = __skb_dequeue(list))
		napi_consume_skb(std::move(skb), 1);
}

void net_rx_action()
{
	TRACE();
	softnet_data &sd = *softnet;
	const u32 time_limit =
		jiffies() + __usecs_to_jiffies(static_cast<u32>(net_core->netdev_budget_usecs));
	int budget = net_core->netdev_budget;
	list_head list;
	list_head repoll;

	local_irq_disable();
	list_splice_init(sd.poll_list, list);
	local_irq_enable();

	sd.in_net_rx_action = true;
	for (;;) {
		skb_defer_free_flush(sd);
		if (list_empty(list))
			break;
		budget -= napi_poll(list_entry(*list.next, &napi_struct::poll_list), repoll);
		if (budget <= 0 || time_after_eq(jiffies(), time_limit)) {
			++sd.time_squeeze;
			break;
		}
	}
	sd.in_net_rx_action = false;
	if (list_empty(list) && list_empty(repoll) && !sd_has_rps_ipi_waiting(sd))
		return;

	local_irq_disable();
	list_splice_tail_init(sd.poll_list, list);
	list_splice_tail_init(repoll, list);
	list_splice_init(list, sd.poll_list);
	if (!list_empty(sd.poll_list))
		__raise_softirq_irqoff(NET_RX_SOFTIRQ);
	net_rps_action_and_irq_enable(sd);
}

} // namespace skbwalk
