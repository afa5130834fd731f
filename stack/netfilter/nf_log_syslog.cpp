// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_log_syslog.c: a packet as a line of the kernel's log: where it came in and where it goes,
// the header below, then IPv4 and what is in it, or ARP. Only the initial namespace's packets, unless
// net.netfilter.nf_log_all_netns says otherwise. Left out: IPv6, packets of other kinds.
#include <cstdio>
#include <cstring>
#include <string>

#include "stack/core/if_vlan.h"
#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/kernel/printk.h"
#include "stack/kernel/user_namespace.h"
#include "stack/netfilter/netfilter_bridge.h"
#include "stack/netfilter/nf_log.h"
#include "stack/wire/headers.h"

namespace skbwalk {

namespace {

constexpr nf_loginfo default_loginfo{NF_LOG_TYPE_LOG, {LOGLEVEL_NOTICE, NF_LOG_DEFAULT_MASK}};

struct arppayload {
	mac_addr mac_src;
	be32 ip_src;
	mac_addr mac_dst;
	be32 ip_dst;
};
static_assert(sizeof(arppayload) == 20);

constexpr u8 IPTOS_TOS_MASK = 0x1E, IPTOS_PREC_MASK = 0xE0;
constexpr u8 IPPROTO_ESP_NUMBER = 50, IPPROTO_AH_NUMBER = 51, IPPROTO_UDPLITE_NUMBER = 136;

u32 skb_mac_header_len(const sk_buff &skb) { return u32{skb.network_header} - skb.mac_header; }

// As %pM and %pI4 print them.
std::string mac_text(const mac_addr &a)
{
	char text[18];

	std::snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4],
	              a[5]);
	return text;
}
std::string dotted(be32 a)
{
	return std::to_string(a.b[0]) + "." + std::to_string(a.b[1]) + "." + std::to_string(a.b[2]) + "." +
	       std::to_string(a.b[3]);
}

template <class T> const T *header_at(const sk_buff &skb, u32 offset, T &buffer)
{
	return static_cast<const T *>(skb_header_pointer(skb, static_cast<int>(offset), sizeof(T), &buffer));
}

// The options behind a header of that size. False: they are not all there.
bool say_options(nf_log_buf &m, const sk_buff &skb, u32 offset, u32 size)
{
	u8 buffer[40];
	const auto *op = static_cast<const u8 *>(
		skb_header_pointer(skb, static_cast<int>(offset), static_cast<int>(size), buffer));

	if (!op)
		return false;
	nf_log_buf_add(m, "OPT (");
	for (u32 i = 0; i < size; ++i)
		nf_log_buf_add(m, "%02X", op[i]);
	nf_log_buf_add(m, ") ");
	return true;
}

// So long must an ICMP message be to have what its type promises.
u32 required_len(u8 type)
{
	switch (type) {
	case ICMP_ECHOREPLY:
	case ICMP_ECHO:
		return 4;
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_REDIRECT:
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETERPROB:
		return 8 + sizeof(iphdr);
	case ICMP_TIMESTAMP:
	case ICMP_TIMESTAMPREPLY:
		return 20;
	case ICMP_ADDRESS:
	case ICMP_ADDRESSREPLY:
		return 12;
	}
	return 0;
}

} // namespace

static bool nf_log_allowed(net &net)
{
	TRACE();
	return net_eq(net, init_net()) || nf_log_all_netns();
}

static void nf_log_dump_vlan(nf_log_buf &m, const sk_buff &skb)
{
	TRACE(skb);
	if (skb_vlan_tag_present(skb))
		nf_log_buf_add(m, "VPROTO=%04x VID=%u ", ntohs(skb.vlan_proto), u32{skb_vlan_tag_get(skb)});
}

namespace {

// The header below, by name.
void say_ethernet(nf_log_buf &m, const sk_buff &skb)
{
	const ethhdr &eth = eth_hdr(skb);

	nf_log_buf_add(m, "MACSRC=%s MACDST=%s ", mac_text(eth.h_source).c_str(),
	               mac_text(eth.h_dest).c_str());
	nf_log_dump_vlan(m, skb);
	nf_log_buf_add(m, "MACPROTO=%04x ", ntohs(eth.h_proto));
}

} // namespace

static void dump_arp_packet(nf_log_buf &m, const nf_loginfo &info, const sk_buff &skb, u32 nhoff)
{
	TRACE(skb);
	arphdr buffer;
	const arphdr *ah = header_at(skb, nhoff, buffer);

	if (!ah) {
		nf_log_buf_add(m, "TRUNCATED");
		return;
	}
	if (info.log.logflags & NF_LOG_MACDECODE && skb.dev && skb.dev->type == ARPHRD_ETHER &&
	    skb_mac_header_was_set(skb) && skb_mac_header_len(skb) >= ETH_HLEN)
		say_ethernet(m, skb);
	nf_log_buf_add(m, "ARP HTYPE=%d PTYPE=0x%04x OPCODE=%d", ntohs(ah->ar_hrd), ntohs(ah->ar_pro),
	               ntohs(ah->ar_op));
	if (ntohs(ah->ar_hrd) != ARPHRD_ETHER || ah->ar_hln != ETH_ALEN || ah->ar_pln != sizeof(be32))
		return;
	arppayload payload;
	const arppayload *ap = header_at(skb, nhoff + static_cast<u32>(sizeof(arphdr)), payload);
	if (!ap) {
		nf_log_buf_add(m, " INCOMPLETE [%zu bytes]", skb.len - sizeof(arphdr));
		return;
	}
	nf_log_buf_add(m, " MACSRC=%s IPSRC=%s MACDST=%s IPDST=%s", mac_text(ap->mac_src).c_str(),
	               dotted(ap->ip_src).c_str(), mac_text(ap->mac_dst).c_str(), dotted(ap->ip_dst).c_str());
}

static void nf_log_dump_packet_common(nf_log_buf &m, const sk_buff &skb, const net_device *in,
                                      const net_device *out, const nf_loginfo &loginfo, const char *prefix,
                                      net &net)
{
	TRACE(skb);
	nf_log_buf_add(m, "%c%c%sIN=%s OUT=%s ", KERN_SOH, '0' + loginfo.log.level, prefix,
	               in ? in->name.c_str() : "", out ? out->name.c_str() : "");
	if (const net_device *physindev = nf_bridge_get_physindev(skb, net); physindev && in != physindev)
		nf_log_buf_add(m, "PHYSIN=%s ", physindev->name.c_str());
	if (const net_device *physoutdev = nf_bridge_get_physoutdev(skb); physoutdev && out != physoutdev)
		nf_log_buf_add(m, "PHYSOUT=%s ", physoutdev->name.c_str());
}

static void nf_log_arp_packet(net &net, u8, u32, const sk_buff &skb, const net_device *in,
                              const net_device *out, const nf_loginfo *loginfo, const char *prefix)
{
	TRACE(skb);
	if (!nf_log_allowed(net))
		return;
	nf_log_buf &m = nf_log_buf_open();

	if (!loginfo)
		loginfo = &default_loginfo;
	nf_log_dump_packet_common(m, skb, in, out, *loginfo, prefix, net);
	dump_arp_packet(m, *loginfo, skb, static_cast<u32>(skb_network_offset(skb)));
	nf_log_buf_close(m);
}

// Unlike the kernel, who opened the file is always root: tasks have no other ids.
static void nf_log_dump_sk_uid_gid(net &net, nf_log_buf &m, sock *sk)
{
	TRACE(sk);
	if (!sk || !sk_fullsock(*sk) || !net_eq(net, sock_net(*sk)))
		return;
	_raw_read_lock_bh(sk->sk_callback_lock);
	if (sk->sk_socket && sk->sk_socket->file)
		nf_log_buf_add(m, "UID=%u GID=%u ", make_kuid(init_user_ns, 0), make_kuid(init_user_ns, 0));
	_raw_read_unlock_bh(sk->sk_callback_lock);
}

// 1: there is no more to be said.
static int nf_log_dump_tcp_header(nf_log_buf &m, const sk_buff &skb, u8, int fragment, u32 offset,
                                  u32 logflags)
{
	TRACE(skb);
	nf_log_buf_add(m, "PROTO=TCP ");
	if (fragment)
		return 0;
	tcphdr buffer;
	const tcphdr *th = header_at(skb, offset, buffer);
	if (!th) {
		nf_log_buf_add(m, "INCOMPLETE [%u bytes] ", skb.len - offset);
		return 1;
	}
	nf_log_buf_add(m, "SPT=%u DPT=%u ", u32{ntohs(th->source)}, u32{ntohs(th->dest)});
	if (logflags & NF_LOG_TCPSEQ)
		nf_log_buf_add(m, "SEQ=%u ACK=%u ", ntohl(th->seq), ntohl(th->ack_seq));
	nf_log_buf_add(m, "WINDOW=%u ", u32{ntohs(th->window)});
	nf_log_buf_add(m, "RES=0x%02x ", (th->doff_res & 0x0fu) << 2);
	if (th->cwr())
		nf_log_buf_add(m, "CWR ");
	if (th->ece())
		nf_log_buf_add(m, "ECE ");
	if (th->urg())
		nf_log_buf_add(m, "URG ");
	if (th->ack())
		nf_log_buf_add(m, "ACK ");
	if (th->psh())
		nf_log_buf_add(m, "PSH ");
	if (th->rst())
		nf_log_buf_add(m, "RST ");
	if (th->syn())
		nf_log_buf_add(m, "SYN ");
	if (th->fin())
		nf_log_buf_add(m, "FIN ");
	nf_log_buf_add(m, "URGP=%u ", u32{ntohs(th->urg_ptr)});

	if (logflags & NF_LOG_TCPOPT && th->doff() * 4 > sizeof(tcphdr) &&
	    !say_options(m, skb, offset + static_cast<u32>(sizeof(tcphdr)),
	                 th->doff() * 4 - static_cast<u32>(sizeof(tcphdr)))) {
		nf_log_buf_add(m, "OPT (TRUNCATED)");
		return 1;
	}
	return 0;
}

static int nf_log_dump_udp_header(nf_log_buf &m, const sk_buff &skb, u8 proto, int fragment, u32 offset)
{
	TRACE(skb);
	nf_log_buf_add(m, proto == IPPROTO_UDP ? "PROTO=UDP " : "PROTO=UDPLITE ");
	if (fragment)
		return 0;
	udphdr buffer;
	const udphdr *uh = header_at(skb, offset, buffer);
	if (!uh) {
		nf_log_buf_add(m, "INCOMPLETE [%u bytes] ", skb.len - offset);
		return 1;
	}
	nf_log_buf_add(m, "SPT=%u DPT=%u LEN=%u ", u32{ntohs(uh->source)}, u32{ntohs(uh->dest)},
	               u32{ntohs(uh->len)});
	return 0;
}

static void dump_ipv4_packet(net &net, nf_log_buf &m, const nf_loginfo &info, const sk_buff &skb, u32 iphoff);

namespace {

void say_icmp(net &net, nf_log_buf &m, const nf_loginfo &info, const sk_buff &skb, u32 iphoff, u32 offset)
{
	icmphdr buffer;
	const icmphdr *ich = header_at(skb, offset, buffer);

	if (!ich) {
		nf_log_buf_add(m, "INCOMPLETE [%u bytes] ", skb.len - offset);
		return;
	}
	nf_log_buf_add(m, "TYPE=%u CODE=%u ", u32{ich->type}, u32{ich->code});
	if (skb.len - offset < required_len(ich->type)) {
		nf_log_buf_add(m, "INCOMPLETE [%u bytes] ", skb.len - offset);
		return;
	}
	switch (ich->type) {
	case ICMP_ECHOREPLY:
	case ICMP_ECHO:
		nf_log_buf_add(m, "ID=%u SEQ=%u ", u32{ntohs(ich->un.echo.id)},
		               u32{ntohs(ich->un.echo.sequence)});
		break;
	case ICMP_PARAMETERPROB:
		nf_log_buf_add(m, "PARAMETER=%u ", ntohl(ich->un.gateway) >> 24);
		break;
	case ICMP_REDIRECT:
		nf_log_buf_add(m, "GATEWAY=%s ", dotted(ich->un.gateway).c_str());
		[[fallthrough]];
	case ICMP_DEST_UNREACH:
	case ICMP_SOURCE_QUENCH:
	case ICMP_TIME_EXCEEDED:
		if (!iphoff) { // once: what an error quotes is no error
			nf_log_buf_add(m, "[");
			dump_ipv4_packet(net, m, info, skb, offset + static_cast<u32>(sizeof(icmphdr)));
			nf_log_buf_add(m, "] ");
		}
		if (ich->type == ICMP_DEST_UNREACH && ich->code == ICMP_FRAG_NEEDED)
			nf_log_buf_add(m, "MTU=%u ", u32{ntohs(ich->un.frag.mtu)});
	}
}

// IPsec's headers: their number of the security association.
void say_spi(nf_log_buf &m, const sk_buff &skb, const char *name, u32 offset, u32 spi_at, u32 length)
{
	nf_log_buf_add(m, "PROTO=%s ", name);
	u8 buffer[12];
	const auto *p = static_cast<const u8 *>(
		skb_header_pointer(skb, static_cast<int>(offset), static_cast<int>(length), buffer));
	if (!p) {
		nf_log_buf_add(m, "INCOMPLETE [%u bytes] ", skb.len - offset);
		return;
	}
	be32 spi;
	std::memcpy(&spi, p + spi_at, sizeof(spi));
	nf_log_buf_add(m, "SPI=0x%x ", ntohl(spi));
}

} // namespace

static void dump_ipv4_packet(net &net, nf_log_buf &m, const nf_loginfo &info, const sk_buff &skb, u32 iphoff)
{
	TRACE(skb);
	const u32 logflags = info.log.logflags;
	iphdr buffer;
	const iphdr *ih = header_at(skb, iphoff, buffer);

	if (!ih) {
		nf_log_buf_add(m, "TRUNCATED");
		return;
	}
	nf_log_buf_add(m, "SRC=%s DST=%s ", dotted(ih->saddr).c_str(), dotted(ih->daddr).c_str());
	const u16 frag_off = ntohs(ih->frag_off);
	const u32 hdrlen = ih->ihl() * 4u;
	nf_log_buf_add(m, "LEN=%u TOS=0x%02X PREC=0x%02X TTL=%u ID=%u ", u32{ntohs(ih->tot_len)},
	               ih->tos & IPTOS_TOS_MASK, ih->tos & IPTOS_PREC_MASK, u32{ih->ttl}, u32{ntohs(ih->id)});
	if (frag_off & IP_CE)
		nf_log_buf_add(m, "CE ");
	if (frag_off & IP_DF)
		nf_log_buf_add(m, "DF ");
	if (frag_off & IP_MF)
		nf_log_buf_add(m, "MF ");
	if (frag_off & IP_OFFSET)
		nf_log_buf_add(m, "FRAG:%u ", u32{frag_off} & IP_OFFSET);

	if (logflags & NF_LOG_IPOPT && hdrlen > sizeof(iphdr) &&
	    !say_options(m, skb, iphoff + static_cast<u32>(sizeof(iphdr)),
	                 hdrlen - static_cast<u32>(sizeof(iphdr)))) {
		nf_log_buf_add(m, "TRUNCATED");
		return;
	}

	const u32 offset = iphoff + hdrlen;
	switch (ih->protocol) {
	case IPPROTO_TCP:
		if (nf_log_dump_tcp_header(m, skb, ih->protocol, frag_off & IP_OFFSET, offset, logflags))
			return;
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE_NUMBER:
		if (nf_log_dump_udp_header(m, skb, ih->protocol, frag_off & IP_OFFSET, offset))
			return;
		break;
	case IPPROTO_ICMP:
		nf_log_buf_add(m, "PROTO=ICMP ");
		if (!(frag_off & IP_OFFSET))
			say_icmp(net, m, info, skb, iphoff, offset);
		break;
	case IPPROTO_AH_NUMBER:
		if (!(frag_off & IP_OFFSET))
			say_spi(m, skb, "AH", offset, 4, 12);
		break;
	case IPPROTO_ESP_NUMBER:
		if (!(frag_off & IP_OFFSET))
			say_spi(m, skb, "ESP", offset, 0, 8);
		break;
	default:
		nf_log_buf_add(m, "PROTO=%u ", u32{ih->protocol});
	}

	if (logflags & NF_LOG_UID && !iphoff)
		nf_log_dump_sk_uid_gid(net, m, skb.sk);
	if (!iphoff && skb.mark)
		nf_log_buf_add(m, "MARK=0x%x ", skb.mark);
}

static void dump_mac_header(nf_log_buf &m, const nf_loginfo &info, const sk_buff &skb)
{
	TRACE(skb);
	const net_device &dev = *skb.dev;

	if (info.log.logflags & NF_LOG_MACDECODE && dev.type == ARPHRD_ETHER) {
		if (skb_mac_header_was_set(skb) && skb_mac_header_len(skb) >= ETH_HLEN)
			say_ethernet(m, skb);
		return;
	}
	nf_log_buf_add(m, "MAC=");
	if (dev.hard_header_len && skb_mac_header_was_set(skb) && skb_mac_header_len(skb) != 0) {
		const u8 *p = skb_mac_header(skb);

		nf_log_buf_add(m, "%02x", p[0]);
		for (u32 i = 1; i < dev.hard_header_len; ++i)
			nf_log_buf_add(m, ":%02x", p[i]);
	}
	nf_log_buf_add(m, " ");
}

static void nf_log_ip_packet(net &net, u8, u32, const sk_buff &skb, const net_device *in,
                             const net_device *out, const nf_loginfo *loginfo, const char *prefix)
{
	TRACE(skb);
	if (!nf_log_allowed(net))
		return;
	nf_log_buf &m = nf_log_buf_open();

	if (!loginfo)
		loginfo = &default_loginfo;
	nf_log_dump_packet_common(m, skb, in, out, *loginfo, prefix, net);
	if (in)
		dump_mac_header(m, *loginfo, skb);
	dump_ipv4_packet(net, m, *loginfo, skb, static_cast<u32>(skb_network_offset(skb)));
	nf_log_buf_close(m);
}

static constexpr nf_logger nf_arp_logger{"nf_log_arp", NF_LOG_TYPE_LOG, nf_log_arp_packet};
static constexpr nf_logger nf_ip_logger{"nf_log_ipv4", NF_LOG_TYPE_LOG, nf_log_ip_packet};

static int nf_log_syslog_net_init(net &net)
{
	TRACE();
	if (const int ret = nf_log_set(net, NFPROTO_IPV4, nf_ip_logger))
		return ret;
	return nf_log_set(net, NFPROTO_ARP, nf_arp_logger);
}

static void nf_log_syslog_net_pre_exit(net &net)
{
	TRACE();
	nf_log_unset(net, nf_ip_logger);
	nf_log_unset(net, nf_arp_logger);
}

static const pernet_operations nf_log_syslog_net_ops{"nf_log_syslog", nf_log_syslog_net_init,
                                                     nf_log_syslog_net_pre_exit};

int nf_log_syslog_init()
{
	TRACE();
	register_pernet_subsys(nf_log_syslog_net_ops);
	if (const int ret = nf_log_register(NFPROTO_IPV4, nf_ip_logger))
		return ret;
	return nf_log_register(NFPROTO_ARP, nf_arp_logger);
}

} // namespace skbwalk
