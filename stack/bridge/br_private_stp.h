// SPDX-License-Identifier: GPL-2.0-only
//
// What the files of the spanning tree protocol share (net/bridge/br_private_stp.h).
#pragma once

#include "stack/bridge/br_private.h"
#include "stack/llc/llc.h"

namespace skbwalk {

constexpr u8 BPDU_TYPE_CONFIG = 0, BPDU_TYPE_TCN = 0x80;
// IEEE 802.1D-1998 timer values
constexpr u32 BR_MIN_HELLO_TIME = 1 * HZ, BR_MAX_HELLO_TIME = 10 * HZ, BR_MIN_FORWARD_DELAY = 2 * HZ,
	      BR_MAX_FORWARD_DELAY = 30 * HZ, BR_MIN_MAX_AGE = 6 * HZ, BR_MAX_MAX_AGE = 40 * HZ,
	      BR_MIN_PATH_COST = 1, BR_MAX_PATH_COST = 65535;

struct br_config_bpdu {
	bool topology_change = false;
	bool topology_change_ack = false;
	skbwalk::bridge_id root;
	u32 root_path_cost = 0;
	skbwalk::bridge_id bridge_id;
	skbwalk::port_id port_id = 0;
	u32 message_age = 0, max_age = 0, hello_time = 0, forward_delay = 0; // jiffies
};

// --- br_stp.c; all under the bridge's lock ---
void br_become_root_bridge(net_bridge &br);
void br_config_bpdu_generation(net_bridge &br);
void br_configuration_update(net_bridge &br);
void br_port_state_selection(net_bridge &br);
void br_received_config_bpdu(net_bridge_port &p, const br_config_bpdu &bpdu);
void br_received_tcn_bpdu(net_bridge_port &p);
void br_transmit_config(net_bridge_port &p);
void br_transmit_tcn(net_bridge &br);
void br_topology_change_detection(net_bridge &br);
void __br_set_topology_change(net_bridge &br, bool val);

// --- br_stp_bpdu.c ---
void br_send_config_bpdu(net_bridge_port &p, const br_config_bpdu &bpdu);
void br_send_tcn_bpdu(net_bridge_port &p);
void br_stp_rcv(const stp_proto &proto, skb_ptr skb, net_device &dev);

} // namespace skbwalk
