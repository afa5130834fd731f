// SPDX-License-Identifier: GPL-2.0-only
//
// Groups of sockets that share a port by SO_REUSEPORT (net/core/sock_reuseport.c). The first socket makes the
// group, others join it, and a flow's hash picks the member that gets it. Left out: BPF programs that choose,
// and migration of closed listeners.

#include "stack/core/sock_reuseport.h"

#include "stack/core/net_namespace.h"
#include "stack/kernel/random.h"

namespace skbwalk {

struct sock_reuseport {
	std::vector<sock *> socks;
	bool bind_inany = false;
	bool has_conns = false;
};

int reuseport_alloc(sock &sk, bool bind_inany)
{
	TRACE(sk);
	if (sk.sk_reuseport_cb) {
		sk.sk_reuseport_cb->bind_inany |= bind_inany; // bound before it listened
		return 0;
	}
	sk.sk_reuseport_cb = new sock_reuseport{{&sk}, bind_inany, false};
	return 0;
}

int reuseport_add_sock(sock &sk, sock &sk2, bool bind_inany)
{
	TRACE(sk);
	if (!sk2.sk_reuseport_cb)
		if (const int err = reuseport_alloc(sk2, bind_inany))
			return err;
	if (sk.sk_reuseport_cb == sk2.sk_reuseport_cb)
		return 0;
	reuseport_detach_sock(sk);
	sk.sk_reuseport_cb = sk2.sk_reuseport_cb;
	sk.sk_reuseport_cb->socks.push_back(&sk);
	return 0;
}

void reuseport_detach_sock(sock &sk)
{
	TRACE(sk);
	sock_reuseport *reuse = std::exchange(sk.sk_reuseport_cb, nullptr);

	if (!reuse)
		return;
	std::erase(reuse->socks, &sk);
	if (reuse->socks.empty())
		delete reuse;
}

void reuseport_stop_listen_sock(sock &sk)
{
	TRACE(sk);
	reuseport_detach_sock(sk);
}

static sock *reuseport_select_sock_by_hash(const sock_reuseport &reuse, u32 hash)
{
	TRACE();
	const u32 n = static_cast<u32>(reuse.socks.size());
	u32 i = reciprocal_scale(hash, n);
	const u32 first = i;

	// A connected datagram socket takes no other peer's packets.
	while (reuse.socks[i]->sk_state == TCP_ESTABLISHED) {
		if (++i >= n)
			i = 0;
		if (i == first)
			return nullptr;
	}
	return reuse.socks[i];
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

void reuseport_has_conns_set(sock &sk)
{
	TRACE(sk);
	if (sk.sk_reuseport_cb)
		sk.sk_reuseport_cb->has_conns = true;
}

sock *reuseport_select_sock(sock &sk, u32 hash, sk_buff *, int)
{
	TRACE(sk);
	return sk.sk_reuseport_cb ? reuseport_select_sock_by_hash(*sk.sk_reuseport_cb, hash) : nullptr;
}

} // namespace skbwalk
