// SPDX-License-Identifier: GPL-2.0-only
//
// SYN cookies (net/ipv4/syncookies.c). Where a listener's queue is full, the SYN+ACK's sequence number is a
// cookie: a keyed hash of the connection, the minute, and in its low bits one of four segment sizes; window
// scale, SACK and ECN are hidden in the low bits of the timestamp. Nothing is kept. cookie_v4_check gets the
// handshake's last ACK, takes the cookie apart, builds the request that was never stored and makes the child
// of it.
#include <iterator>

#include "stack/core/request_sock.h"
#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/tcp.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/random.h"
#include "stack/security/security.h"

namespace skbwalk {

namespace {

constexpr u32 COOKIEBITS = 24; // of the sum that checks; above it the minute
constexpr u32 COOKIEMASK = (1u << COOKIEBITS) - 1;
// What hides in the timestamp.
constexpr u32 TSBITS = 6, TS_OPT_WSCALE_MASK = 0xf, TS_OPT_SACK = 1 << 4, TS_OPT_ECN = 1 << 5;

constexpr u16 msstab[] = {536, 1300, 1440, 1460};

struct syncookie_keys {
	siphash_key_t secret[2];
	bool set = false;
};
perhost<syncookie_keys> syncookie_secret;

u64 tcp_ns_to_ts(u64 ns) { return ns / NSEC_PER_MSEC; }

// IP's control block, as tcp_v4_fill_cb has kept it.
const inet_skb_cb &saved_ipcb(const sk_buff &skb)
{
	return reinterpret_cast<const inet_skb_cb &>(TCP_SKB_CB(skb).header);
}

} // namespace

static std::shared_ptr<ip_options> tcp_v4_save_options(net &net, sk_buff &skb)
{
	TRACE_INLINE(skb);
	const inet_skb_cb &opt = saved_ipcb(skb);

	if (!opt.optlen)
		return nullptr;
	auto copy = std::make_shared<ip_options>();
	return __ip_options_echo(net, *copy, skb, opt) ? nullptr : copy;
}

static u32 cookie_hash(be32 saddr, be32 daddr, be16 sport, be16 dport, u32 count, u32 c)
{
	TRACE();
	syncookie_keys &keys = *syncookie_secret;

	if (!keys.set) {
		get_random_bytes(keys.secret, sizeof(keys.secret));
		keys.set = true;
	}
	return static_cast<u32>(siphash_4u32(saddr.raw(), daddr.raw(),
	                                     static_cast<u32>(sport.raw()) << 16 | dport.raw(), count,
	                                     keys.secret[c]));
}

// The time, in ns, whose timestamp has the options in its low bits; not later than now.
u64 cookie_init_timestamp(request_sock &req, u64 now)
{
	TRACE();
	const inet_request_sock &ireq = inet_rsk(req);
	const u64 ts_now = tcp_ns_to_ts(now);
	u32 options = ireq.wscale_ok ? ireq.snd_wscale : TS_OPT_WSCALE_MASK;

	if (ireq.sack_ok)
		options |= TS_OPT_SACK;
	if (ireq.ecn_ok)
		options |= TS_OPT_ECN;
	u64 ts = (ts_now >> TSBITS << TSBITS) | options;
	if (ts > ts_now)
		ts -= 1u << TSBITS;
	return ts * NSEC_PER_MSEC;
}

static u32 secure_tcp_syn_cookie(be32 saddr, be32 daddr, be16 sport, be16 dport, u32 sseq, u32 data)
{
	TRACE();
	// Once a minute the peer's chance to guess right begins anew.
	const u32 count = tcp_cookie_time();

	return cookie_hash(saddr, daddr, sport, dport, 0, 0) + sseq + (count << COOKIEBITS) +
	       ((cookie_hash(saddr, daddr, sport, dport, count, 1) + data) & COOKIEMASK);
}

// What was in it, or ~0 when it is too old. What is not a cookie of ours gives anything: the caller checks.
static u32 check_tcp_syn_cookie(u32 cookie, be32 saddr, be32 daddr, be16 sport, be16 dport, u32 sseq)
{
	TRACE();
	const u32 count = tcp_cookie_time();

	cookie -= cookie_hash(saddr, daddr, sport, dport, 0, 0) + sseq;
	const u32 diff = (count - (cookie >> COOKIEBITS)) & (~0u >> COOKIEBITS);
	if (diff >= MAX_SYNCOOKIE_AGE)
		return ~0u;
	return (cookie - cookie_hash(saddr, daddr, sport, dport, count - diff, 1)) & COOKIEMASK;
}

// mssp: the peer's segment size; becomes the one of the table that is remembered.
u32 __cookie_v4_init_sequence(const iphdr &iph, const tcphdr &th, u16 &mssp)
{
	TRACE();
	u32 mssind = std::size(msstab) - 1;

	while (mssind && mssp < msstab[mssind])
		mssind--;
	mssp = msstab[mssind];
	return secure_tcp_syn_cookie(iph.saddr, iph.daddr, th.source, th.dest, ntohl(th.seq), mssind);
}

u32 cookie_v4_init_sequence(const sk_buff &skb, u16 &mss)
{
	TRACE(skb);
	return __cookie_v4_init_sequence(ip_hdr(skb), tcp_hdr(skb), mss);
}

// The segment size, or 0: not a cookie of ours.
int __cookie_v4_check(const iphdr &iph, const tcphdr &th, u32 cookie)
{
	TRACE();
	const u32 mssind =
		check_tcp_syn_cookie(cookie, iph.saddr, iph.daddr, th.source, th.dest, ntohl(th.seq) - 1);

	return mssind < std::size(msstab) ? msstab[mssind] : 0;
}

// A child for a request that nobody else has seen. It comes locked, as tcp_check_req's; null: it has no
// place.
sock *tcp_get_cookie_sock(sock &sk, sk_buff &skb, request_sock &req, dst_entry *dst, u32 tsoff)
{
	TRACE(sk, skb);
	bool own_req;
	sock *child = inet_csk(sk).icsk_af_ops->syn_recv_sock(sk, skb, req, dst, nullptr, own_req, nullptr);

	if (!child) {
		__reqsk_free(req);
		return nullptr;
	}
	refcount_set(req.skc_refcnt, 1);
	tcp_sk(*child).tsoffset = tsoff;
	sock_rps_save_rxhash(*child, skb);
	if (inet_csk_reqsk_queue_add(sk, req, *child))
		return child;
	bh_unlock_sock(*child);
	sock_put(*child);
	reqsk_put(req);
	return nullptr;
}

// What our timestamp comes back with. False: it says what we would not have said.
bool cookie_timestamp_decode(const net &net, tcp_options_received &tcp_opt)
{
	TRACE();
	const u32 options = tcp_opt.rcv_tsecr;

	if (!tcp_opt.saw_tstamp) {
		tcp_clear_options(tcp_opt);
		return true;
	}
	if (!net.ipv4.sysctl_tcp_timestamps)
		return false;
	tcp_opt.sack_ok = options & TS_OPT_SACK ? TCP_SACK_SEEN : 0;
	if (tcp_opt.sack_ok && !net.ipv4.sysctl_tcp_sack)
		return false;
	if ((options & TS_OPT_WSCALE_MASK) == TS_OPT_WSCALE_MASK)
		return true; // no scaling
	tcp_opt.wscale_ok = 1;
	tcp_opt.snd_wscale = options & TS_OPT_WSCALE_MASK;
	return net.ipv4.sysctl_tcp_window_scaling != 0;
}

static bool cookie_ecn_ok(const tcp_options_received &tcp_opt, const net &net, const dst_entry &dst)
{
	TRACE();
	if (!(tcp_opt.rcv_tsecr & TS_OPT_ECN))
		return false;
	return net.ipv4.sysctl_tcp_ecn || dst_feature(dst, RTAX_FEATURE_ECN);
}

static request_sock *cookie_tcp_reqsk_alloc(const request_sock_ops &ops, const tcp_request_sock_ops &af_ops,
                                            sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	request_sock *req = inet_reqsk_alloc(ops, sk, false);

	if (!req)
		return nullptr;
	tcp_rsk(*req).af_specific = &af_ops;
	tcp_rsk(*req).syn_tos = TCP_SKB_CB(skb).ip_dsfield;
	return req;
}

namespace {

// The request as the SYN would have made it.
void fill_request(request_sock &req, const sock &sk, const sk_buff &skb, const tcp_options_received &tcp_opt,
                  u32 cookie, int mss)
{
	const tcphdr &th = tcp_hdr(skb);
	inet_request_sock &ireq = inet_rsk(req);
	tcp_request_sock &treq = tcp_rsk(req);

	treq.rcv_isn = seq32(ntohl(th.seq) - 1);
	treq.snt_isn = seq32(cookie);
	treq.ts_off = 0;
	treq.txhash = net_tx_rndhash();
	req.mss = static_cast<u16>(mss);
	ireq.ir_num = ntohs(th.dest);
	ireq.ir_rmt_port = th.source;
	ireq.ir_loc_addr = ip_hdr(skb).daddr;
	ireq.ir_rmt_addr = ip_hdr(skb).saddr;
	ireq.ir_mark = inet_request_mark(sk, skb);
	ireq.snd_wscale = tcp_opt.snd_wscale;
	ireq.sack_ok = tcp_opt.sack_ok ? 1 : 0;
	ireq.wscale_ok = tcp_opt.wscale_ok;
	ireq.tstamp_ok = tcp_opt.saw_tstamp;
	req.ts_recent = tcp_opt.saw_tstamp ? tcp_opt.rcv_tsval : 0;
	treq.snt_synack = 0;
	treq.tfo_listener = false;
	ireq.ir_iif = inet_request_bound_dev_if(sk, skb);
}

void set_window(request_sock &req, const sock &sk, const dst_entry &dst)
{
	inet_request_sock &ireq = inet_rsk(req);
	const tcp_sock &tp = tcp_sk(sk);
	const int full_space = tcp_full_space(sk);
	u8 rcv_wscale;

	req.rsk_window_clamp = tp.window_clamp ? tp.window_clamp : dst_metric(dst, RTAX_WINDOW);
	if ((sk.sk_userlocks & SOCK_RCVBUF_LOCK) &&
	    (req.rsk_window_clamp > static_cast<u32>(full_space) || req.rsk_window_clamp == 0))
		req.rsk_window_clamp = static_cast<u32>(full_space);
	tcp_select_initial_window(sk, full_space, req.mss, req.rsk_rcv_wnd, req.rsk_window_clamp,
	                          ireq.wscale_ok, rcv_wscale, dst_metric(dst, RTAX_INITRWND));
	ireq.rcv_wscale = rcv_wscale & 0xf;
}

} // namespace

// For an ACK that comes to a listener: sk itself when it answers no cookie, the child, or null when there is
// none to be had.
sock *cookie_v4_check(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	net &net = sock_net(sk);
	const tcphdr &th = tcp_hdr(skb);
	const u32 cookie = ntohl(th.ack_seq) - 1;
	u32 tsoff = 0;

	if (!net.ipv4.sysctl_tcp_syncookies || !th.ack() || th.rst())
		return &sk;
	if (tcp_synq_no_recent_overflow(sk))
		return &sk;
	const int mss = __cookie_v4_check(ip_hdr(skb), th, cookie);
	if (mss == 0) {
		__NET_INC_STATS(net, LINUX_MIB_SYNCOOKIESFAILED);
		return &sk;
	}
	__NET_INC_STATS(net, LINUX_MIB_SYNCOOKIESRECV);

	tcp_options_received tcp_opt;
	tcp_parse_options(net, skb, tcp_opt, false, nullptr);
	if (tcp_opt.saw_tstamp && tcp_opt.rcv_tsecr) {
		tsoff = secure_tcp_seq_and_ts_off(net, ip_hdr(skb).daddr, ip_hdr(skb).saddr, th.dest,
		                                  th.source)
		                .ts_off;
		tcp_opt.rcv_tsecr -= tsoff;
	}
	if (!cookie_timestamp_decode(net, tcp_opt))
		return &sk;

	request_sock *req =
		cookie_tcp_reqsk_alloc(tcp_request_sock_ops_v4, tcp_request_sock_ipv4_ops, sk, skb);
	if (!req)
		return nullptr;
	fill_request(*req, sk, skb, tcp_opt, cookie, mss);
	inet_request_sock &ireq = inet_rsk(*req);
	ireq.ireq_opt = tcp_v4_save_options(net, skb);
	if (security_inet_conn_request(sk, skb, *req)) {
		reqsk_free(*req);
		return nullptr;
	}
	req->num_retrans = 0;

	const inet_skb_cb &opt = saved_ipcb(skb);
	flowi4 fl4;
	flowi4_init_output(fl4, ireq.ir_iif, ireq.ir_mark, RT_TOS(inet_sk(sk).tos), RT_SCOPE_UNIVERSE,
	                   IPPROTO_TCP, inet_sk_flowi_flags(sk), opt.srr ? opt.faddr : ireq.ir_rmt_addr,
	                   ireq.ir_loc_addr, th.source, th.dest, sk.sk_uid);
	security_req_classify_flow(*req, fl4);
	rtable *rt = ip_route_output_key(net, fl4).rt;
	if (!rt) {
		reqsk_free(*req);
		return nullptr;
	}
	set_window(*req, sk, *rt);
	ireq.ecn_ok = cookie_ecn_ok(tcp_opt, net, *rt);
	sock *child = tcp_get_cookie_sock(sk, skb, *req, rt, tsoff);
	// The route's key is the child's now.
	if (child)
		inet_sk(*child).cork.fl = fl4;
	return child;
}

} // namespace skbwalk
