// SPDX-License-Identifier: GPL-2.0-only
//
// The part of net/core/request_sock.c that knows TCP: the end of a request whose child was made by the SYN
// itself (Fast Open). It comes here when the handshake is done, when the child ends before, and when the
// child is accepted and reset.

#include "stack/ipv4/tcp.h"

namespace skbwalk {

// `reset`: the handshake failed. The request then counts for a minute more against the listener's limit,
// which shuts Fast Open where somebody sends SYNs with forged addresses.
void reqsk_fastopen_remove(sock &sk, request_sock *req, bool reset)
{
	TRACE(sk);
	sock &lsk = *req->rsk_listener();
	fastopen_queue &fastopenq = inet_csk(lsk).icsk_accept_queue.fastopenq;

	tcp_sk(sk).fastopen_rsk = nullptr;
	spin_lock_bh(fastopenq.lock);
	fastopenq.qlen--;
	tcp_rsk(*req).tfo_listener = false;
	if (req->sk) { // not accepted yet: accept() puts it
		spin_unlock_bh(fastopenq.lock);
		return;
	}
	if (!reset || lsk.sk_state != TCP_LISTEN) {
		spin_unlock_bh(fastopenq.lock);
		reqsk_put(*req);
		return;
	}
	req->rsk_timer.expires = jiffies() + 60 * HZ;
	if (!fastopenq.rskq_rst_head)
		fastopenq.rskq_rst_head = req;
	else
		fastopenq.rskq_rst_tail->dl_next = req;
	req->dl_next = nullptr;
	fastopenq.rskq_rst_tail = req;
	fastopenq.qlen++;
	spin_unlock_bh(fastopenq.lock);
}

} // namespace skbwalk
