// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_proto_tcp.c. The man in the middle's view of a TCP connection: a segment's flags
// move a state machine (get_conntrack_index, tcp_conntracks), tcp_in_window says whether its numbers can be
// those of this connection, and the new state says how long the connection may be silent. A segment that does
// not fit is let through as INVALID or, where it may be right and our view wrong, believed in a little. Left
// out: SYN proxies, logging.
#include "stack/netfilter/nf_conntrack_private.h"
#include "stack/netfilter/utils.h"

namespace skbwalk {

namespace {

constexpr const char *tcp_conntrack_names[] = {"NONE",     "SYN_SENT",   "SYN_RECV", "ESTABLISHED",
                                               "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
                                               "CLOSE",    "SYN_SENT2"};

enum nf_ct_tcp_action { NFCT_TCP_IGNORE, NFCT_TCP_INVALID, NFCT_TCP_ACCEPT };
enum nf_tcp_invalid_log_type {
	NF_TCP_LOG_NONE,
	NF_TCP_LOG_OVERSHOT,
	NF_TCP_LOG_SEQ_OVER,
	NF_TCP_LOG_ACK_OVER,
	NF_TCP_LOG_SEQ_UNDER,
	NF_TCP_LOG_ACK_UNDER
};
// What does not fit, and the bound that it passes.
struct nf_tcp_invalid_log {
	nf_tcp_invalid_log_type type = NF_TCP_LOG_NONE;
	u32 value = 0;
};
enum tcp_bit_set : u8 { TCP_SYN_SET, TCP_SYNACK_SET, TCP_FIN_SET, TCP_ACK_SET, TCP_RST_SET, TCP_NONE_SET };

constexpr tcp_conntrack sSS = TCP_CONNTRACK_SYN_SENT, sSR = TCP_CONNTRACK_SYN_RECV,
			sES = TCP_CONNTRACK_ESTABLISHED, sFW = TCP_CONNTRACK_FIN_WAIT,
			sCW = TCP_CONNTRACK_CLOSE_WAIT, sLA = TCP_CONNTRACK_LAST_ACK,
			sTW = TCP_CONNTRACK_TIME_WAIT, sCL = TCP_CONNTRACK_CLOSE,
			sS2 = TCP_CONNTRACK_SYN_SENT2, sIV = TCP_CONNTRACK_MAX, sIG = TCP_CONNTRACK_IGNORE;
// By direction, flags and the state before (none, SS, SR, ES, FW, CW, LA, TW, CL, S2). IV: the segment cannot
// be; IG: it may be, and the answer to it will tell.
// clang-format off
constexpr tcp_conntrack tcp_conntracks[2][6][TCP_CONNTRACK_MAX] = {
	{
		/* syn */     {sSS, sSS, sIG, sIG, sIG, sIG, sIG, sSS, sSS, sS2},
		/* syn+ack */ {sIV, sIV, sSR, sIV, sIV, sIV, sIV, sIV, sIV, sSR},
		/* fin */     {sIV, sIV, sFW, sFW, sLA, sLA, sLA, sTW, sCL, sIV},
		/* ack */     {sES, sIV, sES, sES, sCW, sCW, sTW, sTW, sCL, sIV},
		/* rst */     {sIV, sCL, sCL, sCL, sCL, sCL, sCL, sCL, sCL, sCL},
		/* none */    {sIV, sIV, sIV, sIV, sIV, sIV, sIV, sIV, sIV, sIV},
	}, {
		/* syn */     {sIV, sS2, sIV, sIV, sIV, sIV, sIV, sSS, sIV, sS2},
		/* syn+ack */ {sIV, sSR, sIG, sIG, sIG, sIG, sIG, sIG, sIG, sSR},
		/* fin */     {sIV, sIV, sFW, sFW, sLA, sLA, sLA, sTW, sCL, sIV},
		/* ack */     {sIV, sIG, sSR, sES, sCW, sCW, sTW, sTW, sCL, sIG},
		/* rst */     {sIV, sCL, sCL, sCL, sCL, sCL, sCL, sCL, sCL, sCL},
		/* none */    {sIV, sIV, sIV, sIV, sIV, sIV, sIV, sIV, sIV, sIV},
	},
};
// clang-format on

constexpr u8 TCPOPT_EOL = 0, TCPOPT_NOP = 1, TCPOPT_WINDOW = 3, TCPOPT_SACK_PERM = 4, TCPOPT_SACK = 5,
	     TCPOPT_TIMESTAMP = 8;
constexpr int TCPOLEN_WINDOW = 3, TCPOLEN_SACK_PERM = 2, TCPOLEN_TIMESTAMP = 10, TCPOLEN_TSTAMP_ALIGNED = 12,
	      TCPOLEN_SACK_BASE = 2, TCPOLEN_SACK_PERBLOCK = 8;
constexpr u8 TCP_MAX_WSCALE = 14;
constexpr u32 MAXACKWINCONST = 66000;
constexpr int accept = static_cast<int>(NF_ACCEPT);

bool before(u32 a, u32 b) { return static_cast<s32>(a - b) < 0; }
bool after(u32 a, u32 b) { return before(b, a); }
u32 MAXACKWINDOW(const ip_ct_tcp_state &sender)
{
	return sender.td_maxwin > MAXACKWINCONST ? sender.td_maxwin : MAXACKWINCONST;
}

// Calls fn(kind, data, length of the whole option) for each option that is whole; true from it ends the walk.
template <class F> void each_option(const u8 *ptr, int length, F &&fn)
{
	while (length > 0) {
		const u8 opcode = *ptr++;

		if (opcode == TCPOPT_EOL)
			return;
		if (opcode == TCPOPT_NOP) {
			--length;
			continue;
		}
		if (length < 2)
			return;
		const int opsize = *ptr++;
		if (opsize < 2 || opsize > length)
			return;
		if (fn(opcode, ptr, opsize))
			return;
		ptr += opsize - 2;
		length -= opsize;
	}
}

// The options' bytes and how many; null where there are none.
using options_buffer = std::array<u8, 15 * 4 - sizeof(tcphdr)>;
const u8 *options_of(const sk_buff &skb, u32 dataoff, const tcphdr &th, options_buffer &buffer, int &length)
{
	length = static_cast<int>(th.doff() * 4 - sizeof(tcphdr));
	return length ? static_cast<const u8 *>(skb_header_pointer(
				skb, static_cast<int>(dataoff + sizeof(tcphdr)), length, buffer.data()))
	              : nullptr;
}

} // namespace

const char *tcp_conntrack_name(tcp_conntrack state) { return tcp_conntrack_names[state]; }

static u8 get_conntrack_index(const tcphdr &th)
{
	TRACE();
	if (th.rst())
		return TCP_RST_SET;
	if (th.syn())
		return th.ack() ? TCP_SYNACK_SET : TCP_SYN_SET;
	if (th.fin())
		return TCP_FIN_SET;
	return th.ack() ? TCP_ACK_SET : TCP_NONE_SET;
}

static u32 segment_seq_plus_len(u32 seq, u32 len, u32 dataoff, const tcphdr &th)
{
	TRACE();
	return seq + len - dataoff - th.doff() * 4 + th.syn() + th.fin();
}

static void tcp_options(const sk_buff &skb, u32 dataoff, const tcphdr &th, ip_ct_tcp_state &state)
{
	TRACE(skb);
	options_buffer buffer;
	int length = 0;
	const u8 *ptr = options_of(skb, dataoff, th, buffer, length);

	if (!ptr)
		return;
	state.td_scale = 0;
	state.flags &= IP_CT_TCP_FLAG_BE_LIBERAL;
	each_option(ptr, length, [&state](u8 opcode, const u8 *data, int opsize) {
		if (opcode == TCPOPT_SACK_PERM && opsize == TCPOLEN_SACK_PERM) {
			state.flags |= IP_CT_TCP_FLAG_SACK_PERM;
		} else if (opcode == TCPOPT_WINDOW && opsize == TCPOLEN_WINDOW) {
			state.td_scale = *data > TCP_MAX_WSCALE ? TCP_MAX_WSCALE : *data;
			state.flags |= IP_CT_TCP_FLAG_WINDOW_SCALE;
		}
		return false;
	});
}

// The highest right edge that the segment's SACK blocks speak of, if beyond `sack`.
static void tcp_sack(const sk_buff &skb, u32 dataoff, const tcphdr &th, u32 &sack)
{
	TRACE(skb);
	options_buffer buffer;
	int length = 0;
	const u8 *ptr = options_of(skb, dataoff, th, buffer, length);

	if (!ptr)
		return;
	if (length == TCPOLEN_TSTAMP_ALIGNED && ptr[0] == TCPOPT_NOP && ptr[1] == TCPOPT_NOP &&
	    ptr[2] == TCPOPT_TIMESTAMP && ptr[3] == TCPOLEN_TIMESTAMP)
		return;
	each_option(ptr, length, [&sack](u8 opcode, const u8 *data, int opsize) {
		if (opcode != TCPOPT_SACK || opsize < TCPOLEN_SACK_BASE + TCPOLEN_SACK_PERBLOCK ||
		    (opsize - TCPOLEN_SACK_BASE) % TCPOLEN_SACK_PERBLOCK)
			return false;
		for (int i = 0; i < opsize - TCPOLEN_SACK_BASE; i += TCPOLEN_SACK_PERBLOCK) {
			be32 right;

			std::memcpy(&right, data + i + 4, sizeof(right));
			if (after(ntohl(right), sack))
				sack = ntohl(right);
		}
		return true;
	});
}

static void tcp_init_sender(ip_ct_tcp_state &sender, ip_ct_tcp_state &receiver, const sk_buff &skb,
                            u32 dataoff, const tcphdr &th, u32 end, u32 win, ip_conntrack_dir dir)
{
	TRACE(skb);
	sender.td_end = sender.td_maxend = end;
	sender.td_maxwin = win == 0 ? 1 : win;
	tcp_options(skb, dataoff, th, sender);
	// Windows are scaled only if both said so (RFC 7323).
	if (dir == IP_CT_DIR_REPLY && !(sender.flags & receiver.flags & IP_CT_TCP_FLAG_WINDOW_SCALE))
		sender.td_scale = receiver.td_scale = 0;
}

static nf_ct_tcp_action nf_tcp_store_invalid(const nf_conn &ct, const ip_ct_tcp_state &sender,
                                             nf_tcp_invalid_log &log, nf_ct_tcp_action ret,
                                             nf_tcp_invalid_log_type type, u32 value)
{
	TRACE();
	const bool be_liberal =
		sender.flags & IP_CT_TCP_FLAG_BE_LIBERAL || nf_tcp_pernet(nf_ct_net(ct)).tcp_be_liberal;

	if (be_liberal)
		return NFCT_TCP_ACCEPT;
	log = {type, value};
	return ret;
}

static void nf_tcp_log_invalid(const sk_buff &skb, const nf_conn &ct, const nf_hook_state &state,
                               const nf_tcp_invalid_log &log)
{
	TRACE(skb);
	switch (log.type) {
	case NF_TCP_LOG_OVERSHOT:
		nf_ct_l4proto_log_invalid(skb, ct, state, "%u bytes more than expected", log.value);
		break;
	case NF_TCP_LOG_SEQ_OVER:
		nf_ct_l4proto_log_invalid(skb, ct, state,
		                          "SEQ is over upper bound %u (over the window of the receiver)",
		                          log.value);
		break;
	case NF_TCP_LOG_ACK_OVER:
		nf_ct_l4proto_log_invalid(skb, ct, state,
		                          "ACK is over upper bound %u (ACKed data not seen yet)", log.value);
		break;
	case NF_TCP_LOG_SEQ_UNDER:
		nf_ct_l4proto_log_invalid(skb, ct, state,
		                          "SEQ is under lower bound %u (already ACKed data retransmitted)",
		                          log.value);
		break;
	case NF_TCP_LOG_ACK_UNDER:
		nf_ct_l4proto_log_invalid(skb, ct, state,
		                          "ignored ACK under lower bound %u (possible overly delayed)",
		                          log.value);
		break;
	case NF_TCP_LOG_NONE:
		break;
	}
}

// A segment is of this connection if
//   seq < sender.td_maxend + 1              nobody sends beyond what he was allowed
//   seq + len > sender.td_end - receiver.td_maxwin - 1     nor what is long acknowledged
//   ack < receiver.td_end + 1               nor acknowledges what was not sent
//   ack > receiver.td_end - MAXACKWINDOW - 1               nor what is too old
static nf_ct_tcp_action tcp_in_window(nf_conn &ct, ip_conntrack_dir dir, u8 index, const sk_buff &skb,
                                      u32 dataoff, const tcphdr &th, nf_tcp_invalid_log &log)
{
	TRACE(skb);
	ip_ct_tcp &state = ct.proto.tcp;
	ip_ct_tcp_state &sender = state.seen[dir], &receiver = state.seen[other_dir(dir)];
	u32 seq = ntohl(th.seq), ack = ntohl(th.ack_seq), sack = ack;
	const u16 win_raw = ntohs(th.window);
	u32 win = win_raw;
	u32 end = segment_seq_plus_len(seq, skb.len, dataoff, th);

	if (receiver.flags & IP_CT_TCP_FLAG_SACK_PERM)
		tcp_sack(skb, dataoff, th, sack);
	const s32 receiver_offset = nf_ct_seq_offset(ct, other_dir(dir), ack - 1);
	ack -= static_cast<u32>(receiver_offset);
	sack -= static_cast<u32>(receiver_offset);

	if (sender.td_maxwin == 0) {
		if (th.syn()) {
			tcp_init_sender(sender, receiver, skb, dataoff, th, end, win, dir);
			if (!th.ack()) // a simultaneous open
				return NFCT_TCP_ACCEPT;
		} else {
			// Picked up in the middle: what this segment says is all there is.
			const u32 swin = win << sender.td_scale;

			sender.td_end = end;
			sender.td_maxwin = swin == 0 ? 1 : swin;
			sender.td_maxend = end + sender.td_maxwin;
			if (receiver.td_maxwin == 0)
				receiver.td_end = receiver.td_maxend = sack;
			else if (sack == receiver.td_end + 1) // the answer to a keepalive
				++receiver.td_end;
		}
	} else if (th.syn() && after(end, sender.td_end) &&
	           (state.state == TCP_CONNTRACK_SYN_SENT || state.state == TCP_CONNTRACK_SYN_RECV)) {
		// The same anew, with other numbers.
		tcp_init_sender(sender, receiver, skb, dataoff, th, end, win, dir);
		if (dir == IP_CT_DIR_REPLY && !th.ack())
			return NFCT_TCP_ACCEPT;
	}

	if (!th.ack() || (th.rst() && ack == 0)) // as if it were there and right
		ack = sack = receiver.td_end;
	if (th.rst() && seq == 0 && state.state == TCP_CONNTRACK_SYN_SENT) // the answer to a SYN
		seq = end = sender.td_end;

	if (!before(seq, sender.td_maxend + 1)) {
		const u32 overshot = end - sender.td_maxend + 1;
		const bool ack_ok = after(sack, receiver.td_end - MAXACKWINDOW(sender) - 1);
		const bool in_recv_win =
			receiver.td_maxwin && after(end, sender.td_end - receiver.td_maxwin - 1);

		if (in_recv_win && ack_ok && overshot <= receiver.td_maxwin &&
		    before(sack, receiver.td_end + 1)) {
			// Some send more than they may; the acknowledgment of it is to fit then.
			sender.td_end = end;
			sender.flags |= IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
			return nf_tcp_store_invalid(ct, sender, log, NFCT_TCP_IGNORE, NF_TCP_LOG_OVERSHOT,
			                            overshot);
		}
		return nf_tcp_store_invalid(ct, sender, log, NFCT_TCP_INVALID, NF_TCP_LOG_SEQ_OVER,
		                            sender.td_maxend + 1);
	}
	if (!before(sack, receiver.td_end + 1))
		return nf_tcp_store_invalid(ct, sender, log, NFCT_TCP_INVALID, NF_TCP_LOG_ACK_OVER,
		                            receiver.td_end + 1);
	if (const u32 lowest = sender.td_end - receiver.td_maxwin - 1;
	    receiver.td_maxwin && !after(end, lowest))
		return nf_tcp_store_invalid(ct, sender, log, NFCT_TCP_IGNORE, NF_TCP_LOG_SEQ_UNDER, lowest);
	if (const u32 lowest = receiver.td_end - MAXACKWINDOW(sender) - 1; !after(sack, lowest))
		return nf_tcp_store_invalid(ct, sender, log, NFCT_TCP_IGNORE, NF_TCP_LOG_ACK_UNDER, lowest);

	if (!th.syn())
		win <<= sender.td_scale;
	const u32 swin = win + (sack - ack);
	if (sender.td_maxwin < swin)
		sender.td_maxwin = swin;
	if (after(end, sender.td_end)) {
		sender.td_end = end;
		sender.flags |= IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED;
	}
	if (th.ack() && (!(sender.flags & IP_CT_TCP_FLAG_MAXACK_SET) || after(ack, sender.td_maxack))) {
		sender.td_maxack = ack;
		sender.flags |= IP_CT_TCP_FLAG_MAXACK_SET;
	}
	if (receiver.td_maxwin != 0 && after(end, sender.td_maxend))
		receiver.td_maxwin += end - sender.td_maxend;
	if (after(sack + win, receiver.td_maxend - 1)) {
		receiver.td_maxend = sack + win;
		if (win == 0)
			++receiver.td_maxend;
	}
	if (ack == receiver.td_end)
		receiver.flags &= static_cast<u8>(~IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED);
	if (index == TCP_ACK_SET) {
		if (state.last_dir == dir && state.last_seq == seq && state.last_ack == ack &&
		    state.last_end == end && state.last_win == win_raw) {
			++state.retrans;
		} else {
			state.last_dir = dir;
			state.last_seq = seq;
			state.last_ack = ack;
			state.last_end = end;
			state.last_win = win_raw;
			state.retrans = 0;
		}
	}
	return NFCT_TCP_ACCEPT;
}

// A FIN or RST that does not fit, in both directions, in a row: the connection is likely over.
static bool nf_tcp_handle_invalid(nf_conn &ct, ip_conntrack_dir dir, u8 index)
{
	TRACE();
	ip_ct_tcp &state = ct.proto.tcp;

	if (!(ct.status & IPS_ASSURED) || (ct.status & IPS_FIXED_TIMEOUT))
		return false;
	if (index != TCP_RST_SET && index != TCP_FIN_SET)
		return false;
	if (state.last_dir == dir || (state.last_index != TCP_FIN_SET && state.last_index != TCP_RST_SET)) {
		state.last_index = index;
		state.last_dir = dir;
		return false;
	}
	const u32 expires = nf_ct_expires(ct);
	if (expires < 120 * HZ)
		return false;
	const u32 timeout = nf_tcp_pernet(nf_ct_net(ct)).timeouts[TCP_CONNTRACK_UNACK];
	if (expires <= timeout)
		return false;
	ct.timeout = timeout + nfct_time_stamp();
	return true;
}

static void tcp_error_log(const sk_buff &skb, const nf_hook_state &state, const char *msg)
{
	TRACE(skb);
	nf_l4proto_log_invalid(skb, state, IPPROTO_TCP, "%s", msg);
}

static bool tcp_error(const tcphdr &th, sk_buff &skb, u32 dataoff, const nf_hook_state &state)
{
	TRACE(skb);
	const u32 tcplen = skb.len - dataoff;

	if (th.doff() * 4 < sizeof(tcphdr) || tcplen < th.doff() * 4) {
		tcp_error_log(skb, state, "truncated packet");
		return true;
	}
	// What we send is right.
	if (state.net->ct->sysctl_checksum && state.hook == NF_INET_PRE_ROUTING &&
	    nf_checksum(skb, state.hook, dataoff, IPPROTO_TCP, state.pf)) {
		tcp_error_log(skb, state, "bad checksum");
		return true;
	}
	switch (th.flags & ~(TCPHDR_ECE | TCPHDR_CWR | TCPHDR_PSH)) {
	case TCPHDR_SYN:
	case TCPHDR_SYN | TCPHDR_URG:
	case TCPHDR_SYN | TCPHDR_ACK:
	case TCPHDR_RST:
	case TCPHDR_RST | TCPHDR_ACK:
	case TCPHDR_FIN | TCPHDR_ACK:
	case TCPHDR_FIN | TCPHDR_ACK | TCPHDR_URG:
	case TCPHDR_ACK:
	case TCPHDR_ACK | TCPHDR_URG:
		return false;
	}
	tcp_error_log(skb, state, "invalid tcp flag combination");
	return true;
}

static bool tcp_new(nf_conn &ct, const sk_buff &skb, u32 dataoff, const tcphdr &th)
{
	TRACE(skb);
	ip_ct_tcp &state = ct.proto.tcp;
	const tcp_conntrack new_state = tcp_conntracks[0][get_conntrack_index(th)][TCP_CONNTRACK_NONE];

	if (new_state >= TCP_CONNTRACK_MAX)
		return false;
	if (new_state != TCP_CONNTRACK_SYN_SENT && !nf_tcp_pernet(nf_ct_net(ct)).tcp_loose)
		return false;
	state = {};
	state.seen[0].td_end = segment_seq_plus_len(ntohl(th.seq), skb.len, dataoff, th);
	state.seen[0].td_maxwin = ntohs(th.window);
	if (state.seen[0].td_maxwin == 0)
		state.seen[0].td_maxwin = 1;
	state.seen[0].td_maxend = state.seen[0].td_end;
	if (new_state == TCP_CONNTRACK_SYN_SENT) {
		tcp_options(skb, dataoff, th, state.seen[0]);
	} else { // in the middle of a connection
		state.seen[0].td_maxend += state.seen[0].td_maxwin;
		state.seen[0].flags = state.seen[1].flags =
			IP_CT_TCP_FLAG_SACK_PERM | IP_CT_TCP_FLAG_BE_LIBERAL;
	}
	state.last_index = TCP_NONE_SET;
	return true;
}

static bool tcp_can_early_drop(const nf_conn &ct)
{
	TRACE();
	switch (ct.proto.tcp.state) {
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_LAST_ACK:
	case TCP_CONNTRACK_TIME_WAIT:
	case TCP_CONNTRACK_CLOSE:
	case TCP_CONNTRACK_CLOSE_WAIT:
		return true;
	default:
		return false;
	}
}

void nf_conntrack_tcp_set_closing(nf_conn &ct)
{
	TRACE();
	if (!nf_ct_is_confirmed(ct))
		return;
	spin_lock_bh(ct.lock);
	const tcp_conntrack old_state = ct.proto.tcp.state;

	ct.proto.tcp.state = TCP_CONNTRACK_CLOSE;
	if (old_state != TCP_CONNTRACK_CLOSE && !(ct.status & IPS_FIXED_TIMEOUT))
		ct.timeout = nf_tcp_pernet(nf_ct_net(ct)).timeouts[TCP_CONNTRACK_CLOSE] + nfct_time_stamp();
	spin_unlock_bh(ct.lock);
	nf_conntrack_event_cache(IPCT_PROTOINFO, ct);
}

static void nf_ct_tcp_state_reset(ip_ct_tcp_state &state)
{
	TRACE();
	state = {.flags = static_cast<u8>(state.flags & IP_CT_TCP_FLAG_BE_LIBERAL)};
}

namespace {

enum class judged { in_window, look, ignored, invalid, repeat };

// A SYN, SYN+ACK or ACK that our view has no place for. `true`: with it, our view is right again.
bool believe(ip_ct_tcp &t, const sk_buff &skb, u32 dataoff, const tcphdr &th, u8 index, ip_conntrack_dir dir,
             tcp_conntrack &old_state, tcp_conntrack &new_state)
{
	if (index == TCP_SYNACK_SET && t.last_index == TCP_SYN_SET && t.last_dir != dir &&
	    ntohl(th.ack_seq) == t.last_end) {
		// It answers a SYN that was let through: the two are in step, we were not.
		ip_ct_tcp_state &syn_side = t.seen[t.last_dir];

		old_state = TCP_CONNTRACK_SYN_SENT;
		new_state = TCP_CONNTRACK_SYN_RECV;
		syn_side.td_end = syn_side.td_maxend = t.last_end;
		syn_side.td_maxwin = t.last_win == 0 ? 1 : t.last_win;
		syn_side.td_scale = t.last_wscale;
		t.last_flags &= static_cast<u8>(~IP_CT_EXP_CHALLENGE_ACK);
		syn_side.flags = t.last_flags;
		nf_ct_tcp_state_reset(t.seen[dir]);
		return true;
	}
	t.last_index = index;
	t.last_dir = dir;
	t.last_seq = ntohl(th.seq);
	t.last_end = segment_seq_plus_len(ntohl(th.seq), skb.len, dataoff, th);
	t.last_win = ntohs(th.window);
	if (index == TCP_SYN_SET && dir == IP_CT_DIR_ORIGINAL) {
		ip_ct_tcp_state seen{};

		t.last_flags = t.last_wscale = 0;
		tcp_options(skb, dataoff, th, seen);
		if (seen.flags & IP_CT_TCP_FLAG_WINDOW_SCALE) {
			t.last_flags |= IP_CT_TCP_FLAG_WINDOW_SCALE;
			t.last_wscale = seen.td_scale;
		}
		if (seen.flags & IP_CT_TCP_FLAG_SACK_PERM)
			t.last_flags |= IP_CT_TCP_FLAG_SACK_PERM;
		if (old_state == TCP_CONNTRACK_LAST_ACK) // a challenge ACK is no last ACK (RFC 5961)
			t.last_flags |= IP_CT_EXP_CHALLENGE_ACK;
	}
	if (old_state == TCP_CONNTRACK_SYN_SENT && index == TCP_ACK_SET && dir == IP_CT_DIR_REPLY)
		t.last_ack = ntohl(th.ack_seq);
	return false;
}

// Is that RST believable? Only with the number that is expected next, or near it.
judged judge_reset(nf_conn &ct, const nf_tcp_net &tn, const tcphdr &th, ip_conntrack_dir dir,
                   tcp_conntrack old_state, tcp_conntrack &new_state)
{
	const ip_ct_tcp &t = ct.proto.tcp;
	const ip_ct_tcp_state &peer = t.seen[other_dir(dir)];
	const u32 seq = ntohl(th.seq);

	if (tcp_can_early_drop(ct)) // the ports may be in use again already
		return judged::in_window;
	if ((peer.flags & IP_CT_TCP_FLAG_MAXACK_SET) && t.last_index != TCP_SYN_SET) {
		const bool established = nf_conntrack_tcp_established(ct);

		if (seq == 0 && !established)
			return judged::look;
		if (before(seq, peer.td_maxack) && !tn.tcp_ignore_invalid_rst)
			return judged::invalid;
		if (!established || seq == peer.td_maxack)
			return judged::look;
		if (t.last_index == TCP_ACK_SET && t.last_dir == dir && seq == t.last_end)
			return judged::look; // right behind the last data
		new_state = old_state;       // there may be a challenge ACK
	}
	const bool after_ignored =
		((ct.status & IPS_SEEN_REPLY) && t.last_index == TCP_SYN_SET && t.last_dir != dir) ||
		(!(ct.status & IPS_ASSURED) && t.last_index == TCP_ACK_SET);
	if (after_ignored && ntohl(th.ack_seq) == t.last_end)
		return judged::in_window;
	if (old_state == TCP_CONNTRACK_SYN_SENT && t.last_index == TCP_ACK_SET &&
	    t.last_dir == IP_CT_DIR_REPLY && seq == t.last_ack)
		return judged::in_window; // to a challenge ACK that was let through
	return judged::look;
}

// What the state machine says, before numbers are looked at.
judged judge(nf_conn &ct, const nf_tcp_net &tn, const sk_buff &skb, u32 dataoff, const tcphdr &th, u8 index,
             ip_conntrack_dir dir, tcp_conntrack &old_state, tcp_conntrack &new_state)
{
	ip_ct_tcp &t = ct.proto.tcp;

	switch (new_state) {
	case TCP_CONNTRACK_SYN_SENT:
		if (old_state < TCP_CONNTRACK_TIME_WAIT)
			return judged::look;
		// Opened again after its end (RFC 1122), or after it was aborted.
		if (((t.seen[0].flags | t.seen[1].flags) & IP_CT_TCP_FLAG_CLOSE_INIT) ||
		    (t.last_dir == dir && t.last_index == TCP_RST_SET))
			return judged::repeat;
		[[fallthrough]];
	case TCP_CONNTRACK_IGNORE:
		return believe(t, skb, dataoff, th, index, dir, old_state, new_state) ? judged::look
		                                                                      : judged::ignored;
	case TCP_CONNTRACK_MAX:
		return judged::invalid;
	case TCP_CONNTRACK_TIME_WAIT:
		if (old_state == TCP_CONNTRACK_LAST_ACK && index == TCP_ACK_SET && t.last_dir != dir &&
		    t.last_index == TCP_SYN_SET && (t.last_flags & IP_CT_EXP_CHALLENGE_ACK)) {
			t.last_flags &= static_cast<u8>(~IP_CT_EXP_CHALLENGE_ACK);
			return judged::ignored;
		}
		return judged::look;
	case TCP_CONNTRACK_SYN_SENT2:
		t.last_flags |= IP_CT_TCP_SIMULTANEOUS_OPEN;
		return judged::look;
	case TCP_CONNTRACK_SYN_RECV:
		if (dir == IP_CT_DIR_REPLY && index == TCP_ACK_SET &&
		    (t.last_flags & IP_CT_TCP_SIMULTANEOUS_OPEN))
			new_state = TCP_CONNTRACK_ESTABLISHED;
		return judged::look;
	case TCP_CONNTRACK_CLOSE:
		return index == TCP_RST_SET ? judge_reset(ct, tn, th, dir, old_state, new_state)
		                            : judged::look;
	default:
		return judged::look;
	}
}

u32 timeout_of(const ip_ct_tcp &t, const nf_tcp_net &tn, u8 index, tcp_conntrack new_state)
{
	const auto &timeouts = tn.timeouts;
	const u32 plain = timeouts[new_state];

	if (t.retrans >= tn.tcp_max_retrans && plain > timeouts[TCP_CONNTRACK_RETRANS])
		return timeouts[TCP_CONNTRACK_RETRANS];
	if (index == TCP_RST_SET)
		return timeouts[TCP_CONNTRACK_CLOSE];
	if (((t.seen[0].flags | t.seen[1].flags) & IP_CT_TCP_FLAG_DATA_UNACKNOWLEDGED) &&
	    plain > timeouts[TCP_CONNTRACK_UNACK])
		return timeouts[TCP_CONNTRACK_UNACK];
	if (t.last_win == 0 && plain > timeouts[TCP_CONNTRACK_RETRANS])
		return timeouts[TCP_CONNTRACK_RETRANS];
	return plain;
}

} // namespace

int nf_conntrack_tcp_packet(nf_conn &ct, sk_buff &skb, u32 dataoff, ip_conntrack_info ctinfo,
                            const nf_hook_state &state)
{
	TRACE(skb);
	const nf_tcp_net &tn = nf_tcp_pernet(nf_ct_net(ct));
	tcphdr buffer;
	const auto *th = static_cast<const tcphdr *>(
		skb_header_pointer(skb, static_cast<int>(dataoff), sizeof(buffer), &buffer));

	if (!th || tcp_error(*th, skb, dataoff, state))
		return -accept;
	if (!nf_ct_is_confirmed(ct) && !tcp_new(ct, skb, dataoff, *th))
		return -accept;

	spin_lock_bh(ct.lock);
	ip_ct_tcp &t = ct.proto.tcp;
	const ip_conntrack_dir dir = CTINFO2DIR(ctinfo);
	const u8 index = get_conntrack_index(*th);
	tcp_conntrack old_state = t.state, new_state = tcp_conntracks[dir][index][old_state];
	const judged verdict = judge(ct, tn, skb, dataoff, *th, index, dir, old_state, new_state);

	nf_tcp_invalid_log log;

	switch (verdict) {
	case judged::repeat:
		spin_unlock_bh(ct.lock);
		return nf_ct_kill(ct) ? -static_cast<int>(NF_REPEAT) : static_cast<int>(NF_DROP);
	case judged::ignored:
		spin_unlock_bh(ct.lock);
		if (new_state == TCP_CONNTRACK_TIME_WAIT)
			nf_ct_l4proto_log_invalid(skb, ct, state, "challenge-ack ignored");
		else
			nf_ct_l4proto_log_invalid(skb, ct, state,
			                          "packet (index %d) in dir %d ignored, state %s", index, dir,
			                          tcp_conntrack_name(old_state));
		return accept;
	case judged::invalid:
		spin_unlock_bh(ct.lock);
		if (new_state == TCP_CONNTRACK_CLOSE)
			nf_ct_l4proto_log_invalid(skb, ct, state, "invalid rst");
		else
			nf_ct_l4proto_log_invalid(skb, ct, state,
			                          "packet (index %d) in dir %d invalid, state %s", index, dir,
			                          tcp_conntrack_name(old_state));
		return -accept;
	case judged::look:
		switch (tcp_in_window(ct, dir, index, skb, dataoff, *th, log)) {
		case NFCT_TCP_IGNORE:
			spin_unlock_bh(ct.lock);
			nf_tcp_log_invalid(skb, ct, state, log);
			return accept;
		case NFCT_TCP_INVALID: {
			const bool lowered_timeout = nf_tcp_handle_invalid(ct, dir, index);

			spin_unlock_bh(ct.lock);
			nf_tcp_log_invalid(skb, ct, state, log);
			if (lowered_timeout)
				nf_ct_l4proto_log_invalid(skb, ct, state, "lowered timeout to UNACK");
			return -accept;
		}
		case NFCT_TCP_ACCEPT:
			break;
		}
		break;
	case judged::in_window:
		break;
	}

	t.last_index = index;
	t.last_dir = dir;
	t.state = new_state;
	if (old_state != new_state && new_state == TCP_CONNTRACK_FIN_WAIT)
		t.seen[dir].flags |= IP_CT_TCP_FLAG_CLOSE_INIT;
	u32 timeout = timeout_of(t, tn, index, new_state);
	spin_unlock_bh(ct.lock);

	if (new_state != old_state)
		nf_conntrack_event_cache(IPCT_PROTOINFO, ct);
	if (!(ct.status & IPS_SEEN_REPLY)) {
		if (th->rst()) { // refused
			nf_ct_kill_acct(ct, ctinfo, skb);
			return accept;
		}
		if (index == TCP_SYN_SET && old_state == TCP_CONNTRACK_SYN_SENT) // repeated: no longer life
			return accept;
		if (new_state == TCP_CONNTRACK_ESTABLISHED && timeout > tn.timeouts[TCP_CONNTRACK_UNACK])
			timeout = tn.timeouts[TCP_CONNTRACK_UNACK];
	} else if (!(ct.status & IPS_ASSURED) &&
	           (old_state == TCP_CONNTRACK_SYN_RECV || old_state == TCP_CONNTRACK_ESTABLISHED) &&
	           new_state == TCP_CONNTRACK_ESTABLISHED) {
		ct.status |= IPS_ASSURED;
		nf_conntrack_event_cache(IPCT_ASSURED, ct);
	}
	nf_ct_refresh_acct(ct, ctinfo, skb, timeout);
	return accept;
}

void nf_conntrack_tcp_init_net(net &net)
{
	TRACE();
	nf_tcp_net &tn = net.ct->tcp;

	tn.timeouts[TCP_CONNTRACK_SYN_SENT] = 120 * HZ;
	tn.timeouts[TCP_CONNTRACK_SYN_RECV] = 60 * HZ;
	tn.timeouts[TCP_CONNTRACK_ESTABLISHED] = 5 * 24 * 3600 * HZ;
	tn.timeouts[TCP_CONNTRACK_FIN_WAIT] = 120 * HZ;
	tn.timeouts[TCP_CONNTRACK_CLOSE_WAIT] = 60 * HZ;
	tn.timeouts[TCP_CONNTRACK_LAST_ACK] = 30 * HZ;
	tn.timeouts[TCP_CONNTRACK_TIME_WAIT] = 120 * HZ;
	tn.timeouts[TCP_CONNTRACK_CLOSE] = 10 * HZ;
	tn.timeouts[TCP_CONNTRACK_SYN_SENT2] = 120 * HZ;
	tn.timeouts[TCP_CONNTRACK_RETRANS] = 300 * HZ;
	tn.timeouts[TCP_CONNTRACK_UNACK] = 300 * HZ;
	tn.timeouts[TCP_CONNTRACK_NONE] = tn.timeouts[TCP_CONNTRACK_SYN_SENT];
	tn.tcp_loose = 1;
	tn.tcp_be_liberal = 0;
	tn.tcp_ignore_invalid_rst = 0;
	tn.tcp_max_retrans = 3;
}

const nf_conntrack_l4proto nf_conntrack_l4proto_tcp{IPPROTO_TCP, false, tcp_can_early_drop, "tcp"};

} // namespace skbwalk
