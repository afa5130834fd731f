// SPDX-License-Identifier: GPL-2.0-only
//
// What the files of security/selinux/hooks.c share.
#pragma once

#include "stack/core/skbuff.h"
#include "stack/security/selinux/netlabel.h"
#include "stack/security/selinux/objsec.h"

namespace skbwalk {

[[nodiscard]] bool selinux_secmark_enabled();
[[nodiscard]] bool selinux_peerlbl_enabled();
// A packet's addresses and ports, for the log; `src` says which address addrp shall be.
[[nodiscard]] int selinux_parse_skb(sk_buff &skb, common_audit_data &ad, be32 *addrp, bool src, u8 *proto);
[[nodiscard]] int selinux_skb_peerlbl_sid(sk_buff &skb, u16 family, u32 &sid);
[[nodiscard]] int selinux_conn_sid(u32 sk_sid, u32 skb_sid, u32 &conn_sid);
[[nodiscard]] int selinux_inet_sys_rcv_skb(net &ns, int ifindex, be32 addr, u16 family, u32 peer_sid,
                                           common_audit_data &ad);

} // namespace skbwalk
