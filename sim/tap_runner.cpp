// SPDX-License-Identifier: GPL-2.0-only
//
// The event loop of `skbwalk tap`: frames of the TAP interfaces, the model's next event, signals. It sleeps
// in ppoll, with signals let in only there and the next event as its limit, so that a frame costs no other
// system call than its own.
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <vector>

#include <fmt/format.h>
#include <poll.h>

#include "sim/tap_device.h"
#include "sim/tap_model.h"

namespace skbwalk::sim {

namespace {

using clock_type = std::chrono::steady_clock;

volatile std::sig_atomic_t ends, wants_trace; // what signals ask for

void at_signal(int signal)
{
	if (signal == SIGUSR1)
		wants_trace = 1;
	else
		ends = 1;
}

// Signals come in ppoll and nowhere else, as long as this lives.
class signals {
public:
	signals()
	{
		struct sigaction action = {};

		action.sa_handler = at_signal;
		sigset_t ours;
		sigemptyset(&ours);
		for (std::size_t i = 0; i < numbers.size(); ++i) {
			sigaction(numbers[i], &action, &before_[i]);
			sigaddset(&ours, numbers[i]);
		}
		ends = 0;
		wants_trace = 0;
		sigprocmask(SIG_BLOCK, &ours, &mask_);
	}
	~signals()
	{
		sigprocmask(SIG_SETMASK, &mask_, nullptr);
		for (std::size_t i = 0; i < numbers.size(); ++i)
			sigaction(numbers[i], &before_[i], nullptr);
	}
	signals(const signals &) = delete;
	signals &operator=(const signals &) = delete;

	[[nodiscard]] const sigset_t &let_in() const { return mask_; }

private:
	static constexpr std::array numbers{SIGINT, SIGTERM, SIGUSR1};
	std::array<struct sigaction, numbers.size()> before_{};
	sigset_t mask_{};
};

class loop {
public:
	explicit loop(const tap_args &args) : args_(args), model_(args, [this] { return now_ns(); })
	{
		for (const std::string &name : args.names) {
			ports_.push_back(std::make_unique<tap_device>(name, args.offload));
			model_.connect(ports_.size() - 1, *ports_.back());
			if (!ports_.back()->why_finished().empty())
				model_.wants_finished(ports_.size() - 1);
			polled_.push_back({ports_.back()->fd(), POLLIN, 0});
		}
		if (!args.host_address.empty())
			ports_[0]->configure(args.host_address);
	}

	void run()
	{
		const signals caught;
		const std::uint64_t deadline =
			args_.seconds > 0 ? now_ns() + static_cast<std::uint64_t>(args_.seconds * 1e9)
					  : ~std::uint64_t{0};

		say();
		model_.run();
		while (!ends && now_ns() < deadline) {
			if (wants_trace)
				write_trace();
			sleep(std::min(model_.next_event_ns(), deadline), caught);
			bool any = false;
			for (std::size_t i = 0; i < ports_.size(); ++i)
				if (polled_[i].revents & POLLIN) {
					any = true;
					model_.frames_in(i);
				} else if (polled_[i].revents) { // somebody has deleted it
					fmt::print(stderr, "skbwalk: {} is gone\n", ports_[i]->name());
					polled_[i].fd = -1;
				}
			if (!any)
				model_.run();
		}
		model_.run();
		model_.write_trace();
		const std::uint64_t refused = model_.frames_refused();
		for (const std::string &line : model_.end())
			fmt::print(stderr, "skbwalk: left over at the end: {}\n", line);
		std::uint64_t lost = 0;
		for (const auto &one : ports_)
			lost += one->lost();
		fmt::print(stderr, "skbwalk: {} frames in, {} out{}{}\n", model_.frames_in(),
		           model_.frames_out(),
		           refused ? fmt::format(", {} refused for their header", refused) : "",
		           lost ? fmt::format(", {} not taken by the machine's kernel", lost) : "");
	}

private:
	[[nodiscard]] std::uint64_t now_ns() const
	{
		return static_cast<std::uint64_t>(
			std::chrono::duration_cast<std::chrono::nanoseconds>(clock_type::now() - start_)
				.count());
	}

	// Until a frame, a signal or that time.
	void sleep(std::uint64_t until_ns, const signals &caught)
	{
		constexpr std::uint64_t second = 1'000'000'000;
		constexpr std::uint64_t longest = 3600 * second;
		const std::uint64_t now = now_ns();
		const std::uint64_t left = std::min(until_ns > now ? until_ns - now : 0, longest);
		const timespec limit{static_cast<std::time_t>(left / second),
		                     static_cast<long>(left % second)};

		if (ppoll(polled_.data(), polled_.size(), &limit, &caught.let_in()) <= 0)
			for (pollfd &one : polled_)
				one.revents = 0;
	}

	void say() const
	{
		const std::string has =
			args_.address.empty() ? "no address" : fmt::format("{}", args_.address);
		for (const auto &one : ports_) {
			const std::string &name = one->name();
			fmt::print(stderr, "skbwalk: {} is up, the model {}\n", name,
			           args_.bridge.empty()
			                   ? "has " + has
			                   : fmt::format("has it on {}, with {}", args_.bridge, has));
			if (!one->why_finished().empty())
				fmt::print(
					stderr,
					"skbwalk: {}: the machine's kernel takes no large packets: {}; going on "
					"without\n",
					name, one->why_finished());
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

	void write_trace()
	{
		wants_trace = 0;
		try {
			model_.write_trace();
		} catch (const std::exception &e) {
			fmt::print(stderr, "skbwalk: {}\n", e.what());
		}
	}

	const tap_args &args_;
	clock_type::time_point start_ = clock_type::now();
	// Filled after the model, so that usage that is wrong touches nothing, and there until its end.
	std::vector<std::unique_ptr<tap_device>> ports_;
	tap_model model_;
	std::vector<pollfd> polled_;
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
