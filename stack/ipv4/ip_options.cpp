// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/ip_options.c: the options of the IP header (RFC 791). __ip_options_compile checks those of a
// packet that came in, or that a program gave for its socket, writes what this host has to write, and notes
// where each stands; ip_options_build puts a socket's options into a packet; __ip_options_echo turns those of
// a packet into what the answer carries; ip_options_rcv_srr follows a source route, ip_forward_options
// finishes what is written on the way out, ip_options_fragment takes out what only the first fragment may
// have. Left out: CIPSO beyond its place.
#include <cstring>

#include "stack/ipv4/icmp.h"
#include "stack/ipv4/ip.h"
#include "stack/ipv4/ip_fib.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

namespace {

be32 read_addr(const u8 *p)
{
	be32 addr;

	std::memcpy(&addr, p, sizeof(addr));
	return addr;
}
void write_addr(u8 *p, be32 addr) { std::memcpy(p, &addr, sizeof(addr)); }

} // namespace

// `daddr` is where the packet goes in the end; the header already has the next hop.
void ip_options_build(sk_buff &skb, const ip_options &opt, be32 daddr, rtable &rt)
{
	TRACE(skb);
	u8 *iph = skb_network_header(skb);

	static_cast<ip_options_info &>(IPCB(skb)) = opt;
	std::memcpy(iph + sizeof(iphdr), opt.data, opt.optlen);
	if (opt.srr)
		write_addr(iph + opt.srr + iph[opt.srr + 1] - 4, daddr);
	if (opt.rr_needaddr)
		ip_rt_get_source(iph + opt.rr + iph[opt.rr + 2] - 5, skb, rt);
	if (opt.ts_needaddr)
		ip_rt_get_source(iph + opt.ts + iph[opt.ts + 2] - 9, skb, rt);
	if (opt.ts_needtime)
		write_addr(iph + opt.ts + iph[opt.ts + 2] - 5, inet_current_timestamp());
}

// `sopt` is what the packet has, dopt what its answer gets: records and stamps go on where they stopped, a
// source route is turned round.
int __ip_options_echo(net &net, ip_options &dopt, sk_buff &skb, const ip_options_info &sopt)
{
	TRACE(skb);
	dopt = {};
	if (!sopt.optlen)
		return 0;

	const u8 *sptr = skb_network_header(skb);
	u8 *dptr = dopt.data;
	const auto take = [&](const u8 *from, u8 &at) {
		const u8 optlen = from[1];

		at = static_cast<u8>(dopt.optlen + sizeof(iphdr));
		std::memcpy(dptr, from, optlen);
		return optlen;
	};
	const auto taken = [&](int optlen) {
		dptr += optlen;
		dopt.optlen = static_cast<u8>(dopt.optlen + optlen);
	};

	if (sopt.rr) {
		const int soffset = sptr[sopt.rr + 2];
		const u8 optlen = take(sptr + sopt.rr, dopt.rr);

		if (sopt.rr_needaddr && soffset <= optlen) {
			if (soffset + 3 > optlen)
				return -EINVAL;
			dptr[2] = static_cast<u8>(soffset + 4);
			dopt.rr_needaddr = 1;
		}
		taken(optlen);
	}
	if (sopt.ts) {
		int soffset = sptr[sopt.ts + 2];
		const u8 optlen = take(sptr + sopt.ts, dopt.ts);

		if (soffset <= optlen) {
			if (sopt.ts_needaddr) {
				if (soffset + 3 > optlen)
					return -EINVAL;
				dopt.ts_needaddr = 1;
				soffset += 4;
			}
			if (sopt.ts_needtime) {
				if (soffset + 3 > optlen)
					return -EINVAL;
				if ((dptr[3] & 0xF) != IPOPT_TS_PRESPEC) {
					dopt.ts_needtime = 1;
					soffset += 4;
				} else if (soffset + 7 <= optlen &&
				           inet_addr_type(net, read_addr(dptr + soffset - 1)) !=
				                   RTN_UNICAST) {
					dopt.ts_needtime = 1;
					soffset += 8;
				}
			}
			dptr[2] = static_cast<u8>(soffset);
		}
		taken(optlen);
	}
	if (sopt.srr) {
		const u8 *start = sptr + sopt.srr;
		int soffset = std::min<int>(start[2], start[1] + 1) - 4, doffset = 0;

		if (soffset > 3) {
			dopt.faddr = read_addr(start + soffset - 1);
			for (soffset -= 4, doffset = 4; soffset > 3; soffset -= 4, doffset += 4)
				std::memcpy(dptr + doffset - 1, start + soffset - 1, 4);
			// RFC 1812, section 5.2.4.1: the sender does not belong into its own route.
			if (ip_hdr(skb).saddr == read_addr(start + soffset + 3))
				doffset -= 4;
		}
		if (doffset > 3) {
			dptr[0] = start[0];
			dptr[1] = static_cast<u8>(doffset + 3);
			dptr[2] = 4;
			dopt.srr = static_cast<u8>(dopt.optlen + sizeof(iphdr));
			dopt.is_strictroute = sopt.is_strictroute;
			taken(doffset + 3);
		} else {
			dopt.faddr = be32{};
		}
	}
	if (sopt.cipso)
		taken(take(sptr + sopt.cipso, dopt.cipso));
	while (dopt.optlen & 3) {
		*dptr++ = IPOPT_END;
		++dopt.optlen;
	}
	return 0;
}

// Makes NOOPs of the options that are not copied to every fragment.
void ip_options_fragment(sk_buff &skb)
{
	TRACE(skb);
	u8 *optptr = skb_network_header(skb) + sizeof(iphdr);
	inet_skb_cb &opt = IPCB(skb);

	for (int l = opt.optlen; l > 0;) {
		if (*optptr == IPOPT_END)
			return;
		if (*optptr == IPOPT_NOOP) {
			--l;
			++optptr;
			continue;
		}
		const int optlen = optptr[1];
		if (optlen < 2 || optlen > l)
			return;
		if (!IPOPT_COPIED(*optptr))
			std::memset(optptr, IPOPT_NOOP, static_cast<std::size_t>(optlen));
		l -= optlen;
		optptr += optlen;
	}
	opt.ts = 0;
	opt.rr = 0;
	opt.rr_needaddr = 0;
	opt.ts_needaddr = 0;
	opt.ts_needtime = 0;
}

// Looked up once at most.
static void spec_dst_fill(be32 &spec_dst, sk_buff &skb)
{
	TRACE(skb);
	if (!spec_dst)
		spec_dst = fib_compute_spec_dst(skb);
}

namespace {

// One option that is being compiled: `p` has `len` bytes. Each function returns where it is bad, or null.
struct one_option {
	net &ns;
	ip_options_info &opt;
	sk_buff *skb; // null: a program's options
	u8 *p;
	int len;
	u8 at; // offset from the IP header
	be32 &spec_dst;
	bool routed() const { return skb && skb_rtable(*skb); }
};

u8 *source_route(one_option &o)
{
	if (o.len < 3)
		return o.p + 1;
	if (o.p[2] < 4)
		return o.p + 2;
	if (o.opt.srr) // RFC 1812, section 5.2.4.1: one is enough
		return o.p;
	if (!o.skb) {
		if (o.p[2] != 4 || o.len < 7 || ((o.len - 3) & 3))
			return o.p + 1;
		// The first hop goes into the header's destination.
		o.opt.faddr = read_addr(o.p + 3);
		if (o.len > 7)
			std::memmove(o.p + 3, o.p + 7, static_cast<std::size_t>(o.len - 7));
	}
	o.opt.is_strictroute = o.p[0] == IPOPT_SSRR;
	o.opt.srr = o.at;
	return nullptr;
}

u8 *record_route(one_option &o)
{
	if (o.opt.rr)
		return o.p;
	if (o.len < 3)
		return o.p + 1;
	if (o.p[2] < 4)
		return o.p + 2;
	if (o.p[2] <= o.len) {
		if (o.p[2] + 3 > o.len)
			return o.p + 2;
		if (o.routed()) {
			spec_dst_fill(o.spec_dst, *o.skb);
			write_addr(o.p + o.p[2] - 1, o.spec_dst);
			o.opt.is_changed = 1;
		}
		o.p[2] = static_cast<u8>(o.p[2] + 4);
		o.opt.rr_needaddr = 1;
	}
	o.opt.rr = o.at;
	return nullptr;
}

// Room is left for a stamp: whose, and what goes into it?
u8 *take_stamp(one_option &o)
{
	u8 *timeptr = nullptr;

	switch (o.p[3] & 0xF) {
	case IPOPT_TS_TSONLY:
		if (o.skb)
			timeptr = o.p + o.p[2] - 1;
		o.opt.ts_needtime = 1;
		o.p[2] = static_cast<u8>(o.p[2] + 4);
		break;
	case IPOPT_TS_TSANDADDR:
		if (o.p[2] + 7 > o.len)
			return o.p + 2;
		if (o.routed()) {
			spec_dst_fill(o.spec_dst, *o.skb);
			write_addr(o.p + o.p[2] - 1, o.spec_dst);
			timeptr = o.p + o.p[2] + 3;
		}
		o.opt.ts_needaddr = 1;
		o.opt.ts_needtime = 1;
		o.p[2] = static_cast<u8>(o.p[2] + 8);
		break;
	case IPOPT_TS_PRESPEC:
		if (o.p[2] + 7 > o.len)
			return o.p + 2;
		if (inet_addr_type(o.ns, read_addr(o.p + o.p[2] - 1)) == RTN_UNICAST)
			break; // another host's turn
		if (o.skb)
			timeptr = o.p + o.p[2] + 3;
		o.opt.ts_needtime = 1;
		o.p[2] = static_cast<u8>(o.p[2] + 8);
		break;
	}
	if (timeptr) {
		write_addr(timeptr, inet_current_timestamp());
		o.opt.is_changed = 1;
	}
	return nullptr;
}

u8 *timestamp(one_option &o)
{
	if (o.opt.ts)
		return o.p;
	if (o.len < 4)
		return o.p + 1;
	if (o.p[2] < 5)
		return o.p + 2;
	if (o.p[2] <= o.len) {
		if (o.p[2] + 3 > o.len)
			return o.p + 2;
		if (u8 *bad = take_stamp(o))
			return bad;
	} else if ((o.p[3] & 0xF) != IPOPT_TS_PRESPEC) {
		const u32 overflow = o.p[3] >> 4;

		if (overflow == 15)
			return o.p + 3;
		if (o.skb) {
			o.p[3] = static_cast<u8>((o.p[3] & 0xF) | (overflow + 1) << 4);
			o.opt.is_changed = 1;
		}
	}
	o.opt.ts = o.at;
	return nullptr;
}

u8 *compile_one(one_option &o)
{
	switch (*o.p) {
	case IPOPT_SSRR:
	case IPOPT_LSRR:
		return source_route(o);
	case IPOPT_RR:
		return record_route(o);
	case IPOPT_TIMESTAMP:
		return timestamp(o);
	case IPOPT_RA:
		if (o.len < 4)
			return o.p + 1;
		if (!o.p[2] && !o.p[3])
			o.opt.router_alert = o.at;
		return nullptr;
	case IPOPT_CIPSO:
		if (o.opt.cipso)
			return o.p;
		o.opt.cipso = o.at;
		return nullptr;
	}
	return nullptr; // others go through as they are; tasks may set them, they are root
}

} // namespace

int __ip_options_compile(net &net, ip_options_info &opt, sk_buff *skb, be32 *info)
{
	TRACE(skb);
	be32 spec_dst{};
	u8 *optptr = skb ? skb_network_header(*skb) + sizeof(iphdr) : static_cast<ip_options &>(opt).data;
	const u8 *start = optptr;
	u8 *bad = nullptr;

	for (int l = opt.optlen; l > 0;) {
		if (*optptr == IPOPT_END) {
			for (++optptr, --l; l > 0; ++optptr, --l) {
				if (*optptr != IPOPT_END) {
					*optptr = IPOPT_END;
					opt.is_changed = 1;
				}
			}
			break;
		}
		if (*optptr == IPOPT_NOOP) {
			--l;
			++optptr;
			continue;
		}
		const int optlen = l < 2 ? 0 : optptr[1];
		if (optlen < 2 || optlen > l) {
			bad = optptr;
			break;
		}
		one_option one{net,     opt,
		               skb,     optptr,
		               optlen,  static_cast<u8>(optptr - start + static_cast<int>(sizeof(iphdr))),
		               spec_dst};
		bad = compile_one(one);
		if (bad)
			break;
		l -= optlen;
		optptr += optlen;
	}
	if (!bad)
		return 0;
	if (info)
		*info = htonl(static_cast<u32>(bad - start + static_cast<int>(sizeof(iphdr))) << 24);
	return -EINVAL;
}

int ip_options_compile(net &net, ip_options_info &opt, sk_buff *skb)
{
	TRACE(skb);
	be32 info{};
	const int ret = __ip_options_compile(net, opt, skb, &info);

	if (ret && skb)
		icmp_send(*skb, ICMP_PARAMETERPROB, 0, info);
	return ret;
}

// Gives a program its options as it gave them.
void ip_options_undo(ip_options &opt)
{
	TRACE();
	const auto at = [&](u8 off) { return opt.data + off - sizeof(iphdr); };

	if (opt.srr) {
		u8 *p = at(opt.srr);

		std::memmove(p + 7, p + 3, static_cast<std::size_t>(p[1] - 7));
		write_addr(p + 3, opt.faddr);
	}
	if (opt.rr_needaddr) {
		u8 *p = at(opt.rr);

		p[2] = static_cast<u8>(p[2] - 4);
		write_addr(p + p[2] - 1, be32{});
	}
	if (opt.ts) {
		u8 *p = at(opt.ts);

		if (opt.ts_needtime) {
			p[2] = static_cast<u8>(p[2] - 4);
			write_addr(p + p[2] - 1, be32{});
			if ((p[3] & 0xF) == IPOPT_TS_PRESPEC)
				p[2] = static_cast<u8>(p[2] - 4);
		}
		if (opt.ts_needaddr) {
			p[2] = static_cast<u8>(p[2] - 4);
			write_addr(p + p[2] - 1, be32{});
		}
	}
}

// A socket's options, from a program's bytes (forty at most).
int ip_options_get(net &net, std::shared_ptr<ip_options> &optp, const void *data, u32 optlen)
{
	TRACE();
	auto opt = std::make_shared<ip_options>();

	std::memcpy(opt->data, data, optlen);
	opt->optlen = static_cast<u8>((optlen + 3) & ~3u); // the rest is IPOPT_END
	if (optlen && ip_options_compile(net, *opt, nullptr))
		return -EINVAL;
	optp = std::move(opt);
	return 0;
}

void ip_forward_options(sk_buff &skb)
{
	TRACE(skb);
	inet_skb_cb &opt = IPCB(skb);
	rtable &rt = *skb_rtable(skb);
	u8 *raw = skb_network_header(skb);

	if (opt.rr_needaddr) {
		u8 *optptr = raw + opt.rr;

		ip_rt_get_source(optptr + optptr[2] - 5, skb, rt);
		opt.is_changed = 1;
	}
	if (opt.srr_is_hit) {
		u8 *optptr = raw + opt.srr;
		const int srrspace = optptr[1];
		int srrptr = optptr[2];

		while (srrptr + 3 <= srrspace && read_addr(optptr + srrptr - 1) != opt.nexthop)
			srrptr += 4;
		if (srrptr + 3 <= srrspace) {
			opt.is_changed = 1;
			ip_hdr(skb).daddr = opt.nexthop;
			ip_rt_get_source(optptr + srrptr - 1, skb, rt);
			optptr[2] = static_cast<u8>(srrptr + 4);
		}
		if (opt.ts_needaddr) {
			optptr = raw + opt.ts;
			ip_rt_get_source(optptr + optptr[2] - 9, skb, rt);
			opt.is_changed = 1;
		}
	}
	if (opt.is_changed) {
		opt.is_changed = 0;
		ip_send_check(ip_hdr(skb));
	}
}

// The packet is at a hop of its source route: gives it the route to the next one. Hops that are this host's
// own are skipped.
int ip_options_rcv_srr(sk_buff &skb, net_device &dev)
{
	TRACE(skb, dev);
	inet_skb_cb &opt = IPCB(skb);
	iphdr &iph = ip_hdr(skb);
	const u8 *optptr = skb_network_header(skb) + opt.srr;
	const rtable *rt = skb_rtable(skb);

	if (!rt)
		return 0;
	if (skb.pkt_type != PACKET_HOST)
		return -EINVAL;
	if (rt->rt_type == RTN_UNICAST) {
		if (!opt.is_strictroute)
			return 0;
		icmp_send(skb, ICMP_PARAMETERPROB, 0, htonl(16u << 24));
		return -EINVAL;
	}
	if (rt->rt_type != RTN_LOCAL)
		return -EINVAL;

	const int srrspace = optptr[1];
	be32 nexthop{};
	int srrptr;
	for (srrptr = optptr[2]; srrptr <= srrspace; srrptr += 4) {
		if (srrptr + 3 > srrspace) {
			icmp_send(skb, ICMP_PARAMETERPROB, 0, htonl(static_cast<u32>(opt.srr + 2) << 24));
			return -EINVAL;
		}
		nexthop = read_addr(optptr + srrptr - 1);

		const std::uintptr_t orefdst = std::exchange(skb._skb_refdst, 0);
		const int err = ip_route_input(skb, nexthop, iph.saddr, iph.tos, dev);
		const rtable *rt2 = skb_rtable(skb);
		if (err || (rt2->rt_type != RTN_UNICAST && rt2->rt_type != RTN_LOCAL)) {
			skb_dst_drop(skb);
			skb._skb_refdst = orefdst;
			return -EINVAL;
		}
		if (orefdst && !(orefdst & SKB_DST_NOREF))
			dst_release(reinterpret_cast<dst_entry *>(orefdst));
		if (rt2->rt_type != RTN_LOCAL)
			break;
		iph.daddr = nexthop;
		opt.is_changed = 1;
	}
	if (srrptr <= srrspace) {
		opt.srr_is_hit = 1;
		opt.nexthop = nexthop;
		opt.is_changed = 1;
	}
	return 0;
}

} // namespace skbwalk
