// SPDX-License-Identifier: GPL-2.0-only
//
// The trie itself, shared by fib_trie.cpp and fib_trie_node.cpp: a level- and path-compressed trie over
// 32-bit keys (Nilsson and Tikkanen). A node looks at `bits` bits of the key from bit `pos` on, and takes the
// bits above for granted; a leaf has a full key and the aliases of all prefixes that end there. slen is the
// longest suffix (32 - prefix length) found below, so that a lookup that must go back skips branches without
// a short enough prefix.
#pragma once

#include "stack/ipv4/ip_fib.h"

namespace skbwalk {

constexpr u32 KEYLENGTH = 32;

struct key_vector {
	u32 key = 0;
	u8 pos = 0;
	u8 bits = 0; // zero: a leaf
	u8 slen = 0;
	key_vector *parent = nullptr;
	fib_alias *leaf = nullptr;
	key_vector **tnode = nullptr; // 1 << bits children, behind the node
	u32 empty_children = 0;
	u32 full_children = 0; // inner nodes that skip no bits
	key_vector *free_next = nullptr;
	rcu_head rcu;
};
// The root is a node above all keys, with one child.
struct trie {
	key_vector kv;
	key_vector *child = nullptr;
};

inline bool IS_TRIE(const key_vector &n) { return n.pos >= KEYLENGTH; }
inline bool IS_TNODE(const key_vector &n) { return n.bits != 0; }
inline bool IS_LEAF(const key_vector &n) { return n.bits == 0; }
inline key_vector *get_child(const key_vector &tn, u64 i) { return tn.tnode[i]; }
inline u64 get_cindex(u32 key, const key_vector &kv) { return static_cast<u64>(key ^ kv.key) >> kv.pos; }
inline u64 get_index(u32 key, const key_vector &kv) { return get_cindex(key, kv); }
inline u64 child_length(const key_vector &tn) { return (u64{1} << tn.bits) & ~u64{1}; }

void node_free(key_vector &n);
void alias_free_mem_rcu(fib_alias &fa);
fib_alias *new_alias(); // null when out of memory
void put_child_root(key_vector &tp, u32 key, key_vector *n);
u8 update_suffix(key_vector &tn);
void node_pull_suffix(key_vector *tn, u8 slen);
void node_push_suffix(key_vector *tn, u8 slen);
key_vector *resize(key_vector &tn);
void trie_rebalance(key_vector *tn);
key_vector *fib_find_node(trie &t, key_vector *&tp, u32 key);
int fib_insert_node(key_vector *tp, fib_alias &new_fa, u32 key);

} // namespace skbwalk
