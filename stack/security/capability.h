// SPDX-License-Identifier: GPL-2.0-only
//
// Capabilities (linux/capability.h, linux/cred.h): may the current task do what only some may? Credentials
// belong to a user namespace; there is the initial one only, and every task has the first task's credentials.
#pragma once

#include "stack/kernel/types.h"
#include "stack/kernel/user_namespace.h"

namespace skbwalk {

constexpr int CAP_NET_BIND_SERVICE = 10;
constexpr int CAP_NET_ADMIN = 12;
constexpr int CAP_NET_RAW = 13;
constexpr int CAP_LAST_CAP = 40;
constexpr unsigned CAP_OPT_NONE = 0;

struct cred {
	u64 cap_effective;
	const user_namespace *user_ns;
};
inline constexpr cred init_cred{(u64{1} << (CAP_LAST_CAP + 1)) - 1, &init_user_ns};

// Unlike the kernel, all tasks share one set of credentials: root's.
inline const cred &current_cred() { return init_cred; }

inline bool cap_raised(u64 c, int flag) { return c >> flag & 1; }

bool ns_capable(const user_namespace &ns, int cap);
bool capable(int cap);

// security_capable() asks the modules; the kernel's own rule is the first of them.
int security_capable(const cred &cred, const user_namespace &ns, int cap, unsigned opts);
int cap_capable(const cred &cred, const user_namespace &targ_ns, int cap, unsigned opts);

} // namespace skbwalk
