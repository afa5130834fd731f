// SPDX-License-Identifier: GPL-2.0-only
//
// net/802/stp.c: the spanning tree's service access point, open once for all who listen there. Left out: GARP
// and MRP, who have addresses of their own.
#include "stack/kernel/percpu.h"
#include "stack/llc/llc.h"

namespace skbwalk {

namespace {

struct stp_host {
	const skbwalk::stp_proto *stp_proto = nullptr;
	llc_sap *sap = nullptr;
};
perhost<stp_host> stp_of_host;

constexpr u8 GARP_ADDR_MIN = 0x20, GARP_ADDR_MAX = 0x2f;

} // namespace

static int stp_pdu_rcv(skb_ptr skb, net_device &dev, packet_type &, net_device &)
{
	TRACE(skb, dev);
	const u8 last = eth_hdr(*skb).h_dest[5];
	const llc_pdu_un &pdu = llc_pdu_un_hdr(*skb);
	const stp_proto *proto = stp_of_host->stp_proto;

	if (pdu.ssap != LLC_SAP_BSPAN || pdu.dsap != LLC_SAP_BSPAN || pdu.ctrl_1 != LLC_PDU_TYPE_U ||
	    (last >= GARP_ADDR_MIN && last <= GARP_ADDR_MAX) || !proto) {
		kfree_skb(std::move(skb));
		return 0;
	}
	proto->rcv(*proto, std::move(skb), dev);
	return 0;
}

int stp_proto_register(const stp_proto &proto)
{
	TRACE();
	llc_init();
	assert(proto.group_address == mac_addr{});
	if (!stp_of_host->sap)
		stp_of_host->sap = llc_sap_open(LLC_SAP_BSPAN, stp_pdu_rcv);
	if (!stp_of_host->sap)
		return -ENOMEM;
	stp_of_host->stp_proto = &proto;
	return 0;
}

} // namespace skbwalk
