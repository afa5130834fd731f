// SPDX-License-Identifier: GPL-2.0-only
//
// What programs on the model's host do with stream sockets, as with a C library: system calls of the current
// task.
#pragma once

#include <cstddef>

#include "sim/system_call.h"

namespace skbwalk::sim {

// All of it; false: the connection is over.
inline bool send_all(int fd, const char *data, std::size_t n)
{
	while (n) {
		const long sent = system_call(sys_nr::sendto, fd, data, n, MSG_NOSIGNAL,
		                              static_cast<sockaddr *>(nullptr), 0);
		if (sent <= 0)
			return false;
		data += sent;
		n -= static_cast<std::size_t>(sent);
	}
	return true;
}

// What is there: 0 at the end, or -errno.
inline long receive(int fd, char *data, std::size_t n)
{
	return system_call(sys_nr::recvfrom, fd, data, n, 0, static_cast<sockaddr *>(nullptr),
	                   static_cast<int *>(nullptr));
}

// All of it; false: it ended before.
inline bool receive_all(int fd, char *data, std::size_t n)
{
	for (std::size_t done = 0; done < n;) {
		const long got = receive(fd, data + done, n - done);
		if (got <= 0)
			return false;
		done += static_cast<std::size_t>(got);
	}
	return true;
}

} // namespace skbwalk::sim
