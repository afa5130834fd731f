// SPDX-License-Identifier: GPL-2.0-only
#include "stack/security/selinux/avc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/selinux_policy.h"
#include "stack/kernel/slab.h"
#include "stack/kernel/softirq.h"
#include "stack/security/security.h"
#include "stack/security/selinux/classmap.h"
#include "stack/security/selinux/ss/services.h"
#include "tests/kernel/bench_world.h"

namespace skbwalk {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class selinux_host : public testing::Test {
protected:
	selinux_host() : in_(world_.c0()) { EXPECT_TRUE(security_init({"selinux"})); }
	~selinux_host() override
	{
		security_exit();
		rcu_process_callbacks(world_.h);
		EXPECT_EQ(slab_report(world_.h), "");
	}

	void load(const std::vector<std::string> &statements, bool enforcing = true)
	{
		auto policy = sim::read_policy(statements);
		policy->enforcing = enforcing;
		names_ = *policy;
		EXPECT_EQ(security_load_policy(std::move(policy)), 0);
	}
	u32 sid(const std::string &type)
	{
		const auto c = sim::context_of(names_, "system_u:object_r:" + type);
		u32 out = 0;
		EXPECT_TRUE(c) << type;
		EXPECT_EQ(security_context_to_sid(*c, out), 0);
		return out;
	}
	int may(const std::string &source, const std::string &target, u32 perms,
	        u16 tclass = SECCLASS_TCP_SOCKET)
	{
		return avc_has_perm(sid(source), sid(target), tclass, perms, nullptr);
	}

	test::bench_world world_;
	enter_cpu in_;
	policydb names_;
};

TEST_F(selinux_host, without_a_policy_everything_is_allowed)
{
	EXPECT_EQ(avc_has_perm(SECINITSID_KERNEL, SECINITSID_PORT, SECCLASS_TCP_SOCKET,
	                       TCP_SOCKET__NAME_CONNECT, nullptr),
	          0);
	EXPECT_TRUE(audit_log(world_.h).empty());
}

TEST_F(selinux_host, what_no_rule_allows_is_denied_and_logged)
{
	load({"type a_t;", "type b_t;", "allow a_t b_t:tcp_socket { read write };"});
	EXPECT_EQ(may("a_t", "b_t", SOCKET__READ), 0);
	EXPECT_EQ(may("a_t", "b_t", SOCKET__READ | SOCKET__CONNECT), -EACCES);
	EXPECT_EQ(may("b_t", "a_t", SOCKET__READ), -EACCES);
	EXPECT_EQ(may("a_t", "b_t", SOCKET__READ, SECCLASS_UDP_SOCKET), -EACCES);
	EXPECT_THAT(audit_log(world_.h),
	            ElementsAre("avc:  denied  { connect } for  pid=0 comm=\"swapper/0\" "
	                        "scontext=system_u:object_r:a_t tcontext=system_u:object_r:b_t "
	                        "tclass=tcp_socket permissive=0",
	                        HasSubstr("{ read }"), HasSubstr("tclass=udp_socket")));
}

TEST_F(selinux_host, a_decision_is_computed_once)
{
	load({"type a_t;", "allow a_t self:tcp_socket read;"});
	const avc_cache_stats before = avc_stats();
	for (int i = 0; i < 5; ++i)
		EXPECT_EQ(may("a_t", "a_t", SOCKET__READ), 0);
	EXPECT_EQ(avc_stats().lookups - before.lookups, 5u);
	EXPECT_EQ(avc_stats().misses - before.misses, 1u);
	load({"type a_t;"}); // another policy: nothing of that holds
	EXPECT_EQ(may("a_t", "a_t", SOCKET__READ), -EACCES);
}

TEST_F(selinux_host, a_rule_for_an_attribute_is_one_for_each_of_its_types)
{
	load({"type a_t, domain;", "type b_t, domain;", "type c_t;", "allow domain domain:tcp_socket read;",
	      "allow domain self:tcp_socket write;"});
	EXPECT_EQ(may("a_t", "b_t", SOCKET__READ), 0);
	EXPECT_EQ(may("a_t", "a_t", SOCKET__WRITE), 0);
	EXPECT_EQ(may("a_t", "b_t", SOCKET__WRITE), -EACCES);
	EXPECT_EQ(may("a_t", "c_t", SOCKET__READ), -EACCES);
}

TEST_F(selinux_host, a_permissive_domain_and_a_permissive_host_only_log_once)
{
	load({"type a_t;", "type b_t;", "permissive a_t;"});
	EXPECT_EQ(may("a_t", "b_t", SOCKET__READ), 0);
	EXPECT_EQ(may("a_t", "b_t", SOCKET__READ), 0); // granted, and remembered
	EXPECT_EQ(may("b_t", "a_t", SOCKET__READ), -EACCES);
	EXPECT_THAT(audit_log(world_.h), ElementsAre(HasSubstr("permissive=1"), HasSubstr("permissive=0")));
	load({"type a_t;", "type b_t;"}, false);
	EXPECT_EQ(may("b_t", "a_t", SOCKET__READ), 0);
}

TEST_F(selinux_host, dontaudit_denies_in_silence_and_auditallow_logs_a_grant)
{
	load({"type a_t;", "type b_t;", "dontaudit a_t b_t:tcp_socket read;",
	      "allow a_t b_t:tcp_socket write;", "auditallow a_t b_t:tcp_socket write;"});
	EXPECT_EQ(may("a_t", "b_t", SOCKET__READ), -EACCES);
	EXPECT_TRUE(audit_log(world_.h).empty());
	EXPECT_EQ(may("a_t", "b_t", SOCKET__WRITE), 0);
	EXPECT_THAT(audit_log(world_.h), ElementsAre(HasSubstr("avc:  granted  { write } for")));
}

TEST_F(selinux_host, the_cache_stays_within_its_size)
{
	std::vector<std::string> types;
	for (int i = 0; i < 40; ++i)
		types.push_back("type t" + std::to_string(i) + ";");
	types.emplace_back("auditallow t0 t0:tcp_socket read;");
	load(types, false);
	for (int i = 0; i < 40; ++i)
		for (int j = 0; j < 40; ++j)
			EXPECT_EQ(may("t" + std::to_string(i), "t" + std::to_string(j), SOCKET__READ), 0);
	EXPECT_GT(avc_stats().reclaims, 1000u);
	EXPECT_EQ(may("t1", "t2", SOCKET__READ), 0);
}

TEST_F(selinux_host, ports_nodes_and_new_sockets_get_their_contexts)
{
	load({"type a_t;", "type s_t;", "type_transition a_t a_t:tcp_socket s_t;",
	      "portcon tcp 80-90 system_u:object_r:http_port_t;",
	      "nodecon 10.0.0.0 255.0.0.0 system_u:object_r:inside_t;"});
	u32 got = 0;
	EXPECT_EQ(security_port_sid(6, 85, got), 0);
	EXPECT_EQ(got, sid("http_port_t"));
	EXPECT_EQ(security_port_sid(17, 85, got), 0);
	EXPECT_EQ(security_sid_to_context(got), "system_u:object_r:port_t");
	EXPECT_EQ(security_node_sid(2, {{10, 1, 2, 3}}, got), 0);
	EXPECT_EQ(got, sid("inside_t"));
	EXPECT_EQ(security_node_sid(2, {{11, 1, 2, 3}}, got), 0);
	EXPECT_EQ(got, u32{SECINITSID_NODE});
	EXPECT_EQ(security_transition_sid(sid("a_t"), sid("a_t"), SECCLASS_TCP_SOCKET, got), 0);
	EXPECT_EQ(got, sid("s_t"));
	EXPECT_EQ(security_transition_sid(sid("s_t"), sid("s_t"), SECCLASS_TCP_SOCKET, got), 0);
	EXPECT_EQ(got, sid("s_t"));
}

struct bad_statement {
	std::string text, message;
};
TEST(selinux_policy, a_statement_that_is_wrong_is_named)
{
	const bad_statement cases[] = {
		{"permit a_t b_t:tcp_socket read;", "found \"permit\""},
		{"allow a_t b_t:tcp_sockets read;", "found \"tcp_sockets\""},
		{"allow a_t b_t:tcp_socket reed;", "found \"reed\""},
		{"allow a_t b_t;", "TARGET:CLASS"},
		{"allow a_t b_t:tcp_socket { read", "end of the statement"},
		{"portcon tcp 99999 system_u:object_r:x_t;", "99999"},
		{"portcon tcp 80 x_t;", "user:role:type"},
		{"sid nosuch system_u:object_r:x_t;", "nosuch"},
		{"policycap magic;", "magic"},
		{"type a_t extra;", "found \"extra\""},
	};
	for (const bad_statement &c : cases) {
		const std::string statements[] = {"type ok_t;", c.text};
		try {
			static_cast<void>(sim::read_policy(statements));
			ADD_FAILURE() << c.text;
		} catch (const sim::bad_policy &e) {
			EXPECT_EQ(e.statement, 1u) << c.text;
			EXPECT_THAT(e.what(), HasSubstr(c.message)) << c.text;
		}
	}
}

} // namespace
} // namespace skbwalk
