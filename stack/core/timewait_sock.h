// SPDX-License-Identifier: GPL-2.0-only
//
// What a protocol gives for its TIME_WAIT sockets (include/net/timewait_sock.h). proto_register makes their
// cache.
#pragma once

#include "stack/core/sock.h"

namespace skbwalk {

struct timewait_sock_ops {
	u32 twsk_obj_size;
	inet_timewait_sock *(*construct)(void *memory);
	void (*destruct)(inet_timewait_sock &tw); // of the C++ object
	int (*twsk_unique)(sock &sk, sock_common &sktw, void *twp);
	void (*twsk_destructor)(inet_timewait_sock &tw);
};

} // namespace skbwalk
