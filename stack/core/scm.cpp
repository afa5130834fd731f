// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/scm.c: put_cmsg writes a control message for who receives. Left out: what sockets pass along
// (descriptors, credentials).
#include <algorithm>
#include <cstring>

#include "stack/core/uio.h"
#include "stack/trace/trace.h"

namespace skbwalk {

int put_cmsg(msghdr &msg, int level, int type, std::size_t len, const void *data)
{
	TRACE();
	std::size_t cmlen = CMSG_LEN(len);

	if (!msg.msg_control || msg.msg_controllen < sizeof(cmsghdr)) {
		msg.msg_flags |= MSG_CTRUNC;
		return 0;
	}
	if (msg.msg_controllen < cmlen) {
		msg.msg_flags |= MSG_CTRUNC;
		cmlen = msg.msg_controllen;
	}
	const cmsghdr head{cmlen, level, type};
	auto *to = static_cast<u8 *>(msg.msg_control);

	std::memcpy(to, &head, sizeof(head));
	std::memcpy(to + sizeof(head), data, cmlen - sizeof(head));
	cmlen = std::min(CMSG_SPACE(len), msg.msg_controllen);
	msg.msg_control = to + cmlen;
	msg.msg_controllen -= cmlen;
	return 0;
}

} // namespace skbwalk
