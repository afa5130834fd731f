// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_extend.c and, of nf_conntrack_ecache.c, what runs without a listener: parts that
// a connection gets beside those that all have. They stand in one piece of memory, which grows.
#include <cstring>

#include "stack/netfilter/nf_conntrack_private.h"

namespace skbwalk {

namespace {

constexpr u32 NF_CT_EXT_PREALLOC = 128;
constexpr u8 nf_ct_ext_type_len[NF_CT_EXT_NUM] = {
	sizeof(nf_conn_help), sizeof(nf_conn_nat),         0,
	sizeof(nf_conn_acct), sizeof(nf_conntrack_ecache), sizeof(nf_conn_tstamp)};

} // namespace

u32 nf_conntrack_ext_genid() { return conntrack_state().ext_genid; }

void *nf_ct_ext_add(nf_conn &ct, nf_ct_ext_id id)
{
	TRACE();
	const nf_ct_ext *old = ct.ext;
	const u32 oldlen = old ? old->len : sizeof(nf_ct_ext);

	assert(!nf_ct_is_confirmed(ct));
	if (old && old->offset[id])
		return nullptr;
	const u32 newoff = (oldlen + 7) & ~7u, newlen = newoff + nf_ct_ext_type_len[id];
	auto *grown = static_cast<nf_ct_ext *>(
		__kmalloc(newlen > NF_CT_EXT_PREALLOC ? newlen : NF_CT_EXT_PREALLOC, GFP_ATOMIC));
	if (!grown)
		return nullptr;
	if (old) {
		std::memcpy(grown, old, old->len);
		kfree(old);
	} else {
		*grown = {};
		grown->gen_id = nf_conntrack_ext_genid();
	}
	grown->offset[id] = static_cast<u8>(newoff);
	grown->len = static_cast<u8>(newlen);
	u8 *part = reinterpret_cast<u8 *>(grown) + newoff;
	std::memset(part, 0, newlen - newoff);
	ct.ext = grown;
	return part;
}

void *__nf_ct_ext_find(const nf_ct_ext &ext, nf_ct_ext_id id)
{
	TRACE();
	if (!ext.offset[id] || (ext.gen_id && ext.gen_id != nf_conntrack_ext_genid()))
		return nullptr;
	return const_cast<u8 *>(reinterpret_cast<const u8 *>(&ext)) + ext.offset[id];
}

// nf_conntrack_events: 0 none, 1 always, 2 while someone listens.
bool nf_ct_ecache_ext_add(nf_conn &ct)
{
	TRACE();
	const netns_ct &ns = net_ct(nf_ct_net(ct));

	if (ns.sysctl_events == 0 || (ns.sysctl_events == 2 && !ns.ctnetlink_has_listener))
		return true;
	return nf_ct_ext_add(ct, NF_CT_EXT_ECACHE) != nullptr;
}

// What happened to the connection since the last time is forgotten: nobody asked to be told.
void nf_ct_deliver_cached_events(nf_conn &ct)
{
	TRACE();
	if (auto *e = static_cast<nf_conntrack_ecache *>(nf_ct_ext_find(ct, NF_CT_EXT_ECACHE)))
		e->cache = 0;
}

// net/netfilter/nf_conntrack_seqadj.c: only helpers adjust sequence numbers.
s32 nf_ct_seq_offset(const nf_conn &ct, ip_conntrack_dir, u32)
{
	TRACE();
	assert(!nf_ct_ext_find(ct, NF_CT_EXT_SEQADJ));
	return 0;
}

} // namespace skbwalk
