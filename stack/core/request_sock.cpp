// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/request_sock.c: the queue of a listener. Left out: the part of TCP Fast Open.
#include "stack/core/request_sock.h"

namespace skbwalk {

void reqsk_queue_alloc(request_sock_queue &queue)
{
	TRACE();
	queue.fastopenq = {};
	queue.rskq_accept_head = nullptr;
}

} // namespace skbwalk
