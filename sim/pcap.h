// SPDX-License-Identifier: GPL-2.0-only
//
// Packets into a file that tcpdump and Wireshark read, with virtual time stamps to the nanosecond.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include "sim/packet_tap.h"

namespace skbwalk::sim {

struct pcap_error : std::runtime_error {
	using std::runtime_error::runtime_error;
};

class pcap_file {
public:
	// Throws pcap_error if the file cannot be written.
	explicit pcap_file(const std::string &path);
	~pcap_file();
	pcap_file(const pcap_file &) = delete;
	pcap_file &operator=(const pcap_file &) = delete;

	void write(u64 wall_ns, const frame_bytes &frame);
	// Everything so far is in the file; throws pcap_error if it is not.
	void flush();
	[[nodiscard]] u64 packets() const { return packets_; }

private:
	struct handles;
	std::unique_ptr<handles> handles_;
	std::string path_;
	u64 packets_ = 0;
};

// Which frames go into the file. Empty: each frame where it is sent (on loopback where it is received), so
// once a wire. Else [HOST/][NETNS:]DEVICE: what that device sends and receives.
void dump_packets(packet_tap &tap, pcap_file &file, const std::string &device);

} // namespace skbwalk::sim
