// SPDX-License-Identifier: GPL-2.0-only
//
// `tc qdisc show` and `tc class show` as iproute2 6.1 prints them.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "sim/setup_tc.h"
#include "sim/tc_units.h"

namespace skbwalk::sim {

namespace {

template <class T> std::string options_text(const std::string &, const T &) { return {}; }

std::string options_text(const std::string &kind, const tc_fifo_qopt &o)
{
	return kind == "bfifo" ? "limit " + tc_size_text(o.limit) : fmt::format("limit {}p", o.limit);
}

std::string options_text(const std::string &, const tc_prio_qopt &o)
{
	return fmt::format("bands {} priomap {}", o.bands, fmt::join(o.priomap, " "));
}

std::string options_text(const std::string &, const tc_fq_codel_opt &o)
{
	std::string out = fmt::format("limit {}p flows {} quantum {} target {} ", *o.limit, *o.flows,
	                              *o.quantum, tc_time_us_text(*o.target));
	if (o.ce_threshold)
		out += fmt::format("ce_threshold {} ", tc_time_us_text(*o.ce_threshold));
	out += fmt::format("interval {} memory_limit {} ", tc_time_us_text(*o.interval),
	                   tc_size_text(*o.memory_limit));
	if (*o.ecn)
		out += "ecn ";
	return out + fmt::format("drop_batch {} ", *o.drop_batch_size);
}

std::string options_text(const std::string &, const tc_fq_opt &o)
{
	std::string out = fmt::format("limit {}p flow_limit {}p buckets {} orphan_mask {} ", *o.plimit,
	                              *o.flow_plimit, 1u << *o.buckets_log, *o.orphan_mask);
	if (!*o.rate_enable)
		out += "nopacing ";
	out += fmt::format("quantum {}b initial_quantum {}b ", *o.quantum, *o.initial_quantum);
	if (*o.flow_max_rate != ~0u)
		out += fmt::format("maxrate {} ", tc_rate_text(*o.flow_max_rate));
	if (*o.low_rate_threshold)
		out += fmt::format("low_rate_threshold {} ", tc_rate_text(*o.low_rate_threshold));
	out += fmt::format("refill_delay {} ", tc_time_us_text(*o.flow_refill_delay));
	if (*o.ce_threshold != ~0u)
		out += fmt::format("ce_threshold {} ", tc_time_us_text(*o.ce_threshold));
	out += fmt::format("timer_slack {} horizon {} ", tc_time_ns_text(*o.timer_slack),
	                   tc_time_us_text(*o.horizon));
	return out + (*o.horizon_drop ? "horizon_drop " : "horizon_cap ");
}

// " NAME 5%", and " 25%" where the next leans on the last.
std::string chance(std::string_view name, u32 part, u32 correlation)
{
	if (!part)
		return {};
	std::string out = fmt::format(" {} {}", name, tc_percent_text(part));
	if (correlation)
		out += fmt::format(" {}", tc_percent_text(correlation));
	return out;
}

std::string slot_text(const tc_netem_slot &s)
{
	std::string out = s.dist_jitter
	                          ? fmt::format(" slot distribution {} {}", tc_time_ns_text(s.dist_delay),
	                                        tc_time_ns_text(s.dist_jitter))
	                          : fmt::format(" slot {} {}", tc_time_ns_text(s.min_delay),
	                                        tc_time_ns_text(s.max_delay));
	if (s.max_packets)
		out += fmt::format(" packets {}", s.max_packets);
	if (s.max_bytes)
		out += fmt::format(" bytes {}", s.max_bytes);
	return out;
}

std::string options_text(const std::string &, const tc_netem_opt &o)
{
	std::string out = fmt::format("limit {}", o.qopt.limit);
	const auto in_us = [](s64 ns) { return tc_time_us_text(static_cast<u32>(ns / 1000)); };
	if (*o.latency64) {
		out += " delay " + in_us(*o.latency64);
		if (*o.jitter64) {
			out += "  " + in_us(*o.jitter64);
			if (o.corr->delay_corr)
				out += fmt::format(" {}", tc_percent_text(o.corr->delay_corr));
		}
	}
	out += chance("loss", o.qopt.loss, o.corr->loss_corr);
	if (const auto &g = o.loss_gi)
		out += fmt::format(" loss state p13 {} p31 {} p32 {} p23 {} p14 {}", tc_percent_text(g->p13),
		                   tc_percent_text(g->p31), tc_percent_text(g->p32), tc_percent_text(g->p23),
		                   tc_percent_text(g->p14));
	if (const auto &g = o.loss_ge)
		out += fmt::format(" loss gemodel p {} r {} 1-h {} 1-k {}", tc_percent_text(g->p),
		                   tc_percent_text(g->r), tc_percent_text(0xffffffffu - g->h),
		                   tc_percent_text(g->k1));
	out += chance("duplicate", o.qopt.duplicate, o.corr->dup_corr);
	out += chance("reorder", o.reorder->probability, o.reorder->correlation);
	out += chance("corrupt", o.corrupt->probability, o.corrupt->correlation);
	if (o.rate->rate) {
		out += fmt::format(" rate {}", tc_rate_text(o.rate->rate));
		if (o.rate->packet_overhead)
			out += fmt::format(" packetoverhead {}", o.rate->packet_overhead);
		if (o.rate->cell_size)
			out += fmt::format(" cellsize {}", o.rate->cell_size);
		if (o.rate->cell_overhead)
			out += fmt::format(" celloverhead {}", o.rate->cell_overhead);
	}
	if (o.slot)
		out += slot_text(*o.slot);
	if (o.ecn)
		out += " ecn ";
	if (o.qopt.gap)
		out += fmt::format(" gap {}", o.qopt.gap);
	return out;
}

std::string tbf_text(const tc_tbf_opt &o, bool details)
{
	// The kernel tells a bucket's depth in ticks; the tool makes whole us of it, and of these bytes.
	const auto ticks_us = [](s64 ns) {
		return static_cast<u32>(static_cast<double>(PSCHED_NS2TICKS(ns)) / 15.625);
	};
	const auto bytes = [&](u64 rate, s64 ns) {
		return static_cast<u32>(static_cast<double>(rate) * ticks_us(ns) / 1e6);
	};
	const u32 burst = bytes(o.rate, o.buffer);
	// Details: the size of a cell in the rate table, and the least that a packet counts.
	const std::string cells = details ? fmt::format("/1 mpu {}", tc_size_text(o.mpu)) : "";
	std::string out =
		fmt::format("rate {} burst {}{} ", tc_rate_text(o.rate), tc_size_text(burst), cells);
	const auto wait = [&](u64 rate, s64 bucket_ns) {
		return 1e6 * (static_cast<double>(o.limit) / static_cast<double>(rate)) - ticks_us(bucket_ns);
	};
	double latency = wait(o.rate, o.buffer);
	if (o.peakrate) {
		const u32 mtu = bytes(o.peakrate, o.mtu);
		out += fmt::format("peakrate {} {} {}{} ", tc_rate_text(o.peakrate),
		                   details ? "mtu" : "minburst", tc_size_text(mtu), cells);
		latency = std::max(latency, wait(o.peakrate, o.mtu));
	}
	if (latency >= 0)
		out += fmt::format("lat {} ", tc_time_us_text(static_cast<u32>(latency)));
	if (o.overhead)
		out += fmt::format("overhead {} ", o.overhead);
	return out + (details ? "linklayer ethernet " : "");
}

std::string xstats_text(const std::monostate &) { return {}; }

std::string xstats_text(const tc_fq_codel_qd_stats &s)
{
	std::string out = fmt::format("  maxpacket {} drop_overlimit {} new_flow_count {} ecn_mark {}",
	                              s.maxpacket, s.drop_overlimit, s.new_flow_count, s.ecn_mark);
	if (s.ce_mark)
		out += fmt::format(" ce_mark {}", s.ce_mark);
	if (s.memory_usage)
		out += fmt::format(" memory_used {}", s.memory_usage);
	if (s.drop_overmemory)
		out += fmt::format(" drop_overmemory {}", s.drop_overmemory);
	return out + fmt::format("\n  new_flows_len {} old_flows_len {}\n", s.new_flows_len, s.old_flows_len);
}

std::string xstats_text(const tc_fq_qd_stats &s)
{
	std::string out = fmt::format("  flows {} (inactive {} throttled {})", s.flows, s.inactive_flows,
	                              s.throttled_flows);
	if (s.time_next_delayed_flow > 0)
		out += fmt::format(" next_packet_delay {}", tc_time_ns_text(s.time_next_delayed_flow));
	out += fmt::format("\n  gc {} highprio {} throttled {}", s.gc_flows, s.highprio_packets, s.throttled);
	if (s.unthrottle_latency_ns)
		out += fmt::format(" latency {}", tc_time_ns_text(s.unthrottle_latency_ns));
	if (s.ce_mark)
		out += fmt::format(" ce_mark {}", s.ce_mark);
	if (s.flows_plimit)
		out += fmt::format(" flows_plimit {}", s.flows_plimit);
	if (s.pkts_too_long || s.allocation_errors)
		out += "\n";
	if (s.pkts_too_long)
		out += fmt::format(" pkts_too_long {}", s.pkts_too_long);
	if (s.allocation_errors)
		out += fmt::format(" alloc_errors {}", s.allocation_errors);
	if (s.horizon_drops)
		out += fmt::format(" horizon_drops {}", s.horizon_drops);
	if (s.horizon_caps)
		out += fmt::format(" horizon_caps {}", s.horizon_caps);
	return out + "\n";
}

std::string stats_text(const tc_message &m)
{
	return fmt::format(" Sent {} bytes {} pkt (dropped {}, overlimits {} requeues {}) \n"
	                   " backlog {} {}p requeues {}\n",
	                   m.bstats.bytes, m.bstats.packets, m.qstats.drops, m.qstats.overlimits,
	                   m.qstats.requeues, tc_size_text(static_cast<u32>(m.qstats.backlog)), m.qstats.qlen,
	                   m.qstats.requeues);
}

} // namespace

std::string tc_show_qdiscs(net &space, const tc_filter &which)
{
	std::string out;
	for (const tc_message &m : tc_dump_qdisc(space, which.invisible)) {
		if ((which.dev && m.dev != which.dev) || (which.parent && m.parent != which.parent) ||
		    (which.handle && m.handle != which.handle))
			continue;
		out += fmt::format("qdisc {} {:x}: ", m.kind, m.handle >> 16);
		if (!which.dev)
			out += fmt::format("dev {} ", m.dev->name);
		if (m.parent == TC_H_ROOT)
			out += "root ";
		else if (m.parent)
			out += fmt::format("parent {} ", tc_handle_text(m.parent));
		if (m.info != 1)
			out += fmt::format("refcnt {} ", m.info);
		if (const auto *tbf = std::get_if<tc_tbf_opt>(&m.options.of))
			out += tbf_text(*tbf, which.details);
		else
			out += std::visit([&m](const auto &o) { return options_text(m.kind, o); },
			                  m.options.of);
		out += "\n";
		if (which.statistics) {
			out += stats_text(m);
			out += std::visit([](const auto &s) { return xstats_text(s); }, m.xstats.of);
		}
	}
	return out;
}

std::string tc_show_classes(net_device &dev, const tc_filter &which)
{
	std::string out;
	for (const tc_message &m : tc_dump_tclass(dev, which.parent)) {
		out += fmt::format("class {} {} parent {} ", m.kind, tc_handle_text(m.handle),
		                   tc_handle_text(m.parent));
		if (m.info)
			out += fmt::format("leaf {:x}: ", m.info >> 16);
		out += "\n";
		if (which.statistics)
			out += m.has_stats ? stats_text(m) : "\n";
	}
	return out;
}

} // namespace skbwalk::sim
