// SPDX-License-Identifier: GPL-2.0-only
//
// The event loop of `skbwalk tap`: frames of the TAP interface, the model's next event, signals. The only
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
		: args_(args), model_(args, [this](tap_model::bytes frame) { write(frame); }),
		  device_(args.name), tap_(io_, ::dup(device_.fd())), timer_(io_), deadline_(io_),
		  signals_(io_, SIGINT, SIGTERM), usr1_(io_, SIGUSR1)
	{
		if (!args.host_address.empty())
			device_.configure(args.host_address);
	}

	void run()
	{
		say();
		tap_.non_blocking(true);
		read();
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
		fmt::print(stderr, "skbwalk: {} is up, the model has {}\n", device_.name(), args_.address);
		if (args_.host_address.empty())
			fmt::print(
				stderr,
				"skbwalk: reach it from this machine: ip addr add ADDRESS dev {0} && ip link set {0} up\n",
				device_.name());
		for (const std::string &line : model_.what_it_serves())
			fmt::print(stderr, "skbwalk: serves {}\n", line);
		fmt::print(stderr, "skbwalk: Ctrl-C ends it{}\n",
		           args_.trace_file.empty() ? "" : ", SIGUSR1 writes the trace so far");
	}

	void write(tap_model::bytes frame)
	{
		if (::write(device_.fd(), frame.data(), frame.size()) < 0)
			++lost_;
	}

	void read()
	{
		tap_.async_wait(asio::posix::stream_descriptor::wait_read, [this](auto error) {
			if (error)
				return;
			for (int i = 0; i < frames_per_turn_max; ++i) {
				const ssize_t n = ::read(device_.fd(), frame_.data(), frame_.size());
				if (n <= 0)
					break;
				model_.frame_in({frame_.data(), static_cast<std::size_t>(n)}, now_ns());
			}
			advance();
			read();
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
	tap_model model_; // before the device: usage that is wrong touches nothing
	tap_device device_;
	asio::posix::stream_descriptor tap_;
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
