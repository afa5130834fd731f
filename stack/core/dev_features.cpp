// SPDX-License-Identifier: GPL-2.0-only
//
// What a device can do with one packet (net/core/dev.c): its features, less what this packet rules out.
// netif_skb_features is asked for each packet sent; skb_csum_hwoffload_help finishes a checksum that the
// device cannot. Left out: MPLS, SCTP.
#include <cstddef>

#include "stack/core/netdevice.h"

namespace skbwalk {

be16 skb_network_protocol(sk_buff &skb, int *depth)
{
	TRACE(skb);
	be16 type = skb.protocol;
	u32 vlan_depth = skb.mac_len;

	// VLAN tags in front of the protocol: 4 bytes each, and no more than 8 of them.
	for (int tags = 0; type == htons(ETH_P_8021Q); ++tags) {
		be16 tag[2];
		const u32 offset = vlan_depth ? vlan_depth : ETH_HLEN;
		const auto *vh = static_cast<const be16 *>(
			skb_header_pointer(skb, static_cast<int>(offset), sizeof(tag), tag));

		if (!vh || tags == 8)
			return be16{};
		type = vh[1];
		vlan_depth = offset + static_cast<u32>(sizeof(tag));
	}
	if (depth)
		*depth = static_cast<int>(vlan_depth);
	return type;
}

static bool can_checksum_protocol(netdev_features_t features, be16 protocol)
{
	TRACE_INLINE();
	if (features & NETIF_F_HW_CSUM)
		return true;
	if (protocol == htons(ETH_P_IP))
		return features & NETIF_F_IP_CSUM;
	if (protocol == htons(ETH_P_IPV6))
		return features & NETIF_F_IPV6_CSUM;
	return false;
}

static netdev_features_t harmonize_features(sk_buff &skb, netdev_features_t features)
{
	TRACE(skb);
	const be16 type = skb_network_protocol(skb, nullptr);

	if (skb.ip_summed != CHECKSUM_NONE && !can_checksum_protocol(features, type))
		features &= ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
	return features;
}

netdev_features_t passthru_features_check(sk_buff &skb, net_device &dev, netdev_features_t features)
{
	TRACE(skb, dev);
	return features;
}

// Two VLAN tags are more than most devices offload.
static netdev_features_t dflt_features_check(sk_buff &skb, net_device &dev, netdev_features_t features)
{
	TRACE(skb, dev);
	if (skb.vlan_present && skb.protocol == htons(ETH_P_8021Q))
		features &= NETIF_F_SG | NETIF_F_HIGHDMA | NETIF_F_HW_CSUM | NETIF_F_FRAGLIST |
		            NETIF_F_HW_VLAN_CTAG_TX;
	return features;
}

static netdev_features_t gso_features_check(sk_buff &skb, net_device &dev, netdev_features_t features)
{
	TRACE(skb, dev);
	const skb_shared_info &shinfo = skb_shinfo(skb);

	if (shinfo.gso_segs > dev.gso_max_segs)
		return features & ~NETIF_F_GSO_MASK;
	if (skb.len >= dev.gso_max_size)
		return features & ~NETIF_F_GSO_MASK;
	if (!shinfo.gso_type)
		return features & ~NETIF_F_GSO_MASK;
	if (shinfo.gso_type & SKB_GSO_TCPV4) {
		iphdr buffer;
		const auto *iph = static_cast<const iphdr *>(
			skb_header_pointer(skb, skb_network_offset(skb), sizeof(buffer), &buffer));

		if (!iph || !(ntohs(iph->frag_off) & IP_DF))
			features &= ~NETIF_F_TSO_MANGLEID;
	}
	return features;
}

netdev_features_t netif_skb_features(sk_buff &skb)
{
	TRACE(skb);
	net_device &dev = *skb.dev;
	netdev_features_t features = dev.features;

	if (skb_is_gso(skb))
		features = gso_features_check(skb, dev, features);
	if (skb.encapsulation)
		features &= dev.hw_enc_features;
	if (skb.vlan_present || skb.protocol == htons(ETH_P_8021Q))
		features &= dev.vlan_features | NETIF_F_HW_VLAN_CTAG_TX;
	if (dev.netdev_ops->ndo_features_check)
		features &= dev.netdev_ops->ndo_features_check(skb, dev, features);
	else
		features &= dflt_features_check(skb, dev, features);
	return harmonize_features(skb, features);
}

int skb_csum_hwoffload_help(sk_buff &skb, netdev_features_t features)
{
	TRACE(skb);
	if (features & NETIF_F_HW_CSUM)
		return 0;
	if (features & (NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM)) {
		switch (skb.csum_offset) {
		case offsetof(tcphdr, check):
		case offsetof(udphdr, check):
			return 0;
		}
	}
	return skb_checksum_help(skb);
}

} // namespace skbwalk
