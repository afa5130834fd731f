// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/netfilter/ip_tables.c. A hook asks ipt_do_table, which walks the rules of its chain until one
// decides: a rule whose address, devices, protocol and matches all fit counts the packet and its target is
// asked; a jump to a user's chain is kept on the cpu's jump stack, and a chain that ends returns to it.
// Before a table takes effect, translate_table checks every rule and follows every chain.
#include "stack/ipv4/netfilter/ip_tables.h"

#include "stack/core/netdevice.h"
#include "stack/kernel/softirq.h"

namespace skbwalk {

std::unique_ptr<xt_entry> make_ipt_entry() { return std::make_unique<ipt_entry>(); }

xt_replace ipt_alloc_initial_table(const xt_table &info)
{
	TRACE();
	return xt_alloc_initial_table(info, make_ipt_entry);
}

static constexpr bool NF_INVF(u8 invflags, u8 flag, bool boolean)
{
	return boolean != ((invflags & flag) != 0);
}

static bool ip_packet_match(const iphdr &ip, const char *indev, const char *outdev, const ipt_ip &ipinfo,
                            bool isfrag)
{
	TRACE();
	const u8 inv = ipinfo.invflags;

	if (NF_INVF(inv, IPT_INV_SRCIP, !((ip.saddr & ipinfo.smsk) == ipinfo.src)) ||
	    NF_INVF(inv, IPT_INV_DSTIP, !((ip.daddr & ipinfo.dmsk) == ipinfo.dst)))
		return false;
	if (NF_INVF(inv, IPT_INV_VIA_IN, !ifname_compare(indev, ipinfo.iniface)))
		return false;
	if (NF_INVF(inv, IPT_INV_VIA_OUT, !ifname_compare(outdev, ipinfo.outiface)))
		return false;
	if (ipinfo.proto && NF_INVF(inv, IPT_INV_PROTO, ip.protocol != ipinfo.proto))
		return false;
	return !NF_INVF(inv, IPT_INV_FRAG, (ipinfo.flags & IPT_F_FRAG) && !isfrag);
}

static bool ip_checkentry(const ipt_ip &ip)
{
	TRACE();
	return !(ip.flags & ~IPT_F_MASK) && !(ip.invflags & ~IPT_INV_MASK);
}

static u32 ipt_error(sk_buff &skb, const xt_action_param &)
{
	TRACE(skb);
	return NF_DROP;
}

static bool unconditional(const xt_entry &e)
{
	TRACE();
	static const ipt_ip uncond;

	return e.matches.empty() && ipt_entry_of(e).ip == uncond;
}

u32 ipt_do_table(void *priv, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb, state.sk);
	const xt_table &table = *static_cast<const xt_table *>(priv);
	const u32 hook = state.hook;
	const iphdr *ip = &ip_hdr(*skb);
	const char *indev = state.in ? state.in->name.c_str() : "";
	const char *outdev = state.out ? state.out->name.c_str() : "";
	u32 verdict = NF_DROP;
	std::size_t stackidx = 0;
	xt_action_param acpar;

	acpar.fragoff = ntohs(ip->frag_off) & IP_OFFSET;
	acpar.thoff = ip_hdrlen(*skb);
	acpar.state = &state;
	assert(table.valid_hooks & 1u << hook);

	local_bh_disable();
	xt_table_info &info = *table.private_;
	std::vector<u32> &jumpstack = info.jumpstack[current.cpu->id];
	u32 at = info.hook_entry[hook];

	do {
		assert(at < info.number);
		ipt_entry &e = ipt_entry_of(*info.entries[at]);
		bool fits = ip_packet_match(*ip, indev, outdev, e.ip, acpar.fragoff != 0);

		for (std::size_t m = 0; fits && m < e.matches.size(); ++m) {
			acpar.match = e.matches[m].match;
			acpar.matchinfo = e.matches[m].data.get();
			fits = acpar.match->match(*skb, acpar);
		}
		if (!fits) {
			++at;
			continue;
		}
		ADD_COUNTER(e.counters, skb->len, 1);

		const xt_entry_target &t = e.target;
		if (!t.target->target) { // the standard target
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
			if (to != at + 1 && !(e.ip.flags & IPT_F_GOTO)) {
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
		ip = &ip_hdr(*skb); // it may have moved
		++at;
	} while (!acpar.hotdrop);
	local_bh_enable();
	return acpar.hotdrop ? NF_DROP : verdict;
}

// not traced: what mark_source_chains of both families does; each has it under the kernel's name
int follow_chains(xt_table_info &newinfo, u32 valid_hooks, u32 numhooks,
                  bool (*is_unconditional)(const xt_entry &e))
{
	const u32 on_the_way = 1u << numhooks;

	for (u32 hook = 0; hook < numhooks; ++hook) {
		u32 pos = newinfo.hook_entry[hook];

		if (!(valid_hooks & 1u << hook))
			continue;
		xt_entry *e = newinfo.entries[pos].get();
		bool at_start = false;

		e->back = pos;
		while (!at_start) {
			const bool standard = e->target.name == XT_STANDARD_TARGET;
			const bool visited = e->comefrom & 1u << hook;

			if (e->comefrom & on_the_way)
				return 0;
			e->comefrom |= 1u << hook | on_the_way;
			if ((standard && e->target.verdict < 0 && is_unconditional(*e)) || visited) {
				u32 oldpos = 0;

				// The chain ends: back to the last jump.
				do {
					e->comefrom ^= on_the_way;
					oldpos = pos;
					pos = e->back;
					e->back = 0;
					if (pos == oldpos) {
						at_start = true;
						break;
					}
					e = newinfo.entries[pos].get();
				} while (oldpos == pos + 1);
				if (at_start)
					break;
				if (pos + 1 >= newinfo.number)
					return 0;
				e = newinfo.entries[pos + 1].get();
				e->back = pos;
				++pos;
			} else {
				u32 newpos = pos + 1;

				if (standard && e->target.verdict >= 0)
					newpos = static_cast<u32>(e->target.verdict);
				if (!xt_find_jump_offset(newpos, newinfo.number))
					return 0;
				e = newinfo.entries[newpos].get();
				e->back = pos;
				pos = newpos;
			}
		}
	}
	return 1;
}

// Which hooks lead to each rule; 0: there is a loop.
static int mark_source_chains(xt_table_info &newinfo, u32 valid_hooks)
{
	TRACE();
	return follow_chains(newinfo, valid_hooks, NF_INET_NUMHOOKS, unconditional);
}

static void cleanup_match(xt_entry_match &m, net &net)
{
	TRACE();
	if (m.match->destroy)
		m.match->destroy({&net, m.match, m.data.get(), NFPROTO_IPV4});
}

static int check_match(xt_entry_match &m, xt_mtchk_param &par, const ipt_ip &ip)
{
	TRACE();
	par.match = m.match;
	par.matchinfo = m.data.get();
	return xt_check_match(par, m.data.size(), ip.proto, ip.invflags & IPT_INV_PROTO);
}

static int find_check_match(xt_entry_match &m, xt_mtchk_param &par, const ipt_ip &ip)
{
	TRACE();
	int err = 0;

	m.match = xt_request_find_match(NFPROTO_IPV4, m.name, m.revision, err);
	return m.match ? check_match(m, par, ip) : err;
}

static int check_target(ipt_entry &e, net &net, const char *name)
{
	TRACE();
	xt_tgchk_param par{.net = &net,
	                   .table = name,
	                   .entryinfo = &e,
	                   .target = e.target.target,
	                   .targinfo = e.target.data.get(),
	                   .hook_mask = e.comefrom,
	                   .family = NFPROTO_IPV4};

	return xt_check_target(par, e.target.data.size(), e.ip.proto, e.ip.invflags & IPT_INV_PROTO);
}

static int find_check_entry(ipt_entry &e, net &net, const char *name)
{
	TRACE();
	xt_mtchk_param mtpar{.net = &net,
	                     .table = name,
	                     .entryinfo = &e.ip,
	                     .match = nullptr,
	                     .matchinfo = nullptr,
	                     .hook_mask = e.comefrom,
	                     .family = NFPROTO_IPV4};
	std::size_t j = 0;
	int ret = 0;

	for (; j < e.matches.size(); ++j) {
		ret = find_check_match(e.matches[j], mtpar, e.ip);
		if (ret)
			break;
	}
	if (!ret) {
		e.target.target = xt_request_find_target(NFPROTO_IPV4, e.target.name, e.target.revision, ret);
		if (e.target.target)
			ret = check_target(e, net, name);
	}
	if (ret)
		while (j-- > 0)
			cleanup_match(e.matches[j], net);
	return ret;
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
	ipt_entry &e = ipt_entry_of(*newinfo.entries[at]);

	if (!ip_checkentry(e.ip))
		return -EINVAL;
	for (u32 h = 0; h < NF_INET_NUMHOOKS; ++h) {
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

static void cleanup_entry(ipt_entry &e, net &net)
{
	TRACE();
	for (xt_entry_match &m : e.matches)
		cleanup_match(m, net);
	if (e.target.target->destroy)
		e.target.target->destroy({&net, e.target.target, e.target.data.get(), NFPROTO_IPV4});
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
		const int ret = find_check_entry(ipt_entry_of(*newinfo.entries[i]), net, repl.name.c_str());

		if (ret) {
			while (i-- > 0)
				cleanup_entry(ipt_entry_of(*newinfo.entries[i]), net);
			return ret;
		}
	}
	return 0;
}

static void get_counters(const xt_table_info &t, std::vector<xt_counters> &counters)
{
	TRACE();
	counters.clear();
	for (const auto &e : t.entries)
		counters.push_back(e->counters);
}

static int __do_replace(net &net, const char *name, u32 valid_hooks, xt_table_info *newinfo, u32 num_counters,
                        std::vector<xt_counters> &counters)
{
	TRACE();
	const xt_table_or_err t = xt_request_find_table_lock(net, NFPROTO_IPV4, name);
	int ret = t.err;

	if (!t.table)
		return ret;
	if (valid_hooks != t.table->valid_hooks)
		return -EINVAL;
	xt_table_info *oldinfo = xt_replace_table(*t.table, num_counters, newinfo, ret);
	if (!oldinfo)
		return ret;
	get_counters(*oldinfo, counters);
	for (const auto &e : oldinfo->entries)
		cleanup_entry(ipt_entry_of(*e), net);
	xt_free_table_info(oldinfo);
	return 0;
}

int do_replace(net &net, xt_replace repl, std::vector<xt_counters> &counters)
{
	TRACE();
	const std::string name = repl.name;
	const u32 valid_hooks = repl.valid_hooks, num_counters = repl.num_counters;
	xt_table_info *newinfo = xt_alloc_table_info();
	int ret = translate_table(net, *newinfo, repl);

	if (!ret) {
		ret = __do_replace(net, name.c_str(), valid_hooks, newinfo, num_counters, counters);
		if (!ret)
			return 0;
		for (const auto &e : newinfo->entries)
			cleanup_entry(ipt_entry_of(*e), net);
	}
	xt_free_table_info(newinfo);
	return ret;
}

int do_add_counters(net &net, const char *name, const std::vector<xt_counters> &counters)
{
	TRACE();
	const xt_table_or_err t = xt_find_table_lock(net, NFPROTO_IPV4, name);

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

static void __ipt_unregister_table(net &net, xt_table &table)
{
	TRACE();
	xt_table_info *info = xt_unregister_table(net, table);

	for (const auto &e : info->entries)
		cleanup_entry(ipt_entry_of(*e), net);
	xt_free_table_info(info);
}

int ipt_register_table(net &net, const xt_table &table, xt_replace repl,
                       const std::vector<nf_hook_ops> *template_ops)
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
			cleanup_entry(ipt_entry_of(*e), net);
		xt_free_table_info(newinfo);
		return t.err;
	}
	if (!template_ops) // the one who asked registers them (NAT)
		return 0;
	t.table->ops = *template_ops;
	for (nf_hook_ops &ops : t.table->ops)
		ops.priv = t.table;
	const int ret =
		nf_register_net_hooks(net, t.table->ops.data(), static_cast<u32>(t.table->ops.size()));
	if (ret)
		__ipt_unregister_table(net, *t.table);
	return ret;
}

void ipt_unregister_table_pre_exit(net &net, const char *name)
{
	TRACE();
	const xt_table *table = xt_find_table(net, NFPROTO_IPV4, name);

	if (table)
		nf_unregister_net_hooks(net, table->ops.data(), static_cast<u32>(table->ops.size()));
}

void ipt_unregister_table_exit(net &net, const char *name)
{
	TRACE();
	if (xt_table *table = xt_find_table(net, NFPROTO_IPV4, name))
		__ipt_unregister_table(net, *table);
}

static constexpr xt_target ipt_builtin_tg[] = {
	{.name = "", .family = NFPROTO_IPV4},
	{.name = "ERROR", .target = ipt_error, .family = NFPROTO_IPV4},
};

int ip_tables_init()
{
	TRACE();
	return xt_register_targets(ipt_builtin_tg, 2);
}

} // namespace skbwalk
