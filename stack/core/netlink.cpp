// SPDX-License-Identifier: GPL-2.0-only
//
// net/netlink/af_netlink.c, lib/nlattr.c and net/core/netevent.c, as far as the kernel speaks first: a
// message is put together attribute by attribute, rtnl_notify hands it to netlink_broadcast, which gives a
// copy to each listener of the group and lets it go. Left out: netlink sockets, and so requests and their
// answers.
#include "stack/core/netlink.h"

#include <cassert>
#include <cstring>

#include "stack/kernel/softirq.h"
#include "stack/kernel/wait.h"

namespace skbwalk {

namespace {

// Of the one protocol there is: NETLINK_ROUTE.
struct netlink_table {
	list_head mc_list;
	rwlock_t nl_table_lock;
	u32 nl_table_users = 0;
	wait_queue_head nl_table_wait;
	std::vector<netevent_fn> netevent_notif_chain;
	netlink_table() { init_waitqueue_head(nl_table_wait); }
};
perhost<netlink_table> nl_table;

} // namespace

netlink_listener::netlink_listener(net &of, u32 group_mask,
                                   void (*fn)(netlink_listener &l, const sk_buff &skb))
	: from(of), groups(group_mask), receive(fn)
{
	list_add_tail(node, nl_table->mc_list);
}

netlink_listener::~netlink_listener() { __list_del_entry(node); }

skb_ptr nlmsg_new(u32 payload, gfp_t flags)
{
	TRACE_INLINE();
	return alloc_skb(NLMSG_ALIGN(static_cast<u32>(sizeof(nlmsghdr)) + payload), flags);
}

nlmsghdr *__nlmsg_put(sk_buff &skb, u32 portid, u32 seq, int type, int len, int flags)
{
	TRACE(skb);
	const u32 size = static_cast<u32>(sizeof(nlmsghdr)) + static_cast<u32>(len);
	auto *nlh = reinterpret_cast<nlmsghdr *>(skb_put(skb, NLMSG_ALIGN(size)));

	nlh->nlmsg_type = static_cast<u16>(type);
	nlh->nlmsg_len = size;
	nlh->nlmsg_flags = static_cast<u16>(flags);
	nlh->nlmsg_pid = portid;
	nlh->nlmsg_seq = seq;
	std::memset(reinterpret_cast<u8 *>(nlh) + size, 0, NLMSG_ALIGN(size) - size);
	return nlh;
}

nlmsghdr *nlmsg_put(sk_buff &skb, u32 portid, u32 seq, int type, int payload, int flags)
{
	TRACE_INLINE(skb);
	if (skb_tailroom(skb) < NLMSG_ALIGN(static_cast<u32>(sizeof(nlmsghdr)) + static_cast<u32>(payload)))
		return nullptr;
	return __nlmsg_put(skb, portid, seq, type, payload, flags);
}

void nlmsg_end(sk_buff &skb, nlmsghdr &nlh)
{
	TRACE_INLINE(skb);
	nlh.nlmsg_len = static_cast<u32>(skb_tail_pointer(skb) - reinterpret_cast<u8 *>(&nlh));
}

void nlmsg_cancel(sk_buff &skb, nlmsghdr &nlh)
{
	TRACE_INLINE(skb);
	skb_trim(skb, static_cast<u32>(reinterpret_cast<u8 *>(&nlh) - skb.data));
}

static nlattr *__nla_reserve(sk_buff &skb, int attrtype, int attrlen)
{
	TRACE(skb);
	const u32 size = static_cast<u32>(sizeof(nlattr)) + static_cast<u32>(attrlen);
	auto *nla = reinterpret_cast<nlattr *>(skb_put(skb, NLMSG_ALIGN(size)));

	nla->nla_type = static_cast<u16>(attrtype);
	nla->nla_len = static_cast<u16>(size);
	std::memset(reinterpret_cast<u8 *>(nla) + size, 0, NLMSG_ALIGN(size) - size);
	return nla;
}

static void __nla_put(sk_buff &skb, int attrtype, int attrlen, const void *data)
{
	TRACE(skb);
	nlattr *nla = __nla_reserve(skb, attrtype, attrlen);

	// An attribute that says all by being there has none.
	if (attrlen)
		std::memcpy(nla + 1, data, static_cast<std::size_t>(attrlen));
}

int nla_put(sk_buff &skb, int attrtype, int attrlen, const void *data)
{
	TRACE(skb);
	if (skb_tailroom(skb) < nla_total_size(static_cast<u32>(attrlen)))
		return -EMSGSIZE;
	__nla_put(skb, attrtype, attrlen, data);
	return 0;
}

static void netlink_lock_table()
{
	TRACE();
	const unsigned long flags = _raw_spin_lock_irqsave(nl_table->nl_table_lock);

	++nl_table->nl_table_users;
	_raw_spin_unlock_irqrestore(nl_table->nl_table_lock, flags);
}

static void netlink_unlock_table()
{
	TRACE();
	if (--nl_table->nl_table_users == 0)
		__wake_up(nl_table->nl_table_wait, TASK_NORMAL, 1, nullptr);
}

// Gives back what the message has reserved and does not use, if that is much.
static skb_ptr netlink_trim(skb_ptr skb, gfp_t allocation)
{
	TRACE(skb);
	const u32 delta = skb->end - skb->tail;

	if (delta * 2 < skb->truesize)
		return skb;
	if (skb_shared(*skb)) {
		skb_ptr nskb = skb_clone(*skb, allocation);

		if (!nskb)
			return skb;
		consume_skb(std::move(skb));
		skb = std::move(nskb);
	}
	if (!pskb_expand_head(*skb, 0, -static_cast<int>(delta), allocation))
		skb->truesize -= delta;
	return skb;
}

int netlink_broadcast(net &net, skb_ptr skb, u32, u32 group, gfp_t allocation)
{
	TRACE(skb);
	netlink_table &table = *nl_table;
	bool delivered = false;

	skb = netlink_trim(std::move(skb), allocation);
	netlink_lock_table();
	for (list_head *p = table.mc_list.next, *next; p != &table.mc_list; p = next) {
		netlink_listener &l = list_entry(*p, &netlink_listener::node);

		next = p->next;
		if (!net_eq(l.from, net) || !(l.groups & 1u << (group - 1)))
			continue;
		l.receive(l, *skb);
		delivered = true;
	}
	consume_skb(std::move(skb));
	netlink_unlock_table();
	consume_skb(nullptr); // a copy that no listener took
	return delivered ? 0 : -ESRCH;
}

int nlmsg_notify(net &net, skb_ptr skb, u32 portid, u32 group, int, gfp_t flags)
{
	TRACE(skb);
	const int err = netlink_broadcast(net, std::move(skb), portid, group, flags);

	return err == -ESRCH ? 0 : err;
}

void rtnl_notify(skb_ptr skb, net &net, u32 pid, u32 group, gfp_t flags)
{
	TRACE(skb);
	nlmsg_notify(net, std::move(skb), pid, group, 0, flags);
}

void register_netevent_notifier(netevent_fn fn)
{
	TRACE();
	nl_table->netevent_notif_chain.push_back(fn);
}

static int atomic_notifier_call_chain(const std::vector<netevent_fn> &chain, u32 event, void *object)
{
	TRACE();
	int ret = 0;

	rcu_read_lock();
	for (const netevent_fn fn : chain)
		ret = fn(event, object);
	rcu_read_unlock();
	return ret;
}

int call_netevent_notifiers(u32 event, void *object)
{
	TRACE();
	return atomic_notifier_call_chain(nl_table->netevent_notif_chain, event, object);
}

} // namespace skbwalk
