// SPDX-License-Identifier: GPL-2.0-only
//
// How large a segment may be (net/ipv4/tcp_output.c). From the path's MTU, tcp_sync_mss computes mss_cache,
// the size without SACK blocks; tcp_current_mss takes the options of the moment off. MTU probing (RFC 4821)
// searches for more than the path announces: tcp_mtu_probe sends one larger segment, made from the front of
// the write queue.
#include <algorithm>

#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

// Without TCP options: what mss_clamp and the MTU allow.
int __tcp_mtu_to_mss(sock &sk, int pmtu)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	int mss_now = pmtu - tp.icsk_af_ops->net_header_len - static_cast<int>(sizeof(tcphdr));

	mss_now = std::min<int>(mss_now, tp.rx_opt.mss_clamp);
	mss_now -= tp.icsk_ext_hdr_len;
	// Room for all options and some data remains, whatever the peer said.
	return std::max(mss_now, sock_net(sk).ipv4.sysctl_tcp_min_snd_mss);
}

int tcp_mtu_to_mss(sock &sk, int pmtu)
{
	TRACE(sk);
	return __tcp_mtu_to_mss(sk, pmtu) - (tcp_sk(sk).tcp_header_len - static_cast<int>(sizeof(tcphdr)));
}

int tcp_mss_to_mtu(sock &sk, int mss)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);

	return mss + tp.tcp_header_len + tp.icsk_ext_hdr_len + tp.icsk_af_ops->net_header_len;
}

void tcp_mtup_init(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	auto &mtup = tp.icsk_mtup;
	const bool enabled = ipv4.sysctl_tcp_mtu_probing > 1;

	mtup.enabled = enabled;
	mtup.search_high =
		tp.rx_opt.mss_clamp + static_cast<int>(sizeof(tcphdr)) + tp.icsk_af_ops->net_header_len;
	mtup.search_low = tcp_mss_to_mtu(sk, ipv4.sysctl_tcp_base_mss);
	mtup.probe_size = 0;
	if (enabled)
		mtup.probe_timestamp = tcp_jiffies32();
}

// Not more than half of the largest window that the peer ever offered, so that two segments fit.
u32 tcp_bound_to_half_wnd(const tcp_sock &tp, u32 pktsize)
{
	TRACE_INLINE(tp);
	const u32 cutoff = tp.max_window > TCP_MSS_DEFAULT ? tp.max_window >> 1 : tp.max_window;

	if (cutoff && static_cast<int>(pktsize) > static_cast<int>(cutoff))
		return static_cast<u32>(std::max(static_cast<int>(cutoff), 68 - tp.tcp_header_len));
	return pktsize;
}

u32 tcp_sync_mss(sock &sk, u32 pmtu)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	auto &mtup = tp.icsk_mtup;

	mtup.search_high = std::min(mtup.search_high, static_cast<int>(pmtu));
	u32 mss_now = static_cast<u32>(tcp_mtu_to_mss(sk, static_cast<int>(pmtu)));
	mss_now = tcp_bound_to_half_wnd(tp, mss_now);

	tp.icsk_pmtu_cookie = pmtu;
	if (mtup.enabled)
		mss_now = std::min(mss_now, static_cast<u32>(tcp_mtu_to_mss(sk, mtup.search_low)));
	tp.mss_cache = mss_now;
	return mss_now;
}

u32 tcp_current_mss(sock &sk)
{
	TRACE(sk);
	const tcp_sock &tp = tcp_sk(sk);
	const dst_entry *dst = __sk_dst_get(sk);
	u32 mss_now = tp.mss_cache;
	tcp_out_options opts;
	tcp_md5sig_key *md5;

	if (dst) {
		const u32 mtu = dst_mtu(*dst);

		if (mtu != tp.icsk_pmtu_cookie)
			mss_now = tcp_sync_mss(sk, mtu);
	}
	// mss_cache counts on the usual options; SACK blocks come on top.
	const u32 header_len =
		tcp_established_options(sk, nullptr, opts, md5) + static_cast<u32>(sizeof(tcphdr));
	return mss_now - (header_len - tp.tcp_header_len);
}

// After ten minutes without success the search begins anew.
static void tcp_mtu_check_reprobe(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	auto &mtup = tp.icsk_mtup;
	const u32 interval = static_cast<u32>(sock_net(sk).ipv4.sysctl_tcp_probe_interval);

	if (tcp_jiffies32() - mtup.probe_timestamp < interval * HZ)
		return;
	const int mss = static_cast<int>(tcp_current_mss(sk));

	mtup.probe_size = 0;
	mtup.search_high =
		tp.rx_opt.mss_clamp + static_cast<int>(sizeof(tcphdr)) + tp.icsk_af_ops->net_header_len;
	mtup.search_low = tcp_mss_to_mtu(sk, mss);
	mtup.probe_timestamp = tcp_jiffies32();
}

static bool tcp_can_coalesce_send_queue_head(sock &sk, u32 len)
{
	TRACE(sk);
	for (sk_buff *skb = tcp_send_head(sk); skb; skb = skb->next) {
		if (len <= skb->len)
			break;
		if (tcp_has_tx_tstamp(*skb) || (skb->next && !tcp_skb_can_collapse(*skb, *skb->next)))
			return false;
		len -= skb->len;
	}
	return true;
}

namespace {

// Fills the probe from the queue behind it.
void fill_probe(sock &sk, sk_buff &nskb, u32 probe_size, u32 mss_now)
{
	tcp_skb_cb &probe = TCP_SKB_CB(nskb);
	u32 len = 0;

	for (sk_buff *skb = nskb.next, *next; skb && len < probe_size; skb = next) {
		const u32 copy = std::min(skb->len, probe_size - len);
		tcp_skb_cb &tcb = TCP_SKB_CB(*skb);

		next = skb->next;
		const int err = skb_copy_bits(*skb, 0, skb_put(nskb, copy), static_cast<int>(copy));
		assert(!err);
		static_cast<void>(err);
		if (skb->len <= copy) {
			probe.tcp_flags |= tcb.tcp_flags;
			probe.eor = tcb.eor;
			tcp_skb_collapse_tstamp(nskb, *skb);
			tcp_wmem_free_skb(sk, tcp_unlink_write_queue(*skb, sk));
		} else {
			probe.tcp_flags |= static_cast<u8>(tcb.tcp_flags & ~(TCPHDR_FIN | TCPHDR_PSH));
			if (!skb_shinfo(*skb).nr_frags) {
				skb_pull(*skb, copy);
			} else {
				__pskb_trim_head(*skb, static_cast<int>(copy));
				tcp_set_skb_tso_segs(*skb, mss_now);
			}
			tcb.seq += copy;
		}
		len += copy;
	}
}

} // namespace

// 1: a probe went out; 0: wait, the window is in the way; -1: none now, go on as ever.
int tcp_mtu_probe(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	auto &mtup = tp.icsk_mtup;

	if (!mtup.enabled || mtup.probe_size || tp.icsk_ca_state != TCP_CA_Open || tcp_snd_cwnd(tp) < 11 ||
	    tp.rx_opt.num_sacks || tp.rx_opt.dsack)
		return -1;

	const u32 mss_now = tcp_current_mss(sk);
	const int probe_size = tcp_mtu_to_mss(sk, (mtup.search_high + mtup.search_low) >> 1);
	const u64 size_needed =
		static_cast<u64>(probe_size) + (tp.reordering + 1) * static_cast<u64>(tp.mss_cache);
	const int interval = mtup.search_high - mtup.search_low;

	if (probe_size > tcp_mtu_to_mss(sk, mtup.search_high) ||
	    interval < sock_net(sk).ipv4.sysctl_tcp_probe_threshold) {
		tcp_mtu_check_reprobe(sk);
		return -1;
	}
	if (tp.write_seq.v - tp.snd_nxt.v < size_needed || tp.snd_wnd < size_needed)
		return -1;
	if (after(tp.snd_nxt + static_cast<u32>(size_needed), tcp_wnd_end(tp)))
		return 0;
	if (tcp_packets_in_flight(tp) + 2 > tcp_snd_cwnd(tp))
		return tcp_packets_in_flight(tp) ? 0 : -1;
	if (!tcp_can_coalesce_send_queue_head(sk, static_cast<u32>(probe_size)))
		return -1;

	skb_ptr owned = tcp_stream_alloc_skb(sk, probe_size, GFP_ATOMIC, false);
	if (!owned)
		return -1;
	sk_buff &nskb = *owned;
	sk_wmem_queued_add(sk, static_cast<int>(nskb.truesize));
	sk_mem_charge(sk, static_cast<int>(nskb.truesize));

	sk_buff &head = *tcp_send_head(sk);
	TCP_SKB_CB(nskb).seq = TCP_SKB_CB(head).seq;
	TCP_SKB_CB(nskb).end_seq = TCP_SKB_CB(head).seq + static_cast<u32>(probe_size);
	TCP_SKB_CB(nskb).tcp_flags = TCPHDR_ACK;
	__skb_queue_before(sk.sk_write_queue, head, std::move(owned));
	tcp_highest_sack_replace(sk, &head, &nskb);
	fill_probe(sk, nskb, static_cast<u32>(probe_size), mss_now);
	tcp_init_tso_segs(nskb, nskb.len);

	// If this fails, tcp_write_xmit cuts it into segments of the usual size.
	if (tcp_transmit_skb(sk, &nskb, 1, GFP_ATOMIC))
		return -1;
	tcp_snd_cwnd_set(tp, tcp_snd_cwnd(tp) - 1); // it is worth two
	tcp_event_new_data_sent(sk, nskb);
	mtup.probe_size = static_cast<u32>(tcp_mss_to_mtu(sk, static_cast<int>(nskb.len))) & 0x7fffffff;
	tp.mtu_probe.probe_seq_start = TCP_SKB_CB(nskb).seq;
	tp.mtu_probe.probe_seq_end = TCP_SKB_CB(nskb).end_seq;
	return 1;
}

} // namespace skbwalk
