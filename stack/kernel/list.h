// SPDX-License-Identifier: GPL-2.0-only
//
// Lists and trees: Boost.Intrusive behind a few aliases, and the kernel's own bare list_head where an object
// hops between lists of different owners (wait entries, NAPI instances, the sk_buff lists of the receive
// path).
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/rbtree.hpp>
#include <boost/intrusive/slist.hpp>

#include "stack/kernel/types.h"

namespace skbwalk {

namespace bi = boost::intrusive;

// A hook that may be destroyed while linked asserts; unlink first.
using list_hook = bi::list_member_hook<bi::link_mode<bi::safe_link>>;
template <class T, list_hook T::*Hook>
using list_of = bi::list<T, bi::member_hook<T, list_hook, Hook>, bi::constant_time_size<false>>;
using rb_hook = bi::set_member_hook<bi::link_mode<bi::safe_link>>;
template <class T, rb_hook T::*Hook, class Compare>
using rb_tree_of =
	bi::rbtree<T, bi::member_hook<T, rb_hook, Hook>, bi::compare<Compare>, bi::constant_time_size<false>>;

// include/linux/list.h's circular list.
struct list_head {
	list_head *next = this;
	list_head *prev = this;
	list_head() = default;
	list_head(const list_head &) = delete;
	list_head &operator=(const list_head &) = delete;
};
inline void INIT_LIST_HEAD(list_head &l) { l.next = l.prev = &l; }
inline bool list_empty(const list_head &l) { return l.next == &l; }
inline void list_add(list_head &n, list_head &head)
{
	n.next = head.next;
	n.prev = &head;
	head.next->prev = &n;
	head.next = &n;
}
inline void list_add_tail(list_head &n, list_head &head) { list_add(n, *head.prev); }
inline void __list_del_entry(list_head &n)
{
	n.next->prev = n.prev;
	n.prev->next = n.next;
}
inline void list_del_init(list_head &n)
{
	__list_del_entry(n);
	INIT_LIST_HEAD(n);
}
inline void list_move_tail(list_head &n, list_head &head)
{
	__list_del_entry(n);
	list_add_tail(n, head);
}
// Moves all of `from` to the end of `to`, leaving `from` empty.
inline void list_splice_tail_init(list_head &from, list_head &to)
{
	if (list_empty(from))
		return;
	list_head *first = from.next;
	list_head *last = from.prev;
	first->prev = to.prev;
	to.prev->next = first;
	last->next = &to;
	to.prev = last;
	INIT_LIST_HEAD(from);
}
inline void list_splice_init(list_head &from, list_head &to)
{
	if (list_empty(from))
		return;
	list_head *first = from.next;
	list_head *last = from.prev;
	list_head *at = to.next;
	first->prev = &to;
	to.next = first;
	last->next = at;
	at->prev = last;
	INIT_LIST_HEAD(from);
}
// The object around a member.
template <class T, class M> T &container_of(M &m, M T::*member)
{
	alignas(T) static char probe[1];
	const auto offset = reinterpret_cast<char *>(&(reinterpret_cast<T *>(probe)->*member)) - probe;
	return *reinterpret_cast<T *>(reinterpret_cast<char *>(&m) - offset);
}
template <class T> T &list_entry(list_head &l, list_head T::*member) { return container_of(l, member); }

} // namespace skbwalk
