// SPDX-License-Identifier: GPL-2.0-only
//
// What a module tells the audit log about a decision (include/linux/lsm_audit.h).
#pragma once

#include <string>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk {

struct host;
struct sock;

struct lsm_network_audit {
	int netif = 0;
	const skbwalk::sock *sk = nullptr;
	u16 family = 0;
	be16 dport{}, sport{};
	struct {
		be32 daddr{}, saddr{};
	} v4info;
};
enum lsm_audit_type : u8 { LSM_AUDIT_DATA_NONE, LSM_AUDIT_DATA_NET, LSM_AUDIT_DATA_FILE, LSM_AUDIT_DATA_CAP };
struct selinux_audit_data {
	u32 ssid, tsid;
	u16 tclass;
	u32 requested, audited, denied;
	int result;
};
struct common_audit_data {
	lsm_audit_type type = LSM_AUDIT_DATA_NONE;
	lsm_network_audit *net = nullptr;
	int cap = 0;
	const selinux_audit_data *selinux = nullptr;
};

// A line that is being written.
struct audit_buffer {
	std::string text;
};
// One line: what `pre` writes, what is known of the object, what `post` writes.
void common_lsm_audit(const common_audit_data &a, void (*pre)(audit_buffer &ab, const common_audit_data &a),
                      void (*post)(audit_buffer &ab, const common_audit_data &a));

// The log of a host, oldest first: "avc:  denied  { name_connect } for  pid=1 comm="client" ...".
const std::vector<std::string> &audit_log(host &h);

} // namespace skbwalk
