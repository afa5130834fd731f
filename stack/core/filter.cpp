// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/filter.c: what may come into a socket. SO_ATTACH_FILTER hands a classic BPF program over:
// sk_attach_filter copies it, bpf_check_classic looks whether it can do no harm, and it is charged to the
// socket. For each packet sk_filter_trim_cap asks the security modules, then runs the program, which says how
// many bytes are kept; 0 drops the packet. Unlike the kernel, which translates the program to eBPF and has
// that compiled, the classic program is interpreted (bpf_run.cpp). Left out: eBPF programs, programs of
// cgroups, those that choose among the sockets of a port.
#include "stack/core/filter.h"
#include "stack/core/sysctl_net_core.h"

#include <cstring>

namespace skbwalk {

namespace {

constexpr u32 bpf_prog_bytes = 56; // struct bpf_prog, without instructions

// What a socket is charged.
u32 bpf_prog_size(const bpf_prog &prog)
{
	return bpf_prog_bytes + static_cast<u32>(prog.insns.size() * sizeof(sock_filter));
}

// A load that asks for what does not stand in the packet.
bool is_ancillary(const sock_filter &ftest)
{
	switch (static_cast<int>(ftest.k) - SKF_AD_OFF) {
	case SKF_AD_PROTOCOL:
	case SKF_AD_PKTTYPE:
	case SKF_AD_IFINDEX:
	case SKF_AD_MARK:
	case SKF_AD_QUEUE:
	case SKF_AD_HATYPE:
	case SKF_AD_RXHASH:
	case SKF_AD_CPU:
	case SKF_AD_ALU_XOR_X:
	case SKF_AD_VLAN_TAG:
	case SKF_AD_VLAN_TAG_PRESENT:
	case SKF_AD_PAY_OFFSET:
	case SKF_AD_RANDOM:
	case SKF_AD_VLAN_TPID:
		return true;
	default: // Unlike the kernel, netlink's attributes cannot be looked for: no such packet is filtered.
		return false;
	}
}

bool is_conditional_jump(u16 code)
{
	switch (code & ~BPF_X) {
	case BPF_JMP | BPF_JEQ:
	case BPF_JMP | BPF_JGE:
	case BPF_JMP | BPF_JGT:
	case BPF_JMP | BPF_JSET:
		return true;
	default:
		return false;
	}
}

} // namespace

static bool chk_code_allowed(u16 code_to_probe)
{
	TRACE();
	switch (code_to_probe) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LD | BPF_IMM:
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_B | BPF_MSH:
	case BPF_LDX | BPF_IMM:
	case BPF_LDX | BPF_MEM:
	case BPF_ST:
	case BPF_STX:
	case BPF_MISC | BPF_TAX:
	case BPF_MISC | BPF_TXA:
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
	case BPF_JMP | BPF_JA:
	case BPF_ALU | BPF_NEG:
		return true;
	default:
		break;
	}
	if (BPF_CLASS(code_to_probe) == BPF_ALU)
		return BPF_OP(code_to_probe) <= BPF_XOR && BPF_OP(code_to_probe) != BPF_NEG &&
		       code_to_probe <= 0xff;
	return is_conditional_jump(code_to_probe);
}

// Memory that a program reads it must have written before, whichever way it came.
static int check_load_and_stores(const sock_filter *filter, u32 flen)
{
	TRACE();
	std::vector<u16> masks(flen, 0xffff);
	u32 memvalid = 0;

	for (u32 pc = 0; pc < flen; ++pc) {
		const sock_filter &f = filter[pc];
		const auto reaches = [&](u32 distance) {
			masks[pc + 1 + distance] = static_cast<u16>(masks[pc + 1 + distance] & memvalid);
		};

		memvalid &= masks[pc];
		switch (f.code) {
		case BPF_ST:
		case BPF_STX:
			memvalid |= 1u << f.k;
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
			if (!(memvalid & 1u << f.k))
				return -EINVAL;
			break;
		case BPF_JMP | BPF_JA:
			reaches(f.k);
			memvalid = ~0u;
			break;
		default:
			if (is_conditional_jump(f.code)) {
				reaches(f.jt);
				reaches(f.jf);
				memvalid = ~0u;
			}
			break;
		}
	}
	return 0;
}

static bool bpf_check_basics_ok(const sock_filter *filter, u32 flen)
{
	TRACE();
	return filter && flen && flen <= BPF_MAXINSNS;
}

// Known instructions only, no jump out of the program, no division by a zero that can be seen; the last
// instruction returns. All jumps go forward, so every program ends.
static int bpf_check_classic(const sock_filter *filter, u32 flen)
{
	TRACE();
	for (u32 pc = 0; pc < flen; ++pc) {
		const sock_filter &ftest = filter[pc];

		if (!chk_code_allowed(ftest.code))
			return -EINVAL;
		switch (ftest.code) {
		case BPF_ALU | BPF_DIV | BPF_K:
		case BPF_ALU | BPF_MOD | BPF_K:
			if (!ftest.k)
				return -EINVAL;
			break;
		case BPF_ALU | BPF_LSH | BPF_K:
		case BPF_ALU | BPF_RSH | BPF_K:
			if (ftest.k >= 32)
				return -EINVAL;
			break;
		case BPF_LD | BPF_MEM:
		case BPF_LDX | BPF_MEM:
		case BPF_ST:
		case BPF_STX:
			if (ftest.k >= BPF_MEMWORDS)
				return -EINVAL;
			break;
		case BPF_JMP | BPF_JA:
			if (ftest.k >= flen - pc - 1)
				return -EINVAL;
			break;
		case BPF_LD | BPF_W | BPF_ABS:
		case BPF_LD | BPF_H | BPF_ABS:
		case BPF_LD | BPF_B | BPF_ABS:
			if (!is_ancillary(ftest) && ftest.k >= static_cast<u32>(SKF_AD_OFF))
				return -EINVAL;
			break;
		default:
			if (is_conditional_jump(ftest.code) &&
			    (pc + ftest.jt + 1 >= flen || pc + ftest.jf + 1 >= flen))
				return -EINVAL;
			break;
		}
	}
	switch (filter[flen - 1].code) {
	case BPF_RET | BPF_K:
	case BPF_RET | BPF_A:
		return check_load_and_stores(filter, flen);
	default:
		return -EINVAL;
	}
}

// --- a program's life ---

static bpf_prog *bpf_prog_alloc(u32 len)
{
	TRACE();
	auto *fp = new bpf_prog;

	fp->insns.resize(len);
	return fp;
}

static void __bpf_prog_release(bpf_prog *prog)
{
	TRACE();
	delete prog;
}

// Null, and `err` set, when the program is no good; it is freed then.
static bpf_prog *bpf_prepare_filter(bpf_prog *fp, int &err)
{
	TRACE();
	err = bpf_check_classic(fp->insns.data(), static_cast<u32>(fp->insns.size()));
	if (err) {
		__bpf_prog_release(fp);
		return nullptr;
	}
	return fp;
}

static void __sk_filter_release(sk_filter_prog &fp)
{
	TRACE();
	__bpf_prog_release(fp.prog);
	delete &fp;
}

static void sk_filter_release_rcu(rcu_head *rcu)
{
	TRACE();
	__sk_filter_release(container_of(*rcu, &sk_filter_prog::rcu));
}

static void sk_filter_release(sk_filter_prog &fp)
{
	TRACE();
	if (refcount_dec_and_test(fp.refcnt))
		call_rcu(fp.rcu, sk_filter_release_rcu);
}

void sk_filter_uncharge(sock &sk, sk_filter_prog &fp)
{
	TRACE(sk);
	sk.sk_omem_alloc -= static_cast<int>(bpf_prog_size(*fp.prog));
	sk_filter_release(fp);
}

static bool __sk_filter_charge(sock &sk, const sk_filter_prog &fp)
{
	TRACE(sk);
	const int filter_size = static_cast<int>(bpf_prog_size(*fp.prog));
	const int optmem_max = net_core->optmem_max;

	if (filter_size > optmem_max || sk.sk_omem_alloc + filter_size >= optmem_max)
		return false;
	sk.sk_omem_alloc += filter_size;
	return true;
}

bool sk_filter_charge(sock &sk, sk_filter_prog &fp)
{
	TRACE(sk);
	if (!refcount_inc_not_zero(fp.refcnt))
		return false;
	if (!__sk_filter_charge(sk, fp)) {
		sk_filter_release(fp);
		return false;
	}
	return true;
}

// --- attaching ---

int copy_bpf_fprog_from_user(sock_fprog &dst, const void *src, u32 len)
{
	TRACE();
	if (len != sizeof(dst))
		return -EINVAL;
	std::memcpy(&dst, src, sizeof(dst));
	return 0;
}

static bpf_prog *__get_filter(const sock_fprog &fprog, const sock &sk, int &err)
{
	TRACE(sk);
	if (sock_flag(sk, SOCK_FILTER_LOCKED)) {
		err = -EPERM;
		return nullptr;
	}
	if (!bpf_check_basics_ok(fprog.filter, fprog.len)) {
		err = -EINVAL;
		return nullptr;
	}
	bpf_prog *prog = bpf_prog_alloc(fprog.len);
	std::memcpy(prog->insns.data(), fprog.filter, fprog.len * sizeof(sock_filter));
	return bpf_prepare_filter(prog, err);
}

static int __sk_attach_prog(bpf_prog &prog, sock &sk)
{
	TRACE(sk);
	auto *fp = new sk_filter_prog;

	fp->prog = &prog;
	if (!__sk_filter_charge(sk, *fp)) {
		delete fp;
		return -ENOMEM;
	}
	refcount_set(fp->refcnt, 1);
	if (sk_filter_prog *old_fp = std::exchange(sk.sk_filter_ptr, fp))
		sk_filter_uncharge(sk, *old_fp);
	return 0;
}

int sk_attach_filter(const sock_fprog &fprog, sock &sk)
{
	TRACE(sk);
	int err = 0;
	bpf_prog *prog = __get_filter(fprog, sk, err);

	if (!prog)
		return err;
	err = __sk_attach_prog(*prog, sk);
	if (err < 0)
		__bpf_prog_release(prog);
	return err;
}

int sk_detach_filter(sock &sk)
{
	TRACE(sk);
	if (sock_flag(sk, SOCK_FILTER_LOCKED))
		return -EPERM;
	sk_filter_prog *filter = std::exchange(sk.sk_filter_ptr, nullptr);
	if (!filter)
		return -ENOENT;
	sk_filter_uncharge(sk, *filter);
	return 0;
}

int sk_get_filter(sock &sk, void *optval, u32 len)
{
	TRACE(sk);
	int ret = 0;

	sockopt_lock_sock(sk);
	if (const sk_filter_prog *filter = sk.sk_filter_ptr) {
		const auto &insns = filter->prog->insns;

		ret = static_cast<int>(insns.size());
		if (len && len < insns.size())
			ret = -EINVAL;
		else if (len)
			std::memcpy(optval, insns.data(), insns.size() * sizeof(sock_filter));
	}
	sockopt_release_sock(sk);
	return ret;
}

// --- each packet ---

// A program that trims leaves `cap` bytes at least. 0, or why the packet may not come in.
int sk_filter_trim_cap(sock &sk, sk_buff &skb, u32 cap)
{
	TRACE(sk, skb);
	int err = security_sock_rcv_skb(sk, skb);

	if (err)
		return err;
	rcu_read_lock();
	if (const sk_filter_prog *filter = sk.sk_filter_ptr) {
		sock *save_sk = std::exchange(skb.sk, &sk);
		const u32 pkt_len = bpf_prog_run_save_cb(*filter->prog, skb);

		skb.sk = save_sk;
		err = pkt_len ? pskb_trim(skb, std::max(cap, pkt_len)) : -EPERM;
	}
	rcu_read_unlock();
	return err;
}

} // namespace skbwalk
