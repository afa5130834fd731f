// SPDX-License-Identifier: GPL-2.0-only
//
// libpcap's dumper on a packet tap. The time of a packet is its host's wall clock.
#include "sim/pcap.h"

#include <cstdio>

#include <fmt/format.h>
#include <pcap/pcap.h>

#include "stack/core/net_namespace.h"

namespace skbwalk::sim {

namespace {
constexpr int snapshot_bytes = 262'144;
}

struct pcap_file::handles {
	pcap_t *pcap = nullptr;
	pcap_dumper_t *dumper = nullptr;
	~handles()
	{
		if (dumper)
			pcap_dump_close(dumper);
		if (pcap)
			pcap_close(pcap);
	}
};

pcap_file::pcap_file(const std::string &path) : handles_(std::make_unique<handles>()), path_(path)
{
	handles_->pcap =
		pcap_open_dead_with_tstamp_precision(DLT_EN10MB, snapshot_bytes, PCAP_TSTAMP_PRECISION_NANO);
	if (!handles_->pcap)
		throw pcap_error(fmt::format("{}: libpcap does not start", path));
	handles_->dumper = pcap_dump_open(handles_->pcap, path.c_str());
	if (!handles_->dumper)
		throw pcap_error(pcap_geterr(handles_->pcap));
}

pcap_file::~pcap_file() = default;

void pcap_file::write(u64 wall_ns, const frame_bytes &frame)
{
	pcap_pkthdr header{};
	header.ts.tv_sec = static_cast<time_t>(wall_ns / NSEC_PER_SEC);
	header.ts.tv_usec =
		static_cast<suseconds_t>(wall_ns % NSEC_PER_SEC); // nanoseconds, by the precision above
	header.len = static_cast<bpf_u_int32>(frame.size());
	header.caplen = std::min<bpf_u_int32>(header.len, snapshot_bytes);
	pcap_dump(reinterpret_cast<u_char *>(handles_->dumper), &header, frame.data());
	++packets_;
}

void pcap_file::flush()
{
	if (pcap_dump_flush(handles_->dumper) || std::ferror(pcap_dump_file(handles_->dumper)))
		throw pcap_error(fmt::format("{}: cannot be written", path_));
}

void dump_packets(packet_tap &tap, pcap_file &file, const std::string &device)
{
	std::string host_name, space_name, dev = device;
	bool has_space = false;
	if (const std::size_t slash = dev.find('/'); slash != std::string::npos) {
		host_name = dev.substr(0, slash);
		dev.erase(0, slash + 1);
	}
	if (const std::size_t colon = dev.find(':'); colon != std::string::npos) {
		has_space = true;
		space_name = dev.substr(0, colon);
		dev.erase(0, colon + 1);
	}
	tap.watch([&file, host_name, space_name, has_space, dev](const packet_tap::seen &s) {
		const net &space = dev_net(s.dev);
		if (dev.empty()) {
			if (!s.out && !(s.dev.flags & IFF_LOOPBACK))
				return;
		} else if (s.dev.name != dev || (has_space && space.name != space_name) ||
		           (!host_name.empty() && space.on->name != host_name)) {
			return;
		}
		file.write(space.on->wall_ns + s.time_ns, wire_bytes(s.skb));
	});
}

} // namespace skbwalk::sim
