// SPDX-License-Identifier: GPL-2.0-only
//
// A booted host with two namespaces on a wire: v1 (10.0.0.1/24, the initial one, the subject) and v2
// (10.0.0.2/24, "far"). Packets are put in by hand as if v1 had received them; what leaves v1 is seen where
// v2 receives it. ARP is answered before the test begins.
#pragma once

#include "devices/veth.h"
#include "stack/ipv4/icmp.h"
#include "stack/ipv4/inet_frag.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/route.h"
#include "tests/support/door.h"

namespace skbwalk::test {

inline be32 ip(u8 a, u8 b, u8 c, u8 d) { return be32{{a, b, c, d}}; }

// An IPv4 packet as bytes; what is not set is right.
struct ip_packet {
	be32 saddr = ip(10, 0, 0, 2), daddr = ip(10, 0, 0, 1);
	u8 protocol = IPPROTO_UDP, ttl = 64, tos = 0;
	u16 id = 1, frag_off = 0;
	std::vector<u8> options, payload;

	[[nodiscard]] std::vector<u8> bytes() const
	{
		const std::size_t hlen = sizeof(iphdr) + options.size();
		std::vector<u8> b(hlen + payload.size());
		auto &h = *reinterpret_cast<iphdr *>(b.data());

		h = {.ver_ihl = static_cast<u8>(4 << 4 | hlen / 4),
		     .tos = tos,
		     .tot_len = htons(static_cast<u16>(b.size())),
		     .id = htons(id),
		     .frag_off = htons(frag_off),
		     .ttl = ttl,
		     .protocol = protocol,
		     .check = {},
		     .saddr = saddr,
		     .daddr = daddr};
		std::copy(options.begin(), options.end(), b.begin() + sizeof(iphdr));
		std::copy(payload.begin(), payload.end(), b.begin() + static_cast<std::ptrdiff_t>(hlen));
		h.check = ip_fast_csum(b.data(), static_cast<u32>(hlen / 4));
		return b;
	}
};

// A UDP datagram without a checksum.
inline std::vector<u8> udp(u16 source, u16 dest, const std::vector<u8> &data)
{
	const udphdr h{htons(source), htons(dest), htons(static_cast<u16>(sizeof(udphdr) + data.size())), {}};
	std::vector<u8> b(sizeof(h));

	std::memcpy(b.data(), &h, sizeof(h));
	b.insert(b.end(), data.begin(), data.end());
	return b;
}
inline std::vector<u8> counting(std::size_t n)
{
	std::vector<u8> b(n);

	for (std::size_t i = 0; i < n; ++i)
		b[i] = static_cast<u8>(i * 7 + (i >> 8));
	return b;
}

struct seen_packet {
	std::vector<u8> b;
	[[nodiscard]] const iphdr &ip() const { return *reinterpret_cast<const iphdr *>(b.data()); }
	[[nodiscard]] u32 hlen() const { return ip().ihl() * 4; }
	[[nodiscard]] const struct icmphdr &icmp() const
	{
		return *reinterpret_cast<const struct icmphdr *>(b.data() + hlen());
	}
	[[nodiscard]] std::vector<u8> payload() const { return {b.begin() + hlen(), b.end()}; }
	[[nodiscard]] u16 frag_off() const { return ntohs(ip().frag_off); }
};

class ip_wire : public door {
public:
	ip_wire()
	{
		const enter_cpu in(cpu());

		far = &copy_net_ns("far");
		EXPECT_EQ(veth_newlink(init_net(), "v1", *far, "v2"), 0);
		v1 = __dev_get_by_name(init_net(), "v1");
		v2 = __dev_get_by_name(*far, "v2");
		for (net_device *d : {far->loopback_dev, v1, v2})
			EXPECT_EQ(dev_open(*d), 0);
		EXPECT_EQ(inet_add_ifaddr(*v1, ip(10, 0, 0, 1), 24, be32{}, RT_SCOPE_UNIVERSE), 0);
		EXPECT_EQ(inet_add_ifaddr(*v2, ip(10, 0, 0, 2), 24, be32{}, RT_SCOPE_UNIVERSE), 0);
		tap_.type = htons(ETH_P_IP);
		tap_.dev = v2;
		tap_.af_packet_priv = this;
		tap_.func = [](skb_ptr skb, net_device &, packet_type &pt, net_device &) {
			seen_packet p;
			p.b.resize(skb->len);
			EXPECT_EQ(skb_copy_bits(*skb, 0, p.b.data(), static_cast<int>(skb->len)), 0);
			static_cast<ip_wire *>(pt.af_packet_priv)->sent.push_back(std::move(p));
			consume_skb(std::move(skb));
			return NET_RX_SUCCESS;
		};
		dev_add_pack(tap_);
	}
	~ip_wire()
	{
		const enter_cpu in(cpu());

		dev_remove_pack(tap_);
	}
	// Both ends learn who the other is.
	void meet()
	{
		run_ms(100);
		ip_packet p;
		p.protocol = IPPROTO_ICMP;
		p.payload = {8, 0, 0xf7, 0xff, 0, 0, 0, 0};
		receive(p.bytes());
		run_ms(100);
		ASSERT_EQ(sent.size(), 1u);
		sent.clear();
	}
	// As if the wire had brought it.
	void receive(const std::vector<u8> &b, u8 pkt_type = PACKET_HOST)
	{
		const enter_cpu in(cpu());
		skb_ptr skb = alloc_skb(static_cast<u32>(b.size()) + 64, GFP_ATOMIC);

		skb_reserve(*skb, 64);
		skb_put_data(*skb, b.data(), static_cast<u32>(b.size()));
		skb->dev = v1;
		skb->protocol = htons(ETH_P_IP);
		skb->pkt_type = pkt_type & 7;
		skb_reset_mac_header(*skb);
		local_bh_disable();
		netif_receive_skb(std::move(skb));
		local_bh_enable();
	}
	void receive(const ip_packet &p) { receive(p.bytes()); }
	u64 mib(ipstats_mib_item i) { return ns().mib.ip_statistics[i]; }
	u64 mib(icmp_mib_item i) { return ns().mib.icmp_statistics[i]; }
	u64 dropped(skb_drop_reason reason)
	{
		const enter_cpu in(cpu());

		return drop_counter(reason);
	}

	net *far = nullptr;
	net_device *v1 = nullptr, *v2 = nullptr;
	std::vector<seen_packet> sent; // by v1

private:
	packet_type tap_;
};

} // namespace skbwalk::test
