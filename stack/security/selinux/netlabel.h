// SPDX-License-Identifier: GPL-2.0-only
//
// SELinux and labels on packets (security/selinux/include/netlabel.h), and on security associations
// (include/xfrm.h): neither is configured, so that what is asked here has the simplest answer.
#pragma once

#include "stack/security/selinux/avc.h"
#include "stack/security/selinux/objsec.h"

namespace skbwalk {

void selinux_netlbl_sk_security_free(sk_security_struct &sksec);
void selinux_netlbl_sk_security_reset(sk_security_struct &sksec);
[[nodiscard]] int selinux_netlbl_skbuff_getsid(sk_buff &skb, u16 family, u32 &type, u32 &sid);
[[nodiscard]] int selinux_netlbl_inet_conn_request(request_sock &req, u16 family);
void selinux_netlbl_inet_csk_clone(sock &sk, u16 family);
[[nodiscard]] int selinux_netlbl_socket_post_create(sock &sk, u16 family);
[[nodiscard]] int selinux_netlbl_sock_rcv_skb(sk_security_struct &sksec, sk_buff &skb, u16 family,
                                              common_audit_data &ad);
[[nodiscard]] int selinux_netlbl_socket_setsockopt(socket &sock, int level, int optname);
[[nodiscard]] int selinux_netlbl_socket_connect(sock &sk, sockaddr_storage &addr);

[[nodiscard]] bool selinux_xfrm_enabled();
[[nodiscard]] int selinux_xfrm_decode_session(sk_buff &skb, u32 &sid, int ckall);
[[nodiscard]] int selinux_xfrm_skb_sid(sk_buff &skb, u32 &sid);
[[nodiscard]] int selinux_xfrm_sock_rcv_skb(u32 sk_sid, sk_buff &skb, common_audit_data &ad);
[[nodiscard]] int selinux_xfrm_postroute_last(u32 sk_sid, sk_buff &skb, common_audit_data &ad, u8 proto);

} // namespace skbwalk
