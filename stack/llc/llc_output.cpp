// SPDX-License-Identifier: GPL-2.0-only
//
// net/llc/llc_output.c, include/net/llc_pdu.h: the LLC and MAC headers of a frame to be sent.
#include "stack/llc/llc.h"

namespace skbwalk {

void llc_pdu_header_init(sk_buff &skb, u8 type, u8 ssap, u8 dsap, u8 cr)
{
	TRACE_INLINE(skb);
	assert(type == LLC_PDU_TYPE_U);
	skb_push(skb, LLC_RESERVE);
	skb_reset_network_header(skb);

	llc_pdu_un &pdu = llc_pdu_un_hdr(skb);

	pdu.dsap = dsap;
	pdu.ssap = static_cast<u8>(ssap | cr);
	pdu.ctrl_1 = type;
}

void llc_pdu_init_as_ui_cmd(sk_buff &skb)
{
	TRACE_INLINE(skb);
	llc_pdu_un_hdr(skb).ctrl_1 = LLC_PDU_TYPE_U | LLC_1_PDU_CMD_UI;
}

int llc_mac_hdr_init(sk_buff &skb, const mac_addr &sa, const mac_addr &da)
{
	TRACE(skb);
	if (skb.dev->type != ARPHRD_ETHER && skb.dev->type != ARPHRD_LOOPBACK)
		return -EINVAL;
	const int rc = dev_hard_header(skb, *skb.dev, ETH_P_802_2, da.data(), sa.data(), skb.len);

	return rc > 0 ? 0 : rc;
}

} // namespace skbwalk
