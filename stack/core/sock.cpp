// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/sock.c, first part: how a socket begins and ends, who owns it and what wakes its sleepers. A protocol registers
// (proto_register) with the room one of its sockets takes; sk_alloc makes one, sk_clone_lock a copy for a new connection,
// sk_free gives it up once nothing of it is in flight. lock_sock_nested and release_sock make a task its owner; what came
// meanwhile is processed in __release_sock. Memory accounts are in sock_memory.cpp, packets of a socket in sock_skb.cpp,
// options in sock_options.cpp.
#include "stack/core/sock.h"

#include <algorithm>
#include <memory>
#include <new>

#include "stack/core/netdevice.h"
#include "stack/core/request_sock.h"
#include "stack/core/sock_reuseport.h"
#include "stack/core/timewait_sock.h"

namespace skbwalk {

namespace {

struct sock_globals {
	std::vector<std::unique_ptr<proto_state>> protos;
	u32 last_trace_id = 0;
};
perhost<sock_globals> sock_host;

// What a signal to an asynchronous reader would say (SI_IO's bands).
constexpr int band_in = 1, band_out = 2, band_err = 4;

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
	void *memory = state.slab ? kmem_cache_alloc(*state.slab, priority) : __kmalloc(prot.obj_size, priority);

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
	sk->sk_wmem_alloc.store(1, std::memory_order_relaxed);
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
	const netns_core &core = init_net().core;

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
	sk.sk_max_pacing_rate = ~0ull;
	sk.sk_pacing_rate = ~0ull;
	sk.sk_pacing_shift = 10;
	sk.sk_incoming_cpu = -1;
	sk.skc_rx_queue_mapping = 0xffff;
	refcount_set(sk.skc_refcnt, 1);
	sk.sk_drops.store(0, std::memory_order_relaxed);
}

void sock_init_data(socket *parent, sock &sk)
{
	TRACE(sk);
	sock_init_data_uid(parent, sk, parent ? parent->i_uid : 0);
}

// The protocol copies the bytes of its socket and makes anew what a hash, a lock, a list or a timer has of its own. What
// belongs to the object and not to the connection stays: queue mappings, the security blob.
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
	newsk->sk_wmem_alloc.store(1, std::memory_order_relaxed);
	newsk->sk_omem_alloc = 0;
	sk_init_common(*newsk);
	newsk->sk_dst_cache = nullptr;
	newsk->sk_dst_pending_confirm = 0;
	newsk->sk_wmem_queued = 0;
	newsk->sk_forward_alloc = 0;
	newsk->sk_reserved_mem = 0;
	newsk->sk_drops.store(0, std::memory_order_relaxed);
	newsk->sk_send_head = nullptr;
	newsk->sk_userlocks = sk.sk_userlocks & (SOCK_SNDBUF_LOCK | SOCK_RCVBUF_LOCK | SOCK_BINDADDR_LOCK);
	sock_reset_flag(*newsk, SOCK_DONE);
	newsk->sk_frag = {};
	newsk->sk_reuseport_cb = nullptr;
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

void sock_def_destruct([[maybe_unused]] sock &sk)
{
	TRACE(sk);
}

static void __sk_destruct(rcu_head *head)
{
	alignas(sock) static constexpr u8 probe[1] = {};
	const auto offset = reinterpret_cast<const u8 *>(&(reinterpret_cast<const sock *>(probe)->sk_rcu)) - probe;
	sock &sk = *reinterpret_cast<sock *>(reinterpret_cast<u8 *>(head) - offset);
	TRACE(sk);

	if (sk.sk_destruct)
		sk.sk_destruct(sk);
	bpf_sk_storage_free(sk);
	assert(!sk.sk_omem_alloc);
	if (sk.sk_frag.pg)
		put_page(*std::exchange(sk.sk_frag.pg, nullptr));
	net &net = *sk.skc_net;
	const bool counted = sk.skc_net_refcnt;
	sk_prot_free(*sk.sk_prot_creator, sk);
	// Unlike the kernel, where a work queue ends a namespace later, it is let go last, since it may end now.
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
	if (sk.sk_wmem_alloc.fetch_sub(1, std::memory_order_acq_rel) == 1)
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

// --- waking ---

void sock_def_wakeup(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (skwq_has_sleeper(sk))
		wake_up_interruptible_all(sk.sk_wq->wait);
	rcu_read_unlock();
}

void sock_def_error_report(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (skwq_has_sleeper(sk))
		wake_up_interruptible_poll(sk.sk_wq->wait, EPOLLERR);
	sk_wake_async(sk, SOCK_WAKE_IO, band_err);
	rcu_read_unlock();
}

void sock_def_readable(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (skwq_has_sleeper(sk))
		wake_up_interruptible_sync_poll(sk.sk_wq->wait, EPOLLIN | EPOLLPRI | EPOLLRDNORM | EPOLLRDBAND);
	sk_wake_async(sk, SOCK_WAKE_WAITD, band_in);
	rcu_read_unlock();
}

void sock_def_write_space(sock &sk)
{
	TRACE(sk);
	rcu_read_lock();
	if (sock_writeable(sk)) {
		if (skwq_has_sleeper(sk))
			wake_up_interruptible_sync_poll(sk.sk_wq->wait, EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND);
		sk_wake_async(sk, SOCK_WAKE_SPACE, band_out);
	}
	rcu_read_unlock();
}

void sk_error_report(sock &sk)
{
	TRACE(sk);
	sk.sk_error_report(sk);
}

// Unlike the kernel, where a file can have an owner to signal, nobody is told of urgent data but who polls.
void sk_send_sigurg(sock &sk)
{
	TRACE(sk);
	assert(!sock_flag(sk, SOCK_FASYNC));
}

int sk_wait_data(sock &sk, long &timeo, const sk_buff *last)
{
	TRACE(sk);
	wait_queue_entry wait;

	init_wait_func(wait, woken_wake_function);
	add_wait_queue(*sk_sleep(sk), wait);
	const int rc = sk_wait_event(sk, timeo, [&] { return skb_peek_tail(sk.sk_receive_queue) != last; }, wait);
	remove_wait_queue(*sk_sleep(sk), wait);
	return rc;
}

// --- timers and the route ---

void sk_reset_timer(sock &sk, timer_list &timer, u32 expires)
{
	TRACE(sk);
	if (!mod_timer(timer, expires))
		sock_hold(sk);
}

void sk_stop_timer(sock &sk, timer_list &timer)
{
	TRACE(sk);
	if (del_timer(timer))
		__sock_put(sk);
}

void sk_stop_timer_sync(sock &sk, timer_list &timer)
{
	TRACE(sk);
	if (del_timer_sync(timer))
		__sock_put(sk);
}

dst_entry *__sk_dst_check(sock &sk, u32 cookie)
{
	TRACE(sk);
	dst_entry *dst = __sk_dst_get(sk);

	if (dst && dst->obsolete && !dst->ops->check(*dst, cookie)) {
		sk_tx_queue_clear(sk);
		sk.sk_dst_pending_confirm = 0;
		sk.sk_dst_cache = nullptr;
		dst_release(dst);
		return nullptr;
	}
	return dst;
}

dst_entry *sk_dst_check(sock &sk, u32 cookie)
{
	TRACE(sk);
	dst_entry *dst = sk_dst_get(sk);

	if (dst && dst->obsolete && !dst->ops->check(*dst, cookie)) {
		sk_dst_reset(sk);
		dst_release(dst);
		return nullptr;
	}
	return dst;
}

static void sk_trim_gso_size(sock &sk)
{
	TRACE(sk);
	if (sk.sk_gso_max_size <= GSO_LEGACY_MAX_SIZE)
		return;
	sk.sk_gso_max_size = GSO_LEGACY_MAX_SIZE;
}

// What the route's device can do for this socket.
void sk_setup_caps(sock &sk, dst_entry *dst)
{
	TRACE(sk);
	constexpr u32 max_tcp_header = 160 + 160; // L1_CACHE_ALIGN(128 + MAX_HEADER)
	u32 max_segs = 1;

	rcu_read_lock();
	const net_device &dev = *dst->dev;
	sk.sk_route_caps = dev.features;
	if (sk.sk_type == SOCK_STREAM && sk.sk_protocol == IPPROTO_TCP)
		sk.sk_route_caps |= NETIF_F_GSO;
	if (sk.sk_route_caps & NETIF_F_GSO)
		sk.sk_route_caps |= NETIF_F_GSO_SOFTWARE;
	if (sk.sk_gso_disabled)
		sk.sk_route_caps &= ~NETIF_F_GSO_MASK;
	if (sk_can_gso(sk)) {
		sk.sk_route_caps |= NETIF_F_SG | NETIF_F_HW_CSUM;
		sk.sk_gso_max_size = dev.gso_max_size;
		sk_trim_gso_size(sk);
		sk.sk_gso_max_size -= max_tcp_header + 1;
		max_segs = std::max<u32>(dev.gso_max_segs, 1);
	}
	sk.sk_gso_max_segs = static_cast<u16>(max_segs);
	sk_dst_set(sk, dst);
	rcu_read_unlock();
}

u32 sock_i_uid(sock &sk)
{
	TRACE(sk);
	_raw_read_lock_bh(sk.sk_callback_lock);
	const u32 uid = sk.sk_socket ? sk.sk_socket->i_uid : 0;
	_raw_read_unlock_bh(sk.sk_callback_lock);
	return uid;
}

// --- operations that a protocol may lack ---

int sock_no_bind(socket &, sockaddr_storage &, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_connect(socket &, sockaddr_storage &, int, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_accept(socket &, socket &, int, bool)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_listen(socket &, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_no_shutdown(socket &, int)
{
	TRACE();
	return -EOPNOTSUPP;
}

int sock_common_setsockopt(socket &sock, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sock.sk);
	return sock.sk->sk_prot->setsockopt(*sock.sk, level, optname, optval, optlen);
}

int sock_common_getsockopt(socket &sock, int level, int optname, void *optval, int &optlen)
{
	TRACE(sock.sk);
	return sock.sk->sk_prot->getsockopt(*sock.sk, level, optname, optval, optlen);
}

int sock_common_recvmsg(socket &sock, msghdr &msg, std::size_t size, int flags)
{
	TRACE(sock.sk);
	int addr_len = 0;
	const int err = sock.sk->sk_prot->recvmsg(*sock.sk, msg, size, flags, addr_len);

	if (err >= 0)
		msg.msg_namelen = addr_len;
	return err;
}

} // namespace skbwalk
