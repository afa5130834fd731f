// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/ss/services.c and ss/sidtab.c. A context gets a number, its SID, when it is met first
// (sidtab_context_to_sid). security_compute_av turns two SIDs into contexts and goes through the rules of all
// pairs of their types' attributes (context_struct_compute_av). Left out: multi-level security, constraints,
// conditional rules, bounds.
#include "stack/security/selinux/ss/services.h"

#include <cassert>
#include <cerrno>

#include "stack/kernel/percpu.h"
#include "stack/kernel/softirq.h"
#include "stack/security/selinux/classmap.h"
#include "stack/trace/trace.h"
#include "stack/wire/socket.h"

namespace skbwalk {

namespace {

struct selinux_state {
	std::unique_ptr<policydb> policy;
	std::vector<security_context> sidtab; // of the SIDs after the initial ones
	u32 seqno = 0;
};
perhost<selinux_state> state;

constexpr u32 first_dynamic_sid = SECINITSID_NUM + 1;

bool has_cap(selinux_policycap cap) { return state->policy && state->policy->policycaps.contains(cap); }

} // namespace

// not traced: small inline functions in the kernel
bool selinux_initialized() { return state->policy != nullptr; }
bool enforcing_enabled() { return !state->policy || state->policy->enforcing; }
bool selinux_policycap_netpeer() { return has_cap(POLICYDB_CAP_NETPEER); }
bool selinux_policycap_extsockclass() { return has_cap(POLICYDB_CAP_EXTSOCKCLASS); }
bool selinux_policycap_alwaysnetwork() { return has_cap(POLICYDB_CAP_ALWAYSNETWORK); }
const policydb *selinux_policy() { return state->policy.get(); }

// --- SIDs ---

static const security_context *sidtab_search_entry(u32 sid)
{
	TRACE();
	if (sid >= first_dynamic_sid) {
		const std::size_t i = sid - first_dynamic_sid;

		return i < state->sidtab.size() ? &state->sidtab[i] : nullptr;
	}
	const auto &isids = state->policy->isids;
	const auto it = isids.find(sid);
	return it == isids.end() ? nullptr : &it->second;
}

// What is not known is unlabeled.
static const security_context *sidtab_search(u32 sid)
{
	TRACE_INLINE();
	const security_context *entry = sidtab_search_entry(sid);

	return entry ? entry : sidtab_search_entry(SECINITSID_UNLABELED);
}

static int sidtab_context_to_sid(const security_context &context, u32 &sid)
{
	TRACE();
	for (const auto &[isid, known] : state->policy->isids) {
		if (known == context) {
			sid = isid;
			return 0;
		}
	}
	for (std::size_t i = 0; i < state->sidtab.size(); ++i) {
		if (state->sidtab[i] == context) {
			sid = first_dynamic_sid + static_cast<u32>(i);
			return 0;
		}
	}
	state->sidtab.push_back(context);
	sid = first_dynamic_sid + static_cast<u32>(state->sidtab.size()) - 1;
	return 0;
}

int security_context_to_sid(const security_context &context, u32 &out_sid)
{
	TRACE();
	return selinux_initialized() ? sidtab_context_to_sid(context, out_sid) : -EINVAL;
}

std::string security_sid_to_context(u32 sid)
{
	TRACE();
	if (!selinux_initialized()) {
		const std::string_view name = initial_sid_name(sid);

		return name.empty() ? "unlabeled" : std::string(name);
	}
	const security_context *context = sidtab_search(sid);
	return context ? state->policy->text_of(*context) : "unlabeled";
}

// --- access vectors ---

static void avd_init(av_decision &avd)
{
	TRACE();
	avd = {.allowed = 0, .auditallow = 0, .auditdeny = 0xffffffff, .seqno = state->seqno, .flags = 0};
}

// The first rule of a key that is of one of these kinds, or null.
static const avtab_node *avtab_search_node(const policydb &policydb, const avtab_key &key, u16 specified)
{
	TRACE();
	const auto it = policydb.te_avtab.find(key);

	if (it == policydb.te_avtab.end())
		return nullptr;
	for (const avtab_node &node : it->second)
		if (node.specified & specified)
			return &node;
	return nullptr;
}

static const avtab_node *avtab_search_node_next(const policydb &policydb, const avtab_key &key,
                                                const avtab_node &node, u16 specified)
{
	TRACE();
	const auto &nodes = policydb.te_avtab.find(key)->second;

	for (const avtab_node *next = &node + 1; next != nodes.data() + nodes.size(); ++next)
		if (next->specified & specified)
			return next;
	return nullptr;
}

static void context_struct_compute_av(const policydb &policydb, const security_context &scontext,
                                      const security_context &tcontext, u16 tclass, av_decision &avd)
{
	TRACE();
	for (const u32 source : policydb.attr_map[scontext.type - 1]) {
		for (const u32 target : policydb.attr_map[tcontext.type - 1]) {
			const avtab_key key{source, target, tclass};

			for (const avtab_node *node = avtab_search_node(policydb, key, AVTAB_AV); node;
			     node = avtab_search_node_next(policydb, key, *node, AVTAB_AV)) {
				if (node->specified == AVTAB_ALLOWED)
					avd.allowed |= node->data;
				else if (node->specified == AVTAB_AUDITALLOW)
					avd.auditallow |= node->data;
				else
					avd.auditdeny &= node->data;
			}
		}
	}
}

void security_compute_av(u32 ssid, u32 tsid, u16 tclass, av_decision &avd)
{
	TRACE();
	rcu_read_lock();
	avd_init(avd);
	if (!selinux_initialized()) {
		avd.allowed = 0xffffffff;
		rcu_read_unlock();
		return;
	}
	const security_context *scontext = sidtab_search(ssid), *tcontext = sidtab_search(tsid);
	if (scontext && state->policy->permissive_map.contains(scontext->type))
		avd.flags |= AVD_FLAGS_PERMISSIVE;
	if (scontext && tcontext)
		context_struct_compute_av(*state->policy, *scontext, *tcontext, tclass, avd);
	rcu_read_unlock();
}

static bool security_is_socket_class(u16 kclass)
{
	TRACE();
	switch (kclass) {
	case SECCLASS_SOCKET:
	case SECCLASS_TCP_SOCKET:
	case SECCLASS_UDP_SOCKET:
	case SECCLASS_RAWIP_SOCKET:
	case SECCLASS_PACKET_SOCKET:
	case SECCLASS_TUN_SOCKET:
	case SECCLASS_ICMP_SOCKET:
		return true;
	default:
		return false;
	}
}

static int security_compute_sid(u32 ssid, u32 tsid, u16 tclass, u32 &out_sid)
{
	TRACE();
	if (!selinux_initialized()) {
		out_sid = tclass == SECCLASS_PROCESS ? ssid : tsid;
		return 0;
	}
	const policydb &policydb = *state->policy;
	const bool sock = security_is_socket_class(tclass);
	const security_context *scontext = sidtab_search(ssid), *tcontext = sidtab_search(tsid);

	if (!scontext || !tcontext)
		return -EINVAL;
	// Processes and sockets are their maker's, other objects have the type of what they are made in.
	security_context newcontext = *scontext;
	if (tclass != SECCLASS_PROCESS && !sock)
		newcontext.type = tcontext->type;
	if (const avtab_node *node =
	            avtab_search_node(policydb, {scontext->type, tcontext->type, tclass}, AVTAB_TRANSITION))
		newcontext.type = node->data;
	if (newcontext == *scontext) {
		out_sid = ssid;
		return 0;
	}
	return sidtab_context_to_sid(newcontext, out_sid);
}

int security_transition_sid(u32 ssid, u32 tsid, u16 tclass, u32 &out_sid)
{
	TRACE();
	return security_compute_sid(ssid, tsid, tclass, out_sid);
}

// The user, role and type of the one with the range of the other; without multi-level security: the one.
int security_sid_mls_copy(u32 sid, u32, u32 &new_sid)
{
	TRACE();
	new_sid = sid;
	return 0;
}

// --- what is on the network ---

int security_port_sid(u8 protocol, u16 port, u32 &out_sid)
{
	TRACE();
	out_sid = SECINITSID_PORT;
	if (!selinux_initialized())
		return 0;
	for (const port_context &c : state->policy->ports)
		if (c.protocol == protocol && c.low_port <= port && port <= c.high_port)
			return sidtab_context_to_sid(c.context, out_sid);
	return 0;
}

int security_netif_sid(const std::string &name, u32 &if_sid)
{
	TRACE();
	if_sid = SECINITSID_NETIF;
	if (!selinux_initialized())
		return 0;
	for (const netif_context &c : state->policy->netifs)
		if (c.name == name)
			return sidtab_context_to_sid(c.context, if_sid);
	return 0;
}

int security_node_sid(u16 domain, be32 addr, u32 &out_sid)
{
	TRACE();
	out_sid = SECINITSID_NODE;
	if (!selinux_initialized() || domain != AF_INET)
		return 0;
	for (const node_context &c : state->policy->nodes)
		if ((addr & c.mask) == c.addr)
			return sidtab_context_to_sid(c.context, out_sid);
	return 0;
}

int security_net_peersid_resolve(u32 nlbl_sid, u32, [[maybe_unused]] u32 xfrm_sid, u32 &peer_sid)
{
	TRACE();
	assert(xfrm_sid == SECSID_NULL); // no security association carries a label
	peer_sid = nlbl_sid;
	return 0;
}

int security_load_policy(std::unique_ptr<policydb> policy)
{
	TRACE();
	if (!policy)
		return -EINVAL;
	state->policy = std::move(policy);
	state->sidtab.clear();
	return avc_ss_reset(++state->seqno);
}

} // namespace skbwalk
