// SPDX-License-Identifier: GPL-2.0-only
//
// Socket filters (include/linux/filter.h, include/uapi/linux/filter.h, bpf_common.h): classic BPF programs
// that decide how much of a packet a socket gets.
#pragma once

#include <vector>

#include "stack/core/sock.h"
#include "stack/kernel/refcount.h"

namespace skbwalk {

// An instruction: for jumps, how far to go on when true and when false.
struct sock_filter {
	u16 code;
	u8 jt, jf;
	u32 k;
};
static_assert(sizeof(sock_filter) == 8);

// What SO_ATTACH_FILTER is given.
struct sock_fprog {
	u16 len; // instructions
	const sock_filter *filter;
};

constexpr u16 BPF_LD = 0x00, BPF_LDX = 0x01, BPF_ST = 0x02, BPF_STX = 0x03, BPF_ALU = 0x04, BPF_JMP = 0x05,
	      BPF_RET = 0x06, BPF_MISC = 0x07;
constexpr u16 BPF_W = 0x00, BPF_H = 0x08, BPF_B = 0x10;
constexpr u16 BPF_IMM = 0x00, BPF_ABS = 0x20, BPF_IND = 0x40, BPF_MEM = 0x60, BPF_LEN = 0x80, BPF_MSH = 0xa0;
constexpr u16 BPF_ADD = 0x00, BPF_SUB = 0x10, BPF_MUL = 0x20, BPF_DIV = 0x30, BPF_OR = 0x40, BPF_AND = 0x50,
	      BPF_LSH = 0x60, BPF_RSH = 0x70, BPF_NEG = 0x80, BPF_MOD = 0x90, BPF_XOR = 0xa0;
constexpr u16 BPF_JA = 0x00, BPF_JEQ = 0x10, BPF_JGT = 0x20, BPF_JGE = 0x30, BPF_JSET = 0x40;
constexpr u16 BPF_K = 0x00, BPF_X = 0x08, BPF_A = 0x10, BPF_TAX = 0x00, BPF_TXA = 0x80;
constexpr u32 BPF_MAXINSNS = 4096, BPF_MEMWORDS = 16;
constexpr u16 BPF_CLASS(u16 code) { return code & 0x07; }
constexpr u16 BPF_SIZE(u16 code) { return code & 0x18; }
constexpr u16 BPF_MODE(u16 code) { return code & 0xe0; }
constexpr u16 BPF_OP(u16 code) { return code & 0xf0; }
constexpr u16 BPF_SRC(u16 code) { return code & 0x08; }
constexpr u16 BPF_RVAL(u16 code) { return code & 0x18; }

// Loads from these places ask for what does not stand in the packet, or is counted from other headers.
constexpr int SKF_AD_OFF = -0x1000, SKF_NET_OFF = -0x100000, SKF_LL_OFF = -0x200000;
enum skf_ad : int {
	SKF_AD_PROTOCOL = 0,
	SKF_AD_PKTTYPE = 4,
	SKF_AD_IFINDEX = 8,
	SKF_AD_NLATTR = 12,
	SKF_AD_NLATTR_NEST = 16,
	SKF_AD_MARK = 20,
	SKF_AD_QUEUE = 24,
	SKF_AD_HATYPE = 28,
	SKF_AD_RXHASH = 32,
	SKF_AD_CPU = 36,
	SKF_AD_ALU_XOR_X = 40,
	SKF_AD_VLAN_TAG = 44,
	SKF_AD_VLAN_TAG_PRESENT = 48,
	SKF_AD_PAY_OFFSET = 52,
	SKF_AD_RANDOM = 56,
	SKF_AD_VLAN_TPID = 60,
	SKF_AD_MAX = 64
};

struct bpf_prog {
	std::vector<sock_filter> insns;
};
// The kernel's struct sk_filter: a program as it is attached, to a socket or to several (children share it).
struct sk_filter_prog {
	refcount_t refcnt;
	rcu_head rcu;
	bpf_prog *prog = nullptr;
};

int sk_attach_filter(const sock_fprog &fprog, sock &sk);
int sk_detach_filter(sock &sk);
// How many instructions the attached program has; they are copied out if `len` says that there is room.
int sk_get_filter(sock &sk, void *optval, u32 len);
bool sk_filter_charge(sock &sk, sk_filter_prog &fp); // takes a reference
void sk_filter_uncharge(sock &sk, sk_filter_prog &fp);
int copy_bpf_fprog_from_user(sock_fprog &dst, const void *src, u32 len);
// How many bytes of the packet to keep.
u32 bpf_prog_run_save_cb(const bpf_prog &prog, sk_buff &skb);

} // namespace skbwalk
