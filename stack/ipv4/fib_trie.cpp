// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/fib_trie.c: routing tables on the trie of fib_trie_node.cpp. fib_table_lookup() walks to the leaf
// whose key fits best, looks there for an alias that covers the address, is not dead, and has a nexthop that
// fib_lookup_good_nhc() accepts; else it takes bits off the end and goes on. fib_table_insert() makes or
// shares the fib_info and sets the alias in its order; fib_table_delete() and fib_table_flush() (what died
// with a device or address) take them out. Left out: unmerging `local` from `main`, which only rules need;
// nexthop objects; offload flags; netlink and driver notifications; /proc.
#include "stack/ipv4/fib_trie.h"

namespace skbwalk {

namespace {

// Takes bits off the index into pn, going up where none is left; the next child that could have a shorter
// prefix, or null.
key_vector *next_shorter(key_vector *&pn, u64 &cindex)
{
	for (;;) {
		while (!cindex) {
			const u32 pkey = pn->key;

			if (IS_TRIE(*pn))
				return nullptr;
			pn = pn->parent;
			cindex = get_index(pkey, *pn);
		}
		cindex &= cindex - 1;
		if (key_vector *n = get_child(*pn, cindex))
			return n;
	}
}

// The pointer that points to `fa`.
fib_alias **link_to(key_vector &l, const fib_alias *fa)
{
	fib_alias **at = &l.leaf;

	while (*at != fa)
		at = &(*at)->next;
	return at;
}

} // namespace

// The first alias that has this suffix length and table, and no lower dscp and priority rank.
static fib_alias *fib_find_alias(fib_alias *fah, u8 slen, u8 dscp, u32 prio, u32 tb_id, bool find_first)
{
	TRACE();
	for (fib_alias *fa = fah; fa; fa = fa->next) {
		if (fa->fa_slen < slen)
			continue;
		if (fa->fa_slen != slen)
			break;
		if (fa->tb_id > tb_id)
			continue;
		if (fa->tb_id != tb_id)
			break;
		if (find_first)
			return fa;
		if (fa->fa_dscp > dscp)
			continue;
		if (fa->fa_info->fib_priority >= prio || fa->fa_dscp < dscp)
			return fa;
	}
	return nullptr;
}

static int fib_insert_alias(key_vector *tp, key_vector *l, fib_alias &new_fa, fib_alias *fa, u32 key)
{
	TRACE();
	if (!l)
		return fib_insert_node(tp, new_fa, key);

	fib_alias **at = &l->leaf;
	if (fa) {
		at = link_to(*l, fa);
	} else {
		for (; *at; at = &(*at)->next) {
			if (new_fa.fa_slen < (*at)->fa_slen)
				break;
			if (new_fa.fa_slen == (*at)->fa_slen && new_fa.tb_id > (*at)->tb_id)
				break;
		}
	}
	new_fa.next = *at;
	*at = &new_fa;

	if (l->slen < new_fa.fa_slen) {
		l->slen = new_fa.fa_slen;
		node_push_suffix(tp, new_fa.fa_slen);
	}
	return 0;
}

int fib_table_insert(net &net, fib_table &tb, fib_config &cfg, netlink_ext_ack *extack)
{
	TRACE();
	trie &t = *tb.tb_data;
	const u8 plen = cfg.fc_dst_len;
	const u8 slen = static_cast<u8>(KEYLENGTH - plen);
	const u32 key = ntohl(cfg.fc_dst);
	const u8 dscp = cfg.fc_tos;
	int err = 0;

	fib_info *fi = fib_create_info(cfg, err, extack);
	if (!fi)
		return err;
	const auto out = [fi](int e) {
		fib_release_info(fi);
		return e;
	};

	key_vector *tp = nullptr;
	key_vector *l = fib_find_node(t, tp, key);
	fib_alias *fa = l ? fib_find_alias(l->leaf, slen, dscp, fi->fib_priority, tb.tb_id, false) : nullptr;

	// fa is the first with the same prefix, dscp and priority, or the one before which the new one
	// belongs.
	if (fa && fa->fa_dscp == dscp && fa->fa_info->fib_priority == fi->fib_priority) {
		if (cfg.fc_nlflags & NLM_F_EXCL)
			return out(-EEXIST);

		fib_alias *fa_first = fa;
		fib_alias *fa_match = nullptr;
		for (; fa; fa = fa->next) {
			if (fa->fa_slen != slen || fa->tb_id != tb.tb_id || fa->fa_dscp != dscp)
				break;
			if (fa->fa_info->fib_priority != fi->fib_priority)
				break;
			if (fa->fa_type == cfg.fc_type && fa->fa_info == fi) {
				fa_match = fa;
				break;
			}
		}

		if (cfg.fc_nlflags & NLM_F_REPLACE) {
			fa = fa_first;
			if (fa_match)
				return out(fa == fa_match ? 0 : -EEXIST);
			fib_alias *new_fa = new_alias();
			if (!new_fa)
				return out(-ENOBUFS);

			fib_info *fi_drop = fa->fa_info;
			const u8 state = fa->fa_state;
			new_fa->fa_dscp = fa->fa_dscp;
			new_fa->fa_info = fi;
			new_fa->fa_type = cfg.fc_type;
			new_fa->fa_state = static_cast<u8>(state & ~FA_S_ACCESSED);
			new_fa->fa_slen = fa->fa_slen;
			new_fa->tb_id = tb.tb_id;
			fib_alias **at = link_to(*l, fa);
			new_fa->next = fa->next;
			*at = new_fa;

			alias_free_mem_rcu(*fa);
			fib_release_info(fi_drop);
			if (state & FA_S_ACCESSED)
				rt_cache_flush(net);
			return 0;
		}
		if (fa_match)
			return out(-EEXIST);
		if (!(cfg.fc_nlflags & NLM_F_APPEND))
			fa = fa_first;
	}
	if (!(cfg.fc_nlflags & NLM_F_CREATE))
		return out(-ENOENT);

	fib_alias *new_fa = new_alias();
	if (!new_fa)
		return out(-ENOBUFS);
	new_fa->fa_info = fi;
	new_fa->fa_dscp = dscp;
	new_fa->fa_type = cfg.fc_type;
	new_fa->fa_slen = slen;
	new_fa->tb_id = tb.tb_id;

	err = fib_insert_alias(tp, l, *new_fa, fa, key);
	if (err) {
		alias_free_mem_rcu(*new_fa);
		return out(err);
	}
	if (!plen)
		++tb.tb_num_default;
	rt_cache_flush(net);
	return 0;
}

// Do bits that differ lie where the prefix of the node has its own?
static u32 prefix_mismatch(u32 key, const key_vector &n)
{
	TRACE();
	const u32 prefix = n.key;

	return (key ^ prefix) & (prefix | (0 - prefix));
}

bool fib_lookup_good_nhc(const fib_nh_common &nhc, int fib_flags, const flowi4 &flp)
{
	TRACE(nhc.nhc_dev);
	if (nhc.nhc_flags & RTNH_F_DEAD)
		return false;
	if (ip_ignore_linkdown(*nhc.nhc_dev) && nhc.nhc_flags & RTNH_F_LINKDOWN &&
	    !(fib_flags & FIB_LOOKUP_IGNORE_LINKSTATE))
		return false;
	return !flp.flowi4_oif || flp.flowi4_oif == nhc.nhc_oif;
}

static void fib_alias_accessed(fib_alias &fa)
{
	TRACE_INLINE();
	if (!(fa.fa_state & FA_S_ACCESSED))
		fa.fa_state |= FA_S_ACCESSED;
}

int fib_table_lookup(fib_table &tb, const flowi4 &flp, fib_result &res, int fib_flags)
{
	TRACE();
	trie &t = *tb.tb_data;
	const u32 key = ntohl(flp.daddr);
	key_vector *pn = &t.kv;
	u64 cindex = 0;
	bool at_leaf = false;

	key_vector *n = get_child(*pn, cindex);
	if (!n)
		return -EAGAIN;

	// 1: down to the best match. An index beyond the children says that skipped bits differ.
	for (;;) {
		const u64 index = get_cindex(key, *n);

		if (index >= u64{1} << n->bits)
			break;
		if (IS_LEAF(*n)) {
			at_leaf = true;
			break;
		}
		// Only where shorter prefixes are below is there a reason to come back.
		if (n->slen > n->pos) {
			pn = n;
			cindex = index;
		}
		n = get_child(*n, index);
		if (!n) {
			n = next_shorter(pn, cindex);
			break;
		}
	}

	for (;;) {
		// 2: from a node that may have a shorter prefix, down its first children to the leaf that has
		// it.
		while (n && !at_leaf) {
			if (prefix_mismatch(key, *n) || n->slen == n->pos) {
				n = next_shorter(pn, cindex);
			} else if (IS_LEAF(*n)) {
				at_leaf = true;
			} else {
				key_vector *first = get_child(*n, 0);
				n = first ? first : next_shorter(pn, cindex);
			}
		}
		if (!n)
			return -EAGAIN;

		// 3: what the leaf has for this address.
		const u32 differs = key ^ n->key;
		for (fib_alias *fa = n->leaf; fa; fa = fa->next) {
			fib_info &fi = *fa->fa_info;

			if (differs >= u64{1} << fa->fa_slen)
				continue;
			if (fa->fa_dscp && fa->fa_dscp != flp.flowi4_tos)
				continue;
			if (fi.fib_dead)
				continue;
			if (fi.fib_scope < flp.flowi4_scope)
				continue;
			fib_alias_accessed(*fa);
			const int err = fib_props[fa->fa_type].error;
			if (err < 0)
				return err;
			if (fi.fib_flags & RTNH_F_DEAD)
				continue;
			for (int nhsel = 0; nhsel < fib_info_num_path(fi); ++nhsel) {
				fib_nh_common &nhc = fib_info_nhc(fi, nhsel);

				if (!fib_lookup_good_nhc(nhc, fib_flags, flp))
					continue;
				if (!(fib_flags & FIB_LOOKUP_NOREF))
					refcount_inc(fi.fib_clntref);
				res.prefix = htonl(n->key);
				res.prefixlen = static_cast<u8>(KEYLENGTH - fa->fa_slen);
				res.nh_sel = static_cast<u8>(nhsel);
				res.nhc = &nhc;
				res.type = fa->fa_type;
				res.scope = fi.fib_scope;
				res.dscp = fa->fa_dscp;
				res.fi = &fi;
				res.table = &tb;
				res.fa_head = n->leaf;
				return err;
			}
		}
		at_leaf = false;
		n = next_shorter(pn, cindex);
	}
}

static void fib_remove_alias(key_vector *tp, key_vector &l, fib_alias &old)
{
	TRACE();
	fib_alias *before = nullptr;

	for (fib_alias *fa = l.leaf; fa != &old; fa = fa->next)
		before = fa;
	(before ? before->next : l.leaf) = old.next;
	if (!l.leaf) {
		if (tp->slen == l.slen)
			node_pull_suffix(tp, tp->pos);
		put_child_root(*tp, l.key, nullptr);
		node_free(l);
		trie_rebalance(tp);
		return;
	}
	if (old.next)
		return;
	// It was the last, with the longest suffix of the leaf; the one before it takes its place.
	l.slen = before->fa_slen;
	node_pull_suffix(tp, before->fa_slen);
}

int fib_table_delete(net &net, fib_table &tb, fib_config &cfg, netlink_ext_ack *extack)
{
	TRACE();
	trie &t = *tb.tb_data;
	const u8 plen = cfg.fc_dst_len;
	const u8 slen = static_cast<u8>(KEYLENGTH - plen);
	const u8 dscp = cfg.fc_tos;
	key_vector *tp = nullptr;

	key_vector *l = fib_find_node(t, tp, ntohl(cfg.fc_dst));
	if (!l)
		return -ESRCH;
	fib_alias *fa = fib_find_alias(l->leaf, slen, dscp, 0, tb.tb_id, false);
	fib_alias *fa_to_delete = nullptr;
	for (; fa; fa = fa->next) {
		fib_info &fi = *fa->fa_info;

		if (fa->fa_slen != slen || fa->tb_id != tb.tb_id || fa->fa_dscp != dscp)
			break;
		if ((!cfg.fc_type || fa->fa_type == cfg.fc_type) &&
		    (cfg.fc_scope == RT_SCOPE_NOWHERE || fi.fib_scope == cfg.fc_scope) &&
		    (!cfg.fc_prefsrc || fi.fib_prefsrc == cfg.fc_prefsrc) &&
		    (!cfg.fc_protocol || fi.fib_protocol == cfg.fc_protocol) &&
		    fib_nh_match(net, cfg, fi, extack) == 0 && fib_metrics_match(cfg, fi)) {
			fa_to_delete = fa;
			break;
		}
	}
	if (!fa_to_delete)
		return -ESRCH;

	if (!plen)
		--tb.tb_num_default;
	fib_remove_alias(tp, *l, *fa_to_delete);
	if (fa_to_delete->fa_state & FA_S_ACCESSED)
		rt_cache_flush(net);
	fib_release_info(fa_to_delete->fa_info);
	alias_free_mem_rcu(*fa_to_delete);
	return 0;
}

// Walks all leaves from the last to the first. What is dead goes; with flush_all also routes that are errors.
int fib_table_flush(net &, fib_table &tb, bool flush_all)
{
	TRACE();
	key_vector *pn = &tb.tb_data->kv;
	u64 cindex = 1;
	int found = 0;

	for (;;) {
		if (!cindex--) {
			const u32 pkey = pn->key;

			if (IS_TRIE(*pn))
				break;
			if (pn->slen > pn->pos)
				update_suffix(*pn);
			pn = resize(*pn);
			cindex = get_index(pkey, *pn);
			continue;
		}
		key_vector *n = get_child(*pn, cindex);
		if (!n)
			continue;
		if (IS_TNODE(*n)) {
			pn = n;
			cindex = u64{1} << n->bits;
			continue;
		}
		u8 slen = 0;
		for (fib_alias **at = &n->leaf; *at;) {
			fib_alias *fa = *at;
			fib_info &fi = *fa->fa_info;
			const bool is_error = fib_props[fa->fa_type].error != 0;
			const bool dead = fi.fib_flags & RTNH_F_DEAD;

			if (tb.tb_id != fa->tb_id || !(dead || (is_error && flush_all))) {
				slen = fa->fa_slen;
				at = &fa->next;
				continue;
			}
			*at = fa->next;
			fib_release_info(&fi);
			alias_free_mem_rcu(*fa);
			++found;
		}
		n->slen = slen;
		if (!n->leaf) {
			put_child_root(*pn, n->key, nullptr);
			node_free(*n);
		}
	}
	return found;
}

static void fib_trie_free(fib_table &tb)
{
	TRACE();
	key_vector *pn = &tb.tb_data->kv;
	u64 cindex = 1;

	for (;;) {
		if (!cindex--) {
			const u32 pkey = pn->key;

			if (IS_TRIE(*pn))
				break;
			key_vector *n = pn;
			pn = pn->parent;
			put_child_root(*pn, n->key, nullptr);
			node_free(*n);
			cindex = get_index(pkey, *pn);
			continue;
		}
		key_vector *n = get_child(*pn, cindex);
		if (!n)
			continue;
		if (IS_TNODE(*n)) {
			pn = n;
			cindex = u64{1} << n->bits;
			continue;
		}
		while (fib_alias *fa = n->leaf) {
			n->leaf = fa->next;
			// Unlike the kernel, what no flush took (devices that are still there) is let go of
			// too.
			fib_release_info(fa->fa_info);
			alias_free_mem_rcu(*fa);
		}
		put_child_root(*pn, n->key, nullptr);
		node_free(*n);
	}
	tb.tb_data->~trie();
	kfree(tb.tb_data);
}

void fib_free_table(fib_table *tb)
{
	TRACE();
	if (tb->owns_trie)
		fib_trie_free(*tb);
	tb->~fib_table();
	kfree(tb);
}

fib_table *fib_trie_table(u32 id, fib_table *alias)
{
	TRACE();
	void *p = __kmalloc(sizeof(fib_table), GFP_KERNEL);
	if (!p)
		return nullptr;
	auto *tb = ::new (p) fib_table;
	tb->tb_id = id;
	if (alias) {
		tb->tb_data = alias->tb_data;
		return tb;
	}
	p = __kmalloc(sizeof(trie), GFP_KERNEL);
	if (!p) {
		kfree(tb);
		return nullptr;
	}
	auto *t = ::new (p) trie;
	t->kv.pos = KEYLENGTH;
	t->kv.slen = KEYLENGTH;
	t->kv.tnode = &t->child;
	tb->tb_data = t;
	tb->owns_trie = true;
	return tb;
}

void fib_table_dump(const fib_table &tb, void (*line)(const fib_rt_info &fri, void *arg), void *arg)
{
	TRACE();
	const auto dump_leaf = [&](const key_vector &l) {
		for (const fib_alias *fa = l.leaf; fa; fa = fa->next) {
			if (fa->tb_id != tb.tb_id || fa->fa_info->fib_dead)
				continue;
			line({fa->fa_info, fa->tb_id, htonl(l.key), static_cast<u8>(KEYLENGTH - fa->fa_slen),
			      fa->fa_dscp, fa->fa_type},
			     arg);
		}
	};
	const auto walk = [&](const auto &self, const key_vector &n) -> void {
		if (IS_LEAF(n))
			return dump_leaf(n);
		for (u64 i = 0; i < child_length(n); ++i)
			if (const key_vector *child = get_child(n, i))
				self(self, *child);
	};
	if (const key_vector *top = tb.tb_data->child)
		walk(walk, *top);
}

} // namespace skbwalk
