// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv6/addrconf_core.c: __ipv6_addr_type() tells an address's kind and scope by its prefix.
#include "stack/core/addrconf_core.h"

namespace skbwalk {

namespace {

u32 word(const in6_addr &a, std::size_t i)
{
	const u8 *b = a.s6_addr + 4 * i;

	return u32{b[0]} << 24 | u32{b[1]} << 16 | u32{b[2]} << 8 | b[3];
}

constexpr int scope_type(int scope) { return scope << 16; }

} // namespace

int __ipv6_addr_type(const in6_addr &addr)
{
	TRACE();
	const u32 st = word(addr, 0);
	constexpr int global = IPV6_ADDR_UNICAST | scope_type(IPV6_ADDR_SCOPE_GLOBAL);

	// All between 001 and 110 as first bits.
	if ((st & 0xe0000000) != 0 && (st & 0xe0000000) != 0xe0000000)
		return global;
	if ((st & 0xff000000) == 0xff000000)
		return IPV6_ADDR_MULTICAST | scope_type(addr.s6_addr[1] & 0x0f);
	if ((st & 0xffc00000) == 0xfe800000)
		return IPV6_ADDR_LINKLOCAL | IPV6_ADDR_UNICAST | scope_type(IPV6_ADDR_SCOPE_LINKLOCAL);
	if ((st & 0xffc00000) == 0xfec00000)
		return IPV6_ADDR_SITELOCAL | IPV6_ADDR_UNICAST | scope_type(IPV6_ADDR_SCOPE_SITELOCAL);
	if ((st & 0xfe000000) == 0xfc000000)
		return global; // RFC 4193
	if (!st && !word(addr, 1)) {
		const u32 last = word(addr, 3);

		if (!word(addr, 2)) {
			if (!last)
				return IPV6_ADDR_ANY;
			if (last == 1)
				return IPV6_ADDR_LOOPBACK | IPV6_ADDR_UNICAST |
				       scope_type(IPV6_ADDR_SCOPE_LINKLOCAL);
			return IPV6_ADDR_COMPATv4 | global;
		}
		if (word(addr, 2) == 0x0000ffff)
			return IPV6_ADDR_MAPPED | scope_type(IPV6_ADDR_SCOPE_GLOBAL);
	}
	return global;
}

} // namespace skbwalk
