// SPDX-License-Identifier: GPL-2.0-only
//
// The nodes of net/ipv4/fib_trie.c. A new leaf comes in at fib_insert_node(), which splits a node where keys
// part, and trie_rebalance() walks up: resize() doubles a node that is full enough (inflate), halves one that
// is empty enough (halve) and takes one with a single child out (collapse). Readers may be on the way
// through, so a node is built beside the old one, put in its place at once, and the old one goes after a
// grace period.
#include "stack/ipv4/fib_trie.h"

#include <algorithm>

namespace skbwalk {

namespace {

constexpr u64 halve_threshold = 25, inflate_threshold = 50, halve_threshold_root = 15,
	      inflate_threshold_root = 30;
constexpr int MAX_WORK = 10;
constexpr u32 TNODE_BITS_MAX = 20;

struct trie_caches {
	kmem_cache *fn_alias = nullptr;
	kmem_cache *trie_leaf = nullptr;
};
const perhost<trie_caches> caches;

} // namespace

void fib_trie_init()
{
	TRACE();
	caches->fn_alias = &kmem_cache_create("ip_fib_alias", sizeof(fib_alias), alignof(fib_alias));
	caches->trie_leaf = &kmem_cache_create("ip_fib_trie", sizeof(key_vector), alignof(key_vector));
}

static void __alias_free_mem(rcu_head *head)
{
	TRACE();
	kmem_cache_free(*caches->fn_alias, &container_of(*head, &fib_alias::rcu));
}

void alias_free_mem_rcu(fib_alias &fa)
{
	TRACE();
	call_rcu(fa.rcu, __alias_free_mem);
}

// not traced: a part of fib_table_insert
fib_alias *new_alias()
{
	void *p = kmem_cache_alloc(*caches->fn_alias, GFP_KERNEL);
	return p ? ::new (p) fib_alias : nullptr;
}

static void __node_free_rcu(rcu_head *head)
{
	TRACE();
	key_vector &n = container_of(*head, &key_vector::rcu);

	if (IS_LEAF(n))
		kmem_cache_free(*caches->trie_leaf, &n);
	else
		kfree(&n);
}

void node_free(key_vector &n) { call_rcu(n.rcu, __node_free_rcu); }

static key_vector *tnode_alloc(u32 bits)
{
	TRACE();
	if (bits > TNODE_BITS_MAX)
		return nullptr;
	const std::size_t children = std::size_t{1} << bits;
	void *p = __kmalloc(sizeof(key_vector) + children * sizeof(key_vector *), GFP_KERNEL);
	if (!p)
		return nullptr;
	auto *tn = ::new (p) key_vector;
	tn->tnode = reinterpret_cast<key_vector **>(tn + 1);
	std::fill_n(tn->tnode, children, nullptr);
	return tn;
}

static void empty_child_inc(key_vector &n)
{
	TRACE();
	++n.empty_children;
}

static void empty_child_dec(key_vector &n)
{
	TRACE();
	--n.empty_children;
}

static key_vector *leaf_new(u32 key, fib_alias &fa)
{
	TRACE();
	void *p = kmem_cache_alloc(*caches->trie_leaf, GFP_KERNEL);
	if (!p)
		return nullptr;
	auto *l = ::new (p) key_vector;
	l->key = key;
	l->slen = fa.fa_slen;
	fa.next = nullptr;
	l->leaf = &fa;
	return l;
}

static key_vector *tnode_new(u32 key, u32 pos, u32 bits)
{
	TRACE();
	const u32 shift = pos + bits;

	assert(bits && shift <= KEYLENGTH);
	key_vector *tn = tnode_alloc(bits);
	if (!tn)
		return nullptr;
	tn->empty_children = 1u << bits;
	tn->key = shift < KEYLENGTH ? (key >> shift) << shift : 0;
	tn->pos = static_cast<u8>(pos);
	tn->bits = static_cast<u8>(bits);
	tn->slen = static_cast<u8>(pos);
	return tn;
}

// An inner node directly below: no bits are skipped between the two.
static bool tnode_full(const key_vector &tn, const key_vector *n)
{
	TRACE();
	return n && n->pos + n->bits == tn.pos && IS_TNODE(*n);
}

static void put_child(key_vector &tn, u64 i, key_vector *n)
{
	TRACE();
	assert(i < child_length(tn));
	key_vector *chi = get_child(tn, i);

	if (!n && chi)
		empty_child_inc(tn);
	if (n && !chi)
		empty_child_dec(tn);

	const bool wasfull = tnode_full(tn, chi);
	const bool isfull = tnode_full(tn, n);
	if (wasfull && !isfull)
		--tn.full_children;
	else if (!wasfull && isfull)
		++tn.full_children;

	if (n && tn.slen < n->slen)
		tn.slen = n->slen;
	tn.tnode[i] = n;
}

static void update_children(key_vector &tn)
{
	TRACE();
	for (u64 i = child_length(tn); i;) {
		key_vector *inode = get_child(tn, --i);

		if (!inode)
			continue;
		// Either it is ours already, and its children may not know, or it still points to the old
		// node.
		if (inode->parent == &tn)
			update_children(*inode);
		else
			inode->parent = &tn;
	}
}

void put_child_root(key_vector &tp, u32 key, key_vector *n)
{
	TRACE();
	if (IS_TRIE(tp))
		tp.tnode[0] = n;
	else
		put_child(tp, get_index(key, tp), n);
}

static void tnode_free_append(key_vector &tn, key_vector &n)
{
	TRACE();
	n.free_next = tn.free_next;
	tn.free_next = &n;
}

static void tnode_free(key_vector *tn)
{
	TRACE();
	while (tn) {
		key_vector *next = tn->free_next;
		node_free(*tn);
		tn = next;
	}
}

static key_vector *replace(key_vector &oldtnode, key_vector &tn)
{
	TRACE();
	key_vector *tp = oldtnode.parent;

	tn.parent = tp;
	put_child_root(*tp, tn.key, &tn);
	update_children(tn);
	tnode_free(&oldtnode);

	key_vector *at = &tn;
	for (u64 i = child_length(*at); i;) {
		key_vector *inode = get_child(*at, --i);

		if (tnode_full(*at, inode))
			at = resize(*inode);
	}
	return tp;
}

// One more bit: a full child of one bit gives its two children, a larger one is cut in two halves.
static key_vector *inflate(key_vector &oldtnode)
{
	TRACE();
	key_vector *tn = tnode_new(oldtnode.key, oldtnode.pos - 1u, oldtnode.bits + 1u);
	if (!tn)
		return nullptr;
	oldtnode.free_next = nullptr;

	const u32 m = 1u << tn->pos;
	for (u64 i = child_length(oldtnode); i;) {
		key_vector *inode = get_child(oldtnode, --i);

		if (!inode)
			continue;
		if (!tnode_full(oldtnode, inode)) {
			put_child(*tn, get_index(inode->key, *tn), inode);
			continue;
		}
		tnode_free_append(oldtnode, *inode);
		if (inode->bits == 1) {
			put_child(*tn, 2 * i + 1, get_child(*inode, 1));
			put_child(*tn, 2 * i, get_child(*inode, 0));
			continue;
		}
		key_vector *node1 = tnode_new(inode->key | m, inode->pos, inode->bits - 1u);
		key_vector *node0 = node1 ? tnode_new(inode->key, inode->pos, inode->bits - 1u) : nullptr;
		if (node1)
			tnode_free_append(*tn, *node1);
		if (!node0) {
			tnode_free(tn);
			return nullptr;
		}
		tnode_free_append(*tn, *node0);
		const u64 half = child_length(*inode) / 2;
		for (u64 j = half; j--;) {
			put_child(*node1, j, get_child(*inode, half + j));
			put_child(*node0, j, get_child(*inode, j));
		}
		node1->parent = tn;
		node0->parent = tn;
		put_child(*tn, 2 * i + 1, node1);
		put_child(*tn, 2 * i, node0);
	}
	tn->free_next = nullptr;
	return replace(oldtnode, *tn);
}

static key_vector *halve(key_vector &oldtnode)
{
	TRACE();
	key_vector *tn = tnode_new(oldtnode.key, oldtnode.pos + 1u, oldtnode.bits - 1u);
	if (!tn)
		return nullptr;
	oldtnode.free_next = nullptr;

	for (u64 i = child_length(oldtnode); i;) {
		key_vector *node1 = get_child(oldtnode, --i);
		key_vector *node0 = get_child(oldtnode, --i);

		if (!node1 || !node0) {
			put_child(*tn, i / 2, node1 ? node1 : node0);
			continue;
		}
		key_vector *inode = tnode_new(node0->key, oldtnode.pos, 1);
		if (!inode) {
			tnode_free(tn);
			return nullptr;
		}
		tnode_free_append(*tn, *inode);
		put_child(*inode, 1, node1);
		put_child(*inode, 0, node0);
		inode->parent = tn;
		put_child(*tn, i / 2, inode);
	}
	tn->free_next = nullptr;
	return replace(oldtnode, *tn);
}

static key_vector *collapse(key_vector &oldtnode)
{
	TRACE();
	key_vector *n = nullptr;

	for (u64 i = child_length(oldtnode); !n && i;)
		n = get_child(oldtnode, --i);
	key_vector *tp = oldtnode.parent;
	put_child_root(*tp, oldtnode.key, n);
	if (n)
		n->parent = tp;
	node_free(oldtnode);
	return tp;
}

// Only the first child can have a suffix as long as the node's own bits reach, the middle one a bit less, and
// so on: the stride grows with what was found.
u8 update_suffix(key_vector &tn)
{
	TRACE();
	u32 slen = tn.pos;
	const u32 slen_max = std::min<u32>(tn.pos + tn.bits - 1u, tn.slen);

	for (u64 i = 0, stride = 2; i < child_length(tn); i += stride) {
		const key_vector *n = get_child(tn, i);

		if (!n || n->slen <= slen)
			continue;
		stride <<= n->slen - slen;
		slen = n->slen;
		i &= ~(stride - 1);
		if (slen >= slen_max)
			break;
	}
	tn.slen = static_cast<u8>(slen);
	return tn.slen;
}

static bool should_inflate(const key_vector &tp, const key_vector &tn)
{
	TRACE();
	u64 used = child_length(tn);
	const u64 threshold = used * (IS_TRIE(tp) ? inflate_threshold_root : inflate_threshold);

	used -= tn.empty_children;
	used += tn.full_children;
	return used > 1 && tn.pos && 50 * used >= threshold;
}

static bool should_halve(const key_vector &tp, const key_vector &tn)
{
	TRACE();
	u64 used = child_length(tn);
	const u64 threshold = used * (IS_TRIE(tp) ? halve_threshold_root : halve_threshold);

	used -= tn.empty_children;
	return used > 1 && tn.bits > 1 && 100 * used < threshold;
}

static bool should_collapse(const key_vector &tn)
{
	TRACE();
	return child_length(tn) - tn.empty_children < 2;
}

// Returns the parent, where the walk upwards goes on.
key_vector *resize(key_vector &node)
{
	TRACE();
	key_vector *tn = &node;
	key_vector *tp = tn->parent;
	const u64 cindex = get_index(tn->key, *tp);
	int max_work = MAX_WORK;

	assert(tn == get_child(*tp, cindex));
	while (should_inflate(*tp, *tn) && max_work) {
		key_vector *up = inflate(*tn);
		if (!up)
			break;
		tp = up;
		--max_work;
		tn = get_child(*tp, cindex);
	}
	tp = tn->parent;
	if (max_work != MAX_WORK)
		return tp;

	while (should_halve(*tp, *tn) && max_work) {
		key_vector *up = halve(*tn);
		if (!up)
			break;
		tp = up;
		--max_work;
		tn = get_child(*tp, cindex);
	}
	if (should_collapse(*tn))
		return collapse(*tn);
	return tn->parent;
}

void node_pull_suffix(key_vector *tn, u8 slen)
{
	TRACE();
	u8 node_slen = tn->slen;

	while (node_slen > tn->pos && node_slen > slen) {
		slen = update_suffix(*tn);
		if (node_slen == slen)
			break;
		tn = tn->parent;
		node_slen = tn->slen;
	}
}

void node_push_suffix(key_vector *tn, u8 slen)
{
	TRACE();
	while (tn->slen < slen) {
		tn->slen = slen;
		tn = tn->parent;
	}
}

void trie_rebalance(key_vector *tn)
{
	TRACE();
	while (!IS_TRIE(*tn))
		tn = resize(*tn);
}

// The leaf with exactly this key, or null; tp is where it is, or would be put.
key_vector *fib_find_node(trie &t, key_vector *&tp, u32 key)
{
	TRACE();
	key_vector *n = &t.kv;
	u64 index = 0;

	do {
		tp = n;
		n = get_child(*n, index);
		if (!n)
			break;
		index = get_cindex(key, *n);
		if (index >= u64{1} << n->bits)
			return nullptr;
	} while (IS_TNODE(*n));
	return n;
}

int fib_insert_node(key_vector *tp, fib_alias &new_fa, u32 key)
{
	TRACE();
	key_vector *l = leaf_new(key, new_fa);
	if (!l)
		return -ENOMEM;
	key_vector *n = get_child(*tp, get_index(key, *tp));

	// A node stands where the leaf belongs: a new node where the two keys part takes both.
	if (n) {
		key_vector *tn = tnode_new(key, static_cast<u32>(std::bit_width(key ^ n->key)) - 1, 1);
		if (!tn) {
			node_free(*l);
			return -ENOMEM;
		}
		tn->parent = tp;
		put_child(*tn, get_index(key, *tn) ^ 1, n);
		put_child_root(*tp, key, tn);
		n->parent = tn;
		tp = tn;
	}
	node_push_suffix(tp, new_fa.fa_slen);
	l->parent = tp;
	put_child_root(*tp, key, l);
	trie_rebalance(tp);
	return 0;
}

} // namespace skbwalk
