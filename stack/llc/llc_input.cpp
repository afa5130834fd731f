// SPDX-License-Identifier: GPL-2.0-only
//
// net/llc/llc_input.c: an 802.2 frame comes into llc_rcv; llc_fixup_skb takes the LLC header off and cuts the
// padding, and the open access point that it names gets the frame. Left out: stations and connections (types
// 1 and 2 of the standard proper): nobody registers them.
#include "stack/llc/llc.h"

namespace skbwalk {

static bool llc_fixup_skb(sk_buff &skb)
{
	TRACE_INLINE(skb);
	u32 llc_len = 2;

	if (!pskb_may_pull(skb, sizeof(llc_pdu_un)))
		return false;
	if ((reinterpret_cast<const llc_pdu_un *>(skb.data)->ctrl_1 & LLC_PDU_TYPE_MASK) == LLC_PDU_TYPE_U)
		llc_len = 1;
	llc_len += 2;
	if (!pskb_may_pull(skb, llc_len))
		return false;
	skb_pull(skb, llc_len);
	skb_reset_transport_header(skb);
	if (skb.protocol == htons(ETH_P_802_2)) {
		if (skb.mac_len < ETH_HLEN)
			return false;
		const u32 pdulen = ntohs(eth_hdr(skb).h_proto);

		if (pdulen < llc_len || !pskb_may_pull(skb, pdulen - llc_len))
			return false;
		return pskb_trim_rcsum(skb, pdulen - llc_len) == 0;
	}
	return true;
}

int llc_rcv(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev)
{
	TRACE(skb, dev);
	if (skb->pkt_type == PACKET_OTHERHOST) {
		kfree_skb(std::move(skb));
		return 0;
	}
	skb = skb_share_check(std::move(skb), GFP_ATOMIC);
	if (!skb)
		return 0;
	if (!llc_fixup_skb(*skb)) {
		kfree_skb(std::move(skb));
		return 0;
	}
	llc_sap *sap = llc_sap_find(llc_pdu_un_hdr(*skb).dsap);

	if (!sap) {
		kfree_skb(std::move(skb));
		return 0;
	}
	if (sap->rcv_func)
		sap->rcv_func(std::move(skb), dev, pt, orig_dev);
	else
		kfree_skb(std::move(skb));
	llc_sap_put(*sap);
	return 0;
}

} // namespace skbwalk
