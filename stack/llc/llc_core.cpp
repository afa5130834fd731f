// SPDX-License-Identifier: GPL-2.0-only
//
// net/llc/llc_core.c: which service access points are open. Left out: access points that go before their host
// does, sockets of the family AF_LLC.
#include <memory>

#include "stack/kernel/percpu.h"
#include "stack/kernel/softirq.h"
#include "stack/llc/llc.h"

namespace skbwalk {

namespace {

struct llc_host {
	bool loaded = false;
	packet_type llc_packet_type;
	std::vector<std::unique_ptr<llc_sap>> llc_sap_list;
};
perhost<llc_host> llc_of_host;

} // namespace

static llc_sap *__llc_sap_find(u8 sap_value)
{
	TRACE();
	for (const auto &sap : llc_of_host->llc_sap_list)
		if (sap->lsap == sap_value)
			return sap.get();
	return nullptr;
}

llc_sap *llc_sap_find(u8 sap_value)
{
	TRACE();
	local_bh_disable();
	llc_sap *sap = __llc_sap_find(sap_value);

	if (sap)
		refcount_inc(sap->refcnt);
	local_bh_enable();
	return sap;
}

llc_sap *llc_sap_open(u8 lsap,
                      int (*func)(skb_ptr skb, net_device &dev, packet_type &pt, net_device &orig_dev))
{
	TRACE();
	if (__llc_sap_find(lsap))
		return nullptr;
	auto sap = std::make_unique<llc_sap>();

	sap->lsap = lsap;
	sap->rcv_func = func;
	llc_of_host->llc_sap_list.push_back(std::move(sap));
	return llc_of_host->llc_sap_list.back().get();
}

void llc_sap_put(llc_sap &sap)
{
	TRACE_INLINE();
	[[maybe_unused]] const bool last = refcount_dec_and_test(sap.refcnt);
	assert(!last);
}

void llc_init()
{
	TRACE();
	llc_host &h = *llc_of_host;

	if (h.loaded)
		return;
	h.loaded = true;
	h.llc_packet_type.type = htons(ETH_P_802_2);
	h.llc_packet_type.func = llc_rcv;
	dev_add_pack(h.llc_packet_type);
}

} // namespace skbwalk
