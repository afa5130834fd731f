// SPDX-License-Identifier: GPL-2.0-only
//
// net/ethernet/eth.c: the Ethernet header is put before a packet (eth_header, or a copy of what
// eth_header_cache keeps with a neighbour) and taken off one that came (eth_type_trans); ether_setup makes a
// device an Ethernet device. Left out: DSA's switch ports.
#include "stack/ethernet/eth.h"

#include <cstring>

namespace skbwalk {

int eth_header(sk_buff &skb, net_device &dev, u16 type, const void *daddr, const void *saddr, u32 len)
{
	TRACE(skb, dev);
	auto &eth = *reinterpret_cast<ethhdr *>(skb_push(skb, ETH_HLEN));

	// Under 802.3 and 802.2 the field is a length.
	eth.h_proto = type != ETH_P_802_3 && type != ETH_P_802_2 ? htons(type) : htons(static_cast<u16>(len));
	std::memcpy(eth.h_source.data(), saddr ? saddr : dev.dev_addr.data(), ETH_ALEN);
	if (daddr) {
		std::memcpy(eth.h_dest.data(), daddr, ETH_ALEN);
		return ETH_HLEN;
	}
	if (dev.flags & (IFF_LOOPBACK | IFF_NOARP)) {
		eth.h_dest = {};
		return ETH_HLEN;
	}
	return -static_cast<int>(ETH_HLEN);
}

static void eth_skb_pkt_type(sk_buff &skb, const net_device &dev)
{
	TRACE_INLINE(skb, dev);
	const mac_addr &dest = eth_hdr(skb).h_dest;

	if (ether_addr_equal(dest, dev.dev_addr))
		return;
	if (!is_multicast_ether_addr(dest))
		skb.pkt_type = PACKET_OTHERHOST;
	else if (ether_addr_equal(dest, dev.broadcast))
		skb.pkt_type = PACKET_BROADCAST;
	else
		skb.pkt_type = PACKET_MULTICAST;
}

be16 eth_type_trans(sk_buff &skb, net_device &dev)
{
	TRACE(skb, dev);
	skb.dev = &dev;
	skb_reset_mac_header(skb);
	if (skb.len >= ETH_HLEN)
		__skb_pull(skb, ETH_HLEN);
	eth_skb_pkt_type(skb, dev);

	const be16 proto = eth_hdr(skb).h_proto;

	if (eth_proto_is_802_3(proto))
		return proto;

	// Old NetWare: 802.3 without an 802.2 header, known by its first bytes.
	u8 buffer[2];
	const auto *sap = static_cast<const u8 *>(skb_header_pointer(skb, 0, sizeof(buffer), buffer));

	if (sap && sap[0] == 0xff && sap[1] == 0xff)
		return htons(ETH_P_802_3);
	return htons(ETH_P_802_2);
}

int eth_header_parse(const sk_buff &skb, u8 *haddr)
{
	TRACE(skb);
	std::memcpy(haddr, eth_hdr(skb).h_source.data(), ETH_ALEN);
	return ETH_ALEN;
}

int eth_header_cache(const neighbour &neigh, hh_cache &hh, be16 type)
{
	TRACE(neigh.dev);
	if (type == htons(ETH_P_802_3))
		return -1;

	auto &eth = *reinterpret_cast<ethhdr *>(hh.hh_data + HH_DATA_OFF(sizeof(ethhdr)));

	eth.h_proto = type;
	eth.h_source = neigh.dev->dev_addr;
	eth.h_dest = neigh.ha;
	hh.hh_len = ETH_HLEN;
	return 0;
}

void eth_header_cache_update(hh_cache &hh, const net_device &dev, const u8 *haddr)
{
	TRACE(dev);
	std::memcpy(hh.hh_data + HH_DATA_OFF(sizeof(ethhdr)), haddr, ETH_ALEN);
}

be16 eth_header_parse_protocol(const sk_buff &skb)
{
	TRACE(skb);
	return eth_hdr(skb).h_proto;
}

int eth_prepare_mac_addr_change(const net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	if (!(dev.priv_flags & IFF_LIVE_ADDR_CHANGE) && netif_running(dev))
		return -EBUSY;
	return is_valid_ether_addr(addr) ? 0 : -EADDRNOTAVAIL;
}

void eth_commit_mac_addr_change(net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	eth_hw_addr_set(dev, addr);
}

int eth_mac_addr(net_device &dev, const mac_addr &addr)
{
	TRACE(dev);
	if (const int ret = eth_prepare_mac_addr_change(dev, addr); ret < 0)
		return ret;
	eth_commit_mac_addr_change(dev, addr);
	return 0;
}

int eth_validate_addr(net_device &dev)
{
	TRACE(dev);
	return is_valid_ether_addr(dev.dev_addr) ? 0 : -EADDRNOTAVAIL;
}

const header_ops eth_header_ops = {
	.create = eth_header,
	.parse = eth_header_parse,
	.cache = eth_header_cache,
	.cache_update = eth_header_cache_update,
	.parse_protocol = eth_header_parse_protocol,
};

void ether_setup(net_device &dev)
{
	TRACE(dev);
	dev.header_ops = &eth_header_ops;
	dev.type = ARPHRD_ETHER;
	dev.hard_header_len = ETH_HLEN;
	dev.min_header_len = ETH_HLEN;
	dev.mtu = ETH_DATA_LEN;
	dev.min_mtu = ETH_MIN_MTU;
	dev.max_mtu = ETH_DATA_LEN;
	dev.addr_len = ETH_ALEN;
	dev.tx_queue_len = 1000;
	dev.flags = IFF_BROADCAST | IFF_MULTICAST;
	dev.priv_flags |= IFF_TX_SKB_SHARING;
	dev.broadcast.fill(0xff);
}

void eth_random_addr(mac_addr &addr)
{
	TRACE_INLINE();
	get_random_bytes(addr.data(), addr.size());
	addr[0] = static_cast<u8>((addr[0] & 0xfe) | 0x02);
}

void eth_hw_addr_random(net_device &dev)
{
	TRACE_INLINE(dev);
	mac_addr addr;

	eth_random_addr(addr);
	eth_hw_addr_set(dev, addr);
	dev.addr_assign_type = NET_ADDR_RANDOM;
}

void eth_hw_addr_set(net_device &dev, const mac_addr &addr)
{
	TRACE_INLINE(dev);
	dev.dev_addr = addr;
}

} // namespace skbwalk
