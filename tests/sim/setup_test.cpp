// SPDX-License-Identifier: GPL-2.0-only
//
// Set-up commands: what they do to a host, the real tools' messages, and what is no command.
#include "sim/setup.h"

#include "sim/world.h"

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;
using testing::HasSubstr;

class setup : public testing::Test {
protected:
	setup() : h_(w_.add_host("h", 1)) { w_.run_until(NSEC_PER_SEC); }
	~setup() override { EXPECT_THAT(w_.end(), testing::IsEmpty()); }

	std::string run(const std::string &line)
	{
		const std::string out = run_command(h_, line);
		w_.run_until(w_.now_ns() + 10 * NSEC_PER_MSEC);
		return out;
	}
	std::string failure(const std::string &line)
	{
		try {
			run(line);
		} catch (const command_failed &e) {
			return e.what();
		} catch (const bad_command &e) {
			return std::string("bad: ") + e.what();
		}
		return "no failure";
	}
	// Two namespaces on a wire.
	void wire()
	{
		for (const char *line :
		     {"ip netns add c", "ip netns add s",
		      "ip link add vc netns c type veth peer name vs netns s",
		      "ip -n c addr add 10.1.0.1/24 dev vc", "ip netns exec s ip addr add 10.1.0.2/24 dev vs",
		      "ip -n c link set vc up", "ip -n s link set dev vs up"})
			run(line);
	}

	world w_{{}};
	host &h_;
};

TEST(setup_words, blanks_separate_and_quotes_keep_together)
{
	EXPECT_THAT(command_words("  ip  link 'a b' \"c\"d \t"),
	            testing::ElementsAre("ip", "link", "a b", "cd"));
	EXPECT_THAT(command_words(R"(a\ b)"), testing::ElementsAre("a b"));
	EXPECT_THROW(static_cast<void>(command_words("ip link | cat")), bad_command);
	EXPECT_THROW(static_cast<void>(command_words("a && b")), bad_command);
	EXPECT_THROW(static_cast<void>(command_words("ip 'link")), bad_command);
}

TEST_F(setup, veth_pair_between_namespaces_is_up_and_routed)
{
	wire();
	EXPECT_THAT(run("ip -n c link show vc"), HasSubstr("UP,LOWER_UP"));
	EXPECT_THAT(run("ip -n c addr show dev vc"), HasSubstr("inet 10.1.0.1/24 scope global vc"));
	EXPECT_EQ(run("ip -n c route"), "10.1.0.0/24 dev vc proto kernel scope link src 10.1.0.1 \n");
	EXPECT_THAT(run("ip -n c route get 10.1.0.2"), HasSubstr("10.1.0.2 dev vc src 10.1.0.1"));
	EXPECT_EQ(run("ip netns"), "c\ns\n");
	EXPECT_EQ(run("ip route"), "") << "the initial namespace has none of it";
}

TEST_F(setup, one_end_gone_takes_the_other_along)
{
	wire();
	run("ip -n c link del vc");
	EXPECT_EQ(failure("ip -n s link show vs"), "Cannot find device \"vs\"");
}

TEST_F(setup, abbreviations_are_iproute2s)
{
	run("ip l s lo up");
	EXPECT_THAT(run("ip a"), HasSubstr("inet 127.0.0.1/8 scope host lo"));
}

TEST_F(setup, device_is_changed_by_ip_link_set)
{
	run("ip link add v1 type veth peer name v2");
	run("ip link set v1 mtu 1400 address 02:00:00:00:00:01 name w1");
	EXPECT_THAT(
		run("ip link show w1"),
		testing::AllOf(HasSubstr("mtu 1400"), HasSubstr("02:00:00:00:00:01"), HasSubstr("w1@v2")));
	run("ip netns add c");
	run("ip link set w1 netns c");
	EXPECT_EQ(failure("ip link show w1"), "Cannot find device \"w1\"");
	EXPECT_THAT(run("ip -n c link"), HasSubstr("w1@if"));
}

TEST_F(setup, routes_are_added_replaced_and_deleted)
{
	wire();
	run("ip -n c route add default via 10.1.0.2");
	run("ip -n c route add 10.9.0.0/16 via 10.1.0.2 metric 5 mtu 1300");
	EXPECT_THAT(run("ip -n c route"),
	            testing::AllOf(HasSubstr("default via 10.1.0.2 dev vc \n"),
	                           HasSubstr("10.9.0.0/16 via 10.1.0.2 dev vc metric 5 mtu 1300 \n")));
	run("ip -n c route replace default dev vc");
	EXPECT_THAT(run("ip -n c route"), HasSubstr("default dev vc scope link \n"));
	run("ip -n c route del default");
	EXPECT_THAT(run("ip -n c route"), testing::Not(HasSubstr("default")));
	run("ip -n c route add blackhole 10.8.0.0/16");
	EXPECT_EQ(failure("ip -n c route get 10.8.0.1"), "RTNETLINK answers: Invalid argument");
}

TEST_F(setup, neighbours_are_added_shown_and_flushed)
{
	wire();
	run("ip -n c neigh add 10.1.0.9 lladdr 02:00:00:00:00:09 dev vc");
	run("ip -n c neigh add 10.1.0.8 lladdr 02:00:00:00:00:08 dev vc nud stale");
	EXPECT_THAT(run("ip -n c neigh"),
	            testing::AllOf(HasSubstr("10.1.0.9 dev vc lladdr 02:00:00:00:00:09 PERMANENT"),
	                           HasSubstr("10.1.0.8 dev vc lladdr 02:00:00:00:00:08 STALE")));
	EXPECT_EQ(run("ip -n s neigh"), "");
	run("ip -n c neigh flush all");
	EXPECT_THAT(run("ip -n c neigh"),
	            testing::AllOf(HasSubstr("10.1.0.9"), testing::Not(HasSubstr("10.1.0.8"))));
	run("ip -n c neigh del 10.1.0.9 dev vc");
}

TEST_F(setup, sysctls_are_read_and_written)
{
	EXPECT_EQ(run("sysctl net.ipv4.tcp_syncookies"), "net.ipv4.tcp_syncookies = 1\n");
	run("sysctl -w net.ipv4.tcp_syncookies=2 net.ipv4.ip_forward=1");
	EXPECT_EQ(run("sysctl -n net.ipv4.tcp_syncookies"), "2\n");
	EXPECT_EQ(run("sysctl -n net/ipv4/conf/all/forwarding"), "1\n") << "ip_forward is the same switch";
	run("sysctl -w net.ipv4.tcp_rmem='4096 65536 131072'");
	EXPECT_EQ(run("sysctl net.ipv4.tcp_rmem"), "net.ipv4.tcp_rmem = 4096\t65536\t131072\n");
	run("sysctl -w net.ipv4.neigh.default.gc_stale_time=120");
	EXPECT_EQ(run("sysctl -n net.ipv4.neigh.default.gc_stale_time"), "120\n");
	run("sysctl -w net.ipv4.ipfrag_time=7");
	EXPECT_EQ(run("sysctl -n net.ipv4.ipfrag_time"), "7\n");
	EXPECT_THAT(failure("sysctl -w net.ipv4.ipfrag_low_thresh=999999999"), HasSubstr("Invalid argument"))
		<< "above the high one";
	run("sysctl -w net.core.somaxconn=16");
	EXPECT_EQ(run("sysctl -n net.core.somaxconn"), "16\n");
}

TEST_F(setup, features_follow_ethtool)
{
	run("ip link add v1 type veth peer name v2");
	run("ethtool -K v1 tso off gso off tx off");
	EXPECT_EQ(failure("ethtool -K v1 lro off"),
	          "bad: `ethtool -K v1 lro off`: the feature lro is not modelled yet");
	EXPECT_EQ(failure("ethtool -K v9 tso off"), "Cannot get device feature names: No such device");
}

TEST_F(setup, failures_are_the_tools_own)
{
	wire();
	EXPECT_EQ(failure("ip netns add c"), "Cannot create namespace file \"/run/netns/c\": File exists");
	EXPECT_EQ(failure("ip netns del x"),
	          "Cannot remove namespace file \"/run/netns/x\": No such file or directory");
	EXPECT_EQ(failure("ip -n x link"), "Cannot open network namespace \"x\": No such file or directory");
	EXPECT_EQ(failure("ip link set nope up"), "Cannot find device \"nope\"");
	EXPECT_EQ(failure("ip link del lo"), "RTNETLINK answers: Operation not supported");
	EXPECT_EQ(failure("ip link set lo netns c"), "RTNETLINK answers: Invalid argument");
	EXPECT_EQ(failure("ip -n c link add vc type veth peer name z"), "RTNETLINK answers: File exists");
	EXPECT_EQ(failure("ip -n c addr add 10.1.0.1/24 dev vc"), "RTNETLINK answers: File exists");
	EXPECT_EQ(failure("ip -n c addr del 10.7.0.1/24 dev vc"),
	          "RTNETLINK answers: Cannot assign requested address");
	EXPECT_EQ(failure("ip -n c route add 10.1.0.0/24 dev vc proto kernel src 10.1.0.1"),
	          "RTNETLINK answers: File exists");
	EXPECT_EQ(failure("ip -n c route add default via 10.7.0.1"), "Error: Nexthop has invalid gateway.");
	EXPECT_EQ(failure("ip -n c route del 10.66.0.0/16"), "RTNETLINK answers: No such process");
	EXPECT_THAT(failure("ip -n c route get 8.8.8.8"), HasSubstr("Network is unreachable"));
	EXPECT_EQ(failure("ip -n c neigh del 10.1.0.77 dev vc"),
	          "RTNETLINK answers: No such file or directory");
	EXPECT_THAT(failure("sysctl -w net.ipv4.tcp_nonsense=1"),
	            HasSubstr("/proc/sys/net/ipv4/tcp_nonsense: No such file"));
	EXPECT_THAT(failure("sysctl -w net.ipv4.tcp_ecn=x"), HasSubstr("Invalid argument"));
}

TEST_F(setup, bridge_and_its_ports_are_made_set_and_shown)
{
	run("ip link add br0 type bridge forward_delay 400 vlan_filtering 1");
	run("ip link add v1 type veth peer name v2");
	run("ip link set v1 master br0 up");
	EXPECT_THAT(run("brctl show"), HasSubstr("v1"));
	EXPECT_THAT(run("ip link show v1"), HasSubstr("master br0"));
	EXPECT_THAT(run("bridge vlan show dev v1"), HasSubstr("1 PVID Egress Untagged"));
	run("bridge vlan add dev v1 vid 10-12");
	EXPECT_THAT(run("bridge vlan show dev v1"), HasSubstr("12"));
	run("bridge fdb add 02:00:00:00:00:77 dev v1 master static vlan 10");
	EXPECT_THAT(run("bridge fdb show br br0"),
	            HasSubstr("02:00:00:00:00:77 dev v1 vlan 10 master br0 static"));
	EXPECT_THAT(failure("bridge fdb add 02:00:00:00:00:77 dev v1 master static vlan 10"),
	            HasSubstr("File exists"));
	EXPECT_THAT(failure("brctl addif br0 v1"), HasSubstr("already a member of a bridge"));
	EXPECT_THAT(failure("brctl delbr nobody"), HasSubstr("doesn't exist"));
	EXPECT_THAT(failure("ip link set v1 type bridge_slave state 9"), HasSubstr("expected a state"));
	EXPECT_THAT(failure("sysctl -w net.bridge.bridge-nf-call-iptables=1"), HasSubstr("No such file"));
	run("modprobe br_netfilter");
	run("sysctl -w net.bridge.bridge-nf-call-iptables=5");
	EXPECT_EQ(run("sysctl -n net.bridge.bridge-nf-call-iptables"), "1\n");
	run("ip link set v1 nomaster");
	run("brctl delbr br0");
}

TEST_F(setup, what_is_not_modelled_says_so_and_quotes_the_command)
{
	for (const char *line : {"tc filter show dev lo", "nft list ruleset", "ip link add b type bond",
	                         "bridge mdb show", "brctl frob br0", "ip -6 addr add ::1/128 dev lo",
	                         "ip rule add from 1.2.3.4", "ethtool -i lo", "sysctl -w vm.swappiness=1"})
		EXPECT_THAT(failure(line), testing::AllOf(HasSubstr("bad: `" + std::string(line)),
		                                          HasSubstr("is not modelled yet")));
	for (const char *line : {"", "rm -rf /", "ip", "ip link add", "ip link set",
	                         "ip addr add 10.0.0.1/99 dev lo", "ip route add", "ip addr add 10.0.0.1",
	                         "ip link set lo mtu many", "ip neigh add 10.0.0.1", "ethtool -K lo"})
		EXPECT_THAT(failure(line),
		            testing::AnyOf(HasSubstr("bad: `" + std::string(line) + "`: expected"),
		                           HasSubstr("required")))
			<< line;
}

} // namespace
