// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

const tc_options three_bands{tc_prio_qopt{3, {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}}};

struct sch_api : testing::Test {
	sched_host host;
};

TEST_F(sch_api, discipline_without_a_handle_gets_the_next_of_the_hosts)
{
	ASSERT_EQ(host.replace("pfifo"), 0);
	EXPECT_EQ(host.root().handle, 0x80010000u);
	ASSERT_EQ(host.replace("bfifo"), 0);
	EXPECT_EQ(host.root().handle, 0x80020000u);
}

TEST_F(sch_api, same_kind_is_changed_in_place_and_another_is_put_there_anew)
{
	ASSERT_EQ(host.replace("pfifo", tc_options{tc_fifo_qopt{5}}), 0);
	const Qdisc *before = &host.root();

	ASSERT_EQ(host.replace("pfifo", tc_options{tc_fifo_qopt{9}}), 0);
	EXPECT_EQ(&host.root(), before);
	EXPECT_EQ(host.root().limit, 9u);
	ASSERT_EQ(host.replace("fq_codel"), 0);
	EXPECT_STREQ(host.root().ops->id, "fq_codel");
	EXPECT_EQ(host.root().limit, 10240u);
}

TEST_F(sch_api, add_over_one_that_was_added_fails)
{
	constexpr u16 add = NLM_F_CREATE | NLM_F_EXCL;

	EXPECT_EQ(host.ask(add, TC_H_ROOT, 0, "pfifo"), 0);
	EXPECT_EQ(host.ask(add, TC_H_ROOT, 0, "pfifo"), -EEXIST);
	EXPECT_STREQ(host.ack().msg, "Exclusivity flag on, cannot modify");
	EXPECT_EQ(host.ask(add, TC_H_ROOT, 0x70000, "pfifo"), -EEXIST);
	EXPECT_STREQ(host.ack().msg, "NLM_F_REPLACE needed to override");
}

TEST_F(sch_api, change_of_nothing_and_removal_of_a_default_fail)
{
	EXPECT_EQ(host.ask(0, TC_H_ROOT, 0, "pfifo"), -ENOENT);
	EXPECT_EQ(host.remove(TC_H_ROOT), -ENOENT);
	EXPECT_STREQ(host.ack().msg, "Cannot delete qdisc with handle of zero");
}

TEST_F(sch_api, unknown_kind_and_class_and_parent_are_refused_in_the_kernels_words)
{
	EXPECT_EQ(host.replace("noop"), -ENOENT) << "it is there, and cannot be asked for";
	EXPECT_EQ(host.replace("bogus"), -ENOENT);
	EXPECT_STREQ(host.ack().msg, "Specified qdisc kind is unknown");
	ASSERT_EQ(host.replace("prio", three_bands, TC_H_ROOT, 0x10000), 0);
	EXPECT_EQ(host.replace("pfifo", {}, 0x10004), -ENOENT);
	EXPECT_STREQ(host.ack().msg, "Specified class not found");
	EXPECT_EQ(host.replace("pfifo", {}, 0x20001), -ENOENT);
	EXPECT_STREQ(host.ack().msg, "Failed to find specified qdisc");
	ASSERT_EQ(host.replace("pfifo", {}, 0x10001, 0x30000), 0);
	EXPECT_EQ(host.replace("pfifo", {}, 0x30001), -EOPNOTSUPP);
	EXPECT_STREQ(host.ack().msg, "Parent qdisc is not classful");
	EXPECT_EQ(host.replace("noqueue", {}, 0x10002), -EINVAL);
}

TEST_F(sch_api, tree_of_netems_ends_at_depth_7)
{
	tc_netem_opt o;

	o.qopt.limit = 10;
	o.latency64 = 1000;
	ASSERT_EQ(host.replace("netem", tc_options{o}, TC_H_ROOT, 0x10000), 0);
	for (u32 depth = 1; depth <= 7; ++depth)
		ASSERT_EQ(host.replace("netem", tc_options{o}, depth << 16 | 1, (depth + 1) << 16), 0)
			<< depth;
	EXPECT_EQ(host.replace("netem", tc_options{o}, 0x80001, 0x90000), -E2BIG);
	EXPECT_STREQ(host.ack().msg, "Qdisc hierarchy is too deep");
	for (u32 id = 0; id < 5; ++id)
		host.send({.id = id});
	host.run_ms(10);
	EXPECT_EQ(host.ids(), range(0, 5));
}

TEST_F(sch_api, discipline_cannot_become_a_child_of_its_own_child)
{
	ASSERT_EQ(host.replace("prio", three_bands, TC_H_ROOT, 0x10000), 0);
	EXPECT_EQ(host.replace("prio", three_bands, 0x10001, 0x10000), -EINVAL);
	EXPECT_STREQ(host.ack().msg, "Cannot move an existing qdisc to a different parent");
}

TEST_F(sch_api, dump_has_the_root_and_what_was_put_below_but_not_what_came_with_it)
{
	ASSERT_EQ(host.replace("prio", three_bands, TC_H_ROOT, 0x10000), 0);
	ASSERT_EQ(host.replace("fq", {}, 0x10002, 0x20000), 0);
	const auto dump = [&](bool invisible) {
		std::vector<std::string> kinds;

		host.on_cpu([&] {
			for (const tc_message &m : tc_dump_qdisc(init_net(), invisible))
				kinds.push_back(m.kind);
		});
		return kinds;
	};

	EXPECT_THAT(dump(false), testing::ElementsAre("prio", "fq"));
	EXPECT_THAT(dump(true), testing::UnorderedElementsAre("prio", "fq", "pfifo", "pfifo"));
	host.on_cpu([&] {
		const auto classes = tc_dump_tclass(host.dev(), 0);

		ASSERT_EQ(classes.size(), 3u);
		EXPECT_EQ(classes[1].handle, 0x10002u);
		EXPECT_EQ(classes[1].info, 0x20000u);
	});
}

TEST_F(sch_api, default_that_is_set_is_what_a_device_gets)
{
	host.on_cpu([&] {
		EXPECT_EQ(qdisc_set_default("bogus"), -ENOENT);
		EXPECT_EQ(qdisc_get_default(), "pfifo_fast");
		EXPECT_EQ(qdisc_set_default("fq"), 0); // a module that is loaded for this
		dev_close(host.dev());
	});
	ASSERT_EQ(host.replace("pfifo"), 0);
	EXPECT_EQ(host.remove(TC_H_ROOT), 0);
	host.on_cpu([&] { dev_open(host.dev()); });
	EXPECT_STREQ(host.root().ops->id, "fq");
	EXPECT_EQ(host.root().handle, 0u);
}

TEST_F(sch_api, default_that_needs_options_leaves_a_device_without_a_queue)
{
	host.on_cpu([&] {
		EXPECT_EQ(qdisc_set_default("netem"), 0);
		dev_close(host.dev());
	});
	ASSERT_EQ(host.replace("pfifo"), 0);
	EXPECT_EQ(host.remove(TC_H_ROOT), 0);
	host.on_cpu([&] { dev_open(host.dev()); });
	EXPECT_STREQ(host.root().ops->id, "noqueue");
	host.send({.id = 1});
	EXPECT_THAT(host.ids(), testing::ElementsAre(1u));
}

} // namespace
} // namespace skbwalk::test
