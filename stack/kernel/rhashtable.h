// SPDX-License-Identifier: GPL-2.0-only
//
// A hash table of objects that carry their own link (include/linux/rhashtable.h): the key is a plain struct
// in the object, hashed by jhash with a secret of the table; the table doubles when it is three quarters
// full.
//
// Unlike the kernel, growing is done at once by who inserts: readers run on the same thread, and no walk
// along a chain is left in the middle.
#pragma once

#include <cerrno>
#include <vector>

#include "stack/kernel/list.h"
#include "stack/kernel/random.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

struct rhash_head {
	rhash_head *next = nullptr;
};

template <class T, class Key, Key T::*KeyOf, rhash_head T::*Node> struct rhashtable {
	static_assert(std::has_unique_object_representations_v<Key>, "a key is compared byte by byte");
	std::vector<rhash_head *> buckets;
	u32 hash_rnd = 0;
	u32 nelems = 0;
	~rhashtable() { assert(nelems == 0); }

	[[nodiscard]] std::size_t bucket_of(const Key &key) const
	{
		return jhash(&key, sizeof(Key), hash_rnd) & (buckets.size() - 1);
	}
	static T &object(rhash_head &at) { return container_of(at, Node); }
	void grow()
	{
		std::vector<rhash_head *> old(buckets.size() * 2);

		old.swap(buckets);
		for (rhash_head *chain : old) {
			while (rhash_head *at = chain) {
				rhash_head *&to = buckets[bucket_of(object(*at).*KeyOf)];

				chain = at->next;
				at->next = to;
				to = at;
			}
		}
	}
};

// The number of buckets to begin with is a power of two.
template <class Table> void rhashtable_init(Table &t, std::size_t size = 64)
{
	t.buckets.assign(size, nullptr);
	t.hash_rnd = get_random_u32();
}
template <class Table> void rhashtable_destroy(Table &t) { assert(t.nelems == 0); }

template <class T, class Key, Key T::*KeyOf, rhash_head T::*Node>
T *rhashtable_lookup(rhashtable<T, Key, KeyOf, Node> &t, const Key &key)
{
	for (rhash_head *at = t.buckets[t.bucket_of(key)]; at; at = at->next)
		if (T &obj = t.object(*at); !std::memcmp(&(obj.*KeyOf), &key, sizeof(Key)))
			return &obj;
	return nullptr;
}

template <class T, class Key, Key T::*KeyOf, rhash_head T::*Node>
int rhashtable_lookup_insert_fast(rhashtable<T, Key, KeyOf, Node> &t, T &obj)
{
	// The chain's lock is one that softirqs take.
	local_bh_disable();
	if (rhashtable_lookup(t, obj.*KeyOf)) {
		local_bh_enable();
		return -EEXIST;
	}
	if (t.nelems >= t.buckets.size() / 4 * 3)
		t.grow();
	rhash_head *&chain = t.buckets[t.bucket_of(obj.*KeyOf)];

	(obj.*Node).next = chain;
	chain = &(obj.*Node);
	++t.nelems;
	local_bh_enable();
	return 0;
}

template <class T, class Key, Key T::*KeyOf, rhash_head T::*Node>
int rhashtable_remove_fast(rhashtable<T, Key, KeyOf, Node> &t, T &obj)
{
	int err = -ENOENT;

	local_bh_disable();
	for (rhash_head **at = &t.buckets[t.bucket_of(obj.*KeyOf)]; *at && err; at = &(*at)->next) {
		if (*at != &(obj.*Node))
			continue;
		*at = (obj.*Node).next;
		--t.nelems;
		err = 0;
		break;
	}
	local_bh_enable();
	return err;
}

} // namespace skbwalk
