// SPDX-License-Identifier: GPL-2.0-only
//
// A policy as the security server has it (security/selinux/ss/policydb.h, context.h, avtab.h): types and
// attributes, rules by (source, target, class), contexts of ports, nodes, interfaces and of the initial SIDs.
// Who reads it from text fills one of these and hands it to security_load_policy(). Left out: multi-level
// security, roles' rules, constraints, conditional rules.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "stack/kernel/types.h"

namespace skbwalk {

// user:role:type[:range]; numbers are places in the policy's lists, from 1.
struct security_context {
	u32 user = 0, role = 0, type = 0;
	std::string range; // kept, not looked at
	friend bool operator==(const security_context &, const security_context &) = default;
};

// What the kernel itself knows of without a policy. The numbers are the kernel's.
constexpr u32 SECSID_NULL = 0, SECINITSID_KERNEL = 1, SECINITSID_UNLABELED = 3, SECINITSID_FILE = 5,
	      SECINITSID_ANY_SOCKET = 7, SECINITSID_PORT = 8, SECINITSID_NETIF = 9, SECINITSID_NETMSG = 10,
	      SECINITSID_NODE = 11, SECINITSID_NUM = 27;
// "kernel", "port", ...; 0: there is none of that name.
[[nodiscard]] u32 initial_sid_by_name(std::string_view name);
[[nodiscard]] std::string_view initial_sid_name(u32 sid);

constexpr u16 AVTAB_ALLOWED = 1, AVTAB_AUDITALLOW = 2, AVTAB_AUDITDENY = 4, AVTAB_TRANSITION = 0x10,
	      AVTAB_AV = AVTAB_ALLOWED | AVTAB_AUDITALLOW | AVTAB_AUDITDENY;
struct avtab_key {
	u32 source_type, target_type;
	u16 target_class;
	friend bool operator==(const avtab_key &, const avtab_key &) = default;
};
struct avtab_key_hash {
	std::size_t operator()(const avtab_key &k) const
	{
		return k.target_class + (k.target_type << 2) + (k.source_type << 9);
	}
};
// The rules of a key, at most one of each kind (AVTAB_*).
struct avtab_node {
	u16 specified;
	u32 data; // permissions, or a type
};

enum selinux_policycap : u8 { POLICYDB_CAP_NETPEER, POLICYDB_CAP_EXTSOCKCLASS, POLICYDB_CAP_ALWAYSNETWORK };

struct port_context {
	u8 protocol;
	u16 low_port, high_port;
	security_context context;
};
struct node_context {
	be32 addr, mask;
	security_context context;
};
struct netif_context {
	std::string name;
	security_context context;
};

struct policydb {
	std::vector<std::string> users, roles;
	std::vector<std::string> types;      // types and attributes
	std::vector<bool> is_attribute;      // of types[i]
	std::vector<std::set<u32>> attr_map; // of types[i]: itself and its attributes
	std::unordered_map<avtab_key, std::vector<avtab_node>, avtab_key_hash> te_avtab;
	std::set<u32> permissive_map;
	std::set<selinux_policycap> policycaps;
	std::vector<port_context> ports; // the first that fits is the one
	std::vector<node_context> nodes;
	std::vector<netif_context> netifs;
	std::map<u32, security_context> isids;
	bool enforcing = true;

	[[nodiscard]] std::optional<u32> type_value(std::string_view name) const;
	[[nodiscard]] std::string text_of(const security_context &c) const;
};

} // namespace skbwalk
