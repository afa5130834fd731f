// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/skbuff.c, fifth part: lists of packets under their own lock, and the purge of TCP's trees.
#include "stack/core/skbuff.h"

namespace skbwalk {

void skb_queue_head(sk_buff_head &l, skb_ptr skb)
{
	TRACE(skb);
	const unsigned long flags = _raw_spin_lock_irqsave(l.lock);

	__skb_queue_head(l, std::move(skb));
	_raw_spin_unlock_irqrestore(l.lock, flags);
}

void skb_queue_tail(sk_buff_head &l, skb_ptr skb)
{
	TRACE(skb);
	const unsigned long flags = _raw_spin_lock_irqsave(l.lock);

	__skb_queue_tail(l, std::move(skb));
	_raw_spin_unlock_irqrestore(l.lock, flags);
}

skb_ptr skb_dequeue(sk_buff_head &l)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(l.lock);
	skb_ptr skb = __skb_dequeue(l);

	_raw_spin_unlock_irqrestore(l.lock, flags);
	return skb;
}

skb_ptr skb_dequeue_tail(sk_buff_head &l)
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(l.lock);
	skb_ptr skb = __skb_dequeue_tail(l);

	_raw_spin_unlock_irqrestore(l.lock, flags);
	return skb;
}

skb_ptr skb_unlink(sk_buff &skb, sk_buff_head &l)
{
	TRACE(skb);
	const unsigned long flags = _raw_spin_lock_irqsave(l.lock);
	skb_ptr out = __skb_unlink(skb, l);

	_raw_spin_unlock_irqrestore(l.lock, flags);
	return out;
}

void skb_queue_purge(sk_buff_head &l)
{
	TRACE();
	while (skb_ptr skb = skb_dequeue(l))
		kfree_skb(std::move(skb));
}

// What all in the tree counted for.
u32 skb_rbtree_purge(skb_rb_root &r)
{
	TRACE();
	u32 sum = 0;

	while (sk_buff *skb = skb_rb_first(r)) {
		r.erase(r.iterator_to(*skb));
		sum += skb->truesize;
		kfree_skb(skb_ptr(skb));
	}
	return sum;
}

} // namespace skbwalk
