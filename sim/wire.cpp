// SPDX-License-Identifier: GPL-2.0-only
//
// Plugs cards in. Each card takes the next free pin of its host's I/O APIC from 11 on (qemu's first PCI slots
// have 11 and 10); after 23 pins are shared. Its address says which host and device it is.
#include "sim/wire.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "devices/e1000/card.h"
#include "devices/e1000/e1000.h"
#include "stack/kernel/percpu.h"

namespace skbwalk::sim {

namespace {

constexpr unsigned first_pin = 11, last_pin = 23;
constexpr u64 notice_link_ns = NSEC_PER_MSEC;
constexpr u64 gigabit = 1'000'000'000;

constexpr std::array<std::string_view, 12> counter_names = {
	"sent",        "delivered",  "lost",      "duplicated",  "reordered", "corrupted",
	"queue_drops", "interrupts", "throttled", "itr_changes", "itr_us",    "no_buffer"};

perhost<u32> cards_made; // of a host: numbers them

} // namespace

bool wire_counter_known(std::string_view name)
{
	return std::ranges::find(counter_names, name) != counter_names.end();
}

std::string wire_counter_names() { return fmt::format("one of {}", fmt::join(counter_names, ", ")); }

struct wire::nic final : e1000_port {
	nic(wire &w, link::end at, host &h, u32 number)
		: owner(w), end(at), card(h, first_pin + number % (last_pin - first_pin + 1),
	                                  {{0x52, 0x54, 0x00, static_cast<u8>(h.id + 0x12),
	                                    static_cast<u8>(number), static_cast<u8>(0x56)}},
	                                  *this)
	{
		pci.dev = &card.dma;
		pci.bar0 = &card;
		line_err = std::min(acpi_register_gsi(card.irq_pin(), true), 0);
		pci.irq = card.irq_pin(); // as the I/O APIC's driver numbers lines
	}

	// A device that is still there is one of a wire that could not be laid.
	~nic() override
	{
		if (!pci.drvdata)
			return;
		const enter_cpu in(*owner.world_.find_host(host_name())->cpus[0]);

		e1000_remove(pci);
		netdev_run_todo();
	}

	u64 send(frame &bytes) override
	{
		owner.link_.take(end, bytes);
		return owner.link_.free_ns(end);
	}
	void phy_power(bool) override { owner.cable(end); }
	[[nodiscard]] u64 now_ns() const override { return owner.world_.present(); }

	[[nodiscard]] const std::string &host_name() const
	{
		return end == link::a ? owner.what_.a.host : owner.what_.b.host;
	}

	wire &owner;
	link::end end;
	e1000_card card;
	pci_dev pci;
	int line_err = 0;
};

wire::wire(world &w, const wire_description &what, const std::string &file)
	: world_(w), what_(what), link_(w, what.name, what.options)
{
	for (const link::end at : {link::a, link::b}) {
		const wire_description::end &e = at == link::a ? what_.a : what_.b;
		host &h = *world_.find_host(e.host);
		const u32 number = cards_made.of(h)++;
		const enter_cpu in(*h.cpus[0]);
		auto made = std::make_unique<nic>(*this, at, h, number);

		const auto fail = [&](int err) {
			if (err)
				throw bad_scenario(fmt::format("{}: {}: {}:{}: the device cannot be made: {}",
				                               file, what_.where, e.host, e.dev,
				                               errno_name(-err)));
		};
		if (made->line_err)
			throw bad_scenario(
				fmt::format("{}: {}: {}:{}: expected its interrupt's line, {}, to be no "
			                    "other device's that triggers by edge: {}",
			                    file, what_.where, e.host, e.dev, made->pci.irq,
			                    errno_name(-made->line_err)));
		fail(e1000_probe(made->pci));
		if (made->pci.drvdata->name != e.dev)
			fail(dev_change_name(*made->pci.drvdata, e.dev));
		made->card.interrupt_gap(what_.interrupt_gap_ns);
		link_.attach(
			at, [card = &made->card](std::span<const std::byte> f) { card->receive(f); }, &h);
		nics_[at] = std::move(made);
	}
	cable(link::a);
}

wire::~wire() = default;

void wire::cable(link::end)
{
	world_.call_at(world_.now_ns() + notice_link_ns, [this] {
		const bool up = nics_[link::a]->card.phy_on() && nics_[link::b]->card.phy_on();
		const u64 rate = what_.options.bits_per_second;

		if (up == up_)
			return;
		up_ = up;
		for (const auto &card_at : nics_)
			card_at->card.set_link(up, !rate || rate >= gigabit ? 1000
			                           : rate >= gigabit / 10   ? 100
			                                                    : 10);
	});
}

u64 wire::counter(link::end at, std::string_view name) const
{
	const link_counters &l = link_.counters(at);
	const e1000_card::counters &c = nics_[at]->card.counted();
	const std::array<u64, counter_names.size()> values = {
		l.sent,        l.delivered,  l.lost,      l.duplicated,  l.reordered,        l.corrupted,
		l.queue_drops, c.interrupts, c.throttled, c.itr_changes, c.itr * 256 / 1000, c.rx_no_buffer};

	return values[static_cast<std::size_t>(std::ranges::find(counter_names, name) -
	                                       counter_names.begin())];
}

} // namespace skbwalk::sim
