// SPDX-License-Identifier: GPL-2.0-only
//
// A wire of a scenario: a link with a card at each end, whose driver has made a network device of it. The
// cards have a link while both their PHYs are on; what changes is noticed a millisecond later.
//
//      host a: eth0 = driver | card -- link -- card | driver = eth0 :host b
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "sim/link.h"
#include "sim/scenario.h"

namespace skbwalk::sim {

class wire {
public:
	// Cards into both hosts; the devices get their names. Throws bad_scenario.
	wire(world &w, const wire_description &what, const std::string &file);
	~wire();
	wire(const wire &) = delete;
	wire &operator=(const wire &) = delete;

	[[nodiscard]] const wire_description &what() const { return what_; }
	[[nodiscard]] link &between() { return link_; }
	[[nodiscard]] link::end end_of(std::string_view host) const
	{
		return what_.a.host == host ? link::a : link::b;
	}
	// Of what that end sends, or of the card there.
	[[nodiscard]] u64 counter(link::end at, std::string_view name) const;

private:
	struct nic;
	void cable(link::end changed);

	world &world_;
	const wire_description what_;
	link link_;
	std::unique_ptr<nic> nics_[2];
	bool up_ = false;
};

} // namespace skbwalk::sim
