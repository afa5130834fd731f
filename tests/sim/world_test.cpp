// SPDX-License-Identifier: GPL-2.0-only
//
// The world's order of events, links, and hosts that come and go.
#include "sim/world.h"

#include "sim/link.h"
#include "stack/kernel/interrupt.h"
#include "stack/kernel/irq_line.h"

namespace {

using namespace skbwalk;
using namespace skbwalk::sim;

TEST(world_events, order_is_time_then_insertion)
{
	world w{{}};
	std::string order;
	w.call_at(20, [&] { order += 'c'; });
	w.call_at(10, [&] { order += 'a'; });
	w.call_at(20, [&] { order += 'd'; });
	w.call_at(10, [&] {
		order += 'b';
		w.call_at(5, [&] { order += '!'; }); // the past is now
	});
	while (w.step())
		;
	EXPECT_EQ(order, "ab!cd");
	EXPECT_EQ(w.now_ns(), 20U);
}

TEST(world_events, cancelled_call_never_runs_and_run_until_stops_at_its_time)
{
	world w{{}};
	int ran = 0;
	const u64 gone = w.call_at(10, [&] { ++ran; });
	w.call_at(30, [&] { ++ran; });
	w.cancel(gone);
	w.run_until(29);
	EXPECT_EQ(ran, 0);
	EXPECT_EQ(w.now_ns(), 29U);
	EXPECT_EQ(w.next_event_ns(), 30U);
	w.run_until(30);
	EXPECT_EQ(ran, 1);
}

TEST(world_host, booted_and_ended_without_use_leaves_nothing)
{
	world w{{}};
	host &h = w.add_host("h", 2);
	EXPECT_EQ(w.find_host("h"), &h);
	w.run_until(10 * NSEC_PER_SEC);
	EXPECT_THAT(w.end(), testing::IsEmpty());
}

// A line that nobody can quiet and that is claimed often enough not to be shut off: with no other event in
// sight the world has its cpu back, and goes on where it was.
TEST(world_host, a_line_keeps_a_cpu_run_until_ends_at_its_time)
{
	for (const u32 cpus : {1U, 2U}) {
		world w{{}};
		host &h = w.add_host("h", cpus);
		irq_line line(h, 11);
		u32 calls = 0;
		const auto claim = [](int, void *count) {
			return IRQ_RETVAL(++*static_cast<u32 *>(count) % 100 == 0);
		};
		{
			const enter_cpu in(*h.cpus[0]);
			ASSERT_EQ(acpi_register_gsi(11, true), 11);
			ASSERT_EQ(request_irq(11, claim, 0, "stuck", &calls), 0);
		}
		line.set(true);
		w.run_until(50 * NSEC_PER_MSEC);
		const u32 before = calls;
		EXPECT_GT(before, 10'000U);
		EXPECT_LE(h.cpus[0]->now_ns, 50 * NSEC_PER_MSEC + 2 * TICK_NSEC);
		w.run_until(100 * NSEC_PER_MSEC);
		EXPECT_GT(calls, before + 10'000U);
		line.set(false);
		w.run_until(120 * NSEC_PER_MSEC);
		EXPECT_EQ(h.cpus[0]->left_on, nullptr);
		const enter_cpu in(*h.cpus[0]);
		free_irq(11, &calls);
	}
}

void a_tenth_of_a_microsecond()
{
	TRACE();
	charge(100);
}

// Its turn was to last until the world's next event, and what it has just asked for comes before that.
TEST(world_host, what_a_cpu_asks_of_another_is_done_while_it_goes_on)
{
	world w{{}};
	host &h = w.add_host("h", 2);
	std::string order;
	u64 woken_ns = 0, asked_ns = 0, ended_ns = 0;

	task_struct sleeper(*h.cpus[1], "sleeper", [&] {
		task_park();
		woken_ns = current.cpu->now_ns;
		order += 'b';
	});
	task_start(sleeper);
	w.run_until(NSEC_PER_MSEC);
	task_struct waker(*h.cpus[0], "waker", [&] {
		asked_ns = current.cpu->now_ns;
		task_unpark(sleeper);
		for (int i = 0; i < 1000; ++i)
			a_tenth_of_a_microsecond();
		ended_ns = current.cpu->now_ns;
		order += 'a';
	});
	task_start(waker);
	w.run_until(20 * NSEC_PER_MSEC);
	EXPECT_EQ(order, "ba");
	EXPECT_LT(woken_ns, asked_ns + 10'000);
	EXPECT_GT(ended_ns, woken_ns + 50'000);
}

// How many of 1000 frames come out, and when the first does.
struct arrivals {
	std::size_t count = 0;
	u64 first_ns = 0;
	std::size_t changed = 0;
	bool in_order = true;
};
arrivals through(const link_options &options, u64 seed = 1)
{
	world w{{.seed = seed}};
	sim::link l{w, "wire", options};
	arrivals out;
	u16 last = 0;
	l.attach(sim::link::b, [&](std::span<const std::byte> f) {
		if (!out.count++)
			out.first_ns = w.now_ns();
		const u16 number =
			static_cast<u16>(std::to_integer<u16>(f[0]) << 8 | std::to_integer<u16>(f[1]));
		if (number < last)
			out.in_order = false;
		last = number;
		for (std::size_t i = 2; i < f.size(); ++i)
			out.changed += f[i] != std::byte{7};
	});
	for (u16 i = 0; i < 1000; ++i) {
		frame f(100, std::byte{7});
		f[0] = static_cast<std::byte>(i >> 8);
		f[1] = static_cast<std::byte>(i);
		l.send(sim::link::a, f);
		w.run_until(w.now_ns() + 100'000);
	}
	while (w.step())
		;
	return out;
}

TEST(world_link, plain_link_delivers_all_in_order_after_its_delay)
{
	const arrivals a = through({.delay_ns = 5000});
	EXPECT_EQ(a.count, 1000U);
	EXPECT_EQ(a.first_ns, 5000U);
	EXPECT_TRUE(a.in_order);
	EXPECT_EQ(a.changed, 0U);
}

TEST(world_link, bandwidth_adds_the_time_on_the_wire)
{
	EXPECT_EQ(through({.bits_per_second = 1'000'000'000}).first_ns, 8U * (100 + 24));
}

TEST(world_link, many_under_way_come_all_and_in_order_but_for_jitter)
{
	constexpr u64 ten_sendings_ns = 1'000'000;
	const arrivals plain = through({.delay_ns = ten_sendings_ns});
	const arrivals varied = through({.delay_ns = ten_sendings_ns, .jitter_ns = ten_sendings_ns});

	EXPECT_EQ(plain.count, 1000U);
	EXPECT_TRUE(plain.in_order);
	EXPECT_EQ(varied.count, 1000U);
	EXPECT_FALSE(varied.in_order);
}

TEST(world_link, what_is_due_at_one_time_comes_in_the_order_of_sending)
{
	world w{{}};
	sim::link l{w, "l", {.delay_ns = 1000}}, m{w, "m", {.delay_ns = 900}};
	std::string came;
	const auto note = [&](char at_l) {
		return [&came, at_l](std::span<const std::byte>) { came += at_l; };
	};

	l.attach(sim::link::b, note('l'));
	m.attach(sim::link::b, note('m'));
	l.send(sim::link::a, frame(60));
	w.run_until(500);
	l.send(sim::link::a, frame(60)); // waits behind the first
	w.run_until(600);
	m.send(sim::link::a, frame(60));
	l.send(sim::link::a, frame(60));
	m.send(sim::link::a, frame(60));
	while (w.step())
		EXPECT_LE(w.now_ns(), 1600U);
	EXPECT_EQ(came, "llmml");
}

TEST(world_link, batches_hand_over_what_came_since_the_last_and_only_at_their_end)
{
	world w{{}};
	sim::link l{w, "wire", {.delay_ns = 1000, .batch_ns = {0, 5'000'000}, .batch_at_ns = 50'000}};
	std::vector<u64> at_a, at_b;
	l.attach(sim::link::a, [&](std::span<const std::byte>) { at_a.push_back(w.now_ns()); });
	l.attach(sim::link::b, [&](std::span<const std::byte>) { at_b.push_back(w.now_ns()); });
	for (const u64 when_ns : {u64{0}, u64{60'000}, u64{2'000'000}, u64{5'049'000}, u64{5'049'001}}) {
		w.run_until(when_ns);
		l.send(sim::link::a, frame(60));
		l.send(sim::link::b, frame(60));
	}
	while (w.step())
		;
	EXPECT_EQ(at_b, (std::vector<u64>{50'000, 5'050'000, 5'050'000, 5'050'000, 10'050'000}));
	EXPECT_EQ(at_a, (std::vector<u64>{1000, 61'000, 2'001'000, 5'050'000, 5'050'001}));
}

TEST(world_link, faults_come_at_their_rate_and_repeat_with_the_seed)
{
	EXPECT_NEAR(static_cast<double>(through({.loss = 0.1}).count), 900, 40);
	EXPECT_NEAR(static_cast<double>(through({.duplicate = 0.1}).count), 1100, 40);
	EXPECT_NEAR(static_cast<double>(through({.corrupt = 0.1}).changed), 98, 40);
	EXPECT_FALSE(through({.reorder = 0.1}).in_order);
	EXPECT_EQ(through({.loss = 0.1}, 7).count, through({.loss = 0.1}, 7).count);
}

TEST(world_link, full_queue_drops)
{
	world w{{}};
	sim::link l{w, "wire", {.bits_per_second = 1000, .queue_packets_max = 2}};
	const frame f(60);
	EXPECT_TRUE(l.send(sim::link::a, f));
	EXPECT_TRUE(l.send(sim::link::a, f));
	EXPECT_FALSE(l.send(sim::link::a, f));
	EXPECT_EQ(l.counters(sim::link::a).queue_drops, 1U);
	while (w.step())
		;
}

} // namespace
