// SPDX-License-Identifier: GPL-2.0-only
//
// The texts are those that iptables 1.8.9 (legacy) prints for the same commands.
#include <gmock/gmock.h>

#include "sim/setup.h"
#include "tests/ipv4/ip_wire.h"

namespace skbwalk::test {
namespace {

using testing::HasSubstr;

class table_host : public ip_wire {
public:
	table_host() { meet(); }
	std::string run(const std::string &command) { return sim::run_command(host, command); }
	std::string failure(const std::string &command)
	{
		try {
			run(command);
		} catch (const sim::command_failed &e) {
			return e.what();
		}
		return "it did not fail";
	}
	// Datagrams to a socket that is not there: how many came as far as that.
	u64 deliver(u16 dport, int n = 1)
	{
		const u64 before = ns().mib.udp_statistics[UDP_MIB_NOPORTS];
		for (int i = 0; i < n; ++i) {
			ip_packet p;
			p.payload = udp(7, dport, {1});
			receive(p);
		}
		return ns().mib.udp_statistics[UDP_MIB_NOPORTS] - before;
	}
};

TEST(ip_tables, rules_are_asked_in_order_and_count)
{
	table_host t;

	t.run("iptables -A INPUT -p udp --dport 5 -j ACCEPT");
	t.run("iptables -A INPUT -i v+ -s 10.0.0.0/24 -p udp --dport 5:6 -j DROP");
	EXPECT_EQ(t.deliver(5), 1u);
	EXPECT_EQ(t.deliver(6, 2), 0u);
	EXPECT_EQ(t.deliver(7), 1u);
	EXPECT_EQ(
		t.run("iptables -L INPUT -v -n"),
		"Chain INPUT (policy ACCEPT 1 packets, 29 bytes)\n"
		" pkts bytes target     prot opt in     out     source               destination         \n"
		"    1    29 ACCEPT     17   --  *      *       0.0.0.0/0            0.0.0.0/0            udp dpt:5\n"
		"    2    58 DROP       17   --  v+     *       10.0.0.0/24          0.0.0.0/0            udp "
		"dpts:5:6\n");
	t.run("iptables -Z INPUT");
	EXPECT_THAT(t.run("iptables -L INPUT -v -n"), HasSubstr("    0     0 DROP"));
}

TEST(ip_tables, user_chain_returns_to_behind_the_jump_and_goto_does_not)
{
	table_host t;

	t.run("iptables -N mine");
	t.run("iptables -A mine -p udp --dport 5 -j RETURN");
	t.run("iptables -A mine -p udp --dport 6 -j DROP");
	t.run("iptables -A INPUT -j mine");
	t.run("iptables -A INPUT -p udp --dport 5 -j DROP");
	EXPECT_EQ(t.deliver(5), 0u);
	EXPECT_EQ(t.deliver(6), 0u);
	EXPECT_EQ(t.deliver(7), 1u);
	t.run("iptables -R INPUT 1 -g mine");
	EXPECT_EQ(t.deliver(5), 1u); // straight to the policy
}

TEST(ip_tables, loop_of_chains_is_refused_and_the_table_stays)
{
	table_host t;

	t.run("iptables -N one");
	t.run("iptables -N two");
	t.run("iptables -A one -j two");
	t.run("iptables -A INPUT -j one");
	EXPECT_THAT(t.failure("iptables -A two -j one"), HasSubstr("iptables: "));
	EXPECT_EQ(t.run("iptables -S two"), "-N two\n");
}

TEST(ip_tables, what_is_read_is_what_is_printed)
{
	table_host t;
	const std::vector<std::string> rules = {
		"-A FORWARD -s 10.0.0.0/24 ! -d 10.1.1.1/32 -i br0 -o veth+ -j ACCEPT",
		"-A FORWARD -p tcp -m tcp --dport 80 --tcp-flags FIN,SYN,RST,ACK SYN -j mine",
		"-A FORWARD -p tcp -m tcp ! --sport 1024:65535 --tcp-flags SYN,ACK SYN -g mine",
		"-A FORWARD -p udp -m udp --dport 53 -j REJECT --reject-with icmp-port-unreachable",
		"-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		"-A FORWARD -m state --state INVALID,NEW -j DROP",
		"-A FORWARD -m mark --mark 0x1/0xff -m comment --comment \"hello world\" -j RETURN",
		"-A FORWARD -p icmp -m icmp --icmp-type 8 -m limit --limit 5/sec --limit-burst 7",
		"-A FORWARD -p icmp -m icmp ! --icmp-type 3/4 -j DROP",
		"-A FORWARD -p tcp -m multiport --dports 80,443,1000:2000 -j ACCEPT",
		"-A FORWARD -m mac --mac-source 00:11:22:33:44:55 -j ACCEPT",
		"-A FORWARD -m addrtype --dst-type LOCAL -j ACCEPT",
		"-A FORWARD -f -j DROP",
		"-A FORWARD -m conntrack ! --ctstate NEW --ctproto 6 --ctorigdst 1.2.3.4 --ctorigdstport 80 --ctstatus "
		"ASSURED --ctdir ORIGINAL -j ACCEPT",
		"-A mine -p gre -j DROP"};
	std::string all = "-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\n-N mine\n";

	t.run("iptables -N mine");
	for (const std::string &rule : rules) {
		t.run("iptables " + rule);
		all += rule + "\n";
	}
	EXPECT_EQ(t.run("iptables -S"), all);
	for (const std::string &rule : rules)
		t.run("iptables -D" + rule.substr(2));
	EXPECT_EQ(t.run("iptables -S FORWARD"), "-P FORWARD ACCEPT\n");
	t.run("iptables -X mine");
}

TEST(ip_tables, complaints_are_the_tools_own)
{
	table_host t;

	EXPECT_EQ(t.failure("iptables -A FORWARD -j ACCEP"),
	          "iptables v1.8.9 (legacy): Couldn't load target `ACCEP':No such file or directory\n\n"
	          "Try `iptables -h' or 'iptables --help' for more information.");
	EXPECT_THAT(t.failure("iptables -A FORWARD -m foo -j ACCEPT"),
	            HasSubstr("Couldn't load match `foo'"));
	EXPECT_THAT(t.failure("iptables -t foo -L"), HasSubstr("can't initialize iptables table `foo'"));
	EXPECT_THAT(t.failure("iptables -A FORWARD --dport 80 -j ACCEPT"),
	            HasSubstr("unknown option \"--dport\""));
	EXPECT_THAT(t.failure("iptables -A INPUT -o eth0 -j ACCEPT"), HasSubstr("Can't use -o with INPUT"));
	EXPECT_EQ(t.failure("iptables -P foo ACCEPT"), "iptables: Bad built-in chain name.");
	EXPECT_EQ(t.failure("iptables -F nosuch"), "iptables: No chain/target/match by that name.");
	EXPECT_EQ(t.failure("iptables -D FORWARD 9"), "iptables: Index of deletion too big.");
	EXPECT_THAT(t.failure("iptables -A FORWARD -p tcp --dport abc -j ACCEPT"),
	            HasSubstr("invalid port/service `abc' specified"));
	EXPECT_THAT(t.failure("iptables"), HasSubstr("no command specified"));
}

TEST(ip_tables, limit_lets_its_burst_pass_and_then_its_rate)
{
	table_host t;

	t.run("iptables -A INPUT -p udp -m limit --limit 5/sec --limit-burst 3 -j ACCEPT");
	t.run("iptables -A INPUT -p udp -j DROP");
	EXPECT_EQ(t.deliver(5, 10), 3u);
	t.run_ms(450);
	EXPECT_EQ(t.deliver(5, 10), 2u);
}

TEST(ip_tables, mark_is_set_and_matched)
{
	table_host t;

	t.run("iptables -t mangle -A PREROUTING -p udp --dport 5 -j MARK --set-mark 0x15");
	t.run("iptables -A INPUT -m mark --mark 0x5/0xf -j DROP");
	EXPECT_EQ(t.deliver(5), 0u);
	EXPECT_EQ(t.deliver(6), 1u);
}

TEST(ip_tables, reject_answers_with_the_message_of_the_rule)
{
	table_host t;

	t.run("iptables -A INPUT -p udp --dport 5 -j REJECT --reject-with icmp-host-prohibited");
	EXPECT_EQ(t.deliver(5), 0u);
	ASSERT_EQ(t.sent.size(), 1u);
	EXPECT_EQ(t.sent[0].icmp().type, 3);
	EXPECT_EQ(t.sent[0].icmp().code, 10);
}

TEST(arp_tables, dropped_request_is_not_answered)
{
	table_host t;

	t.run("arptables -A INPUT -i v1 --opcode 1 -j DROP");
	EXPECT_EQ(t.run("arptables -S INPUT"), "-P INPUT ACCEPT\n-A INPUT -i v1 --opcode 1 -j DROP\n");
	t.run("ip -n far neigh flush dev v2");
	t.run("arptables -D INPUT -i v1 --opcode 1 -j DROP");
	EXPECT_EQ(t.run("arptables -S INPUT"), "-P INPUT ACCEPT\n");
}

} // namespace
} // namespace skbwalk::test
