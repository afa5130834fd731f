// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/fib_semantics.c: what a route means. fib_create_info() checks a configuration, finds the device of
// each nexthop (fib_check_nh) and shares an equal fib_info where there is one; the last reference ends it
// after a grace period, with the routes that its nexthops keep. fib_result_prefsrc() says which source goes
// with it. What devices and addresses do to it is in fib_semantics_sync.cpp, choosing among several in
// fib_select.cpp. Left out: nexthop objects, IPv6 gateways, encapsulation, netlink messages.
#include "stack/ipv4/fib_semantics.h"

#include <algorithm>

namespace skbwalk {

namespace {

int refuse(netlink_ext_ack *extack, const char *msg, int err)
{
	if (extack)
		extack->msg = msg;
	return err;
}

bool same_metrics(const fib_info &a, const fib_info &b)
{
	for (int m = 1; m <= RTAX_MAX; ++m)
		if (fib_metric(a, m) != fib_metric(b, m))
			return false;
	return true;
}

} // namespace

const perhost<fib_infos> fib_infos_of_host;

const std::array<fib_prop, RTN_MAX + 1> fib_props{{
	{0, RT_SCOPE_NOWHERE},              // RTN_UNSPEC
	{0, RT_SCOPE_UNIVERSE},             // RTN_UNICAST
	{0, RT_SCOPE_HOST},                 // RTN_LOCAL
	{0, RT_SCOPE_LINK},                 // RTN_BROADCAST
	{0, RT_SCOPE_LINK},                 // RTN_ANYCAST
	{0, RT_SCOPE_UNIVERSE},             // RTN_MULTICAST
	{-EINVAL, RT_SCOPE_UNIVERSE},       // RTN_BLACKHOLE
	{-EHOSTUNREACH, RT_SCOPE_UNIVERSE}, // RTN_UNREACHABLE
	{-EACCES, RT_SCOPE_UNIVERSE},       // RTN_PROHIBIT
	{-EAGAIN, RT_SCOPE_UNIVERSE},       // RTN_THROW
	{-EINVAL, RT_SCOPE_NOWHERE},        // RTN_NAT
	{-EINVAL, RT_SCOPE_NOWHERE},        // RTN_XRESOLVE
}};

// --- finding an equal one ---

static int nh_comp(const fib_info &fi, const fib_info &ofi)
{
	TRACE();
	for (int i = 0; i < fib_info_num_path(fi); ++i) {
		const fib_nh &nh = fib_info_nh(fi, i), &onh = fib_info_nh(ofi, i);

		if (nh.nhc_oif != onh.nhc_oif || nh.nhc_gw_family != onh.nhc_gw_family ||
		    nh.nhc_scope != onh.nhc_scope || nh.nhc_weight != onh.nhc_weight ||
		    ((nh.nhc_flags ^ onh.nhc_flags) & ~RTNH_COMPARE_MASK))
			return -1;
		if (nh.nhc_gw_family == AF_INET && !(nh.nhc_gw4 == onh.nhc_gw4))
			return -1;
	}
	return 0;
}

static u32 fib_devindex_hashfn(u32 val)
{
	TRACE();
	return hash_32(val, DEVINDEX_HASHBITS);
}

nh_list &fib_info_devhash_bucket(const net_device &dev)
{
	TRACE(dev);
	const u32 val = net_hash_mix(dev_net(dev)) ^ static_cast<u32>(dev.ifindex);

	return fib_infos_of_host->devhash[fib_devindex_hashfn(val)];
}

static u32 fib_info_hashfn_1(u32 init_val, u8 protocol, u8 scope, u32 prefsrc, u32 priority)
{
	TRACE();
	return init_val ^ (static_cast<u32>(protocol) << 8 | scope) ^ prefsrc ^ priority;
}

static u32 fib_info_hashfn_result(u32 val)
{
	TRACE();
	return (val ^ (val >> 7) ^ (val >> 12)) & (fib_infos_of_host->size() - 1);
}

static u32 fib_info_hashfn(const fib_info &fi)
{
	TRACE();
	u32 val = fib_info_hashfn_1(static_cast<u32>(fi.fib_nhs), fi.fib_protocol, fi.fib_scope,
	                            fi.fib_prefsrc.raw(), fi.fib_priority);

	for_nexthops(fi,
	             [&val](const fib_nh &nh) { val ^= fib_devindex_hashfn(static_cast<u32>(nh.nhc_oif)); });
	return fib_info_hashfn_result(val);
}

static fib_info *fib_find_info(const fib_info &nfi)
{
	TRACE();
	for (fib_info &fi : fib_infos_of_host->hash[fib_info_hashfn(nfi)]) {
		if (fi.fib_net != nfi.fib_net || fi.fib_nhs != nfi.fib_nhs)
			continue;
		if (nfi.fib_protocol == fi.fib_protocol && nfi.fib_scope == fi.fib_scope &&
		    nfi.fib_prefsrc == fi.fib_prefsrc && nfi.fib_priority == fi.fib_priority &&
		    nfi.fib_type == fi.fib_type && nfi.fib_tb_id == fi.fib_tb_id && same_metrics(nfi, fi) &&
		    !((nfi.fib_flags ^ fi.fib_flags) & ~RTNH_COMPARE_MASK) && nh_comp(fi, nfi) == 0)
			return &fi;
	}
	return nullptr;
}

laddr_list &fib_info_laddrhash_bucket(const net &net, be32 val)
{
	TRACE();
	const u32 bits = static_cast<u32>(std::bit_width(fib_infos_of_host->size())) - 1;

	return fib_infos_of_host->laddrhash[hash_32(net_hash_mix(net) ^ val.raw(), bits)];
}

static void fib_info_hash_move(u32 new_size)
{
	TRACE();
	fib_infos &t = *fib_infos_of_host;
	std::vector<info_list> old_hash(new_size);
	std::vector<laddr_list> old_laddrhash(new_size);

	spin_lock_bh(t.lock);
	t.hash.swap(old_hash);
	t.laddrhash.swap(old_laddrhash);
	for (info_list &head : old_hash)
		while (!head.empty()) {
			fib_info &fi = head.front();
			head.pop_front();
			t.hash[fib_info_hashfn(fi)].push_front(fi);
		}
	for (laddr_list &head : old_laddrhash)
		while (!head.empty()) {
			fib_info &fi = head.front();
			head.pop_front();
			fib_info_laddrhash_bucket(*fi.fib_net, fi.fib_prefsrc).push_front(fi);
		}
	spin_unlock_bh(t.lock);
}

// --- the end of a fib_info ---

static void rt_fibinfo_free(rtable *&rtp)
{
	TRACE();
	if (!rtp)
		return;
	dst_dev_put(*rtp);
	dst_release_immediate(rtp);
	rtp = nullptr;
}

static void free_nh_exceptions(fib_nh_common &nhc)
{
	TRACE();
	fnhe_hash_bucket *hash = nhc.nhc_exceptions;

	if (!hash)
		return;
	for (u32 i = 0; i < FNHE_HASH_SIZE; ++i) {
		fib_nh_exception *fnhe = hash[i].chain;

		while (fnhe) {
			fib_nh_exception *next = fnhe->fnhe_next;

			rt_fibinfo_free(fnhe->fnhe_rth_input);
			rt_fibinfo_free(fnhe->fnhe_rth_output);
			kfree(fnhe);
			fnhe = next;
		}
	}
	kfree(hash);
	nhc.nhc_exceptions = nullptr;
}

static void rt_fibinfo_free_cpus(rtable **&rtp)
{
	TRACE();
	if (!rtp)
		return;
	TRACE_PART();
	for (std::size_t i = 0; i < current.host->cpus.size(); ++i)
		rt_fibinfo_free(rtp[i]);
	kfree(rtp);
	rtp = nullptr;
}

void fib_nh_common_release(fib_nh_common &nhc)
{
	TRACE(nhc.nhc_dev);
	dev_put(nhc.nhc_dev);
	rt_fibinfo_free_cpus(nhc.nhc_pcpu_rth_output);
	rt_fibinfo_free(nhc.nhc_rth_input);
	free_nh_exceptions(nhc);
}

static void fib_nh_release(fib_nh &nh)
{
	TRACE(nh.nhc_dev);
	fib_nh_common_release(nh);
}

static void free_fib_info_rcu(rcu_head *head)
{
	TRACE();
	fib_info &fi = container_of(*head, &fib_info::rcu);

	for_nexthops(fi, [](fib_nh &nh) {
		fib_nh_release(nh);
		nh.~fib_nh();
	});
	ip_fib_metrics_put(fi.fib_metrics);
	fi.~fib_info();
	kfree(&fi);
}

void free_fib_info(fib_info &fi)
{
	TRACE();
	assert(fi.fib_dead);
	call_rcu(fi.rcu, free_fib_info_rcu);
}

void fib_info_put(fib_info &fi)
{
	TRACE_INLINE();
	if (refcount_dec_and_test(fi.fib_clntref))
		free_fib_info(fi);
}

void fib_release_info(fib_info *fi)
{
	TRACE();
	fib_infos &t = *fib_infos_of_host;

	spin_lock_bh(t.lock);
	if (fi && refcount_dec_and_test(fi->fib_treeref)) {
		t.hash[fib_info_hashfn(*fi)].erase(info_list::s_iterator_to(*fi));
		--t.cnt;
		if (fi->fib_prefsrc)
			fib_info_laddrhash_bucket(*fi->fib_net, fi->fib_prefsrc)
				.erase(laddr_list::s_iterator_to(*fi));
		for_nexthops(*fi, [](fib_nh &nh) {
			if (nh.nhc_dev)
				fib_info_devhash_bucket(*nh.nhc_dev).erase(nh_list::s_iterator_to(nh));
		});
		fi->fib_dead = true;
		fib_info_put(*fi);
	}
	spin_unlock_bh(t.lock);
}

// Used when a redirect is judged: is it a gateway that is configured?
int ip_fib_check_default(be32 gw, const net_device &dev)
{
	TRACE(dev);
	int ret = -1;

	spin_lock(fib_infos_of_host->lock);
	for (const fib_nh &nh : fib_info_devhash_bucket(dev))
		if (nh.nhc_dev == &dev && nh.nhc_gw4 == gw && !(nh.nhc_flags & RTNH_F_DEAD)) {
			ret = 0;
			break;
		}
	spin_unlock(fib_infos_of_host->lock);
	return ret;
}

// --- making one ---

static int fib_nh_common_init(fib_nh_common &nhc)
{
	TRACE();
	const std::size_t n = current.host->cpus.size();
	void *p = __kmalloc(n * sizeof(rtable *), GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	nhc.nhc_pcpu_rth_output = static_cast<rtable **>(p);
	std::fill_n(nhc.nhc_pcpu_rth_output, n, nullptr);
	return 0;
}

static int fib_nh_init(fib_nh &nh, const fib_config_nh &cfg, u32 flags)
{
	TRACE();
	nh.nhc_family = AF_INET;
	const int err = fib_nh_common_init(nh);
	if (err)
		return err;
	nh.nhc_oif = cfg.oif;
	nh.nhc_gw_family = cfg.has_gw ? AF_INET : u16{0};
	nh.nhc_gw4 = cfg.gw;
	nh.nhc_flags = flags | cfg.flags;
	nh.nhc_weight = cfg.weight;
	return 0;
}

static int fib_get_nhs(fib_info &fi, const fib_config &cfg, netlink_ext_ack *extack)
{
	TRACE();
	for (int i = 0; i < fi.fib_nhs; ++i) {
		const fib_config_nh &one = cfg.fc_mp[static_cast<std::size_t>(i)];

		if (one.flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
			return refuse(extack, "Invalid flags for nexthop - can not contain DEAD or LINKDOWN",
			              -EINVAL);
		const int ret = fib_nh_init(fib_info_nh(fi, i), one, cfg.fc_flags & ~0xFFu);
		if (ret)
			return ret;
	}
	const fib_nh &nh = fib_info_nh(fi, 0);
	if (cfg.fc_oif && nh.nhc_oif != cfg.fc_oif)
		return refuse(extack, "Nexthop device index does not match RTA_OIF", -EINVAL);
	if (cfg.fc_gw_family && (cfg.fc_gw_family != nh.nhc_gw_family || !(nh.nhc_gw4 == cfg.fc_gw4)))
		return refuse(extack, "Nexthop gateway does not match RTA_GATEWAY or RTA_VIA", -EINVAL);
	return 0;
}

// Gives each nexthop that works its part of the 31-bit hash space, by weight.
void fib_rebalance(fib_info &fi)
{
	TRACE();
	if (fib_info_num_path(fi) < 2)
		return;

	const auto works = [](const fib_nh &nh) {
		return !(nh.nhc_flags & RTNH_F_DEAD) &&
		       !(ip_ignore_linkdown(*nh.nhc_dev) && nh.nhc_flags & RTNH_F_LINKDOWN);
	};
	u64 total = 0, w = 0;
	for_nexthops(fi, [&](const fib_nh &nh) {
		if (works(nh))
			total += static_cast<u64>(nh.nhc_weight);
	});
	for_nexthops(fi, [&](fib_nh &nh) {
		s64 upper_bound = -1;

		if (total && works(nh)) {
			w += static_cast<u64>(nh.nhc_weight);
			upper_bound = static_cast<s64>(((w << 31) + total / 2) / total) - 1;
		}
		nh.nhc_upper_bound = static_cast<s32>(upper_bound);
	});
}

int fib_nh_match(net &, const fib_config &cfg, const fib_info &fi, netlink_ext_ack *)
{
	TRACE();
	if (cfg.fc_priority && cfg.fc_priority != fi.fib_priority)
		return 1;

	if (cfg.fc_oif || cfg.fc_gw_family) {
		if (!fi.fib_nhs)
			return 1;
		const fib_nh &nh = fib_info_nh(fi, 0);

		if ((cfg.fc_oif && cfg.fc_oif != nh.nhc_oif) ||
		    (cfg.fc_gw_family && cfg.fc_gw_family != nh.nhc_gw_family))
			return 1;
		return cfg.fc_gw_family == AF_INET && !(cfg.fc_gw4 == nh.nhc_gw4);
	}
	if (cfg.fc_mp.empty())
		return 0;
	if (cfg.fc_mp.size() < static_cast<std::size_t>(fi.fib_nhs))
		return -EINVAL;
	for (int i = 0; i < fi.fib_nhs; ++i) {
		const fib_config_nh &one = cfg.fc_mp[static_cast<std::size_t>(i)];
		const fib_nh &nh = fib_info_nh(fi, i);

		if (one.oif && one.oif != nh.nhc_oif)
			return 1;
		if (one.has_gw && (nh.nhc_gw_family != AF_INET || !(one.gw == nh.nhc_gw4)))
			return 1;
	}
	return 0;
}

bool fib_metrics_match(const fib_config &cfg, const fib_info &fi)
{
	TRACE();
	if (!cfg.fc_mx)
		return true;
	for (int m = 1; m <= RTAX_MAX; ++m) {
		const u32 val = (*cfg.fc_mx)[static_cast<std::size_t>(m - 1)];

		if (val && fib_metric(fi, m) != val)
			return false;
	}
	return true;
}

// A gateway must be reached over a narrower scope than the route that goes over it: a universe route's
// gateway over a link, and that one over an address of this host.
static int fib_check_nh_v4_gw(net &net, fib_nh &nh, u32 table, u8 scope, netlink_ext_ack *extack)
{
	TRACE();
	if (nh.nhc_flags & RTNH_F_ONLINK) {
		if (scope >= RT_SCOPE_LINK)
			return refuse(extack, "Nexthop has invalid scope", -EINVAL);
		net_device *dev = __dev_get_by_index(net, nh.nhc_oif);
		if (!dev)
			return refuse(extack, "Nexthop device required for onlink", -ENODEV);
		if (!(dev->flags & IFF_UP))
			return refuse(extack, "Nexthop device is not up", -ENETDOWN);
		if (inet_addr_type_dev_table(net, dev, nh.nhc_gw4) != RTN_UNICAST)
			return refuse(extack, "Nexthop has invalid gateway", -EINVAL);
		if (!netif_carrier_ok(*dev))
			nh.nhc_flags |= RTNH_F_LINKDOWN;
		nh.nhc_dev = dev;
		dev_hold(*dev);
		nh.nhc_scope = RT_SCOPE_LINK;
		return 0;
	}

	rcu_read_lock();
	const auto out = [](int e) {
		rcu_read_unlock();
		return e;
	};
	flowi4 fl4;
	fib_result res;
	int err = 0;

	fl4.daddr = nh.nhc_gw4;
	fl4.flowi4_scope = std::max(static_cast<u8>(scope + 1), RT_SCOPE_LINK);
	fl4.flowi4_oif = nh.nhc_oif;
	fl4.flowi4_iif = LOOPBACK_IFINDEX;

	fib_table *tbl = table && table != RT_TABLE_MAIN ? fib_get_table(net, table) : nullptr;
	if (tbl)
		err = fib_table_lookup(*tbl, fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE | FIB_LOOKUP_NOREF);
	if (!tbl || err)
		err = fib_lookup(net, fl4, res, FIB_LOOKUP_IGNORE_LINKSTATE);
	if (err)
		return out(refuse(extack, "Nexthop has invalid gateway", err));
	if (res.type != RTN_UNICAST && res.type != RTN_LOCAL)
		return out(refuse(extack, "Nexthop has invalid gateway", -EINVAL));
	nh.nhc_scope = res.scope;
	nh.nhc_oif = FIB_RES_OIF(res);
	net_device *dev = FIB_RES_DEV(res);
	nh.nhc_dev = dev;
	if (!dev)
		return out(refuse(extack, "No egress device for nexthop gateway", -EINVAL));
	dev_hold(*dev);
	if (!netif_carrier_ok(*dev))
		nh.nhc_flags |= RTNH_F_LINKDOWN;
	return out(dev->flags & IFF_UP ? 0 : -ENETDOWN);
}

static int fib_check_nh_nongw(net &net, fib_nh &nh, netlink_ext_ack *extack)
{
	TRACE();
	if (nh.nhc_flags & (RTNH_F_PERVASIVE | RTNH_F_ONLINK))
		return refuse(extack, "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set",
		              -EINVAL);

	rcu_read_lock();
	const auto out = [](int e) {
		rcu_read_unlock();
		return e;
	};
	in_device *in_dev = inetdev_by_index(net, nh.nhc_oif);
	if (!in_dev)
		return out(-ENODEV);
	if (!(in_dev->dev->flags & IFF_UP))
		return out(refuse(extack, "Device for nexthop is not up", -ENETDOWN));
	nh.nhc_dev = in_dev->dev;
	dev_hold(*nh.nhc_dev);
	nh.nhc_scope = RT_SCOPE_HOST;
	if (!netif_carrier_ok(*nh.nhc_dev))
		nh.nhc_flags |= RTNH_F_LINKDOWN;
	return out(0);
}

int fib_check_nh(net &net, fib_nh &nh, u32 table, u8 scope, netlink_ext_ack *extack)
{
	TRACE();
	if (nh.nhc_gw_family == AF_INET)
		return fib_check_nh_v4_gw(net, nh, table, scope, extack);
	return fib_check_nh_nongw(net, nh, extack);
}

be32 fib_info_update_nhc_saddr(net &net, fib_nh_common &nhc, u8 scope)
{
	TRACE(nhc.nhc_dev);
	auto &nh = static_cast<fib_nh &>(nhc);

	nh.nh_saddr = inet_select_addr(*nh.nhc_dev, nh.nhc_gw4, scope);
	nh.nh_saddr_genid = net.ipv4.dev_addr_genid;
	return nh.nh_saddr;
}

be32 fib_result_prefsrc(net &net, fib_result &res)
{
	TRACE();
	if (res.fi->fib_prefsrc)
		return res.fi->fib_prefsrc;
	const auto &nh = static_cast<const fib_nh &>(*res.nhc);
	if (nh.nh_saddr_genid == net.ipv4.dev_addr_genid)
		return nh.nh_saddr;
	return fib_info_update_nhc_saddr(net, *res.nhc, res.fi->fib_scope);
}

static bool fib_valid_prefsrc(const fib_config &cfg, be32 fib_prefsrc)
{
	TRACE();
	if (cfg.fc_type == RTN_LOCAL && cfg.fc_dst && fib_prefsrc == cfg.fc_dst)
		return true;
	const u32 tb_id = cfg.fc_table == RT_TABLE_MAIN ? RT_TABLE_LOCAL : cfg.fc_table;
	u32 rc = inet_addr_type_table(*cfg.fc_net, fib_prefsrc, tb_id);

	if (rc != RTN_LOCAL && tb_id != RT_TABLE_LOCAL)
		rc = inet_addr_type_table(*cfg.fc_net, fib_prefsrc, RT_TABLE_LOCAL);
	return rc == RTN_LOCAL;
}

namespace {

// What fib_create_info() checks and fills in before it looks for an equal one.
int fill_info(fib_info &fi, fib_config &cfg, netlink_ext_ack *extack)
{
	net &net = *cfg.fc_net;
	int err = 0;

	if (!cfg.fc_mp.empty()) {
		err = fib_get_nhs(fi, cfg, extack);
	} else {
		const fib_config_nh one{cfg.fc_oif, cfg.fc_gw_family == AF_INET, cfg.fc_gw4, 1, 0};
		err = fib_nh_init(fib_info_nh(fi, 0), one, cfg.fc_flags);
	}
	if (err)
		return err;

	if (fib_props[cfg.fc_type].error) {
		if (cfg.fc_gw_family || cfg.fc_oif || !cfg.fc_mp.empty())
			return refuse(
				extack,
				"Gateway, device and multipath can not be specified for this route type",
				-EINVAL);
		return 0;
	}
	if (cfg.fc_type < RTN_UNICAST || cfg.fc_type > RTN_MULTICAST)
		return refuse(extack, "Invalid route type", -EINVAL);
	if (cfg.fc_scope > RT_SCOPE_HOST)
		return refuse(extack, "Invalid scope", -EINVAL);

	if (cfg.fc_scope == RT_SCOPE_HOST) {
		fib_nh &nh = fib_info_nh(fi, 0);

		if (fi.fib_nhs != 1)
			return refuse(extack, "Route with host scope can not have multiple nexthops",
			              -EINVAL);
		if (nh.nhc_gw_family)
			return refuse(extack, "Route with host scope can not have a gateway", -EINVAL);
		nh.nhc_scope = RT_SCOPE_NOWHERE;
		nh.nhc_dev = __dev_get_by_index(net, nh.nhc_oif);
		if (!nh.nhc_dev)
			return -ENODEV;
		dev_hold(*nh.nhc_dev);
	} else {
		int linkdown = 0;

		for (int i = 0; i < fi.fib_nhs; ++i) {
			err = fib_check_nh(net, fib_info_nh(fi, i), cfg.fc_table, cfg.fc_scope, extack);
			if (err)
				return err;
			if (fib_info_nh(fi, i).nhc_flags & RTNH_F_LINKDOWN)
				++linkdown;
		}
		if (linkdown == fi.fib_nhs)
			fi.fib_flags |= RTNH_F_LINKDOWN;
	}

	if (fi.fib_prefsrc && !fib_valid_prefsrc(cfg, fi.fib_prefsrc))
		return refuse(extack, "Invalid prefsrc address", -EINVAL);
	for_nexthops(fi, [&](fib_nh &nh) { fib_info_update_nhc_saddr(net, nh, fi.fib_scope); });
	fib_rebalance(fi);
	return 0;
}

} // namespace

fib_info *fib_create_info(fib_config &cfg, int &err, netlink_ext_ack *extack)
{
	TRACE();
	fib_infos &t = *fib_infos_of_host;
	net &net = *cfg.fc_net;

	err = -EINVAL;
	if (cfg.fc_type > RTN_MAX)
		return nullptr;
	if (fib_props[cfg.fc_type].scope > cfg.fc_scope) {
		refuse(extack, "Invalid scope", err);
		return nullptr;
	}
	if (cfg.fc_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) {
		refuse(extack, "Invalid rtm_flags - can not contain DEAD or LINKDOWN", err);
		return nullptr;
	}
	const int nhs = cfg.fc_mp.empty() ? 1 : static_cast<int>(cfg.fc_mp.size());

	if (t.cnt >= t.size())
		fib_info_hash_move(t.size() ? t.size() * 2 : 16);

	dst_metrics *metrics = ip_fib_metrics_init(cfg.fc_mx, err, extack);
	if (err)
		return nullptr;
	void *p = __kmalloc(sizeof(fib_info) + static_cast<std::size_t>(nhs) * sizeof(fib_nh), GFP_KERNEL);
	if (!p) {
		ip_fib_metrics_put(metrics);
		err = -ENOBUFS;
		return nullptr;
	}
	auto *fi = ::new (p) fib_info;
	fi->fib_nh_ = reinterpret_cast<fib_nh *>(fi + 1);
	fi->fib_nhs = nhs;
	for (int i = 0; i < nhs; ++i)
		(::new (fi->fib_nh_ + i) fib_nh)->nh_parent = fi;
	fi->fib_metrics = metrics;
	fi->fib_net = &net;
	fi->fib_protocol = cfg.fc_protocol;
	fi->fib_scope = cfg.fc_scope;
	fi->fib_flags = cfg.fc_flags;
	fi->fib_priority = cfg.fc_priority;
	fi->fib_prefsrc = cfg.fc_prefsrc;
	fi->fib_type = cfg.fc_type;
	fi->fib_tb_id = cfg.fc_table;

	err = fill_info(*fi, cfg, extack);
	fib_info *ofi = err ? nullptr : fib_find_info(*fi);
	if (err || ofi) {
		fi->fib_dead = true;
		free_fib_info(*fi);
		if (ofi)
			refcount_inc(ofi->fib_treeref);
		return ofi;
	}

	spin_lock_bh(t.lock);
	++t.cnt;
	t.hash[fib_info_hashfn(*fi)].push_front(*fi);
	if (fi->fib_prefsrc)
		fib_info_laddrhash_bucket(net, fi->fib_prefsrc).push_front(*fi);
	for_nexthops(*fi, [](fib_nh &nh) {
		if (nh.nhc_dev)
			fib_info_devhash_bucket(*nh.nhc_dev).push_front(nh);
	});
	spin_unlock_bh(t.lock);
	return fi;
}

} // namespace skbwalk
