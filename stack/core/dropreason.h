// SPDX-License-Identifier: GPL-2.0-only
//
// Why a packet was dropped (include/net/dropreason.h): one list, from which come the enumerators and their
// names.
#pragma once

namespace skbwalk {

// clang-format off
#define SKBWALK_DROP_REASONS(FN)                                                                             \
	FN(NOT_SPECIFIED)                                                                                    \
	FN(NO_SOCKET) FN(PKT_TOO_SMALL) FN(TCP_CSUM) FN(SOCKET_FILTER) FN(UDP_CSUM) FN(NETFILTER_DROP) FN(   \
		OTHERHOST) FN(IP_CSUM) FN(IP_INHDR) FN(IP_RPFILTER) FN(UNICAST_IN_L2_MULTICAST)              \
		FN(XFRM_POLICY) FN(IP_NOPROTO) FN(SOCKET_RCVBUFF) FN(PROTO_MEM) FN(TCP_MD5NOTFOUND) FN(      \
			TCP_MD5UNEXPECTED) FN(TCP_MD5FAILURE) FN(SOCKET_BACKLOG) FN(TCP_FLAGS)               \
			FN(TCP_ZEROWINDOW) FN(TCP_OLD_DATA) FN(TCP_OVERWINDOW) FN(TCP_OFOMERGE) FN(          \
				TCP_RFC7323_PAWS) FN(TCP_INVALID_SEQUENCE) FN(TCP_RESET) FN(TCP_INVALID_SYN) \
				FN(TCP_CLOSE) FN(TCP_FASTOPEN) FN(TCP_OLD_ACK) FN(TCP_TOO_OLD_ACK) FN(       \
					TCP_ACK_UNSENT_DATA) FN(TCP_OFO_QUEUE_PRUNE) FN(TCP_OFO_DROP)        \
					FN(IP_OUTNOROUTES) FN(BPF_CGROUP_EGRESS) FN(IPV6DISABLED) FN(        \
						NEIGH_CREATEFAIL) FN(NEIGH_FAILED) FN(NEIGH_QUEUEFULL)       \
						FN(NEIGH_DEAD) FN(TC_EGRESS) FN(QDISC_DROP) FN(              \
							CPU_BACKLOG) FN(XDP) FN(TC_INGRESS)                  \
							FN(UNHANDLED_PROTO) FN(SKB_CSUM) FN(SKB_GSO_SEG) FN( \
								SKB_UCOPY_FAULT) FN(DEV_HDR) FN(DEV_READY)   \
								FN(FULL_RING) FN(NOMEM) FN(HDR_TRUNC) FN(    \
									TAP_FILTER) FN(TAP_TXFILTER)         \
									FN(ICMP_CSUM) FN(INVALID_PROTO) FN(  \
										IP_INADDRERRORS)             \
										FN(IP_INNOROUTES) FN(        \
											PKT_TOO_BIG)         \
											FN(TC_CHAIN_NOTFOUND)
// clang-format on

enum skb_drop_reason {
	SKB_NOT_DROPPED_YET = 0, // consumed, not dropped
#define SKBWALK_FN(name) SKB_DROP_REASON_##name,
	SKBWALK_DROP_REASONS(SKBWALK_FN)
#undef SKBWALK_FN
		SKB_DROP_REASON_MAX
};

// "IP_CSUM" for SKB_DROP_REASON_IP_CSUM.
const char *drop_reason_name(skb_drop_reason reason);

} // namespace skbwalk
