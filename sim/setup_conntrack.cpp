// SPDX-License-Identifier: GPL-2.0-only
//
// conntrack -L, -C, -F, -S (conntrack-tools 1.4.7): the namespace's connections as text, in the table's
// order.
#include <fmt/format.h>

#include "sim/setup_command.h"
#include "stack/kernel/kmod.h"
#include "stack/netfilter/nf_conntrack.h"

namespace skbwalk::sim {

namespace {

std::string tuple_text(const nf_conntrack_tuple &t)
{
	std::string out = fmt::format("src={} dst={} ", ipv4_text(t.src.u3), ipv4_text(t.dst.u3));
	switch (t.dst.protonum) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		out += fmt::format("sport={} dport={} ", ntohs(t.src.u), ntohs(t.dst.u));
		break;
	case IPPROTO_ICMP:
		out += fmt::format("type={} code={} id={} ", t.icmp_type(), t.dst.u.b[1], ntohs(t.src.u));
		break;
	}
	return out;
}

std::string counters_text(const nf_conn &ct, ip_conntrack_dir dir)
{
	const nf_conn_acct *acct = nf_conn_acct_find(ct);
	return acct ? fmt::format("packets={} bytes={} ", acct->counter[dir].packets,
	                          acct->counter[dir].bytes)
	            : std::string{};
}

std::string connection_text(const nf_conn &ct)
{
	const u8 proto = nf_ct_protonum(ct);
	std::string out =
		fmt::format("{:<8} {} {} ", nf_ct_l4proto_find(proto).name, proto, nf_ct_expires(ct) / HZ);
	if (proto == IPPROTO_TCP)
		out += fmt::format("{} ", tcp_conntrack_name(ct.proto.tcp.state));
	out += tuple_text(ct.tuplehash[0].tuple) + counters_text(ct, IP_CT_DIR_ORIGINAL);
	if (!(ct.status & IPS_SEEN_REPLY))
		out += "[UNREPLIED] ";
	out += tuple_text(ct.tuplehash[1].tuple) + counters_text(ct, IP_CT_DIR_REPLY);
	if (ct.status & IPS_ASSURED)
		out += "[ASSURED] ";
	return out + fmt::format("mark={} use={}\n", ct.mark, refcount_read(ct.use));
}

std::string statistics(const net &space)
{
	const ip_conntrack_stat &s = space.ct->stat;
	return fmt::format(
		"cpu=0   \tfound={} invalid={} insert={} insert_failed={} drop={} early_drop={} error={} "
		"search_restart={} clash_resolve={} chaintoolong={} \n",
		s.found, s.invalid, s.insert, s.insert_failed, s.drop, s.early_drop, s.error,
		s.search_restart, s.clash_resolve, s.chaintoolong);
}

} // namespace

void conntrack(command &c)
{
	std::string what;
	std::optional<u8> proto;
	while (c.more()) {
		const std::string o = c.take("an option");
		if (o == "-p" || o == "--proto") {
			const std::string word = c.take("a protocol");
			if (word == "tcp")
				proto = IPPROTO_TCP;
			else if (word == "udp")
				proto = IPPROTO_UDP;
			else if (word == "icmp")
				proto = IPPROTO_ICMP;
			else
				command::fails(fmt::format(
					"conntrack v1.4.7 (conntrack-tools): `{}' unsupported protocol",
					word));
		} else if (o == "-L" || o == "--dump" || o == "-C" || o == "--count" || o == "-F" ||
		           o == "--flush" || o == "-S" || o == "--stats") {
			what = o.starts_with("--") ? std::string{"-"} + static_cast<char>(std::toupper(o[2]))
			                           : o;
			if (what == "-D")
				what = "-L";
			if (o == "--stats")
				what = "-S";
			if (c.peek() == "conntrack")
				static_cast<void>(c.take("a table"));
		} else {
			c.not_modelled(fmt::format("`conntrack {}'", o));
		}
	}
	if (what.empty())
		c.bad("expected -L, -C, -F or -S");
	if (const int err = request_module("nf_conntrack"))
		command::fails(fmt::format("conntrack v1.4.7 (conntrack-tools): Operation failed: {}", -err));
	if (what == "-C") {
		c.out += fmt::format("{}\n", nf_conntrack_count(*c.in));
	} else if (what == "-F") {
		nf_conntrack_cleanup_net(*c.in);
		c.out += "conntrack v1.4.7 (conntrack-tools): connection tracking table has been emptied.\n";
	} else if (what == "-S") {
		c.out += statistics(*c.in);
	} else {
		u32 shown = 0;
		for (const hlist_nulls_head &head : nf_conntrack_of_host().hash)
			for (std::uintptr_t link = hlist_nulls_first(head); !is_a_nulls(link);
			     link = hlist_nulls_next(nulls_entry(link))) {
				nf_conntrack_tuple_hash &h = tuplehash_of(nulls_entry(link));
				const nf_conn &ct = nf_ct_tuplehash_to_ctrack(h);
				if (NF_CT_DIRECTION(h) == IP_CT_DIR_ORIGINAL &&
				    net_eq(nf_ct_net(ct), *c.in) && !nf_ct_is_expired(ct) &&
				    (!proto || *proto == nf_ct_protonum(ct))) {
					c.out += connection_text(ct);
					++shown;
				}
			}
		c.out += fmt::format("conntrack v1.4.7 (conntrack-tools): {} flow entries have been shown.\n",
		                     shown);
	}
}

} // namespace skbwalk::sim
