// SPDX-License-Identifier: GPL-2.0-only
//
// The access vector cache (security/selinux/include/avc.h): may ssid do that with tsid? What was decided once
// is remembered; the security server (ss/services.h) is asked for the rest.
#pragma once

#include "stack/kernel/types.h"
#include "stack/security/lsm_audit.h"

namespace skbwalk {

constexpr u32 AVD_FLAGS_PERMISSIVE = 1;
struct av_decision {
	u32 allowed;
	u32 auditallow;
	u32 auditdeny;
	u32 seqno;
	u32 flags;
};

// 0 or -EACCES. What is denied, or shall be reported, is written to the audit log with what is in auditdata.
[[nodiscard]] int avc_has_perm(u32 ssid, u32 tsid, u16 tclass, u32 requested, common_audit_data *auditdata);
// The two halves of it, for who may not want the line.
[[nodiscard]] int avc_has_perm_noaudit(u32 ssid, u32 tsid, u16 tclass, u32 requested, av_decision &avd);
void avc_audit(u32 ssid, u32 tsid, u16 tclass, u32 requested, const av_decision &avd, int result,
               const common_audit_data *a);
u32 avc_policy_seqno();
void avc_flush();
int avc_ss_reset(u32 seqno); // the policy changed: nothing that was decided holds

// Since boot; of this cpu.
struct avc_cache_stats {
	u32 lookups = 0, misses = 0, allocations = 0, reclaims = 0, frees = 0;
};
avc_cache_stats &avc_stats();

} // namespace skbwalk
