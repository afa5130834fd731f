// SPDX-License-Identifier: GPL-2.0-only
//
// IEEE 802.2 logical link control, as far as the spanning tree speaks it (include/net/llc.h,
// include/net/stp.h): frames of type 1 (unnumbered information) to and from a service access point (SAP).
#pragma once

#include "stack/core/netdevice.h"
#include "stack/kernel/list.h"
#include "stack/kernel/refcount.h"

namespace skbwalk {

constexpr u8 LLC_SAP_BSPAN = 0x42, LLC_PDU_TYPE_U = 3, LLC_PDU_TYPE_MASK = 3, LLC_PDU_CMD = 0,
	     LLC_1_PDU_CMD_UI = 0x00;
constexpr u32 LLC_RESERVE = 3; // sizeof(llc_pdu_un)

struct llc_pdu_un {
	u8 dsap;
	u8 ssap;
	u8 ctrl_1;
};
static_assert(sizeof(llc_pdu_un) == LLC_RESERVE && alignof(llc_pdu_un) == 1);
inline llc_pdu_un &llc_pdu_un_hdr(const sk_buff &skb)
{
	return *reinterpret_cast<llc_pdu_un *>(skb_network_header(skb));
}

struct llc_sap {
	u8 lsap = 0;
	int (*rcv_func)(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev) = nullptr;
	refcount_t refcnt;
	list_head node;
};
// Null when somebody has it already.
llc_sap *llc_sap_open(u8 lsap,
                      int (*func)(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev));
llc_sap *llc_sap_find(u8 sap_value); // counted
void llc_sap_put(llc_sap &sap);
int llc_rcv(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev);
void llc_init(); // once a host: the module is loaded

void llc_pdu_header_init(sk_buff &skb, u8 type, u8 ssap, u8 dsap, u8 cr); // header inlines
void llc_pdu_init_as_ui_cmd(sk_buff &skb);
int llc_mac_hdr_init(sk_buff &skb, const mac_addr &sa, const mac_addr &da);

// Who gets the frames for the spanning tree's SAP (net/802/stp.c).
struct stp_proto {
	mac_addr group_address; // zero: the spanning tree itself
	void (*rcv)(const stp_proto &proto, skb_ptr skb, net_device &dev);
};
int stp_proto_register(const stp_proto &proto);

} // namespace skbwalk
