// SPDX-License-Identifier: GPL-2.0-only
//
// TCP options on the way out (net/ipv4/tcp_output.c). A segment's options are first sized, by one function
// each for a SYN, a SYN+ACK and everything after, into tcp_out_options; tcp_options_write then puts them
// behind the header in the one order that peers are used to: MSS, SACK permitted with timestamps, window
// scale, SACK blocks, Fast Open. Left out: SMC and MPTCP. MD5's digest is
// left room for; tcp_md5.cpp fills it.
#include <algorithm>

#include "stack/ipv4/tcp_bpf.h"
#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

constexpr u8 TCPOPT_EXP = 254, TCPOLEN_EXP_FASTOPEN_BASE = 4;
constexpr u32 TCPOPT_FASTOPEN_MAGIC = 0xF989;

namespace {

constexpr u32 word(u32 a, u32 b, u32 c, u32 d) { return a << 24 | b << 16 | c << 8 | d; }

// The key for this connection.
tcp_md5sig_key *md5_key(const sock &sk)
{
	return tcp_sk(sk).md5sig_info ? tcp_sk(sk).af_specific->md5_lookup(sk, sk) : nullptr;
}

u32 fastopen_need(const tcp_fastopen_cookie &foc)
{
	const u32 need =
		static_cast<u32>(foc.len) + (foc.exp ? TCPOLEN_EXP_FASTOPEN_BASE : TCPOLEN_FASTOPEN_BASE);

	return (need + 3) & ~3u;
}

be32 *write_fastopen(be32 *ptr, const tcp_fastopen_cookie &foc)
{
	u8 *p = reinterpret_cast<u8 *>(ptr);
	const u32 cookie_len = static_cast<u32>(foc.len);
	u32 len;

	if (foc.exp) {
		len = TCPOLEN_EXP_FASTOPEN_BASE + cookie_len;
		*ptr = htonl(static_cast<u32>(TCPOPT_EXP) << 24 | len << 16 | TCPOPT_FASTOPEN_MAGIC);
		p += TCPOLEN_EXP_FASTOPEN_BASE;
	} else {
		len = TCPOLEN_FASTOPEN_BASE + cookie_len;
		*p++ = TCPOPT_FASTOPEN;
		*p++ = static_cast<u8>(len);
	}
	std::memcpy(p, foc.val, cookie_len);
	if ((len & 3) == 2)
		p[cookie_len] = p[cookie_len + 1] = TCPOPT_NOP;
	return ptr + ((len + 3) >> 2);
}

} // namespace

// What we take: by the route, whatever the path's MTU.
static u16 tcp_advertise_mss(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const dst_entry *dst = __sk_dst_get(sk);
	u16 mss = tp.advmss;

	if (dst) {
		const u32 metric = tcp_dst_advmss(*dst);

		if (metric < mss)
			tp.advmss = mss = static_cast<u16>(metric);
	}
	return mss;
}

u32 tcp_syn_options(sock &sk, sk_buff &skb, tcp_out_options &opts, tcp_md5sig_key *&md5)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	tcp_fastopen_request *fastopen = tp.fastopen_req;
	u32 remaining = MAX_TCP_OPTION_SPACE;

	md5 = md5_key(sk);
	if (md5) {
		opts.options |= OPTION_MD5;
		remaining -= TCPOLEN_MD5SIG_ALIGNED;
	}
	opts.mss = tcp_advertise_mss(sk);
	remaining -= TCPOLEN_MSS_ALIGNED;
	if (ipv4.sysctl_tcp_timestamps && !md5) {
		opts.options |= OPTION_TS;
		opts.tsval = tcp_skb_timestamp(skb) + tp.tsoffset;
		opts.tsecr = tp.rx_opt.ts_recent;
		remaining -= TCPOLEN_TSTAMP_ALIGNED;
	}
	if (ipv4.sysctl_tcp_window_scaling) {
		opts.ws = tp.rx_opt.rcv_wscale;
		opts.options |= OPTION_WSCALE;
		remaining -= TCPOLEN_WSCALE_ALIGNED;
	}
	if (ipv4.sysctl_tcp_sack) {
		opts.options |= OPTION_SACK_ADVERTISE;
		if (!(opts.options & OPTION_TS)) // else it takes the place of two NOPs
			remaining -= TCPOLEN_SACKPERM_ALIGNED;
	}
	if (fastopen && fastopen->cookie.len >= 0) {
		const u32 need = fastopen_need(fastopen->cookie);

		if (remaining >= need) {
			opts.options |= OPTION_FAST_OPEN_COOKIE;
			opts.fastopen_cookie = &fastopen->cookie;
			remaining -= need;
			tp.syn_fastopen = 1;
			tp.syn_fastopen_exp = fastopen->cookie.exp;
		}
	}
	bpf_skops_hdr_opt_len(sk, &skb, nullptr, nullptr, TCP_SYNACK_NORMAL, opts, remaining);
	return MAX_TCP_OPTION_SPACE - remaining;
}

u32 tcp_synack_options(const sock &sk, request_sock &req, u32 mss, sk_buff &skb, tcp_out_options &opts,
                       const tcp_md5sig_key *md5, tcp_fastopen_cookie *foc, int synack_type, sk_buff *syn_skb)
{
	TRACE(sk, skb);
	inet_request_sock &ireq = inet_rsk(req);
	u32 remaining = MAX_TCP_OPTION_SPACE;

	if (md5) {
		opts.options |= OPTION_MD5;
		remaining -= TCPOLEN_MD5SIG_ALIGNED;
		// A digest, timestamps and SACK blocks are too much for one header.
		if (synack_type != TCP_SYNACK_COOKIE)
			ireq.tstamp_ok = ireq.tstamp_ok && !ireq.sack_ok;
	}
	opts.mss = static_cast<u16>(mss);
	remaining -= TCPOLEN_MSS_ALIGNED;
	if (ireq.wscale_ok) {
		opts.ws = ireq.rcv_wscale;
		opts.options |= OPTION_WSCALE;
		remaining -= TCPOLEN_WSCALE_ALIGNED;
	}
	if (ireq.tstamp_ok) {
		opts.options |= OPTION_TS;
		opts.tsval = tcp_skb_timestamp(skb) + tcp_rsk(req).ts_off;
		opts.tsecr = req.ts_recent;
		remaining -= TCPOLEN_TSTAMP_ALIGNED;
	}
	if (ireq.sack_ok) {
		opts.options |= OPTION_SACK_ADVERTISE;
		if (!ireq.tstamp_ok)
			remaining -= TCPOLEN_SACKPERM_ALIGNED;
	}
	if (foc && foc->len >= 0) {
		const u32 need = fastopen_need(*foc);

		if (remaining >= need) {
			opts.options |= OPTION_FAST_OPEN_COOKIE;
			opts.fastopen_cookie = foc;
			remaining -= need;
		}
	}
	bpf_skops_hdr_opt_len(sk, &skb, &req, syn_skb, synack_type, opts, remaining);
	return MAX_TCP_OPTION_SPACE - remaining;
}

u32 tcp_established_options(sock &sk, sk_buff *skb, tcp_out_options &opts, tcp_md5sig_key *&md5)
{
	TRACE(sk, skb);
	tcp_sock &tp = tcp_sk(sk);
	u32 size = 0;

	opts.options = 0;
	md5 = md5_key(sk);
	if (md5) {
		opts.options |= OPTION_MD5;
		size += TCPOLEN_MD5SIG_ALIGNED;
	}
	if (tp.rx_opt.tstamp_ok) {
		opts.options |= OPTION_TS;
		opts.tsval = skb ? tcp_skb_timestamp(*skb) + tp.tsoffset : 0;
		opts.tsecr = tp.rx_opt.ts_recent;
		size += TCPOLEN_TSTAMP_ALIGNED;
	}
	const u32 eff_sacks = tp.rx_opt.num_sacks + tp.rx_opt.dsack;
	if (eff_sacks) {
		const u32 remaining = MAX_TCP_OPTION_SPACE - size;

		if (remaining < TCPOLEN_SACK_BASE_ALIGNED + TCPOLEN_SACK_PERBLOCK)
			return size;
		opts.num_sack_blocks = static_cast<u8>(
			std::min(eff_sacks, (remaining - TCPOLEN_SACK_BASE_ALIGNED) / TCPOLEN_SACK_PERBLOCK));
		size += TCPOLEN_SACK_BASE_ALIGNED + opts.num_sack_blocks * u32{TCPOLEN_SACK_PERBLOCK};
	}
	if (BPF_SOCK_OPS_TEST_FLAG(tp, BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG)) {
		u32 remaining = MAX_TCP_OPTION_SPACE - size;

		bpf_skops_hdr_opt_len(sk, skb, nullptr, nullptr, TCP_SYNACK_NORMAL, opts, remaining);
		size = MAX_TCP_OPTION_SPACE - remaining;
	}
	return size;
}

// tp is null for a SYN+ACK, which never carries SACK blocks.
void tcp_options_write(tcphdr &th, tcp_sock *tp, tcp_out_options &opts)
{
	TRACE(tp);
	be32 *ptr = reinterpret_cast<be32 *>(&th + 1);
	u16 options = opts.options;

	if (options & OPTION_MD5) {
		*ptr++ = htonl(word(TCPOPT_NOP, TCPOPT_NOP, TCPOPT_MD5SIG, TCPOLEN_MD5SIG));
		opts.hash_location = reinterpret_cast<u8 *>(ptr);
		ptr += 4;
	}
	if (opts.mss)
		*ptr++ = htonl(static_cast<u32>(TCPOPT_MSS) << 24 | static_cast<u32>(TCPOLEN_MSS) << 16 |
		               opts.mss);
	if (options & OPTION_TS) {
		if (options & OPTION_SACK_ADVERTISE) {
			*ptr++ = htonl(word(TCPOPT_SACK_PERM, TCPOLEN_SACK_PERM, TCPOPT_TIMESTAMP,
			                    TCPOLEN_TIMESTAMP));
			options = static_cast<u16>(options & ~OPTION_SACK_ADVERTISE);
		} else {
			*ptr++ = htonl(word(TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP));
		}
		*ptr++ = htonl(opts.tsval);
		*ptr++ = htonl(opts.tsecr);
	}
	if (options & OPTION_SACK_ADVERTISE)
		*ptr++ = htonl(word(TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK_PERM, TCPOLEN_SACK_PERM));
	if (options & OPTION_WSCALE)
		*ptr++ = htonl(word(TCPOPT_NOP, TCPOPT_WINDOW, TCPOLEN_WINDOW, opts.ws));
	if (opts.num_sack_blocks) {
		const tcp_sack_block *sp = tp->rx_opt.dsack ? tp->duplicate_sack : tp->selective_acks;

		*ptr++ = htonl(word(TCPOPT_NOP, TCPOPT_NOP, TCPOPT_SACK,
		                    TCPOLEN_SACK_BASE + opts.num_sack_blocks * u32{TCPOLEN_SACK_PERBLOCK}));
		// duplicate_sack stands right before selective_acks: with a D-SACK, the blocks follow it.
		for (u32 i = 0; i < opts.num_sack_blocks; ++i) {
			const tcp_sack_block &b =
				sp == tp->duplicate_sack && i ? tp->selective_acks[i - 1] : sp[i];

			*ptr++ = htonl(b.start_seq.v);
			*ptr++ = htonl(b.end_seq.v);
		}
		tp->rx_opt.dsack = 0;
	}
	if (options & OPTION_FAST_OPEN_COOKIE)
		ptr = write_fastopen(ptr, *opts.fastopen_cookie);
}

} // namespace skbwalk
