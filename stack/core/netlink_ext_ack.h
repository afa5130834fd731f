// SPDX-License-Identifier: GPL-2.0-only
//
// What a configuring request says of itself and what it is answered besides an errno (linux/netlink.h).
#pragma once

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr u16 NLM_F_REPLACE = 0x100, NLM_F_EXCL = 0x200, NLM_F_CREATE = 0x400, NLM_F_APPEND = 0x800;

// What user space is told besides the errno: the text that `ip` prints after "Error: ". Null: nothing.
struct netlink_ext_ack {
	const char *msg = nullptr;
};
// NL_SET_ERR_MSG and the errno that goes with it.
inline int nl_refuse(netlink_ext_ack *extack, int err, const char *msg)
{
	if (extack)
		extack->msg = msg;
	return err;
}

} // namespace skbwalk
