// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/sock.c: options of level SOL_SOCKET. Buffer sizes are doubled on the way in, for what the heads of
// packets count; time-outs come as seconds and microseconds. Left out: programs (eBPF), credentials, time
// stamping by devices, zero copy; they are answered as a kernel without them does
// (ENOPROTOOPT).
#include <algorithm>
#include <limits>

#include "stack/core/busy_poll.h"
#include "stack/core/filter.h"
#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/core/sock_reuseport.h"
#include "stack/core/sysctl_net_core.h"
#include "stack/security/capability.h"

namespace skbwalk {

namespace {

constexpr long usec_per_sec = 1'000'000;
constexpr u32 ifnamsiz = 16;

struct timeval {
	s64 tv_sec;
	s64 tv_usec;
};
struct linger {
	int l_onoff;
	int l_linger;
};

void sock_valbool_flag(sock &sk, sock_flags bit, bool on)
{
	if (on)
		sock_set_flag(sk, bit);
	else
		sock_reset_flag(sk, bit);
}

} // namespace

static int sock_copy_user_timeval(timeval &tv, const void *optval, u32 optlen)
{
	TRACE();
	if (optlen < sizeof(tv))
		return -EINVAL;
	std::memcpy(&tv, optval, sizeof(tv));
	return 0;
}

static int sock_set_timeout(long &timeo, const void *optval, u32 optlen)
{
	TRACE();
	timeval tv;

	if (const int err = sock_copy_user_timeval(tv, optval, optlen))
		return err;
	if (tv.tv_usec < 0 || tv.tv_usec >= usec_per_sec)
		return -EDOM;
	if (tv.tv_sec < 0) {
		timeo = 0;
		return 0;
	}
	timeo = MAX_SCHEDULE_TIMEOUT;
	if ((tv.tv_sec || tv.tv_usec) && tv.tv_sec < MAX_SCHEDULE_TIMEOUT / static_cast<long>(HZ) - 1)
		timeo = tv.tv_sec * static_cast<long>(HZ) +
		        (tv.tv_usec + usec_per_sec / static_cast<long>(HZ) - 1) /
		                (usec_per_sec / static_cast<long>(HZ));
	return 0;
}

static timeval sock_get_timeout(long timeo)
{
	TRACE();
	if (timeo == MAX_SCHEDULE_TIMEOUT)
		return {0, 0};
	return {timeo / static_cast<long>(HZ),
	        timeo % static_cast<long>(HZ) * usec_per_sec / static_cast<long>(HZ)};
}

static void __sock_set_rcvbuf(sock &sk, int val)
{
	TRACE(sk);
	val = std::min(val, std::numeric_limits<int>::max() / 2);
	sk.sk_userlocks = (sk.sk_userlocks | SOCK_RCVBUF_LOCK) & 15;
	sk.sk_rcvbuf = std::max(val * 2, static_cast<int>(SOCK_MIN_RCVBUF));
}

// not traced: a label inside sk_setsockopt in the kernel
static void set_sndbuf(sock &sk, int val)
{
	val = std::min(val, std::numeric_limits<int>::max() / 2);
	sk.sk_userlocks = (sk.sk_userlocks | SOCK_SNDBUF_LOCK) & 15;
	sk.sk_sndbuf = std::max(val * 2, static_cast<int>(SOCK_MIN_SNDBUF));
	sk.sk_write_space(sk);
}

static int sock_bindtoindex_locked(sock &sk, int ifindex)
{
	TRACE(sk);
	if (sk.sk_bound_dev_if && !ns_capable(init_user_ns, CAP_NET_RAW))
		return -EPERM;
	if (ifindex < 0)
		return -EINVAL;
	sk.sk_bound_dev_if = ifindex;
	if (sk.sk_prot->rehash)
		sk.sk_prot->rehash(sk);
	sk_dst_reset(sk);
	return 0;
}

static int sock_setbindtodevice(sock &sk, const void *optval, u32 optlen)
{
	TRACE(sk);
	const auto *bytes = static_cast<const char *>(optval);
	const std::string devname(bytes, std::find(bytes, bytes + std::min(optlen, ifnamsiz - 1), '\0'));
	int index = 0;

	if (!devname.empty()) {
		rcu_read_lock();
		const net_device *dev = dev_get_by_name_rcu(sock_net(sk), devname);
		rcu_read_unlock();

		if (!dev)
			return -ENODEV;
		index = dev->ifindex;
	}
	sockopt_lock_sock(sk);
	const int ret = sock_bindtoindex_locked(sk, index);
	sockopt_release_sock(sk);
	return ret;
}

static int sock_getbindtodevice(const sock &sk, void *optval, int &optlen)
{
	TRACE(sk);
	std::string devname;

	if (!sk.sk_bound_dev_if) {
		optlen = 0;
		return 0;
	}
	if (optlen < static_cast<int>(ifnamsiz))
		return -EINVAL;
	if (const int err = netdev_get_name(sock_net(sk), devname, sk.sk_bound_dev_if))
		return err;
	optlen = static_cast<int>(devname.size()) + 1;
	std::memcpy(optval, devname.c_str(), devname.size() + 1);
	return 0;
}

// Unlike the kernel, the time of reception is not taken: a packet's stamp is what its device gave it.
static void __sock_set_timestamps(sock &sk, bool val, bool ns)
{
	TRACE(sk);
	if (val) {
		sock_valbool_flag(sk, SOCK_RCVTSTAMPNS, ns);
		sock_set_flag(sk, SOCK_RCVTSTAMP);
		sock_set_flag(sk, SOCK_TIMESTAMP);
	} else {
		sock_reset_flag(sk, SOCK_RCVTSTAMP);
		sock_reset_flag(sk, SOCK_RCVTSTAMPNS);
	}
}

static void sock_set_timestamp(sock &sk, int, bool valbool)
{
	TRACE(sk);
	__sock_set_timestamps(sk, valbool, false);
}

// No program of BPF calls here with the lock held.
void sockopt_lock_sock(sock &sk)
{
	TRACE(sk);
	lock_sock(sk);
}

void sockopt_release_sock(sock &sk)
{
	TRACE(sk);
	release_sock(sk);
}

bool sockopt_ns_capable(const user_namespace &ns, int cap)
{
	TRACE();
	return ns_capable(ns, cap);
}

bool sockopt_capable(int cap)
{
	TRACE();
	return capable(cap);
}

// not traced: a part of its caller, as in the kernel
static bool raw_or_admin()
{
	return sockopt_ns_capable(init_user_ns, CAP_NET_RAW) ||
	       sockopt_ns_capable(init_user_ns, CAP_NET_ADMIN);
}

int sk_setsockopt(sock &sk, int, int optname, const void *optval, u32 optlen)
{
	TRACE(sk);
	const net_core_settings &core = *net_core;
	int ret = 0;
	int val;

	if (optname == SO_BINDTODEVICE)
		return sock_setbindtodevice(sk, optval, optlen);
	if (optlen < sizeof(val))
		return -EINVAL;
	std::memcpy(&val, optval, sizeof(val));
	const bool valbool = val != 0;

	sockopt_lock_sock(sk);
	switch (optname) {
	case SO_DEBUG:
		if (val && !sockopt_capable(CAP_NET_ADMIN))
			ret = -EACCES;
		else
			sock_valbool_flag(sk, SOCK_DBG, valbool);
		break;
	case SO_REUSEADDR:
		sk.sk_reuse = (valbool ? SK_CAN_REUSE : SK_NO_REUSE) & 15;
		break;
	case SO_REUSEPORT:
		if (valbool && sk.sk_family != AF_INET && sk.sk_family != AF_INET6)
			ret = -EOPNOTSUPP;
		else
			sk.sk_reuseport = valbool;
		break;
	case SO_DONTROUTE:
		sock_valbool_flag(sk, SOCK_LOCALROUTE, valbool);
		sk_dst_reset(sk);
		break;
	case SO_BROADCAST:
		sock_valbool_flag(sk, SOCK_BROADCAST, valbool);
		break;
	case SO_SNDBUF:
		set_sndbuf(sk, static_cast<int>(std::min(static_cast<u32>(val),
		                                         static_cast<u32>(core.sysctl_wmem_max))));
		break;
	case SO_SNDBUFFORCE:
		if (!sockopt_capable(CAP_NET_ADMIN)) {
			ret = -EPERM;
			break;
		}
		set_sndbuf(sk, std::max(val, 0));
		break;
	case SO_RCVBUF:
		__sock_set_rcvbuf(sk, static_cast<int>(std::min(static_cast<u32>(val),
		                                                static_cast<u32>(core.sysctl_rmem_max))));
		break;
	case SO_RCVBUFFORCE:
		if (!sockopt_capable(CAP_NET_ADMIN)) {
			ret = -EPERM;
			break;
		}
		__sock_set_rcvbuf(sk, std::max(val, 0));
		break;
	case SO_KEEPALIVE:
		if (sk.sk_prot->keepalive)
			sk.sk_prot->keepalive(sk, valbool);
		sock_valbool_flag(sk, SOCK_KEEPOPEN, valbool);
		break;
	case SO_OOBINLINE:
		sock_valbool_flag(sk, SOCK_URGINLINE, valbool);
		break;
	case SO_NO_CHECK:
		sk.sk_no_check_tx = valbool;
		break;
	case SO_PRIORITY:
		if ((val >= 0 && val <= 6) || raw_or_admin())
			sk.sk_priority = static_cast<u32>(val);
		else
			ret = -EPERM;
		break;
	case SO_LINGER: {
		linger ling;

		if (optlen < sizeof(ling)) {
			ret = -EINVAL;
			break;
		}
		std::memcpy(&ling, optval, sizeof(ling));
		if (!ling.l_onoff) {
			sock_reset_flag(sk, SOCK_LINGER);
			break;
		}
		// A negative one is a very long one.
		sk.sk_lingertime = ling.l_linger < 0 ? static_cast<u64>(MAX_SCHEDULE_TIMEOUT)
		                                     : static_cast<u64>(ling.l_linger) * HZ;
		sock_set_flag(sk, SOCK_LINGER);
		break;
	}
	case SO_TIMESTAMP:
		sock_set_timestamp(sk, optname, valbool);
		break;
	case SO_RCVLOWAT:
		if (val < 0)
			val = std::numeric_limits<int>::max();
		if (sk.sk_socket && sk.sk_socket->ops->set_rcvlowat)
			ret = sk.sk_socket->ops->set_rcvlowat(sk, val);
		else
			sk.sk_rcvlowat = val ? val : 1;
		break;
	case SO_RCVTIMEO:
		ret = sock_set_timeout(sk.sk_rcvtimeo, optval, optlen);
		break;
	case SO_SNDTIMEO:
		ret = sock_set_timeout(sk.sk_sndtimeo, optval, optlen);
		break;
	case SO_MARK:
		if (!raw_or_admin()) {
			ret = -EPERM;
			break;
		}
		if (sk.sk_mark != static_cast<u32>(val)) {
			sk.sk_mark = static_cast<u32>(val);
			sk_dst_reset(sk);
		}
		break;
	case SO_PEEK_OFF:
		sk.sk_peek_off = val;
		break;
	case SO_BUSY_POLL:
		if (val > static_cast<int>(sk.sk_ll_usec) && !sockopt_capable(CAP_NET_ADMIN))
			ret = -EPERM;
		else if (val < 0)
			ret = -EINVAL;
		else
			sk.sk_ll_usec = static_cast<u32>(val);
		break;
	case SO_PREFER_BUSY_POLL:
		if (val && !sockopt_capable(CAP_NET_ADMIN))
			ret = -EPERM;
		else
			sk.sk_prefer_busy_poll = val != 0;
		break;
	case SO_BUSY_POLL_BUDGET:
		if (val > sk.sk_busy_poll_budget && !sockopt_capable(CAP_NET_ADMIN))
			ret = -EPERM;
		else if (val < 0 || val > 0xffff)
			ret = -EINVAL;
		else
			sk.sk_busy_poll_budget = static_cast<u16>(val);
		break;
	case SO_MAX_PACING_RATE: {
		u64 rate = val == -1 ? ~u64{0} : static_cast<u32>(val);

		if (optlen >= sizeof(rate))
			std::memcpy(&rate, optval, sizeof(rate));
		if (rate != ~u64{0} && sk.sk_pacing_status == SK_PACING_NONE)
			sk.sk_pacing_status = SK_PACING_NEEDED;
		sk.sk_max_pacing_rate = rate;
		sk.sk_pacing_rate = std::min(sk.sk_pacing_rate, rate);
		break;
	}
	case SO_ATTACH_FILTER: {
		sock_fprog fprog;

		ret = copy_bpf_fprog_from_user(fprog, optval, optlen);
		if (!ret)
			ret = sk_attach_filter(fprog, sk);
		break;
	}
	case SO_DETACH_FILTER:
		ret = sk_detach_filter(sk);
		break;
	case SO_LOCK_FILTER:
		if (sock_flag(sk, SOCK_FILTER_LOCKED) && !valbool)
			ret = -EPERM;
		else
			sock_valbool_flag(sk, SOCK_FILTER_LOCKED, valbool);
		break;
	case SO_INCOMING_CPU:
		reuseport_update_incoming_cpu(sk, val);
		break;
	case SO_TXREHASH:
		if (val < -1 || val > 1)
			ret = -EINVAL;
		else
			sk.sk_txrehash = static_cast<u8>(val == -1 ? sock_net(sk).core.sysctl_txrehash : val);
		break;
	case SO_TYPE:
	case SO_PROTOCOL:
	case SO_DOMAIN:
	case SO_ERROR:
	default:
		ret = -ENOPROTOOPT;
		break;
	}
	sockopt_release_sock(sk);
	return ret;
}

int sock_setsockopt(socket &sock, int level, int optname, const void *optval, u32 optlen)
{
	TRACE(sock.sk);
	return sk_setsockopt(*sock.sk, level, optname, optval, optlen);
}

int sk_getsockopt(sock &sk, int, int optname, void *optval, int &optlen)
{
	TRACE(sk);
	u32 meminfo[9];
	int val = 0;
	const void *from = &val;
	int lv = sizeof(val);
	linger ling;
	timeval tv;
	u64 number;

	if (optlen < 0)
		return -EINVAL;
	switch (optname) {
	case SO_DEBUG:
		val = sock_flag(sk, SOCK_DBG);
		break;
	case SO_DONTROUTE:
		val = sock_flag(sk, SOCK_LOCALROUTE);
		break;
	case SO_BROADCAST:
		val = sock_flag(sk, SOCK_BROADCAST);
		break;
	case SO_SNDBUF:
		val = sk.sk_sndbuf;
		break;
	case SO_RCVBUF:
		val = sk.sk_rcvbuf;
		break;
	case SO_REUSEADDR:
		val = sk.sk_reuse;
		break;
	case SO_REUSEPORT:
		val = sk.sk_reuseport;
		break;
	case SO_KEEPALIVE:
		val = sock_flag(sk, SOCK_KEEPOPEN);
		break;
	case SO_TYPE:
		val = sk.sk_type;
		break;
	case SO_PROTOCOL:
		val = sk.sk_protocol;
		break;
	case SO_DOMAIN:
		val = sk.sk_family;
		break;
	case SO_ERROR:
		val = -sock_error(sk);
		if (!val)
			val = std::exchange(sk.sk_err_soft, 0);
		break;
	case SO_OOBINLINE:
		val = sock_flag(sk, SOCK_URGINLINE);
		break;
	case SO_NO_CHECK:
		val = sk.sk_no_check_tx;
		break;
	case SO_PRIORITY:
		val = static_cast<int>(sk.sk_priority);
		break;
	case SO_LINGER:
		ling = {sock_flag(sk, SOCK_LINGER), static_cast<int>(sk.sk_lingertime / HZ)};
		from = &ling;
		lv = sizeof(ling);
		break;
	case SO_TIMESTAMP:
		val = sock_flag(sk, SOCK_RCVTSTAMP) && !sock_flag(sk, SOCK_RCVTSTAMPNS);
		break;
	case SO_RCVTIMEO:
	case SO_SNDTIMEO:
		tv = sock_get_timeout(optname == SO_RCVTIMEO ? sk.sk_rcvtimeo : sk.sk_sndtimeo);
		from = &tv;
		lv = sizeof(tv);
		break;
	case SO_RCVLOWAT:
		val = sk.sk_rcvlowat;
		break;
	case SO_SNDLOWAT:
		val = 1;
		break;
	case SO_ACCEPTCONN:
		val = sk.sk_state == TCP_LISTEN;
		break;
	case SO_MARK:
		val = static_cast<int>(sk.sk_mark);
		break;
	case SO_PEEK_OFF:
		val = sk.sk_peek_off;
		break;
	case SO_MAX_PACING_RATE:
		number = sk.sk_max_pacing_rate;
		if (optlen >= static_cast<int>(sizeof(number))) {
			from = &number;
			lv = sizeof(number);
		} else {
			val = static_cast<int>(std::min(number, u64{0xffffffff}));
		}
		break;
	case SO_BINDTODEVICE:
		return sock_getbindtodevice(sk, optval, optlen);
	case SO_BUSY_POLL:
		val = static_cast<int>(sk.sk_ll_usec);
		break;
	case SO_PREFER_BUSY_POLL:
		val = sk.sk_prefer_busy_poll;
		break;
	case SO_INCOMING_NAPI_ID: // below, it names no queue
		val = sk.sk_napi_id < MIN_NAPI_ID ? 0 : static_cast<int>(sk.sk_napi_id);
		break;
	case SO_INCOMING_CPU:
		val = sk.sk_incoming_cpu;
		break;
	case SO_ATTACH_FILTER: // as SO_GET_FILTER; both lengths count instructions
		lv = sk_get_filter(sk, optval, static_cast<u32>(optlen));
		if (lv < 0)
			return lv;
		optlen = lv;
		return 0;
	case SO_LOCK_FILTER:
		val = sock_flag(sk, SOCK_FILTER_LOCKED);
		break;
	case SO_MEMINFO:
		sk_get_meminfo(sk, meminfo);
		from = meminfo;
		lv = sizeof(meminfo);
		break;
	case SO_TXREHASH:
		val = sk.sk_txrehash;
		break;
	default:
		return -ENOPROTOOPT;
	}
	lv = std::min(lv, optlen);
	std::memcpy(optval, from, static_cast<std::size_t>(lv));
	optlen = lv;
	return 0;
}

int sock_getsockopt(socket &sock, int level, int optname, void *optval, int &optlen)
{
	TRACE(sock.sk);
	return sk_getsockopt(*sock.sk, level, optname, optval, optlen);
}

} // namespace skbwalk
