// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_stp_bpdu.c: what bridges say to each other, as it stands on the wire: an LLC frame to
// 01:80:c2:00:00:00 with a configuration BPDU of 35 bytes, or one of 4 that says the topology changed.
#include "stack/bridge/br_private_stp.h"

namespace skbwalk {

namespace {

constexpr u32 STP_HZ = 256;
constexpr u8 TC_PRIO_CONTROL = 7;

// IEEE 802.1D-1998, 9.3.1; what follows the type.
struct config_bpdu_body {
	u8 flags; // 0x01: topology change, 0x80: acknowledged
	skbwalk::bridge_id root;
	be32 root_path_cost;
	skbwalk::bridge_id bridge_id;
	be16 port_id;
	be16 message_age, max_age, hello_time, forward_delay;
};
static_assert(sizeof(config_bpdu_body) == 31 && alignof(config_bpdu_body) == 1 &&
              std::is_trivially_copyable_v<config_bpdu_body>);
struct bpdu_header {
	be16 protocol;
	u8 version;
	u8 type;
};
static_assert(sizeof(bpdu_header) == 4);

} // namespace

static int br_send_bpdu_finish(net &, sock *sk, skb_ptr skb)
{
	TRACE(skb, sk);
	return dev_queue_xmit(std::move(skb));
}

static void br_send_bpdu(net_bridge_port &p, const void *data, u32 length)
{
	TRACE(p.dev);
	skb_ptr skb = __netdev_alloc_skb(*p.dev, length + LLC_RESERVE, GFP_ATOMIC);

	if (!skb)
		return;
	skb->dev = p.dev;
	skb->protocol = htons(ETH_P_802_2);
	skb->priority = TC_PRIO_CONTROL;
	skb_reserve(*skb, LLC_RESERVE);
	std::memcpy(__skb_put(*skb, length), data, length);
	llc_pdu_header_init(*skb, LLC_PDU_TYPE_U, LLC_SAP_BSPAN, LLC_SAP_BSPAN, LLC_PDU_CMD);
	llc_pdu_init_as_ui_cmd(*skb);
	if (llc_mac_hdr_init(*skb, p.dev->dev_addr, p.br->group_addr)) {
		kfree_skb(std::move(skb));
		return;
	}
	skb_reset_mac_header(*skb);
	NF_HOOK(NFPROTO_BRIDGE, NF_BR_LOCAL_OUT, dev_net(*p.dev), nullptr, std::move(skb), nullptr, p.dev,
	        br_send_bpdu_finish);
}

static be16 br_set_ticks(u32 j)
{
	TRACE_INLINE();
	return htons(static_cast<u16>(STP_HZ * j / HZ));
}

static u32 br_get_ticks(be16 src)
{
	TRACE_INLINE();
	return (ntohs(src) * HZ + STP_HZ - 1) / STP_HZ;
}

void br_send_config_bpdu(net_bridge_port &p, const br_config_bpdu &bpdu)
{
	TRACE(p.dev);
	if (p.br->stp_enabled != BR_KERNEL_STP)
		return;
	struct {
		bpdu_header head{{}, 0, BPDU_TYPE_CONFIG};
		config_bpdu_body body{};
	} buf;

	buf.body.flags =
		static_cast<u8>((bpdu.topology_change ? 0x01 : 0) | (bpdu.topology_change_ack ? 0x80 : 0));
	buf.body.root = bpdu.root;
	buf.body.root_path_cost = htonl(bpdu.root_path_cost);
	buf.body.bridge_id = bpdu.bridge_id;
	buf.body.port_id = htons(bpdu.port_id);
	buf.body.message_age = br_set_ticks(bpdu.message_age);
	buf.body.max_age = br_set_ticks(bpdu.max_age);
	buf.body.hello_time = br_set_ticks(bpdu.hello_time);
	buf.body.forward_delay = br_set_ticks(bpdu.forward_delay);
	static_assert(sizeof(buf) == 35);
	br_send_bpdu(p, &buf, sizeof(buf));
	++p.stp_xstats.tx_bpdu;
}

void br_send_tcn_bpdu(net_bridge_port &p)
{
	TRACE(p.dev);
	if (p.br->stp_enabled != BR_KERNEL_STP)
		return;
	const bpdu_header buf{{}, 0, BPDU_TYPE_TCN};

	br_send_bpdu(p, &buf, sizeof(buf));
	++p.stp_xstats.tx_tcn;
}

namespace {

void received(net_bridge_port &p, sk_buff &skb)
{
	net_bridge &br = *p.br;

	if (br.stp_enabled != BR_KERNEL_STP || !(br.dev->flags & IFF_UP) || p.state == BR_STATE_DISABLED ||
	    !ether_addr_equal(eth_hdr(skb).h_dest, br.group_addr))
		return;
	if (p.flags & BR_BPDU_GUARD) {
		br_stp_disable_port(p);
		return;
	}
	const u8 type = reinterpret_cast<const bpdu_header *>(skb.data)->type;

	skb_pull(skb, 3);
	if (type == BPDU_TYPE_TCN) {
		br_received_tcn_bpdu(p);
		return;
	}
	if (type != BPDU_TYPE_CONFIG || !pskb_may_pull(skb, 1 + sizeof(config_bpdu_body)))
		return;

	const auto &body = *reinterpret_cast<const config_bpdu_body *>(skb.data + 1);
	br_config_bpdu bpdu;

	bpdu.topology_change = body.flags & 0x01;
	bpdu.topology_change_ack = body.flags & 0x80;
	bpdu.root = body.root;
	bpdu.root_path_cost = ntohl(body.root_path_cost);
	bpdu.bridge_id = body.bridge_id;
	bpdu.port_id = ntohs(body.port_id);
	bpdu.message_age = br_get_ticks(body.message_age);
	bpdu.max_age = br_get_ticks(body.max_age);
	bpdu.hello_time = br_get_ticks(body.hello_time);
	bpdu.forward_delay = br_get_ticks(body.forward_delay);
	if (bpdu.message_age <= bpdu.max_age)
		br_received_config_bpdu(p, bpdu);
}

} // namespace

void br_stp_rcv(const stp_proto &, skb_ptr skb, net_device &dev)
{
	TRACE(skb, dev);
	if (pskb_may_pull(*skb, sizeof(bpdu_header))) {
		const auto &head = *reinterpret_cast<const bpdu_header *>(skb->data);
		net_bridge_port *p = br_port_get_check_rcu(dev);

		if (!head.protocol && !head.version && p) {
			net_bridge &br = *p->br;

			spin_lock(br.lock);
			received(*p, *skb);
			spin_unlock(br.lock);
		}
	}
	kfree_skb(std::move(skb));
}

} // namespace skbwalk
