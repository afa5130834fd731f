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
	bool offload = true; // large packets and unfinished checksums go to the machine's kernel as they are
	double seconds = 0;  // stop after so long; 0: never
};

// Where the frames of one interface come from and go to. The first piece of each frame is a virtio_net_hdr.
class tap_port {
public:
	static constexpr std::size_t header_bytes = 10;
	static constexpr std::size_t pieces_max = 64;
	struct memory {
		void *data;
		std::size_t size;
	};
	struct const_memory {
		const void *data;
		std::size_t size;
	};

	virtual ~tap_port() = default;
	// The next frame's bytes; 0: there is none now.
	virtual std::size_t read(std::span<const memory> to) = 0;
	virtual void write(std::span<const const_memory> from) = 0;
};

class tap_model {
public:
	using clock = std::function<std::uint64_t()>; // ns since the start
	// Throws bad_tap, bad_profile, pcap_error.
	tap_model(const tap_args &args, clock now);
	~tap_model();
	tap_model(const tap_model &) = delete;
	tap_model &operator=(const tap_model &) = delete;

	// The other side of an interface, which must outlive the model's end.
	void connect(std::size_t interface, tap_port &port);
	// It takes frames with their checksums only, and none that is larger than a packet.
	void wants_finished(std::size_t interface);
	// All that is due by now; frames leave meanwhile.
	void run();
	[[nodiscard]] std::uint64_t next_event_ns() const;
	// Reads what the interface's port has, some frames at most, and runs what is due. False: it had no
	// more.
	bool frames_in(std::size_t interface);
	// The trace so far into its file; nothing without one. Throws std::runtime_error.
	void write_trace();
	// Ends the tasks and the host. What was left over, a line each.
	std::vector<std::string> end();
	[[nodiscard]] std::vector<std::string> what_it_serves() const;
	[[nodiscard]] std::uint64_t frames_in() const;
	[[nodiscard]] std::uint64_t frames_out() const;
	[[nodiscard]] std::uint64_t frames_refused() const; // for what their headers say

private:
	struct state;
	std::unique_ptr<state> s_;
};

// skbwalk tap: runs until a signal. Throws tap_refused too.
[[nodiscard]] int cmd_tap(const tap_args &args);

} // namespace skbwalk::sim
