// SPDX-License-Identifier: GPL-2.0-only
//
// The kernel's integer types, network byte order as types of their own, and TCP sequence numbers.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace skbwalk {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using s8 = std::int8_t;
using s16 = std::int16_t;
using s32 = std::int32_t;
using s64 = std::int64_t;
using gfp_t = u32;
using __wsum = u32; // an unfolded internet checksum, in host arithmetic over network-order bytes
using netdev_features_t = u64;
using possible_net_t = struct net *;

constexpr gfp_t GFP_KERNEL = 0;
constexpr gfp_t GFP_ATOMIC = 1;

// A 16-bit number as it stands on the wire. Stored as bytes (alignment 1); no arithmetic, no implicit
// conversion.
struct be16 {
	u8 b[2];
	friend constexpr bool operator==(be16 x, be16 y) { return x.raw() == y.raw(); }
	constexpr explicit operator bool() const { return raw() != 0; }
	// The two bytes as they lie in memory: for hashing and checksums, never for arithmetic.
	[[nodiscard]] constexpr u16 raw() const { return std::bit_cast<u16>(*this); }
};

// A 32-bit number as it stands on the wire.
struct be32 {
	u8 b[4];
	friend bool operator==(be32 x, be32 y) { return x.raw() == y.raw(); }
	explicit operator bool() const { return raw() != 0; }
	[[nodiscard]] u32 raw() const { return std::bit_cast<u32>(*this); }
	friend be32 operator&(be32 x, be32 y) { return std::bit_cast<be32>(x.raw() & y.raw()); }
	friend be32 operator|(be32 x, be32 y) { return std::bit_cast<be32>(x.raw() | y.raw()); }
	friend be32 operator^(be32 x, be32 y) { return std::bit_cast<be32>(x.raw() ^ y.raw()); }
	friend be32 operator~(be32 x) { return std::bit_cast<be32>(~x.raw()); }
};
static_assert(sizeof(be16) == 2 && alignof(be16) == 1 && std::is_trivially_copyable_v<be16>);
static_assert(sizeof(be32) == 4 && alignof(be32) == 1 && std::is_trivially_copyable_v<be32>);

constexpr be16 htons(u16 v) { return be16{{static_cast<u8>(v >> 8), static_cast<u8>(v)}}; }
constexpr u16 ntohs(be16 v) { return static_cast<u16>(v.b[0] << 8 | v.b[1]); }
inline be32 htonl(u32 v) { return std::bit_cast<be32>(__builtin_bswap32(v)); }
inline u32 ntohl(be32 v) { return __builtin_bswap32(v.raw()); }
static_assert(std::endian::native == std::endian::little);

// A TCP sequence number: arithmetic modulo 2^32 (RFC 9293, section 3.4). seq + length is a seq; seq - seq is
// a signed distance. Compare with before() and after(); relational operators do not exist.
struct seq32 {
	u32 v = 0;
	constexpr seq32() = default;
	constexpr explicit seq32(u32 x) : v(x) {}
	constexpr seq32 &operator+=(u32 n)
	{
		v += n;
		return *this;
	}
	constexpr seq32 &operator-=(u32 n)
	{
		v -= n;
		return *this;
	}
	constexpr seq32 &operator++()
	{
		++v;
		return *this;
	}
	constexpr seq32 operator++(int) { return seq32(v++); }
	friend constexpr seq32 operator+(seq32 s, u32 n) { return seq32(s.v + n); }
	friend constexpr seq32 operator-(seq32 s, u32 n) { return seq32(s.v - n); }
	friend constexpr s32 operator-(seq32 a, seq32 b) { return static_cast<s32>(a.v - b.v); }
	friend constexpr bool operator==(seq32, seq32) = default;
	friend bool operator<(seq32, seq32) = delete;
	friend bool operator>(seq32, seq32) = delete;
	friend bool operator<=(seq32, seq32) = delete;
	friend bool operator>=(seq32, seq32) = delete;
};
constexpr bool before(seq32 a, seq32 b) { return a - b < 0; }
constexpr bool after(seq32 a, seq32 b) { return before(b, a); }
// Is lo <= s <= hi?
constexpr bool between(seq32 s, seq32 lo, seq32 hi) { return hi.v - lo.v >= s.v - lo.v; }

} // namespace skbwalk
