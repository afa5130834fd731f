// SPDX-License-Identifier: GPL-2.0-only
//
// Labels on packets (include/net/netlabel.h). No protocol that carries them is set up: all traffic is
// unlabeled, which is the mapping of the default domain.
#pragma once

#include <string>

#include "stack/kernel/types.h"

namespace skbwalk {

struct request_sock;
struct sk_buff;
struct sock;

constexpr u32 NETLBL_NLTYPE_UNLABELED = 5;
constexpr u32 NETLBL_SECATTR_NONE = 0, NETLBL_SECATTR_DOMAIN_CPY = 0x80000001, NETLBL_SECATTR_SECID = 0x10;

struct netlbl_lsm_secattr {
	u32 flags = NETLBL_SECATTR_NONE;
	u32 type = 0;
	std::string domain;
	u32 secid = 0;
};
netlbl_lsm_secattr *netlbl_secattr_alloc(gfp_t flags); // header inlines
void netlbl_secattr_free(netlbl_lsm_secattr *secattr);

bool netlbl_enabled();
// 0 when the socket's, the request's label is in place: for what is unlabeled nothing needs doing.
int netlbl_sock_setattr(sock &sk, u16 family, const netlbl_lsm_secattr &secattr);
int netlbl_req_setattr(request_sock &req, const netlbl_lsm_secattr &secattr);

} // namespace skbwalk
