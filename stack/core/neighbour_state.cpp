// SPDX-License-Identifier: GPL-2.0-only
//
// The states of net/core/neighbour.c (RFC 4861's, for ARP too). A packet for an entry that is not known to be
// reachable asks for it (__neigh_event_send): it waits in the entry's queue while requests go out, or goes on
// while the entry waits for a confirmation (DELAY) before it is probed. Answers come into neigh_update, which
// sends what waits; neigh_timer_handler moves entries when time goes by. Left out: proxies, routers' flags.
#include "stack/core/dst.h"
#include "stack/core/neighbour_private.h"

#include <algorithm>
#include <cassert>

namespace skbwalk {

namespace {

u32 var(const neighbour &n, int attr) { return static_cast<u32>(NEIGH_VAR(*n.parms, attr)); }

u32 retrans_time(const neighbour &n) { return std::max(var(n, NEIGH_VAR_RETRANS_TIME), HZ / 100); }

} // namespace

// --- timers ---

static void neigh_add_timer(neighbour &n, u32 when)
{
	TRACE(n.dev);
	// Times that are too far back would look like the future when jiffies go round.
	const u32 mint = jiffies() - (0x7fffffffu - 86400 * HZ);

	neigh_hold(n);
	if (!time_in_range(n.confirmed, mint, jiffies()))
		n.confirmed = mint;
	if (time_before(n.used, n.confirmed))
		n.used = n.confirmed;
	[[maybe_unused]] const int pending = mod_timer(n.timer, when);
	assert(!pending);
}

int neigh_del_timer(neighbour &n)
{
	TRACE(n.dev);
	if ((n.nud_state & NUD_IN_TIMER) && del_timer(n.timer)) {
		neigh_release(n);
		return 1;
	}
	return 0;
}

// The link-layer address is in doubt: no fast path.
static void neigh_suspect(neighbour &n)
{
	TRACE(n.dev);
	n.output = n.ops->output;
}

static void neigh_connect(neighbour &n)
{
	TRACE(n.dev);
	n.output = n.ops->connected_output;
}

static u32 neigh_max_probes(const neighbour &n)
{
	TRACE(n.dev);
	return var(n, NEIGH_VAR_UCAST_PROBES) + var(n, NEIGH_VAR_APP_PROBES) +
	       (n.nud_state & NUD_PROBE ? var(n, NEIGH_VAR_MCAST_REPROBES) : var(n, NEIGH_VAR_MCAST_PROBES));
}

// Nobody answered. The lock is let go while errors are reported: that may come back to this entry.
static void neigh_invalidate(neighbour &n)
{
	TRACE(n.dev);
	++n.tbl->res_failed;
	n.updated = jiffies();
	while (n.nud_state == NUD_FAILED) {
		skb_ptr skb = __skb_dequeue(n.arp_queue);

		if (!skb)
			break;
		_raw_write_unlock(n.lock);
		n.ops->error_report(n, std::move(skb));
		_raw_write_lock(n.lock);
	}
	__skb_queue_purge(n.arp_queue);
	n.arp_queue_len_bytes = 0;
}

// Called with the lock held, and lets it go.
static void neigh_probe(neighbour &n)
{
	TRACE(n.dev);
	sk_buff *last = skb_peek_tail(n.arp_queue);
	skb_ptr skb;

	if (last)
		skb = skb_clone(*last, GFP_ATOMIC);
	_raw_write_unlock(n.lock);
	if (n.ops->solicit)
		n.ops->solicit(n, skb.get());
	atomic_inc(n.probes);
	consume_skb(std::move(skb));
}

static void neigh_update_notify(neighbour &n, u32 nlmsg_pid)
{
	TRACE(n.dev);
	call_netevent_notifiers(NETEVENT_NEIGH_UPDATE, &n);
	__neigh_notify(n, RTM_NEWNEIGH, 0, nlmsg_pid);
}

void neigh_timer_handler(timer_list &t)
{
	TRACE(container_of(t, &neighbour::timer).dev);
	neighbour &n = container_of(t, &neighbour::timer);
	bool notify = false;

	_raw_write_lock(n.lock);

	const u8 state = n.nud_state;
	const u32 now = jiffies();
	u32 next = now + HZ;

	if (!(state & NUD_IN_TIMER)) {
		_raw_write_unlock(n.lock);
		neigh_release(n);
		return;
	}
	if (state & NUD_REACHABLE) {
		if (time_before_eq(now, n.confirmed + n.parms->reachable_time)) {
			next = n.confirmed + n.parms->reachable_time;
		} else if (time_before_eq(now, n.used + var(n, NEIGH_VAR_DELAY_PROBE_TIME))) {
			n.nud_state = NUD_DELAY;
			n.updated = jiffies();
			neigh_suspect(n);
			next = now + var(n, NEIGH_VAR_DELAY_PROBE_TIME);
		} else {
			n.nud_state = NUD_STALE;
			n.updated = jiffies();
			neigh_suspect(n);
			notify = true;
		}
	} else if (state & NUD_DELAY) {
		if (time_before_eq(now, n.confirmed + var(n, NEIGH_VAR_DELAY_PROBE_TIME))) {
			n.nud_state = NUD_REACHABLE;
			n.updated = jiffies();
			neigh_connect(n);
			notify = true;
			next = n.confirmed + n.parms->reachable_time;
		} else {
			n.nud_state = NUD_PROBE;
			n.updated = jiffies();
			atomic_set(n.probes, 0);
			notify = true;
			next = now + retrans_time(n);
		}
	} else {
		next = now + retrans_time(n); // PROBE or INCOMPLETE
	}

	const bool probing = n.nud_state & (NUD_INCOMPLETE | NUD_PROBE);

	if (probing && static_cast<u32>(atomic_read(n.probes)) >= neigh_max_probes(n)) {
		n.nud_state = NUD_FAILED;
		notify = true;
		neigh_invalidate(n);
		_raw_write_unlock(n.lock);
	} else {
		if (n.nud_state & NUD_IN_TIMER) {
			if (time_before(next, jiffies() + HZ / 100))
				next = jiffies() + HZ / 100;
			if (!mod_timer(n.timer, next))
				neigh_hold(n);
		}
		if (n.nud_state & (NUD_INCOMPLETE | NUD_PROBE))
			neigh_probe(n);
		else
			_raw_write_unlock(n.lock);
	}
	if (notify)
		neigh_update_notify(n, 0);
	neigh_release(n);
}

// --- a packet asks ---

int __neigh_event_send(neighbour &n, sk_buff *skb, bool immediate_ok)
{
	TRACE(skb, n.dev);
	bool immediate_probe = false;
	int rc = 0;

	_raw_write_lock_bh(n.lock);
	if (n.nud_state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)) {
		_raw_write_unlock_bh(n.lock);
		return 0;
	}
	if (n.dead) {
		const bool stale = n.nud_state & NUD_STALE;

		_raw_write_unlock_bh(n.lock);
		if (stale)
			return 0;
		kfree_skb_reason(skb_ptr(skb), SKB_DROP_REASON_NEIGH_DEAD);
		return 1;
	}
	if (!(n.nud_state & (NUD_STALE | NUD_INCOMPLETE))) {
		if (!(var(n, NEIGH_VAR_MCAST_PROBES) + var(n, NEIGH_VAR_APP_PROBES))) {
			n.nud_state = NUD_FAILED;
			n.updated = jiffies();
			_raw_write_unlock_bh(n.lock);
			kfree_skb_reason(skb_ptr(skb), SKB_DROP_REASON_NEIGH_FAILED);
			return 1;
		}

		const u32 now = jiffies();
		u32 next = now + 1;

		atomic_set(n.probes, NEIGH_VAR(*n.parms, NEIGH_VAR_UCAST_PROBES));
		neigh_del_timer(n);
		n.nud_state = NUD_INCOMPLETE;
		n.updated = now;
		if (immediate_ok) {
			immediate_probe = true;
			next = now + retrans_time(n);
		}
		neigh_add_timer(n, next);
	} else if (n.nud_state & NUD_STALE) {
		neigh_del_timer(n);
		n.nud_state = NUD_DELAY;
		n.updated = jiffies();
		neigh_add_timer(n, jiffies() + var(n, NEIGH_VAR_DELAY_PROBE_TIME));
	}
	if (n.nud_state == NUD_INCOMPLETE) {
		if (skb) {
			while (n.arp_queue_len_bytes + skb->truesize > var(n, NEIGH_VAR_QUEUE_LEN_BYTES)) {
				skb_ptr oldest = __skb_dequeue(n.arp_queue);

				if (!oldest)
					break;
				n.arp_queue_len_bytes -= oldest->truesize;
				kfree_skb_reason(std::move(oldest), SKB_DROP_REASON_NEIGH_QUEUEFULL);
				++n.tbl->unres_discards;
			}
			skb_dst_force(*skb);
			n.arp_queue_len_bytes += skb->truesize;
			__skb_queue_tail(n.arp_queue, skb_ptr(skb));
		}
		rc = 1;
	}
	if (immediate_probe)
		neigh_probe(n);
	else
		_raw_write_unlock(n.lock);
	local_bh_enable();
	return rc;
}

int neigh_event_send_probe(neighbour &n, sk_buff *skb, bool immediate_ok)
{
	TRACE_INLINE(skb, n.dev);
	n.used = jiffies();
	if (!(n.nud_state & (NUD_CONNECTED | NUD_DELAY | NUD_PROBE)))
		return __neigh_event_send(n, skb, immediate_ok);
	return 0;
}

int neigh_event_send(neighbour &n, sk_buff *skb)
{
	TRACE_INLINE(skb, n.dev);
	return neigh_event_send_probe(n, skb, true);
}

void neigh_confirm(neighbour &n)
{
	TRACE_INLINE(n.dev);
	n.confirmed = jiffies();
}

// --- an answer comes, or an administrator ---

static void neigh_update_hhs(neighbour &n)
{
	TRACE(n.dev);
	if (n.dev->header_ops && n.dev->header_ops->cache_update && n.hh.hh_len)
		n.dev->header_ops->cache_update(n.hh, *n.dev, n.ha.data());
}

namespace {

// What waited goes out, through the entry that the packet's own route leads to.
void send_queue(neighbour &n)
{
	while (n.nud_state & NUD_VALID) {
		skb_ptr skb = __skb_dequeue(n.arp_queue);

		if (!skb)
			break;

		const dst_entry *dst = skb_dst(*skb);

		_raw_write_unlock_bh(n.lock);
		rcu_read_lock();

		neighbour *n2 = dst && dst->obsolete != DST_OBSOLETE_DEAD ? dst_neigh_lookup_skb(*dst, *skb)
		                                                          : nullptr;
		neighbour &n1 = n2 ? *n2 : n;

		n1.output(n1, std::move(skb));
		if (n2)
			neigh_release(*n2);
		rcu_read_unlock();
		_raw_write_lock_bh(n.lock);
	}
	__skb_queue_purge(n.arp_queue);
	n.arp_queue_len_bytes = 0;
}

struct neigh_change {
	u8 new_state;
	bool notify = false;
	int err = 0;
};

// The part of __neigh_update that is done under the lock.
void apply(neighbour &n, const mac_addr *lladdr, u32 flags, neigh_change &c)
{
	net_device &dev = *n.dev;
	const u8 old = n.nud_state;
	u8 &state = c.new_state;

	c.err = -EPERM;
	if (n.dead) {
		state = old;
		return;
	}
	if (!(flags & NEIGH_UPDATE_F_ADMIN) && (old & (NUD_NOARP | NUD_PERMANENT)))
		return;
	c.err = 0;
	if (flags & NEIGH_UPDATE_F_USE) {
		state = static_cast<u8>(old & ~NUD_PERMANENT);
		n.nud_state = state;
		return;
	}
	if (!(state & NUD_VALID)) {
		neigh_del_timer(n);
		if (old & NUD_CONNECTED)
			neigh_suspect(n);
		n.nud_state = state;
		c.notify = old & NUD_VALID;
		if ((old & (NUD_INCOMPLETE | NUD_PROBE)) && (state & NUD_FAILED)) {
			neigh_invalidate(n);
			c.notify = true;
		}
		return;
	}

	// The address stays, changes, or is not known at all.
	bool same_address = true;

	if (dev.addr_len) {
		if (!lladdr && !(old & NUD_VALID)) {
			c.err = -EINVAL;
			return;
		}
		same_address = !lladdr || ((old & NUD_VALID) && *lladdr == n.ha);
	}
	if (state & NUD_CONNECTED)
		n.confirmed = jiffies();
	if (old & NUD_VALID) {
		if (!same_address && !(flags & NEIGH_UPDATE_F_OVERRIDE)) {
			if (!(flags & NEIGH_UPDATE_F_WEAK_OVERRIDE) || !(old & NUD_CONNECTED))
				return;
			same_address = true;
			state = NUD_STALE;
		} else if (same_address && state == NUD_STALE && !(flags & NEIGH_UPDATE_F_ADMIN)) {
			state = old; // no news
		}
	}
	if (state != old || !same_address)
		n.updated = jiffies();
	if (state != old) {
		neigh_del_timer(n);
		if (state & NUD_PROBE)
			atomic_set(n.probes, 0);
		if (state & NUD_IN_TIMER)
			neigh_add_timer(n, jiffies() + (state & NUD_REACHABLE ? n.parms->reachable_time : 0));
		n.nud_state = state;
		c.notify = true;
	}
	if (!same_address) {
		n.ha = *lladdr;
		neigh_update_hhs(n);
		if (!(state & NUD_CONNECTED))
			n.confirmed = jiffies() - (var(n, NEIGH_VAR_BASE_REACHABLE_TIME) << 1);
		c.notify = true;
	}
	if (state == old)
		return;
	if (state & NUD_CONNECTED)
		neigh_connect(n);
	else
		neigh_suspect(n);
	if (!(old & NUD_VALID))
		send_queue(n);
}

} // namespace

int __neigh_update(neighbour &n, const mac_addr *lladdr, u8 new_state, u32 flags)
{
	TRACE(n.dev);
	neigh_change c{new_state};

	_raw_write_lock_bh(n.lock);

	const u8 old = n.nud_state;

	apply(n, lladdr, flags, c);
	_raw_write_unlock_bh(n.lock);
	if ((c.new_state ^ old) & NUD_PERMANENT)
		neigh_update_gc_list(n);
	if (c.notify)
		neigh_update_notify(n, 0);
	return c.err;
}

int neigh_update(neighbour &n, const mac_addr *lladdr, u8 new_state, u32 flags, u32)
{
	TRACE(n.dev);
	return __neigh_update(n, lladdr, new_state, flags);
}

void __neigh_set_probe_once(neighbour &n)
{
	TRACE(n.dev);
	if (n.dead)
		return;
	n.updated = jiffies();
	if (!(n.nud_state & NUD_FAILED))
		return;
	n.nud_state = NUD_INCOMPLETE;
	atomic_set(n.probes, static_cast<int>(neigh_max_probes(n)));
	neigh_add_timer(n, jiffies() + retrans_time(n));
}

neighbour *neigh_event_ns(neigh_table &tbl, const mac_addr *lladdr, const be32 &saddr, net_device &dev)
{
	TRACE(dev);
	neighbour *n = __neigh_lookup(tbl, saddr, dev, lladdr || !dev.addr_len);

	if (n)
		neigh_update(*n, lladdr, NUD_STALE, NEIGH_UPDATE_F_OVERRIDE, 0);
	return n;
}

} // namespace skbwalk
