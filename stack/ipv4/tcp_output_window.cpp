// SPDX-License-Identifier: GPL-2.0-only
//
// The window that TCP offers (net/ipv4/tcp_output.c). tcp_select_initial_window chooses scale and first offer
// from the receive buffer while a connection opens; afterwards tcp_select_window, once for each segment sent,
// asks __tcp_select_window how far the right edge may go, never takes back what was offered, and notes when
// the window closes or opens.
#include <algorithm>
#include <bit>

#include "stack/core/sysctl_net_core.h"
#include "stack/ipv4/tcp_output.h"

namespace skbwalk {

namespace {

constexpr u32 ALIGN(u32 x, u32 a) { return (x + a - 1) & ~(a - 1); }
constexpr int round_down(int x, int a) { return x & ~(a - 1); }
constexpr u32 U16_MAX = 65535;

} // namespace

void tcp_select_initial_window(const sock &sk, int __space, u32 mss, u32 &rcv_wnd, u32 &window_clamp,
                               int wscale_ok, u8 &rcv_wscale, u32 init_rcv_wnd)
{
	TRACE(sk);
	const netns_ipv4 &ipv4 = sock_net(sk).ipv4;
	u32 space = __space < 0 ? 0 : static_cast<u32>(__space);

	if (window_clamp == 0)
		window_clamp = U16_MAX << TCP_MAX_WSCALE;
	space = std::min(window_clamp, space);
	if (space > mss)
		space -= space % mss;
	// Some stacks take the field for a signed number.
	rcv_wnd = std::min(space, ipv4.sysctl_tcp_workaround_signed_windows ? MAX_TCP_WINDOW : U16_MAX);
	if (init_rcv_wnd)
		rcv_wnd = std::min(rcv_wnd, init_rcv_wnd * mss);
	rcv_wscale = 0;
	if (wscale_ok) {
		// For the largest window that the buffer may grow to.
		space = std::max(space, static_cast<u32>(ipv4.sysctl_tcp_rmem[2]));
		space = std::max(space, static_cast<u32>(net_core->sysctl_rmem_max));
		space = std::min(space, window_clamp);
		rcv_wscale = static_cast<u8>(std::clamp(static_cast<int>(std::bit_width(space)) - 16, 0,
		                                        static_cast<int>(TCP_MAX_WSCALE)));
	}
	window_clamp = std::min(U16_MAX << rcv_wscale, window_clamp);
}

// The window field of a segment, scaled.
u16 tcp_select_window(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	net &net = sock_net(sk);
	const u32 old_win = tp.rcv_wnd;
	const u32 cur_win = tcp_receive_window(tp);
	u32 new_win = __tcp_select_window(sk);

	// An offer stands, unless the administrator allows to shrink it.
	if (new_win < cur_win && (!net.ipv4.sysctl_tcp_shrink_window || !tp.rx_opt.rcv_wscale)) {
		if (new_win == 0)
			NET_INC_STATS(net, LINUX_MIB_TCPWANTZEROWINDOWADV);
		new_win = ALIGN(cur_win, 1u << tp.rx_opt.rcv_wscale);
	}
	tp.rcv_wnd = new_win;
	tp.rcv_wup = tp.rcv_nxt;

	if (!tp.rx_opt.rcv_wscale && net.ipv4.sysctl_tcp_workaround_signed_windows)
		new_win = std::min(new_win, MAX_TCP_WINDOW);
	else
		new_win = std::min(new_win, U16_MAX << tp.rx_opt.rcv_wscale);
	new_win >>= tp.rx_opt.rcv_wscale;

	if (new_win == 0) {
		tp.pred_flags = 0; // no fast path into a closed window
		if (old_win)
			NET_INC_STATS(net, LINUX_MIB_TCPTOZEROWINDOWADV);
	} else if (old_win == 0) {
		NET_INC_STATS(net, LINUX_MIB_TCPFROMZEROWINDOWADV);
	}
	return static_cast<u16>(new_win);
}

namespace {

// With tcp_shrink_window: the free space as it is, in units of the scale.
u32 shrinking_window(sock &sk, int mss, int free_space, int allowed_space, int full_space)
{
	tcp_sock &tp = tcp_sk(sk);
	const int unit = 1 << tp.rx_opt.rcv_wscale;

	free_space = round_down(free_space, unit);
	if (free_space < full_space >> 1) {
		tp.icsk_ack.quick = 0;
		if (tcp_under_memory_pressure(sk))
			tcp_adjust_rcv_ssthresh(sk);
		if (free_space < allowed_space >> 4 || free_space < mss || free_space < unit)
			return 0;
	}
	if (free_space > static_cast<int>(tp.rcv_ssthresh))
		return ALIGN(tp.rcv_ssthresh, static_cast<u32>(unit));
	return static_cast<u32>(free_space);
}

} // namespace

// How much we are ready to take from rcv_nxt on. The receiver's half of silly window avoidance (RFC 9293,
// section 3.8.6.2.2): below half of the buffer the window opens only by steps worth a segment, and closes
// early rather than crumble.
u32 __tcp_select_window(sock &sk)
{
	TRACE(sk);
	tcp_sock &tp = tcp_sk(sk);
	int mss = tp.icsk_ack.rcv_mss;
	int free_space = tcp_space(sk);
	const int allowed_space = tcp_full_space(sk);
	const int full_space = std::min(static_cast<int>(tp.window_clamp), allowed_space);

	if (mss > full_space) {
		mss = full_space;
		if (mss <= 0)
			return 0;
	}
	if (sock_net(sk).ipv4.sysctl_tcp_shrink_window && tp.rx_opt.rcv_wscale)
		return shrinking_window(sk, mss, free_space, allowed_space, full_space);

	if (free_space < full_space >> 1) {
		tp.icsk_ack.quick = 0;
		if (tcp_under_memory_pressure(sk))
			tcp_adjust_rcv_ssthresh(sk);
		free_space = round_down(free_space, 1 << tp.rx_opt.rcv_wscale);
		// To zero in time, before what is under way no longer fits.
		if (free_space < allowed_space >> 4 || free_space < mss)
			return 0;
	}
	free_space = std::min(free_space, static_cast<int>(tp.rcv_ssthresh));

	if (tp.rx_opt.rcv_wscale)
		return ALIGN(static_cast<u32>(free_space), 1u << tp.rx_opt.rcv_wscale);
	int window = static_cast<int>(tp.rcv_wnd);
	if (window <= free_space - mss || window > free_space)
		window = free_space - free_space % mss;
	else if (mss == full_space && free_space > window + (full_space >> 1))
		window = free_space;
	return static_cast<u32>(window);
}

} // namespace skbwalk
