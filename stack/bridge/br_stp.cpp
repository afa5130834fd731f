// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_stp.c: the spanning tree (IEEE 802.1D-1998). Each port remembers the best word it heard of
// who the root is and how far (the designated_* fields). br_configuration_update chooses from these the root
// port and the ports for which this bridge is designated; br_port_state_selection makes these forward, step
// by step, and the others block. br_received_config_bpdu is what a neighbour's word sets off. All under the
// bridge's lock. Left out: multiple spanning trees, switch ports.
#include "stack/bridge/br_private_stp.h"
#include "stack/kernel/printk.h"
#include "stack/switchdev/switchdev.h"

namespace skbwalk {

namespace {
// Times in a BPDU are in units of 1/256 s.
constexpr u32 MESSAGE_AGE_INCR = HZ / 256 + 1;
constexpr const char *br_port_state_names[] = {"disabled", "listening", "learning", "forwarding", "blocking"};
} // namespace

void br_set_state(net_bridge_port &p, u8 state)
{
	TRACE(p.dev);
	const switchdev_attr attr = {p.dev, SWITCHDEV_ATTR_ID_PORT_STP_STATE, SWITCHDEV_F_DEFER, state};

	p.state = state;
	if (const int err = switchdev_port_attr_set(*p.dev, attr); err && err != -EOPNOTSUPP)
		_printk("%c4%s: error setting offload STP state on port %u(%s)\n", KERN_SOH,
		        p.br->dev->name.c_str(), u32{p.port_no}, p.dev->name.c_str());
	else
		_printk("%c6%s: port %u(%s) entered %s state\n", KERN_SOH, p.br->dev->name.c_str(),
		        u32{p.port_no}, p.dev->name.c_str(), br_port_state_names[state]);
	if (p.br->stp_enabled != BR_KERNEL_STP)
		return;
	if (state == BR_STATE_BLOCKING)
		++p.stp_xstats.transition_blk;
	else if (state == BR_STATE_FORWARDING)
		++p.stp_xstats.transition_fwd;
}

net_bridge_port *br_get_port(net_bridge &br, u16 port_no)
{
	TRACE(br.dev);
	net_bridge_port *found = nullptr;

	for_each_port(br, [&](net_bridge_port &p) {
		if (p.port_no == port_no)
			found = &p;
	});
	return found;
}

// Does this port know a better way to the root than `root_port` does?
static bool br_should_become_root_port(const net_bridge_port &p, u16 root_port)
{
	TRACE(p.dev);
	net_bridge &br = *p.br;

	if (p.state == BR_STATE_DISABLED || br_is_designated_port(p))
		return false;
	if (br.bridge_id <= p.designated_root)
		return false;
	if (!root_port)
		return true;

	const net_bridge_port &rp = *br_get_port(br, root_port);

	if (p.designated_root != rp.designated_root)
		return p.designated_root < rp.designated_root;
	const u32 cost = p.designated_cost + p.path_cost, rp_cost = rp.designated_cost + rp.path_cost;

	if (cost != rp_cost)
		return cost < rp_cost;
	if (p.designated_bridge != rp.designated_bridge)
		return p.designated_bridge < rp.designated_bridge;
	if (p.designated_port != rp.designated_port)
		return p.designated_port < rp.designated_port;
	return p.port_id < rp.port_id;
}

// A port where no root may be: it listens for as long as it hears of one.
static void br_root_port_block(const net_bridge &br, net_bridge_port &p)
{
	TRACE(p.dev);
	br_set_state(p, BR_STATE_LISTENING);
	br_ifinfo_notify(RTM_NEWLINK, nullptr, &p);
	if (br.forward_delay > 0)
		mod_timer(p.forward_delay_timer, jiffies() + br.forward_delay);
}

static void br_root_selection(net_bridge &br)
{
	TRACE(br.dev);
	u16 root_port = 0;

	for_each_port(br, [&](net_bridge_port &p) {
		if (!br_should_become_root_port(p, root_port))
			return;
		if (p.flags & BR_ROOT_BLOCK)
			br_root_port_block(br, p);
		else
			root_port = p.port_no;
	});
	br.root_port = root_port;
	if (!root_port) {
		br.designated_root = br.bridge_id;
		br.root_path_cost = 0;
	} else {
		const net_bridge_port &p = *br_get_port(br, root_port);

		br.designated_root = p.designated_root;
		br.root_path_cost = p.designated_cost + p.path_cost;
	}
}

void br_become_root_bridge(net_bridge &br)
{
	TRACE(br.dev);
	br.max_age = br.bridge_max_age;
	br.hello_time = br.bridge_hello_time;
	br.forward_delay = br.bridge_forward_delay;
	br_topology_change_detection(br);
	del_timer(br.tcn_timer);
	if (br.dev->flags & IFF_UP) {
		br_config_bpdu_generation(br);
		mod_timer(br.hello_timer, jiffies() + br.hello_time);
	}
}

// No more than one a second: a second one waits for the hold timer.
void br_transmit_config(net_bridge_port &p)
{
	TRACE(p.dev);
	if (timer_pending(p.hold_timer)) {
		p.config_pending = true;
		return;
	}
	net_bridge &br = *p.br;
	br_config_bpdu bpdu;

	bpdu.topology_change = br.topology_change;
	bpdu.topology_change_ack = p.topology_change_ack;
	bpdu.root = br.designated_root;
	bpdu.root_path_cost = br.root_path_cost;
	bpdu.bridge_id = br.bridge_id;
	bpdu.port_id = p.port_id;
	if (!br_is_root_bridge(br))
		bpdu.message_age =
			jiffies() - br_get_port(br, br.root_port)->designated_age + MESSAGE_AGE_INCR;
	bpdu.max_age = br.max_age;
	bpdu.hello_time = br.hello_time;
	bpdu.forward_delay = br.forward_delay;
	if (bpdu.message_age >= br.max_age)
		return;
	br_send_config_bpdu(p, bpdu);
	p.topology_change_ack = false;
	p.config_pending = false;
	if (br.stp_enabled == BR_KERNEL_STP)
		mod_timer(p.hold_timer, jiffies() + round_jiffies_relative(BR_HOLD_TIME));
}

static void br_record_config_information(net_bridge_port &p, const br_config_bpdu &bpdu)
{
	TRACE(p.dev);
	p.designated_root = bpdu.root;
	p.designated_cost = bpdu.root_path_cost;
	p.designated_bridge = bpdu.bridge_id;
	p.designated_port = bpdu.port_id;
	p.designated_age = jiffies() - bpdu.message_age;
	mod_timer(p.message_age_timer, jiffies() + (bpdu.max_age - bpdu.message_age));
}

static void br_record_config_timeout_values(net_bridge &br, const br_config_bpdu &bpdu)
{
	TRACE(br.dev);
	br.max_age = bpdu.max_age;
	br.hello_time = bpdu.hello_time;
	br.forward_delay = bpdu.forward_delay;
	__br_set_topology_change(br, bpdu.topology_change);
}

void br_transmit_tcn(net_bridge &br)
{
	TRACE(br.dev);
	if (net_bridge_port *p = br_get_port(br, br.root_port))
		br_send_tcn_bpdu(*p);
}

static bool br_should_become_designated_port(const net_bridge_port &p)
{
	TRACE(p.dev);
	const net_bridge &br = *p.br;

	if (br_is_designated_port(p) || p.designated_root != br.designated_root)
		return true;
	if (br.root_path_cost != p.designated_cost)
		return br.root_path_cost < p.designated_cost;
	if (br.bridge_id != p.designated_bridge)
		return br.bridge_id < p.designated_bridge;
	return p.port_id < p.designated_port;
}

static void br_designated_port_selection(net_bridge &br)
{
	TRACE(br.dev);
	for_each_port(br, [](net_bridge_port &p) {
		if (p.state != BR_STATE_DISABLED && br_should_become_designated_port(p))
			br_become_designated_port(p);
	});
}

// Is it better than, or a newer word of, what this port remembers?
static bool br_supersedes_port_info(const net_bridge_port &p, const br_config_bpdu &bpdu)
{
	TRACE(p.dev);
	if (bpdu.root != p.designated_root)
		return bpdu.root < p.designated_root;
	if (bpdu.root_path_cost != p.designated_cost)
		return bpdu.root_path_cost < p.designated_cost;
	if (bpdu.bridge_id != p.designated_bridge)
		return bpdu.bridge_id < p.designated_bridge;
	return bpdu.bridge_id != p.br->bridge_id || bpdu.port_id <= p.designated_port;
}

static void br_topology_change_acknowledged(net_bridge &br)
{
	TRACE(br.dev);
	br.topology_change_detected = false;
	del_timer(br.tcn_timer);
}

// The root tells everybody; who is not the root tells the root.
void br_topology_change_detection(net_bridge &br)
{
	TRACE(br.dev);
	if (br.stp_enabled != BR_KERNEL_STP || !(br.dev->flags & IFF_UP))
		return;
	const bool isroot = br_is_root_bridge(br);

	_printk("%c6%s: topology change detected, %s\n", KERN_SOH, br.dev->name.c_str(),
	        isroot ? "propagating" : "sending tcn bpdu");
	if (isroot) {
		__br_set_topology_change(br, true);
		mod_timer(br.topology_change_timer, jiffies() + br.bridge_forward_delay + br.bridge_max_age);
	} else if (!br.topology_change_detected) {
		br_transmit_tcn(br);
		mod_timer(br.tcn_timer, jiffies() + br.bridge_hello_time);
	}
	br.topology_change_detected = true;
}

void br_config_bpdu_generation(net_bridge &br)
{
	TRACE(br.dev);
	for_each_port(br, [](net_bridge_port &p) {
		if (p.state != BR_STATE_DISABLED && br_is_designated_port(p))
			br_transmit_config(p);
	});
}

static void br_reply(net_bridge_port &p)
{
	TRACE(p.dev);
	br_transmit_config(p);
}

void br_configuration_update(net_bridge &br)
{
	TRACE(br.dev);
	br_root_selection(br);
	br_designated_port_selection(br);
}

void br_become_designated_port(net_bridge_port &p)
{
	TRACE(p.dev);
	const net_bridge &br = *p.br;

	p.designated_root = br.designated_root;
	p.designated_cost = br.root_path_cost;
	p.designated_bridge = br.bridge_id;
	p.designated_port = p.port_id;
}

static void br_make_blocking(net_bridge_port &p)
{
	TRACE(p.dev);
	if (p.state == BR_STATE_DISABLED || p.state == BR_STATE_BLOCKING)
		return;
	if (nbp_state_should_learn(p))
		br_topology_change_detection(*p.br);
	br_set_state(p, BR_STATE_BLOCKING);
	br_ifinfo_notify(RTM_NEWLINK, nullptr, &p);
	del_timer(p.forward_delay_timer);
}

// At once without a tree; with one, it listens and learns first, each for the forwarding delay.
static void br_make_forwarding(net_bridge_port &p)
{
	TRACE(p.dev);
	net_bridge &br = *p.br;

	if (p.state != BR_STATE_BLOCKING)
		return;
	if (br.stp_enabled == BR_NO_STP || br.forward_delay == 0) {
		br_set_state(p, BR_STATE_FORWARDING);
		br_topology_change_detection(br);
		del_timer(p.forward_delay_timer);
	} else if (br.stp_enabled == BR_KERNEL_STP) {
		br_set_state(p, BR_STATE_LISTENING);
	} else {
		br_set_state(p, BR_STATE_LEARNING);
	}
	br_ifinfo_notify(RTM_NEWLINK, nullptr, &p);
	if (br.forward_delay != 0)
		mod_timer(p.forward_delay_timer, jiffies() + br.forward_delay);
}

void br_port_state_selection(net_bridge &br)
{
	TRACE(br.dev);
	u32 liveports = 0;

	for_each_port(br, [&](net_bridge_port &p) {
		if (p.state == BR_STATE_DISABLED)
			return;
		if (br.stp_enabled != BR_USER_STP) {
			if (p.port_no == br.root_port) {
				p.config_pending = false;
				p.topology_change_ack = false;
				br_make_forwarding(p);
			} else if (br_is_designated_port(p)) {
				del_timer(p.message_age_timer);
				br_make_forwarding(p);
			} else {
				p.config_pending = false;
				p.topology_change_ack = false;
				br_make_blocking(p);
			}
		}
		if (p.state != BR_STATE_BLOCKING)
			br_multicast_enable_port(p);
		if (p.state == BR_STATE_FORWARDING)
			++liveports;
	});
	if (liveports == 0)
		netif_carrier_off(*br.dev);
	else
		netif_carrier_on(*br.dev);
}

static void br_topology_change_acknowledge(net_bridge_port &p)
{
	TRACE(p.dev);
	p.topology_change_ack = true;
	br_transmit_config(p);
}

void br_received_config_bpdu(net_bridge_port &p, const br_config_bpdu &bpdu)
{
	TRACE(p.dev);
	net_bridge &br = *p.br;
	const bool was_root = br_is_root_bridge(br);

	++p.stp_xstats.rx_bpdu;
	if (!br_supersedes_port_info(p, bpdu)) {
		if (br_is_designated_port(p))
			br_reply(p);
		return;
	}
	br_record_config_information(p, bpdu);
	br_configuration_update(br);
	br_port_state_selection(br);
	if (!br_is_root_bridge(br) && was_root) {
		del_timer(br.hello_timer);
		if (br.topology_change_detected) {
			del_timer(br.topology_change_timer);
			br_transmit_tcn(br);
			mod_timer(br.tcn_timer, jiffies() + br.bridge_hello_time);
		}
	}
	if (p.port_no == br.root_port) {
		br_record_config_timeout_values(br, bpdu);
		br_config_bpdu_generation(br);
		if (bpdu.topology_change_ack)
			br_topology_change_acknowledged(br);
	}
}

void br_received_tcn_bpdu(net_bridge_port &p)
{
	TRACE(p.dev);
	++p.stp_xstats.rx_tcn;
	if (br_is_designated_port(p)) {
		br_topology_change_detection(*p.br);
		br_topology_change_acknowledge(p);
	}
}

// --- times: set in hundredths of a second, kept in jiffies ---

namespace {
constexpr u32 USER_HZ = 100;
u32 clock_t_to_jiffies(u32 t) { return static_cast<u32>(std::min<u64>(u64{t} * HZ / USER_HZ, 0x7fffffff)); }

// This bridge's own time, which is the one in use where it is the root.
int set_time(net_bridge &br, u32 val, u32 least, u32 most, u32 &own, u32 &in_use)
{
	const u32 t = clock_t_to_jiffies(val);

	if (t < least || t > most)
		return -ERANGE;
	spin_lock_bh(br.lock);
	own = t;
	if (br_is_root_bridge(br))
		in_use = t;
	spin_unlock_bh(br.lock);
	return 0;
}
} // namespace

int br_set_hello_time(net_bridge &br, u32 val)
{
	TRACE(br.dev);
	return set_time(br, val, BR_MIN_HELLO_TIME, BR_MAX_HELLO_TIME, br.bridge_hello_time, br.hello_time);
}

int br_set_max_age(net_bridge &br, u32 val)
{
	TRACE(br.dev);
	return set_time(br, val, BR_MIN_MAX_AGE, BR_MAX_MAX_AGE, br.bridge_max_age, br.max_age);
}

// Called under the bridge's lock.
int __set_ageing_time(net_device &dev, u32 t)
{
	TRACE(dev);
	const switchdev_attr attr = {&dev, SWITCHDEV_ATTR_ID_BRIDGE_AGEING_TIME,
	                             SWITCHDEV_F_SKIP_EOPNOTSUPP | SWITCHDEV_F_DEFER, jiffies_to_clock_t(t)};
	const int err = switchdev_port_attr_set(dev, attr);

	return err == -EOPNOTSUPP ? 0 : err;
}

int br_set_ageing_time(net_bridge &br, u32 ageing_time)
{
	TRACE(br.dev);
	const u32 t = clock_t_to_jiffies(ageing_time);

	if (const int err = __set_ageing_time(*br.dev, t))
		return err;
	spin_lock_bh(br.lock);
	br.bridge_ageing_time = t;
	br.ageing_time = t;
	spin_unlock_bh(br.lock);
	mod_delayed_work(br.gc_work, 0);
	return 0;
}

// A change makes addresses that were learned doubtful.
void __br_set_topology_change(net_bridge &br, bool val)
{
	TRACE(br.dev);
	if (br.stp_enabled == BR_KERNEL_STP && br.topology_change != val) {
		const u32 t = val ? 2 * br.forward_delay : br.bridge_ageing_time;

		if (__set_ageing_time(*br.dev, t))
			_printk("%c4%s: error offloading ageing time\n", KERN_SOH, br.dev->name.c_str());
		else
			br.ageing_time = t;
	}
	br.topology_change = val;
}

void __br_set_forward_delay(net_bridge &br, u32 t)
{
	TRACE(br.dev);
	br.bridge_forward_delay = t;
	if (br_is_root_bridge(br))
		br.forward_delay = br.bridge_forward_delay;
}

int br_set_forward_delay(net_bridge &br, u32 val)
{
	TRACE(br.dev);
	const u32 t = clock_t_to_jiffies(val);
	int err = -ERANGE;

	spin_lock_bh(br.lock);
	if (br.stp_enabled == BR_NO_STP || (t >= BR_MIN_FORWARD_DELAY && t <= BR_MAX_FORWARD_DELAY)) {
		__br_set_forward_delay(br, t);
		err = 0;
	}
	spin_unlock_bh(br.lock);
	return err;
}

} // namespace skbwalk
