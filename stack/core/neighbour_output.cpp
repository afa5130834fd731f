// SPDX-License-Identifier: GPL-2.0-only
//
// Sending through a neighbour (net/core/neighbour.c, include/net/neighbour.h): by the cached header while the
// entry is connected (neigh_hh_output), else by the entry's output function: neigh_resolve_output asks first
// and then makes the header, neigh_connected_output makes it, neigh_direct_output sends what needs none.
#include <cstring>

#include "stack/core/neighbour_private.h"

namespace skbwalk {

static void neigh_hh_init(neighbour &n)
{
	TRACE(n.dev);
	_raw_write_lock_bh(n.lock);
	if (!n.hh.hh_len)
		n.dev->header_ops->cache(n, n.hh, n.tbl->protocol);
	_raw_write_unlock_bh(n.lock);
}

int neigh_resolve_output(neighbour &n, skb_ptr skb)
{
	TRACE(skb, n.dev);
	net_device &dev = *n.dev;

	if (neigh_event_send(n, skb.get())) {
		(void)skb.release(); // it waits in the entry's queue, or is gone
		return 0;
	}
	if (dev.header_ops && dev.header_ops->cache && !n.hh.hh_len)
		neigh_hh_init(n);
	__skb_pull(*skb, static_cast<u32>(skb_network_offset(*skb)));
	if (dev_hard_header(*skb, dev, ntohs(skb->protocol), n.ha.data(), nullptr, skb->len) < 0) {
		kfree_skb(std::move(skb));
		return -EINVAL;
	}
	return dev_queue_xmit(std::move(skb));
}

int neigh_connected_output(neighbour &n, skb_ptr skb)
{
	TRACE(skb, n.dev);
	net_device &dev = *n.dev;

	__skb_pull(*skb, static_cast<u32>(skb_network_offset(*skb)));
	if (dev_hard_header(*skb, dev, ntohs(skb->protocol), n.ha.data(), nullptr, skb->len) < 0) {
		kfree_skb(std::move(skb));
		return -EINVAL;
	}
	return dev_queue_xmit(std::move(skb));
}

int neigh_direct_output(neighbour &n, skb_ptr skb)
{
	TRACE(skb, n.dev);
	return dev_queue_xmit(std::move(skb));
}

int neigh_hh_output(hh_cache &hh, skb_ptr skb)
{
	TRACE_INLINE(skb);
	const u32 hh_len = hh.hh_len;

	// The whole aligned block is copied, so there must be room for more than the header.
	if (skb_headroom(*skb) < HH_DATA_MOD) {
		kfree_skb(std::move(skb));
		return NET_XMIT_DROP;
	}
	std::memcpy(skb->data - HH_DATA_MOD, hh.hh_data, HH_DATA_MOD);
	__skb_push(*skb, hh_len);
	return dev_queue_xmit(std::move(skb));
}

int neigh_output(neighbour &n, skb_ptr skb, bool skip_cache)
{
	TRACE_INLINE(skb, n.dev);
	if (!skip_cache && (n.nud_state & NUD_CONNECTED) && n.hh.hh_len)
		return neigh_hh_output(n.hh, std::move(skb));
	return n.output(n, std::move(skb));
}

} // namespace skbwalk
