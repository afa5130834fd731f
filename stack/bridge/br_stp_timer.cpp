// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_stp_timer.c: what the spanning tree does when time has passed. The root says hello, a port
// goes from listening to learning to forwarding, a neighbour that is silent for too long is given up.
#include "stack/bridge/br_private_stp.h"

namespace skbwalk {

static bool br_is_designated_for_some_port(net_bridge &br)
{
	TRACE(br.dev);
	bool found = false;

	for_each_port(br, [&](const net_bridge_port &p) {
		if (p.state != BR_STATE_DISABLED && p.designated_bridge == br.bridge_id)
			found = true;
	});
	return found;
}

static void br_hello_timer_expired(timer_list &t)
{
	TRACE();
	net_bridge &br = container_of(t, &net_bridge::hello_timer);

	spin_lock(br.lock);
	if (br.dev->flags & IFF_UP) {
		br_config_bpdu_generation(br);
		if (br.stp_enabled == BR_KERNEL_STP)
			mod_timer(br.hello_timer, jiffies() + round_jiffies_relative(br.hello_time));
	}
	spin_unlock(br.lock);
}

static void br_message_age_timer_expired(timer_list &t)
{
	TRACE();
	net_bridge_port &p = container_of(t, &net_bridge_port::message_age_timer);
	net_bridge &br = *p.br;

	if (p.state == BR_STATE_DISABLED)
		return;
	spin_lock(br.lock);
	const bool was_root = br_is_root_bridge(br);

	br_become_designated_port(p);
	br_configuration_update(br);
	br_port_state_selection(br);
	if (br_is_root_bridge(br) && !was_root)
		br_become_root_bridge(br);
	spin_unlock(br.lock);
}

static void br_forward_delay_timer_expired(timer_list &t)
{
	TRACE();
	net_bridge_port &p = container_of(t, &net_bridge_port::forward_delay_timer);
	net_bridge &br = *p.br;

	spin_lock(br.lock);
	if (p.state == BR_STATE_LISTENING) {
		br_set_state(p, BR_STATE_LEARNING);
		mod_timer(p.forward_delay_timer, jiffies() + br.forward_delay);
	} else if (p.state == BR_STATE_LEARNING) {
		br_set_state(p, BR_STATE_FORWARDING);
		if (br_is_designated_for_some_port(br))
			br_topology_change_detection(br);
		netif_carrier_on(*br.dev);
	}
	rcu_read_lock();
	br_ifinfo_notify(RTM_NEWLINK, nullptr, &p);
	rcu_read_unlock();
	spin_unlock(br.lock);
}

static void br_tcn_timer_expired(timer_list &t)
{
	TRACE();
	net_bridge &br = container_of(t, &net_bridge::tcn_timer);

	spin_lock(br.lock);
	if (!br_is_root_bridge(br) && (br.dev->flags & IFF_UP)) {
		br_transmit_tcn(br);
		mod_timer(br.tcn_timer, jiffies() + br.bridge_hello_time);
	}
	spin_unlock(br.lock);
}

static void br_topology_change_timer_expired(timer_list &t)
{
	TRACE();
	net_bridge &br = container_of(t, &net_bridge::topology_change_timer);

	spin_lock(br.lock);
	br.topology_change_detected = false;
	__br_set_topology_change(br, false);
	spin_unlock(br.lock);
}

static void br_hold_timer_expired(timer_list &t)
{
	TRACE();
	net_bridge_port &p = container_of(t, &net_bridge_port::hold_timer);

	spin_lock(p.br->lock);
	if (p.config_pending)
		br_transmit_config(p);
	spin_unlock(p.br->lock);
}

void br_stp_timer_init(net_bridge &br)
{
	TRACE(br.dev);
	timer_setup(br.hello_timer, br_hello_timer_expired, 0);
	timer_setup(br.tcn_timer, br_tcn_timer_expired, 0);
	timer_setup(br.topology_change_timer, br_topology_change_timer_expired, 0);
}

void br_stp_port_timer_init(net_bridge_port &p)
{
	TRACE(p.dev);
	timer_setup(p.message_age_timer, br_message_age_timer_expired, 0);
	timer_setup(p.forward_delay_timer, br_forward_delay_timer_expired, 0);
	timer_setup(p.hold_timer, br_hold_timer_expired, 0);
}

u32 br_timer_value(const timer_list &timer)
{
	TRACE();
	return timer_pending(timer) ? jiffies_to_clock_t(timer.expires - jiffies()) : 0;
}

} // namespace skbwalk
