// SPDX-License-Identifier: GPL-2.0-only
//
// The security server (security/selinux/ss/services.h, security/selinux/include/security.h): decisions by the
// policy, numbers (SIDs) for contexts. Without a policy everything is allowed and every object has the
// initial SID of its kind, as on a machine whose init has not loaded one.
#pragma once

#include <memory>
#include <string>

#include "stack/security/selinux/avc.h"
#include "stack/security/selinux/ss/policydb.h"

namespace skbwalk {

[[nodiscard]] bool selinux_initialized(); // is there a policy?
[[nodiscard]] bool enforcing_enabled();
[[nodiscard]] bool selinux_policycap_netpeer();
[[nodiscard]] bool selinux_policycap_extsockclass();
[[nodiscard]] bool selinux_policycap_alwaysnetwork();

// Of the current host. The former policy's decisions are forgotten.
int security_load_policy(std::unique_ptr<policydb> policy);
[[nodiscard]] const policydb *selinux_policy(); // null: none

void security_compute_av(u32 ssid, u32 tsid, u16 tclass, av_decision &avd);
// The SID of a new object: of a socket, its task's own unless a rule says otherwise.
[[nodiscard]] int security_transition_sid(u32 ssid, u32 tsid, u16 tclass, u32 &out_sid);
[[nodiscard]] int security_sid_mls_copy(u32 sid, u32 mls_sid, u32 &new_sid);
[[nodiscard]] int security_port_sid(u8 protocol, u16 port, u32 &out_sid);
[[nodiscard]] int security_netif_sid(const std::string &name, u32 &if_sid);
[[nodiscard]] int security_node_sid(u16 domain, be32 addr, u32 &out_sid);
[[nodiscard]] int security_net_peersid_resolve(u32 nlbl_sid, u32 nlbl_type, u32 xfrm_sid, u32 &peer_sid);
[[nodiscard]] std::string security_sid_to_context(u32 sid);
[[nodiscard]] int security_context_to_sid(const security_context &context, u32 &out_sid);

} // namespace skbwalk
