// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/avc.c: avc_has_perm looks the decision about (ssid, tsid, class) up in a hash of 512
// chains. What is not there avc_compute_av has the security server compute, and puts it there. What is asked
// for and not allowed goes to avc_denied: -EACCES, unless the host or the domain is permissive, which grants
// it and remembers so. A denial, and a grant that shall be audited, becomes a line of the audit log. Beyond
// 512 entries, a few of the oldest chains' go. Left out: extended permissions.
#include "stack/security/selinux/avc.h"

#include <cerrno>

#include "stack/kernel/percpu.h"
#include "stack/kernel/slab.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/spinlock.h"
#include "stack/security/selinux/classmap.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk {

namespace {

constexpr u32 AVC_CACHE_SLOTS = 512, AVC_DEF_CACHE_THRESHOLD = 512, AVC_CACHE_RECLAIM = 16;
constexpr u32 AVC_CALLBACK_GRANT = 1;

struct avc_entry {
	u32 ssid;
	u32 tsid;
	u16 tclass;
	av_decision avd;
};
struct avc_node {
	avc_entry ae;
	avc_node *next;
	rcu_head rhead;
};
struct avc_cache {
	avc_node *slots[AVC_CACHE_SLOTS] = {};
	spinlock_t slots_lock[AVC_CACHE_SLOTS];
	spinlock_t notif_lock;
	u32 lru_hint = 0;
	u32 active_nodes = 0;
	u32 latest_notif = 0;
	kmem_cache *node_cachep = nullptr;
};
perhost<avc_cache> cache;
percpu<avc_cache_stats> cache_stats;

kmem_cache &node_cache()
{
	if (!cache->node_cachep)
		cache->node_cachep = &kmem_cache_create("avc_node", sizeof(avc_node), alignof(avc_node));
	return *cache->node_cachep;
}

} // namespace

// not traced: for looking at state from outside
avc_cache_stats &avc_stats() { return *cache_stats; }

static u32 avc_hash(u32 ssid, u32 tsid, u16 tclass)
{
	TRACE_INLINE();
	return (ssid ^ tsid << 2 ^ static_cast<u32>(tclass) << 4) & (AVC_CACHE_SLOTS - 1);
}

static void avc_node_free(rcu_head *rhead)
{
	TRACE();
	kmem_cache_free(node_cache(), &container_of(*rhead, &avc_node::rhead));
	cache_stats->frees++;
}

static void avc_node_delete(avc_node *&at)
{
	TRACE();
	avc_node *node = at;

	at = node->next;
	call_rcu(node->rhead, avc_node_free);
	cache->active_nodes--;
}

// Takes `old`'s place in its chain.
static void avc_node_replace(avc_node *fresh, avc_node *&old)
{
	TRACE();
	avc_node *gone = old;

	fresh->next = gone->next;
	old = fresh;
	call_rcu(gone->rhead, avc_node_free);
	cache->active_nodes--;
}

static void avc_reclaim_node()
{
	TRACE();
	u32 ecx = 0;

	for (u32 tried = 0; tried < AVC_CACHE_SLOTS; ++tried) {
		const u32 hvalue = ++cache->lru_hint & (AVC_CACHE_SLOTS - 1);

		spin_lock(cache->slots_lock[hvalue]);
		while (cache->slots[hvalue] && ecx < AVC_CACHE_RECLAIM) {
			avc_node_delete(cache->slots[hvalue]);
			cache_stats->reclaims++;
			ecx++;
		}
		spin_unlock(cache->slots_lock[hvalue]);
		if (ecx >= AVC_CACHE_RECLAIM)
			return;
	}
}

static avc_node *avc_alloc_node()
{
	TRACE();
	void *memory = kmem_cache_alloc(node_cache(), GFP_ATOMIC);

	if (!memory)
		return nullptr;
	cache_stats->allocations++;
	if (++cache->active_nodes > AVC_DEF_CACHE_THRESHOLD)
		avc_reclaim_node();
	return ::new (memory) avc_node{};
}

static void avc_node_populate(avc_node &node, u32 ssid, u32 tsid, u16 tclass, const av_decision &avd)
{
	TRACE();
	node.ae = {ssid, tsid, tclass, avd};
}

static avc_node *avc_search_node(u32 ssid, u32 tsid, u16 tclass)
{
	TRACE();
	for (avc_node *node = cache->slots[avc_hash(ssid, tsid, tclass)]; node; node = node->next)
		if (node->ae.ssid == ssid && node->ae.tclass == tclass && node->ae.tsid == tsid)
			return node;
	return nullptr;
}

static avc_node *avc_lookup(u32 ssid, u32 tsid, u16 tclass)
{
	TRACE();
	cache_stats->lookups++;
	avc_node *node = avc_search_node(ssid, tsid, tclass);
	if (!node)
		cache_stats->misses++;
	return node;
}

static int avc_latest_notif_update(u32 seqno, bool is_insert)
{
	TRACE();
	int ret = 0;

	spin_lock(cache->notif_lock);
	if (is_insert) {
		if (seqno < cache->latest_notif)
			ret = -EAGAIN;
	} else if (seqno > cache->latest_notif) {
		cache->latest_notif = seqno;
	}
	spin_unlock(cache->notif_lock);
	return ret;
}

static void avc_insert(u32 ssid, u32 tsid, u16 tclass, const av_decision &avd)
{
	TRACE();
	if (avc_latest_notif_update(avd.seqno, true))
		return;
	avc_node *node = avc_alloc_node();
	if (!node)
		return;
	avc_node_populate(*node, ssid, tsid, tclass, avd);
	const u32 hvalue = avc_hash(ssid, tsid, tclass);
	spin_lock(cache->slots_lock[hvalue]);
	avc_node **pos = &cache->slots[hvalue];
	while (*pos && !((*pos)->ae.ssid == ssid && (*pos)->ae.tsid == tsid && (*pos)->ae.tclass == tclass))
		pos = &(*pos)->next;
	if (*pos) {
		avc_node_replace(node, *pos);
	} else {
		node->next = cache->slots[hvalue];
		cache->slots[hvalue] = node;
	}
	spin_unlock(cache->slots_lock[hvalue]);
}

// --- the log ---

static void avc_audit_pre_callback(audit_buffer &ab, const common_audit_data &a)
{
	TRACE();
	const selinux_audit_data &sad = *a.selinux;
	const auto perms = secclass_map()[sad.tclass].perms;
	u32 av = sad.audited;

	ab.text += std::string("avc:  ") + (sad.denied ? "denied" : "granted") + "  {";
	for (u32 i = 0; i < perms.size(); ++i) {
		if (av & 1u << i) {
			ab.text += " " + std::string(perms[i]);
			av &= ~(1u << i);
		}
	}
	ab.text += " } for ";
}

static void avc_audit_post_callback(audit_buffer &ab, const common_audit_data &a)
{
	TRACE();
	const selinux_audit_data &sad = *a.selinux;

	ab.text += " scontext=" + security_sid_to_context(sad.ssid);
	ab.text += " tcontext=" + security_sid_to_context(sad.tsid);
	ab.text += " tclass=" + std::string(secclass_map()[sad.tclass].name);
	if (sad.denied)
		ab.text += std::string(" permissive=") + (sad.result ? "0" : "1");
}

static void slow_avc_audit(u32 ssid, u32 tsid, u16 tclass, u32 requested, u32 audited, u32 denied, int result,
                           const common_audit_data *a)
{
	TRACE();
	const selinux_audit_data sad{ssid, tsid, tclass, requested, audited, denied, result};
	common_audit_data with = a ? *a : common_audit_data{};

	with.selinux = &sad;
	common_lsm_audit(with, avc_audit_pre_callback, avc_audit_post_callback);
}

static u32 avc_audit_required(u32 requested, const av_decision &avd, int result, u32 auditdeny, u32 &deniedp)
{
	TRACE_INLINE();
	u32 denied = requested & ~avd.allowed;
	u32 audited;

	if (denied) {
		audited = denied & avd.auditdeny;
		if (auditdeny && !(auditdeny & avd.auditdeny))
			audited = 0;
	} else if (result) {
		audited = denied = requested;
	} else {
		audited = requested & avd.auditallow;
	}
	deniedp = denied;
	return audited;
}

void avc_audit(u32 ssid, u32 tsid, u16 tclass, u32 requested, const av_decision &avd, int result,
               const common_audit_data *a)
{
	TRACE_INLINE();
	u32 denied;
	const u32 audited = avc_audit_required(requested, avd, result, 0, denied);

	if (audited)
		slow_avc_audit(ssid, tsid, tclass, requested, audited, denied, result, a);
}

// --- decisions ---

// Puts a changed copy in an entry's place.
static int avc_update_node(u32 event, u32 perms, u32 ssid, u32 tsid, u16 tclass, u32 seqno)
{
	TRACE();
	avc_node *node = avc_alloc_node();

	if (!node)
		return -ENOMEM;
	const u32 hvalue = avc_hash(ssid, tsid, tclass);
	spin_lock(cache->slots_lock[hvalue]);
	avc_node **pos = &cache->slots[hvalue];
	while (*pos && !((*pos)->ae.ssid == ssid && (*pos)->ae.tsid == tsid && (*pos)->ae.tclass == tclass &&
	                 (*pos)->ae.avd.seqno == seqno))
		pos = &(*pos)->next;
	if (!*pos) {
		spin_unlock(cache->slots_lock[hvalue]);
		kmem_cache_free(node_cache(), node);
		cache->active_nodes--;
		return -ENOENT;
	}
	avc_node_populate(*node, ssid, tsid, tclass, (*pos)->ae.avd);
	if (event == AVC_CALLBACK_GRANT)
		node->ae.avd.allowed |= perms;
	avc_node_replace(node, *pos);
	spin_unlock(cache->slots_lock[hvalue]);
	return 0;
}

void avc_flush()
{
	TRACE();
	for (u32 i = 0; i < AVC_CACHE_SLOTS; ++i) {
		spin_lock(cache->slots_lock[i]);
		while (cache->slots[i])
			avc_node_delete(cache->slots[i]);
		spin_unlock(cache->slots_lock[i]);
	}
}

int avc_ss_reset(u32 seqno)
{
	TRACE();
	avc_flush();
	avc_latest_notif_update(seqno, false);
	return 0;
}

static void avc_compute_av(u32 ssid, u32 tsid, u16 tclass, av_decision &avd)
{
	TRACE();
	rcu_read_unlock();
	security_compute_av(ssid, tsid, tclass, avd);
	rcu_read_lock();
	avc_insert(ssid, tsid, tclass, avd);
}

static int avc_denied(u32 ssid, u32 tsid, u16 tclass, u32 requested, const av_decision &avd)
{
	TRACE();
	if (enforcing_enabled() && !(avd.flags & AVD_FLAGS_PERMISSIVE))
		return -EACCES;
	[[maybe_unused]] const int rc =
		avc_update_node(AVC_CALLBACK_GRANT, requested, ssid, tsid, tclass, avd.seqno);
	return 0;
}

int avc_has_perm_noaudit(u32 ssid, u32 tsid, u16 tclass, u32 requested, av_decision &avd)
{
	TRACE();
	int rc = 0;

	assert(requested);
	rcu_read_lock();
	if (const avc_node *node = avc_lookup(ssid, tsid, tclass))
		avd = node->ae.avd;
	else
		avc_compute_av(ssid, tsid, tclass, avd);
	if (requested & ~avd.allowed)
		rc = avc_denied(ssid, tsid, tclass, requested, avd);
	rcu_read_unlock();
	return rc;
}

int avc_has_perm(u32 ssid, u32 tsid, u16 tclass, u32 requested, common_audit_data *auditdata)
{
	TRACE();
	av_decision avd;
	const int rc = avc_has_perm_noaudit(ssid, tsid, tclass, requested, avd);

	avc_audit(ssid, tsid, tclass, requested, avd, rc, auditdata);
	return rc;
}

u32 avc_policy_seqno()
{
	TRACE();
	return cache->latest_notif;
}

} // namespace skbwalk
