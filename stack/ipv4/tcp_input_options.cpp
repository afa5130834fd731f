// SPDX-License-Identifier: GPL-2.0-only
//
// Part of net/ipv4/tcp_input.c: the options of a segment. Of an established connection tcp_fast_parse_options
// comes first: no options at all, or the aligned time stamp alone; all else goes to tcp_parse_options, as do
// SYN and SYN+ACK. A SACK option is not read here: its place is noted in the control block. MD5 options are
// looked for apart. Left out: SMC.

#include "stack/ipv4/tcp_input_private.h"

namespace skbwalk {

namespace {

constexpr u8 TCPOPT_EXP = 254, TCPOLEN_EXP_FASTOPEN_BASE = 4;
constexpr u16 TCPOPT_FASTOPEN_MAGIC = 0xF989;
constexpr int TCP_FASTOPEN_COOKIE_MIN = 4, TCP_FASTOPEN_COOKIE_MAX = 16;

u16 get_be16(const u8 *p) { return static_cast<u16>(p[0] << 8 | p[1]); }
u32 get_be32(const u8 *p) { return u32{get_be16(p)} << 16 | get_be16(p + 2); }
const u8 *options_of(const tcphdr &th) { return reinterpret_cast<const u8 *>(&th + 1); }
int options_len(const tcphdr &th) { return static_cast<int>(th.doff() * 4 - sizeof(tcphdr)); }

} // namespace

// An empty cookie asks for one; one of an odd or impossible length is as none.
static void tcp_parse_fastopen_option(int len, const u8 *cookie, bool syn, tcp_fastopen_cookie *foc,
                                      bool exp_opt)
{
	TRACE();
	if (!foc || !syn || len < 0 || (len & 1))
		return;
	if (len >= TCP_FASTOPEN_COOKIE_MIN && len <= TCP_FASTOPEN_COOKIE_MAX)
		std::memcpy(foc->val, cookie, static_cast<std::size_t>(len));
	else if (len != 0)
		len = -1;
	foc->len = static_cast<s8>(len);
	foc->exp = exp_opt;
}

// A cookie is sent before anything of the SYN is kept: of its options only the segment size counts.
u16 tcp_parse_mss_option(const tcphdr &th, u16 user_mss)
{
	TRACE();
	const u8 *ptr = options_of(th);
	int length = options_len(th);
	u16 mss = 0;

	while (length > 0) {
		const u8 opcode = *ptr++;

		if (opcode == TCPOPT_EOL)
			return mss;
		if (opcode == TCPOPT_NOP) {
			length--;
			continue;
		}
		if (length < 2)
			return mss;
		const int opsize = *ptr++;

		if (opsize < 2 || opsize > length)
			return mss;
		if (opcode == TCPOPT_MSS && opsize == TCPOLEN_MSS) {
			if (const u16 in_mss = get_be16(ptr))
				mss = user_mss && user_mss < in_mss ? user_mss : in_mss;
		}
		ptr += opsize - 2;
		length -= opsize;
	}
	return mss;
}

// Into opt_rx what the segment says and we understand. `estab`: what only a SYN may carry is ignored. Options
// that are cut end the walk; what came before stays valid.
void tcp_parse_options(const net &net, const sk_buff &skb, tcp_options_received &opt_rx, bool estab,
                       tcp_fastopen_cookie *foc)
{
	TRACE(skb);
	const tcphdr &th = tcp_hdr(skb);
	const u8 *ptr = options_of(th);
	int length = options_len(th);

	opt_rx.saw_tstamp = 0;
	opt_rx.saw_unknown = 0;
	while (length > 0) {
		const u8 opcode = *ptr++;

		if (opcode == TCPOPT_EOL)
			return;
		if (opcode == TCPOPT_NOP) {
			length--;
			continue;
		}
		if (length < 2)
			return;
		const int opsize = *ptr++;

		if (opsize < 2 || opsize > length)
			return;
		switch (opcode) {
		case TCPOPT_MSS:
			if (opsize == TCPOLEN_MSS && th.syn() && !estab) {
				if (const u16 in_mss = get_be16(ptr))
					opt_rx.mss_clamp = opt_rx.user_mss && opt_rx.user_mss < in_mss
					                           ? opt_rx.user_mss
					                           : in_mss;
			}
			break;
		case TCPOPT_WINDOW:
			if (opsize == TCPOLEN_WINDOW && th.syn() && !estab &&
			    net.ipv4.sysctl_tcp_window_scaling) {
				opt_rx.wscale_ok = 1;
				opt_rx.snd_wscale = std::min<u32>(*ptr, TCP_MAX_WSCALE) & 0xf;
			}
			break;
		case TCPOPT_TIMESTAMP:
			if (opsize == TCPOLEN_TIMESTAMP &&
			    (estab ? opt_rx.tstamp_ok != 0 : net.ipv4.sysctl_tcp_timestamps != 0)) {
				opt_rx.saw_tstamp = 1;
				opt_rx.rcv_tsval = get_be32(ptr);
				opt_rx.rcv_tsecr = get_be32(ptr + 4);
			}
			break;
		case TCPOPT_SACK_PERM:
			if (opsize == TCPOLEN_SACK_PERM && th.syn() && !estab && net.ipv4.sysctl_tcp_sack) {
				opt_rx.sack_ok = TCP_SACK_SEEN;
				tcp_sack_reset(opt_rx);
			}
			break;
		case TCPOPT_SACK:
			if (opsize >= TCPOLEN_SACK_BASE + TCPOLEN_SACK_PERBLOCK &&
			    (opsize - TCPOLEN_SACK_BASE) % TCPOLEN_SACK_PERBLOCK == 0 && opt_rx.sack_ok)
				TCP_SKB_CB(const_cast<sk_buff &>(skb)).sacked =
					static_cast<u8>(ptr - 2 - reinterpret_cast<const u8 *>(&th));
			break;
		case TCPOPT_MD5SIG: // checked before, by tcp_inbound_md5_hash
			break;
		case TCPOPT_FASTOPEN:
			tcp_parse_fastopen_option(opsize - TCPOLEN_FASTOPEN_BASE, ptr, th.syn(), foc, false);
			break;
		case TCPOPT_EXP:
			if (opsize >= TCPOLEN_EXP_FASTOPEN_BASE && get_be16(ptr) == TCPOPT_FASTOPEN_MAGIC)
				tcp_parse_fastopen_option(opsize - TCPOLEN_EXP_FASTOPEN_BASE, ptr + 2,
				                          th.syn(), foc, true);
			else
				opt_rx.saw_unknown = 1;
			break;
		default:
			opt_rx.saw_unknown = 1;
		}
		ptr += opsize - 2;
		length -= opsize;
	}
}

bool tcp_parse_aligned_timestamp(tcp_sock &tp, const tcphdr &th)
{
	TRACE(tp);
	const u8 *ptr = options_of(th);

	if (get_be32(ptr) !=
	    (u32{TCPOPT_NOP} << 24 | u32{TCPOPT_NOP} << 16 | u32{TCPOPT_TIMESTAMP} << 8 | TCPOLEN_TIMESTAMP))
		return false;
	tp.rx_opt.saw_tstamp = 1;
	tp.rx_opt.rcv_tsval = get_be32(ptr + 4);
	const u32 tsecr = get_be32(ptr + 8);
	tp.rx_opt.rcv_tsecr = tsecr ? tsecr - tp.tsoffset : 0;
	return true;
}

// False: there were no options.
bool tcp_fast_parse_options(const net &net, const sk_buff &skb, const tcphdr &th, tcp_sock &tp)
{
	TRACE(skb, tp);
	if (th.doff() == sizeof(tcphdr) / 4) {
		tp.rx_opt.saw_tstamp = 0;
		return false;
	}
	if (tp.rx_opt.tstamp_ok && th.doff() == (sizeof(tcphdr) + TCPOLEN_TSTAMP_ALIGNED) / 4 &&
	    tcp_parse_aligned_timestamp(tp, th))
		return true;
	tcp_parse_options(net, skb, tp.rx_opt, true, nullptr);
	if (tp.rx_opt.saw_tstamp && tp.rx_opt.rcv_tsecr)
		tp.rx_opt.rcv_tsecr -= tp.tsoffset;
	return true;
}

// The signature (RFC 2385) of a segment, or null.
const u8 *tcp_parse_md5sig_option(const tcphdr &th)
{
	TRACE();
	const u8 *ptr = options_of(th);
	int length = options_len(th);

	while (length >= TCPOLEN_MD5SIG) {
		const u8 opcode = *ptr++;

		if (opcode == TCPOPT_EOL)
			return nullptr;
		if (opcode == TCPOPT_NOP) {
			length--;
			continue;
		}
		const int opsize = *ptr++;

		if (opsize < 2 || opsize > length)
			return nullptr;
		if (opcode == TCPOPT_MD5SIG)
			return opsize == TCPOLEN_MD5SIG ? ptr : nullptr;
		ptr += opsize - 2;
		length -= opsize;
	}
	return nullptr;
}

} // namespace skbwalk
