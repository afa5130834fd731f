// SPDX-License-Identifier: GPL-2.0-only
//
// What a bridge sees besides frames for its own host: frames for others, known and unknown, broadcasts and
// groups, tags in front of them, what bridges say to each other, and IGMP; most of it well formed.
#pragma once

#include "tests/fuzz/frame_maker.h"

namespace skbwalk::fuzz {

class bridge_frames {
public:
	explicit bridge_frames(u64 seed) : d_{seed, "fuzz-bridge"} {}

	// A frame made for the host becomes one of a bridged link.
	bytes from(bytes f)
	{
		const u32 what = d_.below(100);
		if (what < 5)
			return bpdu();
		if (what < 10)
			return igmp();
		if (f.size() < 14)
			return f;
		if (what < 50)
			put_address(f.data(), d_.below(8));
		if (d_.percent(40))
			put_address(f.data() + 6, 2 + d_.below(5));
		while (d_.percent(15) && f.size() < 2000)
			tag(f);
		return f;
	}

private:
	// 0: everybody, 1: a group, 2 and up: stations behind either port, some of which never speak.
	void put_address(u8 *to, u32 which)
	{
		static constexpr std::array<u8, 6> groups[] = {
			{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}, {0x01, 0x80, 0xc2, 0x00, 0x00, 0x00},
			{0x01, 0x80, 0xc2, 0x00, 0x00, 0x01}, {0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e},
			{0x01, 0x80, 0xc2, 0x00, 0x00, 0x03}, {0x33, 0x33, 0x00, 0x00, 0x00, 0x01}};
		if (which == 0)
			std::memset(to, 0xff, 6);
		else if (which == 1)
			std::memcpy(to, d_.pick(groups).data(), 6);
		else
			std::memcpy(to, std::array<u8, 6>{2, 0, 0, 0, 1, static_cast<u8>(which)}.data(), 6);
	}

	void tag(bytes &f)
	{
		u8 t[4];
		put16(t, d_.percent(85) ? 0x8100 : 0x88a8);
		put16(t + 2, d_.percent(80) ? d_.below(4) * 10 : static_cast<u32>(d_.word()) & 0xffff);
		f.insert(f.begin() + 12, t, t + 4);
	}

	bytes bpdu()
	{
		bytes f(14 + 3 + 35);
		put_address(f.data(), 1);
		std::memcpy(f.data(), std::array<u8, 6>{1, 0x80, 0xc2, 0, 0, 0}.data(), 6);
		put_address(f.data() + 6, 2 + d_.below(3));
		const bool change = d_.percent(20);
		put16(f.data() + 12, d_.percent(95) ? (change ? 7 : 38) : d_.below(1500));
		f[14] = f[15] = 0x42;
		f[16] = 3;
		u8 *b = f.data() + 17;
		b[3] = change ? 0x80 : static_cast<u8>(d_.percent(98) ? 0 : d_.word());
		b[4] = static_cast<u8>(d_.percent(50) ? 0 : d_.word());
		for (const int at : {5, 17}) { // the root, and the bridge that says so
			put16(b + at, d_.percent(50) ? 0x1000 : 0x8000);
			put_address(b + at + 2, 2 + d_.below(3));
		}
		b[16] = static_cast<u8>(d_.below(8));
		put16(b + 25, 0x8000 + d_.below(3));
		put16(b + 27, d_.percent(90) ? d_.below(4) * 256 : static_cast<u32>(d_.word()) & 0xffff);
		put16(b + 29, d_.percent(90) ? 20 * 256 : static_cast<u32>(d_.word()) & 0xffff);
		put16(b + 31, 2 * 256);
		put16(b + 33, d_.percent(90) ? 15 * 256 : static_cast<u32>(d_.word()) & 0xffff);
		if (d_.percent(10))
			f.resize(14 + d_.below(static_cast<u32>(f.size()) - 14));
		return f;
	}

	bytes igmp()
	{
		static constexpr u8 types[] = {0x11, 0x11, 0x12, 0x16, 0x16, 0x17, 0x22, 0x13};
		const u8 type = d_.pick(types);
		bytes f(14 + 24 + (type == 0x22 ? 16 + 4 * d_.below(3) : d_.percent(20) ? 12 : 8));
		const u32 group = 0xef010203 + d_.below(3);
		put_address(f.data(), 1);
		put_address(f.data() + 6, 2 + d_.below(3));
		put16(f.data() + 12, 0x0800);
		u8 *ip = f.data() + 14;
		ip[0] = 0x46;
		put16(ip + 2, static_cast<u32>(f.size()) - 14);
		ip[8] = 1;
		ip[9] = 2;
		put32(ip + 12, 0x0a090001 + d_.below(4));
		put32(ip + 16, type == 0x11 && d_.percent(80) ? 0xe0000001 : group);
		put32(ip + 20, 0x94040000);
		put16(ip + 10, sum16(ip, 24));
		u8 *g = ip + 24;
		g[0] = type;
		g[1] = type == 0x11 ? static_cast<u8>(d_.below(255)) : 0;
		if (type == 0x22) {
			put16(g + 6, 1);
			g[8] = static_cast<u8>(1 + d_.below(6));
			put16(g + 10,
			      d_.percent(90) ? static_cast<u32>(f.size() - 14 - 24 - 16) / 4 : d_.below(100));
			put32(g + 12, group);
		} else if (type != 0x11 || d_.percent(40)) {
			put32(g + 4, group);
		}
		put16(g + 2, sum16(g, f.size() - 38));
		return f;
	}

	dice d_;
};

} // namespace skbwalk::fuzz
