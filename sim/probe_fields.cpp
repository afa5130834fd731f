// SPDX-License-Identifier: GPL-2.0-only
//
// The list of fields. Where a call names no device or no sock, the skb's own counts.
#include "sim/probe_fields.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "devices/veth.h"
#include "sim/address_text.h"
#include "sim/scenario.h"
#include "stack/core/netdevice.h"
#include "stack/core/skbuff.h"
#include "stack/core/sock.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk::sim {

namespace {

raw_value number(u64 n)
{
	raw_value v;
	v.number = n;
	v.there = true;
	return v;
}

raw_value name(std::string_view text)
{
	raw_value v;
	text.copy(v.text, sizeof(v.text) - 1);
	v.there = true;
	return v;
}

const net_device *device_of(const trace::objects &o) { return o.dev ? o.dev : o.skb ? o.skb->dev : nullptr; }
const sock *sock_of(const trace::objects &o) { return o.sk ? o.sk : o.skb ? o.skb->sk : nullptr; }
const sock *full_sock_of(const trace::objects &o)
{
	const sock *sk = sock_of(o);
	return sk && sk_fullsock(*sk) ? sk : nullptr;
}
const tcp_sock *tcp_of(const trace::objects &o)
{
	const sock *sk = full_sock_of(o);
	return sk && sk->sk_protocol == IPPROTO_TCP && sk->sk_type == SOCK_STREAM ? &tcp_sk(*sk) : nullptr;
}
const net_device *peer_of(const trace::objects &o)
{
	const net_device *dev = device_of(o);
	return dev && dev->link_kind == "veth" ? veth_peer_dev(*dev) : nullptr;
}

#define SKB(expression)                                                          \
	[](const trace::objects &o) {                                            \
		const sk_buff *skb = o.skb;                                      \
		return skb ? number(static_cast<u64>(expression)) : raw_value{}; \
	}
#define SOCK(expression)                                                        \
	[](const trace::objects &o) {                                           \
		const sock *sk = sock_of(o);                                    \
		return sk ? number(static_cast<u64>(expression)) : raw_value{}; \
	}
#define FULL(expression)                                                        \
	[](const trace::objects &o) {                                           \
		const sock *sk = full_sock_of(o);                               \
		return sk ? number(static_cast<u64>(expression)) : raw_value{}; \
	}
#define TCP(expression)                                                         \
	[](const trace::objects &o) {                                           \
		const tcp_sock *tp = tcp_of(o);                                 \
		return tp ? number(static_cast<u64>(expression)) : raw_value{}; \
	}
#define DEV(expression)                                                          \
	[](const trace::objects &o) {                                            \
		const net_device *dev = device_of(o);                            \
		return dev ? number(static_cast<u64>(expression)) : raw_value{}; \
	}

using enum field_form;

constexpr probe_field fields[] = {
	{"skb", "skb=%s", hex, SKB(skb->trace_id)},
	{"skb.len", "skblen=%s bytes", decimal, SKB(skb->len)},
	{"skb.data_len", "", decimal, SKB(skb->data_len)},
	{"skb.headlen", "", decimal, SKB(skb_headlen(*skb))},
	{"skb.headroom", "", decimal, SKB(skb_headroom(*skb))},
	{"skb.truesize", "", decimal, SKB(skb->truesize)},
	{"skb.protocol", "", ethertype, SKB(ntohs(skb->protocol))},
	{"skb.mark", "", hex, SKB(skb->mark)},
	{"skb.priority", "", decimal, SKB(skb->priority)},
	{"skb.hash", "", hex, SKB(skb->hash)},
	{"skb.users", "", decimal, SKB(refcount_read(skb->users))},
	{"skb.cloned", "", decimal, SKB(skb->cloned)},
	{"skb.pkt_type", "", decimal, SKB(skb->pkt_type)},
	{"skb.ip_summed", "", decimal, SKB(skb->ip_summed)},
	{"skb.queue_mapping", "", decimal, SKB(skb->queue_mapping)},
	{"skb.gso_size", "", decimal, SKB(skb_shinfo(*skb).gso_size)},
	{"skb.gso_segs", "", decimal, SKB(skb_shinfo(*skb).gso_segs)},
	{"skb.nr_frags", "", decimal, SKB(skb_shinfo(*skb).nr_frags)},
	{"sk", "sk=%s", hex, SOCK(sk->trace_id)},
	{"sk.state", "", tcp_state, SOCK(sk->sk_state)},
	{"sk.family", "", decimal, SOCK(sk->sk_family)},
	{"sk.saddr", "", ipv4, SOCK(sk->sk_rcv_saddr.raw())},
	{"sk.daddr", "", ipv4, SOCK(sk->sk_daddr.raw())},
	{"sk.sport", "", decimal, SOCK(sk->skc_num)},
	{"sk.dport", "", decimal, SOCK(ntohs(sk->skc_dport))},
	{"sk.protocol", "", decimal, FULL(sk->sk_protocol)},
	{"sk.mark", "", hex, FULL(sk->sk_mark)},
	{"sk.sndbuf", "", decimal, FULL(sk->sk_sndbuf)},
	{"sk.rcvbuf", "", decimal, FULL(sk->sk_rcvbuf)},
	{"sk.wmem_queued", "", decimal, FULL(sk->sk_wmem_queued)},
	{"sk.owned", "", decimal, FULL(sk->sk_lock.owned)},
	{"sk.snd_nxt", "", decimal, TCP(tp->snd_nxt.v)},
	{"sk.snd_una", "", decimal, TCP(tp->snd_una.v)},
	{"sk.rcv_nxt", "", decimal, TCP(tp->rcv_nxt.v)},
	{"sk.write_seq", "", decimal, TCP(tp->write_seq.v)},
	{"sk.copied_seq", "", decimal, TCP(tp->copied_seq.v)},
	{"sk.snd_wnd", "", decimal, TCP(tp->snd_wnd)},
	{"sk.rcv_wnd", "", decimal, TCP(tp->rcv_wnd)},
	{"sk.snd_cwnd", "", decimal, TCP(tcp_snd_cwnd(*tp))},
	{"sk.snd_ssthresh", "", decimal, TCP(tp->snd_ssthresh)},
	{"sk.packets_out", "", decimal, TCP(tp->packets_out)},
	{"sk.retrans_out", "", decimal, TCP(tp->retrans_out)},
	{"sk.lost_out", "", decimal, TCP(tp->lost_out)},
	{"sk.sacked_out", "", decimal, TCP(tp->sacked_out)},
	{"sk.srtt_us", "", decimal, TCP(tp->srtt_us >> 3)},
	{"sk.mss_cache", "", decimal, TCP(tp->mss_cache)},
	{"dev", "dev=%s", hex, DEV(dev->trace_id)},
	{"dev.name", "skbdev=%s", field_form::text,
         [](const trace::objects &o) {
		 const net_device *dev = device_of(o);
		 return dev ? name(dev->name) : raw_value{};
	 }},
	{"dev.ifindex", "", decimal, DEV(dev->ifindex)},
	{"dev.mtu", "", decimal, DEV(dev->mtu)},
	{"dev.flags", "", hex, DEV(dev->flags)},
	{"peer.name", "===> peer_skbdev=%s", field_form::text,
         [](const trace::objects &o) {
		 const net_device *dev = peer_of(o);
		 return dev ? name(dev->name) : raw_value{};
	 }},
	{"peer.ifindex", "", decimal,
         [](const trace::objects &o) {
		 const net_device *dev = peer_of(o);
		 return dev ? number(static_cast<u64>(dev->ifindex)) : raw_value{};
	 }},
};

std::size_t distance(std::string_view a, std::string_view b)
{
	std::vector<std::size_t> row(b.size() + 1);
	std::iota(row.begin(), row.end(), std::size_t{0});
	for (std::size_t i = 0; i < a.size(); ++i) {
		std::size_t diagonal = row[0];
		row[0] = i + 1;
		for (std::size_t j = 0; j < b.size(); ++j) {
			const std::size_t change = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = std::min({change, row[j] + 1, row[j + 1] + 1});
		}
	}
	return row.back();
}

} // namespace

std::span<const probe_field> probe_fields() { return fields; }

const probe_field *probe_field_by_name(std::string_view name)
{
	const auto it = std::ranges::find(fields, name, &probe_field::name);
	return it == std::end(fields) ? nullptr : &*it;
}

std::string value_text(const probe_field &field, const raw_value &value)
{
	if (!value.there)
		return "-";
	switch (field.form) {
	case decimal:
		return fmt::format("{}", value.number);
	case hex:
		return fmt::format("{:x}", value.number);
	case ipv4:
		return ipv4_text(std::bit_cast<be32>(static_cast<u32>(value.number)));
	case ethertype:
		return fmt::format("0x{:04x}", value.number);
	case tcp_state:
		return std::string(tcp_state_name(static_cast<u8>(value.number)));
	case field_form::text:
		return value.text;
	}
	return {};
}

std::string labelled_text(const probe_field &field, const raw_value &value)
{
	if (field.label.empty())
		return fmt::format("{}={}", field.name, value_text(field, value));
	std::string out{field.label};
	out.replace(out.find("%s"), 2, value_text(field, value));
	return out;
}

std::vector<std::string_view> alike(std::string_view asked, std::span<const std::string_view> known)
{
	std::vector<std::pair<std::size_t, std::string_view>> by_distance;
	const std::size_t most = std::max<std::size_t>(2, asked.size() / 3);

	for (const std::string_view k : known) {
		// What holds the whole name, or is held, is near too.
		const bool held = asked.size() > 3 && k.find(asked) != std::string_view::npos;
		const std::size_t d = held ? 1 : distance(asked, k);
		if (d <= most)
			by_distance.emplace_back(d, k);
	}
	std::ranges::sort(by_distance);
	std::vector<std::string_view> out;
	for (const auto &[d, k] : by_distance)
		if (out.size() < 3)
			out.push_back(k);
	return out;
}

} // namespace skbwalk::sim
