// SPDX-License-Identifier: GPL-2.0-only
//
// Socket options that netfilter's modules answer, where the protocol knows none of that number
// (struct nf_sockopt_ops).
#pragma once

#include "stack/kernel/types.h"

namespace skbwalk {

struct sock;

// A range of numbers [min, max) for each direction; the functions return what the option's call returns.
struct nf_sockopt_ops {
	u8 pf;
	int set_optmin, set_optmax;
	int (*set)(sock &sk, int optval, const void *arg, u32 len);
	int get_optmin, get_optmax;
	int (*get)(sock &sk, int optval, void *user, int &len);
};

int nf_register_sockopt(nf_sockopt_ops &reg); // -EBUSY where ranges overlap
void nf_unregister_sockopt(nf_sockopt_ops &reg);
int nf_setsockopt(sock &sk, u8 pf, int val, const void *opt, u32 len);
int nf_getsockopt(sock &sk, u8 pf, int val, void *opt, int &len);

} // namespace skbwalk
