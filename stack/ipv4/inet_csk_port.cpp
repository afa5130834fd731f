// SPDX-License-Identifier: GPL-2.0-only
//
// Which local port a socket may have (the binding half of net/ipv4/inet_connection_sock.c): inet_csk_get_port
// finds or makes the port's buckets and looks for conflicts among those that share it; with port 0 it finds
// an open one, of odd offset, so that even ones stay for connect().

#include "stack/core/addrconf_core.h"
#include "stack/core/sock_reuseport.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/kernel/random.h"

namespace skbwalk {

constexpr s8 FASTREUSEPORT_ANY = 1, FASTREUSEPORT_STRICT = 2;

void inet_get_local_port_range(const net &net, int &low, int &high)
{
	TRACE();
	low = net.ipv4.ip_local_ports[0];
	high = net.ipv4.ip_local_ports[1];
}

void inet_sk_get_local_port_range(const sock &sk, int &low, int &high)
{
	TRACE(sk);
	inet_get_local_port_range(sock_net(sk), low, high);
}

static bool ipv4_rcv_saddr_equal(be32 sk1_rcv_saddr, be32 sk2_rcv_saddr, bool sk2_ipv6only,
                                 bool match_sk1_wildcard, bool match_sk2_wildcard)
{
	TRACE();
	if (sk2_ipv6only)
		return false;
	if (sk1_rcv_saddr == sk2_rcv_saddr)
		return true;
	return (match_sk1_wildcard && !sk1_rcv_saddr) || (match_sk2_wildcard && !sk2_rcv_saddr);
}

// As below; a socket of IPv4 counts as one with a mapped address.
static bool ipv6_rcv_saddr_equal(const sock_common &sk, const sock_common &sk2, bool match_sk1_wildcard,
                                 bool match_sk2_wildcard)
{
	TRACE();
	const in6_addr &addr = sk.skc_v6_rcv_saddr;
	const bool second = sk2.sk_family == AF_INET6;
	const int type = ipv6_addr_type(addr);
	const int type2 = second ? ipv6_addr_type(sk2.skc_v6_rcv_saddr) : IPV6_ADDR_MAPPED;

	if (type == IPV6_ADDR_MAPPED && type2 == IPV6_ADDR_MAPPED) {
		if (sk2.skc_ipv6only)
			return false;
		return sk.sk_rcv_saddr == sk2.sk_rcv_saddr || (match_sk1_wildcard && !sk.sk_rcv_saddr) ||
		       (match_sk2_wildcard && !sk2.sk_rcv_saddr);
	}
	if (type == IPV6_ADDR_ANY && type2 == IPV6_ADDR_ANY)
		return true;
	if (type2 == IPV6_ADDR_ANY && match_sk2_wildcard && !(sk2.skc_ipv6only && type == IPV6_ADDR_MAPPED))
		return true;
	if (type == IPV6_ADDR_ANY && match_sk1_wildcard && !(sk.skc_ipv6only && type2 == IPV6_ADDR_MAPPED))
		return true;
	return second && addr == sk2.skc_v6_rcv_saddr;
}

// Do two sockets receive at the same address? With match_wildcard, any address equals each.
bool inet_rcv_saddr_equal(const sock &sk, const sock_common &sk2, bool match_wildcard)
{
	TRACE(sk);
	if (sk.sk_family == AF_INET6)
		return ipv6_rcv_saddr_equal(sk, sk2, match_wildcard, match_wildcard);
	return ipv4_rcv_saddr_equal(sk.sk_rcv_saddr, sk2.sk_rcv_saddr, sk2.skc_ipv6only, match_wildcard,
	                            match_wildcard);
}

bool inet_rcv_saddr_any(const sock &sk)
{
	TRACE(sk);
	return !sk.sk_rcv_saddr;
}

static bool inet_use_hash2_on_bind(const sock &sk)
{
	TRACE(sk);
	// Any address, or one of IPv4: an AF_INET6 socket can have no other.
	return static_cast<bool>(sk.sk_rcv_saddr);
}

static bool inet_bind_conflict(const sock &sk, const sock_common &sk2, u32 sk_uid, bool relax,
                               bool reuseport_cb_ok, bool reuseport_ok)
{
	TRACE(sk);
	if (static_cast<const sock_common *>(&sk) == &sk2)
		return false;
	if (sk.sk_bound_dev_if && sk2.sk_bound_dev_if && sk.sk_bound_dev_if != sk2.sk_bound_dev_if)
		return false;
	const auto same_owner = [&] {
		return sk_uid == sock_i_uid(const_cast<sock &>(static_cast<const sock &>(sk2)));
	};
	const bool waits = sk2.sk_state == TCP_TIME_WAIT;

	if (sk.sk_reuse && sk2.sk_reuse && sk2.sk_state != TCP_LISTEN)
		return !relax || (!reuseport_ok && sk.sk_reuseport && sk2.sk_reuseport && reuseport_cb_ok &&
		                  (waits || same_owner()));
	return !reuseport_ok || !sk.sk_reuseport || !sk2.sk_reuseport || !reuseport_cb_ok ||
	       (!waits && !same_owner());
}

static bool __inet_bhash2_conflict(const sock &sk, const sock_common &sk2, u32 sk_uid, bool relax,
                                   bool reuseport_cb_ok, bool reuseport_ok)
{
	TRACE(sk);
	if (sk2.sk_family == AF_INET6 && sk2.skc_ipv6only && sk.sk_family == AF_INET)
		return false;
	return inet_bind_conflict(sk, sk2, sk_uid, relax, reuseport_cb_ok, reuseport_ok);
}

static bool inet_bhash2_conflict(const sock &sk, const inet_bind2_bucket &tb2, u32 sk_uid, bool relax,
                                 bool reuseport_cb_ok, bool reuseport_ok)
{
	TRACE(sk);
	for (const sock_common &sk2 : tb2.owners)
		if (__inet_bhash2_conflict(sk, sk2, sk_uid, relax, reuseport_cb_ok, reuseport_ok))
			return true;
	return false;
}

int inet_csk_bind_conflict(const sock &sk, const inet_bind_bucket &tb, const inet_bind2_bucket *tb2,
                           bool relax, bool reuseport_ok)
{
	TRACE(sk);
	const u32 uid = sock_i_uid(const_cast<sock &>(sk));
	const bool cb_ok = !sk.sk_reuseport_cb || reuseport_has_closed(sk);

	if (inet_use_hash2_on_bind(sk))
		return tb2 && inet_bhash2_conflict(sk, *tb2, uid, relax, cb_ok, reuseport_ok);

	for (const sock_common &sk2 : tb.owners) {
		if (!inet_bind_conflict(sk, sk2, uid, relax, cb_ok, reuseport_ok))
			continue;
		if (inet_rcv_saddr_equal(sk, sk2, true))
			return 1;
	}
	return 0;
}

static bool inet_bhash2_addr_any_conflict(const sock &sk, u16 port, int l3mdev, bool relax, bool reuseport_ok)
{
	TRACE(sk);
	const u32 uid = sock_i_uid(const_cast<sock &>(sk));
	const bool cb_ok = !sk.sk_reuseport_cb || reuseport_has_closed(sk);
	net &net = sock_net(sk);
	inet_bind2_hashbucket &head2 = inet_bhash2_addr_any_hashbucket(sk, net, port);
	bool conflict = false;

	spin_lock(head2.lock);
	for (const inet_bind2_bucket &tb2 : head2.chain)
		if (inet_bind2_bucket_match_addr_any(tb2, net, port, l3mdev, sk) &&
		    inet_bhash2_conflict(sk, tb2, uid, relax, cb_ok, reuseport_ok)) {
			conflict = true;
			break;
		}
	spin_unlock(head2.lock);
	return conflict;
}

namespace {

struct open_port {
	inet_bind_hashbucket *head = nullptr; // both locked
	inet_bind2_hashbucket *head2 = nullptr;
	inet_bind_bucket *tb = nullptr;
	inet_bind2_bucket *tb2 = nullptr;
	u16 port = 0;
};

} // namespace

// An open port, with both buckets locked; head is null when there is none.
static open_port inet_csk_find_open_port(const sock &sk)
{
	TRACE(sk);
	inet_hashinfo &h = *tcp_hashinfo;
	net &net = sock_net(sk);
	const int passes = net.ipv4.sysctl_ip_autobind_reuse ? 2 : 1;

	for (int pass = 0; pass < passes; ++pass) {
		const bool relax = pass == 1;
		// A socket with SO_REUSEADDR tries the lower half of the range first.
		const int halves = sk.sk_reuse == SK_CAN_REUSE ? 2 : 1;
		for (int half = 0; half < halves; ++half) {
			int low, high;
			inet_sk_get_local_port_range(sk, low, high);
			++high;
			if (halves == 2 && high - low >= 4) {
				const int middle = low + ((high - low) >> 2 << 1);
				(half == 0 ? high : low) = middle;
			} else if (half) {
				break;
			}
			u32 remaining = static_cast<u32>(high - low);
			if (remaining > 1)
				remaining &= ~1u;
			u32 offset = prandom_u32_max(remaining) | 1;
			for (int parity = 0; parity < 2; ++parity, --offset) {
				int port = low + static_cast<int>(offset);
				for (u32 i = 0; i < remaining; i += 2, port += 2) {
					if (port >= high)
						port -= static_cast<int>(remaining);
					open_port found;
					found.port = static_cast<u16>(port);
					found.head = &h.bhash[inet_bhashfn(net, found.port, h.bhash_size)];
					spin_lock_bh(found.head->lock);
					if (inet_use_hash2_on_bind(sk) &&
					    inet_bhash2_addr_any_conflict(sk, found.port, 0, relax, false)) {
						spin_unlock_bh(found.head->lock);
						cond_resched();
						continue;
					}
					found.head2 = &inet_bhashfn_portaddr(h, sk, net, found.port);
					spin_lock(found.head2->lock);
					found.tb2 =
						inet_bind2_bucket_find(*found.head2, net, found.port, 0, sk);
					for (inet_bind_bucket &tb : found.head->chain)
						if (inet_bind_bucket_match(tb, net, found.port, 0)) {
							found.tb = &tb;
							break;
						}
					if (!found.tb ||
					    !inet_csk_bind_conflict(sk, *found.tb, found.tb2, relax, false))
						return found;
					spin_unlock(found.head2->lock);
					spin_unlock_bh(found.head->lock);
					cond_resched();
				}
			}
		}
	}
	return {};
}

static bool sk_reuseport_match(const inet_bind_bucket &tb, sock &sk)
{
	TRACE(sk);
	const u32 uid = sock_i_uid(sk);

	if (tb.fastreuseport <= 0 || !sk.sk_reuseport || sk.sk_reuseport_cb || tb.fastuid != uid)
		return false;
	if (tb.fastreuseport == FASTREUSEPORT_ANY)
		return true;
	return ipv4_rcv_saddr_equal(tb.fast_rcv_saddr, sk.sk_rcv_saddr, sk.skc_ipv6only, true, false);
}

void inet_csk_update_fastreuse(inet_bind_bucket &tb, sock &sk)
{
	TRACE(sk);
	const u32 uid = sock_i_uid(sk);
	const bool reuse = sk.sk_reuse && sk.sk_state != TCP_LISTEN;
	const auto remember = [&](s8 how) {
		tb.fastreuseport = how;
		tb.fastuid = uid;
		tb.fast_rcv_saddr = sk.sk_rcv_saddr;
		tb.fast_ipv6_only = sk.skc_ipv6only;
		tb.fast_sk_family = sk.sk_family;
	};

	if (tb.owners.empty()) {
		tb.fastreuse = reuse;
		if (sk.sk_reuseport)
			remember(FASTREUSEPORT_ANY);
		else
			tb.fastreuseport = 0;
		return;
	}
	if (!reuse)
		tb.fastreuse = 0;
	if (!sk.sk_reuseport)
		tb.fastreuseport = 0;
	else if (!sk_reuseport_match(tb, sk))
		remember(FASTREUSEPORT_STRICT);
}

int inet_csk_get_port(sock &sk, u16 snum)
{
	TRACE(sk);
	inet_hashinfo &h = *tcp_hashinfo;
	net &net = sock_net(sk);
	const bool reuse = sk.sk_reuse && sk.sk_state != TCP_LISTEN;
	bool check_bind_conflict = true, tb_created = false, tb2_created = false;
	open_port at;
	int ret = -EADDRINUSE;

	if (!snum) {
		at = inet_csk_find_open_port(sk);
		if (!at.head)
			return ret;
		check_bind_conflict = false;
	} else {
		at.port = snum;
		at.head = &h.bhash[inet_bhashfn(net, snum, h.bhash_size)];
		spin_lock_bh(at.head->lock);
		for (inet_bind_bucket &tb : at.head->chain)
			if (inet_bind_bucket_match(tb, net, snum, 0)) {
				at.tb = &tb;
				break;
			}
	}
	const auto finish = [&](int result) {
		if (result && tb_created)
			inet_bind_bucket_destroy(*h.bind_bucket_cachep, *at.tb);
		if (result && tb2_created)
			inet_bind2_bucket_destroy(*h.bind2_bucket_cachep, *at.tb2);
		if (at.head2)
			spin_unlock(at.head2->lock);
		spin_unlock_bh(at.head->lock);
		return result;
	};

	if (!at.tb) {
		at.tb = inet_bind_bucket_create(*h.bind_bucket_cachep, net, *at.head, at.port, 0);
		if (!at.tb)
			return finish(ret);
		tb_created = true;
	}
	if (snum) {
		if (!at.tb->owners.empty() &&
		    (sk.sk_reuse == SK_FORCE_REUSE || (at.tb->fastreuse > 0 && reuse) ||
		     sk_reuseport_match(*at.tb, sk)))
			check_bind_conflict = false;
		if (check_bind_conflict && inet_use_hash2_on_bind(sk) &&
		    inet_bhash2_addr_any_conflict(sk, at.port, 0, true, true))
			return finish(ret);
		at.head2 = &inet_bhashfn_portaddr(h, sk, net, at.port);
		spin_lock(at.head2->lock);
		at.tb2 = inet_bind2_bucket_find(*at.head2, net, at.port, 0, sk);
	}
	if (!at.tb2) {
		at.tb2 = inet_bind2_bucket_create(*h.bind2_bucket_cachep, net, *at.head2, at.port, 0, sk);
		if (!at.tb2)
			return finish(ret);
		tb2_created = true;
	}
	if (check_bind_conflict && inet_csk_bind_conflict(sk, *at.tb, at.tb2, true, true))
		return finish(ret);

	inet_csk_update_fastreuse(*at.tb, sk);
	if (!inet_csk(sk).icsk_bind_hash)
		inet_bind_hash(sk, *at.tb, *at.tb2, at.port);
	assert(inet_csk(sk).icsk_bind_hash == at.tb && inet_csk(sk).icsk_bind2_hash == at.tb2);
	return finish(0);
}

} // namespace skbwalk
