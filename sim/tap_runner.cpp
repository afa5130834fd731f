// SPDX-License-Identifier: GPL-2.0-only
//
// The event loop of `skbwalk tap`, on Boost.Asio: frames of the TAP interfaces, the model's next event,
// signals. The timer is set when the model wants to be woken earlier than it is, never when later: a frame
// that moves timeouts on, as most do, costs no system call but its own.
#include <chrono>
#include <csignal>
#include <exception>
#include <limits>
#include <memory>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>

#include "sim/tap_device.h"
#include "sim/tap_model.h"

namespace skbwalk::sim {

namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

class loop {
public:
	explicit loop(const tap_args &args) : args_(args), model_(args, [this] { return now_ns(); })
	{
		for (const std::string &name : args.names) {
			ports_.push_back(std::make_unique<port>(io_, name, args.offload));
			tap_device &device = ports_.back()->device;
			model_.connect(ports_.size() - 1, device);
			if (!device.why_finished().empty())
				model_.wants_finished(ports_.size() - 1);
		}
		if (!args.host_address.empty())
			ports_[0]->device.configure(args.host_address);
	}

	void run()
	{
		say();
		ends_.async_wait([this](auto error, int) {
			if (!error)
				io_.stop();
		});
		wait_for_usr1();
		if (args_.seconds > 0) {
			deadline_.expires_after(std::chrono::duration_cast<clock_type::duration>(
				std::chrono::duration<double>(args_.seconds)));
			deadline_.async_wait([this](auto error) {
				if (!error)
					io_.stop();
			});
		}
		for (std::size_t i = 0; i < ports_.size(); ++i)
			wait_for_frames(i);
		advance();
		io_.run();

		model_.run();
		model_.write_trace();
		const std::uint64_t refused = model_.frames_refused();
		for (const std::string &line : model_.end())
			fmt::print(stderr, "skbwalk: left over at the end: {}\n", line);
		std::uint64_t lost = 0;
		for (const auto &one : ports_)
			lost += one->device.lost();
		fmt::print(stderr, "skbwalk: {} frames in, {} out{}{}\n", model_.frames_in(),
		           model_.frames_out(),
		           refused ? fmt::format(", {} refused for their header", refused) : "",
		           lost ? fmt::format(", {} not taken by the machine's kernel", lost) : "");
	}

private:
	struct port {
		port(asio::io_context &io, const std::string &name, bool unfinished)
			: device(name, unfinished), frames(io, device.fd())
		{}
		~port() { frames.release(); }
		port(const port &) = delete;
		port &operator=(const port &) = delete;

		tap_device device; // whose descriptor it is
		asio::posix::stream_descriptor frames;
	};

	[[nodiscard]] std::uint64_t now_ns() const
	{
		return static_cast<std::uint64_t>(
			std::chrono::duration_cast<std::chrono::nanoseconds>(clock_type::now() - start_)
				.count());
	}

	void wait_for_frames(std::size_t i)
	{
		ports_[i]->frames.async_wait(asio::posix::stream_descriptor::wait_read,
		                             [this, i](auto error) {
						     if (!error)
							     frames_in(i);
					     });
	}

	// Some at most before timers, signals and other interfaces get their turn.
	void frames_in(std::size_t i)
	{
		const bool more = model_.frames_in(i);
		const tap_device &device = ports_[i]->device;

		if (device.gone()) // somebody has deleted it
			fmt::print(stderr, "skbwalk: {} is gone\n", device.name());
		else if (more)
			asio::post(io_, [this, i] { frames_in(i); });
		else
			wait_for_frames(i);
		wake_for_next();
	}

	// Runs what is due.
	void advance()
	{
		model_.run();
		wake_for_next();
	}

	void wake_for_next()
	{
		const std::uint64_t next = model_.next_event_ns();

		if (next >= wakes_ns_)
			return;
		wakes_ns_ = next;
		timer_.expires_at(start_ + std::chrono::nanoseconds(next));
		timer_.async_wait([this](auto error) {
			if (error)
				return;
			wakes_ns_ = never;
			advance();
		});
	}

	void say() const
	{
		const std::string has =
			args_.address.empty() ? "no address" : fmt::format("{}", args_.address);
		for (const auto &one : ports_) {
			const tap_device &device = one->device;
			const std::string &name = device.name();
			fmt::print(stderr, "skbwalk: {} is up, the model {}\n", name,
			           args_.bridge.empty()
			                   ? "has " + has
			                   : fmt::format("has it on {}, with {}", args_.bridge, has));
			if (!device.why_finished().empty())
				fmt::print(
					stderr,
					"skbwalk: {}: the machine's kernel takes no large packets: {}; going on "
					"without\n",
					name, device.why_finished());
			if (args_.host_address.empty())
				fmt::print(
					stderr,
					"skbwalk: reach it from this machine: ip addr add ADDRESS dev {0} && ip link set {0} up\n",
					name);
		}
		for (const std::string &line : model_.what_it_serves())
			fmt::print(stderr, "skbwalk: serves {}\n", line);
		fmt::print(stderr, "skbwalk: Ctrl-C ends it{}\n",
		           args_.trace_file.empty() ? "" : ", SIGUSR1 writes the trace so far");
	}

	void wait_for_usr1()
	{
		usr1_.async_wait([this](auto error, int) {
			if (error)
				return;
			try {
				model_.write_trace();
			} catch (const std::exception &e) {
				fmt::print(stderr, "skbwalk: {}\n", e.what());
			}
			wait_for_usr1();
		});
	}

	const tap_args &args_;
	clock_type::time_point start_ = clock_type::now();
	asio::io_context io_{1};
	// Filled after the model, so that usage that is wrong touches nothing, and there until its end.
	std::vector<std::unique_ptr<port>> ports_;
	tap_model model_;
	asio::steady_timer timer_{io_}, deadline_{io_};
	std::uint64_t wakes_ns_ = never; // when the timer does
	asio::signal_set ends_{io_, SIGINT, SIGTERM}, usr1_{io_, SIGUSR1};
};

} // namespace

int cmd_tap(const tap_args &args)
{
	if (!args.host_address.empty()) {
		try {
			static_cast<void>(interface_address{args.host_address});
		} catch (const std::invalid_argument &e) {
			throw bad_tap(fmt::format("--host-addr: {}", e.what()));
		}
	}
	loop{args}.run();
	return 0;
}

} // namespace skbwalk::sim
