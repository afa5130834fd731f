// SPDX-License-Identifier: GPL-2.0-only
//
// kfree_rcu (include/linux/rcupdate.h): an object from kmalloc, with a member `rcu`, goes after a grace
// period.
#pragma once

#include <type_traits>

#include "stack/kernel/slab.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

// not traced: a macro in the kernel
template <class T> void kfree_rcu(T &object)
{
	static_assert(std::is_trivially_destructible_v<T>);
	call_rcu(object.rcu, [](rcu_head *head) { kfree(&container_of(*head, &T::rcu)); });
}

} // namespace skbwalk
