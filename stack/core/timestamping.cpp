// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/timestamping.c and the software time stamps of net/core/skbuff.c. No device here has a PHY that
// stamps packets, so none is handed to one; a stamp that a socket asked for goes to its error queue.
#include "stack/core/errqueue.h"
#include "stack/core/sock.h"

namespace skbwalk {

void skb_clone_tx_timestamp(sk_buff &skb)
{
	TRACE(skb);
	// Without a socket nobody wants the stamp; with one the kernel looks for dev->phydev->mii_ts.
	if (!skb.sk)
		return;
}

bool skb_defer_rx_timestamp(sk_buff &skb)
{
	TRACE(skb);
	// The kernel looks for dev->phydev->mii_ts.
	return false;
}

static void __skb_complete_tx_timestamp(skb_ptr skb, sock &sk)
{
	TRACE(skb, sk);
	sock_exterr_skb &serr = SKB_EXT_ERR(*skb);

	serr = {};
	serr.ee.ee_errno = ENOMSG;
	serr.ee.ee_origin = SO_EE_ORIGIN_TIMESTAMPING;
	serr.ee.ee_data = skb_shinfo(*skb).tskey;
	if (sock_queue_err_skb(sk, skb))
		kfree_skb(std::move(skb));
}

void skb_tstamp_tx(sk_buff &orig_skb)
{
	TRACE(orig_skb);
	sock *sk = orig_skb.sk;

	if (!sk)
		return;
	skb_ptr skb = skb_clone(orig_skb, GFP_ATOMIC);
	if (!skb)
		return;
	skb->tstamp = ktime_get_real_ns();
	__skb_complete_tx_timestamp(std::move(skb), *sk);
}

} // namespace skbwalk
