// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/udp.c, first part: where sockets are found. A bind takes a port (udp_lib_get_port): the one asked
// for when nobody conflicts, else a random one whose chain has it free. A packet's socket is the one of
// highest score (compute_score): first among those bound to its address, then among those bound to any.
#include <bitset>

#include "stack/core/sock_reuseport.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/udp.h"
#include "stack/kernel/rculist.h"

namespace skbwalk {

namespace {

constexpr u32 MAX_UDP_PORTS = 65536;
constexpr u32 PORTS_PER_CHAIN = MAX_UDP_PORTS / UDP_HTABLE_SIZE_MIN;
using port_bitmap = std::bitset<PORTS_PER_CHAIN>;

struct udp_hash_globals {
	u32 udp_ehash_secret = 0;
};
perhost<udp_hash_globals> udp_globals;

} // namespace

perhost<udp_table_t> udp_table;

void udp_table_init(udp_table_t &table)
{
	TRACE();
	constexpr u32 slots = 512; // one for each 2 MB of a machine with 1 GB

	table.hash = std::vector<udp_hslot>(slots);
	table.hash2 = std::vector<udp_hslot2>(slots);
	table.mask = slots - 1;
	table.log = 9;
}

// --- ports ---

// Two that could not be told apart when a packet for the port comes.
// not traced: a part of its caller, as in the kernel
static bool conflicts(const net &net, const sock &sk2, const sock &sk)
{
	return net_eq(sock_net(sk2), net) && &sk2 != &sk && (!sk2.sk_reuse || !sk.sk_reuse) &&
	       (!sk2.sk_bound_dev_if || !sk.sk_bound_dev_if || sk2.sk_bound_dev_if == sk.sk_bound_dev_if);
}

static bool udp_lib_lport_inuse(const net &net, u16 num, udp_hslot &hslot, port_bitmap *bitmap, sock &sk,
                                u32 log)
{
	TRACE(sk);
	const u32 uid = sock_i_uid(sk);

	for (udp_sock &sk2 : hslot.head) {
		if (!conflicts(net, sk2, sk) || !(bitmap || sk2.udp_port_hash == num) ||
		    !inet_rcv_saddr_equal(sk, sk2, true))
			continue;
		if (sk2.sk_reuseport && sk.sk_reuseport && !sk.sk_reuseport_cb && uid == sock_i_uid(sk2)) {
			if (!bitmap)
				return false;
		} else {
			if (!bitmap)
				return true;
			bitmap->set(sk2.udp_port_hash >> log);
		}
	}
	return false;
}

// The primary chain's lock is held, so nobody else takes or gives up the port.
static bool udp_lib_lport_inuse2(const net &net, u16 num, udp_hslot2 &hslot2, sock &sk)
{
	TRACE(sk);
	const u32 uid = sock_i_uid(sk);
	bool res = false;

	spin_lock(hslot2.lock);
	for (udp_sock &sk2 : hslot2.head) {
		if (!conflicts(net, sk2, sk) || sk2.udp_port_hash != num ||
		    !inet_rcv_saddr_equal(sk, sk2, true))
			continue;
		res = !(sk2.sk_reuseport && sk.sk_reuseport && !sk.sk_reuseport_cb && uid == sock_i_uid(sk2));
		break;
	}
	spin_unlock(hslot2.lock);
	return res;
}

static int udp_reuseport_add_sock(sock &sk, udp_hslot &hslot)
{
	TRACE(sk);
	const u32 uid = sock_i_uid(sk);

	for (udp_sock &sk2 : hslot.head) {
		if (net_eq(sock_net(sk2), sock_net(sk)) && &sk2 != &sk && sk2.sk_family == sk.sk_family &&
		    sk2.skc_ipv6only == sk.skc_ipv6only && sk2.udp_port_hash == udp_sk(sk).udp_port_hash &&
		    sk2.sk_bound_dev_if == sk.sk_bound_dev_if && sk2.sk_reuseport && uid == sock_i_uid(sk2) &&
		    inet_rcv_saddr_equal(sk, sk2, false))
			return reuseport_add_sock(sk, sk2, inet_rcv_saddr_any(sk));
	}
	return reuseport_alloc(sk, inet_rcv_saddr_any(sk));
}

// not traced: a part of its caller, as in the kernel
static bool asked_port_is_free(sock &sk, u16 snum, udp_hslot &hslot, u32 hash2_nulladdr)
{
	udp_table_t &table = *udp_table;
	net &net = sock_net(sk);

	if (sk.sk_rcv_saddr && hslot.count > 10) {
		// A long chain: those of the same address, or of any, suffice.
		udp_hslot2 &own = udp_hashslot2(table, udp_sk(sk).udp_portaddr_hash ^ snum);

		if (hslot.count >= own.count) {
			udp_hslot2 &any = udp_hashslot2(table, hash2_nulladdr);

			return !udp_lib_lport_inuse2(net, snum, own, sk) &&
			       (&any == &own || !udp_lib_lport_inuse2(net, snum, any, sk));
		}
	}
	return !udp_lib_lport_inuse(net, snum, hslot, nullptr, sk, 0);
}

// Leaves the lock of the port's chain held.
// not traced: a part of its caller, as in the kernel
static bool choose_port(sock &sk, u16 &snum)
{
	udp_table_t &table = *udp_table;
	net &net = sock_net(sk);
	int low, high;

	inet_sk_get_local_port_range(sk, low, high);
	u32 rand = get_random_u32();
	u16 first = static_cast<u16>(reciprocal_scale(rand, static_cast<u32>(high - low) + 1) +
	                             static_cast<u32>(low));
	// An odd multiple of the table's size: all ports of a chain come up.
	rand = (rand | 1) * (table.mask + 1);
	const u16 last = static_cast<u16>(first + table.mask + 1);
	do {
		udp_hslot &hslot = udp_hashslot(table, net, first);
		port_bitmap bitmap;

		spin_lock_bh(hslot.lock);
		udp_lib_lport_inuse(net, snum, hslot, &bitmap, sk, table.log);
		snum = first;
		do {
			if (low <= snum && snum <= high && !bitmap.test(snum >> table.log))
				return true;
			snum = static_cast<u16>(snum + rand);
		} while (snum != first);
		spin_unlock_bh(hslot.lock);
		cond_resched();
	} while (++first != last);
	return false;
}

int udp_lib_get_port(sock &sk, u16 snum, u32 hash2_nulladdr)
{
	TRACE(sk);
	udp_table_t &table = *udp_table;
	net &net = sock_net(sk);
	udp_sock &up = udp_sk(sk);

	if (!snum) {
		if (!choose_port(sk, snum))
			return -EADDRINUSE;
	} else {
		udp_hslot &hslot = udp_hashslot(table, net, snum);

		spin_lock_bh(hslot.lock);
		if (!asked_port_is_free(sk, snum, hslot, hash2_nulladdr)) {
			spin_unlock_bh(hslot.lock);
			return -EADDRINUSE;
		}
	}

	udp_hslot &hslot = udp_hashslot(table, net, snum);
	up.inet_num = snum;
	up.udp_port_hash = snum;
	up.udp_portaddr_hash ^= snum;
	int error = 0;
	if (!up.udp_node.is_linked()) {
		if (sk.sk_reuseport && udp_reuseport_add_sock(sk, hslot)) {
			up.inet_num = 0;
			up.udp_port_hash = 0;
			up.udp_portaddr_hash ^= snum;
			error = -EADDRINUSE;
		} else {
			sock_set_flag(sk, SOCK_RCU_FREE);
			sock_hold(sk);
			hslot.head.push_front(up);
			++hslot.count;
			sock_prot_inuse_add(net, *sk.sk_prot, 1);
			udp_hslot2 &hslot2 = udp_hashslot2(table, up.udp_portaddr_hash);

			spin_lock(hslot2.lock);
			hslot2.head.push_front(up);
			++hslot2.count;
			spin_unlock(hslot2.lock);
		}
	}
	spin_unlock_bh(hslot.lock);
	return error;
}

int udp_v4_get_port(sock &sk, u16 snum)
{
	TRACE(sk);
	const u32 hash2_nulladdr = ipv4_portaddr_hash(sock_net(sk), be32{}, snum);

	udp_sk(sk).udp_portaddr_hash = ipv4_portaddr_hash(sock_net(sk), sk.sk_rcv_saddr, 0);
	return udp_lib_get_port(sk, snum, hash2_nulladdr);
}

void udp_lib_unhash(sock &sk)
{
	TRACE(sk);
	udp_table_t &table = *udp_table;
	udp_sock &up = udp_sk(sk);

	if (!up.udp_node.is_linked())
		return;
	udp_hslot &hslot = udp_hashslot(table, sock_net(sk), up.udp_port_hash);
	udp_hslot2 &hslot2 = udp_hashslot2(table, up.udp_portaddr_hash);

	spin_lock_bh(hslot.lock);
	if (sk.sk_reuseport_cb)
		reuseport_detach_sock(sk);
	hslot.head.erase(hslot.head.iterator_to(up));
	__sock_put(sk);
	--hslot.count;
	up.inet_num = 0;
	sock_prot_inuse_add(sock_net(sk), *sk.sk_prot, -1);
	spin_lock(hslot2.lock);
	hslot2.head.erase(hslot2.head.iterator_to(up));
	--hslot2.count;
	spin_unlock(hslot2.lock);
	spin_unlock_bh(hslot.lock);
}

// Its address changed.
void udp_lib_rehash(sock &sk, u32 newhash)
{
	TRACE(sk);
	udp_table_t &table = *udp_table;
	udp_sock &up = udp_sk(sk);

	if (!up.udp_node.is_linked())
		return;
	udp_hslot2 &hslot2 = udp_hashslot2(table, up.udp_portaddr_hash);
	udp_hslot2 &nhslot2 = udp_hashslot2(table, newhash);

	up.udp_portaddr_hash = newhash;
	if (&hslot2 == &nhslot2 && !sk.sk_reuseport_cb)
		return;
	udp_hslot &hslot = udp_hashslot(table, sock_net(sk), up.udp_port_hash);
	spin_lock_bh(hslot.lock);
	if (sk.sk_reuseport_cb)
		reuseport_detach_sock(sk);
	if (&hslot2 != &nhslot2) {
		spin_lock(hslot2.lock);
		hslot2.head.erase(hslot2.head.iterator_to(up));
		--hslot2.count;
		spin_unlock(hslot2.lock);

		spin_lock(nhslot2.lock);
		nhslot2.head.push_front(up);
		++nhslot2.count;
		spin_unlock(nhslot2.lock);
	}
	spin_unlock_bh(hslot.lock);
}

void udp_v4_rehash(sock &sk)
{
	TRACE(sk);
	udp_lib_rehash(sk, ipv4_portaddr_hash(sock_net(sk), sk.sk_rcv_saddr, sk.sk_num) & 0xffff);
}

// --- lookup ---

static int compute_score(const sock &sk, const net &net, be32 saddr, be16 sport, be32 daddr, u16 hnum,
                         int dif, int sdif)
{
	TRACE(sk);
	const inet_sock &inet = inet_sk(sk);

	if (!net_eq(sock_net(sk), net) || udp_sk(sk).udp_port_hash != hnum || sk.skc_ipv6only)
		return -1;
	if (sk.sk_rcv_saddr != daddr)
		return -1;
	int score = sk.sk_family == PF_INET ? 2 : 1;
	if (inet.inet_daddr) {
		if (inet.inet_daddr != saddr)
			return -1;
		score += 4;
	}
	if (inet.inet_dport) {
		if (inet.inet_dport != sport)
			return -1;
		score += 4;
	}
	if (!udp_sk_bound_dev_eq(net, sk.sk_bound_dev_if, dif, sdif))
		return -1;
	if (sk.sk_bound_dev_if)
		score += 4;
	if (sk.sk_incoming_cpu == static_cast<int>(smp_processor_id()))
		++score;
	return score;
}

u32 udp_ehashfn(const net &net, be32 laddr, u16 lport, be32 faddr, be16 fport)
{
	TRACE();
	u32 &secret = udp_globals->udp_ehash_secret;

	if (!secret)
		secret = get_random_u32() | 1;
	return jhash_3words(laddr.raw(), faddr.raw(), static_cast<u32>(lport) << 16 | fport.raw(),
	                    secret + net_hash_mix(net));
}

// By port alone.
static sock *udp4_lib_lookup1(const net &net, be32 saddr, be16 sport, be32 daddr, u16 hnum, int dif, int sdif,
                              udp_table_t &udptable)
{
	TRACE();
	sock *result = nullptr;
	int badness = 0;

	for (udp_sock &sk : rcu_view(udp_hashslot(udptable, net, hnum).head)) {
		const int score = compute_score(sk, net, saddr, sport, daddr, hnum, dif, sdif);

		if (score > badness) {
			result = &sk;
			badness = score;
		}
	}
	return result;
}

static sock *udp4_lib_lookup2(net &net, be32 saddr, be16 sport, be32 daddr, u16 hnum, int dif, int sdif,
                              udp_hslot2 &hslot2, sk_buff *skb)
{
	TRACE(skb);
	sock *result = nullptr;
	int badness = 0;

	for (udp_sock &sk : rcu_view(hslot2.head)) {
		int score = compute_score(sk, net, saddr, sport, daddr, hnum, dif, sdif);

		if (score <= badness)
			continue;
		badness = score;
		if (sk.sk_state == TCP_ESTABLISHED) {
			result = &sk;
			continue;
		}
		result = inet_lookup_reuseport(net, sk, skb, sizeof(udphdr), saddr, sport, daddr, hnum,
		                               udp_ehashfn);
		if (!result) {
			result = &sk;
			continue;
		}
		if (!reuseport_has_conns(sk))
			return result;
		// One of the group is connected: the chosen one counts for what it is.
		score = compute_score(*result, net, saddr, sport, daddr, hnum, dif, sdif);
		if (score > badness)
			badness = score;
	}
	return result;
}

sock *__udp4_lib_lookup(net &net, be32 saddr, be16 sport, be32 daddr, be16 dport, int dif, int sdif,
                        udp_table_t &udptable, sk_buff *skb)
{
	TRACE(skb);
	const u16 hnum = ntohs(dport);

	sock *result = udp4_lib_lookup2(net, saddr, sport, daddr, hnum, dif, sdif,
	                                udp_hashslot2(udptable, ipv4_portaddr_hash(net, daddr, hnum)), skb);
	if (result)
		return result;
	result = udp4_lib_lookup2(net, saddr, sport, be32{}, hnum, dif, sdif,
	                          udp_hashslot2(udptable, ipv4_portaddr_hash(net, be32{}, hnum)), skb);
	if (result)
		return result;
	// A socket that connects has its address already and its second hash not yet.
	return udp4_lib_lookup1(net, saddr, sport, daddr, hnum, dif, sdif, udptable);
}

bool __udp_is_mcast_sock(net &net, const sock &sk, be16 loc_port, be32 loc_addr, be16 rmt_port, be32 rmt_addr,
                         int dif, int sdif, u16 hnum)
{
	TRACE_INLINE(sk);
	const inet_sock &inet = inet_sk(sk);

	static_cast<void>(loc_port);
	if (!net_eq(sock_net(sk), net) || udp_sk(sk).udp_port_hash != hnum ||
	    (inet.inet_daddr && inet.inet_daddr != rmt_addr) ||
	    (inet.inet_dport != rmt_port && inet.inet_dport) ||
	    (inet.inet_rcv_saddr && inet.inet_rcv_saddr != loc_addr) || sk.skc_ipv6only ||
	    !udp_sk_bound_dev_eq(net, sk.sk_bound_dev_if, dif, sdif))
		return false;
	return ip_mc_sf_allow(sk, loc_addr, rmt_addr, dif, sdif);
}

} // namespace skbwalk
