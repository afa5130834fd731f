// SPDX-License-Identifier: GPL-2.0-only
//
// Network namespaces (net/core/net_namespace.c): devices, counters, and what each protocol keeps per
// namespace. Rooms above register pernet_operations, as in the kernel, and find their part in a typed member
// or in a slot of gen.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stack/core/netns_ipv4.h"
#include "stack/core/snmp.h"
#include "stack/kernel/list.h"
#include "stack/kernel/percpu.h"
#include "stack/kernel/refcount.h"

namespace skbwalk {

struct net_device;
struct host;

// Numbers of policies by direction, as far as they are kept without any (include/net/netns/xfrm.h).
struct netns_xfrm {
	std::array<u32, 6> policy_count{};
	std::array<u8, 3> policy_default{1, 1, 1}; // XFRM_USERPOLICY_ACCEPT
};

// Who looks at packets on their way, by hook (include/net/netns/netfilter.h). Null: nobody.
struct nf_hook_entries;
struct netns_nf {
	std::array<nf_hook_entries *, 5> hooks_ipv4{};
	std::array<nf_hook_entries *, 5> hooks_ipv6{};
	std::array<nf_hook_entries *, 3> hooks_arp{};
	std::array<nf_hook_entries *, 5> hooks_bridge{};
	u32 defrag_ipv4_users = 0;
};
struct netns_ct; // connection tracking's part (include/net/netns/conntrack.h), where it is loaded

struct net {
	net() = default;
	~net();
	net(const net &) = delete;
	net &operator=(const net &) = delete;

	host *on = nullptr;
	std::string name; // "" for the initial one, else what `ip netns add` gave
	refcount_t count;
	u32 hash_mix = 0;
	u32 ns_inum = 0;
	std::vector<net_device *> dev_list; // in order of registration
	int ifindex = 0;                    // last one given out
	net_device *loopback_dev = nullptr;
	u32 dev_base_seq = 0;
	netns_mib mib;
	netns_ipv4 ipv4;
	netns_core core;
	netns_xfrm xfrm;
	netns_nf nf;
	std::shared_ptr<netns_ct> ct;
	std::vector<std::shared_ptr<void>> gen; // net_generic
};

struct pernet_operations {
	const char *name;
	int (*init)(net &net);
	void (*exit)(net &net);
};
// Runs init for the existing namespaces of the current host and for each to come; exit in reverse order.
void register_pernet_subsys(const pernet_operations &ops);
// The same for operations on devices: init runs after those of all subsystems, exit before.
void register_pernet_device(const pernet_operations &ops);
// What those operations keep in the namespace: null until their init fills it.
std::shared_ptr<void> &net_generic(net &net, const pernet_operations &ops);
net &copy_net_ns(const std::string &name); // makes one; the host owns it
void cleanup_net(net &net);                // its last user is gone
// All namespaces of the current host end, the initial one last. The world calls it when no task is left and
// before the host goes, while packets and timers still work.
void end_namespaces();
net &init_net();                                  // of the current host
net *get_net_ns_by_name(const std::string &name); // null when there is none
std::vector<net *> all_nets(host &h);
inline net &get_net(net &n)
{
	refcount_inc(n.count);
	return n;
}
void put_net(net &net); // header inline: at zero, __put_net
inline bool net_eq(const net &a, const net &b) { return &a == &b; }
inline u32 net_hash_mix(const net &net) { return net.hash_mix; }

// --- counters; inline in the kernel, so without a name in a trace ---
inline void NET_INC_STATS(net &net, linux_mib_item i) { ++net.mib.net_statistics[i]; }
inline void __NET_INC_STATS(net &net, linux_mib_item i) { ++net.mib.net_statistics[i]; }
inline void NET_ADD_STATS(net &net, linux_mib_item i, u64 n) { net.mib.net_statistics[i] += n; }
inline void TCP_INC_STATS(net &net, tcp_mib_item i) { ++net.mib.tcp_statistics[i]; }
inline void __TCP_INC_STATS(net &net, tcp_mib_item i) { ++net.mib.tcp_statistics[i]; }
inline void TCP_DEC_STATS(net &net, tcp_mib_item i) { --net.mib.tcp_statistics[i]; }
inline void TCP_ADD_STATS(net &net, tcp_mib_item i, u64 n) { net.mib.tcp_statistics[i] += n; }
inline void IP_INC_STATS(net &net, ipstats_mib_item i) { ++net.mib.ip_statistics[i]; }
inline void __IP_INC_STATS(net &net, ipstats_mib_item i) { ++net.mib.ip_statistics[i]; }
inline void IP_ADD_STATS(net &net, ipstats_mib_item i, u64 n) { net.mib.ip_statistics[i] += n; }
// Packets and octets together (IPSTATS_MIB_OUT, IPSTATS_MIB_IN).
inline void IP_UPD_PO_STATS(net &net, ipstats_mib_item packets, ipstats_mib_item octets, u64 len)
{
	++net.mib.ip_statistics[packets];
	net.mib.ip_statistics[octets] += len;
}
inline void ICMP_INC_STATS(net &net, icmp_mib_item i) { ++net.mib.icmp_statistics[i]; }
inline void UDP_INC_STATS(net &net, udp_mib_item i) { ++net.mib.udp_statistics[i]; }

} // namespace skbwalk
