// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/arp_tables.c: ip_tables for ARP. Rules have no matches besides what they say about the
// ARP header and the devices.
#include "stack/core/netdevice.h"
#include "stack/ipv4/netfilter/ip_tables.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

namespace {

u32 arp_hdr_len(const net_device &dev) { return static_cast<u32>(sizeof(arphdr)) + (dev.addr_len + 4u) * 2; }

} // namespace

std::unique_ptr<xt_entry> make_arpt_entry() { return std::make_unique<arpt_entry>(); }

xt_replace arpt_alloc_initial_table(const xt_table &info)
{
	TRACE();
	return xt_alloc_initial_table(info, make_arpt_entry);
}

static constexpr bool NF_INVF(u16 invflags, u16 flag, bool boolean)
{
	return boolean != ((invflags & flag) != 0);
}

static bool arp_devaddr_compare(const arpt_devaddr_info &ap, const u8 *hdr_addr, u32 len)
{
	TRACE();
	for (u32 i = 0; i < len && i < ap.addr.size(); ++i)
		if ((hdr_addr[i] & ap.mask[i]) != ap.addr[i])
			return true;
	return false;
}

static bool arp_packet_match(const arphdr &arp, const net_device &dev, const char *indev, const char *outdev,
                             const arpt_arp &info)
{
	TRACE();
	const u16 inv = info.invflags;

	if (NF_INVF(inv, ARPT_INV_ARPOP, (ntohs(arp.ar_op) & info.arpop_mask) != info.arpop) ||
	    NF_INVF(inv, ARPT_INV_ARPHRD, (ntohs(arp.ar_hrd) & info.arhrd_mask) != info.arhrd) ||
	    NF_INVF(inv, ARPT_INV_ARPPRO, (ntohs(arp.ar_pro) & info.arpro_mask) != info.arpro) ||
	    NF_INVF(inv, ARPT_INV_ARPHLN, (arp.ar_hln & info.arhln_mask) != info.arhln))
		return false;
	const u8 *src_devaddr = reinterpret_cast<const u8 *>(&arp + 1);
	const u8 *tgt_devaddr = src_devaddr + dev.addr_len + sizeof(be32);
	be32 src_ipaddr, tgt_ipaddr;

	std::memcpy(&src_ipaddr, src_devaddr + dev.addr_len, sizeof(be32));
	std::memcpy(&tgt_ipaddr, tgt_devaddr + dev.addr_len, sizeof(be32));
	if (NF_INVF(inv, ARPT_INV_SRCDEVADDR,
	            arp_devaddr_compare(info.src_devaddr, src_devaddr, dev.addr_len)) ||
	    NF_INVF(inv, ARPT_INV_TGTDEVADDR,
	            arp_devaddr_compare(info.tgt_devaddr, tgt_devaddr, dev.addr_len)))
		return false;
	if (NF_INVF(inv, ARPT_INV_SRCIP, !((src_ipaddr & info.smsk) == info.src)) ||
	    NF_INVF(inv, ARPT_INV_TGTIP, !((tgt_ipaddr & info.tmsk) == info.tgt)))
		return false;
	return !NF_INVF(inv, ARPT_INV_VIA_IN, !ifname_compare(indev, info.iniface)) &&
	       !NF_INVF(inv, ARPT_INV_VIA_OUT, !ifname_compare(outdev, info.outiface));
}

static u32 arpt_error(sk_buff &skb, const xt_action_param &)
{
	TRACE(skb);
	return NF_DROP;
}

u32 arpt_do_table(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	const xt_table &table = *static_cast<const xt_table *>(priv);
	const u32 hook = state.hook;
	const net_device &dev = *skb->dev;
	u32 verdict = NF_DROP;
	std::size_t stackidx = 0;
	xt_action_param acpar;

	if (!pskb_may_pull(*skb, arp_hdr_len(dev)))
		return NF_DROP;
	const char *indev = state.in ? state.in->name.c_str() : "";
	const char *outdev = state.out ? state.out->name.c_str() : "";

	local_bh_disable();
	xt_table_info &info = *table.private_;
	std::vector<u32> &jumpstack = info.jumpstack[current.cpu->id];
	u32 at = info.hook_entry[hook];

	acpar.state = &state;
	do {
		assert(at < info.number);
		arpt_entry &e = arpt_entry_of(*info.entries[at]);
		const auto &arp = *reinterpret_cast<const arphdr *>(skb_network_header(*skb));

		if (!arp_packet_match(arp, dev, indev, outdev, e.arp)) {
			++at;
			continue;
		}
		ADD_COUNTER(e.counters, arp_hdr_len(dev), 1);

		const xt_entry_target &t = e.target;
		if (!t.target->target) {
			const int v = t.verdict;

			if (v < 0) {
				if (v != XT_RETURN) {
					verdict = static_cast<u32>(-v) - 1;
					note_verdict(e, verdict, skb.get());
					break;
				}
				at = stackidx == 0 ? info.underflow[hook] : jumpstack[--stackidx] + 1;
				continue;
			}
			const u32 to = static_cast<u32>(v);
			if (to != at + 1) {
				if (stackidx >= info.stacksize) {
					verdict = NF_DROP;
					break;
				}
				jumpstack[stackidx++] = at;
			}
			at = to;
			continue;
		}
		acpar.target = t.target;
		acpar.targinfo = t.data.get();
		verdict = t.target->target(*skb, acpar);
		if (verdict != XT_CONTINUE) {
			note_verdict(e, verdict, skb.get());
			break;
		}
		++at;
	} while (!acpar.hotdrop);
	local_bh_enable();
	return acpar.hotdrop ? NF_DROP : verdict;
}

static bool unconditional(const xt_entry &e)
{
	TRACE();
	static const arpt_arp uncond;

	return e.matches.empty() && arpt_entry_of(e).arp == uncond;
}

static int mark_source_chains(xt_table_info &newinfo, u32 valid_hooks)
{
	TRACE();
	return follow_chains(newinfo, valid_hooks, NF_ARP_NUMHOOKS, unconditional);
}

static int check_target(arpt_entry &e, net &net, const char *name)
{
	TRACE();
	xt_tgchk_param par{.net = &net,
	                   .table = name,
	                   .entryinfo = &e,
	                   .target = e.target.target,
	                   .targinfo = e.target.data.get(),
	                   .hook_mask = e.comefrom,
	                   .family = NFPROTO_ARP};

	return xt_check_target(par, e.target.data.size(), 0, false);
}

static int find_check_entry(arpt_entry &e, net &net, const char *name)
{
	TRACE();
	int ret = 0;

	e.target.target = xt_request_find_target(NFPROTO_ARP, e.target.name, e.target.revision, ret);
	return e.target.target ? check_target(e, net, name) : ret;
}

static bool check_underflow(const xt_entry &e)
{
	TRACE();
	if (!unconditional(e) || e.target.name != XT_STANDARD_TARGET)
		return false;
	const int verdict = -e.target.verdict - 1;

	return verdict == NF_DROP || verdict == NF_ACCEPT;
}

static int check_entry_size_and_hooks(u32 at, xt_table_info &newinfo, const xt_replace &repl)
{
	TRACE();
	arpt_entry &e = arpt_entry_of(*newinfo.entries[at]);

	if ((e.arp.invflags & ~ARPT_INV_MASK) || !e.matches.empty())
		return -EINVAL;
	for (u32 h = 0; h < NF_ARP_NUMHOOKS; ++h) {
		if (!(repl.valid_hooks & 1u << h))
			continue;
		if (at == repl.hook_entry[h])
			newinfo.hook_entry[h] = at;
		if (at == repl.underflow[h]) {
			if (!check_underflow(e))
				return -EINVAL;
			newinfo.underflow[h] = at;
		}
	}
	e.counters = {};
	e.comefrom = 0;
	e.back = 0;
	return 0;
}

static void cleanup_entry(arpt_entry &e, net &net)
{
	TRACE();
	if (e.target.target->destroy)
		e.target.target->destroy({&net, e.target.target, e.target.data.get(), NFPROTO_ARP});
}

static int translate_table(net &net, xt_table_info &newinfo, xt_replace &repl)
{
	TRACE();
	newinfo.entries = std::move(repl.entries);
	newinfo.number = static_cast<u32>(newinfo.entries.size());
	newinfo.hook_entry.fill(XT_NO_ENTRY);
	newinfo.underflow.fill(XT_NO_ENTRY);
	for (u32 i = 0; i < newinfo.number; ++i) {
		if (const int ret = check_entry_size_and_hooks(i, newinfo, repl))
			return ret;
		if (newinfo.entries[i]->target.name == XT_ERROR_TARGET)
			++newinfo.stacksize;
	}
	if (const int ret = xt_check_table_hooks(newinfo, repl.valid_hooks))
		return ret;
	if (!mark_source_chains(newinfo, repl.valid_hooks))
		return -ELOOP;
	for (u32 i = 0; i < newinfo.number; ++i) {
		const int ret = find_check_entry(arpt_entry_of(*newinfo.entries[i]), net, repl.name.c_str());

		if (ret) {
			while (i-- > 0)
				cleanup_entry(arpt_entry_of(*newinfo.entries[i]), net);
			return ret;
		}
	}
	return 0;
}

int arpt_do_replace(net &net, xt_replace repl, std::vector<xt_counters> &counters)
{
	TRACE();
	const std::string name = repl.name;
	const u32 valid_hooks = repl.valid_hooks, num_counters = repl.num_counters;
	xt_table_info *newinfo = xt_alloc_table_info();
	int ret = translate_table(net, *newinfo, repl);

	if (!ret) {
		const xt_table_or_err t = xt_request_find_table_lock(net, NFPROTO_ARP, name.c_str());

		ret = !t.table ? t.err : t.table->valid_hooks != valid_hooks ? -EINVAL : 0;
		xt_table_info *oldinfo =
			ret ? nullptr : xt_replace_table(*t.table, num_counters, newinfo, ret);
		if (oldinfo) {
			counters.clear();
			for (const auto &e : oldinfo->entries) {
				counters.push_back(e->counters);
				cleanup_entry(arpt_entry_of(*e), net);
			}
			xt_free_table_info(oldinfo);
			return 0;
		}
		for (const auto &e : newinfo->entries)
			cleanup_entry(arpt_entry_of(*e), net);
	}
	xt_free_table_info(newinfo);
	return ret;
}

int arpt_do_add_counters(net &net, const char *name, const std::vector<xt_counters> &counters)
{
	TRACE();
	const xt_table_or_err t = xt_find_table_lock(net, NFPROTO_ARP, name);

	if (!t.table)
		return t.err;
	if (t.table->private_->number != counters.size())
		return -EINVAL;
	local_bh_disable();
	for (std::size_t i = 0; i < counters.size(); ++i)
		ADD_COUNTER(t.table->private_->entries[i]->counters, counters[i].bcnt, counters[i].pcnt);
	local_bh_enable();
	return 0;
}

static void __arpt_unregister_table(net &net, xt_table &table)
{
	TRACE();
	xt_table_info *info = xt_unregister_table(net, table);

	for (const auto &e : info->entries)
		cleanup_entry(arpt_entry_of(*e), net);
	xt_free_table_info(info);
}

int arpt_register_table(net &net, const xt_table &table, xt_replace repl,
                        const std::vector<nf_hook_ops> &template_ops)
{
	TRACE();
	xt_table_info bootstrap;
	xt_table_info *newinfo = xt_alloc_table_info();

	if (const int ret = translate_table(net, *newinfo, repl)) {
		xt_free_table_info(newinfo);
		return ret;
	}
	const xt_table_or_err t = xt_register_table(net, table, bootstrap, newinfo);
	if (!t.table) {
		for (const auto &e : newinfo->entries)
			cleanup_entry(arpt_entry_of(*e), net);
		xt_free_table_info(newinfo);
		return t.err;
	}
	t.table->ops = template_ops;
	for (nf_hook_ops &ops : t.table->ops)
		ops.priv = t.table;
	const int ret =
		nf_register_net_hooks(net, t.table->ops.data(), static_cast<u32>(t.table->ops.size()));
	if (ret)
		__arpt_unregister_table(net, *t.table);
	return ret;
}

void arpt_unregister_table_pre_exit(net &net, const char *name)
{
	TRACE();
	const xt_table *table = xt_find_table(net, NFPROTO_ARP, name);

	if (table)
		nf_unregister_net_hooks(net, table->ops.data(), static_cast<u32>(table->ops.size()));
}

void arpt_unregister_table(net &net, const char *name)
{
	TRACE();
	if (xt_table *table = xt_find_table(net, NFPROTO_ARP, name))
		__arpt_unregister_table(net, *table);
}

static constexpr xt_target arpt_builtin_tg[] = {
	{.name = "", .family = NFPROTO_ARP},
	{.name = "ERROR", .target = arpt_error, .family = NFPROTO_ARP},
};

int arp_tables_init()
{
	TRACE();
	return xt_register_targets(arpt_builtin_tg, 2);
}

} // namespace skbwalk
