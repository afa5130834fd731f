// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_sockopt.c: ip_setsockopt() and ip_getsockopt() ask here when they do not know an option.
// nf_sockopt_find() looks for the module whose range of numbers has it; without one the option is unknown.
#include "stack/netfilter/nf_sockopt.h"

#include <cerrno>
#include <vector>

#include "stack/core/sock.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

perhost<std::vector<nf_sockopt_ops *>> nf_sockopts;

} // namespace

static bool overlap(int min1, int max1, int min2, int max2)
{
	TRACE();
	return max1 > min2 && min1 < max2;
}

int nf_register_sockopt(nf_sockopt_ops &reg)
{
	TRACE();
	for (const nf_sockopt_ops *ops : *nf_sockopts)
		if (ops->pf == reg.pf &&
		    (overlap(ops->set_optmin, ops->set_optmax, reg.set_optmin, reg.set_optmax) ||
		     overlap(ops->get_optmin, ops->get_optmax, reg.get_optmin, reg.get_optmax)))
			return -EBUSY;
	nf_sockopts->push_back(&reg);
	return 0;
}

void nf_unregister_sockopt(nf_sockopt_ops &reg)
{
	TRACE();
	std::erase(*nf_sockopts, &reg);
}

static nf_sockopt_ops *nf_sockopt_find(sock &sk, u8 pf, int val, bool get)
{
	TRACE(sk);
	for (nf_sockopt_ops *ops : *nf_sockopts) {
		const int min = get ? ops->get_optmin : ops->set_optmin;
		const int max = get ? ops->get_optmax : ops->set_optmax;

		if (ops->pf == pf && val >= min && val < max)
			return ops;
	}
	return nullptr;
}

int nf_setsockopt(sock &sk, u8 pf, int val, const void *opt, u32 len)
{
	TRACE(sk);
	const nf_sockopt_ops *ops = nf_sockopt_find(sk, pf, val, false);

	return ops ? ops->set(sk, val, opt, len) : -ENOPROTOOPT;
}

int nf_getsockopt(sock &sk, u8 pf, int val, void *opt, int &len)
{
	TRACE(sk);
	const nf_sockopt_ops *ops = nf_sockopt_find(sk, pf, val, true);

	return ops ? ops->get(sk, val, opt, len) : -ENOPROTOOPT;
}

} // namespace skbwalk
