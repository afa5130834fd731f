// SPDX-License-Identifier: GPL-2.0-only
//
// From loopback to a router that translates addresses; all of it commands that a real kernel takes.
#include "sim/oracle_random_networks.h"

namespace skbwalk::sim {

namespace {

using lines = std::vector<std::string_view>;

lines operator+(lines a, const lines &b)
{
	a.insert(a.end(), b.begin(), b.end());
	return a;
}

const lines pair_of_namespaces = {"ip netns add c",
                                  "ip netns add s",
                                  "ip link add vc netns c type veth peer name vs netns s",
                                  "ip -n c addr add 10.1.0.1/24 dev vc",
                                  "ip -n s addr add 10.1.0.2/24 dev vs",
                                  "ip -n c link set vc up",
                                  "ip -n s link set vs up"};

const lines router = {"ip netns add c",
                      "ip netns add r",
                      "ip netns add s",
                      "ip link add va netns c type veth peer name ra netns r",
                      "ip link add vb netns s type veth peer name rb netns r",
                      "ip -n c addr add 10.0.1.2/24 dev va",
                      "ip -n r addr add 10.0.1.1/24 dev ra",
                      "ip -n r addr add 10.0.2.1/24 dev rb",
                      "ip -n s addr add 10.0.2.2/24 dev vb",
                      "ip -n c link set va up",
                      "ip -n r link set ra up",
                      "ip -n r link set rb up",
                      "ip -n s link set vb up",
                      "ip -n c route add default via 10.0.1.1",
                      "ip -n s route add default via 10.0.2.1",
                      "ip netns exec r sysctl -w net.ipv4.ip_forward=1"};

const lines bridge = {"ip netns add c",
                      "ip netns add s",
                      "ip link add br0 type bridge",
                      "ip link set br0 up",
                      "ip link add vc netns c type veth peer name bc",
                      "ip link add vs netns s type veth peer name bs",
                      "ip link set bc master br0",
                      "ip link set bs master br0",
                      "ip -n c addr add 10.2.0.1/24 dev vc",
                      "ip -n s addr add 10.2.0.2/24 dev vs",
                      "ip -n c link set vc up",
                      "ip -n s link set vs up",
                      "ip link set bc up",
                      "ip link set bs up"};

const lines bridge_filters = {"modprobe br_netfilter", "sysctl -w net.bridge.bridge-nf-call-iptables=1",
                              "iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
                              "iptables -A FORWARD -m conntrack --ctstate NEW -j ACCEPT"};

const lines translates = {
	"ip netns exec r iptables -P FORWARD DROP",
	"ip netns exec r iptables -A FORWARD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
	"ip netns exec r iptables -A FORWARD -i ra -m conntrack --ctstate NEW -j ACCEPT",
	"ip netns exec r iptables -t nat -A POSTROUTING -o rb -j MASQUERADE"};

const std::vector<link_end> ends_of_pair = {{"c", "vc", "10.1.0.2"}, {"s", "vs", "10.1.0.1"}};
const std::vector<link_end> ends_of_router = {
	{"c", "va", "10.0.1.1"}, {"r", "ra", "10.0.1.2"}, {"r", "rb", "10.0.2.2"}, {"s", "vb", "10.0.2.1"}};
const std::vector<link_end> ends_of_bridge = {
	{"c", "vc", "10.2.0.2"}, {"s", "vs", "10.2.0.1"}, {"", "bc", ""}, {"", "bs", ""}};

} // namespace

std::span<const random_network> random_networks()
{
	static const std::vector<random_network> all = {
		{"loopback", {"ip link set lo up"}, "", "", "127.0.0.1", "127.0.0.1", {{"", "lo", ""}}},
		{"veth",
	         {"ip link add v1 type veth peer name v2", "ip addr add 10.3.0.1/24 dev v1",
	          "ip addr add 10.3.0.2/24 dev v2", "ip link set lo up", "ip link set v1 up",
	          "ip link set v2 up"},
	         "",
	         "",
	         "10.3.0.1",
	         "10.3.0.2",
	         {{"", "lo", ""}}},
		{"namespaces", pair_of_namespaces, "c", "s", "10.1.0.1", "10.1.0.2", ends_of_pair},
		{"router", router, "c", "s", "10.0.1.2", "10.0.2.2", ends_of_router},
		{"bridge", bridge, "c", "s", "10.2.0.1", "10.2.0.2", ends_of_bridge},
		{"bridge with filters", bridge + bridge_filters, "c", "s", "10.2.0.1", "10.2.0.2",
	         ends_of_bridge},
		{"router with NAT", router + translates, "c", "s", "10.0.1.2", "10.0.2.2", ends_of_router},
	};
	return all;
}

} // namespace skbwalk::sim
