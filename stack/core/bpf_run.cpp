// SPDX-License-Identifier: GPL-2.0-only
//
// Runs a classic BPF program over a packet (bpf_prog_run of include/linux/filter.h, and the helpers of
// net/core/filter.c that a translated program calls). In the kernel the program is machine code, which has no
// name in a trace, and reads the linear part of a packet itself; the helpers that it calls for the rest have
// one. Here an interpreter stands for that code and calls the same helpers in the same cases.
#include <cassert>
#include <climits>
#include <cstring>

#include "stack/core/filter.h"
#include "stack/core/flow_dissector.h"
#include "stack/core/netdevice.h"

namespace skbwalk {

// --- what a compiled program calls ---

static int bpf_skb_load_helper_convert_offset(const sk_buff &skb, int offset)
{
	TRACE(skb);
	if (offset >= 0)
		return offset;
	if (offset >= SKF_NET_OFF)
		return offset - SKF_NET_OFF + skb_network_offset(skb);
	if (offset >= SKF_LL_OFF && skb_mac_header_was_set(skb))
		return offset - SKF_LL_OFF + static_cast<int>(skb.head + skb.mac_header - skb.data);
	return INT_MIN;
}

namespace {

// As many bytes as T has, as they stand on the wire; -EFAULT where the packet does not reach.
template <class T> s64 load(const sk_buff &skb, const u8 *data, int headlen, int offset)
{
	u8 tmp[sizeof(T)];
	s64 value = 0;

	offset = bpf_skb_load_helper_convert_offset(skb, offset);
	if (offset == INT_MIN)
		return -EFAULT;
	if (headlen - offset >= static_cast<int>(sizeof(T)))
		std::memcpy(tmp, data + offset, sizeof(T));
	else if (skb_copy_bits(skb, offset, tmp, sizeof(T)))
		return -EFAULT;
	for (const u8 b : tmp)
		value = value << 8 | b;
	return value;
}

} // namespace

static s64 bpf_skb_load_helper_8(const sk_buff &skb, const u8 *data, int headlen, int offset)
{
	TRACE(skb);
	return load<u8>(skb, data, headlen, offset);
}

static s64 bpf_skb_load_helper_16(const sk_buff &skb, const u8 *data, int headlen, int offset)
{
	TRACE(skb);
	return load<u16>(skb, data, headlen, offset);
}

static s64 bpf_skb_load_helper_32(const sk_buff &skb, const u8 *data, int headlen, int offset)
{
	TRACE(skb);
	return load<u32>(skb, data, headlen, offset);
}

// Where the payload of what the headers are known of begins.
static u32 skb_get_poff(const sk_buff &skb)
{
	TRACE(skb);
	flow_keys keys;

	if (!__skb_flow_dissect(skb, keys, 0))
		return 0;
	return __skb_get_poff(skb, keys, static_cast<int>(skb_headlen(skb)));
}

static u32 bpf_skb_get_pay_offset(const sk_buff &skb)
{
	TRACE(skb);
	return skb_get_poff(skb);
}

static u32 bpf_get_raw_cpu_id()
{
	TRACE();
	return static_cast<u32>(smp_processor_id());
}

static u32 bpf_user_rnd_u32()
{
	TRACE();
	return get_random_u32();
}

// --- the program ---

namespace {

class machine {
public:
	machine(const bpf_prog &prog, const sk_buff &skb)
		: insns_(prog.insns), skb_(skb), headlen_(static_cast<int>(skb_headlen(skb)))
	{}

	u32 run()
	{
		for (u32 pc = 0;; ++pc) {
			const sock_filter &f = insns_[pc];

			switch (BPF_CLASS(f.code)) {
			case BPF_LD:
			case BPF_LDX:
				if (!load_register(f))
					return a_;
				break;
			case BPF_ST:
				mem_[f.k] = a_;
				break;
			case BPF_STX:
				mem_[f.k] = x_;
				break;
			case BPF_ALU:
				if (!compute(f))
					return 0;
				break;
			case BPF_JMP:
				pc += BPF_OP(f.code) == BPF_JA ? f.k : holds(f) ? f.jt : f.jf;
				break;
			case BPF_RET:
				return BPF_RVAL(f.code) == BPF_A ? a_ : f.k;
			default:
				(f.code & BPF_TXA ? a_ : x_) = f.code & BPF_TXA ? x_ : a_;
				break;
			}
		}
	}

private:
	bool load_register(const sock_filter &f)
	{
		u32 &to = BPF_CLASS(f.code) == BPF_LD ? a_ : x_;

		switch (BPF_MODE(f.code)) {
		case BPF_IMM:
			to = f.k;
			return true;
		case BPF_MEM:
			to = mem_[f.k];
			return true;
		case BPF_LEN:
			to = skb_.len;
			return true;
		case BPF_MSH: { // of an IP header: its length
			u32 byte;
			if (!load_packet(BPF_B, static_cast<int>(f.k), true, byte))
				return false;
			x_ = (byte & 0xf) << 2;
			return true;
		}
		case BPF_IND:
			return load_packet(BPF_SIZE(f.code), static_cast<int>(x_ + f.k), false, a_);
		default:
			if (static_cast<int>(f.k) < 0 && static_cast<int>(f.k) >= SKF_AD_OFF)
				return load_ancillary(static_cast<int>(f.k) - SKF_AD_OFF);
			return load_packet(BPF_SIZE(f.code), static_cast<int>(f.k), true, a_);
		}
	}

	// False ends the program, with what is in A: 0 where the packet does not reach. The program itself
	// reads what is surely in the linear part.
	bool load_packet(u16 size, int offset, bool absolute, u32 &to)
	{
		const int bytes = size == BPF_W ? 4 : size == BPF_H ? 2 : 1;
		s64 value = 0;

		if (absolute && offset >= 0 && headlen_ - offset >= bytes) {
			for (int i = 0; i < bytes; ++i)
				value = value << 8 | skb_.data[offset + i];
		} else if (size == BPF_W) {
			value = bpf_skb_load_helper_32(skb_, skb_.data, headlen_, offset);
		} else if (size == BPF_H) {
			value = bpf_skb_load_helper_16(skb_, skb_.data, headlen_, offset);
		} else {
			value = bpf_skb_load_helper_8(skb_, skb_.data, headlen_, offset);
		}
		if (value < 0) {
			a_ = 0;
			return false;
		}
		to = static_cast<u32>(value);
		return true;
	}

	bool load_ancillary(int what)
	{
		switch (what) {
		case SKF_AD_PROTOCOL:
			a_ = ntohs(skb_.protocol);
			return true;
		case SKF_AD_PKTTYPE:
			a_ = skb_.pkt_type;
			return true;
		case SKF_AD_IFINDEX:
		case SKF_AD_HATYPE:
			if (!skb_.dev)
				return false;
			a_ = what == SKF_AD_IFINDEX ? static_cast<u32>(skb_.dev->ifindex) : skb_.dev->type;
			return true;
		case SKF_AD_MARK:
			a_ = skb_.mark;
			return true;
		case SKF_AD_QUEUE:
			a_ = skb_.queue_mapping;
			return true;
		case SKF_AD_RXHASH:
			a_ = skb_.hash;
			return true;
		case SKF_AD_CPU:
			a_ = bpf_get_raw_cpu_id();
			return true;
		case SKF_AD_ALU_XOR_X:
			a_ ^= x_;
			return true;
		case SKF_AD_VLAN_TAG:
			a_ = skb_.vlan_tci;
			return true;
		case SKF_AD_VLAN_TAG_PRESENT:
			a_ = skb_.vlan_present;
			return true;
		case SKF_AD_VLAN_TPID:
			a_ = ntohs(skb_.vlan_proto);
			return true;
		case SKF_AD_PAY_OFFSET:
			a_ = bpf_skb_get_pay_offset(skb_);
			return true;
		case SKF_AD_RANDOM:
			a_ = bpf_user_rnd_u32();
			return true;
		default:
			assert(false && "bpf_check_classic let it pass");
			return false;
		}
	}

	// False: a division by zero.
	bool compute(const sock_filter &f)
	{
		const u32 by = BPF_SRC(f.code) == BPF_X ? x_ : f.k;

		switch (BPF_OP(f.code)) {
		case BPF_ADD:
			a_ += by;
			break;
		case BPF_SUB:
			a_ -= by;
			break;
		case BPF_MUL:
			a_ *= by;
			break;
		case BPF_DIV:
		case BPF_MOD:
			if (!by)
				return false;
			a_ = BPF_OP(f.code) == BPF_DIV ? a_ / by : a_ % by;
			break;
		case BPF_OR:
			a_ |= by;
			break;
		case BPF_AND:
			a_ &= by;
			break;
		case BPF_XOR:
			a_ ^= by;
			break;
		case BPF_LSH: // as the machine shifts: by the low five bits
			a_ <<= by & 31;
			break;
		case BPF_RSH:
			a_ >>= by & 31;
			break;
		default:
			a_ = 0 - a_;
			break;
		}
		return true;
	}

	[[nodiscard]] bool holds(const sock_filter &f) const
	{
		const u32 with = BPF_SRC(f.code) == BPF_X ? x_ : f.k;

		switch (BPF_OP(f.code)) {
		case BPF_JEQ:
			return a_ == with;
		case BPF_JGT:
			return a_ > with;
		case BPF_JGE:
			return a_ >= with;
		default:
			return (a_ & with) != 0;
		}
	}

	const std::vector<sock_filter> &insns_;
	const sk_buff &skb_;
	const int headlen_;
	u32 a_ = 0, x_ = 0;
	u32 mem_[BPF_MEMWORDS] = {};
};

} // namespace

// The control block is the program's while it runs, and is put back: a classic program cannot write to it.
u32 bpf_prog_run_save_cb(const bpf_prog &prog, sk_buff &skb)
{
	TRACE_INLINE(skb);
	return machine(prog, skb).run();
}

} // namespace skbwalk
