// SPDX-License-Identifier: GPL-2.0-only
//
// What stands in front of frames on a device with IFF_VNET_HDR: headers that fit, such that nearly do, and
// noise; and frames grown to what a sender with TSO leaves, given as memory or as pages.
#pragma once

#include <algorithm>

#include "devices/tun.h"
#include "tests/fuzz/frame_maker.h"

namespace skbwalk::fuzz {

class vnet_headers {
public:
	explicit vnet_headers(u64 seed) : d_{seed, "fuzz-vnet"}, wanted_(d_.percent(50)) {}

	// Do the devices of this world have such headers?
	bool wanted() const { return wanted_; }
	u32 offloads()
	{
		return d_.percent(30) ? 0
		       : d_.percent(30)
		               ? TUN_F_CSUM
		               : TUN_F_CSUM | TUN_F_TSO4 | (d_.percent(50) ? TUN_F_TSO_ECN | TUN_F_TSO6 : 0);
	}

	void write(net_device &to, bytes frame)
	{
		const virtio_net_hdr header = next(frame);

		if (d_.percent(50)) {
			bytes whole(sizeof(header));
			std::memcpy(whole.data(), &header, sizeof(header));
			whole.insert(whole.end(), frame.begin(), frame.end());
			static_cast<void>(tun_get_user(to, whole.data(), whole.size()));
			return;
		}
		std::vector<skb_frag_t> pages;
		for (std::size_t at = 0; at < frame.size();) {
			const u32 order = d_.below(4);
			const u32 offset = d_.percent(50) ? 0 : d_.below(PAGE_SIZE << order);
			const auto n = static_cast<u32>(
				std::min<std::size_t>((PAGE_SIZE << order) - offset, frame.size() - at));
			page *pg = alloc_pages(GFP_KERNEL, order);

			std::memcpy(pg->data + offset, frame.data() + at, n);
			pages.push_back({pg, n, offset});
			at += n;
		}
		static_cast<void>(tun_get_user(to, &header, sizeof(header), pages));
		for (const skb_frag_t &f : pages)
			put_page(*f.pg);
	}

private:
	virtio_net_hdr next(bytes &frame)
	{
		virtio_net_hdr h{};
		const u32 what = d_.below(100);

		if (what < 40)
			return h;
		if (what < 50) {
			for (std::size_t i = 0; i < sizeof(h); ++i)
				reinterpret_cast<u8 *>(&h)[i] = static_cast<u8>(d_.word());
			return h;
		}
		const u16 start = frame.size() > 14 ? static_cast<u16>(14 + (frame[14] & 15) * 4) : 34;

		h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		h.csum_start = start;
		h.csum_offset = d_.percent(85) ? 16 : 6;
		if (what < 60)
			return h;
		if (d_.percent(60))
			grow(frame, start);
		h.gso_type = static_cast<u8>(
			(d_.percent(90) ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6) |
			(d_.percent(20) ? VIRTIO_NET_HDR_GSO_ECN : 0));
		h.hdr_len = static_cast<u16>(d_.percent(80) ? start + 20 + d_.below(20) : d_.wild());
		h.gso_size = static_cast<u16>(d_.percent(70) ? 1448 : d_.wild());
		if (d_.percent(15))
			h.csum_start = static_cast<u16>(d_.wild());
		if (d_.percent(15))
			h.flags = 0;
		return h;
	}

	// More payload than fits into a packet; its headers say so.
	void grow(bytes &frame, u16 start)
	{
		if (frame.size() < start + 20u || frame[12] != 8 || frame[13])
			return;
		frame.resize(std::min<std::size_t>(frame.size() + d_.below(60'000), 65'000));
		put16(frame.data() + 16, static_cast<u32>(frame.size() - 14));
		put16(frame.data() + 24, 0);
		u32 sum = 0;
		for (u32 i = 14; i + 1 < start; i += 2)
			sum += static_cast<u32>(frame[i] << 8 | frame[i + 1]);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		put16(frame.data() + 24, ~sum & 0xffff);
	}

	dice d_;
	bool wanted_;
};

} // namespace skbwalk::fuzz
