// SPDX-License-Identifier: GPL-2.0-only
//
// A wire between two ends, each way on its own: a queue of so many packets, a sender of so many bits a
// second, a delay, and faults. Which packet a fault meets is decided by a random stream of the link's own, so
// that adding a link changes nothing at another. Frames are bytes; whoever stands at an end (a NIC) makes
// packets of them.
#pragma once

#include <array>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sim/link_options.h"
#include "sim/world.h"

namespace skbwalk::sim {

struct link_counters {
	u64 sent = 0, delivered = 0, lost = 0, duplicated = 0, reordered = 0, corrupted = 0, queue_drops = 0;
};

using frame = std::vector<std::byte>;

class link {
public:
	enum end : u8 { a, b };

	link(world &w, std::string name, const link_options &options);
	link(const link &) = delete;
	link &operator=(const link &) = delete;

	// What comes out at `at`; called in no cpu's context. With a host it is something that a device of
	// that host does, which can interrupt what the host's cpus are at.
	void attach(end at, std::function<void(std::span<const std::byte>)> receive, host *h = nullptr)
	{
		ends_[at].receive = std::move(receive);
		ends_[at].at_host = h;
	}
	// What goes in at `at`: a frame that may be taken, another left in its place, or a copy. False: the
	// queue was full.
	bool take(end at, frame &bytes);
	bool send(end at, std::span<const std::byte> bytes)
	{
		frame copy(bytes.begin(), bytes.end());
		return take(at, copy);
	}
	// Sees each frame that arrives, with the end that it comes from, before that end's other does.
	using watcher = std::function<void(end from, std::span<const std::byte> bytes)>;
	void watch(watcher w) { watchers_.push_back(std::move(w)); }
	void unwatch() { watchers_.clear(); }
	// When the last bit of what was sent at this end will have left.
	[[nodiscard]] u64 free_ns(end at) const { return ends_[at].free_ns; }

	[[nodiscard]] const std::string &name() const { return name_; }
	[[nodiscard]] const link_counters &counters(end from) const { return ends_[from].counters; }
	[[nodiscard]] const link_options &options() const { return options_; }

private:
	struct arrival;
	struct direction {
		random_stream random;
		std::function<void(std::span<const std::byte>)> receive; // at this end
		host *at_host = nullptr;
		u64 free_ns = 0; // the sender at this end is busy until then
		std::deque<u64>
			leaves_ns; // of what is in the queue or on its way out, when its last bit leaves
		// What was sent from this end and comes out in the order of sending; the first one's event is
		// the world's, that of the others is made when it is their turn.
		std::deque<arrival *> under_way;
		link_counters counters; // of what was sent from this end
	};

	struct faults { // that a packet meets
		bool lost = false, duplicated = false, reordered = false, corrupted = false;
		u64 jitter_ns = 0, bit = 0; // which one is corrupted
	};
	[[nodiscard]] faults draw(random_stream &random) const;
	[[nodiscard]] u64 wire_ns(std::size_t bytes) const;
	[[nodiscard]] u64 handed_over_ns(end to, u64 arrives_ns) const;
	// A frame on its way; used again and again.
	struct arrival {
		link *over;
		end from;
		bool in_order; // under_way has it
		u64 when_ns, number;
		frame bytes;
	};
	[[nodiscard]] arrival &new_arrival(end from);
	void deliver(arrival &what, u64 when_ns);
	void make_event(arrival &what);
	static void arrive(void *arg);

	world &world_;
	std::string name_;
	const link_options options_;
	const bool has_faults_;
	std::array<direction, 2> ends_;
	std::vector<watcher> watchers_;
	std::vector<std::unique_ptr<arrival>> arrivals_; // all that there are
	std::vector<arrival *> unused_;
};

} // namespace skbwalk::sim
