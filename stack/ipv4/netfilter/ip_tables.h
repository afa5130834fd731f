// SPDX-License-Identifier: GPL-2.0-only
//
// Tables of IPv4 and ARP rules (uapi/linux/netfilter_ipv4/ip_tables.h, netfilter_arp/arp_tables.h).
#pragma once

#include "stack/netfilter/x_tables.h"
#include "stack/wire/headers.h"

namespace skbwalk {

constexpr u8 IPT_F_FRAG = 1, IPT_F_GOTO = 2, IPT_F_MASK = 3;
constexpr u8 IPT_INV_VIA_IN = 0x01, IPT_INV_VIA_OUT = 0x02, IPT_INV_TOS = 0x04, IPT_INV_SRCIP = 0x08,
	     IPT_INV_DSTIP = 0x10, IPT_INV_FRAG = 0x20, IPT_INV_PROTO = 0x40, IPT_INV_MASK = 0x7f;

// Names of devices are as people write them: empty is any, `+` at the end leaves the rest open.
struct ipt_ip {
	be32 src{}, dst{};
	be32 smsk{}, dmsk{};
	std::string iniface, outiface;
	u16 proto = 0;
	u8 flags = 0;
	u8 invflags = 0;
	friend bool operator==(const ipt_ip &, const ipt_ip &) = default;
};
struct ipt_entry : xt_entry {
	ipt_ip ip;
};
inline ipt_entry &ipt_entry_of(xt_entry &e) { return static_cast<ipt_entry &>(e); }
inline const ipt_entry &ipt_entry_of(const xt_entry &e) { return static_cast<const ipt_entry &>(e); }
std::unique_ptr<xt_entry> make_ipt_entry();

u32 ipt_do_table(void *priv, skb_ptr &skb, const nf_hook_state &state);
int ipt_register_table(net &net, const xt_table &table, xt_replace repl,
                       const std::vector<nf_hook_ops> *template_ops);
void ipt_unregister_table_pre_exit(net &net, const char *name);
void ipt_unregister_table_exit(net &net, const char *name);
xt_replace ipt_alloc_initial_table(const xt_table &info);
int ip_tables_init();
// The door of user space (setsockopt IPT_SO_SET_REPLACE, IPT_SO_SET_ADD_COUNTERS; getsockopt
// IPT_SO_GET_ENTRIES). What a table had counted before it was replaced comes back in `counters`.
int do_replace(net &net, xt_replace repl, std::vector<xt_counters> &counters);
int do_add_counters(net &net, const char *name, const std::vector<xt_counters> &counters);

// --- ARP ---
constexpr u16 ARPT_INV_VIA_IN = 0x0001, ARPT_INV_VIA_OUT = 0x0002, ARPT_INV_SRCIP = 0x0004,
	      ARPT_INV_TGTIP = 0x0008, ARPT_INV_SRCDEVADDR = 0x0010, ARPT_INV_TGTDEVADDR = 0x0020,
	      ARPT_INV_ARPOP = 0x0040, ARPT_INV_ARPHRD = 0x0080, ARPT_INV_ARPPRO = 0x0100,
	      ARPT_INV_ARPHLN = 0x0200, ARPT_INV_MASK = 0x03FF;
struct arpt_devaddr_info {
	mac_addr addr{};
	mac_addr mask{};
	friend bool operator==(const arpt_devaddr_info &, const arpt_devaddr_info &) = default;
};
struct arpt_arp {
	be32 src{}, tgt{};
	be32 smsk{}, tmsk{};
	u8 arhln = 0, arhln_mask = 0;
	arpt_devaddr_info src_devaddr, tgt_devaddr;
	u16 arpop = 0, arpop_mask = 0;
	u16 arhrd = 0, arhrd_mask = 0;
	u16 arpro = 0, arpro_mask = 0;
	std::string iniface, outiface;
	u16 invflags = 0;
	friend bool operator==(const arpt_arp &, const arpt_arp &) = default;
};
struct arpt_entry : xt_entry {
	arpt_arp arp;
};
inline arpt_entry &arpt_entry_of(xt_entry &e) { return static_cast<arpt_entry &>(e); }
inline const arpt_entry &arpt_entry_of(const xt_entry &e) { return static_cast<const arpt_entry &>(e); }
std::unique_ptr<xt_entry> make_arpt_entry();

u32 arpt_do_table(void *priv, skb_ptr &skb, const nf_hook_state &state);
int arpt_register_table(net &net, const xt_table &table, xt_replace repl,
                        const std::vector<nf_hook_ops> &template_ops);
void arpt_unregister_table_pre_exit(net &net, const char *name);
void arpt_unregister_table(net &net, const char *name);
xt_replace arpt_alloc_initial_table(const xt_table &info);
int arp_tables_init();
int arpt_do_replace(net &net, xt_replace repl, std::vector<xt_counters> &counters);
int arpt_do_add_counters(net &net, const char *name, const std::vector<xt_counters> &counters);

// Following chains is the same for both families; a bit of comefrom beyond the hooks says "on the way".
int follow_chains(xt_table_info &newinfo, u32 valid_hooks, u32 numhooks,
                  bool (*unconditional)(const xt_entry &e));

// --- modules ---
int iptable_filter_init();
int iptable_mangle_init();
int iptable_raw_init();
int iptable_nat_init();
int arptable_filter_init();
int reject_tg_init();
int nf_defrag_init();
// What this kernel has of netfilter, for modprobe and request_module.
void provide_netfilter_modules();

} // namespace skbwalk
