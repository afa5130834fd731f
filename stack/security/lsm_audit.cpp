// SPDX-License-Identifier: GPL-2.0-only
//
// security/lsm_audit.c: a line for the audit log. Who did it, what the decision was about (addresses and
// ports, the interface), between what the module itself has to say. Left out: all that is not of the network,
// and the way to auditd: lines stay with their host.
#include "stack/security/lsm_audit.h"

#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

namespace {

perhost<std::vector<std::string>> lines;

std::string dotted(be32 a)
{
	return std::to_string(a.b[0]) + "." + std::to_string(a.b[1]) + "." + std::to_string(a.b[2]) + "." +
	       std::to_string(a.b[3]);
}

} // namespace

static void print_ipv4_addr(audit_buffer &ab, be32 addr, be16 port, const char *name1, const char *name2)
{
	TRACE_INLINE();
	if (addr)
		ab.text += std::string(" ") + name1 + "=" + dotted(addr);
	if (port)
		ab.text += std::string(" ") + name2 + "=" + std::to_string(ntohs(port));
}

static void dump_common_audit_data(audit_buffer &ab, const common_audit_data &a)
{
	TRACE();
	const task_struct *task = current.task;

	ab.text += " pid=" + std::to_string(task ? task->pid : 0) + " comm=\"" +
	           (task ? task->comm : "swapper/" + std::to_string(current.cpu->id)) + "\"";
	if (a.type == LSM_AUDIT_DATA_CAP)
		ab.text += " capability=" + std::to_string(a.cap);
	if (a.type != LSM_AUDIT_DATA_NET)
		return;
	if (const sock *sk = a.net->sk; sk && (sk->sk_family == AF_INET || sk->sk_family == AF_INET6)) {
		print_ipv4_addr(ab, sk->sk_rcv_saddr, htons(sk->skc_num), "laddr", "lport");
		print_ipv4_addr(ab, sk->sk_daddr, sk->skc_dport, "faddr", "fport");
	}
	print_ipv4_addr(ab, a.net->v4info.saddr, a.net->sport, "saddr", "src");
	print_ipv4_addr(ab, a.net->v4info.daddr, a.net->dport, "daddr", "dest");
	if (a.net->netif > 0)
		if (const net_device *dev = dev_get_by_index_rcu(init_net(), a.net->netif))
			ab.text += " netif=" + dev->name;
}

void common_lsm_audit(const common_audit_data &a, void (*pre)(audit_buffer &ab, const common_audit_data &a),
                      void (*post)(audit_buffer &ab, const common_audit_data &a))
{
	TRACE();
	audit_buffer ab;

	if (pre)
		pre(ab, a);
	dump_common_audit_data(ab, a);
	if (post)
		post(ab, a);
	lines->push_back(std::move(ab.text));
}

// not traced: for looking at state from outside
const std::vector<std::string> &audit_log(host &h) { return lines.of(h); }

} // namespace skbwalk
