// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/x_tables.c. Matches and targets register here and are found by name and revision, with a
// module loaded where that helps; templates make a namespace's table the first time that it is asked for;
// xt_replace_table puts a new content in place of the old. Left out: 32-bit user space, /proc.
//
// Unlike the kernel, a rule has one counter for all cpus of a host: they run on one thread.
#include "stack/netfilter/x_tables.h"

#include <algorithm>

#include "stack/kernel/kmod.h"
#include "stack/trace/recorder.h"

namespace skbwalk {

namespace {

struct xt_template {
	std::string name;
	int (*table_init)(net &net);
};
struct xt_af {
	std::vector<const xt_match *> match;
	std::vector<const xt_target *> target;
	std::vector<xt_template> templates;
};
perhost<std::array<xt_af, NFPROTO_NUMPROTO>> xt;

using xt_pernet = std::array<std::vector<std::unique_ptr<xt_table>>, NFPROTO_NUMPROTO>;

const char *xt_prefix(u8 af)
{
	switch (af) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_BRIDGE:
		return "eb";
	case NFPROTO_IPV6:
		return "ip6";
	}
	return "x";
}

// Of each kind: by name and revision, the family's own first, then those of all families.
template <class T>
const T *find_in(std::vector<const T *> xt_af::*list, u8 af, const std::string &name, u8 revision, int &err)
{
	err = -ENOENT;
	for (const u8 family : {af, NFPROTO_UNSPEC})
		for (const T *t : (*xt)[family].*list) {
			if (t->name != name)
				continue;
			if (t->revision == revision) {
				err = 0;
				return t;
			}
			err = -EPROTOTYPE;
		}
	return nullptr;
}

} // namespace

static int xt_net_init(net &net);
static void xt_net_exit(net &net);
static const pernet_operations xt_net_ops{"x_tables", xt_net_init, xt_net_exit};

namespace {

xt_pernet &tables_of(net &net) { return *static_cast<xt_pernet *>(net_generic(net, xt_net_ops).get()); }

} // namespace

int xt_register_target(const xt_target &target)
{
	TRACE();
	auto &list = (*xt)[target.family].target;

	list.insert(list.begin(), &target);
	return 0;
}

int xt_register_targets(const xt_target *target, u32 n)
{
	TRACE();
	for (u32 i = 0; i < n; ++i)
		if (const int err = xt_register_target(target[i]))
			return err;
	return 0;
}

int xt_register_match(const xt_match &match)
{
	TRACE();
	auto &list = (*xt)[match.family].match;

	list.insert(list.begin(), &match);
	return 0;
}

int xt_register_matches(const xt_match *match, u32 n)
{
	TRACE();
	for (u32 i = 0; i < n; ++i)
		if (const int err = xt_register_match(match[i]))
			return err;
	return 0;
}

const xt_match *xt_find_match(u8 af, const std::string &name, u8 revision, int &err)
{
	TRACE();
	return find_in(&xt_af::match, af, name, revision, err);
}

const xt_match *xt_request_find_match(u8 af, const std::string &name, u8 revision, int &err)
{
	TRACE();
	const xt_match *match = xt_find_match(af, name, revision, err);

	if (!match) {
		request_module(std::string(xt_prefix(af)) + "t_" + name);
		match = xt_find_match(af, name, revision, err);
	}
	return match;
}

static const xt_target *xt_find_target(u8 af, const std::string &name, u8 revision, int &err)
{
	TRACE();
	return find_in(&xt_af::target, af, name, revision, err);
}

const xt_target *xt_request_find_target(u8 af, const std::string &name, u8 revision, int &err)
{
	TRACE();
	const xt_target *target = xt_find_target(af, name, revision, err);

	if (!target) {
		request_module(std::string(xt_prefix(af)) + "t_" + name);
		target = xt_find_target(af, name, revision, err);
	}
	return target;
}

int xt_check_match(xt_mtchk_param &par, std::size_t size, u16 proto, bool inv_proto)
{
	TRACE();
	const xt_match &m = *par.match;

	if (m.matchsize != size)
		return -EINVAL;
	if (m.table && std::string_view{m.table} != par.table)
		return -EINVAL;
	if (par.family == NFPROTO_ARP && m.family != NFPROTO_ARP)
		return -EINVAL;
	if (m.hooks && (par.hook_mask & ~m.hooks))
		return -EINVAL;
	if (m.proto && (m.proto != proto || inv_proto))
		return -EINVAL;
	if (m.checkentry) {
		const int ret = m.checkentry(par);

		if (ret)
			return ret < 0 ? ret : -EIO;
	}
	return 0;
}

int xt_check_target(xt_tgchk_param &par, std::size_t size, u16 proto, bool inv_proto)
{
	TRACE();
	const xt_target &t = *par.target;

	if (t.targetsize != size)
		return -EINVAL;
	if (t.table && std::string_view{t.table} != par.table)
		return -EINVAL;
	if (par.family == NFPROTO_ARP && t.family != NFPROTO_ARP && t.family != NFPROTO_UNSPEC)
		return -EINVAL;
	if (t.hooks && (par.hook_mask & ~t.hooks))
		return -EINVAL;
	if (t.proto && (t.proto != proto || inv_proto))
		return -EINVAL;
	if (t.checkentry) {
		const int ret = t.checkentry(par);

		if (ret)
			return ret < 0 ? ret : -EIO;
	}
	return 0;
}

// Every hook has a first rule and a policy, and they come in order.
int xt_check_table_hooks(const xt_table_info &info, u32 valid_hooks)
{
	TRACE();
	u32 max_entry = 0, max_uflow = 0;
	bool check_hooks = false;

	for (u32 i = 0; i < NF_INET_NUMHOOKS; ++i) {
		if (!(valid_hooks & 1u << i))
			continue;
		if (info.hook_entry[i] == XT_NO_ENTRY || info.underflow[i] == XT_NO_ENTRY)
			return -EINVAL;
		if (check_hooks) {
			if (max_uflow >= info.underflow[i] || max_entry >= info.hook_entry[i])
				return -EINVAL;
		}
		max_entry = info.hook_entry[i];
		max_uflow = info.underflow[i];
		check_hooks = true;
	}
	return 0;
}

bool xt_find_jump_offset(u32 target, u32 size)
{
	TRACE();
	return target < size;
}

xt_table_info *xt_alloc_table_info()
{
	TRACE();
	return new xt_table_info;
}

void xt_free_table_info(xt_table_info *info)
{
	TRACE();
	delete info;
}

xt_table *xt_find_table(net &net, u8 af, const char *name)
{
	TRACE();
	for (const auto &t : tables_of(net)[af])
		if (t->name == name)
			return t.get();
	return nullptr;
}

xt_table_or_err xt_find_table_lock(net &net, u8 af, const char *name)
{
	TRACE();
	if (xt_table *t = xt_find_table(net, af, name))
		return {t, 0};
	for (const xt_template &tmpl : (*xt)[af].templates)
		if (tmpl.name == name) {
			if (const int err = tmpl.table_init(net))
				return {nullptr, err};
			return {xt_find_table(net, af, name), 0};
		}
	return {nullptr, -ENOENT};
}

xt_table_or_err xt_request_find_table_lock(net &net, u8 af, const char *name)
{
	TRACE();
	xt_table_or_err t = xt_find_table_lock(net, af, name);

	if (!t.table) {
		if (const int err = request_module(std::string(xt_prefix(af)) + "table_" + name))
			return {nullptr, err};
		t = xt_find_table_lock(net, af, name);
	}
	return t;
}

// Room for two walks of chains on each cpu: a target may send a copy through the same table.
static int xt_jumpstack_alloc(xt_table_info &i)
{
	TRACE();
	i.jumpstack.assign(current.host->cpus.size(), std::vector<u32>(std::size_t{i.stacksize} * 2));
	return 0;
}

xt_table_info *xt_replace_table(xt_table &table, u32 num_counters, xt_table_info *newinfo, int &err)
{
	TRACE();
	err = xt_jumpstack_alloc(*newinfo);
	if (err < 0)
		return nullptr;
	local_bh_disable();
	xt_table_info *old = table.private_;

	if (num_counters != old->number) {
		local_bh_enable();
		err = -EAGAIN;
		return nullptr;
	}
	newinfo->initial_entries = old->initial_entries;
	table.private_ = newinfo;
	local_bh_enable();
	return old;
}

xt_table_or_err xt_register_table(net &net, const xt_table &input_table, xt_table_info &bootstrap,
                                  xt_table_info *newinfo)
{
	TRACE();
	auto &list = tables_of(net)[input_table.af];
	auto table = std::make_unique<xt_table>(input_table);
	int ret = 0;

	if (xt_find_table(net, table->af, table->name.c_str()))
		return {nullptr, -EEXIST};
	table->private_ = &bootstrap;
	if (!xt_replace_table(*table, 0, newinfo, ret))
		return {nullptr, ret};
	table->private_->initial_entries = table->private_->number;
	list.insert(list.begin(), std::move(table));
	return {list.front().get(), 0};
}

xt_table_info *xt_unregister_table(net &net, xt_table &table)
{
	TRACE();
	auto &list = tables_of(net)[table.af];
	xt_table_info *info = table.private_;

	std::erase_if(list, [&table](const auto &t) { return t.get() == &table; });
	return info;
}

int xt_register_template(const xt_table &table, int (*table_init)(net &net))
{
	TRACE();
	(*xt)[table.af].templates.push_back({table.name, table_init});
	return 0;
}

std::vector<nf_hook_ops> xt_hook_ops_alloc(const xt_table &table, nf_hookfn fn)
{
	TRACE();
	std::vector<nf_hook_ops> ops;

	for (u32 hooknum = 0; hooknum < NF_INET_NUMHOOKS; ++hooknum)
		if (table.valid_hooks & 1u << hooknum)
			ops.push_back({.hook = fn,
			               .dev = nullptr,
			               .priv = nullptr,
			               .pf = table.af,
			               .hooknum = hooknum,
			               .priority = table.priority});
	return ops;
}

xt_replace xt_alloc_initial_table(const xt_table &table, std::unique_ptr<xt_entry> (*make)())
{
	TRACE();
	xt_replace repl;

	repl.name = table.name;
	repl.valid_hooks = table.valid_hooks;
	for (u32 i = 0; i < NF_INET_NUMHOOKS; ++i) {
		if (!(table.valid_hooks & 1u << i))
			continue;
		repl.hook_entry[i] = repl.underflow[i] = static_cast<u32>(repl.entries.size());
		repl.entries.push_back(make());
		repl.entries.back()->target.name = XT_STANDARD_TARGET;
		repl.entries.back()->target.verdict = -static_cast<int>(NF_ACCEPT) - 1;
	}
	repl.entries.push_back(make());
	repl.entries.back()->target.name = XT_ERROR_TARGET;
	repl.entries.back()->target.errorname = "ERROR";
	return repl;
}

// not traced: a loop over words in the kernel's header
bool ifname_compare(const char *name, const std::string &want)
{
	const std::string_view have{name};

	if (want.empty())
		return true;
	if (want.back() == '+')
		return have.starts_with(std::string_view{want}.substr(0, want.size() - 1));
	return have == want;
}

// not traced: it writes to the record itself
void note_verdict(const xt_entry &e, u32 verdict, const sk_buff *skb)
{
	if (__builtin_expect(!trace::armed, 1) || e.note.empty())
		return;
	const char *word = nullptr;

	switch (verdict & NF_VERDICT_MASK) {
	case NF_DROP:
		word = "DROP: ";
		break;
	case NF_ACCEPT:
		word = "ACCEPT: ";
		break;
	default:
		return;
	}
	trace::note(word + e.note, {.skb = skb});
}

static int xt_net_init(net &net)
{
	TRACE();
	net_generic(net, xt_net_ops) = std::make_shared<xt_pernet>();
	return 0;
}

static void xt_net_exit(net &net)
{
	TRACE();
	for ([[maybe_unused]] const auto &list : tables_of(net))
		assert(list.empty());
	net_generic(net, xt_net_ops).reset();
}

int xt_init()
{
	TRACE();
	register_pernet_subsys(xt_net_ops);
	return 0;
}

} // namespace skbwalk
