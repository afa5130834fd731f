// SPDX-License-Identifier: GPL-2.0-only
//
// net/bridge/br_nf_core.c: the stand-in for a route that br_netfilter gives a packet on its way through a
// bridge. It names the bridge as the device and knows its MTU, and nothing can be sent by it.
#include "stack/bridge/br_private.h"

namespace skbwalk {

static void fake_update_pmtu(dst_entry &dst, sock *sk, sk_buff *, u32, bool) { TRACE(dst.dev, sk); }
static void fake_redirect(dst_entry &dst, sock *sk, sk_buff &skb) { TRACE(dst.dev, sk, skb); }

static neighbour *fake_neigh_lookup(const dst_entry &dst, sk_buff *, const void *)
{
	TRACE(dst.dev);
	return nullptr;
}

static u32 fake_mtu(const dst_entry &dst)
{
	TRACE(dst.dev);
	return dst.dev->mtu;
}

static const dst_ops fake_dst_ops = {
	.family = 2, // AF_INET
	.check = nullptr,
	.default_advmss = nullptr,
	.mtu = fake_mtu,
	.destroy = nullptr,
	.negative_advice = nullptr,
	.link_failure = nullptr,
	.update_pmtu = fake_update_pmtu,
	.redirect = fake_redirect,
	.neigh_lookup = fake_neigh_lookup,
	.confirm_neigh = nullptr,
};

void br_netfilter_rtable_init(net_bridge &br)
{
	TRACE(br.dev);
	rtable &rt = br.fake_rtable;

	atomic_set(rt.__refcnt, 1);
	rt.dev = br.dev;
	br.metrics[RTAX_MTU - 1] = br.dev->mtu;
	rt._metrics = br.metrics.data();
	rt.flags = DST_NOXFRM | DST_FAKE_RTABLE;
	rt.ops = &fake_dst_ops;
}

} // namespace skbwalk
