// SPDX-License-Identifier: GPL-2.0-only
//
// The tables, and the two ways to look into one.
#include "sim/scenario_names.h"

#include <algorithm>

#include "stack/core/sock.h"
#include "stack/ipv4/udp.h"
#include "stack/kernel/file.h"
#include "stack/wire/socket.h"

namespace skbwalk::sim {

std::span<const named_constant> errno_names()
{
	static constexpr named_constant names[] = {
		{"EPERM", EPERM},
		{"ENOENT", ENOENT},
		{"EINTR", EINTR},
		{"EIO", EIO},
		{"EBADF", EBADF},
		{"EAGAIN", EAGAIN},
		{"ENOMEM", ENOMEM},
		{"EACCES", EACCES},
		{"EFAULT", EFAULT},
		{"EBUSY", EBUSY},
		{"EEXIST", EEXIST},
		{"ENODEV", ENODEV},
		{"EINVAL", EINVAL},
		{"ENFILE", ENFILE},
		{"EMFILE", EMFILE},
		{"ENOTTY", ENOTTY},
		{"EPIPE", EPIPE},
		{"EDOM", EDOM},
		{"ERANGE", ERANGE},
		{"ELOOP", ELOOP},
		{"ENOSYS", ENOSYS},
		{"ENOTSOCK", ENOTSOCK},
		{"EDESTADDRREQ", EDESTADDRREQ},
		{"EMSGSIZE", EMSGSIZE},
		{"EPROTOTYPE", EPROTOTYPE},
		{"ENOPROTOOPT", ENOPROTOOPT},
		{"EPROTONOSUPPORT", EPROTONOSUPPORT},
		{"ESOCKTNOSUPPORT", ESOCKTNOSUPPORT},
		{"EOPNOTSUPP", EOPNOTSUPP},
		{"EPFNOSUPPORT", EPFNOSUPPORT},
		{"EAFNOSUPPORT", EAFNOSUPPORT},
		{"EADDRINUSE", EADDRINUSE},
		{"EADDRNOTAVAIL", EADDRNOTAVAIL},
		{"ENETDOWN", ENETDOWN},
		{"ENETUNREACH", ENETUNREACH},
		{"ENETRESET", ENETRESET},
		{"ECONNABORTED", ECONNABORTED},
		{"ECONNRESET", ECONNRESET},
		{"ENOBUFS", ENOBUFS},
		{"EISCONN", EISCONN},
		{"ENOTCONN", ENOTCONN},
		{"ESHUTDOWN", ESHUTDOWN},
		{"ETIMEDOUT", ETIMEDOUT},
		{"ECONNREFUSED", ECONNREFUSED},
		{"EHOSTDOWN", EHOSTDOWN},
		{"EHOSTUNREACH", EHOSTUNREACH},
		{"EALREADY", EALREADY},
		{"EINPROGRESS", EINPROGRESS},
		{"ENONET", ENONET},
		{"EPROTO", EPROTO},
		{"EBADMSG", EBADMSG},
		{"EOVERFLOW", EOVERFLOW},
		{"ENXIO", ENXIO},
		{"ECANCELED", ECANCELED},
		{"ENOTSUP", ENOTSUP},
		{"EWOULDBLOCK", EWOULDBLOCK},
	};
	return names;
}

std::span<const named_constant> domain_names()
{
	static constexpr named_constant names[] = {
		{"AF_INET", AF_INET},
		{"AF_INET6", AF_INET6},
		{"AF_PACKET", AF_PACKET},
		{"AF_UNSPEC", AF_UNSPEC},
	};
	return names;
}

std::span<const named_constant> type_names()
{
	static constexpr named_constant names[] = {
		{"SOCK_STREAM", skbwalk::SOCK_STREAM},
		{"SOCK_DGRAM", skbwalk::SOCK_DGRAM},
		{"SOCK_RAW", skbwalk::SOCK_RAW},
	};
	return names;
}

std::span<const named_constant> type_flag_names()
{
	static constexpr named_constant names[] = {
		{"SOCK_NONBLOCK", skbwalk::SOCK_NONBLOCK},
		{"SOCK_CLOEXEC", skbwalk::SOCK_CLOEXEC},
	};
	return names;
}

std::span<const named_constant> protocol_names()
{
	static constexpr named_constant names[] = {
		{"IPPROTO_IP", 0},    {"IPPROTO_ICMP", 1},    {"IPPROTO_TCP", 6},   {"IPPROTO_UDP", 17},
		{"IPPROTO_IPV6", 41}, {"IPPROTO_ICMPV6", 58}, {"IPPROTO_RAW", 255},
	};
	return names;
}

std::span<const named_constant> message_flag_names()
{
	static constexpr named_constant names[] = {
		{"MSG_OOB", MSG_OOB},
		{"MSG_PEEK", MSG_PEEK},
		{"MSG_DONTROUTE", MSG_DONTROUTE},
		{"MSG_CTRUNC", MSG_CTRUNC},
		{"MSG_PROBE", MSG_PROBE},
		{"MSG_TRUNC", MSG_TRUNC},
		{"MSG_DONTWAIT", MSG_DONTWAIT},
		{"MSG_EOR", MSG_EOR},
		{"MSG_WAITALL", MSG_WAITALL},
		{"MSG_CONFIRM", MSG_CONFIRM},
		{"MSG_ERRQUEUE", MSG_ERRQUEUE},
		{"MSG_NOSIGNAL", MSG_NOSIGNAL},
		{"MSG_MORE", MSG_MORE},
		{"MSG_ZEROCOPY", MSG_ZEROCOPY},
		{"MSG_FASTOPEN", MSG_FASTOPEN},
		{"MSG_SENDPAGE_NOTLAST", MSG_SENDPAGE_NOTLAST},
	};
	return names;
}

std::span<const named_constant> level_names()
{
	static constexpr named_constant names[] = {
		{"SOL_SOCKET", SOL_SOCKET}, {"SOL_IP", SOL_IP},       {"SOL_TCP", SOL_TCP},
		{"SOL_UDP", SOL_UDP},       {"SOL_IPV6", SOL_IPV6},   {"SOL_RAW", SOL_RAW},
		{"IPPROTO_IP", SOL_IP},     {"IPPROTO_TCP", SOL_TCP}, {"IPPROTO_UDP", SOL_UDP},
		{"IPPROTO_IPV6", SOL_IPV6},
	};
	return names;
}

static std::span<const named_constant> socket_option_names()
{
	static constexpr named_constant names[] = {
		{"SO_DEBUG", SO_DEBUG},
		{"SO_REUSEADDR", SO_REUSEADDR},
		{"SO_TYPE", SO_TYPE},
		{"SO_ERROR", SO_ERROR},
		{"SO_DONTROUTE", SO_DONTROUTE},
		{"SO_BROADCAST", SO_BROADCAST},
		{"SO_SNDBUF", SO_SNDBUF},
		{"SO_RCVBUF", SO_RCVBUF},
		{"SO_KEEPALIVE", SO_KEEPALIVE},
		{"SO_OOBINLINE", SO_OOBINLINE},
		{"SO_PRIORITY", SO_PRIORITY},
		{"SO_LINGER", SO_LINGER},
		{"SO_REUSEPORT", SO_REUSEPORT},
		{"SO_RCVLOWAT", SO_RCVLOWAT},
		{"SO_SNDLOWAT", SO_SNDLOWAT},
		{"SO_RCVTIMEO", SO_RCVTIMEO},
		{"SO_SNDTIMEO", SO_SNDTIMEO},
		{"SO_BINDTODEVICE", SO_BINDTODEVICE},
		{"SO_ATTACH_FILTER", SO_ATTACH_FILTER},
		{"SO_DETACH_FILTER", SO_DETACH_FILTER},
		{"SO_LOCK_FILTER", SO_LOCK_FILTER},
		{"SO_TIMESTAMP", SO_TIMESTAMP},
		{"SO_ACCEPTCONN", SO_ACCEPTCONN},
		{"SO_SNDBUFFORCE", SO_SNDBUFFORCE},
		{"SO_RCVBUFFORCE", SO_RCVBUFFORCE},
		{"SO_MARK", SO_MARK},
		{"SO_PROTOCOL", SO_PROTOCOL},
		{"SO_DOMAIN", SO_DOMAIN},
		{"SO_INCOMING_CPU", SO_INCOMING_CPU},
		{"SO_MAX_PACING_RATE", SO_MAX_PACING_RATE},
		{"SO_BUSY_POLL", SO_BUSY_POLL},
		{"SO_PREFER_BUSY_POLL", SO_PREFER_BUSY_POLL},
		{"SO_BUSY_POLL_BUDGET", SO_BUSY_POLL_BUDGET},
		{"SO_INCOMING_NAPI_ID", SO_INCOMING_NAPI_ID},
	};
	return names;
}

static std::span<const named_constant> tcp_option_names()
{
	static constexpr named_constant names[] = {
		{"TCP_NODELAY", TCP_NODELAY},
		{"TCP_MAXSEG", TCP_MAXSEG},
		{"TCP_CORK", TCP_CORK},
		{"TCP_KEEPIDLE", TCP_KEEPIDLE},
		{"TCP_KEEPINTVL", TCP_KEEPINTVL},
		{"TCP_KEEPCNT", TCP_KEEPCNT},
		{"TCP_SYNCNT", TCP_SYNCNT},
		{"TCP_LINGER2", TCP_LINGER2},
		{"TCP_DEFER_ACCEPT", TCP_DEFER_ACCEPT},
		{"TCP_WINDOW_CLAMP", TCP_WINDOW_CLAMP},
		{"TCP_INFO", TCP_INFO},
		{"TCP_QUICKACK", TCP_QUICKACK},
		{"TCP_CONGESTION", TCP_CONGESTION},
		{"TCP_MD5SIG", TCP_MD5SIG},
		{"TCP_MD5SIG_EXT", TCP_MD5SIG_EXT},
		{"TCP_USER_TIMEOUT", TCP_USER_TIMEOUT},
		{"TCP_FASTOPEN", TCP_FASTOPEN},
		{"TCP_TIMESTAMP", TCP_TIMESTAMP},
		{"TCP_NOTSENT_LOWAT", TCP_NOTSENT_LOWAT},
		{"TCP_INQ", TCP_INQ},
		{"TCP_TX_DELAY", TCP_TX_DELAY},
	};
	return names;
}

static std::span<const named_constant> ip_option_names()
{
	static constexpr named_constant names[] = {
		{"IP_TOS", IP_TOS},
		{"IP_TTL", IP_TTL},
		{"IP_HDRINCL", IP_HDRINCL},
		{"IP_PKTINFO", IP_PKTINFO},
		{"IP_MTU_DISCOVER", IP_MTU_DISCOVER},
		{"IP_RECVERR", IP_RECVERR},
		{"IP_RECVTTL", IP_RECVTTL},
		{"IP_MTU", IP_MTU},
		{"IP_FREEBIND", IP_FREEBIND},
		{"IP_TRANSPARENT", IP_TRANSPARENT},
		{"IP_BIND_ADDRESS_NO_PORT", IP_BIND_ADDRESS_NO_PORT},
	};
	return names;
}

static std::span<const named_constant> udp_option_names()
{
	static constexpr named_constant names[] = {
		{"UDP_CORK", UDP_CORK},
		{"UDP_SEGMENT", UDP_SEGMENT},
		{"UDP_GRO", UDP_GRO},
	};
	return names;
}

static std::span<const named_constant> ipv6_option_names()
{
	static constexpr named_constant names[] = {
		{"IPV6_V6ONLY", IPV6_V6ONLY},
	};
	return names;
}

std::span<const named_constant> option_names(long level)
{
	switch (level) {
	case SOL_SOCKET:
		return socket_option_names();
	case SOL_TCP:
		return tcp_option_names();
	case SOL_IP:
		return ip_option_names();
	case SOL_UDP:
		return udp_option_names();
	case SOL_IPV6:
		return ipv6_option_names();
	default:
		return {};
	}
}

std::span<const named_constant> how_names()
{
	static constexpr named_constant names[] = {
		{"SHUT_RD", SHUT_RD},
		{"SHUT_WR", SHUT_WR},
		{"SHUT_RDWR", SHUT_RDWR},
	};
	return names;
}

std::span<const named_constant> poll_event_names()
{
	static constexpr named_constant names[] = {
		{"EPOLLIN", EPOLLIN},
		{"EPOLLPRI", EPOLLPRI},
		{"EPOLLOUT", EPOLLOUT},
		{"EPOLLERR", EPOLLERR},
		{"EPOLLHUP", EPOLLHUP},
		{"EPOLLRDNORM", EPOLLRDNORM},
		{"EPOLLRDBAND", EPOLLRDBAND},
		{"EPOLLWRNORM", EPOLLWRNORM},
		{"EPOLLWRBAND", EPOLLWRBAND},
		{"EPOLLRDHUP", EPOLLRDHUP},
		{"EPOLLEXCLUSIVE", EPOLLEXCLUSIVE},
		{"EPOLLONESHOT", EPOLLONESHOT},
		{"EPOLLET", EPOLLET},
		{"POLLIN", EPOLLIN},
		{"POLLPRI", EPOLLPRI},
		{"POLLOUT", EPOLLOUT},
		{"POLLERR", EPOLLERR},
		{"POLLHUP", EPOLLHUP},
		{"POLLRDNORM", EPOLLRDNORM},
		{"POLLRDBAND", EPOLLRDBAND},
		{"POLLWRNORM", EPOLLWRNORM},
		{"POLLWRBAND", EPOLLWRBAND},
		{"POLLRDHUP", EPOLLRDHUP},
	};
	return names;
}

std::span<const named_constant> tcp_state_names()
{
	static constexpr named_constant names[] = {
		{"TCP_ESTABLISHED", TCP_ESTABLISHED},
		{"TCP_SYN_SENT", TCP_SYN_SENT},
		{"TCP_SYN_RECV", TCP_SYN_RECV},
		{"TCP_FIN_WAIT1", TCP_FIN_WAIT1},
		{"TCP_FIN_WAIT2", TCP_FIN_WAIT2},
		{"TCP_TIME_WAIT", TCP_TIME_WAIT},
		{"TCP_CLOSE", TCP_CLOSE},
		{"TCP_CLOSE_WAIT", TCP_CLOSE_WAIT},
		{"TCP_LAST_ACK", TCP_LAST_ACK},
		{"TCP_LISTEN", TCP_LISTEN},
		{"TCP_CLOSING", TCP_CLOSING},
		{"TCP_NEW_SYN_RECV", TCP_NEW_SYN_RECV},
	};
	return names;
}

std::optional<long> value_of(std::span<const named_constant> names, std::string_view name)
{
	const auto it = std::ranges::find(names, name, &named_constant::name);
	if (it == names.end())
		return {};
	return it->value;
}

std::string_view name_of(std::span<const named_constant> names, long value)
{
	const auto it = std::ranges::find(names, value, &named_constant::value);
	return it == names.end() ? std::string_view{} : it->name;
}

std::string one_of(std::span<const named_constant> names)
{
	std::string out;
	for (std::size_t i = 0; i < names.size(); ++i) {
		if (i)
			out += i + 1 == names.size() ? " or " : ", ";
		out += names[i].name;
	}
	return out;
}

} // namespace skbwalk::sim
