// SPDX-License-Identifier: GPL-2.0-only
//
// TCP over IPv4 (net/ipv4/tcp_ipv4.c). tcp_v4_rcv takes a segment, finds its socket (early demux may have),
// and hands it to a full socket (tcp_v4_do_rcv, or its backlog while a task owns it), a request
// (tcp_check_req makes the child) or TIME_WAIT; without a socket it answers RST. tcp_v4_connect opens.
// Replies that belong to no full socket (RST, ACK of a request or of TIME_WAIT) leave by
// ip_send_unicast_reply. MD5 keys are in tcp_md5.cpp; the socket's operations stand at the end.

#include "stack/core/netdevice.h"
#include "stack/core/xfrm.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_ecn.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/tcp.h"
#include "stack/ipv4/tcp_bpf.h"
#include "stack/ipv4/tcp_md5.h"
#include "stack/kernel/random.h"
#include "stack/security/security.h"

namespace skbwalk {

static_assert(sizeof(inet_skb_cb) <= sizeof(tcp_skb_cb::header));

namespace {

percpu<sock *> ipv4_tcp_sk;

sock &control_sock(net &net)
{
	sock &ctl = **ipv4_tcp_sk;
	ctl.skc_net = &net;
	return ctl;
}

u32 option_word(u8 a, u8 b, u8 c, u8 d)
{
	return static_cast<u32>(a) << 24 | static_cast<u32>(b) << 16 | static_cast<u32>(c) << 8 | d;
}

const inet_skb_cb &saved_ipcb(const sk_buff &skb)
{
	return reinterpret_cast<const inet_skb_cb &>(TCP_SKB_CB(skb).header);
}

} // namespace

static tcp_seq_and_ts_off tcp_v4_init_seq_and_ts_off(const net &net, const sk_buff &skb)
{
	TRACE(skb);
	return secure_tcp_seq_and_ts_off(net, ip_hdr(skb).daddr, ip_hdr(skb).saddr, tcp_hdr(skb).dest,
	                                 tcp_hdr(skb).source);
}

// Before 6.1.192 the two are apart (profile feature split_seq_and_ts_off).
static u32 tcp_v4_init_seq(const sk_buff &skb)
{
	TRACE(skb);
	return secure_tcp_seq(ip_hdr(skb).daddr, ip_hdr(skb).saddr, tcp_hdr(skb).dest, tcp_hdr(skb).source);
}

static u32 tcp_v4_init_ts_off(const net &net, const sk_buff &skb)
{
	TRACE(skb);
	return secure_tcp_ts_off(net, ip_hdr(skb).daddr, ip_hdr(skb).saddr);
}

// May a new connection take the place of this TIME_WAIT socket? With timestamps, PAWS tells old segments from
// new.
int tcp_twsk_unique(sock &sk, sock_common &sktw, void *twp)
{
	TRACE(sk);
	const tcp_timewait_sock &tw = tcp_twsk(sktw);
	tcp_sock &tp = tcp_sk(sk);
	int reuse = sock_net(sk).ipv4.sysctl_tcp_tw_reuse;

	if (tw.tw_substate == TCP_FIN_WAIT2)
		reuse = 0;
	if (reuse == 2 && tw.sk_bound_dev_if != LOOPBACK_IFINDEX && !ipv4_is_loopback(tw.sk_daddr) &&
	    !ipv4_is_loopback(tw.sk_rcv_saddr))
		reuse = 0; // loopback only
	if (!tw.tw_ts_recent_stamp ||
	    (twp && !(reuse && time_after(static_cast<u32>(ktime_get_seconds()),
	                                  static_cast<u32>(tw.tw_ts_recent_stamp)))))
		return 0;
	if (!refcount_inc_not_zero(sktw.skc_refcnt))
		return 0;
	if (!tp.repair) {
		tp.write_seq = tw.tw_snd_nxt + (65535 + 2);
		if (tp.write_seq == seq32(0))
			tp.write_seq = seq32(1);
		tp.rx_opt.ts_recent = tw.tw_ts_recent;
		tp.rx_opt.ts_recent_stamp = tw.tw_ts_recent_stamp;
	}
	return 1;
}

int tcp_v4_pre_connect(sock &sk, sockaddr_storage &, int addr_len)
{
	TRACE(sk);
	return addr_len < static_cast<int>(sizeof(sockaddr_in)) ? -EINVAL : 0; // no BPF program is attached
}

int tcp_v4_connect(sock &sk, sockaddr_storage &uaddr, int addr_len)
{
	TRACE(sk);
	const sockaddr_in usin = uaddr.as<sockaddr_in>();
	inet_sock &inet = inet_sk(sk);
	tcp_sock &tp = tcp_sk(sk);
	net &net = sock_net(sk);
	const ip_options *opt = inet.inet_opt.get();

	if (addr_len < static_cast<int>(sizeof(sockaddr_in)))
		return -EINVAL;
	if (usin.sin_family != AF_INET)
		return -EAFNOSUPPORT;
	be32 daddr = usin.sin_addr, nexthop = daddr;
	if (opt && opt->srr) {
		if (!daddr)
			return -EINVAL;
		nexthop = opt->faddr;
	}
	const be16 orig_sport = inet.inet_sport, orig_dport = usin.sin_port;
	flowi4 &fl4 = inet.cork.fl;
	rt_or_err route = ip_route_connect(fl4, nexthop, inet.inet_saddr, sk.sk_bound_dev_if, IPPROTO_TCP,
	                                   orig_sport, orig_dport, sk);
	if (!route.rt) {
		if (route.err == -ENETUNREACH)
			IP_INC_STATS(net, IPSTATS_MIB_OUTNOROUTES);
		return route.err;
	}
	if (route.rt->rt_flags & (RTCF_MULTICAST | RTCF_BROADCAST)) {
		dst_release(route.rt);
		return -ENETUNREACH;
	}
	if (!opt || !opt->srr)
		daddr = fl4.daddr;
	if (!inet.inet_saddr) {
		if (const int err = inet_bhash2_update_saddr(sk, fl4.saddr, AF_INET)) {
			dst_release(route.rt);
			return err;
		}
	} else {
		sk.sk_rcv_saddr = inet.inet_saddr;
	}
	if (tp.rx_opt.ts_recent_stamp && inet.inet_daddr != daddr) {
		// What an earlier connection to another peer left behind.
		tp.rx_opt.ts_recent = 0;
		tp.rx_opt.ts_recent_stamp = 0;
		if (!tp.repair)
			tp.write_seq = seq32(0);
	}
	inet.inet_dport = usin.sin_port;
	sk.sk_daddr = daddr;
	tp.icsk_ext_hdr_len = opt ? opt->optlen : 0;
	tp.rx_opt.mss_clamp = TCP_MSS_DEFAULT;

	// The state goes first: the port is chosen and the socket hashed while the lock is held.
	tcp_set_state(sk, TCP_SYN_SENT);
	rtable *rt = route.rt;
	const auto fail = [&](int err) {
		tcp_set_state(sk, TCP_CLOSE);
		inet_bhash2_reset_saddr(sk);
		dst_release(rt);
		sk.sk_route_caps = 0;
		inet.inet_dport = be16{};
		return err;
	};
	int err = inet_hash_connect(tcp_death_row(net), sk);
	if (err)
		return fail(err);
	sk_set_txhash(sk);

	route = ip_route_newports(fl4, rt, orig_sport, orig_dport, inet.inet_sport, inet.inet_dport, sk);
	rt = route.rt;
	if (!rt)
		return fail(route.err);
	sk.sk_gso_type = SKB_GSO_TCPV4;
	sk_setup_caps(sk, rt);
	rt = nullptr;

	if (!tp.repair) {
		if (current.host->features.split_seq_and_ts_off) {
			if (tp.write_seq == seq32(0))
				tp.write_seq = seq32(secure_tcp_seq(inet.inet_saddr, inet.inet_daddr,
				                                    inet.inet_sport, usin.sin_port));
			tp.tsoffset = secure_tcp_ts_off(net, inet.inet_saddr, inet.inet_daddr);
		} else {
			const tcp_seq_and_ts_off st = secure_tcp_seq_and_ts_off(
				net, inet.inet_saddr, inet.inet_daddr, inet.inet_sport, usin.sin_port);
			if (tp.write_seq == seq32(0))
				tp.write_seq = seq32(st.seq);
			tp.tsoffset = st.ts_off;
		}
	}
	inet.inet_id = get_random_u16();

	if (tcp_fastopen_defer_connect(sk, err))
		return err;
	if (err)
		return fail(err);
	err = tcp_connect(sk);
	return err ? fail(err) : 0;
}

// The path takes smaller packets than we send (RFC 1191).
void tcp_v4_mtu_reduced(sock &sk)
{
	TRACE(sk);
	if ((1u << sk.sk_state) & (TCPF_LISTEN | TCPF_CLOSE))
		return;
	u32 mtu = tcp_sk(sk).mtu_info;
	dst_entry *dst = inet_csk_update_pmtu(sk, mtu);
	if (!dst)
		return;
	if (mtu < dst_mtu(*dst) && ip_dont_fragment(sk, *dst))
		sk.sk_err_soft = EMSGSIZE;
	mtu = dst_mtu(*dst);
	const u8 pmtudisc = inet_sk(sk).pmtudisc;
	if (pmtudisc != IP_PMTUDISC_DONT && pmtudisc != IP_PMTUDISC_INTERFACE &&
	    pmtudisc != IP_PMTUDISC_OMIT && inet_csk(sk).icsk_pmtu_cookie > mtu) {
		tcp_sync_mss(sk, mtu);
		tcp_simple_retransmit(sk);
	}
}

static void do_redirect(sk_buff &skb, sock &sk)
{
	TRACE(skb, sk);
	if (dst_entry *dst = __sk_dst_check(sk, 0))
		dst->ops->redirect(*dst, &sk, skb);
}

void tcp_req_err(sock_common &sk, seq32 seq, bool abort)
{
	TRACE();
	request_sock &req = inet_reqsk(sk);

	if (seq != tcp_rsk(req).snt_isn) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_OUTOFWINDOWICMPS);
	} else if (abort) {
		inet_csk_reqsk_queue_drop(*req.rsk_listener(), req);
		tcp_listendrop(*req.rsk_listener());
	}
	reqsk_put(req);
}

// An unreachable destination during backoff: the loss was no congestion, so take one doubling back (RFC
// 6069).
static void tcp_ld_RTO_revert(sock &sk, seq32 seq)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	if (sock_owned_by_user(sk) || seq != tp.snd_una || !tp.icsk_retransmits || !tp.icsk_backoff)
		return;
	sk_buff *skb = tcp_rtx_queue_head(sk);
	if (!skb)
		return;
	--tp.icsk_backoff;
	tp.icsk_rto = tp.srtt_us ? __tcp_set_rto(tp) : TCP_TIMEOUT_INIT;
	tp.icsk_rto = inet_csk_rto_backoff(tp, TCP_RTO_MAX);

	tcp_mstamp_refresh(tp);
	const u32 delta_us = static_cast<u32>(tp.tcp_mstamp - tcp_skb_timestamp_us(*skb));
	const s32 remaining = static_cast<s32>(tp.icsk_rto - usecs_to_jiffies(delta_us));
	if (remaining > 0)
		inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, static_cast<u32>(remaining), TCP_RTO_MAX);
	else
		tcp_retransmit_timer(sk);
}

// An ICMP error about one of our segments; skb->data is at the IP header that it quotes. `info` is the MTU
// with FRAG_NEEDED.
int tcp_v4_err(sk_buff &skb, u32 info)
{
	TRACE(skb);
	const iphdr &iph = *reinterpret_cast<const iphdr *>(skb.data);
	const tcphdr &th = *reinterpret_cast<const tcphdr *>(skb.data + iph.ihl() * 4);
	const u8 type = icmp_hdr(skb).type, code = icmp_hdr(skb).code;
	net &net = dev_net(*skb.dev);

	sock_common *found = __inet_lookup_established(net, *tcp_hashinfo, iph.daddr, th.dest, iph.saddr,
	                                               ntohs(th.source), inet_iif(skb), 0);
	if (!found) {
		ICMP_INC_STATS(net, ICMP_MIB_INERRORS);
		return -ENOENT;
	}
	if (found->sk_state == TCP_TIME_WAIT) {
		inet_twsk_put(inet_twsk(*found));
		return 0;
	}
	const seq32 seq(ntohl(th.seq));
	if (found->sk_state == TCP_NEW_SYN_RECV) {
		tcp_req_err(*found, seq,
		            type == ICMP_PARAMETERPROB || type == ICMP_TIME_EXCEEDED ||
		                    (type == ICMP_DEST_UNREACH &&
		                     (code == ICMP_NET_UNREACH || code == ICMP_HOST_UNREACH)));
		return 0;
	}

	sock &sk = static_cast<sock &>(*found);
	tcp_sock &tp = tcp_sk(sk);
	bh_lock_sock(sk);
	const auto out = [&] {
		bh_unlock_sock(sk);
		sock_put(sk);
		return 0;
	};
	if (sock_owned_by_user(sk) && !(type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED))
		NET_INC_STATS(net, LINUX_MIB_LOCKDROPPEDICMPS);
	if (sk.sk_state == TCP_CLOSE)
		return out();
	if (inet_sk(sk).min_ttl && iph.ttl < inet_sk(sk).min_ttl) {
		NET_INC_STATS(net, LINUX_MIB_TCPMINTTLDROP);
		return out();
	}
	if (sk.sk_state != TCP_LISTEN && !between(seq, tp.snd_una, tp.snd_nxt)) {
		NET_INC_STATS(net, LINUX_MIB_OUTOFWINDOWICMPS);
		return out();
	}

	int err;
	switch (type) {
	case ICMP_REDIRECT:
		if (!sock_owned_by_user(sk))
			do_redirect(skb, sk);
		return out();
	case ICMP_PARAMETERPROB:
		err = EPROTO;
		break;
	case ICMP_DEST_UNREACH:
		if (code > NR_ICMP_UNREACH)
			return out();
		if (code == ICMP_FRAG_NEEDED) {
			if (sk.sk_state == TCP_LISTEN)
				return out();
			tp.mtu_info = info;
			if (!sock_owned_by_user(sk)) {
				tcp_v4_mtu_reduced(sk);
			} else if (!(sk.sk_tsq_flags & TCPF_MTU_REDUCED_DEFERRED)) {
				sk.sk_tsq_flags |= TCPF_MTU_REDUCED_DEFERRED;
				sock_hold(sk);
			}
			return out();
		}
		err = icmp_err_convert[code].errno_;
		if (code == ICMP_NET_UNREACH || code == ICMP_HOST_UNREACH)
			tcp_ld_RTO_revert(sk, seq);
		break;
	case ICMP_TIME_EXCEEDED:
		err = EHOSTUNREACH;
		break;
	default:
		return out();
	}

	if (sk.sk_state == TCP_SYN_SENT || sk.sk_state == TCP_SYN_RECV) {
		ip_icmp_error(sk, skb, err, th.dest, info, reinterpret_cast<const u8 *>(&th));
		if (!sock_owned_by_user(sk))
			tcp_done_with_error(sk, err);
		else
			sk.sk_err_soft = err;
		return out();
	}
	// A connection that stands goes on trying; the error counts only if it times out, or if the user
	// wants to know.
	if (!sock_owned_by_user(sk) && inet_sk(sk).recverr) {
		sk.sk_err = err;
		sk_error_report(sk);
	} else {
		sk.sk_err_soft = err;
	}
	return out();
}

// The pseudo header's sum; the device, or skb_checksum_help, adds the rest.
void __tcp_v4_send_check(sk_buff &skb, be32 saddr, be32 daddr)
{
	TRACE(skb);
	tcphdr &th = tcp_hdr(skb);

	th.check = std::bit_cast<be16>(static_cast<u16>(~tcp_v4_check(skb.len, saddr, daddr, 0).raw()));
	skb.csum_start = static_cast<u16>(skb_transport_header(skb) - skb.head);
	skb.csum_offset = offsetof(tcphdr, check);
}

void tcp_v4_send_check(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	__tcp_v4_send_check(skb, inet_sk(sk).inet_saddr, inet_sk(sk).inet_daddr);
}

namespace {

// What a reply outside of a full socket takes from the socket that it is about.
void take_marks(sock &ctl, const sock_common *sk, u32 &txhash)
{
	ctl.sk_mark = 0;
	ctl.sk_priority = 0;
	txhash = 0;
	if (!sk)
		return;
	if (sk->sk_state == TCP_TIME_WAIT) {
		const inet_timewait_sock &tw = static_cast<const inet_timewait_sock &>(*sk);
		ctl.sk_mark = tw.tw_mark;
		ctl.sk_priority = tw.tw_priority;
		txhash = tw.tw_txhash;
	} else if (sk_fullsock(*sk)) {
		const sock &full = static_cast<const sock &>(*sk);
		ctl.sk_mark = full.sk_mark;
		ctl.sk_priority = full.sk_priority;
		txhash = full.sk_txhash;
	}
}

bool is_transparent(const sock_common &sk)
{
	if (sk.sk_state == TCP_TIME_WAIT)
		return static_cast<const inet_timewait_sock &>(sk).tw_transparent;
	if (sk.sk_state == TCP_NEW_SYN_RECV)
		return static_cast<const inet_request_sock &>(sk).no_srccheck;
	return static_cast<const inet_sock &>(sk).transparent;
}

} // namespace

namespace {

// What is sent without a socket: a header, and room for the options that it may have.
struct signed_header {
	tcphdr th{};
	be32 opt[TCPOLEN_TSTAMP_ALIGNED / 4 + TCPOLEN_MD5SIG_ALIGNED / 4]{};
};

// Puts a digest behind the options that are there, `offset` words.
void sign(signed_header &rep, u32 offset, ip_reply_arg &arg, const tcp_md5sig_key &key, const sk_buff &skb)
{
	rep.opt[offset] = htonl(option_word(TCPOPT_NOP, TCPOPT_NOP, TCPOPT_MD5SIG, TCPOLEN_MD5SIG));
	arg.iov_len += TCPOLEN_MD5SIG_ALIGNED;
	rep.th.doff_res = static_cast<u8>(arg.iov_len / 4 << 4);
	tcp_v4_md5_hash_hdr(reinterpret_cast<u8 *>(&rep.opt[offset + 1]), key, ip_hdr(skb).saddr,
	                    ip_hdr(skb).daddr, rep.th);
}

} // namespace

// Answers a segment with RST, from what the segment says alone (RFC 9293, section 3.10.7.1). Never a RST with
// a RST.
void tcp_v4_send_reset(const sock *sk_in, sk_buff &skb)
{
	TRACE(skb, sk_in);
	const sock_common *sk = sk_in;
	const tcphdr &th = tcp_hdr(skb);
	if (th.rst())
		return;
	if (!sk && skb_rtable(skb)->rt_type != RTN_LOCAL)
		return;

	signed_header rep;
	rep.th.dest = th.source;
	rep.th.source = th.dest;
	rep.th.doff_res = sizeof(tcphdr) / 4 << 4;
	rep.th.flags = TCPHDR_RST;
	if (th.ack()) {
		rep.th.seq = th.ack_seq;
	} else {
		rep.th.flags |= TCPHDR_ACK;
		rep.th.ack_seq = htonl(ntohl(th.seq) + th.syn() + th.fin() + skb.len - th.doff() * 4);
	}
	net &net = sk ? sock_net(*sk) : dev_net(*skb_dst(skb)->dev);

	const tcp_md5_addr peer{ip_hdr(skb).saddr};
	const tcp_md5sig_key *key = nullptr;
	rcu_read_lock();
	const u8 *hash_location = tcp_parse_md5sig_option(th);
	if (sk && sk_fullsock(*sk)) {
		key = tcp_md5_do_lookup(*sk_in, 0, peer, AF_INET);
	} else if (hash_location) {
		// The socket is gone: a listener at the peer's port has the key that proves the segment.
		const sock *sk1 =
			__inet_lookup_listener(net, *tcp_hashinfo, nullptr, 0, ip_hdr(skb).saddr, th.source,
		                               ip_hdr(skb).daddr, ntohs(th.source), inet_iif(skb), 0);
		u8 newhash[MD5_DIGEST_SIZE];
		if (sk1)
			key = tcp_md5_do_lookup(*sk1, 0, peer, AF_INET);
		if (!key || tcp_v4_md5_hash_skb(newhash, *key, nullptr, skb) ||
		    std::memcmp(hash_location, newhash, sizeof(newhash)) != 0) {
			rcu_read_unlock();
			return;
		}
	}

	ip_reply_arg arg;
	arg.iov_base = &rep;
	arg.iov_len = sizeof(rep.th);
	if (key)
		sign(rep, 0, arg, *key, skb);
	arg.csum = csum_tcpudp_nofold(ip_hdr(skb).daddr, ip_hdr(skb).saddr, arg.iov_len, IPPROTO_TCP, 0);
	arg.csumoffset = offsetof(tcphdr, check) / 2;
	arg.flags = sk && is_transparent(*sk) ? IP_REPLY_ARG_NOSRCCHECK : 0;
	arg.bound_dev_if = sk ? sk->sk_bound_dev_if : 0;
	arg.tos = ip_hdr(skb).tos;

	local_bh_disable();
	sock &ctl = control_sock(net);
	u32 txhash;
	take_marks(ctl, sk, txhash);
	ip_send_unicast_reply(ctl, skb, saved_ipcb(skb), ip_hdr(skb).saddr, ip_hdr(skb).daddr, arg,
	                      arg.iov_len, 0, txhash);
	ctl.skc_net = &init_net();
	TCP_INC_STATS(net, TCP_MIB_OUTSEGS);
	TCP_INC_STATS(net, TCP_MIB_OUTRSTS);
	local_bh_enable();
	rcu_read_unlock();
}

// An ACK for a request or a TIME_WAIT socket.
static void tcp_v4_send_ack(const sock_common &sk, sk_buff &skb, seq32 seq, seq32 ack, u32 win, u32 tsval,
                            u32 tsecr, int oif, const tcp_md5sig_key *key, int reply_flags, u8 tos,
                            u32 txhash)
{
	TRACE(skb);
	const tcphdr &th = tcp_hdr(skb);
	signed_header rep;
	net &net = sock_net(sk);
	ip_reply_arg arg;

	arg.iov_base = &rep;
	arg.iov_len = sizeof(tcphdr);
	if (tsecr) {
		rep.opt[0] = htonl(option_word(TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP));
		rep.opt[1] = htonl(tsval);
		rep.opt[2] = htonl(tsecr);
		arg.iov_len += TCPOLEN_TSTAMP_ALIGNED;
	}
	rep.th.dest = th.source;
	rep.th.source = th.dest;
	rep.th.doff_res = static_cast<u8>(arg.iov_len / 4 << 4);
	rep.th.seq = htonl(seq.v);
	rep.th.ack_seq = htonl(ack.v);
	rep.th.flags = TCPHDR_ACK;
	rep.th.window = htons(static_cast<u16>(win));
	if (key)
		sign(rep, tsecr ? 3 : 0, arg, *key, skb);
	arg.flags = reply_flags;
	arg.csum = csum_tcpudp_nofold(ip_hdr(skb).daddr, ip_hdr(skb).saddr, arg.iov_len, IPPROTO_TCP, 0);
	arg.csumoffset = offsetof(tcphdr, check) / 2;
	arg.bound_dev_if = oif;
	arg.tos = tos;

	local_bh_disable();
	sock &ctl = control_sock(net);
	u32 socks_txhash;
	take_marks(ctl, &sk, socks_txhash);
	ip_send_unicast_reply(ctl, skb, saved_ipcb(skb), ip_hdr(skb).saddr, ip_hdr(skb).daddr, arg,
	                      arg.iov_len, 0, txhash);
	ctl.skc_net = &init_net();
	TCP_INC_STATS(net, TCP_MIB_OUTSEGS);
	local_bh_enable();
}

static void tcp_v4_timewait_ack(sock_common &sk, sk_buff &skb)
{
	TRACE(skb);
	tcp_timewait_sock &tw = tcp_twsk(sk);

	tcp_v4_send_ack(sk, skb, tw.tw_snd_nxt, tw.tw_rcv_nxt, tw.tw_rcv_wnd >> tw.tw_rcv_wscale,
	                tcp_time_stamp_raw() + tw.tw_ts_offset, tw.tw_ts_recent, tw.sk_bound_dev_if,
	                tw.tw_md5_key, tw.tw_transparent ? IP_REPLY_ARG_NOSRCCHECK : 0, tw.tw_tos,
	                tw.tw_txhash);
	inet_twsk_put(tw);
}

static void tcp_v4_reqsk_send_ack(const sock &sk, sk_buff &skb, request_sock &req)
{
	TRACE(skb, sk);
	const tcp_request_sock &treq = tcp_rsk(req);
	const seq32 seq = sk.sk_state == TCP_LISTEN ? treq.snt_isn + 1 : tcp_sk(sk).snd_nxt;

	tcp_v4_send_ack(sk, skb, seq, treq.rcv_nxt, req.rsk_rcv_wnd >> treq.rcv_wscale,
	                tcp_time_stamp_raw() + treq.ts_off, req.ts_recent, 0,
	                tcp_md5_do_lookup(sk, 0, {ip_hdr(skb).saddr}, AF_INET),
	                treq.no_srccheck ? IP_REPLY_ARG_NOSRCCHECK : 0, ip_hdr(skb).tos, treq.txhash);
}

static int tcp_v4_send_synack(const sock &sk, dst_entry *dst, flowi4 &, request_sock &req,
                              tcp_fastopen_cookie *foc, int synack_type, sk_buff *syn_skb)
{
	TRACE(sk);
	const inet_request_sock &ireq = inet_rsk(req);

	if (!dst) {
		flowi4 fl4;
		dst = inet_csk_route_req(sk, fl4, req);
		if (!dst)
			return -1;
	}
	skb_ptr skb = tcp_make_synack(sk, dst, req, foc, synack_type, syn_skb);
	if (!skb)
		return -1;
	__tcp_v4_send_check(*skb, ireq.ir_loc_addr, ireq.ir_rmt_addr);
	u8 tos = inet_sk(sk).tos;
	if (sock_net(sk).ipv4.sysctl_tcp_reflect_tos)
		tos = static_cast<u8>((tcp_rsk(req).syn_tos & ~INET_ECN_MASK) | (tos & INET_ECN_MASK));
	return net_xmit_eval(ip_build_and_send_pkt(std::move(skb), sk, ireq.ir_loc_addr, ireq.ir_rmt_addr,
	                                           ireq.ireq_opt.get(), tos));
}

static void tcp_v4_reqsk_destructor(request_sock &req)
{
	TRACE();
	inet_rsk(req).ireq_opt.reset();
}

static std::shared_ptr<ip_options> tcp_v4_save_options(net &net, sk_buff &skb)
{
	TRACE_INLINE(skb);
	const inet_skb_cb &opt = saved_ipcb(skb);
	if (!opt.optlen)
		return nullptr;
	auto copy = std::make_shared<ip_options>();
	return __ip_options_echo(net, *copy, skb, opt) ? nullptr : copy;
}

static void tcp_v4_init_req(request_sock &req, const sock &sk_listener, sk_buff &skb)
{
	TRACE(skb);
	req.sk_rcv_saddr = ip_hdr(skb).daddr;
	req.sk_daddr = ip_hdr(skb).saddr;
	inet_rsk(req).ireq_opt = tcp_v4_save_options(sock_net(sk_listener), skb);
}

static dst_entry *tcp_v4_route_req(const sock &sk, sk_buff &skb, flowi4 &fl, request_sock &req)
{
	TRACE(skb);
	if (!current.host->features.conn_request_44)
		tcp_v4_init_req(req, sk, skb);
	if (security_inet_conn_request(sk, skb, req))
		return nullptr;
	return inet_csk_route_req(sk, fl, req);
}

int tcp_v4_conn_request(sock &sk, skb_ptr &skb)
{
	TRACE(sk, skb);
	// No answer to a SYN sent to broadcast or multicast.
	if (skb_rtable(*skb)->rt_flags & (RTCF_BROADCAST | RTCF_MULTICAST)) {
		tcp_listendrop(sk);
		return 0;
	}
	return tcp_conn_request(tcp_request_sock_ops_v4, tcp_request_sock_ipv4_ops, sk, skb);
}

// The handshake's last ACK: makes the child, with its route, and puts it into the hash in the request's
// stead.
sock *tcp_v4_syn_recv_sock(const sock &sk, sk_buff &skb, request_sock &req, dst_entry *dst,
                           request_sock *req_unhash, bool &own_req, child_init_fn opt_child_init)
{
	TRACE(skb, sk);
	if (sk_acceptq_is_full(sk)) {
		NET_INC_STATS(sock_net(sk), LINUX_MIB_LISTENOVERFLOWS);
		dst_release(dst);
		tcp_listendrop(sk);
		return nullptr;
	}
	sock *child = tcp_create_openreq_child(sk, req, skb);
	if (!child) {
		dst_release(dst);
		tcp_listendrop(sk);
		return nullptr;
	}
	sock &newsk = *child;
	inet_request_sock &ireq = inet_rsk(req);
	tcp_sock &newtp = tcp_sk(newsk);
	const auto put_and_exit = [&]() -> sock * {
		newtp.inet_opt.reset();
		inet_csk_prepare_forced_close(newsk);
		tcp_done(newsk);
		tcp_listendrop(sk);
		return nullptr;
	};

	newsk.sk_gso_type = SKB_GSO_TCPV4;
	inet_sk_rx_dst_set(newsk, skb);
	newsk.sk_daddr = ireq.ir_rmt_addr;
	newsk.sk_rcv_saddr = ireq.ir_loc_addr;
	newsk.sk_bound_dev_if = ireq.ir_iif;
	newtp.inet_saddr = ireq.ir_loc_addr;
	newtp.inet_opt = ireq.ireq_opt;
	newtp.mc_index = inet_iif(skb);
	newtp.mc_ttl = ip_hdr(skb).ttl;
	newtp.rcv_tos = ip_hdr(skb).tos;
	newtp.icsk_ext_hdr_len = newtp.inet_opt ? newtp.inet_opt->optlen : 0;
	newtp.inet_id = get_random_u16();
	if (sock_net(sk).ipv4.sysctl_tcp_reflect_tos)
		newtp.tos = static_cast<u8>(tcp_rsk(req).syn_tos & ~INET_ECN_MASK);

	if (!dst) {
		dst = inet_csk_route_child_sock(sk, newsk, req);
		if (!dst)
			return put_and_exit();
	}
	sk_setup_caps(newsk, dst);
	if (opt_child_init)
		opt_child_init(newsk, sk);
	tcp_ca_openreq_child(newsk, dst);
	tcp_sync_mss(newsk, dst_mtu(*dst));
	newtp.advmss = tcp_mss_clamp(tcp_sk(sk), dst_metric_advmss(*dst));
	tcp_initialize_rcv_mss(newsk);

	// The child has the listener's key for its peer.
	const tcp_md5_addr addr{newsk.sk_daddr};
	if (const tcp_md5sig_key *key = tcp_md5_do_lookup(sk, 0, addr, AF_INET)) {
		[[maybe_unused]] const int added = tcp_md5_do_add(newsk, addr, AF_INET, 32, 0, key->flags,
		                                                  key->key, key->keylen, GFP_ATOMIC);
		sk_gso_disable(newsk);
	}

	if (__inet_inherit_port(sk, newsk) < 0)
		return put_and_exit();
	bool found_dup_sk = false;
	own_req = inet_ehash_nolisten(newsk, req_unhash, &found_dup_sk);
	if (own_req) {
		tcp_move_syn(newtp, req);
		ireq.ireq_opt.reset();
	} else {
		newtp.inet_opt.reset();
		if (!req_unhash && found_dup_sk) { // a SYN cookie's ACK came twice
			bh_unlock_sock(newsk);
			sock_put(newsk);
			return nullptr;
		}
	}
	return child;
}

static sock *tcp_v4_cookie_check(sock &sk, sk_buff &skb)
{
	TRACE(skb, sk);
	return tcp_hdr(skb).syn() ? &sk : cookie_v4_check(sk, skb);
}

// A segment for a socket whose lock is held (or a listener, which needs none).
int tcp_v4_do_rcv(sock &sk, skb_ptr skb)
{
	TRACE(sk, skb);
	if (sk.sk_state == TCP_ESTABLISHED) {
		dst_entry *dst = sk.sk_rx_dst;

		sock_rps_save_rxhash(sk, *skb);
		sk_mark_napi_id(sk, *skb);
		if (dst && (sk.sk_rx_dst_ifindex != skb->skb_iif || !dst->ops->check(*dst, 0))) {
			sk.sk_rx_dst = nullptr;
			dst_release(dst);
		}
		tcp_rcv_established(sk, std::move(skb));
		return 0;
	}
	if (tcp_checksum_complete(*skb)) {
		TCP_INC_STATS(sock_net(sk), TCP_MIB_CSUMERRORS);
		TCP_INC_STATS(sock_net(sk), TCP_MIB_INERRS);
		kfree_skb_reason(std::move(skb), SKB_DROP_REASON_TCP_CSUM);
		return 0;
	}
	sock *rsk = &sk;
	if (sk.sk_state == TCP_LISTEN) {
		sock *nsk = tcp_v4_cookie_check(sk, *skb);
		if (!nsk) {
			kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
			return 0;
		}
		if (nsk != &sk) {
			if (!tcp_child_process(sk, *nsk, skb))
				return 0;
			rsk = nsk;
		}
	} else {
		sock_rps_save_rxhash(sk, *skb);
	}
	if (rsk == &sk && !tcp_rcv_state_process(sk, skb))
		return 0;
	tcp_v4_send_reset(rsk, *skb);
	kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	return 0;
}

void tcp_v4_early_demux(sk_buff &skb)
{
	TRACE(skb);
	if (skb.pkt_type != PACKET_HOST ||
	    !pskb_may_pull(skb, static_cast<u32>(skb_transport_offset(skb)) + sizeof(tcphdr)))
		return;
	const iphdr &iph = ip_hdr(skb);
	const tcphdr &th = tcp_hdr(skb);
	if (th.doff() < sizeof(tcphdr) / 4)
		return;

	net &net = dev_net(*skb.dev);
	sock_common *found =
		IPCB(skb).flags & IPSKB_EHASH
			? established_by_hint(net, *tcp_hashinfo, iph.saddr, th.source, iph.daddr,
	                                      ntohs(th.dest), established_hint_of(skb), skb.skb_iif, 0)
			: __inet_lookup_established(net, *tcp_hashinfo, iph.saddr, th.source, iph.daddr,
	                                            ntohs(th.dest), skb.skb_iif, 0);
	if (!found)
		return;
	skb.sk = static_cast<sock *>(found);
	skb.destructor = sock_edemux;
	if (!sk_fullsock(*found))
		return;
	sock &sk = *skb.sk;
	dst_entry *dst = sk.sk_rx_dst;
	if (dst)
		dst = dst_check(*dst, 0);
	if (dst && sk.sk_rx_dst_ifindex == skb.skb_iif)
		skb_dst_set_noref(skb, dst);
}

// The socket belongs to a task: the segment waits in its backlog, joined to the last one there if it goes on
// from it. True: not taken, and the socket's lock was released.
bool tcp_add_backlog(sock &sk, skb_ptr &skb, skb_drop_reason &reason)
{
	TRACE(sk, skb);
	net &net = sock_net(sk);

	skb_condense(*skb);
	tcp_cleanup_skb(*skb);
	if (tcp_checksum_complete(*skb)) {
		bh_unlock_sock(sk);
		reason = SKB_DROP_REASON_TCP_CSUM;
		TCP_INC_STATS(net, TCP_MIB_CSUMERRORS);
		TCP_INC_STATS(net, TCP_MIB_INERRS);
		return true;
	}

	const tcphdr &th = *reinterpret_cast<const tcphdr *>(skb->data);
	const u32 hdrlen = th.doff() * 4;
	if (sk_buff *tail = sk.sk_backlog.tail) {
		tcphdr &thtail = *reinterpret_cast<tcphdr *>(tail->data);
		tcp_skb_cb &a = TCP_SKB_CB(*tail), &b = TCP_SKB_CB(*skb);
		const bool joins = a.end_seq == b.seq && a.ip_dsfield == b.ip_dsfield &&
		                   !((a.tcp_flags | b.tcp_flags) & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_URG)) &&
		                   (a.tcp_flags & b.tcp_flags & TCPHDR_ACK) &&
		                   !((a.tcp_flags ^ b.tcp_flags) & (TCPHDR_ECE | TCPHDR_CWR)) &&
		                   thtail.doff() == th.doff() &&
		                   !std::memcmp(&thtail + 1, &th + 1, hdrlen - sizeof(tcphdr));
		if (joins) {
			__skb_pull(*skb, hdrlen);
			const u32 gso_size = skb_shinfo(*skb).gso_size ? skb_shinfo(*skb).gso_size : skb->len;
			const u32 gso_segs = skb_shinfo(*skb).gso_segs ? skb_shinfo(*skb).gso_segs : 1u;
			skb_shared_info &shinfo = skb_shinfo(*tail);
			const u32 tail_gso_size = shinfo.gso_size ? shinfo.gso_size : tail->len - hdrlen;
			const u32 tail_gso_segs = shinfo.gso_segs ? shinfo.gso_segs : 1u;
			bool fragstolen;
			int delta;
			if (skb_try_coalesce(*tail, *skb, fragstolen, delta)) {
				a.end_seq = b.end_seq;
				if (!before(b.ack_seq, a.ack_seq)) {
					a.ack_seq = b.ack_seq;
					thtail.window = th.window;
				}
				thtail.flags |= th.flags & TCPHDR_FIN;
				a.tcp_flags |= b.tcp_flags;
				if (b.has_rxtstamp) {
					a.has_rxtstamp = 1;
					tail->tstamp = skb->tstamp;
				}
				shinfo.gso_size = static_cast<u16>(std::max(gso_size, tail_gso_size));
				shinfo.gso_segs =
					static_cast<u16>(std::min(gso_segs + tail_gso_segs, 0xffffu));
				sk.sk_backlog.len += delta;
				NET_INC_STATS(net, LINUX_MIB_TCPBACKLOGCOALESCE);
				kfree_skb_partial(std::move(skb), fragstolen);
				return false;
			}
			__skb_push(*skb, hdrlen);
		}
	}
	// Both queues' room, and some for the owner to prune later.
	const u64 limit =
		(static_cast<u64>(sk.sk_rcvbuf) << 1) + (static_cast<u32>(sk.sk_sndbuf) >> 1) + 64 * 1024;
	if (sk_add_backlog(sk, skb, static_cast<u32>(std::min<u64>(limit, ~0u)))) {
		bh_unlock_sock(sk);
		reason = SKB_DROP_REASON_SOCKET_BACKLOG;
		NET_INC_STATS(net, LINUX_MIB_TCPBACKLOGDROP);
		return true;
	}
	return false;
}

int tcp_filter(sock &sk, sk_buff &skb)
{
	TRACE(sk, skb);
	return sk_filter_trim_cap(sk, skb, reinterpret_cast<const tcphdr *>(skb.data)->doff() * 4);
}

static void tcp_v4_restore_cb(sk_buff &skb)
{
	TRACE(skb);
	std::memmove(skb.cb, TCP_SKB_CB(skb).header, sizeof(inet_skb_cb));
}

static void tcp_v4_fill_cb(sk_buff &skb, const iphdr &iph, const tcphdr &th)
{
	TRACE(skb);
	tcp_skb_cb &cb = TCP_SKB_CB(skb);

	std::memmove(cb.header, skb.cb, sizeof(inet_skb_cb));
	cb.seq = seq32(ntohl(th.seq));
	cb.end_seq = cb.seq + (th.syn() + th.fin() + skb.len - th.doff() * 4);
	cb.ack_seq = seq32(ntohl(th.ack_seq));
	cb.tcp_flags = th.flags;
	cb.tcp_tw_isn = 0;
	cb.ip_dsfield = iph.tos;
	cb.sacked = 0;
	cb.has_rxtstamp = skb.tstamp != 0;
}

namespace {

int discard(skb_ptr skb, skb_drop_reason reason)
{
	kfree_skb_reason(std::move(skb), reason);
	return 0;
}

int bad_checksum(net &net, skb_ptr skb)
{
	TCP_INC_STATS(net, TCP_MIB_CSUMERRORS);
	TCP_INC_STATS(net, TCP_MIB_INERRS);
	return discard(std::move(skb), SKB_DROP_REASON_TCP_CSUM);
}

int discard_and_relse(sock &sk, bool refcounted, skb_ptr skb, skb_drop_reason reason)
{
	atomic_add(std::max<int>(1, skb_shinfo(*skb).gso_segs), sk.sk_drops);
	if (refcounted)
		sock_put(sk);
	return discard(std::move(skb), reason);
}

} // namespace

int tcp_v4_rcv(skb_ptr skb)
{
	TRACE(skb);
	net &net = dev_net(*skb->dev);
	const int dif = inet_iif(*skb), sdif = 0;
	skb_drop_reason reason;

	if (skb->pkt_type != PACKET_HOST)
		return discard(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	TCP_INC_STATS(net, TCP_MIB_INSEGS);
	if (!pskb_may_pull(*skb, sizeof(tcphdr)))
		return discard(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	if (reinterpret_cast<const tcphdr *>(skb->data)->doff() < sizeof(tcphdr) / 4) {
		TCP_INC_STATS(net, TCP_MIB_INERRS);
		return discard(std::move(skb), SKB_DROP_REASON_PKT_TOO_SMALL);
	}
	if (!pskb_may_pull(*skb, reinterpret_cast<const tcphdr *>(skb->data)->doff() * 4))
		return discard(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	if (skb_checksum_init(*skb, IPPROTO_TCP))
		return bad_checksum(net, std::move(skb));

	const auto th = [&]() -> const tcphdr & { return *reinterpret_cast<const tcphdr *>(skb->data); };
	const auto iph = [&]() -> const iphdr & { return ip_hdr(*skb); };
	sock_common *found = nullptr;
	bool refcounted = false;
	u32 pending_tw_isn = 0;
	bool looked_up = false; // a TIME_WAIT socket that gave way brings its listener along

	for (;;) {
		if (!looked_up)
			found = __inet_lookup_skb(*tcp_hashinfo, *skb, static_cast<int>(th().doff() * 4),
			                          th().source, th().dest, sdif, refcounted);
		looked_up = false;
		if (!found) {
			if (!xfrm4_policy_check(nullptr, XFRM_POLICY_IN, *skb))
				return discard(std::move(skb), SKB_DROP_REASON_NO_SOCKET);
			tcp_v4_fill_cb(*skb, iph(), th());
			if (tcp_checksum_complete(*skb))
				return bad_checksum(net, std::move(skb));
			tcp_v4_send_reset(nullptr, *skb);
			return discard(std::move(skb), SKB_DROP_REASON_NO_SOCKET);
		}

		if (found->sk_state == TCP_TIME_WAIT) {
			inet_timewait_sock &tw = inet_twsk(*found);
			if (!xfrm4_policy_check(nullptr, XFRM_POLICY_IN, *skb)) {
				inet_twsk_put(tw);
				return discard(std::move(skb), SKB_DROP_REASON_XFRM_POLICY);
			}
			tcp_v4_fill_cb(*skb, iph(), th());
			if (tcp_checksum_complete(*skb)) {
				inet_twsk_put(tw);
				return bad_checksum(net, std::move(skb));
			}
			u32 tw_isn = 0;
			tcp_tw_status status = tcp_timewait_state_process(tw, *skb, th(), tw_isn);
			if (status == TCP_TW_SYN) {
				TCP_SKB_CB(*skb).tcp_tw_isn = tw_isn;
				sock *sk2 = __inet_lookup_listener(
					net, *tcp_hashinfo, skb.get(), static_cast<int>(th().doff() * 4),
					iph().saddr, th().source, iph().daddr, ntohs(th().dest), dif, sdif);
				if (sk2) {
					inet_twsk_deschedule_put(tw);
					tcp_v4_restore_cb(*skb);
					found = sk2;
					refcounted = false;
					looked_up = true;
					// The new connection's first number was chosen beyond the old one's
					// last.
					pending_tw_isn = tw_isn;
					continue;
				}
				status = TCP_TW_ACK;
			}
			if (status == TCP_TW_ACK) {
				tcp_v4_timewait_ack(tw, *skb);
			} else if (status == TCP_TW_RST) {
				tcp_v4_send_reset(static_cast<sock *>(found), *skb);
				inet_twsk_deschedule_put(tw);
			}
			return discard(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
		}

		if (found->sk_state != TCP_NEW_SYN_RECV)
			break;
		request_sock &req = inet_reqsk(*found);
		sock &listener = *req.rsk_listener();
		reason = xfrm4_policy_check(&listener, XFRM_POLICY_IN, *skb)
		                 ? tcp_inbound_md5_hash(&listener, *skb, iph().saddr, iph().daddr, AF_INET,
		                                        dif, sdif)
		                 : SKB_DROP_REASON_XFRM_POLICY;
		if (reason) {
			atomic_inc(listener.sk_drops);
			reqsk_put(req);
			return discard(std::move(skb), reason);
		}
		if (tcp_checksum_complete(*skb)) {
			reqsk_put(req);
			return bad_checksum(net, std::move(skb));
		}
		if (listener.sk_state != TCP_LISTEN) {
			inet_csk_reqsk_queue_drop_and_put(listener, req);
			continue;
		}
		sock_hold(listener);
		refcounted = true;
		sock *nsk = nullptr;
		bool req_stolen = false;
		reason = SKB_DROP_REASON_NOT_SPECIFIED;
		if (!tcp_filter(listener, *skb)) {
			tcp_v4_fill_cb(*skb, iph(), th());
			nsk = tcp_check_req(listener, *skb, req, false, req_stolen);
		} else {
			reason = SKB_DROP_REASON_SOCKET_FILTER;
		}
		if (!nsk) {
			reqsk_put(req);
			if (req_stolen) {
				// Another cpu made the child; the segment goes to it.
				tcp_v4_restore_cb(*skb);
				sock_put(listener);
				continue;
			}
			return discard_and_relse(listener, refcounted, std::move(skb), reason);
		}
		nf_reset_ct(*skb);
		if (nsk == &listener) {
			reqsk_put(req);
			tcp_v4_restore_cb(*skb);
			found = nsk;
			break;
		}
		if (tcp_child_process(listener, *nsk, skb)) {
			tcp_v4_send_reset(nsk, *skb);
			return discard_and_relse(listener, refcounted, std::move(skb),
			                         SKB_DROP_REASON_NOT_SPECIFIED);
		}
		sock_put(listener);
		return 0;
	}

	sock &sk = static_cast<sock &>(*found);
	if (inet_sk(sk).min_ttl && iph().ttl < inet_sk(sk).min_ttl) {
		NET_INC_STATS(net, LINUX_MIB_TCPMINTTLDROP);
		return discard_and_relse(sk, refcounted, std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
	}
	if (!xfrm4_policy_check(&sk, XFRM_POLICY_IN, *skb))
		return discard_and_relse(sk, refcounted, std::move(skb), SKB_DROP_REASON_XFRM_POLICY);
	reason = tcp_inbound_md5_hash(&sk, *skb, iph().saddr, iph().daddr, AF_INET, dif, sdif);
	if (reason)
		return discard_and_relse(sk, refcounted, std::move(skb), reason);
	nf_reset_ct(*skb);
	if (tcp_filter(sk, *skb))
		return discard_and_relse(sk, refcounted, std::move(skb), SKB_DROP_REASON_SOCKET_FILTER);
	tcp_v4_fill_cb(*skb, iph(), th());
	TCP_SKB_CB(*skb).tcp_tw_isn = pending_tw_isn;
	skb->dev = nullptr;

	int ret = 0;
	if (sk.sk_state == TCP_LISTEN) {
		ret = tcp_v4_do_rcv(sk, std::move(skb));
	} else {
		if (sk.sk_incoming_cpu != static_cast<int>(smp_processor_id()))
			sk.sk_incoming_cpu = smp_processor_id();
		bh_lock_sock(sk);
		tcp_segs_in(tcp_sk(sk), *skb);
		if (!sock_owned_by_user(sk)) {
			if (!current.host->features.prequeue || !tcp_prequeue(sk, skb))
				ret = tcp_v4_do_rcv(sk, std::move(skb));
		} else if (tcp_add_backlog(sk, skb, reason)) {
			return discard_and_relse(sk, refcounted, std::move(skb), reason); // unlocked already
		}
		bh_unlock_sock(sk);
	}
	if (refcounted)
		sock_put(sk);
	return ret;
}

void inet_sk_rx_dst_set(sock &sk, const sk_buff &skb)
{
	TRACE(sk, skb);
	dst_entry *dst = skb_dst(skb);

	if (dst && dst_hold_safe(*dst)) {
		sk.sk_rx_dst = dst;
		sk.sk_rx_dst_ifindex = skb.skb_iif;
	}
}

int inet_iif(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	const rtable *rt = skb_rtable(skb);
	return rt && rt->rt_iif ? rt->rt_iif : skb.skb_iif;
}

int tcp_v4_init_sock(sock &sk)
{
	TRACE(sk);
	tcp_init_sock(sk);
	inet_csk(sk).icsk_af_ops = &ipv4_specific;
	tcp_sk(sk).af_specific = &tcp_sock_ipv4_specific;
	return 0;
}

void tcp_v4_destroy_sock(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);

	tcp_clear_xmit_timers(sk);
	tcp_cleanup_congestion_control(sk);
	tcp_cleanup_ulp(sk);
	tcp_write_queue_purge(sk);
	tcp_fastopen_active_disable_ofo_check(sk);
	skb_rbtree_purge(tp.out_of_order_queue);
	if (tp.md5sig_info)
		tcp_clear_md5_list(sk);
	if (tp.icsk_bind_hash)
		inet_put_port(sk);
	tcp_free_fastopen_req(tp);
	tcp_fastopen_destroy_cipher(sk);
	tcp_saved_syn_free(tp);
	--proto_of(*sk.sk_prot).sockets_allocated;
}

inet_timewait_death_row &tcp_death_row(net &net) { return net.ipv4.tcp_death_row; }

namespace {

sock *construct_tcp_sock(void *memory) { return ::new (memory) tcp_sock; }

template <class T> void anew(T &member) { ::new (static_cast<void *>(&member)) T(); }

// As the kernel copies a listener for its child: all of its bytes; then what stands on a list, is counted or
// owned is made anew.
void copy_tcp_sock(sock &to_sk, const sock &from_sk)
{
	tcp_sock &to = tcp_sk(to_sk);
	const tcp_sock &from = tcp_sk(from_sk);
	const u32 trace_id = to.trace_id;

	std::memcpy(static_cast<void *>(&to), static_cast<const void *>(&from), sizeof(tcp_sock));
	to.trace_id = trace_id;
	anew(to.skc_nulls_node);
	anew(to.skc_refcnt);
	anew(to.skc_bind_node);
	anew(to.skc_bind2_node);
	anew(to.sk_lock);
	anew(to.sk_drops);
	anew(to.sk_error_queue);
	anew(to.sk_receive_queue);
	anew(to.sk_wq);
	anew(to.sk_wmem_alloc);
	anew(to.tcp_rtx_queue);
	anew(to.sk_write_queue);
	anew(to.sk_timer);
	anew(to.sk_rcu);
	anew(to.inet_opt);
	anew(to.icsk_accept_queue);
	anew(to.icsk_retransmit_timer);
	anew(to.icsk_delack_timer);
	anew(to.icsk_keepalive_timer);
	anew(to.tsq_node);
	anew(to.tsorted_sent_queue);
	anew(to.pacing_timer);
	anew(to.compressed_ack_timer);
	anew(to.out_of_order_queue);
	anew(to.ucopy);
}

void destruct_tcp_sock(sock &sk) { tcp_sk(sk).~tcp_sock(); }
request_sock *construct_request(void *memory) { return ::new (memory) tcp_request_sock; }
void destruct_request(request_sock &req) { tcp_rsk(req).~tcp_request_sock(); }
inet_timewait_sock *construct_timewait(void *memory) { return ::new (memory) tcp_timewait_sock; }
void destruct_timewait(inet_timewait_sock &tw) { tcp_twsk(tw).~tcp_timewait_sock(); }

const timewait_sock_ops tcp_timewait_sock_ops = {
	.twsk_obj_size = sizeof(tcp_timewait_sock),
	.construct = construct_timewait,
	.destruct = destruct_timewait,
	.twsk_unique = tcp_twsk_unique,
	.twsk_destructor = tcp_twsk_destructor,
};

int tcp_sk_init(net &net)
{
	net.ipv4.tcp_death_row.hashinfo = &*tcp_hashinfo;
	net.ipv4.tcp_congestion_control = tcp_ca_find("cubic");
	return 0;
}

void tcp_sk_exit(net &net)
{
	inet_twsk_purge(net);
	tcp_fastopen_ctx_destroy(net);
}

const pernet_operations tcp_sk_ops = {"tcp", tcp_sk_init, tcp_sk_exit};

} // namespace

const request_sock_ops tcp_request_sock_ops_v4 = {
	.family = PF_INET,
	.obj_size = sizeof(tcp_request_sock),
	.construct = construct_request,
	.destruct = destruct_request,
	.rtx_syn_ack = tcp_rtx_synack,
	.send_ack = tcp_v4_reqsk_send_ack,
	.send_reset = tcp_v4_send_reset,
	.destructor = tcp_v4_reqsk_destructor,
	.syn_ack_timeout = tcp_syn_ack_timeout,
};

const tcp_request_sock_ops tcp_request_sock_ipv4_ops = {
	.mss_clamp = TCP_MSS_DEFAULT,
	.req_md5_lookup = tcp_v4_md5_lookup,
	.calc_md5_hash = tcp_v4_md5_hash_skb,
	.route_req = tcp_v4_route_req,
	.init_req = tcp_v4_init_req,
	.init_seq_and_ts_off = tcp_v4_init_seq_and_ts_off,
	.init_ts_off = tcp_v4_init_ts_off,
	.init_seq = tcp_v4_init_seq,
	.cookie_init_seq = cookie_v4_init_sequence,
	.send_synack = tcp_v4_send_synack,
};

const tcp_sock_af_ops tcp_sock_ipv4_specific = {tcp_v4_md5_lookup, tcp_v4_md5_hash_skb,
                                                tcp_v4_parse_md5_keys};

const inet_connection_sock_af_ops ipv4_specific = {
	.queue_xmit = ip_queue_xmit,
	.send_check = tcp_v4_send_check,
	.rebuild_header = inet_sk_rebuild_header,
	.sk_rx_dst_set = inet_sk_rx_dst_set,
	.conn_request = tcp_v4_conn_request,
	.syn_recv_sock = tcp_v4_syn_recv_sock,
	.net_header_len = sizeof(iphdr),
	.sockaddr_len = sizeof(sockaddr_in),
	.setsockopt = ip_setsockopt,
	.getsockopt = ip_getsockopt,
	.addr2sockaddr = inet_csk_addr2sockaddr,
	.mtu_reduced = tcp_v4_mtu_reduced,
};

proto tcp_prot = {
	.name = "TCP",
	.close = tcp_close,
	.pre_connect = tcp_v4_pre_connect,
	.connect = tcp_v4_connect,
	.disconnect = tcp_disconnect,
	.accept = inet_csk_accept,
	.ioctl = tcp_ioctl,
	.init = tcp_v4_init_sock,
	.destroy = tcp_v4_destroy_sock,
	.shutdown = tcp_shutdown,
	.setsockopt = tcp_setsockopt,
	.getsockopt = tcp_getsockopt,
	.sendmsg = tcp_sendmsg,
	.recvmsg = tcp_recvmsg,
	.backlog_rcv = tcp_v4_do_rcv,
	.release_cb = tcp_release_cb,
	.hash = inet_hash,
	.unhash = inet_unhash,
	.get_port = inet_csk_get_port,
	.put_port = inet_put_port,
	.stream_memory_free = tcp_stream_memory_free,
	.enter_memory_pressure = tcp_enter_memory_pressure,
	.leave_memory_pressure = tcp_leave_memory_pressure,
	.obj_size = sizeof(tcp_sock),
	.construct = construct_tcp_sock,
	.copy = copy_tcp_sock,
	.destruct = destruct_tcp_sock,
	.slab_typesafe_by_rcu = true,
	.max_header = MAX_TCP_HEADER,
	.no_autobind = true,
	.memory_accounted = true,
	.rsk_prot = &tcp_request_sock_ops_v4,
	.twsk_prot = &tcp_timewait_sock_ops,
	.sysctl_wmem = &netns_ipv4::sysctl_tcp_wmem,
	.sysctl_rmem = &netns_ipv4::sysctl_tcp_rmem,
	.keepalive = tcp_set_keepalive,
};

// The namespaces' part, and the sockets (one a cpu) that send what belongs to none.
void tcp_v4_init()
{
	TRACE();
	for (const auto &c : current.host->cpus) {
		sock *sk = nullptr;
		[[maybe_unused]] const int err =
			inet_ctl_sock_create(sk, PF_INET, SOCK_RAW, IPPROTO_TCP, init_net());
		assert(!err);
		sock_set_flag(*sk, SOCK_USE_WRITE_QUEUE);
		inet_sk(*sk).pmtudisc = IP_PMTUDISC_DO;
		ipv4_tcp_sk.of(*c) = sk;
	}
	register_pernet_subsys(tcp_sk_ops);
}

void tcp_v4_exit()
{
	TRACE();
	for (const auto &c : current.host->cpus)
		if (sock *sk = std::exchange(ipv4_tcp_sk.of(*c), nullptr))
			inet_ctl_sock_destroy(*sk);
}

} // namespace skbwalk
