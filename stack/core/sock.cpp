// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/sock.c, first part: how a socket begins and ends, and who owns it. A protocol registers
// (proto_register) with the room one of its sockets takes; sk_alloc makes one, sk_clone_lock a copy for a new
// connection, sk_free gives it up once nothing of it is in flight. lock_sock_nested and release_sock make a
// task its owner; what came meanwhile is processed in __release_sock. What wakes its sleepers is in
// sock_def.cpp, memory accounts in sock_memory.cpp, packets of a socket in sock_skb.cpp, options in
// sock_options.cpp.
#include "stack/core/sock.h"

#include <algorithm>
#include <memory>
#include <new>

#include "stack/core/filter.h"
#include "stack/core/netdevice.h"
#include "stack/core/request_sock.h"
#include "stack/core/sock_reuseport.h"
#include "stack/core/sysctl_net_core.h"
#include "stack/core/timewait_sock.h"

namespace skbwalk {

namespace {

struct sock_globals {
	std::vector<std::unique_ptr<proto_state>> protos;
	u32 last_trace_id = 0;
};
perhost<sock_globals> sock_host;

sock &sock_around(rcu_head &head)
{
	alignas(sock) static constexpr u8 probe[1] = {};
	const auto offset =
		reinterpret_cast<const u8 *>(&(reinterpret_cast<const sock *>(probe)->sk_rcu)) - probe;

	return *reinterpret_cast<sock *>(reinterpret_cast<u8 *>(&head) - offset);
}

} // namespace

// not traced: for records only
u32 new_sock_id() { return ++sock_host->last_trace_id; }

// not traced: what the kernel keeps in struct proto itself
proto_state &proto_of(const proto &prot)
{
	const auto &protos = sock_host->protos;

	if (prot.index < protos.size() && protos[prot.index]->prot == &prot)
		return *protos[prot.index];
	for (const auto &state : protos)
		if (state->prot == &prot)
			return *state;
	assert(false && "a protocol that is not registered");
	__builtin_unreachable();
}

// not traced: what the kernel keeps in struct request_sock_ops itself
kmem_cache &rsk_slab_of(const request_sock_ops &ops)
{
	for (const auto &state : sock_host->protos)
		if (state->prot->rsk_prot == &ops)
			return *state->rsk_slab;
	assert(false && "requests of a protocol that is not registered");
	__builtin_unreachable();
}

// not traced: for leak checks
u32 live_socks(const host &h)
{
	u32 live = 0;

	for (const auto &state : sock_host.of(const_cast<host &>(h)).protos)
		for (const kmem_cache *slab : {state->slab, state->rsk_slab, state->twsk_slab})
			live += slab ? slab->active : 0;
	return live;
}

static int tw_prot_init(proto_state &state, const proto &prot)
{
	TRACE();
	if (!prot.twsk_prot)
		return 0;
	const std::string name = std::string("tw_sock_") + prot.name;
	state.twsk_slab = &kmem_cache_create(name.c_str(), prot.twsk_prot->twsk_obj_size, 64);
	return 0;
}

static int req_prot_init(proto_state &state, const proto &prot)
{
	TRACE();
	if (!prot.rsk_prot)
		return 0;
	const std::string name = std::string("request_sock_") + prot.name;
	state.rsk_slab = &kmem_cache_create(name.c_str(), prot.rsk_prot->obj_size, 64);
	return 0;
}

int proto_register(proto &prot, bool alloc_slab)
{
	TRACE();
	auto &protos = sock_host->protos;
	auto state = std::make_unique<proto_state>();

	state->prot = &prot;
	state->slot = static_cast<u32>(protos.size());
	state->per_cpu_fw_alloc.resize(current.host->cpus.size());
	assert(state->slot < netns_core().prot_inuse.size());
	if (alloc_slab) {
		state->slab = &kmem_cache_create(prot.name, prot.obj_size, 64);
		if (const int err = req_prot_init(*state, prot))
			return err;
		if (const int err = tw_prot_init(*state, prot))
			return err;
	}
	if (prot.index != state->slot)
		prot.index = state->slot;
	protos.push_back(std::move(state));
	return 0;
}

// --- beginning ---

static void sock_lock_init(sock &sk)
{
	TRACE(sk);
	init_waitqueue_head(sk.sk_lock.wq);
}

static sock *sk_prot_alloc(const proto &prot, gfp_t priority, u16 family)
{
	TRACE();
	const proto_state &state = proto_of(prot);
	void *memory =
		state.slab ? kmem_cache_alloc(*state.slab, priority) : __kmalloc(prot.obj_size, priority);

	if (!memory)
		return nullptr;
	std::memset(memory, 0, prot.obj_size);
	sock *sk = prot.construct(memory);
	sk->trace_id = new_sock_id();
	if (security_sk_alloc(*sk, family, priority)) {
		prot.destruct(*sk);
		if (state.slab)
			kmem_cache_free(*state.slab, memory);
		else
			kfree(memory);
		return nullptr;
	}
	return sk;
}

static void sk_prot_free(const proto &prot, sock &sk)
{
	TRACE(sk);
	const proto_state &state = proto_of(prot);

	security_sk_free(sk);
	prot.destruct(sk);
	if (state.slab)
		kmem_cache_free(*state.slab, &sk);
	else
		kfree(&sk);
}

sock *sk_alloc(net &net, u16 family, gfp_t priority, proto &prot, bool kern)
{
	TRACE();
	sock *sk = sk_prot_alloc(prot, priority, family);

	if (!sk)
		return nullptr;
	sk->sk_family = family;
	sk->sk_prot = sk->sk_prot_creator = &prot;
	sk->sk_kern_sock = kern;
	sock_lock_init(*sk);
	sk->skc_net_refcnt = !kern;
	if (sk->skc_net_refcnt) {
		get_net(net);
		sock_inuse_add(net, 1);
	}
	sk->skc_net = &net;
	refcount_set(sk->sk_wmem_alloc, 1);
	sk_tx_queue_clear(*sk);
	return sk;
}

static void sk_init_common(sock &sk)
{
	TRACE(sk);
	assert(skb_queue_empty(sk.sk_receive_queue) && skb_queue_empty(sk.sk_write_queue) &&
	       skb_queue_empty(sk.sk_error_queue));
}

void sock_init_data_uid(socket *parent, sock &sk, u32 uid)
{
	TRACE(sk);
	const net_core_settings &core = *net_core;

	sk_init_common(sk);
	sk.sk_send_head = nullptr;
	timer_setup(sk.sk_timer, nullptr, 0);
	sk.sk_allocation = GFP_KERNEL;
	sk.sk_rcvbuf = core.sysctl_rmem_default;
	sk.sk_sndbuf = core.sysctl_wmem_default;
	sk.sk_state = TCP_CLOSE;
	sk_set_socket(sk, parent);
	sock_set_flag(sk, SOCK_ZAPPED);
	if (parent) {
		sk.sk_type = parent->type;
		sk.sk_wq = parent->wq;
		parent->sk = &sk;
	} else {
		sk.sk_wq = nullptr;
	}
	sk.sk_uid = uid;
	sk.sk_state_change = sock_def_wakeup;
	sk.sk_data_ready = sock_def_readable;
	sk.sk_write_space = sock_def_write_space;
	sk.sk_error_report = sock_def_error_report;
	sk.sk_destruct = sock_def_destruct;
	sk.sk_frag = {};
	sk.sk_peek_off = -1;
	sk.sk_write_pending = 0;
	sk.sk_rcvlowat = 1;
	sk.sk_rcvtimeo = MAX_SCHEDULE_TIMEOUT;
	sk.sk_sndtimeo = MAX_SCHEDULE_TIMEOUT;
	sk.sk_stamp = SK_DEFAULT_STAMP;
	sk.sk_ll_usec = static_cast<u32>(core.sysctl_net_busy_read);
	sk.sk_max_pacing_rate = ~0ull;
	sk.sk_pacing_rate = ~0ull;
	sk.sk_pacing_shift = 10;
	sk.sk_incoming_cpu = -1;
	sk.skc_rx_queue_mapping = 0xffff;
	refcount_set(sk.skc_refcnt, 1);
	atomic_set(sk.sk_drops, 0);
}

void sock_init_data(socket *parent, sock &sk)
{
	TRACE(sk);
	sock_init_data_uid(parent, sk, parent ? parent->i_uid : 0);
}

// The protocol copies the bytes of its socket and makes anew what a hash, a lock, a list or a timer has of
// its own. What belongs to the object and not to the connection stays: queue mappings, the security blob.
static void sock_copy(sock &nsk, const sock &osk)
{
	TRACE(osk);
	void *sptr = nsk.sk_security;
	const u32 trace_id = nsk.trace_id;

	osk.sk_prot->copy(nsk, osk);
	nsk.trace_id = trace_id;
	nsk.sk_callback_lock = {};
	nsk.skc_rx_queue_mapping = 0xffff;
	nsk.sk_security = sptr;
	security_sk_clone(osk, nsk);
}

int bpf_sk_storage_clone(const sock &sk, sock &newsk)
{
	TRACE(sk);
	// No program is loaded that could have put something there.
	assert(!sk.sk_bpf_storage);
	newsk.sk_bpf_storage = nullptr;
	return 0;
}

void bpf_sk_storage_free(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	assert(!sk.sk_bpf_storage);
	rcu_read_unlock();
}

sock *sk_clone_lock(const sock &sk, gfp_t priority)
{
	TRACE(sk);
	proto &prot = *sk.sk_prot;
	sock *newsk = sk_prot_alloc(prot, priority, sk.sk_family);

	if (!newsk)
		return nullptr;
	sock_copy(*newsk, sk);
	newsk->sk_prot_creator = &prot;
	if (newsk->skc_net_refcnt) {
		get_net(*newsk->skc_net);
		sock_inuse_add(*newsk->skc_net, 1);
	}
	sock_lock_init(*newsk);
	bh_lock_sock(*newsk);
	newsk->sk_backlog = {};
	refcount_set(newsk->sk_wmem_alloc, 1);
	newsk->sk_omem_alloc = 0;
	sk_init_common(*newsk);
	newsk->sk_dst_cache = nullptr;
	newsk->sk_dst_pending_confirm = 0;
	newsk->sk_wmem_queued = 0;
	newsk->sk_forward_alloc = 0;
	newsk->sk_reserved_mem = 0;
	atomic_set(newsk->sk_drops, 0);
	newsk->sk_send_head = nullptr;
	newsk->sk_userlocks = sk.sk_userlocks & (SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK | SOCK_BINDADDR_LOCK);
	sock_reset_flag(*newsk, SOCK_DONE);
	newsk->sk_frag = {};
	newsk->sk_reuseport_cb = nullptr;
	// One program for both. Where the child cannot pay for it, it has none to give back.
	if (newsk->sk_filter_ptr && !sk_filter_charge(*newsk, *newsk->sk_filter_ptr)) {
		newsk->sk_filter_ptr = nullptr;
		sk_free_unlock_clone(*newsk);
		return nullptr;
	}
	if (bpf_sk_storage_clone(sk, *newsk)) {
		sk_free_unlock_clone(*newsk);
		return nullptr;
	}
	newsk->sk_err = 0;
	newsk->sk_err_soft = 0;
	newsk->sk_priority = 0;
	newsk->sk_incoming_cpu = smp_processor_id();
	refcount_set(newsk->skc_refcnt, 2);
	sk_set_socket(*newsk, nullptr);
	sk_tx_queue_clear(*newsk);
	newsk->sk_wq = nullptr;
	if (sk_has_memory_pressure(*newsk))
		sk_sockets_allocated_inc(*newsk);
	return newsk;
}

void sk_free_unlock_clone(sock &sk)
{
	TRACE(sk);
	// A raw copy still: the protocol's destructor must not see it.
	sk.sk_destruct = nullptr;
	bh_unlock_sock(sk);
	sk_free(sk);
}

// --- ending ---

void sock_def_destruct([[maybe_unused]] sock &sk) { TRACE(sk); }

static void __sk_destruct(rcu_head *head)
{
	TRACE(sock_around(*head));
	sock &sk = sock_around(*head);

	if (sk.sk_destruct)
		sk.sk_destruct(sk);
	if (sk_filter_prog *filter = std::exchange(sk.sk_filter_ptr, nullptr))
		sk_filter_uncharge(sk, *filter);
	bpf_sk_storage_free(sk);
	assert(!sk.sk_omem_alloc);
	if (sk.sk_frag.pg)
		put_page(*std::exchange(sk.sk_frag.pg, nullptr));
	net &net = *sk.skc_net;
	const bool counted = sk.skc_net_refcnt;
	sk_prot_free(*sk.sk_prot_creator, sk);
	// Unlike the kernel, where a work queue ends a namespace later, it is let go last, since it may end
	// now.
	if (counted)
		put_net(net);
}

void sk_destruct(sock &sk)
{
	TRACE(sk);
	bool use_call_rcu = sock_flag(sk, SOCK_RCU_FREE);

	if (sk.sk_reuseport_cb) {
		reuseport_detach_sock(sk);
		use_call_rcu = true;
	}
	if (use_call_rcu)
		call_rcu(sk.sk_rcu, __sk_destruct);
	else
		__sk_destruct(&sk.sk_rcu);
}

void __sk_free(sock &sk)
{
	TRACE(sk);
	if (sk.skc_net_refcnt)
		sock_inuse_add(*sk.skc_net, -1);
	sk_destruct(sk);
}

// What is still on its way out holds on; the last of it calls __sk_free (sock_wfree).
void sk_free(sock &sk)
{
	TRACE(sk);
	if (refcount_sub_and_test(1, sk.sk_wmem_alloc))
		__sk_free(sk);
}

void sk_common_release(sock &sk)
{
	TRACE(sk);
	if (sk.sk_prot->destroy)
		sk.sk_prot->destroy(sk);
	sk.sk_prot->unhash(sk);
	if (sk.sk_socket)
		sk.sk_socket->sk = nullptr;
	sock_orphan(sk);
	sock_put(sk);
}

// --- the owner ---

void __lock_sock(sock &sk)
{
	TRACE(sk);
	wait_queue_entry wait;

	init_wait(wait);
	do {
		prepare_to_wait_exclusive(sk.sk_lock.wq, wait, TASK_UNINTERRUPTIBLE);
		spin_unlock_bh(sk.sk_lock.slock);
		schedule();
		spin_lock_bh(sk.sk_lock.slock);
	} while (sock_owned_by_user(sk));
	finish_wait(sk.sk_lock.wq, wait);
}

void lock_sock_nested(sock &sk, int)
{
	TRACE(sk);
	might_sleep();
	spin_lock_bh(sk.sk_lock.slock);
	if (sock_owned_by_user_nocheck(sk))
		__lock_sock(sk);
	sk.sk_lock.owned = true;
	spin_unlock_bh(sk.sk_lock.slock);
}

void __release_sock(sock &sk)
{
	TRACE(sk);
	u32 nb = 0;

	while (sk_buff *skb = sk.sk_backlog.head) {
		sk.sk_backlog.head = sk.sk_backlog.tail = nullptr;
		spin_unlock_bh(sk.sk_lock.slock);
		while (skb) {
			sk_buff *next = std::exchange(skb->next, nullptr);

			__builtin_prefetch(next);
			assert(!skb_dst_is_noref(*skb));
			sk_backlog_rcv(sk, skb_ptr(skb));
			skb = next;
			if (skb && !(++nb & 15))
				cond_resched();
		}
		spin_lock_bh(sk.sk_lock.slock);
	}
	sk.sk_backlog.len = 0;
}

void __sk_flush_backlog(sock &sk)
{
	TRACE(sk);
	spin_lock_bh(sk.sk_lock.slock);
	__release_sock(sk);
	spin_unlock_bh(sk.sk_lock.slock);
}

void release_sock(sock &sk)
{
	TRACE(sk);
	spin_lock_bh(sk.sk_lock.slock);
	if (sk.sk_backlog.tail)
		__release_sock(sk);
	if (sk.sk_prot->release_cb)
		sk.sk_prot->release_cb(sk);
	sock_release_ownership(sk);
	if (waitqueue_active(sk.sk_lock.wq))
		__wake_up(sk.sk_lock.wq, TASK_NORMAL, 1, nullptr);
	spin_unlock_bh(sk.sk_lock.slock);
}

bool __lock_sock_fast(sock &sk)
{
	TRACE(sk);
	might_sleep();
	spin_lock_bh(sk.sk_lock.slock);
	if (!sock_owned_by_user_nocheck(sk))
		return false;
	__lock_sock(sk);
	sk.sk_lock.owned = true;
	spin_unlock_bh(sk.sk_lock.slock);
	return true;
}

} // namespace skbwalk
