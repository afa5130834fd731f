// SPDX-License-Identifier: GPL-2.0-only
//
// Headers as they stand on the wire, with the kernel's names
// (include/uapi/linux/{if_ether,ip,tcp,udp,icmp,if_arp}.h). All fields are bytes or byte arrays, so every
// struct has alignment 1 and no padding.
#pragma once

#include <array>

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr u32 ETH_ALEN = 6, ETH_HLEN = 14, ETH_ZLEN = 60, ETH_DATA_LEN = 1500, ETH_MIN_MTU = 68,
	      ETH_MAX_MTU = 0xFFFF;
constexpr u16 ETH_P_IP = 0x0800, ETH_P_ARP = 0x0806, ETH_P_8021Q = 0x8100, ETH_P_IPV6 = 0x86DD,
	      ETH_P_ALL = 0x0003, ETH_P_802_2 = 0x0004, ETH_P_802_3 = 0x0001, ETH_P_802_3_MIN = 0x0600,
	      ETH_P_PAUSE = 0x8808;

using mac_addr = std::array<u8, ETH_ALEN>;

struct ethhdr {
	mac_addr h_dest;
	mac_addr h_source;
	be16 h_proto;
};

struct arphdr {
	be16 ar_hrd;
	be16 ar_pro;
	u8 ar_hln;
	u8 ar_pln;
	be16 ar_op;
};
constexpr u16 ARPOP_REQUEST = 1, ARPOP_REPLY = 2, ARPHRD_ETHER = 1, ARPHRD_LOOPBACK = 772;

struct iphdr {
	u8 ver_ihl; // version in the upper four bits
	u8 tos;
	be16 tot_len;
	be16 id;
	be16 frag_off;
	u8 ttl;
	u8 protocol;
	be16 check;
	be32 saddr;
	be32 daddr;
	[[nodiscard]] u32 ihl() const { return ver_ihl & 0x0fu; }
	[[nodiscard]] u32 version() const { return ver_ihl >> 4; }
};
constexpr u16 IP_CE = 0x8000, IP_DF = 0x4000, IP_MF = 0x2000, IP_OFFSET = 0x1FFF;
constexpr u8 IPPROTO_IP = 0, IPPROTO_ICMP = 1, IPPROTO_TCP = 6, IPPROTO_UDP = 17, IPPROTO_IPV6 = 41,
	     IPPROTO_RAW = 255;
constexpr u8 IPDEFTTL = 64, MAXTTL = 255;

struct tcphdr {
	be16 source;
	be16 dest;
	be32 seq;
	be32 ack_seq;
	u8 doff_res; // data offset in the upper four bits
	u8 flags;    // TCPHDR_*
	be16 window;
	be16 check;
	be16 urg_ptr;
	[[nodiscard]] u32 doff() const { return doff_res >> 4; }
	[[nodiscard]] bool fin() const { return flags & 0x01; }
	[[nodiscard]] bool syn() const { return flags & 0x02; }
	[[nodiscard]] bool rst() const { return flags & 0x04; }
	[[nodiscard]] bool psh() const { return flags & 0x08; }
	[[nodiscard]] bool ack() const { return flags & 0x10; }
	[[nodiscard]] bool urg() const { return flags & 0x20; }
	[[nodiscard]] bool ece() const { return flags & 0x40; }
	[[nodiscard]] bool cwr() const { return flags & 0x80; }
};
constexpr u8 TCPHDR_FIN = 0x01, TCPHDR_SYN = 0x02, TCPHDR_RST = 0x04, TCPHDR_PSH = 0x08, TCPHDR_ACK = 0x10,
	     TCPHDR_URG = 0x20, TCPHDR_ECE = 0x40, TCPHDR_CWR = 0x80;
constexpr u8 TCPHDR_SYN_ECN = TCPHDR_SYN | TCPHDR_ECE | TCPHDR_CWR;

struct udphdr {
	be16 source;
	be16 dest;
	be16 len;
	be16 check;
};

struct icmphdr {
	u8 type;
	u8 code;
	be16 checksum;
	union {
		struct {
			be16 id;
			be16 sequence;
		} echo;
		be32 gateway;
		struct {
			be16 unused;
			be16 mtu;
		} frag;
	} un;
};
constexpr u8 ICMP_ECHOREPLY = 0, ICMP_DEST_UNREACH = 3, ICMP_SOURCE_QUENCH = 4, ICMP_REDIRECT = 5,
	     ICMP_ECHO = 8, ICMP_TIME_EXCEEDED = 11, ICMP_PARAMETERPROB = 12, ICMP_TIMESTAMP = 13,
	     ICMP_TIMESTAMPREPLY = 14, ICMP_INFO_REQUEST = 15, ICMP_INFO_REPLY = 16, ICMP_ADDRESS = 17,
	     ICMP_ADDRESSREPLY = 18, NR_ICMP_TYPES = 18;
constexpr u8 ICMP_NET_UNREACH = 0, ICMP_HOST_UNREACH = 1, ICMP_PROT_UNREACH = 2, ICMP_PORT_UNREACH = 3,
	     ICMP_FRAG_NEEDED = 4, ICMP_SR_FAILED = 5, ICMP_PKT_FILTERED = 13, NR_ICMP_UNREACH = 15;
constexpr u8 ICMP_EXC_TTL = 0, ICMP_EXC_FRAGTIME = 1;
// PROBE (RFC 8335): asks a node about one of its interfaces.
constexpr u8 ICMP_EXT_ECHO = 42, ICMP_EXT_ECHOREPLY = 43, ICMP_EXT_CODE_MAL_QUERY = 1,
	     ICMP_EXT_CODE_NO_IF = 2;
constexpr u8 ICMP_EXT_ECHOREPLY_ACTIVE = 4, ICMP_EXT_ECHOREPLY_IPV4 = 2, ICMP_EXT_ECHO_CTYPE_NAME = 1,
	     ICMP_EXT_ECHO_CTYPE_INDEX = 2, ICMP_EXT_ECHO_CTYPE_ADDR = 3, ICMP_AFI_IP = 1;
struct icmp_ext_hdr {
	u8 version; // in the upper four bits
	u8 reserved;
	be16 checksum;
};
struct icmp_extobj_hdr {
	be16 length;
	u8 class_num;
	u8 class_type;
};

static_assert(sizeof(ethhdr) == 14 && alignof(ethhdr) == 1 && std::is_trivially_copyable_v<ethhdr>);
static_assert(sizeof(arphdr) == 8 && alignof(arphdr) == 1 && std::is_trivially_copyable_v<arphdr>);
static_assert(sizeof(iphdr) == 20 && alignof(iphdr) == 1 && std::is_trivially_copyable_v<iphdr>);
static_assert(sizeof(tcphdr) == 20 && alignof(tcphdr) == 1 && std::is_trivially_copyable_v<tcphdr>);
static_assert(sizeof(udphdr) == 8 && alignof(udphdr) == 1 && std::is_trivially_copyable_v<udphdr>);
static_assert(sizeof(icmp_ext_hdr) == 4 && sizeof(icmp_extobj_hdr) == 4 && alignof(icmp_extobj_hdr) == 1);
static_assert(sizeof(icmphdr) == 8 && alignof(icmphdr) == 1 && std::is_trivially_copyable_v<icmphdr>);

} // namespace skbwalk
