// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/flow_dissector.c: from a packet's headers to its flow. __skb_flow_dissect walks VLAN tags, IPv4 or
// IPv6 (with extension headers) to the ports; the flow is hashed with its ends in a fixed order, so that both
// directions agree. Left out: tunnels, MPLS, PPPoE and what only traffic classifiers ask for.
#include "stack/core/flow_dissector.h"

#include <algorithm>
#include <cstddef>

#include "stack/kernel/percpu.h"
#include "stack/kernel/random.h"

namespace skbwalk {

namespace {

struct hash_secret {
	siphash_key_t key;
	bool made = false;
};
perhost<hash_secret> hashrnd;

struct ipv6hdr {
	u8 ver_class;
	u8 class_flow[3];
	be16 payload_len;
	u8 nexthdr;
	u8 hop_limit;
	in6_addr saddr;
	in6_addr daddr;
};
static_assert(sizeof(ipv6hdr) == 40 && alignof(ipv6hdr) == 1);

constexpr u8 nexthdr_hop = 0, nexthdr_routing = 43, nexthdr_fragment = 44, nexthdr_icmp = 58,
	     nexthdr_dest = 60;
constexpr u8 ipproto_sctp = 132, ipproto_udplite = 136;

template <class T> const T *header_at(const sk_buff &skb, int offset, T &buffer)
{
	return static_cast<const T *>(skb_header_pointer(skb, offset, sizeof(T), &buffer));
}

// Where the ports stand after the transport header begins; negative: this protocol has none.
int proto_ports_offset(u8 proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == ipproto_sctp ||
	                       proto == ipproto_udplite
	               ? 0
	               : -EINVAL;
}

bool dissect_ipv4(const sk_buff &skb, flow_keys &keys, int &nhoff, u32 flags, bool &ports)
{
	iphdr buffer;
	const iphdr *iph = header_at(skb, nhoff, buffer);

	if (!iph || iph->ihl() < 5)
		return false;
	keys.control.addr_type = FLOW_DISSECTOR_KEY_IPV4_ADDRS;
	keys.v4addrs.src = iph->saddr;
	keys.v4addrs.dst = iph->daddr;
	keys.ip_proto = iph->protocol;
	nhoff += static_cast<int>(iph->ihl() * 4);
	if (ntohs(iph->frag_off) & (IP_MF | IP_OFFSET)) {
		keys.control.flags |= FLOW_DIS_IS_FRAGMENT;
		ports = false;
		if (!(ntohs(iph->frag_off) & IP_OFFSET)) {
			keys.control.flags |= FLOW_DIS_FIRST_FRAG;
			ports = flags & FLOW_DISSECTOR_F_PARSE_1ST_FRAG;
		}
	}
	return true;
}

bool dissect_ipv6(const sk_buff &skb, flow_keys &keys, int &nhoff, u32 flags, bool &ports)
{
	ipv6hdr buffer;
	const ipv6hdr *ip6h = header_at(skb, nhoff, buffer);

	if (!ip6h)
		return false;
	keys.control.addr_type = FLOW_DISSECTOR_KEY_IPV6_ADDRS;
	keys.v6addrs.src = ip6h->saddr;
	keys.v6addrs.dst = ip6h->daddr;
	keys.ip_proto = ip6h->nexthdr;
	keys.flow_label = static_cast<u32>(ip6h->class_flow[0] & 0x0f) << 16 |
	                  static_cast<u32>(ip6h->class_flow[1]) << 8 | ip6h->class_flow[2];
	nhoff += static_cast<int>(sizeof(ipv6hdr));
	if (keys.flow_label && (flags & FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL)) {
		ports = false;
		return true;
	}
	for (;;) {
		u8 ext_buffer[8];
		const bool fragment = keys.ip_proto == nexthdr_fragment;

		if (keys.ip_proto != nexthdr_hop && keys.ip_proto != nexthdr_routing &&
		    keys.ip_proto != nexthdr_dest && !fragment)
			return true;
		const auto *ext = static_cast<const u8 *>(
			skb_header_pointer(skb, nhoff, sizeof(ext_buffer), ext_buffer));
		if (!ext)
			return false;
		keys.ip_proto = ext[0];
		nhoff += fragment ? 8 : (ext[1] + 1) * 8;
		if (!fragment)
			continue;
		keys.control.flags |= FLOW_DIS_IS_FRAGMENT;
		ports = false;
		if (!((ext[2] << 8 | ext[3]) & 0xfff8)) {
			keys.control.flags |= FLOW_DIS_FIRST_FRAG;
			ports = flags & FLOW_DISSECTOR_F_PARSE_1ST_FRAG;
		}
		return true;
	}
}

} // namespace

be32 __skb_flow_get_ports(const sk_buff &skb, int thoff, u8 ip_proto, const void *data, int hlen)
{
	TRACE(skb);
	const int poff = proto_ports_offset(ip_proto);
	be32 ports{};

	if (poff < 0)
		return {};
	thoff += poff;
	if (data) {
		if (hlen - thoff < static_cast<int>(sizeof(ports)))
			return {};
		std::memcpy(&ports, static_cast<const u8 *>(data) + thoff, sizeof(ports));
		return ports;
	}
	return skb_copy_bits(skb, thoff, &ports, sizeof(ports)) < 0 ? be32{} : ports;
}

static void skb_flow_get_icmp_tci(const sk_buff &skb, flow_keys &keys, int thoff)
{
	TRACE(skb);
	icmphdr buffer;
	const icmphdr *ih = header_at(skb, thoff, buffer);

	if (!ih)
		return;
	keys.icmp_type = ih->type;
	keys.icmp_code = ih->code;
	const bool has_id = ih->type == ICMP_ECHO || ih->type == ICMP_ECHOREPLY ||
	                    ih->type == ICMP_TIMESTAMP || ih->type == ICMP_TIMESTAMPREPLY;
	keys.icmp_id = has_id ? static_cast<u16>(ih->un.echo.id.raw() ? ih->un.echo.id.raw() : 1) : u16{0};
}

bool __skb_flow_dissect(const sk_buff &skb, flow_keys &keys, u32 flags)
{
	TRACE(skb);
	be16 proto = skb.vlan_present ? skb.vlan_proto : skb.protocol;
	int nhoff = skb_network_offset(skb);
	bool ports = true;
	bool understood;

	if (skb.vlan_present) {
		keys.vlan_tci = htons(skb.vlan_tci);
		keys.vlan_tpid = skb.vlan_proto;
		proto = skb.protocol;
	}
	for (int tags = 0; proto == htons(ETH_P_8021Q) && tags < 2; ++tags) {
		struct {
			be16 tci;
			be16 proto;
		} buffer;
		const auto *vlan = header_at(skb, nhoff, buffer);

		if (!vlan)
			return false;
		keys.vlan_tci = vlan->tci;
		keys.vlan_tpid = proto;
		proto = vlan->proto;
		nhoff += static_cast<int>(sizeof(buffer));
	}
	if (proto == htons(ETH_P_IP))
		understood = dissect_ipv4(skb, keys, nhoff, flags, ports);
	else if (proto == htons(ETH_P_IPV6))
		understood = dissect_ipv6(skb, keys, nhoff, flags, ports);
	else
		understood = false;
	keys.n_proto = proto;
	keys.control.thoff = static_cast<u16>(std::min(nhoff, static_cast<int>(skb.len)));
	if (!understood || !ports)
		return understood;
	if (keys.ip_proto == IPPROTO_ICMP || keys.ip_proto == nexthdr_icmp)
		skb_flow_get_icmp_tci(skb, keys, nhoff);
	const be32 both = __skb_flow_get_ports(skb, nhoff, keys.ip_proto, nullptr, 0);
	std::memcpy(&keys.src, &both, sizeof(keys.src));
	std::memcpy(&keys.dst, both.b + sizeof(keys.src), sizeof(keys.dst));
	return true;
}

static void __flow_hash_consistentify(flow_keys &keys)
{
	TRACE();
	if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS) {
		if (keys.v4addrs.dst.raw() < keys.v4addrs.src.raw())
			std::swap(keys.v4addrs.src, keys.v4addrs.dst);
	} else if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS) {
		if (std::memcmp(&keys.v6addrs.dst, &keys.v6addrs.src, sizeof(in6_addr)) < 0)
			std::swap(keys.v6addrs.src, keys.v6addrs.dst);
	} else {
		return;
	}
	if (keys.dst.raw() < keys.src.raw())
		std::swap(keys.src, keys.dst);
}

static u32 __flow_hash_from_keys(flow_keys &keys, const siphash_key_t &keyval)
{
	TRACE();
	const auto *start = reinterpret_cast<const u8 *>(&keys) + offsetof(flow_keys, n_proto);
	std::size_t len = offsetof(flow_keys, v4addrs) - offsetof(flow_keys, n_proto);

	__flow_hash_consistentify(keys);
	if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV4_ADDRS)
		len += sizeof(keys.v4addrs);
	else if (keys.control.addr_type == FLOW_DISSECTOR_KEY_IPV6_ADDRS)
		len += sizeof(keys.v6addrs);
	const auto hash = static_cast<u32>(siphash(start, len, keyval));
	return hash ? hash : 1;
}

static const siphash_key_t &__flow_hash_secret_init()
{
	TRACE();
	if (!hashrnd->made) {
		get_random_bytes(&hashrnd->key, sizeof(hashrnd->key));
		hashrnd->made = true;
	}
	return hashrnd->key;
}

u32 flow_hash_from_keys(flow_keys &keys)
{
	TRACE();
	return __flow_hash_from_keys(keys, __flow_hash_secret_init());
}

void __skb_get_hash_net(sk_buff &skb)
{
	TRACE(skb);
	flow_keys keys;

	__skb_flow_dissect(skb, keys, FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL);
	const u32 hash = __flow_hash_from_keys(keys, __flow_hash_secret_init());
	__skb_set_sw_hash(skb, hash, flow_keys_have_l4(keys));
}

u32 __skb_get_hash_symmetric(const sk_buff &skb)
{
	TRACE(skb);
	flow_keys keys;

	__skb_flow_dissect(skb, keys, 0);
	return __flow_hash_from_keys(keys, __flow_hash_secret_init());
}

u32 skb_get_hash_perturb(const sk_buff &skb, const siphash_key_t &perturb)
{
	TRACE(skb);
	flow_keys keys;

	__skb_flow_dissect(skb, keys, FLOW_DISSECTOR_F_STOP_AT_FLOW_LABEL);
	return __flow_hash_from_keys(keys, perturb);
}

// Where the payload begins, as far as the headers tell.
u32 __skb_get_poff(const sk_buff &skb, const flow_keys &keys, int hlen)
{
	TRACE(skb);
	u32 poff = keys.control.thoff;

	if ((keys.control.flags & FLOW_DIS_IS_FRAGMENT) && !(keys.control.flags & FLOW_DIS_FIRST_FRAG))
		return poff;
	switch (keys.ip_proto) {
	case IPPROTO_TCP: {
		tcphdr buffer;
		const tcphdr *th = header_at(skb, static_cast<int>(poff), buffer);

		if (th)
			poff += std::max<u32>(sizeof(tcphdr), th->doff() * 4);
		break;
	}
	case IPPROTO_UDP:
	case ipproto_udplite:
		poff += sizeof(udphdr);
		break;
	case IPPROTO_ICMP:
	case nexthdr_icmp:
		poff += sizeof(icmphdr);
		break;
	default:
		break;
	}
	return std::min(poff, static_cast<u32>(hlen));
}

void skb_probe_transport_header(sk_buff &skb)
{
	TRACE(skb);
	flow_keys keys;

	if (skb_transport_header_was_set(skb))
		return;
	if (__skb_flow_dissect(skb, keys, 0))
		skb_set_transport_header(skb, keys.control.thoff);
}

} // namespace skbwalk
