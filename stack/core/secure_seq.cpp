// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/secure_seq.c: initial sequence numbers, timestamp offsets and where the search for a port begins.
// Each is a keyed hash of the addresses; a sequence number also grows with the clock, 64 ns a step (RFC
// 6528).
#include "stack/core/sock.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

struct once_key {
	siphash_key_t key;
	bool made = false;
};
perhost<once_key> net_secret;
perhost<once_key> ts_secret;

constexpr u32 ephemeral_port_shuffle_period = 10 * HZ;

const siphash_key_t &get_once(const perhost<once_key> &secret)
{
	once_key &k = *secret;

	if (!k.made) {
		get_random_bytes(&k.key, sizeof(k.key));
		k.made = true;
	}
	return k.key;
}

u32 ports_of(be16 sport, be16 dport) { return u32{sport.raw()} << 16 | dport.raw(); }

} // namespace

static u32 seq_scale(u32 seq)
{
	TRACE();
	return seq + static_cast<u32>(ktime_get_real_ns() >> 6);
}

tcp_seq_and_ts_off secure_tcp_seq_and_ts_off(const net &net, be32 saddr, be32 daddr, be16 sport, be16 dport)
{
	TRACE();
	const u64 hash64 =
		siphash_3u32(saddr.raw(), daddr.raw(), ports_of(sport, dport), get_once(net_secret));
	tcp_seq_and_ts_off st{static_cast<u32>(hash64), static_cast<u32>(hash64 >> 32)};

	if (net.ipv4.sysctl_tcp_timestamps != 1)
		st.ts_off = 0;
	st.seq = seq_scale(st.seq);
	return st;
}

// The two below are what releases before 6.1.192 have in its place.
u32 secure_tcp_seq(be32 saddr, be32 daddr, be16 sport, be16 dport)
{
	TRACE();
	const u64 hash = siphash_3u32(saddr.raw(), daddr.raw(), ports_of(sport, dport), get_once(net_secret));

	return seq_scale(static_cast<u32>(hash));
}

u32 secure_tcp_ts_off(const net &net, be32 saddr, be32 daddr)
{
	TRACE();
	if (net.ipv4.sysctl_tcp_timestamps != 1)
		return 0;
	return static_cast<u32>(siphash_2u32(saddr.raw(), daddr.raw(), get_once(ts_secret)));
}

u64 secure_ipv4_port_ephemeral(be32 saddr, be32 daddr, be16 dport)
{
	TRACE();
	return siphash_4u32(saddr.raw(), daddr.raw(), dport.raw(), jiffies() / ephemeral_port_shuffle_period,
	                    get_once(net_secret));
}

} // namespace skbwalk
