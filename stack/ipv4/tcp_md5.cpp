// SPDX-License-Identifier: GPL-2.0-only
//
// Signed segments (RFC 2385): the MD5 parts of net/ipv4/tcp.c and net/ipv4/tcp_ipv4.c. TCP_MD5SIG comes in
// by tcp_v4_parse_md5_keys and puts a key into the socket's list (tcp_md5_do_add) or takes it out. A segment
// that goes out finds its key by tcp_v4_md5_lookup, leaves room for option 19, and tcp_v4_md5_hash_skb fills
// it: pseudo header, header without checksum and options, data, key. Each segment that comes in passes
// tcp_inbound_md5_hash, which drops what should be signed and is not, is signed and should not be, or is
// signed with another key. Left out: keys for IPv6 peers, layer 3 masters' domains (there are no such
// devices).
#include "stack/ipv4/tcp_md5.h"

#include <array>
#include <cstdio>
#include <cstring>

#include "stack/core/netdevice.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/l3mdev.h"
#include "stack/kernel/kfree_rcu.h"
#include "stack/kernel/printk.h"

namespace skbwalk {

namespace {

// crypto_alloc_ahash() and its requests, one a cpu.
struct pools {
	bool populated = false;
};
perhost<pools> md5_pools;
percpu<tcp_md5sig_pool> md5_pool;

struct tcp4_pseudohdr {
	be32 saddr, daddr;
	u8 pad, protocol;
	be16 len;
};
static_assert(sizeof(tcp4_pseudohdr) + sizeof(tcphdr) <= sizeof(tcp_md5sig_pool::scratch));

bool digests_differ(const u8 *a, const u8 *b) // crypto_memneq: the time says nothing
{
	u8 differ = 0;

	for (std::size_t i = 0; i < MD5_DIGEST_SIZE; ++i)
		differ |= static_cast<u8>(a[i] ^ b[i]);
	return differ != 0;
}

// As %pI4 prints it.
std::array<char, 16> dotted(be32 addr)
{
	const u32 a = ntohl(addr);
	std::array<char, 16> out{};

	std::snprintf(out.data(), out.size(), "%u.%u.%u.%u", a >> 24, a >> 16 & 0xff, a >> 8 & 0xff,
	              a & 0xff);
	return out;
}

} // namespace

// not traced: the kernel's static key
bool tcp_md5_needed() { return md5_pools->populated; }

static bool better_md5_match(const tcp_md5sig_key *old, const tcp_md5sig_key &key)
{
	TRACE();
	if (!old)
		return true;
	if (old->l3index && !key.l3index)
		return false;
	if (!old->l3index && key.l3index)
		return true;
	return old->prefixlen < key.prefixlen;
}

namespace {

// What the two releases' lookups do.
tcp_md5sig_key *best_key(const sock &sk, int l3index, tcp_md5_addr addr, int family)
{
	const tcp_md5sig_info *md5sig = tcp_sk(sk).md5sig_info;
	tcp_md5sig_key *best_match = nullptr;

	if (!md5sig)
		return nullptr;
	for (tcp_md5sig_key *key = md5sig->head; key; key = key->next) {
		if (key->family != family)
			continue;
		if (key->flags & TCP_MD5SIG_FLAG_IFINDEX && key->l3index != l3index)
			continue;
		const be32 mask = inet_make_mask(key->prefixlen);
		if ((key->addr.a4 & mask) == (addr.a4 & mask) && better_md5_match(best_match, *key))
			best_match = key;
	}
	return best_match;
}

} // namespace

tcp_md5sig_key *__tcp_md5_do_lookup(const sock &sk, int l3index, tcp_md5_addr addr, int family)
{
	TRACE(sk);
	return best_key(sk, l3index, addr, family);
}

namespace before_static_key {

// linux-4.18: called whether or not any socket has a key.
static tcp_md5sig_key *tcp_md5_do_lookup(const sock &sk, int l3index, tcp_md5_addr addr, int family)
{
	TRACE(sk);
	return best_key(sk, l3index, addr, family);
}

} // namespace before_static_key

static tcp_md5sig_key *tcp_md5_do_lookup_exact(const sock &sk, tcp_md5_addr addr, int family, u8 prefixlen,
                                               int l3index, u8 flags)
{
	TRACE(sk);
	const tcp_md5sig_info *md5sig = tcp_sk(sk).md5sig_info;

	if (!md5sig)
		return nullptr;
	for (tcp_md5sig_key *key = md5sig->head; key; key = key->next)
		if (key->family == family &&
		    (key->flags & TCP_MD5SIG_FLAG_IFINDEX) == (flags & TCP_MD5SIG_FLAG_IFINDEX) &&
		    key->l3index == l3index && key->addr.a4 == addr.a4 && key->prefixlen == prefixlen)
			return key;
	return nullptr;
}

tcp_md5sig_key *tcp_v4_md5_lookup(const sock &sk, const sock &addr_sk)
{
	TRACE(sk);
	// No device is a layer 3 master, so sk_bound_dev_if stands in no other's domain.
	const int l3index = 0;

	if (current.host->features.md5_lookup_out_of_line)
		return before_static_key::tcp_md5_do_lookup(sk, l3index, {addr_sk.sk_daddr}, AF_INET);
	return tcp_md5_do_lookup(sk, l3index, {addr_sk.sk_daddr}, AF_INET);
}

int tcp_md5_do_add(sock &sk, tcp_md5_addr addr, int family, u8 prefixlen, int l3index, u8 flags,
                   const u8 *newkey, u8 newkeylen, gfp_t gfp)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (tcp_md5sig_key *key = tcp_md5_do_lookup_exact(sk, addr, family, prefixlen, l3index, flags)) {
		std::memcpy(key->key, newkey, newkeylen);
		key->keylen = newkeylen;
		return 0;
	}
	if (!tp.md5sig_info) {
		void *memory = kmalloc_trace(sizeof(tcp_md5sig_info), gfp);

		if (!memory)
			return -ENOMEM;
		sk_gso_disable(sk);
		tp.md5sig_info = ::new (memory) tcp_md5sig_info{};
	}
	void *memory = sock_kmalloc(sk, sizeof(tcp_md5sig_key), gfp);
	if (!memory)
		return -ENOMEM;
	auto *key = ::new (memory) tcp_md5sig_key{};
	if (!tcp_alloc_md5sig_pool()) {
		sock_kfree_s(sk, key, sizeof(*key));
		return -ENOMEM;
	}
	std::memcpy(key->key, newkey, newkeylen);
	key->keylen = newkeylen;
	key->family = static_cast<u8>(family);
	key->prefixlen = prefixlen;
	key->l3index = l3index;
	key->flags = flags;
	key->addr = addr;
	key->next = tp.md5sig_info->head;
	tp.md5sig_info->head = key;
	return 0;
}

namespace {

void drop_key(sock &sk, tcp_md5sig_key &key)
{
	sk.sk_omem_alloc -= static_cast<int>(sizeof(key));
	kfree_rcu(key);
}

} // namespace

int tcp_md5_do_del(sock &sk, tcp_md5_addr addr, int family, u8 prefixlen, int l3index, u8 flags)
{
	TRACE(sk);
	tcp_md5sig_key *key = tcp_md5_do_lookup_exact(sk, addr, family, prefixlen, l3index, flags);

	if (!key)
		return -ENOENT;
	tcp_md5sig_key **at = &tcp_sk(sk).md5sig_info->head;
	while (*at != key)
		at = &(*at)->next;
	*at = key->next;
	drop_key(sk, *key);
	return 0;
}

void tcp_clear_md5_list(sock &sk)
{
	TRACE(sk);
	tcp_md5sig_info &md5sig = *tcp_sk(sk).md5sig_info;

	while (tcp_md5sig_key *key = md5sig.head) {
		md5sig.head = key->next;
		drop_key(sk, *key);
	}
	kfree_rcu(md5sig);
	tcp_sk(sk).md5sig_info = nullptr;
}

int tcp_v4_parse_md5_keys(sock &sk, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	tcp_md5sig cmd;
	u8 prefixlen = 32;

	if (optlen < sizeof(cmd))
		return -EINVAL;
	std::memcpy(&cmd, optval, sizeof(cmd));
	const auto &sin = cmd.tcpm_addr.as<sockaddr_in>();
	if (sin.sin_family != AF_INET)
		return -EINVAL;
	const u8 flags = cmd.tcpm_flags & TCP_MD5SIG_FLAG_IFINDEX;
	if (optname == TCP_MD5SIG_EXT && cmd.tcpm_flags & TCP_MD5SIG_FLAG_PREFIX) {
		prefixlen = cmd.tcpm_prefixlen;
		if (prefixlen > 32)
			return -EINVAL;
	}
	// The device that is named must be a layer 3 master: none is.
	if (optname == TCP_MD5SIG_EXT && cmd.tcpm_ifindex && flags)
		return -EINVAL;
	const tcp_md5_addr addr{sin.sin_addr};
	if (!cmd.tcpm_keylen)
		return tcp_md5_do_del(sk, addr, AF_INET, prefixlen, 0, flags);
	if (cmd.tcpm_keylen > TCP_MD5SIG_MAXKEYLEN)
		return -EINVAL;
	return tcp_md5_do_add(sk, addr, AF_INET, prefixlen, 0, flags, cmd.tcpm_key,
	                      static_cast<u8>(cmd.tcpm_keylen), GFP_KERNEL);
}

// --- digests ---

static void __tcp_alloc_md5sig_pool()
{
	TRACE();
	md5_pools->populated = true; // each cpu's place is part of the cpu
}

bool tcp_alloc_md5sig_pool()
{
	TRACE();
	if (!md5_pools->populated)
		__tcp_alloc_md5sig_pool();
	return md5_pools->populated;
}

// Bottom halves stay off until tcp_put_md5sig_pool(): a softirq would use the same place.
tcp_md5sig_pool *tcp_get_md5sig_pool()
{
	TRACE();
	local_bh_disable();
	if (md5_pools->populated)
		return &*md5_pool;
	local_bh_enable();
	return nullptr;
}

int tcp_md5_hash_skb_data(tcp_md5sig_pool &hp, const sk_buff &skb, u32 header_len)
{
	TRACE(skb);
	const u32 headlen = skb_headlen(skb);
	const skb_shared_info &shi = skb_shinfo(skb);

	md5_update(hp.md5_req, reinterpret_cast<const u8 *>(&tcp_hdr(skb)) + header_len,
	           headlen > header_len ? headlen - header_len : 0);
	for (u32 i = 0; i < shi.nr_frags; ++i)
		md5_update(hp.md5_req, skb_frag_address(shi.frags[i]), skb_frag_size(shi.frags[i]));
	for (const sk_buff *frag = shi.frag_list; frag; frag = frag->next)
		if (tcp_md5_hash_skb_data(hp, *frag, 0))
			return 1;
	return 0;
}

int tcp_md5_hash_key(tcp_md5sig_pool &hp, const tcp_md5sig_key &key)
{
	TRACE();
	md5_update(hp.md5_req, key.key, key.keylen);
	return 0;
}

// The header's part: addresses, length, the header itself without its checksum and options.
static int tcp_v4_md5_hash_headers(tcp_md5sig_pool &hp, be32 daddr, be32 saddr, const tcphdr &th, u32 nbytes)
{
	TRACE();
	const tcp4_pseudohdr bp{.saddr = saddr,
	                        .daddr = daddr,
	                        .pad = 0,
	                        .protocol = IPPROTO_TCP,
	                        .len = htons(static_cast<u16>(nbytes))};
	tcphdr copy = th;

	copy.check = {};
	std::memcpy(hp.scratch, &bp, sizeof(bp));
	std::memcpy(hp.scratch + sizeof(bp), &copy, sizeof(copy));
	md5_update(hp.md5_req, hp.scratch, sizeof(bp) + sizeof(copy));
	return 0;
}

// Of a segment that is a header alone: a reset, an ACK without a socket.
int tcp_v4_md5_hash_hdr(u8 *md5_hash, const tcp_md5sig_key &key, be32 daddr, be32 saddr, const tcphdr &th)
{
	TRACE();
	tcp_md5sig_pool *hp = tcp_get_md5sig_pool();

	if (!hp) {
		std::memset(md5_hash, 0, MD5_DIGEST_SIZE);
		return 1;
	}
	md5_init(hp->md5_req);
	tcp_v4_md5_hash_headers(*hp, daddr, saddr, th, th.doff() * 4);
	tcp_md5_hash_key(*hp, key);
	md5_final(hp->md5_req, md5_hash);
	tcp_put_md5sig_pool();
	return 0;
}

int tcp_v4_md5_hash_skb(u8 *md5_hash, const tcp_md5sig_key &key, const sock *sk, const sk_buff &skb)
{
	TRACE(skb, sk);
	const tcphdr &th = tcp_hdr(skb);
	const be32 saddr = sk ? sk->sk_rcv_saddr : ip_hdr(skb).saddr;
	const be32 daddr = sk ? sk->sk_daddr : ip_hdr(skb).daddr;
	tcp_md5sig_pool *hp = tcp_get_md5sig_pool();

	if (!hp) {
		std::memset(md5_hash, 0, MD5_DIGEST_SIZE);
		return 1;
	}
	md5_init(hp->md5_req);
	tcp_v4_md5_hash_headers(*hp, daddr, saddr, th, skb.len);
	tcp_md5_hash_skb_data(*hp, skb, th.doff() * 4);
	tcp_md5_hash_key(*hp, key);
	md5_final(hp->md5_req, md5_hash);
	tcp_put_md5sig_pool();
	return 0;
}

// Of each segment that comes in: the reason to drop it, or none.
skb_drop_reason tcp_inbound_md5_hash(const sock *sk, const sk_buff &skb, be32 saddr, be32 daddr, int family,
                                     int dif, int sdif)
{
	TRACE(sk, skb);
	net &net = sock_net(*sk);
	const int l3index = sdif ? dif : 0;
	const tcp_md5sig_key *hash_expected =
		current.host->features.md5_lookup_out_of_line
			? before_static_key::tcp_md5_do_lookup(*sk, l3index, {saddr}, family)
			: tcp_md5_do_lookup(*sk, l3index, {saddr}, family);
	const u8 *hash_location = tcp_parse_md5sig_option(tcp_hdr(skb));
	u8 newhash[MD5_DIGEST_SIZE];

	if (!hash_expected && !hash_location)
		return SKB_NOT_DROPPED_YET;
	if (hash_expected && !hash_location) {
		NET_INC_STATS(net, LINUX_MIB_TCPMD5NOTFOUND);
		return SKB_DROP_REASON_TCP_MD5NOTFOUND;
	}
	if (!hash_expected) {
		NET_INC_STATS(net, LINUX_MIB_TCPMD5UNEXPECTED);
		return SKB_DROP_REASON_TCP_MD5UNEXPECTED;
	}
	const int genhash = tcp_v4_md5_hash_skb(newhash, *hash_expected, nullptr, skb);
	if (genhash || digests_differ(hash_location, newhash)) {
		NET_INC_STATS(net, LINUX_MIB_TCPMD5FAILURE);
		if (net_ratelimit())
			_printk("%c6TCP: MD5 Hash failed for (%s, %d)->(%s, %d)%s L3 index %d\n", KERN_SOH,
			        dotted(saddr).data(), ntohs(tcp_hdr(skb).source), dotted(daddr).data(),
			        ntohs(tcp_hdr(skb).dest), genhash ? " tcp_v4_calc_md5_hash failed" : "",
			        l3index);
		return SKB_DROP_REASON_TCP_MD5FAILURE;
	}
	return SKB_NOT_DROPPED_YET;
}

} // namespace skbwalk
