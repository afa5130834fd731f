// SPDX-License-Identifier: GPL-2.0-only
//
// Groups of sockets that share a port by SO_REUSEPORT (net/core/sock_reuseport.c). The first socket makes the group, others join
// it, and a flow's hash picks the member that gets it. Left out: BPF programs that choose, and migration of closed listeners.

#include "stack/core/sock_reuseport.h"

#include <algorithm>

#include "stack/kernel/percpu.h"
#include "stack/kernel/random.h"

namespace skbwalk {

namespace {

struct group {
	std::vector<sock *> socks;
	bool bind_inany = false;
};

// Unlike the kernel, the way from a socket to its group is a table of the host and not a pointer in the socket.
struct groups_of_host {
	std::vector<std::unique_ptr<group>> all;
};
perhost<groups_of_host> groups;

group *group_of(const sock &sk)
{
	for (const auto &g : groups->all)
		if (std::find(g->socks.begin(), g->socks.end(), &sk) != g->socks.end())
			return g.get();
	return nullptr;
}

} // namespace

int reuseport_alloc(sock &sk, bool bind_inany)
{
	TRACE(sk);
	if (group *mine = group_of(sk)) {
		mine->bind_inany |= bind_inany; // bound before it listened
		return 0;
	}
	auto &made = groups->all.emplace_back(std::make_unique<group>());
	made->socks.push_back(&sk);
	made->bind_inany = bind_inany;
	return 0;
}

int reuseport_add_sock(sock &sk, sock &sk2, bool bind_inany)
{
	TRACE(sk);
	if (!group_of(sk2))
		if (const int err = reuseport_alloc(sk2, bind_inany))
			return err;
	group *old = group_of(sk);
	group *to = group_of(sk2);
	if (old == to)
		return 0;
	if (old)
		reuseport_detach_sock(sk);
	to->socks.push_back(&sk);
	return 0;
}

void reuseport_detach_sock(sock &sk)
{
	TRACE(sk);
	group *mine = group_of(sk);
	if (!mine)
		return;
	std::erase(mine->socks, &sk);
	if (mine->socks.empty())
		std::erase_if(groups->all, [&](const auto &g) { return g.get() == mine; });
}

void reuseport_stop_listen_sock(sock &sk)
{
	TRACE(sk);
	reuseport_detach_sock(sk);
}

static sock *reuseport_select_sock_by_hash(const group &reuse, u32 hash)
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

sock *reuseport_select_sock(sock &sk, u32 hash, sk_buff *, int)
{
	TRACE(sk);
	const group *reuse = group_of(sk);
	return reuse ? reuseport_select_sock_by_hash(*reuse, hash) : nullptr;
}

} // namespace skbwalk
