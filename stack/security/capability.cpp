// SPDX-License-Identifier: GPL-2.0-only
//
// kernel/capability.c and the rule of security/commoncap.c: ns_capable() asks through security_capable()
// whether the task's effective set has the capability in that user namespace. Left out: namespaces below the
// initial one, auditing, capabilities of files.
#include "stack/security/capability.h"

#include <cassert>
#include <cerrno>

#include "stack/security/security.h"
#include "stack/trace/trace.h"

namespace skbwalk {

int cap_capable(const cred &cred, const user_namespace &targ_ns, int cap, unsigned)
{
	TRACE();
	if (&targ_ns != cred.user_ns)
		return -EPERM;
	return cap_raised(cred.cap_effective, cap) ? 0 : -EPERM;
}

static bool ns_capable_common(const user_namespace &ns, int cap, unsigned opts)
{
	TRACE();
	assert(cap >= 0 && cap <= CAP_LAST_CAP);
	return security_capable(current_cred(), ns, cap, opts) == 0;
}

bool ns_capable(const user_namespace &ns, int cap)
{
	TRACE();
	return ns_capable_common(ns, cap, CAP_OPT_NONE);
}

bool capable(int cap)
{
	TRACE();
	return ns_capable(init_user_ns, cap);
}

} // namespace skbwalk
