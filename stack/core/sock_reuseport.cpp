// SPDX-License-Identifier: GPL-2.0-only
//
// Groups of sockets that share a port by SO_REUSEPORT (net/core/sock_reuseport.c). The first socket makes the
// group, others join it, and a flow's hash picks the member that gets it; where members say which cpu they
// serve, this cpu's member. Left out: BPF programs that choose, and migration of closed listeners, so that a
// group has no closed members yet.

#include "stack/core/sock_reuseport.h"

#include <algorithm>

#include "stack/core/net_namespace.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/random.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/spinlock.h"

namespace skbwalk {

// Unlike the kernel's array of a fixed size, which reuseport_grow() copies, the vector grows by itself.
struct sock_reuseport : rcu_head {
	std::vector<sock *> socks;
	std::vector<sock *> closed; // listeners that closed and left their connections to the group
	bool bind_inany = false;
	bool has_conns = false;
	int incoming_cpu = 0; // members that serve one cpu
};

namespace {

perhost<spinlock_t> reuseport_lock;

} // namespace

static void __reuseport_get_incoming_cpu(sock_reuseport &reuse)
{
	TRACE();
	++reuse.incoming_cpu;
}

static void __reuseport_put_incoming_cpu(sock_reuseport &reuse)
{
	TRACE();
	--reuse.incoming_cpu;
}

static void reuseport_get_incoming_cpu(const sock &sk, sock_reuseport &reuse)
{
	TRACE(sk);
	if (sk.sk_incoming_cpu >= 0)
		__reuseport_get_incoming_cpu(reuse);
}

static void reuseport_put_incoming_cpu(const sock &sk, sock_reuseport &reuse)
{
	TRACE(sk);
	if (sk.sk_incoming_cpu >= 0)
		__reuseport_put_incoming_cpu(reuse);
}

void reuseport_update_incoming_cpu(sock &sk, int val)
{
	TRACE(sk);
	if (!sk.sk_reuseport_cb) {
		sk.sk_incoming_cpu = val;
		return;
	}
	spin_lock_bh(*reuseport_lock);
	const int old = std::exchange(sk.sk_incoming_cpu, val);

	if (old < 0 && val >= 0)
		__reuseport_get_incoming_cpu(*sk.sk_reuseport_cb);
	else if (old >= 0 && val < 0)
		__reuseport_put_incoming_cpu(*sk.sk_reuseport_cb);
	spin_unlock_bh(*reuseport_lock);
}

static void __reuseport_add_sock(sock &sk, sock_reuseport &reuse)
{
	TRACE(sk);
	reuse.socks.push_back(&sk);
	reuseport_get_incoming_cpu(sk, reuse);
}

static bool __reuseport_detach_sock(sock &sk, sock_reuseport &reuse)
{
	TRACE(sk);
	const auto at = std::find(reuse.socks.begin(), reuse.socks.end(), &sk);

	if (at == reuse.socks.end())
		return false;
	*at = reuse.socks.back(); // order is nobody's business but the hash's
	reuse.socks.pop_back();
	reuseport_put_incoming_cpu(sk, reuse);
	return true;
}

static bool __reuseport_detach_closed_sock(const sock &sk, sock_reuseport &reuse)
{
	TRACE(sk);
	if (!std::erase(reuse.closed, &sk))
		return false;
	reuseport_put_incoming_cpu(sk, reuse);
	return true;
}

static sock_reuseport *__reuseport_alloc(bool bind_inany)
{
	TRACE();
	auto *reuse = new sock_reuseport;

	reuse->bind_inany = bind_inany;
	return reuse;
}

int reuseport_alloc(sock &sk, bool bind_inany)
{
	TRACE(sk);
	spin_lock_bh(*reuseport_lock);
	if (sk.sk_reuseport_cb) {
		sk.sk_reuseport_cb->bind_inany |= bind_inany; // bound before it listened
	} else {
		sk.sk_reuseport_cb = __reuseport_alloc(bind_inany);
		sk.sk_reuseport_cb->socks.push_back(&sk);
		reuseport_get_incoming_cpu(sk, *sk.sk_reuseport_cb);
	}
	spin_unlock_bh(*reuseport_lock);
	return 0;
}

static void reuseport_free_rcu(rcu_head *head)
{
	TRACE();
	delete static_cast<sock_reuseport *>(head);
}

int reuseport_add_sock(sock &sk, sock &sk2, bool bind_inany)
{
	TRACE(sk);
	if (!sk2.sk_reuseport_cb)
		if (const int err = reuseport_alloc(sk2, bind_inany))
			return err;
	spin_lock_bh(*reuseport_lock);
	sock_reuseport &reuse = *sk2.sk_reuseport_cb;
	sock_reuseport *const old_reuse = sk.sk_reuseport_cb;

	// One that is in a group of several stays there.
	if (old_reuse && old_reuse->socks.size() != 1) {
		spin_unlock_bh(*reuseport_lock);
		return -EBUSY;
	}
	__reuseport_add_sock(sk, reuse);
	sk.sk_reuseport_cb = &reuse;
	spin_unlock_bh(*reuseport_lock);
	if (old_reuse)
		call_rcu(*old_reuse, reuseport_free_rcu);
	return 0;
}

// Tells a BPF map of sockets that has this one (kernel/bpf/reuseport_array.c); there are no such maps.
static void bpf_sk_reuseport_detach(sock &sk)
{
	TRACE(sk);
	_raw_write_lock_bh(sk.sk_callback_lock);
	_raw_write_unlock_bh(sk.sk_callback_lock);
}

void reuseport_detach_sock(sock &sk)
{
	TRACE(sk);
	spin_lock_bh(*reuseport_lock);
	if (sock_reuseport *const reuse = sk.sk_reuseport_cb) {
		bpf_sk_reuseport_detach(sk);
		sk.sk_reuseport_cb = nullptr;
		if (!__reuseport_detach_closed_sock(sk, *reuse))
			__reuseport_detach_sock(sk, *reuse);
		if (reuse->socks.empty() && reuse->closed.empty())
			call_rcu(*reuse, reuseport_free_rcu);
	}
	spin_unlock_bh(*reuseport_lock);
}

// A listener that may not hand its connections over leaves the group at once.
void reuseport_stop_listen_sock(sock &sk)
{
	TRACE(sk);
	if (sk.sk_protocol == IPPROTO_TCP) {
		spin_lock_bh(*reuseport_lock); // may it? None may
		spin_unlock_bh(*reuseport_lock);
	}
	reuseport_detach_sock(sk);
}

static sock *reuseport_select_sock_by_hash(const sock_reuseport &reuse, u32 hash, u32 num_socks)
{
	TRACE();
	sock *first_valid_sk = nullptr;
	const u32 first = reciprocal_scale(hash, num_socks);
	u32 i = first;

	do {
		sock &sk = *reuse.socks[i];

		// A connected datagram socket takes no other peer's packets.
		if (sk.sk_state != TCP_ESTABLISHED) {
			if (!reuse.incoming_cpu || sk.sk_incoming_cpu == static_cast<int>(current.cpu->id))
				return &sk;
			if (!first_valid_sk)
				first_valid_sk = &sk;
		}
		if (++i >= num_socks)
			i = 0;
	} while (i != first);
	return first_valid_sk;
}

// Who of the group takes over a connection that a closing listener had not accepted yet? Unlike the kernel,
// where net.ipv4.tcp_migrate_req can allow it, never anybody.
sock *reuseport_migrate_sock(sock &sk, sock &migrating_sk, sk_buff *)
{
	TRACE(sk, migrating_sk);
	if (sk.sk_reuseport_cb)
		__NET_INC_STATS(sock_net(sk), LINUX_MIB_TCPMIGRATEREQFAILURE);
	return nullptr;
}

bool reuseport_has_conns(const sock &sk)
{
	TRACE_INLINE(sk);
	return sk.sk_reuseport_cb && sk.sk_reuseport_cb->has_conns;
}

// not traced: the kernel reads the group's field where it asks
bool reuseport_has_closed(const sock &sk)
{
	return sk.sk_reuseport_cb && !sk.sk_reuseport_cb->closed.empty();
}

void reuseport_has_conns_set(sock &sk)
{
	TRACE(sk);
	if (!sk.sk_reuseport_cb)
		return;
	spin_lock_bh(*reuseport_lock);
	sk.sk_reuseport_cb->has_conns = true;
	spin_unlock_bh(*reuseport_lock);
}

sock *reuseport_select_sock(sock &sk, u32 hash, sk_buff *, int)
{
	TRACE(sk);
	const sock_reuseport *reuse = sk.sk_reuseport_cb;

	if (!reuse || reuse->socks.empty())
		return nullptr;
	return reuseport_select_sock_by_hash(*reuse, hash, static_cast<u32>(reuse->socks.size()));
}

} // namespace skbwalk
