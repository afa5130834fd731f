// SPDX-License-Identifier: GPL-2.0-only
//
// What kind of address an IPv6 address is (net/ipv6.h). The kernel has this built in even where IPv6 is a
// module, since sockets of IPv4 ask it too.
#pragma once

#include "stack/trace/trace.h"
#include "stack/wire/socket.h"

namespace skbwalk {

constexpr int IPV6_ADDR_ANY = 0x0000, IPV6_ADDR_UNICAST = 0x0001, IPV6_ADDR_MULTICAST = 0x0002,
	      IPV6_ADDR_LOOPBACK = 0x0010, IPV6_ADDR_LINKLOCAL = 0x0020, IPV6_ADDR_SITELOCAL = 0x0040,
	      IPV6_ADDR_COMPATv4 = 0x0080, IPV6_ADDR_SCOPE_MASK = 0x00f0, IPV6_ADDR_MAPPED = 0x1000;
constexpr int IPV6_ADDR_SCOPE_LINKLOCAL = 0x02, IPV6_ADDR_SCOPE_SITELOCAL = 0x05,
	      IPV6_ADDR_SCOPE_GLOBAL = 0x0e;

// The kind in the lower 16 bits, the scope above.
int __ipv6_addr_type(const in6_addr &addr);
inline int ipv6_addr_type(const in6_addr &addr)
{
	TRACE_INLINE();
	return __ipv6_addr_type(addr) & 0xffff;
}
inline bool __ipv6_addr_needs_scope_id(int type)
{
	return (type & IPV6_ADDR_LINKLOCAL) ||
	       ((type & IPV6_ADDR_MULTICAST) && type >> 16 <= IPV6_ADDR_SCOPE_LINKLOCAL);
}
inline u32 ipv6_iface_scope_id(const in6_addr &addr, int iface)
{
	TRACE_INLINE();
	return __ipv6_addr_needs_scope_id(__ipv6_addr_type(addr)) ? static_cast<u32>(iface) : 0;
}

} // namespace skbwalk
