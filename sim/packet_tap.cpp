// SPDX-License-Identifier: GPL-2.0-only
//
// A frame's bytes are gathered by hand (head, fragments, fragment list), since the stack's own copying is
// traced.
#include "sim/packet_tap.h"

#include <algorithm>
#include <string_view>

#include "stack/core/skbuff.h"

namespace skbwalk::sim {

namespace {

void append(frame_bytes &out, const sk_buff &skb, const u8 *from)
{
	const skb_shared_info &shared = skb_shinfo(skb);
	out.insert(out.end(), from, static_cast<const u8 *>(skb_tail_pointer(skb)));
	for (u32 i = 0; i < shared.nr_frags; ++i) {
		const u8 *data =
			reinterpret_cast<const u8 *>(shared.frags[i].pg->data) + shared.frags[i].offset;
		out.insert(out.end(), data, data + shared.frags[i].size);
	}
	for (const sk_buff *part = shared.frag_list; part; part = part->next)
		append(out, *part, part->data);
}

void finish_checksum(frame_bytes &bytes, std::size_t start, std::size_t offset)
{
	u64 sum = 0;
	if (start + offset + 2 > bytes.size())
		return;
	for (std::size_t i = start; i < bytes.size(); i += 2)
		sum += static_cast<u64>(bytes[i]) << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	const u16 folded = static_cast<u16>(~sum);
	bytes[start + offset] = static_cast<u8>(folded >> 8);
	bytes[start + offset + 1] = static_cast<u8>(folded);
}

} // namespace

frame_bytes wire_bytes(const sk_buff &skb)
{
	frame_bytes out;
	const u8 *from = skb_mac_header_was_set(skb) ? skb_mac_header(skb) : skb.data;

	out.reserve(skb.len + 32);
	append(out, skb, from);
	if (skb.ip_summed == CHECKSUM_PARTIAL)
		finish_checksum(out, static_cast<std::size_t>(skb.head + skb.csum_start - from),
		                skb.csum_offset);
	return out;
}

packet_tap::packet_tap(world &w) : world_(w)
{
	trace::for_each_site([this](const trace::site &s) {
		const std::string_view name = s.name;
		if (name == "xmit_one")
			out_ = &s;
		else if (name == "__netif_receive_skb_core")
			in_ = &s;
	});
	if (trace::recorder *r = world_.recorder())
		r->add_hook({trace::armed_by::recording, this, entered, nullptr});
}

void packet_tap::drop_clones()
{
	for (auto &[on, clone] : clones_) {
		const enter_cpu in(*on);
		consume_skb(std::move(clone));
	}
	clones_.clear();
}

packet_tap::~packet_tap()
{
	drop_clones();
	if (trace::recorder *r = world_.recorder())
		r->remove_hooks(this);
}

void packet_tap::entered(void *arg, const trace::site &s, const trace::objects &o)
{
	packet_tap &tap = *static_cast<packet_tap *>(arg);
	if ((&s != tap.out_ && &s != tap.in_) || !o.skb)
		return;
	const bool out = &s == tap.out_;
	// A frame on loopback goes by twice.
	if (tap.keeps_clones_)
		tap.clones_.emplace_back(current.cpu, skb_clone(const_cast<sk_buff &>(*o.skb), GFP_ATOMIC));
	const net_device *dev = out && o.dev ? o.dev : o.skb->dev;
	// What loopback sends is what it receives.
	if (!dev || (out && dev->flags & IFF_LOOPBACK))
		return;
	for (const watcher &w : tap.watchers_)
		w({*dev, *o.skb, out, current.cpu->now_ns});
}

} // namespace skbwalk::sim
