// SPDX-License-Identifier: GPL-2.0-only
//
// Connection-oriented sockets (net/ipv4/inet_connection_sock.c): accept() and its queue, requests under way
// and their timer, the child made of a listener, timers, listening and its end. Which local port a socket may
// bind is in inet_csk_port.cpp. Left out: migration of requests to another listener of a reuseport group
// (net.ipv4.tcp_migrate_req, off by default).

#include "stack/ipv4/inet_connection_sock.h"

#include "stack/core/sock_reuseport.h"
#include "stack/ipv4/inet_hashtables.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/tcp.h"
#include "stack/security/security.h"

namespace skbwalk {

int inet_csk_wait_for_connect(sock &sk, long timeo)
{
	TRACE(sk);
	request_sock_queue &queue = inet_csk(sk).icsk_accept_queue;
	wait_queue_entry wait;
	int err;

	init_wait(wait);
	// Exclusive: one connection wakes one task.
	for (;;) {
		prepare_to_wait_exclusive(*sk_sleep(sk), wait, TASK_INTERRUPTIBLE);
		release_sock(sk);
		if (reqsk_queue_empty(queue))
			timeo = schedule_timeout(timeo);
		lock_sock(sk);
		err = 0;
		if (!reqsk_queue_empty(queue))
			break;
		err = -EINVAL;
		if (sk.sk_state != TCP_LISTEN)
			break;
		err = sock_intr_errno(timeo);
		if (signal_pending(*current.task))
			break;
		err = -EAGAIN;
		if (!timeo)
			break;
	}
	finish_wait(*sk_sleep(sk), wait);
	return err;
}

sock *inet_csk_accept(sock &sk, int flags, int &err, bool)
{
	TRACE(sk);
	request_sock_queue &queue = inet_csk(sk).icsk_accept_queue;
	request_sock *req = nullptr;
	sock *newsk = nullptr;
	int error = 0;

	lock_sock(sk);
	if (sk.sk_state != TCP_LISTEN) {
		error = -EINVAL;
	} else if (reqsk_queue_empty(queue)) {
		const long timeo = sock_rcvtimeo(sk, flags & static_cast<int>(O_NONBLOCK_FLAG));
		error = timeo ? inet_csk_wait_for_connect(sk, timeo) : -EAGAIN;
	}
	if (!error) {
		req = reqsk_queue_remove(queue, sk);
		newsk = req->sk;
		if (sk.sk_protocol == IPPROTO_TCP && tcp_rsk(*req).tfo_listener) {
			spin_lock_bh(queue.fastopenq.lock);
			// Its handshake is not done: reqsk_fastopen_remove puts it.
			if (tcp_rsk(*req).tfo_listener) {
				req->sk = nullptr;
				req = nullptr;
			}
			spin_unlock_bh(queue.fastopenq.lock);
		}
	}
	release_sock(sk);
	// Without memory cgroups nothing is charged to who accepts.
	if (req)
		reqsk_put(*req);
	if (error)
		err = error;
	return newsk;
}

void inet_csk_init_xmit_timers(sock &sk, timer_list::callback retransmit, timer_list::callback delack,
                               timer_list::callback keepalive)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	timer_setup(icsk.icsk_retransmit_timer, retransmit, 0);
	timer_setup(icsk.icsk_delack_timer, delack, 0);
	timer_setup(icsk.icsk_keepalive_timer, keepalive, 0);
	icsk.icsk_pending = icsk.icsk_ack.pending = 0;
}

void inet_csk_clear_xmit_timers(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	icsk.icsk_pending = icsk.icsk_ack.pending = 0;
	sk_stop_timer(sk, icsk.icsk_retransmit_timer);
	sk_stop_timer(sk, icsk.icsk_delack_timer);
	sk_stop_timer(sk, icsk.icsk_keepalive_timer);
}

void inet_csk_delete_keepalive_timer(sock &sk)
{
	TRACE(sk);
	sk_stop_timer(sk, inet_csk(sk).icsk_keepalive_timer);
}

void inet_csk_reset_keepalive_timer(sock &sk, u32 len)
{
	TRACE(sk);
	sk_reset_timer(sk, inet_csk(sk).icsk_keepalive_timer, jiffies() + len);
}

void inet_csk_delack_init(sock &sk)
{
	TRACE_INLINE(sk);
	inet_csk(sk).icsk_ack = {};
}

namespace {

// The route back to who asked, from a request; null without one.
dst_entry *route_of_request(const sock &sk, flowi4 &fl4, const request_sock &req)
{
	const inet_request_sock &ireq = inet_rsk(req);
	const ip_options *opt = ireq.ireq_opt.get();
	net &net = sock_net(ireq);

	flowi4_init_output(fl4, ireq.ir_iif, ireq.ir_mark, RT_TOS(inet_sk(sk).tos), RT_SCOPE_UNIVERSE,
	                   sk.sk_protocol, inet_sk_flowi_flags(sk),
	                   opt && opt->srr ? opt->faddr : ireq.ir_rmt_addr, ireq.ir_loc_addr,
	                   ireq.ir_rmt_port, htons(ireq.ir_num), sk.sk_uid);
	security_req_classify_flow(req, fl4);
	rtable *rt = ip_route_output_flow(net, fl4, &sk).rt;
	if (rt && opt && opt->is_strictroute && rt->rt_uses_gateway) {
		dst_release(rt);
		rt = nullptr;
	}
	if (!rt)
		IP_INC_STATS(net, IPSTATS_MIB_OUTNOROUTES);
	return rt;
}

} // namespace

dst_entry *inet_csk_route_req(const sock &sk, flowi4 &fl4, const request_sock &req)
{
	TRACE(sk);
	return route_of_request(sk, fl4, req);
}

// As inet_csk_route_req, with the flow kept in the child for the packets that follow.
dst_entry *inet_csk_route_child_sock(const sock &sk, sock &newsk, const request_sock &req)
{
	TRACE(newsk);
	return route_of_request(sk, inet_sk(newsk).cork.fl, req);
}

int inet_rtx_syn_ack(const sock &parent, request_sock &req)
{
	TRACE(parent);
	const int err = req.rsk_ops->rtx_syn_ack(parent, req);

	if (!err)
		++req.num_retrans;
	return err;
}

static void syn_ack_recalc(const request_sock &req, int max_syn_ack_retries, u8 rskq_defer_accept,
                           bool &expire, bool &resend)
{
	TRACE();
	const bool acked = inet_rsk(req).acked;

	if (!rskq_defer_accept) {
		expire = req.num_timeout >= max_syn_ack_retries;
		resend = true;
		return;
	}
	expire = req.num_timeout >= max_syn_ack_retries && (!acked || req.num_timeout >= rskq_defer_accept);
	// While data is awaited after the ACK nothing is resent, until the last chance of the deferral.
	resend = !acked || req.num_timeout >= rskq_defer_accept - 1;
}

static bool reqsk_queue_unlink(request_sock &req)
{
	TRACE();
	bool found = false;

	if (sk_hashed(req)) {
		spinlock_t &lock = inet_ehash_lockp(*tcp_hashinfo, req.sk_hash);
		spin_lock(lock);
		found = sk_hashed(req);
		leave_ehash(*tcp_hashinfo, req);
		spin_unlock(lock);
	}
	return found;
}

bool __inet_csk_reqsk_queue_drop(sock &sk, request_sock &req, bool from_timer)
{
	TRACE(sk);
	const bool unlinked = reqsk_queue_unlink(req);

	if (!from_timer && timer_delete_sync(req.rsk_timer))
		reqsk_put(req);
	if (unlinked) {
		reqsk_queue_removed(inet_csk(sk).icsk_accept_queue, req);
		reqsk_put(req);
	}
	return unlinked;
}

bool inet_csk_reqsk_queue_drop(sock &sk, request_sock &req)
{
	TRACE(sk);
	return __inet_csk_reqsk_queue_drop(sk, req, false);
}

void inet_csk_reqsk_queue_drop_and_put(sock &sk, request_sock &req)
{
	TRACE(sk);
	inet_csk_reqsk_queue_drop(sk, req);
	reqsk_put(req);
}

// No ACK came in time: send the SYN+ACK again, or give up. With more than half of the queue taken, old
// requests go sooner.
static void reqsk_timer_handler(timer_list &t)
{
	TRACE();
	request_sock &req = container_of(t, &request_sock::rsk_timer);
	sock &sk_listener = *req.rsk_listener();
	net &net = sock_net(sk_listener);

	if (sk_listener.sk_state == TCP_LISTEN) {
		inet_connection_sock &icsk = inet_csk(sk_listener);
		request_sock_queue &queue = icsk.icsk_accept_queue;
		int max_syn_ack_retries =
			icsk.icsk_syn_retries ? icsk.icsk_syn_retries : net.ipv4.sysctl_tcp_synack_retries;
		const int qlen = reqsk_queue_len(queue);

		if (qlen << 1 > std::max(8, static_cast<int>(sk_listener.sk_max_ack_backlog))) {
			int young = reqsk_queue_len_young(queue) << 1;
			while (max_syn_ack_retries > 2 && qlen >= young) {
				--max_syn_ack_retries;
				young <<= 1;
			}
		}
		bool expire, resend;
		syn_ack_recalc(req, max_syn_ack_retries, queue.rskq_defer_accept, expire, resend);
		req.rsk_ops->syn_ack_timeout(req);
		if (!expire && (!resend || !inet_rtx_syn_ack(sk_listener, req) || inet_rsk(req).acked)) {
			if (req.num_timeout == 0)
				--queue.young;
			req.num_timeout = (req.num_timeout + 1) & 0x7f;
			mod_timer(req.rsk_timer, jiffies() + reqsk_timeout(req, TCP_RTO_MAX));
			return;
		}
	}
	__inet_csk_reqsk_queue_drop(sk_listener, req, true);
	reqsk_put(req);
}

static bool reqsk_queue_hash_req(request_sock &req, u32 timeout)
{
	TRACE();
	bool found_dup_sk = false;

	if (!inet_ehash_insert(req, nullptr, &found_dup_sk))
		return false;
	timer_setup(req.rsk_timer, reqsk_timer_handler, TIMER_PINNED);
	mod_timer(req.rsk_timer, jiffies() + timeout);
	// One for the caller, one for the hash, one for the timer. A reader takes none before this.
	refcount_set(req.skc_refcnt, 2 + 1);
	return true;
}

bool inet_csk_reqsk_queue_hash_add(sock &sk, request_sock &req, u32 timeout)
{
	TRACE(sk);
	if (!reqsk_queue_hash_req(req, timeout))
		return false;
	inet_csk_reqsk_queue_added(sk);
	return true;
}

sock *inet_csk_clone_lock(const sock &sk, const request_sock &req, gfp_t priority)
{
	TRACE(sk);
	sock *newsk = sk_clone_lock(sk, priority);
	if (!newsk)
		return nullptr;
	inet_connection_sock &newicsk = inet_csk(*newsk);
	const inet_request_sock &ireq = inet_rsk(req);

	inet_sk_set_state(*newsk, TCP_SYN_RECV);
	newicsk.icsk_bind_hash = nullptr;
	newicsk.icsk_bind2_hash = nullptr;
	newicsk.inet_dport = ireq.ir_rmt_port;
	newicsk.inet_num = ireq.ir_num;
	newicsk.inet_sport = htons(ireq.ir_num);
	sock_reset_flag(*newsk, SOCK_RCU_FREE); // listeners have it, children do not
	newsk->sk_mark = ireq.ir_mark;
	newsk->skc_cookie = ireq.skc_cookie;
	newicsk.icsk_retransmits = 0;
	newicsk.icsk_backoff = 0;
	newicsk.icsk_probes_out = 0;
	newicsk.icsk_probes_tstamp = 0;
	security_inet_csk_clone(*newsk, req);
	return newsk;
}

// The last of a closed, unhashed socket that no task holds.
void inet_csk_destroy_sock(sock &sk)
{
	TRACE(sk);
	assert(sk.sk_state == TCP_CLOSE);
	assert(sock_flag(sk, SOCK_DEAD));
	assert(sk_unhashed(sk));
	assert(!inet_sk(sk).inet_num || inet_csk(sk).icsk_bind_hash);

	sk.sk_prot->destroy(sk);
	sk_stream_kill_queues(sk);
	--proto_of(*sk.sk_prot).orphan_count;
	sock_put(sk);
}

void inet_csk_prepare_for_destroy_sock(sock &sk)
{
	TRACE(sk);
	sock_set_flag(sk, SOCK_DEAD);
	++proto_of(*sk.sk_prot).orphan_count;
}

// Ends a child that was made and cannot be used.
void inet_csk_prepare_forced_close(sock &sk)
{
	TRACE(sk);
	bh_unlock_sock(sk);
	sock_put(sk);
	inet_csk_prepare_for_destroy_sock(sk);
	inet_sk(sk).inet_num = 0;
}

int inet_csk_listen_start(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	reqsk_queue_alloc(icsk.icsk_accept_queue);
	sk.sk_ack_backlog = 0;
	inet_csk_delack_init(sk);

	inet_sk_state_store(sk, TCP_LISTEN);
	int err = sk.sk_prot->get_port(sk, icsk.inet_num);
	if (!err) {
		icsk.inet_sport = htons(icsk.inet_num);
		sk_dst_reset(sk);
		err = sk.sk_prot->hash(sk);
		if (!err)
			return 0;
	}
	inet_sk_set_state(sk, TCP_CLOSE);
	return err;
}

static void inet_child_forget(sock &sk, request_sock &req, sock &child)
{
	TRACE(child);
	static_cast<void>(sk.sk_prot->disconnect(child, static_cast<int>(O_NONBLOCK_FLAG)));
	sock_orphan(child);
	++proto_of(*sk.sk_prot).orphan_count;
	if (sk.sk_protocol == IPPROTO_TCP && tcp_rsk(req).tfo_listener) {
		assert(tcp_sk(child).fastopen_rsk == &req && req.rsk_listener() == &sk);
		tcp_sk(child).fastopen_rsk = nullptr;
	}
	inet_csk_destroy_sock(child);
}

sock *inet_csk_reqsk_queue_add(sock &sk, request_sock &req, sock &child)
{
	TRACE(sk);
	request_sock_queue &queue = inet_csk(sk).icsk_accept_queue;
	sock *ret = &child;

	spin_lock(queue.rskq_lock);
	if (sk.sk_state != TCP_LISTEN) {
		inet_child_forget(sk, req, child);
		ret = nullptr;
	} else {
		req.sk = &child;
		req.dl_next = nullptr;
		if (!queue.rskq_accept_head)
			queue.rskq_accept_head = &req;
		else
			queue.rskq_accept_tail->dl_next = &req;
		queue.rskq_accept_tail = &req;
		sk_acceptq_added(sk);
	}
	spin_unlock(queue.rskq_lock);
	return ret;
}

// The handshake is done: the request leaves the hash and joins the accept queue with its child.
sock *inet_csk_complete_hashdance(sock &sk, sock &child, request_sock &req, bool own_req)
{
	TRACE(sk);
	if (own_req) {
		inet_csk_reqsk_queue_drop(*req.rsk_listener(), req);
		reqsk_queue_removed(inet_csk(*req.rsk_listener()).icsk_accept_queue, req);
		if (inet_csk_reqsk_queue_add(sk, req, child))
			return &child;
	}
	// Another child took the request, or the listener is gone.
	bh_unlock_sock(child);
	sock_put(child);
	return nullptr;
}

// Closes what was opened and not accepted.
void inet_csk_listen_stop(sock &sk)
{
	TRACE(sk);
	request_sock_queue &queue = inet_csk(sk).icsk_accept_queue;

	while (request_sock *req = reqsk_queue_remove(queue, sk)) {
		sock &child = *req->sk;

		local_bh_disable();
		bh_lock_sock(child);
		assert(!sock_owned_by_user(child));
		sock_hold(child);
		[[maybe_unused]] const sock *const nsk = reuseport_migrate_sock(sk, child, nullptr);
		assert(!nsk);
		inet_child_forget(sk, *req, child);
		reqsk_put(*req);
		bh_unlock_sock(child);
		local_bh_enable();
		sock_put(child);
		cond_resched();
	}
	if (queue.fastopenq.rskq_rst_head) {
		spin_lock_bh(queue.fastopenq.lock);
		request_sock *req = std::exchange(queue.fastopenq.rskq_rst_head, nullptr);
		spin_unlock_bh(queue.fastopenq.lock);
		while (req)
			reqsk_put(*std::exchange(req, req->dl_next));
	}
	assert(sk.sk_ack_backlog == 0);
}

void inet_csk_addr2sockaddr(sock &sk, sockaddr_storage &uaddr)
{
	TRACE(sk);
	sockaddr_in &sin = uaddr.as<sockaddr_in>();

	sin.sin_family = AF_INET;
	sin.sin_addr = inet_sk(sk).inet_daddr;
	sin.sin_port = inet_sk(sk).inet_dport;
}

static dst_entry *inet_csk_rebuild_route(sock &sk, flowi4 &fl4)
{
	TRACE(sk);
	const inet_sock &inet = inet_sk(sk);
	be32 daddr = inet.inet_daddr;

	if (inet.inet_opt && inet.inet_opt->srr)
		daddr = inet.inet_opt->faddr;
	rtable *rt =
		ip_route_output_ports(sock_net(sk), fl4, &sk, daddr, inet.inet_saddr, inet.inet_dport,
	                              inet.inet_sport, sk.sk_protocol, RT_TOS(inet.tos), sk.sk_bound_dev_if)
			.rt;
	if (rt)
		sk_setup_caps(sk, rt);
	return rt;
}

// A router said the path takes `mtu` bytes only: the route learns it; returns the route to use from now on,
// or null.
dst_entry *inet_csk_update_pmtu(sock &sk, u32 mtu)
{
	TRACE(sk);
	flowi4 &fl4 = inet_sk(sk).cork.fl;
	dst_entry *dst = __sk_dst_check(sk, 0);

	if (!dst) {
		dst = inet_csk_rebuild_route(sk, fl4);
		if (!dst)
			return nullptr;
	}
	dst->ops->update_pmtu(*dst, &sk, nullptr, mtu, true);
	dst = __sk_dst_check(sk, 0);
	return dst ? dst : inet_csk_rebuild_route(sk, fl4);
}

// --- inlines of include/net/inet_connection_sock.h ---

void inet_csk_inc_pingpong_cnt(sock &sk)
{
	TRACE_INLINE(sk);
	u8 &pingpong = inet_csk(sk).icsk_ack.pingpong;
	if (pingpong < 0xff)
		++pingpong;
}

void inet_csk_clear_xmit_timer(sock &sk, int what)
{
	TRACE_INLINE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	// Timers stay armed and find nothing pending when they fire: cheaper than to delete them.
	if (what == ICSK_TIME_RETRANS || what == ICSK_TIME_PROBE0)
		icsk.icsk_pending = 0;
	else if (what == ICSK_TIME_DACK)
		icsk.icsk_ack.pending = 0, icsk.icsk_ack.retry = 0;
	else
		assert(false && "unknown timer");
}

void inet_csk_reset_xmit_timer(sock &sk, int what, u32 when, u32 max_when)
{
	TRACE_INLINE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	when = std::min(when, max_when);
	if (what == ICSK_TIME_DACK) {
		icsk.icsk_ack.pending |= ICSK_ACK_TIMER;
		icsk.icsk_ack.timeout = jiffies() + when;
		sk_reset_timer(sk, icsk.icsk_delack_timer, icsk.icsk_ack.timeout);
	} else {
		icsk.icsk_pending = static_cast<u8>(what);
		icsk.icsk_timeout = jiffies() + when;
		sk_reset_timer(sk, icsk.icsk_retransmit_timer, icsk.icsk_timeout);
	}
}

u32 inet_csk_rto_backoff(const inet_connection_sock &icsk, u32 max_when)
{
	TRACE_INLINE(icsk);
	const u64 when = u64{icsk.icsk_rto} << (icsk.icsk_backoff & 63); // as x86 shifts
	return static_cast<u32>(std::min<u64>(when, max_when));
}

} // namespace skbwalk
