// SPDX-License-Identifier: GPL-2.0-only
//
// The world's time is the machine's: run_until handles what is due, and the model's own costs are zero, since
// what it does takes real time already. Frames are written by a task, as the machine's own virtual machines
// write theirs: it reads them from the machine into pages that become the packets', some at a time, and
// writes to the machine from where the packets lie.
#include "sim/tap_model.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

#include <fmt/format.h>

#include "devices/tun.h"
#include "sim/pcap.h"
#include "sim/setup.h"
#include "sim/tap_services.h"
#include "sim/trace_output.h"
#include "sim/world.h"

namespace skbwalk::sim {

namespace {

constexpr u32 read_page_order = 3;
constexpr u32 read_page_bytes = static_cast<u32>(PAGE_SIZE) << read_page_order;
constexpr std::size_t read_pages = 3;  // room for the largest frame, wherever in the first it begins
constexpr u32 page_left_min = 4096;    // a page with less left is not begun
constexpr int frames_per_turn_max = 8; // so many before others have their turn: what was read is still near
constexpr int frames_waiting_max = 8;  // for the same reason
static_assert((read_pages - 1) * read_page_bytes + page_left_min >= 65535 + ETH_HLEN);

} // namespace

struct tap_model::state {
	struct interface {
		state *of = nullptr;
		net_device *dev = nullptr;
		tap_port *port = nullptr;
		bool pending = false;  // it has frames for the port,
		int waiting = 0;       // so many
		bool readable = false; // the port may have some for it
	};

	tap_args args;
	clock now;
	profile release;
	world w;
	host *h = nullptr;
	std::vector<interface> interfaces;
	std::unique_ptr<packet_tap> tap;
	std::unique_ptr<pcap_file> pcap;
	std::unique_ptr<service_tasks> services;
	std::uint64_t in = 0, out = 0;
	std::unique_ptr<task_struct> program;   // holds the descriptors
	std::array<page *, read_pages> pages{}; // frames are read there
	u32 page_offset = 0;                    // in the first: what is before is some packet's
	tun_frame frame;

	static world::options options(const tap_args &a, const profile &p)
	{
		world::options o;
		o.seed = a.seed;
		o.features = p.features();
		// A tap for packets needs a recorder, even one that does not record.
		o.trace_records_max = a.trace_file.empty() ? (a.pcap_file.empty() ? 0 : 1) : a.records_max;
		return o;
	}

	state(const tap_args &a, clock c)
		: args(a), now(std::move(c)), release(profile_for(a.profile, "")), w(options(a, release))
	{}

	static void readable(net_device &, void *arg)
	{
		interface &one = *static_cast<interface *>(arg);

		one.pending = true;
		one.of->wake_program(one);
	}

	// The program that holds the descriptors has its turn when others sleep. Who makes many packets gives
	// way to it before: what he copied into them is near then, and what the machine answers comes soon.
	void wake_program(interface &one)
	{
		if (!program || current.task == program.get())
			return;
		task_unpark(*program);
		if (++one.waiting < frames_waiting_max || !current.task)
			return;
		clock_not_before(*current.cpu, now());
		current.cpu->need_resched = true;
	}

	void make_interfaces()
	{
		const enter_cpu inside(*h->cpus[0]);
		interfaces.resize(args.names.size());
		for (std::size_t i = 0; i < interfaces.size(); ++i) {
			int err = 0;
			interfaces[i].of = this;
			interfaces[i].dev =
				tun_set_iff(init_net(), args.names[i], IFF_TAP | IFF_NO_PI | IFF_VNET_HDR,
			                    readable, &interfaces[i], err);
			if (!interfaces[i].dev)
				throw bad_tap(fmt::format("{}: the model cannot make this device: errno {}",
				                          args.names[i], -err));
			if (args.offload &&
			    (err = set_offload(*interfaces[i].dev, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN)))
				throw bad_tap(fmt::format("{}: no offloads: errno {}", args.names[i], -err));
		}
	}

	// The device that has the model's address.
	[[nodiscard]] const std::string &face() const
	{
		return args.bridge.empty() ? args.names[0] : args.bridge;
	}

	void configure()
	{
		command("ip link set lo up");
		if (!args.bridge.empty()) {
			command(fmt::format("ip link add {} type bridge", args.bridge));
			for (const std::string &name : args.names)
				command(fmt::format("ip link set {} master {} up", name, args.bridge));
		}
		if (!args.address.empty())
			command(fmt::format("ip addr add {} dev {}", args.address, face()));
		command(fmt::format("ip link set {} up", face()));
		if (!args.gateway.empty())
			command(fmt::format("ip route add default via {}", args.gateway));
		for (const std::string &line : args.commands)
			command(line);
	}

	void command(const std::string &line)
	{
		try {
			run_command(*h, line);
		} catch (const command_failed &e) {
			throw bad_tap(fmt::format("`{}`: {}", line, e.what()));
		} catch (const bad_command &e) {
			throw bad_tap(e.what());
		}
	}

	// The program that holds the descriptors.
	void pass_frames()
	{
		while (!current.task->fatal_signal) {
			for (interface &one : interfaces)
				read_frames(one);
			for (interface &one : interfaces)
				for (int n = 0; one.readable && n < frames_per_turn_max; ++n)
					write_frame(one);
			for (interface &one : interfaces)
				read_frames(one);
			task_park();
		}
		for (page *pg : pages)
			if (pg)
				put_page(*pg);
		pages = {};
	}

	// From the model to the machine, which may have answered by then.
	void read_frames(interface &one)
	{
		one.waiting = 0;
		while (std::exchange(one.pending, false)) {
			while (tun_do_read(*one.dev, frame)) {
				++out;
				if (one.port)
					send(*one.port);
				consume_skb(std::move(frame.skb));
			}
			one.readable = one.port;
		}
	}

	void write_frame(interface &one)
	{
		virtio_net_hdr header;
		std::array<tap_port::memory, 1 + read_pages> room{{{&header, sizeof(header)}}};
		u32 offset = page_offset;

		for (std::size_t i = 0; i < read_pages; ++i) {
			if (!pages[i] && !(pages[i] = alloc_pages(GFP_KERNEL, read_page_order)))
				return;
			room[i + 1] = {pages[i]->data + offset, read_page_bytes - offset};
			offset = 0;
		}
		std::size_t n = one.port->read(room);

		if (n <= sizeof(header)) {
			one.readable = false;
			return;
		}
		++in;
		n -= sizeof(header);
		std::array<skb_frag_t, read_pages> frame_pages;
		std::size_t used = 0;

		for (offset = page_offset; n; offset = 0) {
			const u32 here = static_cast<u32>(std::min<std::size_t>(n, read_page_bytes - offset));

			frame_pages[used] = {pages[used], here, offset};
			++used;
			n -= here;
		}
		// What the driver refuses is counted there.
		static_cast<void>(
			tun_get_user(*one.dev, &header, sizeof(header), {frame_pages.data(), used}));
		forget_pages(used, frame_pages[used - 1].offset + frame_pages[used - 1].size);
	}

	// The next frame goes behind `end` in the last page used; into all of it when no packet has kept any.
	void forget_pages(std::size_t used, u32 end)
	{
		std::size_t full = used - 1;

		page_offset = (end + 63) & ~u32{63};
		if (page_offset > read_page_bytes - page_left_min) {
			++full;
			page_offset = 0;
		}
		for (std::size_t i = 0; i < full; ++i)
			put_page(*std::exchange(pages[i], nullptr));
		std::rotate(pages.begin(), pages.begin() + static_cast<std::ptrdiff_t>(full), pages.end());
		if (pages[0] && pages[0]->refcount == 1)
			page_offset = 0;
	}

	void send(tap_port &to)
	{
		std::array<tap_port::const_memory, tap_port::pieces_max> pieces;
		std::size_t n = 0;

		if (frame.pieces.size() <= pieces.size()) {
			for (const tun_frame::piece &p : frame.pieces)
				pieces[n++] = {p.data, p.len};
			to.write({pieces.data(), n});
			return;
		}
		const sk_buff &skb = *frame.skb;
		std::vector<u8> copy(skb.len);

		if (!skb_copy_bits(skb, 0, copy.data(), static_cast<int>(skb.len))) {
			pieces[n++] = {&frame.header, sizeof(frame.header)};
			pieces[n++] = {copy.data(), copy.size()};
			to.write({pieces.data(), n});
		}
	}
};

tap_model::tap_model(const tap_args &args, clock now) : s_(std::make_unique<state>(args, std::move(now)))
{
	state &s = *s_;
	std::vector<service> offered;

	if (args.bridge.empty() && args.names.size() != 1)
		throw bad_tap("several interfaces: expected --bridge NAME, of which they are ports");
	if (args.bridge.empty() && args.address.empty())
		throw bad_tap("expected --addr ADDRESS/PREFIX");
	if (!args.serve.empty()) {
		try {
			offered = parse_services(args.serve);
		} catch (const std::invalid_argument &e) {
			throw bad_tap(fmt::format("--serve: {}", e.what()));
		}
	}
	s.h = &s.w.add_host("model", 1);
	s.h->syscall_cost_ns = 0;
	s.h->hop_cost_ns = 0;
	s.make_interfaces();
	s.configure();

	if (!args.pcap_file.empty()) {
		s.pcap = std::make_unique<pcap_file>(args.pcap_file);
		s.tap = std::make_unique<packet_tap>(s.w);
		dump_packets(*s.tap, *s.pcap, args.names[0]);
	}
	{
		const enter_cpu in(*s.h->cpus[0]);
		s.program = std::make_unique<task_struct>(*s.h->cpus[0], "tap", [&s] { s.pass_frames(); });
		s.program->nsproxy_net = &init_net();
		task_start(*s.program);
		s.services = std::make_unique<service_tasks>(*s.h->cpus[0], init_net(), std::move(offered));
	}
	if (!args.trace_file.empty())
		s.w.recorder()->start();
}

tap_model::~tap_model()
{
	if (s_->services)
		static_cast<void>(end());
}

std::uint64_t tap_model::next_event_ns() const { return s_->w.next_event_ns(); }

void tap_model::connect(std::size_t interface, tap_port &port) { s_->interfaces[interface].port = &port; }

void tap_model::wants_finished(std::size_t interface)
{
	const enter_cpu in(*s_->h->cpus[0]);
	static_cast<void>(set_offload(*s_->interfaces[interface].dev, 0));
}

void tap_model::run()
{
	s_->w.run_until(std::max<u64>(s_->now(), s_->w.now_ns()));
	s_->services->reap();
}

bool tap_model::frames_in(std::size_t interface)
{
	state &s = *s_;

	s.w.run_until(std::max<u64>(s.now(), s.w.now_ns())); // so that it is now
	s.interfaces[interface].readable = true;
	{
		const enter_cpu in(*s.h->cpus[0]);
		task_unpark(*s.program);
	}
	run();
	return s.interfaces[interface].readable;
}

void tap_model::write_trace()
{
	state &s = *s_;
	if (s.args.trace_file.empty())
		return;
	trace_output o;
	const auto format = format_by_name(s.args.trace_format);
	if (!format)
		throw std::runtime_error(fmt::format("'{}': expected tree or graph", s.args.trace_format));
	o.format = *format;
	std::ofstream file{s.args.trace_file, std::ios::binary};
	file << trace_text(*s.w.recorder(), s.w.host_names(), s.release, o);
	if (!file.flush())
		throw std::runtime_error(fmt::format("{}: cannot be written", s.args.trace_file));
}

std::vector<std::string> tap_model::end()
{
	state &s = *s_;
	if (trace::recorder *r = s.w.recorder())
		r->stop();
	{
		const enter_cpu in(*s.h->cpus[0]);
		s.services->kill();
		task_kill(*s.program);
	}
	while ((s.services->any_alive() || s.program->state != TASK_DEAD) && s.w.step())
		;
	s.services.reset();
	s.program.reset();
	{
		const enter_cpu in(*s.h->cpus[0]);
		for (state::interface &one : s.interfaces)
			s.read_frames(one);
	}
	s.tap.reset();
	if (s.pcap)
		s.pcap->flush();
	{
		const enter_cpu in(*s.h->cpus[0]);
		for (const state::interface &one : s.interfaces)
			tun_chr_close(*one.dev);
	}
	return s.w.end();
}

std::vector<std::string> tap_model::what_it_serves() const
{
	std::vector<std::string> lines;
	const std::string ip = s_->args.address.substr(0, s_->args.address.find('/'));
	if (!s_->args.serve.empty())
		for (const service &one : parse_services(s_->args.serve))
			lines.push_back(describe(one, ip));
	return lines;
}

std::uint64_t tap_model::frames_in() const { return s_->in; }
std::uint64_t tap_model::frames_out() const { return s_->out; }
std::uint64_t tap_model::frames_refused() const
{
	std::uint64_t n = 0;
	for (const state::interface &one : s_->interfaces)
		n += tun_rx_frame_errors(*one.dev);
	return n;
}

} // namespace skbwalk::sim
