// SPDX-License-Identifier: GPL-2.0-only
//
// A frame waits for the sender, is on the wire for its length, and arrives after the delay. The draws for its
// faults are made in a fixed order and all of them for each frame, so that turning one fault off leaves the
// others where they were.
#include "sim/link.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace skbwalk::sim {

namespace {

constexpr std::size_t ethernet_min = 60;
constexpr std::size_t ethernet_around = 24; // preamble, checksum, gap

} // namespace

std::optional<u64> parse_rate(std::string_view text)
{
	constexpr std::pair<std::string_view, double> units[] = {
		{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}};

	for (const auto &[unit, factor] : units) {
		if (!text.ends_with(unit))
			continue;
		text.remove_suffix(unit.size());
		double number = 0;
		const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), number);
		if (err != std::errc{} || end != text.data() + text.size() || !(number >= 0) ||
		    number * factor > 1e13)
			return {};
		return static_cast<u64>(std::llround(number * factor));
	}
	return {};
}

link::link(world &w, std::string name, const link_options &options)
	: world_(w), name_(std::move(name)), options_(options),
	  has_faults_(options.loss > 0 || options.duplicate > 0 || options.reorder > 0 ||
                      options.corrupt > 0 || options.jitter_ns),
	  ends_{direction{w.random(name_.c_str(), a), {}, nullptr, 0, {}, {}, {}},
                direction{w.random(name_.c_str(), b), {}, nullptr, 0, {}, {}, {}}}
{}

u64 link::wire_ns(std::size_t bytes) const
{
	if (!options_.bits_per_second)
		return 0;
	const u64 bits = 8 * (std::max(bytes, ethernet_min) + ethernet_around);
	return bits * NSEC_PER_SEC / options_.bits_per_second;
}

link::arrival &link::new_arrival(end from)
{
	if (unused_.empty()) {
		arrivals_.push_back(std::make_unique<arrival>());
		unused_.push_back(arrivals_.back().get());
	}
	arrival &made = *unused_.back();

	unused_.pop_back();
	made.over = this;
	made.from = from;
	return made;
}

void link::arrive(void *arg)
{
	arrival &what = *static_cast<arrival *>(arg);
	link &over = *what.over;

	if (what.in_order) {
		auto &line = over.ends_[what.from].under_way;

		line.pop_front();
		if (!line.empty())
			over.make_event(*line.front());
		if (line.size() > 1) // its event is made when the next one arrives
			__builtin_prefetch(line[1]);
	}
	++over.ends_[what.from].counters.delivered;
	for (const watcher &w : over.watchers_)
		w(what.from, what.bytes);
	if (const auto &receive = over.ends_[what.from == a ? b : a].receive)
		receive(what.bytes);
	over.unused_.push_back(&what);
}

u64 link::handed_over_ns(end to, u64 arrives_ns) const
{
	const u64 every_ns = options_.batch_ns[to], first_ns = options_.batch_at_ns;

	if (!every_ns)
		return arrives_ns;
	if (arrives_ns <= first_ns)
		return first_ns;
	return first_ns + (arrives_ns - first_ns + every_ns - 1) / every_ns * every_ns;
}

void link::deliver(arrival &what, u64 when_ns)
{
	const end at = what.from == a ? b : a;
	auto &line = ends_[what.from].under_way;

	what.when_ns = handed_over_ns(at, when_ns);
	what.number = world_.take_number(ends_[at].at_host, what.when_ns);
	what.in_order = line.empty() || line.back()->when_ns <= what.when_ns;
	if (what.in_order) {
		line.push_back(&what);
		if (line.size() > 1)
			return;
	}
	make_event(what);
}

void link::make_event(arrival &what)
{
	world_.at_number(what.number, ends_[what.from == a ? b : a].at_host, what.when_ns, arrive, &what);
}

// As many draws for each packet, whichever faults there are: one fault more leaves the others where they
// were.
link::faults link::draw(random_stream &random) const
{
	faults met;

	met.lost = random.unit() < options_.loss;
	met.duplicated = random.unit() < options_.duplicate;
	met.reordered = random.unit() < options_.reorder;
	met.corrupted = random.unit() < options_.corrupt;
	met.jitter_ns = static_cast<u64>(random.unit() * static_cast<double>(options_.jitter_ns));
	met.bit = random.next();
	return met;
}

bool link::take(end at, frame &bytes)
{
	direction &d = ends_[at];
	const u64 now_ns = world_.present();

	while (!d.leaves_ns.empty() && d.leaves_ns.front() <= now_ns)
		d.leaves_ns.pop_front();
	if (d.leaves_ns.size() >= options_.queue_packets_max) {
		++d.counters.queue_drops;
		return false;
	}
	++d.counters.sent;
	d.free_ns = std::max(d.free_ns, now_ns) + wire_ns(bytes.size());
	if (options_.bits_per_second)
		d.leaves_ns.push_back(d.free_ns);

	const faults met = has_faults_ ? draw(d.random) : faults{};
	u64 when_ns = d.free_ns + options_.delay_ns + met.jitter_ns;

	if (met.lost) {
		++d.counters.lost;
		return true;
	}
	arrival &first = new_arrival(at);

	first.bytes.swap(bytes);
	if (met.corrupted && !first.bytes.empty()) {
		++d.counters.corrupted;
		first.bytes[met.bit / 8 % first.bytes.size()] ^= std::byte{1} << (met.bit % 8);
	}
	if (met.reordered) {
		++d.counters.reordered;
		when_ns += options_.reorder_ns;
	}
	if (met.duplicated) {
		++d.counters.duplicated;
		arrival &second = new_arrival(at);

		second.bytes = first.bytes;
		deliver(second, when_ns);
	}
	deliver(first, when_ns);
	return true;
}

} // namespace skbwalk::sim
