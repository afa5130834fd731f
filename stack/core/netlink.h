// SPDX-License-Identifier: GPL-2.0-only
//
// Messages from the kernel to who listens (include/net/netlink.h, net/netlink/af_netlink.c): built as on a
// real netlink socket and broadcast to a group of the namespace. Also the chain of events that offloading
// drivers follow (net/core/netevent.c).
#pragma once

#include "stack/core/net_namespace.h"
#include "stack/core/skbuff.h"

namespace skbwalk {

struct nlmsghdr {
	u32 nlmsg_len;
	u16 nlmsg_type;
	u16 nlmsg_flags;
	u32 nlmsg_seq;
	u32 nlmsg_pid;
};
struct nlattr {
	u16 nla_len;
	u16 nla_type;
};
static_assert(sizeof(nlmsghdr) == 16 && sizeof(nlattr) == 4);
constexpr u32 NLMSG_ALIGN(u32 len) { return (len + 3) & ~3u; }
constexpr u32 nla_total_size(u32 payload) { return NLMSG_ALIGN(static_cast<u32>(sizeof(nlattr)) + payload); }
constexpr u16 RTM_NEWNEIGH = 28, RTM_DELNEIGH = 29;
constexpr u32 RTNLGRP_LINK = 1, RTNLGRP_NEIGH = 3;

// include/uapi/linux/neighbour.h
struct ndmsg {
	u8 ndm_family;
	u8 ndm_pad1;
	u16 ndm_pad2;
	int ndm_ifindex;
	u16 ndm_state;
	u8 ndm_flags;
	u8 ndm_type;
};
struct nda_cacheinfo {
	u32 ndm_confirmed;
	u32 ndm_used;
	u32 ndm_updated;
	u32 ndm_refcnt;
};
constexpr int NDA_DST = 1, NDA_LLADDR = 2, NDA_CACHEINFO = 3, NDA_PROBES = 4, NDA_VLAN = 5, NDA_MASTER = 9;
constexpr u8 NTF_EXT_LEARNED = 0x10, NTF_OFFLOADED = 0x20, NTF_STICKY = 0x40;

skb_ptr nlmsg_new(u32 payload, gfp_t flags); // header inline
nlmsghdr *__nlmsg_put(sk_buff &skb, u32 portid, u32 seq, int type, int len, int flags);
nlmsghdr *nlmsg_put(sk_buff &skb, u32 portid, u32 seq, int type, int payload, int flags); // header inline
inline void *nlmsg_data(nlmsghdr &nlh) { return &nlh + 1; }
void nlmsg_end(sk_buff &skb, nlmsghdr &nlh); // header inlines
void nlmsg_cancel(sk_buff &skb, nlmsghdr &nlh);
[[nodiscard]] int nla_put(sk_buff &skb, int attrtype, int attrlen, const void *data); // -EMSGSIZE

// Who receives what is broadcast to its groups in its namespace; on the host's list while it lives.
struct netlink_listener {
	netlink_listener(net &of, u32 group_mask, void (*fn)(netlink_listener &l, const sk_buff &skb));
	~netlink_listener();
	netlink_listener(const netlink_listener &) = delete;
	netlink_listener &operator=(const netlink_listener &) = delete;

	net &from;
	u32 groups; // 1 << (group - 1)
	void (*receive)(netlink_listener &l, const sk_buff &skb);
	list_head node;
};
int netlink_broadcast(net &net, skb_ptr skb, u32 portid, u32 group,
                      gfp_t allocation); // -ESRCH when nobody listens
int nlmsg_notify(net &net, skb_ptr skb, u32 portid, u32 group, int report, gfp_t flags);
void rtnl_notify(skb_ptr skb, net &net, u32 pid, u32 group, gfp_t flags);

constexpr u32 NETEVENT_NEIGH_UPDATE = 1, NETEVENT_REDIRECT = 2;
using netevent_fn = int (*)(u32 event, void *object);
void register_netevent_notifier(netevent_fn fn);
int call_netevent_notifiers(u32 event, void *object);

} // namespace skbwalk
