// SPDX-License-Identifier: GPL-2.0-only
//
// The event loop of `skbwalk tap`: frames of the TAP interfaces, the model's next event, signals. The only
// file with Asio.
#include <array>
#include <chrono>
#include <cstdio>
#include <exception>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include "sim/tap_device.h"
#include "sim/tap_model.h"

namespace skbwalk::sim {

namespace {

namespace asio = boost::asio;
using clock_type = std::chrono::steady_clock;

// So many frames at most before timers get their turn.
constexpr int frames_per_turn_max = 64;

class loop {
public:
	explicit loop(const tap_args &args)
		: args_(args),
		  model_(args, [this](std::size_t i, tap_model::bytes frame) { write(*ports_[i], frame); }),
		  timer_(io_), deadline_(io_), signals_(io_, SIGINT, SIGTERM), usr1_(io_, SIGUSR1)
	{
		for (const std::string &name : args.names)
			ports_.push_back(std::make_unique<port>(io_, name));
		if (!args.host_address.empty())
			ports_[0]->device.configure(args.host_address);
	}

	void run()
	{
		say();
		for (std::size_t i = 0; i < ports_.size(); ++i) {
			ports_[i]->tap.non_blocking(true);
			read(i);
		}
		signals_.async_wait([this](auto error, int) {
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
		advance();
		io_.run();
		model_.run_until(now_ns());
		model_.write_trace();
		for (const std::string &line : model_.end())
			fmt::print(stderr, "skbwalk: left over at the end: {}\n", line);
		fmt::print(stderr, "skbwalk: {} frames in, {} out{}\n", model_.frames_in(),
		           model_.frames_out(),
		           lost_ ? fmt::format(", {} not taken by the machine's kernel", lost_) : "");
	}

private:
	[[nodiscard]] std::uint64_t now_ns() const
	{
		return static_cast<std::uint64_t>(
			std::chrono::duration_cast<std::chrono::nanoseconds>(clock_type::now() - start_)
				.count());
	}

	void say() const
	{
		const std::string has =
			args_.address.empty() ? "no address" : fmt::format("{}", args_.address);
		for (const auto &one : ports_) {
			const std::string &name = one->device.name();
			fmt::print(stderr, "skbwalk: {} is up, the model {}\n", name,
			           args_.bridge.empty()
			                   ? "has " + has
			                   : fmt::format("has it on {}, with {}", args_.bridge, has));
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

	struct port {
		port(asio::io_context &io, const std::string &name)
			: device(name), tap(io, ::dup(device.fd()))
		{}
		tap_device device;
		asio::posix::stream_descriptor tap;
	};

	void write(const port &to, tap_model::bytes frame)
	{
		if (::write(to.device.fd(), frame.data(), frame.size()) < 0)
			++lost_;
	}

	void read(std::size_t i)
	{
		port &from = *ports_[i];
		from.tap.async_wait(asio::posix::stream_descriptor::wait_read, [this, i, &from](auto error) {
			if (error)
				return;
			for (int frames = 0; frames < frames_per_turn_max; ++frames) {
				const ssize_t n = ::read(from.device.fd(), frame_.data(), frame_.size());
				if (n <= 0)
					break;
				model_.frame_in(i, {frame_.data(), static_cast<std::size_t>(n)}, now_ns());
			}
			advance();
			read(i);
		});
	}

	// Runs what is due and sleeps until what comes next.
	void advance()
	{
		model_.run_until(now_ns());
		const std::uint64_t next = model_.next_event_ns();
		if (next == ~std::uint64_t{0})
			return;
		timer_.expires_at(start_ + std::chrono::nanoseconds(static_cast<std::int64_t>(next)));
		timer_.async_wait([this](auto error) {
			if (!error)
				advance();
		});
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
	std::vector<std::unique_ptr<port>>
		ports_; // filled after the model: usage that is wrong touches nothing
	tap_model model_;
	asio::steady_timer timer_, deadline_;
	asio::signal_set signals_, usr1_;
	std::array<unsigned char, 65536 + 64> frame_{};
	std::uint64_t lost_ = 0;
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
