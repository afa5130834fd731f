// SPDX-License-Identifier: GPL-2.0-only
//
// net/netlabel/netlabel_kapi.c and netlabel_domainhash.c: a socket's domain is looked up among the mappings;
// the default's says "unlabeled", so nothing is put on the wire. Left out: CIPSO, CALIPSO, the netlink
// interface that would add mappings.
#include "stack/netlabel/netlabel.h"

#include <cassert>

#include "stack/core/request_sock.h"
#include "stack/core/sock.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

struct netlbl_dom_map {
	std::string domain; // empty: the default
	u16 family;
	u32 type;
};
struct netlabel_globals {
	u32 mgmt_protocount = 0; // protocols that are configured
	std::vector<netlbl_dom_map> hash{{"", AF_UNSPEC, NETLBL_NLTYPE_UNLABELED}};
};
perhost<netlabel_globals> netlabel;

} // namespace

netlbl_lsm_secattr *netlbl_secattr_alloc(gfp_t)
{
	TRACE_INLINE();
	return new netlbl_lsm_secattr;
}

void netlbl_secattr_free(netlbl_lsm_secattr *secattr)
{
	TRACE_INLINE();
	delete secattr;
}

bool netlbl_enabled()
{
	TRACE();
	return netlabel->mgmt_protocount > 0;
}

static const netlbl_dom_map *netlbl_domhsh_search(const std::string &domain, u16 family)
{
	TRACE();
	for (const netlbl_dom_map &entry : netlabel->hash)
		if (!domain.empty() && entry.domain == domain && entry.family == family)
			return &entry;
	return nullptr;
}

static const netlbl_dom_map *netlbl_domhsh_search_def(const std::string &domain, u16 family)
{
	TRACE();
	const netlbl_dom_map *entry = netlbl_domhsh_search(domain, family);

	return entry ? entry : &netlabel->hash.front();
}

static const netlbl_dom_map *netlbl_domhsh_getentry(const std::string &domain, u16 family)
{
	TRACE();
	return netlbl_domhsh_search_def(domain, family);
}

int netlbl_sock_setattr(sock &sk, [[maybe_unused]] u16 family, const netlbl_lsm_secattr &secattr)
{
	TRACE(sk);
	rcu_read_lock();
	[[maybe_unused]] const netlbl_dom_map *dom_entry = netlbl_domhsh_getentry(secattr.domain, family);
	assert(dom_entry->type == NETLBL_NLTYPE_UNLABELED);
	rcu_read_unlock();
	return 0;
}

int netlbl_req_setattr(request_sock &req, const netlbl_lsm_secattr &secattr)
{
	TRACE();
	rcu_read_lock();
	[[maybe_unused]] const netlbl_dom_map *entry = netlbl_domhsh_getentry(secattr.domain, req.sk_family);
	assert(entry->type == NETLBL_NLTYPE_UNLABELED);
	rcu_read_unlock();
	return 0;
}

} // namespace skbwalk
