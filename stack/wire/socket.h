// SPDX-License-Identifier: GPL-2.0-only
//
// Constants and structures of the socket interface (include/linux/socket.h, uapi in.h, tcp.h, udp.h): numbers
// as on x86-64.
#pragma once

#include <cerrno>

#include "stack/kernel/types.h"

namespace skbwalk {

constexpr u16 AF_UNSPEC = 0, AF_INET = 2, AF_INET6 = 10, AF_PACKET = 17;
constexpr u16 PF_INET = AF_INET, PF_INET6 = AF_INET6, PF_PACKET = AF_PACKET;
enum sock_type { SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_PACKET = 10 };
constexpr int SOCK_TYPE_MASK = 0xf, SOCK_NONBLOCK = 04000, SOCK_CLOEXEC = 02000000;

struct sockaddr {
	u16 sa_family;
	u8 sa_data[14];
};
struct sockaddr_in {
	u16 sin_family = AF_INET;
	be16 sin_port{};
	be32 sin_addr{};
	u8 zero[8]{};
};
struct in6_addr {
	u8 s6_addr[16];
	friend bool operator==(const in6_addr &a, const in6_addr &b) { return !std::memcmp(&a, &b, 16); }
};
struct sockaddr_in6 {
	u16 sin6_family = AF_INET6;
	be16 sin6_port{};
	be32 sin6_flowinfo{};
	in6_addr sin6_addr{};
	u32 sin6_scope_id = 0;
};
struct sockaddr_storage {
	alignas(8) u8 bytes[128]{};
	[[nodiscard]] u16 family() const
	{
		u16 f;
		std::memcpy(&f, bytes, 2);
		return f;
	}
	template <class T> [[nodiscard]] T &as() { return *reinterpret_cast<T *>(bytes); }
	template <class T> [[nodiscard]] const T &as() const { return *reinterpret_cast<const T *>(bytes); }
};

constexpr u32 INADDR_ANY = 0, INADDR_LOOPBACK = 0x7f000001, INADDR_BROADCAST = 0xffffffff;
inline bool ipv4_is_loopback(be32 a) { return a.b[0] == 127; }
inline bool ipv4_is_multicast(be32 a) { return (a.b[0] & 0xf0) == 0xe0; }
inline bool ipv4_is_lbcast(be32 a) { return a.raw() == 0xffffffff; }
inline bool ipv4_is_zeronet(be32 a) { return a.raw() == 0; }
inline bool ipv4_is_local_multicast(be32 a) { return a.b[0] == 224 && !a.b[1] && !a.b[2]; }

constexpr int SOL_IP = 0, SOL_SOCKET = 1, SOL_TCP = 6, SOL_UDP = 17, SOL_IPV6 = 41, SOL_RAW = 255;
constexpr int SO_DEBUG = 1, SO_REUSEADDR = 2, SO_TYPE = 3, SO_ERROR = 4, SO_DONTROUTE = 5, SO_BROADCAST = 6,
	      SO_SNDBUF = 7, SO_RCVBUF = 8, SO_KEEPALIVE = 9, SO_OOBINLINE = 10, SO_PRIORITY = 12,
	      SO_LINGER = 13, SO_REUSEPORT = 15, SO_RCVLOWAT = 18, SO_SNDLOWAT = 19, SO_RCVTIMEO = 20,
	      SO_SNDTIMEO = 21, SO_BINDTODEVICE = 25, SO_ATTACH_FILTER = 26, SO_DETACH_FILTER = 27,
	      SO_TIMESTAMP = 29, SO_ACCEPTCONN = 30, SO_SNDBUFFORCE = 32, SO_RCVBUFFORCE = 33, SO_MARK = 36,
	      SO_PROTOCOL = 38, SO_DOMAIN = 39, SO_INCOMING_CPU = 49, SO_MAX_PACING_RATE = 47,
	      SO_BUSY_POLL = 46, SO_INCOMING_NAPI_ID = 56, SO_PREFER_BUSY_POLL = 69, SO_BUSY_POLL_BUDGET = 70,
	      SO_NO_CHECK = 11, SO_PEEK_OFF = 42, SO_MEMINFO = 55, SO_LOCK_FILTER = 44, SO_PEERSEC = 31,
	      SO_TXREHASH = 74;
constexpr int TCP_NODELAY = 1, TCP_MAXSEG = 2, TCP_CORK = 3, TCP_KEEPIDLE = 4, TCP_KEEPINTVL = 5,
	      TCP_KEEPCNT = 6, TCP_SYNCNT = 7, TCP_LINGER2 = 8, TCP_DEFER_ACCEPT = 9, TCP_WINDOW_CLAMP = 10,
	      TCP_INFO = 11, TCP_QUICKACK = 12, TCP_CONGESTION = 13, TCP_MD5SIG = 14, TCP_USER_TIMEOUT = 18,
	      TCP_FASTOPEN = 23, TCP_TIMESTAMP = 24, TCP_NOTSENT_LOWAT = 25, TCP_INQ = 36, TCP_TX_DELAY = 37,
	      TCP_THIN_LINEAR_TIMEOUTS = 16, TCP_THIN_DUPACK = 17, TCP_REPAIR = 19, TCP_CC_INFO = 26,
	      TCP_SAVE_SYN = 27, TCP_SAVED_SYN = 28, TCP_FASTOPEN_CONNECT = 30, TCP_ULP = 31,
	      TCP_FASTOPEN_KEY = 33, TCP_FASTOPEN_NO_COOKIE = 34, TCP_MD5SIG_EXT = 32;
constexpr int IP_TOS = 1, IP_TTL = 2, IP_HDRINCL = 3, IP_OPTIONS = 4, IP_ROUTER_ALERT = 5, IP_RECVOPTS = 6,
	      IP_RETOPTS = 7, IP_PKTINFO = 8, IP_MTU_DISCOVER = 10, IP_RECVERR = 11, IP_RECVTTL = 12,
	      IP_RECVTOS = 13, IP_MTU = 14, IP_FREEBIND = 15, IP_TRANSPARENT = 19, IP_RECVORIGDSTADDR = 20,
	      IP_MINTTL = 21, IP_NODEFRAG = 22, IP_CHECKSUM = 23, IP_BIND_ADDRESS_NO_PORT = 24,
	      IP_RECVFRAGSIZE = 25, IP_MULTICAST_IF = 32, IP_MULTICAST_TTL = 33, IP_MULTICAST_LOOP = 34,
	      IP_MULTICAST_ALL = 49, IP_UNICAST_IF = 50, IP_PROTOCOL = 52;
constexpr int IP_PMTUDISC_DONT = 0, IP_PMTUDISC_WANT = 1, IP_PMTUDISC_DO = 2, IP_PMTUDISC_PROBE = 3,
	      IP_PMTUDISC_INTERFACE = 4, IP_PMTUDISC_OMIT = 5;
constexpr int IPV6_V6ONLY = 26;
constexpr int SHUT_RD = 0, SHUT_WR = 1, SHUT_RDWR = 2;
constexpr u8 RCV_SHUTDOWN = 1, SEND_SHUTDOWN = 2, SHUTDOWN_MASK = 3;
constexpr int MSG_OOB = 1, MSG_PEEK = 2, MSG_DONTROUTE = 4, MSG_CTRUNC = 8, MSG_PROBE = 0x10,
	      MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_EOR = 0x80, MSG_WAITALL = 0x100, MSG_CONFIRM = 0x800,
	      MSG_ERRQUEUE = 0x2000, MSG_NOSIGNAL = 0x4000, MSG_MORE = 0x8000, MSG_ZEROCOPY = 0x4000000,
	      MSG_FASTOPEN = 0x20000000, MSG_SENDPAGE_NOTLAST = 0x20000;

enum socket_state { SS_FREE, SS_UNCONNECTED, SS_CONNECTING, SS_CONNECTED, SS_DISCONNECTING };

// Kernel-internal errnos that never reach a user.
constexpr int ERESTARTSYS = 512, ERESTARTNOHAND = 514, ENOIOCTLCMD = 515, ERESTART_RESTARTBLOCK = 516;

} // namespace skbwalk
