// SPDX-License-Identifier: GPL-2.0-only
//
// Expectations: what a call returned, and at the end the states of sockets, counters, packets that went by a
// device, and the order of functions. Each that does not hold is a line with its JSON pointer, what was
// expected and what is.
#include <algorithm>
#include <cstring>
#include <sstream>

#include <fmt/format.h>

#include "sim/address_text.h"
#include "sim/runner.h"
#include "sim/runner_program.h"
#include "sim/trace_tree.h"
#include "sim/wire.h"
#include "stack/core/ethtool.h"
#include "stack/core/net_namespace.h"
#include "stack/core/net_sysfs.h"
#include "stack/core/rps.h"
#include "stack/core/skbuff.h"
#include "stack/core/sock.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/security/lsm_audit.h"
#include "stack/socket.h"

namespace skbwalk::sim {

namespace {

std::string result_text(long result)
{
	return result < 0 ? errno_name(static_cast<int>(-result)) : fmt::format("{}", result);
}

std::string data_text(std::string_view data)
{
	const bool printable = std::ranges::all_of(data, [](char c) { return c >= ' ' && c <= '~'; });
	if (printable && data.size() <= 60)
		return fmt::format("\"{}\"", data);
	std::string hex;
	for (const char c : data.substr(0, 16))
		hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
	return fmt::format("{} bytes {}{}", data.size(), hex, data.size() > 16 ? "..." : "");
}

// The first byte that differs says more than two megabytes.
std::string difference(std::string_view expected, std::string_view got)
{
	if (expected.size() == got.size() && expected.size() > 60) {
		const auto at = std::ranges::mismatch(expected, got).in1 - expected.begin();
		return fmt::format("expected other data from byte {} on", at);
	}
	return fmt::format("expected {}, got {}", data_text(expected), data_text(got));
}

// Options come back padded with zeros.
bool same_value(std::string_view expected, std::string_view got)
{
	const std::size_t common = std::min(expected.size(), got.size());
	const auto zeros = [](std::string_view s) {
		return s.find_first_not_of('\0') == std::string_view::npos;
	};
	return expected.substr(0, common) == got.substr(0, common) && zeros(expected.substr(common)) &&
	       zeros(got.substr(common));
}

std::string events_text(const std::map<std::string, u32> &events)
{
	std::string out;
	for (const auto &[fd, e] : events)
		out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", fd, poll_names(e));
	return "{" + out + "}";
}

frame_bytes frame_of(std::span<const std::byte> bytes)
{
	const auto *from = reinterpret_cast<const u8 *>(bytes.data());
	return {from, from + bytes.size()};
}

} // namespace

bool runner::check_result(program &p, const step &s, long result)
{
	const std::size_t failures = report_.failures.size();
	const step_expectation &e = s.expect;
	const auto bad = [&](const std::string &what) {
		fail(fmt::format("{}: {}: {}", s.where, s.text(), what));
	};

	if (e.anything)
		return true;
	if (e.error) {
		if (result != -e.error)
			bad(fmt::format("expected {}, got {}", errno_name(e.error), result_text(result)));
		return report_.failures.size() == failures;
	}
	if (e.result ? result != *e.result : result < 0) {
		bad(fmt::format("expected {}, got {}", e.result ? fmt::format("{}", *e.result) : "no error",
		                result_text(result)));
		return false;
	}
	if (e.data && *e.data != p.got.data)
		bad(difference(*e.data, p.got.data));
	if (e.value && !same_value(*e.value, p.got.data))
		bad(fmt::format("expected the value {}, got {}", data_text(*e.value), data_text(p.got.data)));
	if (e.addr) {
		const std::string wanted = socket_address_text(e.addr->bytes),
				  is = socket_address_text(p.got.addr);
		// Port 0 in an expectation is any port.
		const std::string stem = wanted.substr(0, wanted.rfind(':') + 1);
		if (wanted.ends_with(":0") ? !is.starts_with(stem) : wanted != is)
			bad(fmt::format("expected the address {}, got {}", wanted,
			                p.got.addr_len ? is : "none"));
	}
	if (e.events) {
		std::map<std::string, u32> wanted;
		for (const polled &w : *e.events)
			if (w.events)
				wanted[w.fd] = w.events;
		if (wanted != p.got.events)
			bad(fmt::format("expected the events {}, got {}", events_text(wanted),
			                events_text(p.got.events)));
	}
	return report_.failures.size() == failures;
}

// Those of which a time is expected are listed, whether they keep it or not.
void runner::check_time(const step &s, u64 took_ns)
{
	const u64 took_us = took_ns / NSEC_PER_USEC;

	if (!s.expect.took_us)
		return;
	timed_text_ += fmt::format("{:<32}{}.{:03} ms\n", s.text(), took_us / 1000, took_us % 1000);
	if (took_us < s.expect.took_us->least || took_us > s.expect.took_us->most)
		fail(fmt::format("{}: {}: expected it to take {} us, it took {}", s.where, s.text(),
		                 s.expect.took_us->text(), took_us));
}

// ---- looking at state -----------------------------------------------------------------------------------

std::string runner::state_of(const program &p, const std::string &fd) const
{
	const socket *sock = socket_of_fd(*p.task, p.fd(fd));
	if (!sock || !sock->sk)
		return "closed";
	const inet_sock &inet = inet_sk(*sock->sk);
	std::string out{tcp_state_name(inet.sk_state)};
	out += fmt::format(" {}:{}", ipv4_text(inet.inet_rcv_saddr), inet.inet_num);
	if (inet.inet_dport)
		out += fmt::format(" to {}:{}", ipv4_text(inet.inet_daddr), ntohs(inet.inet_dport));
	return out;
}

std::string runner::who_waits()
{
	std::string out;
	for (const auto &p : programs_) {
		if (!p->now)
			continue;
		const step &s = *p->now;
		const char *const where = p->task->wait_channel;
		out += fmt::format("task {} waits in {}() of {} ({})", p->what.name, where ? where : "?",
		                   call_name(s.call), s.where);
		if (!s.fd.empty() && s.call != call_kind::epoll_wait)
			out += fmt::format(", {}: {}", s.fd, state_of(*p, s.fd));
		for (const polled &e : s.polls)
			out += fmt::format(", {}: {}", e.fd, state_of(*p, e.fd));
		out += '\n';
	}
	for (std::size_t i = next_; i < list_.size() && i < next_ + 1; ++i)
		out += fmt::format("the next step, {} ({}), never starts\n", list_[i]->text(),
		                   list_[i]->where);
	return out;
}

net *runner::net_of(const std::string &name, const std::string &netns) const
{
	host &h = *world_.find_host(name);
	for (net *n : all_nets(h))
		if (n->name == netns)
			return n;
	return nullptr;
}

void runner::watch_packets()
{
	const auto &list = scenario_.expect_packets;
	packet_logs_.resize(list.size());
	if (list.empty())
		return;
	const auto note = [this](std::size_t i, const frame_bytes &bytes, u64 time_ns) {
		const packet_expectation &e = scenario_.expect_packets[i];
		packet_log &log = packet_logs_[i];

		if (e.bytes && (bytes.size() < e.bytes->least || bytes.size() > e.bytes->most))
			return;
		if (e.gap_us && log.count)
			log.gaps_us.push_back((time_ns - log.last_ns) / NSEC_PER_USEC);
		log.last_ns = time_ns;
		++log.count;
		if (std::string flags = tcp_flags(bytes); !flags.empty())
			log.tcp.push_back(std::move(flags));
	};
	for (const auto &w : wires_)
		w->between().watch(
			[this, note, of = w.get()](link::end from, std::span<const std::byte> bytes) {
				for (std::size_t i = 0; i < packet_logs_.size(); ++i) {
					const packet_expectation &e = scenario_.expect_packets[i];
					if (e.wire == of->what().name &&
				            (e.from.empty() || of->end_of(e.from) == from))
						note(i, frame_of(bytes), present());
				}
			});
	tap_ = std::make_unique<packet_tap>(world_);
	tap_->watch([this, note](const packet_tap::seen &s) {
		const net &space = dev_net(s.dev);
		for (std::size_t i = 0; i < packet_logs_.size(); ++i) {
			const packet_expectation &e = scenario_.expect_packets[i];
			if (!e.wire.empty() || e.dev != s.dev.name || e.netns != space.name ||
			    e.host != space.on->name || !(s.out ? e.out : e.in))
				continue;
			note(i, wire_bytes(s.skb), s.time_ns);
		}
	});
}

namespace {

std::array<u64, SKB_DROP_REASON_MAX> drops_of(const host &h)
{
	const enter_cpu in(*h.cpus[0]);
	std::array<u64, SKB_DROP_REASON_MAX> drops{};

	for (std::size_t i = 1; i < drops.size(); ++i)
		drops[i] = drop_counter(static_cast<skb_drop_reason>(i));
	return drops;
}

} // namespace

void runner::note_counters()
{
	for (const auto &h : world_.hosts()) {
		for (const net *n : all_nets(*h))
			counters_before_[n] = n->mib;
		drops_before_[h.get()] = drops_of(*h);
	}
	for (const softnet_expectation &e : scenario_.expect_softnet)
		softnet_before_.push_back(e.column == "backlog" ? 0 : softnet_sum(e));
	for (const counter_expectation &e : scenario_.expect_counters)
		device_counters_before_.push_back(!e.wire.empty()  ? wire_counter(e)
		                                  : !e.dev.empty() ? device_counter(e).value_or(0)
		                                                   : 0);
}

u64 runner::wire_counter(const counter_expectation &e) const
{
	const wire &w =
		**std::ranges::find_if(wires_, [&e](const auto &o) { return o->what().name == e.wire; });

	if (!e.from.empty())
		return w.counter(w.end_of(e.from), e.name);
	return w.counter(link::a, e.name) + w.counter(link::b, e.name);
}

// As the driver tells it, or the core; nothing: there is no such device, or it tells no such thing.
std::optional<u64> runner::device_counter(const counter_expectation &e) const
{
	net *space = net_of(e.host, e.netns);
	if (!space)
		return {};
	const enter_cpu in(*space->on->cpus[0]);
	net_device *dev = __dev_get_by_name(*space, e.dev);
	if (!dev)
		return {};
	std::vector<std::pair<std::string, u64>> stats;
	if (dev->ethtool_ops && dev->ethtool_ops->get_ethtool_stats)
		dev->ethtool_ops->get_ethtool_stats(*dev, stats);
	for (const auto &[name, value] : stats)
		if (name == e.name)
			return value;
	return netstat_show(*dev, e.name);
}

std::string runner::counters_text() const
{
	std::string out = timed_text_.empty() ? "" : "# how long calls took\n" + timed_text_;
	for (const auto &h : world_.hosts()) {
		for (const net *n : all_nets(*h)) {
			const auto before = counters_before_.find(n);
			const netns_mib none{};
			const netns_mib &then = before == counters_before_.end() ? none : before->second;
			std::string lines;
			for (const named_counter &c : counters_of(n->mib))
				if (const s64 grown = static_cast<s64>(
					    c.value - *find_counter(then, c.name))) // CurrEstab can fall
					lines += fmt::format("{:<32}{}\n", c.name, grown);
			if (!lines.empty())
				out += fmt::format("# counters of {}{}\n{}",
				                   world_.hosts().size() > 1 ? h->name + "/" : "",
				                   n->name.empty() ? "the initial namespace" : n->name,
				                   lines);
		}
		const auto then = drops_before_.find(h.get());
		const auto now = drops_of(*h);
		std::string lines;
		for (std::size_t i = 1; i < now.size(); ++i)
			if (const u64 grown = now[i] - (then == drops_before_.end() ? 0 : then->second[i]))
				lines +=
					fmt::format("{:<32}{}\n",
				                    drop_reason_name(static_cast<skb_drop_reason>(i)), grown);
		if (!lines.empty())
			out += fmt::format("# packets dropped{}, by reason\n{}",
			                   world_.hosts().size() > 1 ? " by " + h->name : "", lines);
	}
	return out;
}

void runner::check_expectations()
{
	check_sockets();
	check_counters();
	check_packets();
	check_calls();
	check_audit();
	check_softnet();
}

// A column of softnet_stat's text, of a cpu or of all.
u64 runner::softnet_sum(const softnet_expectation &e) const
{
	constexpr std::size_t columns_at[] = {0, 1, 2, 9, 10, 11};
	const auto column = static_cast<std::size_t>(std::ranges::find(softnet_columns, e.column) -
	                                             std::begin(softnet_columns));
	const enter_cpu in(*world_.find_host(e.host)->cpus[0]);
	std::istringstream text{softnet_stat()};
	u64 sum = 0;
	for (std::string line; std::getline(text, line);) {
		std::istringstream words{line};
		std::vector<u64> values;
		for (u64 v = 0; words >> std::hex >> v;)
			values.push_back(v);
		if (!e.cpu || *e.cpu == values.back())
			sum += values[columns_at[column]];
	}
	return sum;
}

void runner::check_softnet()
{
	for (std::size_t i = 0; i < scenario_.expect_softnet.size(); ++i) {
		const softnet_expectation &e = scenario_.expect_softnet[i];
		const u64 grown = softnet_sum(e) - (i < softnet_before_.size() ? softnet_before_[i] : 0);
		if (grown < e.value.least || grown > e.value.most)
			fail(fmt::format("{}: {}{}: expected {}, it is {}", e.where, e.column,
			                 e.cpu ? fmt::format(" of cpu {}", *e.cpu) : "", e.value.text(),
			                 grown));
	}
}

void runner::check_sockets()
{
	for (const socket_expectation &e : scenario_.expect_sockets) {
		const program &p = program_of(e.task);
		const socket *sock = socket_of_fd(*p.task, p.fd(e.fd));
		if (!sock || !sock->sk)
			fail(fmt::format("{}: {} of {}: expected {}, it is closed", e.where, e.fd, e.task,
			                 tcp_state_name(e.state)));
		else if (sock->sk->sk_state != e.state)
			fail(fmt::format("{}: {} of {}: expected {}, it is {}", e.where, e.fd, e.task,
			                 tcp_state_name(e.state), tcp_state_name(sock->sk->sk_state)));
	}
}

void runner::check_counters()
{
	for (std::size_t i = 0; i < scenario_.expect_counters.size(); ++i) {
		const counter_expectation &e = scenario_.expect_counters[i];
		if (!e.wire.empty() || !e.dev.empty()) {
			const auto now = e.wire.empty() ? device_counter(e) : std::optional{wire_counter(e)};
			const std::string of = e.wire.empty() ? e.dev : e.wire;
			if (!now) {
				fail(fmt::format("{}: expected the name of a counter of {}, found {}",
				                 e.where, of, e.name));
				continue;
			}
			// That is no count; others can have been reset.
			const u64 before = e.name == "itr_us" ? 0 : device_counters_before_[i];
			const u64 grown = *now - std::min(before, *now);
			if (grown < e.value.least || grown > e.value.most)
				fail(fmt::format("{}: {} of {}: expected {}, it is {}", e.where, e.name, of,
				                 e.value.text(), grown));
			continue;
		}
		const net *space = net_of(e.host, e.netns);
		const u64 *counter = space ? find_counter(space->mib, e.name) : nullptr;
		if (!counter) {
			fail(fmt::format(
				"{}: expected the name of a counter in an existing namespace, found {} in \"{}\"",
				e.where, e.name, e.netns));
			continue;
		}
		const auto before = counters_before_.find(space);
		const u64 grown =
			*counter -
			(before == counters_before_.end() ? 0 : *find_counter(before->second, e.name));
		if (grown < e.value.least || grown > e.value.most)
			fail(fmt::format("{}: {}: expected {}, it is {}", e.where, e.name, e.value.text(),
			                 grown));
	}
}

void runner::check_packets()
{
	for (std::size_t i = 0; i < packet_logs_.size(); ++i) {
		const packet_expectation &e = scenario_.expect_packets[i];
		const packet_log &log = packet_logs_[i];
		if (e.count && (log.count < e.count->least || log.count > e.count->most))
			fail(fmt::format("{}: {}: expected {} packets, {} went by", e.where,
			                 e.wire.empty() ? e.dev : e.wire, e.count->text(), log.count));
		const auto odd = std::ranges::find_if(
			log.gaps_us, [&e](u64 gap) { return gap < e.gap_us->least || gap > e.gap_us->most; });
		if (odd != log.gaps_us.end())
			fail(fmt::format(
				"{}: {}: expected {} us between each packet and the next, between the "
				"{}th and the next are {}",
				e.where, e.wire.empty() ? e.dev : e.wire, e.gap_us->text(),
				odd - log.gaps_us.begin() + 1, *odd));
		if (e.tcp && *e.tcp != log.tcp)
			fail(fmt::format("{}: {}: expected the segments [{}], [{}] went by", e.where,
			                 e.wire.empty() ? e.dev : e.wire, fmt::join(*e.tcp, "] ["),
			                 fmt::join(log.tcp, "] [")));
	}
}

void runner::check_audit()
{
	for (const audit_expectation &e : scenario_.expect_audit) {
		const auto &lines = audit_log(*world_.find_host(e.host));
		const auto count = static_cast<u64>(std::ranges::count_if(
			lines, [&](const std::string &l) { return l.find(e.text) != std::string::npos; }));
		if (count < e.count.least || count > e.count.most)
			fail(fmt::format("{}: expected {} lines of the audit log with \"{}\", found {}",
			                 e.where, e.count.text(), e.text, count));
	}
}

// By source names over all that was recorded: views and profiles do not change what is expected.
void runner::check_calls()
{
	const trace::recorder *r = world_.recorder();
	if (scenario_.expect_calls.empty() || !r)
		return;
	const call_tree tree = read_back(*r, world_.host_names());
	for (const call_expectation &e : scenario_.expect_calls) {
		std::string phase;
		std::size_t found = 0;
		std::vector<bool> seen(e.never.size());
		for (const tree_event &event : tree.events) {
			if (event.kind == trace::record_kind::phase_begin)
				phase = tree.texts[event.what];
			if (event.kind != trace::record_kind::enter || (!e.phase.empty() && e.phase != phase))
				continue;
			const skbwalk::sim::call &c = tree.calls[event.what];
			if (!e.task.empty() && tree.tasks[c.task].name != e.task)
				continue;
			if (e.cpu && *e.cpu != c.cpu)
				continue;
			if (found < e.order.size() && c.source == e.order[found])
				++found;
			for (std::size_t i = 0; i < e.never.size(); ++i)
				seen[i] = seen[i] || c.source == e.never[i];
		}
		if (found < e.order.size())
			fail(fmt::format("{}: expected {}() to run{}{}", e.where, e.order[found],
			                 found ? fmt::format(" after {}()", e.order[found - 1]) : "",
			                 e.phase.empty() ? "" : fmt::format(" in phase {}", e.phase)));
		for (std::size_t i = 0; i < e.never.size(); ++i)
			if (seen[i])
				fail(fmt::format("{}: expected {}() not to run, it did", e.where,
				                 e.never[i]));
		if (tree.lost)
			fail(fmt::format("{}: the trace lost {} records, so this cannot be told", e.where,
			                 tree.lost));
	}
}

} // namespace skbwalk::sim
