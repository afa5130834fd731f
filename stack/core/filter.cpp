// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/filter.c: what may come into a socket. Security modules are asked; a program cannot be attached
// yet.
#include "stack/core/sock.h"

namespace skbwalk {

// `cap` bytes at least are left by a program that trims.
int sk_filter_trim_cap(sock &sk, sk_buff &skb, [[maybe_unused]] u32 cap)
{
	TRACE(sk, skb);
	if (const int err = security_sock_rcv_skb(sk, skb))
		return err;
	rcu_read_lock();
	assert(!sk.sk_filter_ptr);
	rcu_read_unlock();
	return 0;
}

} // namespace skbwalk
