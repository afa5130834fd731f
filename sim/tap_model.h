// SPDX-License-Identifier: GPL-2.0-only
//
// A host of the model behind real TAP interfaces, one or the ports of its bridge: the same stack, on the
// machine's clock. Frames and time
// come in from outside; frames go out through a function. Knows no file descriptor and no event loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace skbwalk::sim {

struct bad_tap : std::runtime_error { // wrong usage: an address, a service, a command
	using std::runtime_error::runtime_error;
};

struct tap_args {
	std::vector<std::string> names;    // of the interfaces, on both sides
	std::string bridge;                // of which they are ports; empty: none, and one interface
	std::string address;               // the model's, with its prefix; empty: none
	std::string gateway;               // the model's default route; empty: none
	std::string host_address;          // the machine's, with its prefix; empty: left alone
	std::string serve;                 // "http:8080,echo:7"
	std::vector<std::string> commands; // more set-up lines
	std::string pcap_file;
	std::string trace_file; // written at the end and on SIGUSR1
	std::string trace_format = "tree";
	std::string profile = "linux-6.1";
	std::size_t records_max = std::size_t{1} << 20;
	std::uint64_t seed = 1;
	double seconds = 0; // stop after so long; 0: never
};

class tap_model {
public:
	using bytes = std::span<const unsigned char>;
	using sender = std::function<void(std::size_t interface, bytes frame)>;
	// Throws bad_tap, bad_profile, pcap_error.
	tap_model(const tap_args &args, sender send);
	~tap_model();
	tap_model(const tap_model &) = delete;
	tap_model &operator=(const tap_model &) = delete;

	// All that is due up to that time (ns since the start); frames leave meanwhile.
	void run_until(std::uint64_t now_ns);
	[[nodiscard]] std::uint64_t next_event_ns() const;
	void frame_in(std::size_t interface, bytes frame, std::uint64_t now_ns);
	// The trace so far into its file; nothing without one. Throws std::runtime_error.
	void write_trace();
	// Ends the tasks and the host. What was left over, a line each.
	std::vector<std::string> end();
	[[nodiscard]] std::vector<std::string> what_it_serves() const;
	[[nodiscard]] std::uint64_t frames_in() const;
	[[nodiscard]] std::uint64_t frames_out() const;

private:
	struct state;
	std::unique_ptr<state> s_;
};

// skbwalk tap: runs until a signal. Throws tap_refused too.
[[nodiscard]] int cmd_tap(const tap_args &args);

} // namespace skbwalk::sim
