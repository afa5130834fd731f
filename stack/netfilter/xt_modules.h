// SPDX-License-Identifier: GPL-2.0-only
//
// What matches and targets are told by user space (uapi/linux/netfilter/xt_*.h), and the modules' inits.
#pragma once

#include "stack/netfilter/nf_nat_range.h"
#include "stack/netfilter/x_tables.h"
#include "stack/wire/headers.h"

namespace skbwalk {

constexpr u8 XT_TCP_INV_SRCPT = 1, XT_TCP_INV_DSTPT = 2, XT_TCP_INV_FLAGS = 4, XT_TCP_INV_OPTION = 8,
	     XT_TCP_INV_MASK = 15;
struct xt_tcp {
	u16 spts[2];
	u16 dpts[2];
	u8 option;
	u8 flg_mask;
	u8 flg_cmp;
	u8 invflags;
};
constexpr u8 XT_UDP_INV_SRCPT = 1, XT_UDP_INV_DSTPT = 2, XT_UDP_INV_MASK = 3;
struct xt_udp {
	u16 spts[2];
	u16 dpts[2];
	u8 invflags;
};
constexpr u8 IPT_ICMP_INV = 1;
struct ipt_icmp {
	u8 type; // 0xff: any
	u8 code[2];
	u8 invflags;
};
constexpr u32 XT_MULTI_PORTS = 15;
enum xt_multiport_flags : u8 { XT_MULTIPORT_SOURCE, XT_MULTIPORT_DESTINATION, XT_MULTIPORT_EITHER };
struct xt_multiport_v1 {
	u8 flags;
	u8 count;
	u16 ports[XT_MULTI_PORTS];
	u8 pflags[XT_MULTI_PORTS]; // the port begins a range that ends with the next
	u8 invert;
};
struct xt_mark_mtinfo1 {
	u32 mark, mask;
	u8 invert;
};
struct xt_mark_tginfo2 {
	u32 mark, mask;
};
constexpr std::size_t XT_MAX_COMMENT_LEN = 256;
struct xt_comment_info {
	char comment[XT_MAX_COMMENT_LEN];
};
struct xt_mac_info {
	mac_addr srcaddr;
	u8 invert;
};
constexpr u16 XT_ADDRTYPE_INVERT_SOURCE = 1, XT_ADDRTYPE_INVERT_DEST = 2;
struct xt_addrtype_info_v1 {
	u16 source, dest; // masks of 1 << RTN_x
	u32 flags;
};
// A state's bit: 1 << (ctinfo % IP_CT_IS_REPLY + 1).
constexpr u16 XT_CONNTRACK_STATE_INVALID = 1 << 0, XT_CONNTRACK_STATE_ESTABLISHED = 1 << 1,
	      XT_CONNTRACK_STATE_RELATED = 1 << 2, XT_CONNTRACK_STATE_NEW = 1 << 3,
	      XT_CONNTRACK_STATE_SNAT = 1 << 6, XT_CONNTRACK_STATE_DNAT = 1 << 7,
	      XT_CONNTRACK_STATE_UNTRACKED = 1 << 8;
constexpr u16 XT_CONNTRACK_STATE = 1 << 0, XT_CONNTRACK_PROTO = 1 << 1, XT_CONNTRACK_ORIGSRC = 1 << 2,
	      XT_CONNTRACK_ORIGDST = 1 << 3, XT_CONNTRACK_REPLSRC = 1 << 4, XT_CONNTRACK_REPLDST = 1 << 5,
	      XT_CONNTRACK_STATUS = 1 << 6, XT_CONNTRACK_EXPIRES = 1 << 7, XT_CONNTRACK_ORIGSRC_PORT = 1 << 8,
	      XT_CONNTRACK_ORIGDST_PORT = 1 << 9, XT_CONNTRACK_REPLSRC_PORT = 1 << 10,
	      XT_CONNTRACK_REPLDST_PORT = 1 << 11, XT_CONNTRACK_DIRECTION = 1 << 12,
	      XT_CONNTRACK_STATE_ALIAS = 1 << 13;
struct xt_conntrack_mtinfo3 {
	be32 origsrc_addr, origsrc_mask;
	be32 origdst_addr, origdst_mask;
	be32 replsrc_addr, replsrc_mask;
	be32 repldst_addr, repldst_mask;
	u32 expires_min, expires_max;
	u16 l4proto;
	u16 origsrc_port, origdst_port;
	u16 replsrc_port, repldst_port;
	u16 match_flags, invert_flags;
	u16 state_mask, status_mask;
	u16 origsrc_port_high, origdst_port_high;
	u16 replsrc_port_high, repldst_port_high;
};
constexpr u32 XT_LIMIT_SCALE = 10000;
struct xt_rateinfo {
	u32 avg; // hundred microseconds between two, in the kernel's scale
	u32 burst;
	u32 prev; // jiffies
	u32 credit, credit_cap, cost;
};
struct xt_log_info {
	u8 level;
	u8 logflags;
	char prefix[30];
};

int tcpudp_mt_init();
int icmp_mt_init(); // ip_tables' own
int multiport_mt_init();
int mark_mt_init();
int comment_mt_init();
int mac_mt_init();
int addrtype_mt_init();
int limit_mt_init();
int state_mt_init();
int conntrack_mt_init();
int xt_nat_init();
int masquerade_tg_init();
int redirect_tg_init();
int log_tg_init();

} // namespace skbwalk
