// SPDX-License-Identifier: GPL-2.0-only
//
// The world's time is the machine's: run_until handles what is due, and the model's own costs are zero, since
// what it does takes real time already. A frame is written by a task, as the machine's own virtual machines
// write theirs.
#include "sim/tap_model.h"

#include <array>
#include <fstream>

#include <fmt/format.h>

#include "devices/tun.h"
#include "sim/pcap.h"
#include "sim/setup.h"
#include "sim/tap_services.h"
#include "sim/trace_output.h"
#include "sim/world.h"

namespace skbwalk::sim {

struct tap_model::state {
	struct interface {
		net_device *dev = nullptr;
		bool pending = false; // it has frames for us
	};

	tap_args args;
	sender send;
	profile release;
	world w;
	host *h = nullptr;
	std::vector<interface> interfaces;
	std::unique_ptr<packet_tap> tap;
	std::unique_ptr<pcap_file> pcap;
	std::unique_ptr<service_tasks> services;
	std::uint64_t in = 0, out = 0;
	bytes written; // the frame that the writer has to write, and where
	net_device *into = nullptr;
	std::unique_ptr<task_struct> writer;

	static world::options options(const tap_args &a, const profile &p)
	{
		world::options o;
		o.seed = a.seed;
		o.features = p.features();
		// A tap for packets needs a recorder, even one that does not record.
		o.trace_records_max = a.trace_file.empty() ? (a.pcap_file.empty() ? 0 : 1) : a.records_max;
		return o;
	}

	state(const tap_args &a, sender to)
		: args(a), send(std::move(to)), release(profile_for(a.profile, "")), w(options(a, release))
	{}

	static void readable(net_device &, void *arg) { static_cast<interface *>(arg)->pending = true; }

	void make_interfaces()
	{
		const enter_cpu inside(*h->cpus[0]);
		interfaces.resize(args.names.size());
		for (std::size_t i = 0; i < interfaces.size(); ++i) {
			int err = 0;
			interfaces[i].dev = tun_set_iff(init_net(), args.names[i], IFF_TAP | IFF_NO_PI,
			                                readable, &interfaces[i], err);
			if (!interfaces[i].dev)
				throw bad_tap(fmt::format("{}: the model cannot make this device: errno {}",
				                          args.names[i], -err));
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

	// The program that holds the descriptor.
	void write_frames()
	{
		while (!current.task->fatal_signal) {
			// What the driver refuses is counted there.
			if (!written.empty())
				static_cast<void>(tun_get_user(*into, written.data(), written.size()));
			written = {};
			task_park();
		}
	}

	void drain()
	{
		for (bool again = true; again;) {
			again = false;
			for (std::size_t i = 0; i < interfaces.size(); ++i) {
				if (!interfaces[i].pending)
					continue;
				interfaces[i].pending = false;
				again = true;
				drain(i);
			}
		}
	}

	void drain(std::size_t i)
	{
		std::array<unsigned char, 65536 + 64> frame;

		for (;;) {
			std::size_t n;
			{
				const enter_cpu in_cpu(*h->cpus[0]);
				n = tun_do_read(*interfaces[i].dev, frame.data(), frame.size());
			}
			if (!n)
				return;
			++out;
			send(i, {frame.data(), n});
		}
	}
};

tap_model::tap_model(const tap_args &args, sender send) : s_(std::make_unique<state>(args, std::move(send)))
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
		s.writer = std::make_unique<task_struct>(*s.h->cpus[0], "tap", [&s] { s.write_frames(); });
		s.writer->nsproxy_net = &init_net();
		task_start(*s.writer);
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

void tap_model::run_until(std::uint64_t now_ns)
{
	s_->w.run_until(std::max<u64>(now_ns, s_->w.now_ns()));
	s_->services->reap();
	s_->drain();
}

void tap_model::frame_in(std::size_t interface, bytes frame, std::uint64_t now_ns)
{
	state &s = *s_;

	s.w.run_until(std::max<u64>(now_ns, s.w.now_ns()));
	++s.in;
	s.written = frame;
	s.into = s.interfaces[interface].dev;
	{
		const enter_cpu in(*s.h->cpus[0]);
		task_unpark(*s.writer);
	}
	run_until(now_ns);
	while (!s.written.empty() && s.w.step())
		;
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
		task_kill(*s.writer);
	}
	while ((s.services->any_alive() || s.writer->state != TASK_DEAD) && s.w.step())
		s.drain();
	s.services.reset();
	s.writer.reset();
	s.drain();
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

} // namespace skbwalk::sim
