// SPDX-License-Identifier: GPL-2.0-only
//
// Looks at frames where a device sends and receives them, without being there: unlike a packet socket it adds
// no function to the trace and, unless it is asked to, no clone to the packets. It hangs on the entry of
// xmit_one and __netif_receive_skb_core, so it needs a recorder in the world (which need not record).
#pragma once

#include <functional>
#include <vector>

#include "sim/world.h"
#include "stack/core/netdevice.h"
#include "stack/core/skbuff.h"

namespace skbwalk::sim {

// The frame as it is on the wire, from its Ethernet header on, with a checksum that the device would fill in.
using frame_bytes = std::vector<u8>;
[[nodiscard]] frame_bytes wire_bytes(const sk_buff &skb);

class packet_tap {
public:
	struct seen {
		const net_device &dev;
		const sk_buff &skb;
		bool out;
		u64 time_ns;
	};
	using watcher = std::function<void(const seen &)>;

	explicit packet_tap(world &w);
	~packet_tap();
	packet_tap(const packet_tap &) = delete;
	packet_tap &operator=(const packet_tap &) = delete;

	void watch(watcher w) { watchers_.push_back(std::move(w)); }
	// A clone of each frame is kept, as in the queue of a packet socket that nobody reads: its data is
	// shared from then on, so that others copy it before they write, and do not merge it.
	void keep_clones() { keeps_clones_ = true; }
	void drop_clones();

private:
	static void entered(void *arg, const trace::site &s, const trace::objects &o);

	world &world_;
	const trace::site *out_ = nullptr;
	const trace::site *in_ = nullptr;
	std::vector<watcher> watchers_;
	bool keeps_clones_ = false;
	std::vector<std::pair<cpu *, skb_ptr>> clones_; // and where each was made
};

} // namespace skbwalk::sim
