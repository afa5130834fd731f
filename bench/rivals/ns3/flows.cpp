// SPDX-License-Identifier: GPL-2.0-only
//
// ns-3: two nodes on a point-to-point link of 10 Gbit/s and 10 us, flows that send as much as they can, by
// TCP with Cubic, segments of 1448 bytes and buffers of 256 KiB (with larger ones its queues, linear in the
// window, are slower by far). Packets wait in the device's queue, which holds all of them; with `codel` and
// `idle` in the FqCoDel that ns-3 gives a device by itself, with 10,000 in the device's behind it. Prints
// NAME, nanoseconds of cpu time for a segment that arrived once the flows were under way, ns; with `idle`,
// bytes of memory for a connection that sends nothing.
//
//   flows one|thousand|codel|lossy|idle
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>
#include <unistd.h>
#include <vector>

#include "ns3/applications-module.h"
#include "ns3/core-module.h"
#include "ns3/internet-module.h"
#include "ns3/network-module.h"
#include "ns3/point-to-point-module.h"
#include "ns3/traffic-control-module.h"

using namespace ns3;

static double cpu_ns()
{
	timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

static double resident_bytes()
{
	std::ifstream statm("/proc/self/statm");
	double size = 0, resident = 0;

	statm >> size >> resident;
	return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

int main(int argc, char **argv)
{
	const std::string what = argc > 1 ? argv[1] : "one";
	const bool idle = what == "idle";
	const bool codel = what == "codel" || idle;
	const uint32_t flows = what == "thousand" || codel ? 1000 : 1;
	const double warm_up = what == "codel" ? 0.02 : 0.05;
	const double seconds = flows > 1 && !idle ? 0.02 : what == "lossy" ? 0.5 : 0.1;

	Config::SetDefault("ns3::TcpL4Protocol::SocketType", StringValue("ns3::TcpCubic"));
	Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1448));
	Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(256 * 1024));
	Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(256 * 1024));
	Config::SetDefault("ns3::DropTailQueue<Packet>::MaxSize", StringValue(codel ? "10000p" : "200000p"));

	NodeContainer nodes;
	nodes.Create(2);
	PointToPointHelper wire;
	wire.SetDeviceAttribute("DataRate", StringValue("10Gbps"));
	wire.SetDeviceAttribute("Mtu", UintegerValue(1500));
	wire.SetChannelAttribute("Delay", StringValue("10us"));
	NetDeviceContainer devices = wire.Install(nodes);
	if (what == "lossy") {
		auto errors = CreateObject<RateErrorModel>();
		errors->SetAttribute("ErrorRate", DoubleValue(0.01));
		errors->SetAttribute("ErrorUnit", StringValue("ERROR_UNIT_PACKET"));
		devices.Get(1)->SetAttribute("ReceiveErrorModel", PointerValue(errors));
	}
	InternetStackHelper stack;
	stack.SetIpv6StackInstall(false);
	stack.Install(nodes);
	Ipv4AddressHelper addresses;
	addresses.SetBase("10.0.0.0", "255.255.255.0");
	Ipv4InterfaceContainer interfaces = addresses.Assign(devices); // with an FqCoDel each
	if (!codel)
		TrafficControlHelper().Uninstall(devices);

	PacketSinkHelper sink("ns3::TcpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), 5000));
	ApplicationContainer sinks = sink.Install(nodes.Get(1));
	sinks.Start(Seconds(0));
	const double memory_before = resident_bytes();
	std::vector<Ptr<Socket>> idlers;
	for (uint32_t i = 0; i < flows; ++i) {
		const Time start = Seconds(0.001 + i * 1e-6);
		if (idle) { // connected, and no application to send or to close
			Simulator::Schedule(start,
			                    [&, to = InetSocketAddress(interfaces.GetAddress(1), 5000)] {
						    idlers.push_back(Socket::CreateSocket(
							    nodes.Get(0), TcpSocketFactory::GetTypeId()));
						    idlers.back()->Bind();
						    idlers.back()->Connect(to);
					    });
			continue;
		}
		BulkSendHelper sender("ns3::TcpSocketFactory",
		                      InetSocketAddress(interfaces.GetAddress(1), 5000));
		sender.SetAttribute("SendSize", UintegerValue(65536));
		sender.SetAttribute("MaxBytes", UintegerValue(0));
		sender.Install(nodes.Get(0)).Start(start);
	}
	const auto received = [&] { return DynamicCast<PacketSink>(sinks.Get(0))->GetTotalRx(); };
	const auto run_to = [](double when) {
		Simulator::Stop(Seconds(when) - Simulator::Now());
		Simulator::Run();
	};

	run_to(warm_up);
	const double memory = resident_bytes() - memory_before, start = cpu_ns();
	const uint64_t before = received();
	run_to(warm_up + seconds);
	const double took = cpu_ns() - start;

	if (idle)
		std::printf("idle\t%.0f\tbytes\n", memory / flows);
	else
		std::printf("%s\t%.1f\tns\n", what.c_str(),
		            took / (static_cast<double>(received() - before) / 1448));
	Simulator::Destroy();
}
