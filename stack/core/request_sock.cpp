// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/request_sock.c: the queue of a listener. The part of TCP Fast Open is in
// stack/ipv4/request_sock.cpp.
#include "stack/core/request_sock.h"

namespace skbwalk {

void reqsk_queue_alloc(request_sock_queue &queue)
{
	TRACE();
	queue.fastopenq.rskq_rst_head = queue.fastopenq.rskq_rst_tail = nullptr;
	queue.fastopenq.qlen = 0;
	queue.rskq_accept_head = nullptr;
}

} // namespace skbwalk
