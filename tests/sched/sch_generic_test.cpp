// SPDX-License-Identifier: GPL-2.0-only
#include "tests/sched/sched_host.h"

namespace skbwalk::test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct sch_generic : testing::Test {
	sched_host host;
};

TEST_F(sch_generic, empty_fifo_is_passed_by_and_counts_the_packet)
{
	ASSERT_EQ(host.replace("pfifo"), 0);
	const auto calls = host.calls([&] { host.send({.id = 1, .len = 200}); });

	EXPECT_EQ(calls.count("pfifo_enqueue"), 0u);
	EXPECT_EQ(calls.at("sch_direct_xmit"), 1);
	EXPECT_EQ(host.root().bstats.packets, 1u);
	EXPECT_EQ(host.root().bstats.bytes, 200u);
	EXPECT_THAT(host.ids(), ElementsAre(1u));
}

TEST_F(sch_generic, fifo_with_a_packet_is_not_passed_by)
{
	ASSERT_EQ(host.replace("pfifo"), 0);
	sched_host::shut();
	host.send({.id = 1}); // passed by, and requeued
	const auto calls = host.calls([&] { host.send({.id = 2}); });

	EXPECT_EQ(calls.at("pfifo_enqueue"), 1);
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(1u, 2u));
}

TEST_F(sch_generic, busy_driver_gets_the_same_packet_first_when_it_wakes)
{
	for (const char *kind : {"pfifo", "pfifo_fast", "fq_codel", "prio"}) {
		sched_host one;

		ASSERT_EQ(one.replace(kind, kind == std::string{"prio"}
		                                    ? std::optional{tc_options{
							      tc_prio_qopt{3, {1, 2, 2, 2, 1, 2, 0, 0}}}}
		                                    : std::nullopt),
		          0)
			<< kind;
		sched_host::room = 2;
		for (u32 id = 0; id < 6; ++id)
			one.send({.id = id});
		EXPECT_EQ(one.root().qstats.requeues, 1u) << kind;
		EXPECT_EQ(qdisc_qlen(one.root()), 4u) << kind;
		EXPECT_EQ(one.root().qstats.backlog, 4000u) << kind;
		one.open(1);
		one.open();
		EXPECT_EQ(one.ids(), range(0, 6)) << kind;
		EXPECT_EQ(qdisc_qlen(one.root()), 0u) << kind;
		EXPECT_EQ(one.root().qstats.backlog, 0u) << kind;
	}
}

TEST_F(sch_generic, one_run_sends_64_packets_and_the_softirq_comes_again)
{
	ASSERT_EQ(host.replace("pfifo"), 0);
	sched_host::shut();
	for (u32 id = 0; id < 200; ++id)
		host.send({.id = id});
	const auto calls = host.calls([&] { host.open(); });

	EXPECT_EQ(host.ids(), range(0, 200));
	EXPECT_EQ(calls.at("__qdisc_run"), 4); // 64 three times, and the rest
	EXPECT_EQ(calls.at("net_tx_action"), 4);
}

TEST_F(sch_generic, stopped_queue_that_never_wakes_times_out_once_its_time_is_over)
{
	host.dev().watchdog_timeo = 2 * HZ;
	ASSERT_EQ(host.replace("pfifo"), 0); // starts the watchdog with this time
	sched_host::shut();
	host.send({.id = 1});
	host.run_ms(1900);
	EXPECT_EQ(sched_host::timeouts, 0u);
	host.run_ms(4000);
	EXPECT_GE(sched_host::timeouts, 1u);
	EXPECT_EQ(host.dev()._tx[0]->trans_timeout, sched_host::timeouts);
	host.open();
}

TEST_F(sch_generic, queue_that_moves_never_times_out)
{
	host.dev().watchdog_timeo = 2 * HZ;
	ASSERT_EQ(host.replace("pfifo"), 0);
	for (u32 i = 0; i < 10; ++i) {
		host.send({.id = i});
		host.run_ms(1000);
	}
	EXPECT_EQ(sched_host::timeouts, 0u);
}

TEST_F(sch_generic, deleted_discipline_frees_what_it_holds_and_the_default_takes_over)
{
	for (const char *kind : {"pfifo", "bfifo", "pfifo_fast", "fq_codel", "fq"}) {
		ASSERT_EQ(host.replace(kind), 0) << kind;
		sched_host::shut();
		for (u32 id = 0; id < 20; ++id)
			host.send({.id = id, .flow = id});
		EXPECT_EQ(host.remove(TC_H_ROOT), 0) << kind;
		EXPECT_STREQ(host.root().ops->id, "pfifo_fast");
		EXPECT_EQ(qdisc_qlen(host.root()), 0u);
		host.open();
		EXPECT_THAT(host.ids(), IsEmpty()) << kind;
	} // and at the end no packet is left: net_host looks
}

TEST_F(sch_generic, removed_device_frees_what_its_tree_holds)
{
	tc_netem_opt netem;

	netem.qopt.limit = 100;
	netem.latency64 = 50 * NSEC_PER_MSEC;
	ASSERT_EQ(host.replace("netem", tc_options{netem}, TC_H_ROOT, 0x10000), 0);
	ASSERT_EQ(host.replace("fq", {}, 0x10001, 0x20000), 0);
	for (u32 id = 0; id < 30; ++id)
		host.send({.id = id, .flow = id});
	host.run_ms(10);
	host.remove_device();
	host.run_ms(100);
	EXPECT_THAT(host.ids(), IsEmpty());
}

TEST_F(sch_generic, discipline_waiting_for_the_softirq_can_be_deleted)
{
	ASSERT_EQ(host.replace("pfifo"), 0);
	sched_host::shut();
	host.send({.id = 1});
	host.on_cpu([&] {
		local_bh_disable();
		__netif_schedule(host.root());
		const tc_request n{.dev = &host.dev(), .parent = TC_H_ROOT};
		netlink_ext_ack ack;
		EXPECT_EQ(tc_del_qdisc(n, &ack), 0);
		EXPECT_EQ(softnet->output_queue, nullptr);
		local_bh_enable();
	});
}

TEST_F(sch_generic, shorter_queue_length_drops_from_pfifo_fast_what_has_no_room)
{
	sched_host::shut();
	for (u32 id = 0; id < 10; ++id)
		host.send({.id = id});
	ASSERT_STREQ(host.root().ops->id, "pfifo_fast");
	host.on_cpu([&] {
		host.dev().flags &= ~IFF_UP; // a device that is up starts with empty queues
		host.dev().tx_queue_len = 4;
		EXPECT_EQ(dev_qdisc_change_tx_queue_len(host.dev()), 0);
		host.dev().flags |= IFF_UP;
	});
	EXPECT_EQ(qdisc_qlen(host.root()), 1u + 4u); // one was requeued
	host.open();
	EXPECT_THAT(host.ids(), ElementsAre(0u, 1u, 2u, 3u, 4u));
}

} // namespace
} // namespace skbwalk::test
