// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/sock.c: what sockets count for. A socket books whole pages in its protocol's account
// (__sk_mem_schedule) and pays from sk_forward_alloc; pages that it no longer needs go back as soon as there
// is one (__sk_mem_reclaim). Between the limits of tcp_mem the protocol is under pressure. Also the pages
// that sendmsg fills (page frags). Left out: memory cgroups.
#include <algorithm>
#include <memory>

#include "stack/core/sock.h"

namespace skbwalk {

namespace {

constexpr u32 skb_frag_page_order = 3; // 32 KiB

} // namespace

void sk_enter_memory_pressure(sock &sk)
{
	TRACE(sk);
	if (sk.sk_prot->enter_memory_pressure)
		sk.sk_prot->enter_memory_pressure(sk);
}

void sk_leave_memory_pressure(sock &sk)
{
	TRACE(sk);
	if (sk.sk_prot->leave_memory_pressure)
		sk.sk_prot->leave_memory_pressure(sk);
}

// not traced: header inline without a name of interest
static int sk_get_wmem0(const sock &sk, const proto &prot)
{
	return prot.sysctl_wmem ? (sk.skc_net->ipv4.*prot.sysctl_wmem)[0] : PAGE_SIZE;
}

// not traced: header inline without a name of interest
static int sk_get_rmem0(const sock &sk, const proto &prot)
{
	return prot.sysctl_rmem ? (sk.skc_net->ipv4.*prot.sysctl_rmem)[0] : PAGE_SIZE;
}

int __sk_mem_raise_allocated(sock &sk, int size, int amt, int kind)
{
	TRACE(sk);
	const proto &prot = *sk.sk_prot;

	sk_memory_allocated_add(sk, amt);
	const long allocated = sk_memory_allocated(sk);
	if (allocated <= sk_prot_mem_limits(sk, 0)) {
		sk_leave_memory_pressure(sk);
		return 1;
	}
	if (allocated > sk_prot_mem_limits(sk, 1))
		sk_enter_memory_pressure(sk);
	if (allocated <= sk_prot_mem_limits(sk, 2)) {
		// Under pressure, but each socket may have its minimum.
		if (kind == SK_MEM_RECV) {
			if (sk_rmem_alloc_get(sk) < sk_get_rmem0(sk, prot))
				return 1;
		} else {
			const int used = sk.sk_type == SOCK_STREAM ? sk.sk_wmem_queued
			                                           : refcount_read(sk.sk_wmem_alloc);

			if (used < sk_get_wmem0(sk, prot))
				return 1;
		}
		if (sk_has_memory_pressure(sk)) {
			if (!sk_under_memory_pressure(sk))
				return 1;
			const long sockets = std::max(proto_of(prot).sockets_allocated, 0L);
			const int pages =
				sk_mem_pages(sk.sk_wmem_queued + sk_rmem_alloc_get(sk) + sk.sk_forward_alloc);

			if (sk_prot_mem_limits(sk, 2) > sockets * pages)
				return 1;
		}
	}
	if (kind == SK_MEM_SEND && sk.sk_type == SOCK_STREAM) {
		sk_stream_moderate_sndbuf(sk);
		// A sender that can wait waits; only one below its buffer's size has to fail.
		if (sk.sk_wmem_queued + size >= sk.sk_sndbuf)
			return 1;
	}
	sk_memory_allocated_sub(sk, amt);
	return 0;
}

int __sk_mem_schedule(sock &sk, int size, int kind)
{
	TRACE(sk);
	const int amt = sk_mem_pages(size);

	sk.sk_forward_alloc += amt * SK_MEM_QUANTUM;
	const int ret = __sk_mem_raise_allocated(sk, size, amt, kind);
	if (!ret)
		sk.sk_forward_alloc -= amt * SK_MEM_QUANTUM;
	return ret;
}

void __sk_mem_reduce_allocated(sock &sk, int amount)
{
	TRACE(sk);
	sk_memory_allocated_sub(sk, amount);
	if (sk_under_global_memory_pressure(sk) && sk_memory_allocated(sk) < sk_prot_mem_limits(sk, 0))
		sk_leave_memory_pressure(sk);
}

// `amount` bytes, rounded down to pages.
void __sk_mem_reclaim(sock &sk, int amount)
{
	TRACE(sk);
	amount /= SK_MEM_QUANTUM;
	sk.sk_forward_alloc -= amount * SK_MEM_QUANTUM;
	__sk_mem_reduce_allocated(sk, amount);
}

// Room for `sz` bytes in pfrag, from the block that it has or from a new one.
bool skb_page_frag_refill(u32 sz, page_frag &pfrag, gfp_t gfp)
{
	TRACE();
	if (pfrag.pg) {
		if (pfrag.pg->refcount == 1) {
			pfrag.offset = 0;
			return true;
		}
		if (pfrag.offset + sz <= pfrag.size)
			return true;
		put_page(*std::exchange(pfrag.pg, nullptr));
	}
	pfrag.offset = 0;
	for (const u32 order : {skb_frag_page_order, 0u}) {
		pfrag.pg = alloc_pages(gfp, order);
		if (pfrag.pg) {
			pfrag.size = static_cast<u32>(PAGE_SIZE) << order;
			return true;
		}
	}
	return false;
}

bool sk_page_frag_refill(sock &sk, page_frag &pfrag)
{
	TRACE(sk);
	if (skb_page_frag_refill(32, pfrag, sk.sk_allocation))
		return true;
	sk_enter_memory_pressure(sk);
	sk_stream_moderate_sndbuf(sk);
	return false;
}

// A task that sleeps for memory shares one frag among its sockets; a socket of the kernel's own has its own.
page_frag &sk_page_frag(sock &sk)
{
	TRACE(sk);
	task_struct *task = current.task;

	if (!task || sk.sk_kern_sock || sk.sk_allocation != GFP_KERNEL || in_interrupt())
		return sk.sk_frag;
	if (!task->task_frag)
		task->task_frag = std::shared_ptr<page_frag>(new page_frag, [](page_frag *frag) {
			if (frag->pg)
				put_page(*frag->pg);
			delete frag;
		});
	return *static_cast<page_frag *>(task->task_frag.get());
}

void sk_get_meminfo(const sock &sk, u32 *mem)
{
	TRACE(sk);
	mem[0] = static_cast<u32>(sk_rmem_alloc_get(sk));
	mem[1] = static_cast<u32>(sk.sk_rcvbuf);
	mem[2] = static_cast<u32>(sk_wmem_alloc_get(sk));
	mem[3] = static_cast<u32>(sk.sk_sndbuf);
	mem[4] = static_cast<u32>(sk.sk_forward_alloc);
	mem[5] = static_cast<u32>(sk.sk_wmem_queued);
	mem[6] = static_cast<u32>(sk.sk_omem_alloc);
	mem[7] = static_cast<u32>(sk.sk_backlog.len);
	mem[8] = static_cast<u32>(atomic_read(sk.sk_drops));
}

} // namespace skbwalk
