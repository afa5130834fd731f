// SPDX-License-Identifier: GPL-2.0-only
//
// A polled queue on lo and TCP segments for it. What goes up is kept and, where it was merged, cut again: the
// frames that come out must be those that went in.
#pragma once

#include <deque>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "stack/core/gro.h"
#include "stack/core/gso.h"
#include "stack/ipv4/protocol.h"
#include "stack/ipv4/tcp.h"
#include "tests/core/net_host.h"

namespace skbwalk::test {

enum class body { linear, page, frags };

struct tcp_seg {
	u32 seq = 1000, len = 100, ack = 1;
	u8 flags = TCPHDR_ACK;
	u16 window = 1000, sport = 5000, dport = 80, id = 0, urg = 0;
	bool df = true;
	u8 ttl = 64, tos = 0;
	u32 hash = 7;
	std::vector<u8> options{};
	u16 frag = 0;          // bits of frag_off besides DF
	u32 padding = 0;       // behind the packet
	u8 ip_options = 0;     // words
	bool bad_sum = false;  // TCP's
	bool bad_head = false; // IP's
	mac_addr from{{2, 0, 0, 0, 0, 1}};
	body in = body::page;
};

// The frame without its Ethernet header.
inline std::vector<u8> packet_of(const tcp_seg &s)
{
	const u32 ihl = 20 + s.ip_options * 4u, thl = 20 + static_cast<u32>(s.options.size());
	std::vector<u8> out(ihl + thl + s.len);
	iphdr &ip = *reinterpret_cast<iphdr *>(out.data());
	tcphdr &th = *reinterpret_cast<tcphdr *>(out.data() + ihl);

	ip.ver_ihl = static_cast<u8>(0x40 | ihl / 4);
	ip.tos = s.tos;
	ip.tot_len = htons(static_cast<u16>(out.size()));
	ip.id = htons(s.id);
	ip.frag_off = htons(static_cast<u16>((s.df ? IP_DF : 0) | s.frag));
	ip.ttl = s.ttl;
	ip.protocol = IPPROTO_TCP;
	ip.saddr = htonl(0x0a000001);
	ip.daddr = htonl(0x0a000002);
	std::fill_n(out.begin() + 20, s.ip_options * 4, u8{1}); // no-operation
	ip.check = be16{};
	ip.check = ip_fast_csum(&ip, ihl / 4);
	if (s.bad_head)
		ip.check.b[0] ^= 1;
	th.source = htons(s.sport);
	th.dest = htons(s.dport);
	th.seq = htonl(s.seq);
	th.ack_seq = htonl(s.ack);
	th.doff_res = static_cast<u8>(thl / 4 << 4);
	th.flags = s.flags;
	th.window = htons(s.window);
	th.urg_ptr = htons(s.urg);
	std::copy(s.options.begin(), s.options.end(), out.begin() + ihl + 20);
	for (u32 i = 0; i < s.len; ++i)
		out[ihl + thl + i] = static_cast<u8>((s.seq + i) * 31 >> 3);
	th.check = be16{};
	th.check = tcp_v4_check(thl + s.len, ip.saddr, ip.daddr, csum_partial(&th, thl + s.len, 0));
	if (s.bad_sum)
		th.check.b[0] ^= 1;
	return out;
}

class gro_bench {
public:
	// What went up, once.
	struct whole {
		u32 payload;
		u16 gso_size, gso_segs;
		u32 gso_type;
		u8 ip_summed, flags;
		bool operator==(const whole &) const = default;
	};

	gro_bench()
	{
		host.polls = true;
		host.enter();
		ipv4_offload_init();
		ip.type = htons(ETH_P_IP);
		ip.func = got;
		dev_add_pack(ip);
		netif_napi_add(lo(), napi, poll);
		napi_enable(napi);
		running() = this;
		local_bh_disable();
	}
	~gro_bench()
	{
		if (napi.state & NAPI_STATE_LISTED)
			remove();
		local_bh_enable();
		dev_remove_pack(ip);
		host.leave();
		running() = nullptr;
	}
	void remove()
	{
		local_bh_enable();
		napi_disable(napi);
		netif_napi_del(napi);
		local_bh_disable();
	}
	net_device &lo() { return *init_net().loopback_dev; }

	// As a driver has it after eth_type_trans().
	skb_ptr make(const tcp_seg &s)
	{
		const std::vector<u8> packet = packet_of(s);
		const u32 len = static_cast<u32>(packet.size());
		const ethhdr eth{lo().dev_addr, s.from, htons(ETH_P_IP)};
		skb_ptr skb = s.in == body::linear ? alloc_skb(len + ETH_HLEN + 64 + NET_SKB_PAD, GFP_ATOMIC)
		                                   : napi_alloc_skb(napi, 256 + len);

		if (s.in == body::linear)
			skb_reserve(*skb, NET_SKB_PAD);
		skb->dev = &lo();
		skb_put_data(*skb, &eth, ETH_HLEN);
		if (s.in == body::frags) {
			add_frag(*skb, packet);
		} else {
			skb_put_data(*skb, packet.data(), len);
			std::memset(skb_put(*skb, s.padding), 0, s.padding);
		}
		skb->protocol = eth_type_trans(*skb, lo());
		skb->hash = s.hash;
		return skb;
	}
	static void add_frag(sk_buff &skb, const std::vector<u8> &bytes)
	{
		page *pg = alloc_pages(GFP_ATOMIC, 0);

		std::memcpy(pg->data, bytes.data(), bytes.size());
		skb_add_rx_frag(skb, skb_shinfo(skb).nr_frags, pg, 0, static_cast<u32>(bytes.size()),
		                PAGE_SIZE);
	}
	gro_result_t give(const tcp_seg &s)
	{
		sent.push_back(packet_of(s));
		return napi_gro_receive(napi, make(s));
	}
	void flush()
	{
		napi_gro_flush(napi, false);
		gro_normal_list(napi);
	}
	u32 held() const
	{
		u32 n = 0;
		for (const gro_list &l : napi.gro_hash)
			n += static_cast<u32>(l.count);
		return n;
	}
	// The payloads of what went up, in order.
	std::vector<u32> sizes() const
	{
		std::vector<u32> out;
		for (const whole &w : up)
			out.push_back(w.payload);
		return out;
	}

	net_host host;
	napi_struct napi;
	packet_type ip;
	std::deque<tcp_seg> ring;    // of the device: what its poll finds
	std::function<void()> event; // happens in the next poll, after its work
	int polls = 0;
	std::vector<whole> up;
	std::vector<std::vector<u8>> sent, cut; // frames in, and out again

private:
	static gro_bench *&running()
	{
		static gro_bench *bench;
		return bench;
	}
	static int poll(napi_struct &n, int budget)
	{
		gro_bench &b = *running();
		int work = 0;

		++b.polls;
		for (; work < budget && !b.ring.empty(); ++work) {
			b.give(b.ring.front());
			b.ring.pop_front();
		}
		if (b.event)
			std::exchange(b.event, nullptr)();
		if (work < budget)
			napi_complete_done(n, work);
		return work;
	}
	static std::vector<u8> bytes_of(const sk_buff &skb)
	{
		std::vector<u8> out(skb.len);
		EXPECT_EQ(skb_copy_bits(skb, 0, out.data(), static_cast<int>(skb.len)), 0);
		return out;
	}
	static int got(skb_ptr skb, net_device &, packet_type &, net_device &)
	{
		gro_bench &b = *running();
		const skb_shared_info &shinfo = skb_shinfo(*skb);
		u8 head[60];
		EXPECT_EQ(skb_copy_bits(*skb, 0, head, std::min(60, static_cast<int>(skb->len))), 0);
		const iphdr &ip = *reinterpret_cast<const iphdr *>(head);
		const tcphdr &th = *reinterpret_cast<const tcphdr *>(head + ip.ihl() * 4);
		const u32 headers = ip.ihl() * 4 + th.doff() * 4;

		b.up.push_back({ntohs(ip.tot_len) - headers, shinfo.gso_size, shinfo.gso_segs,
		                shinfo.gso_type, skb->ip_summed, th.flags});
		if (!skb_is_gso(*skb)) {
			b.cut.push_back(bytes_of(*skb));
			b.cut.back().resize(ntohs(ip.tot_len));
			consume_skb(std::move(skb));
			return NET_RX_SUCCESS;
		}
		skb_push(*skb, ETH_HLEN);
		// Without scatter-gather, without checksums: all is computed here.
		const skb_segs segs = skb_gso_segment(*skb, 0, true);
		EXPECT_EQ(segs.err, 0);
		for (sk_buff *s = segs.list; s; s = s->next) {
			b.cut.push_back(bytes_of(*s));
			b.cut.back().erase(b.cut.back().begin(), b.cut.back().begin() + ETH_HLEN);
		}
		kfree_skb_list(segs.list);
		consume_skb(std::move(skb));
		return NET_RX_SUCCESS;
	}
};

} // namespace skbwalk::test
