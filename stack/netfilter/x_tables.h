// SPDX-License-Identifier: GPL-2.0-only
//
// Tables of rules (include/linux/netfilter/x_tables.h, uapi/linux/netfilter/x_tables.h): what ip_tables and
// arp_tables have in common. A rule has matches, each with its data, and one target. Standard targets hold a
// verdict or the number of the rule to go on at; the others are functions that modules register.
//
// Unlike the kernel, which keeps a table as one piece of memory and walks it by byte offsets, entries are
// objects, and where the kernel has an offset we have an entry's number.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stack/netfilter/netfilter.h"

namespace skbwalk {

constexpr std::size_t XT_FUNCTION_MAXNAMELEN = 30, XT_TABLE_MAXNAMELEN = 32, NFPROTO_NUMPROTO = 13;
constexpr u32 NF_INET_NUMHOOKS = 5, NF_ARP_NUMHOOKS = 3;
constexpr u32 XT_CONTINUE = 0xFFFFFFFF;
constexpr int XT_RETURN = -static_cast<int>(NF_REPEAT) - 1;
constexpr u32 XT_INV_PROTO = 0x40;
inline constexpr const char *XT_STANDARD_TARGET = "", *XT_ERROR_TARGET = "ERROR";

struct xt_counters {
	u64 pcnt = 0;
	u64 bcnt = 0;
};

// What user space gave to a match or a target: the bytes of one struct, which the module names.
class xt_data {
public:
	xt_data() = default;
	template <class T> explicit xt_data(const T &t) : words_((sizeof(T) + 7) / 8), size_(sizeof(T))
	{
		static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 8);
		std::memcpy(words_.data(), &t, sizeof(T));
	}
	[[nodiscard]] std::size_t size() const { return size_; }
	[[nodiscard]] void *get() { return words_.data(); }
	[[nodiscard]] const void *get() const { return words_.data(); }
	template <class T> [[nodiscard]] const T &as() const
	{
		assert(size_ == sizeof(T));
		return *static_cast<const T *>(get());
	}
	friend bool operator==(const xt_data &, const xt_data &) = default;

private:
	std::vector<u64> words_;
	std::size_t size_ = 0;
};

struct xt_match;
struct xt_target;
struct xt_action_param {
	const xt_match *match = nullptr;
	const xt_target *target = nullptr;
	void *matchinfo = nullptr;
	const void *targinfo = nullptr;
	const nf_hook_state *state = nullptr;
	u32 thoff = 0;
	u16 fragoff = 0;
	bool hotdrop = false;
};
inline net &xt_net(const xt_action_param &par) { return *par.state->net; }
inline net_device *xt_in(const xt_action_param &par) { return par.state->in; }
inline net_device *xt_out(const xt_action_param &par) { return par.state->out; }
inline u32 xt_hooknum(const xt_action_param &par) { return par.state->hook; }
inline u8 xt_family(const xt_action_param &par) { return par.state->pf; }

struct xt_mtchk_param {
	skbwalk::net *net;
	const char *table;
	const void *entryinfo; // ipt_ip
	const xt_match *match;
	void *matchinfo;
	u32 hook_mask;
	u8 family;
};
struct xt_mtdtor_param {
	skbwalk::net *net;
	const xt_match *match;
	void *matchinfo;
	u8 family;
};
struct xt_tgchk_param {
	skbwalk::net *net;
	const char *table;
	const void *entryinfo; // ipt_entry
	const xt_target *target;
	void *targinfo;
	u32 hook_mask;
	u8 family;
};
struct xt_tgdtor_param {
	skbwalk::net *net;
	const xt_target *target;
	void *targinfo;
	u8 family;
};

struct xt_match {
	const char *name;
	u8 revision;
	bool (*match)(const sk_buff &skb, xt_action_param &par);
	int (*checkentry)(const xt_mtchk_param &par);
	void (*destroy)(const xt_mtdtor_param &par);
	const char *table;
	std::size_t matchsize;
	u32 hooks; // 0: any
	u16 proto; // 0: any
	u8 family;
};
struct xt_target {
	const char *name;
	u8 revision;
	u32 (*target)(sk_buff &skb, const xt_action_param &par); // null: the standard target
	int (*checkentry)(const xt_tgchk_param &par);
	void (*destroy)(const xt_tgdtor_param &par);
	const char *table;
	std::size_t targetsize;
	u32 hooks;
	u16 proto;
	u8 family;
};
// They are registered with the current host and outlive it.
int xt_register_target(const xt_target &target);
int xt_register_targets(const xt_target *target, u32 n);
int xt_register_match(const xt_match &match);
int xt_register_matches(const xt_match *match, u32 n);

struct xt_entry_match {
	std::string name;
	u8 revision = 0;
	xt_data data;
	const xt_match *match = nullptr; // found when the table is put in place
};
struct xt_entry_target {
	std::string name;
	u8 revision = 0;
	int verdict = 0;       // of the standard target: the number of an entry, or below zero -VERDICT - 1
	std::string errorname; // of the error target: the head of a user's chain has its name here
	xt_data data;
	const xt_target *target = nullptr;
};
// What rules of all families have. `note` is how the trace names the rule.
struct xt_entry {
	xt_entry() = default;
	xt_entry(const xt_entry &) = default;
	xt_entry &operator=(const xt_entry &) = default;
	virtual ~xt_entry() = default;
	u32 comefrom = 0; // mask of the hooks that it can be reached from
	bool goto_flag = false;
	u32 back = 0; // while chains are followed
	xt_counters counters;
	std::vector<xt_entry_match> matches;
	xt_entry_target target;
	std::string note;
};
using xt_entries = std::vector<std::unique_ptr<xt_entry>>;

constexpr u32 XT_NO_ENTRY = 0xFFFFFFFF;
struct xt_table_info {
	u32 number = 0;
	u32 initial_entries = 0;
	std::array<u32, NF_INET_NUMHOOKS> hook_entry{};
	std::array<u32, NF_INET_NUMHOOKS> underflow{};
	u32 stacksize = 0;                       // chains of users: as deep as jumps can be
	std::vector<std::vector<u32>> jumpstack; // by cpu
	xt_entries entries;
};
struct xt_table {
	std::string name;
	u32 valid_hooks = 0;
	u8 af = 0;
	int priority = 0;
	xt_table_info *private_ = nullptr;
	std::vector<nf_hook_ops> ops;
};
// A new content for a table, as user space gives it.
struct xt_replace {
	std::string name;
	u32 valid_hooks = 0;
	std::array<u32, NF_INET_NUMHOOKS> hook_entry{};
	std::array<u32, NF_INET_NUMHOOKS> underflow{};
	u32 num_counters = 0; // entries of the table that this is meant to replace
	xt_entries entries;
};

struct xt_table_or_err {
	xt_table *table = nullptr;
	int err = 0;
};
xt_table *xt_find_table(net &net, u8 af, const char *name);
xt_table_or_err xt_find_table_lock(net &net, u8 af, const char *name);
xt_table_or_err xt_request_find_table_lock(net &net, u8 af, const char *name);
// In place of the old content, which the caller frees. Null with err: not replaced.
xt_table_info *xt_replace_table(xt_table &table, u32 num_counters, xt_table_info *newinfo, int &err);
xt_table_or_err xt_register_table(net &net, const xt_table &table, xt_table_info &bootstrap,
                                  xt_table_info *newinfo);
xt_table_info *xt_unregister_table(net &net, xt_table &table); // the caller frees
int xt_register_template(const xt_table &table, int (*table_init)(net &net));
std::vector<nf_hook_ops> xt_hook_ops_alloc(const xt_table &table, nf_hookfn fn);
xt_table_info *xt_alloc_table_info();
void xt_free_table_info(xt_table_info *info);
// What an empty table of these hooks holds; `make` gives an entry of the family.
xt_replace xt_alloc_initial_table(const xt_table &table, std::unique_ptr<xt_entry> (*make)());

const xt_match *xt_find_match(u8 af, const std::string &name, u8 revision, int &err);
const xt_match *xt_request_find_match(u8 af, const std::string &name, u8 revision, int &err);
const xt_target *xt_request_find_target(u8 af, const std::string &name, u8 revision, int &err);
int xt_check_match(xt_mtchk_param &par, std::size_t size, u16 proto, bool inv_proto);
int xt_check_target(xt_tgchk_param &par, std::size_t size, u16 proto, bool inv_proto);
int xt_check_table_hooks(const xt_table_info &info, u32 valid_hooks);
bool xt_find_jump_offset(u32 target, u32 size);

inline void ADD_COUNTER(xt_counters &c, u64 b, u64 p)
{
	c.bcnt += b;
	c.pcnt += p;
}
// Does the name fit: an empty `want` is any, and a `+` at its end leaves the rest open.
bool ifname_compare(const char *name, const std::string &want);

int xt_init();
// The rule that had the last word about a packet, for the trace: costs a branch while nothing records.
void note_verdict(const xt_entry &e, u32 verdict, const sk_buff *skb);

} // namespace skbwalk
