// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_proto.c: the four hooks of connection tracking, registered in a namespace while
// someone there needs them (a rule that asks for a connection's state, or NAT), and the table of protocols.
// Left out: IPv6, bridges of their own.
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "stack/core/netdevice.h"
#include "stack/core/sock.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/netfilter/nf_conntrack_private.h"
#include "stack/netfilter/nf_log.h"
#include "stack/netfilter/nf_sockopt.h"

namespace skbwalk {

namespace {

constexpr int SO_ORIGINAL_DST = 80;
perhost<nf_sockopt_ops> so_getorigdst;

} // namespace

void nf_l4proto_log_invalid(const sk_buff &skb, const nf_hook_state &state, u8 protonum, const char *fmt, ...)
{
	TRACE(skb);
	const u8 wanted = state.net->ct->sysctl_log_invalid;

	if (wanted != protonum && wanted != IPPROTO_RAW)
		return;
	char msg[NF_LOG_PREFIXLEN];
	va_list args;

	va_start(args, fmt);
	std::vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	nf_log_packet(*state.net, state.pf, 0, skb, state.in, state.out, nullptr, "nf_ct_proto_%d: %s ",
	              protonum, msg);
}

void nf_ct_l4proto_log_invalid(const sk_buff &skb, const nf_conn &ct, const nf_hook_state &state,
                               const char *fmt, ...)
{
	TRACE(skb);
	if (nf_ct_net(ct).ct->sysctl_log_invalid == 0)
		return;
	char msg[NF_LOG_PREFIXLEN];
	va_list args;

	va_start(args, fmt);
	std::vsnprintf(msg, sizeof(msg), fmt, args);
	va_end(args);
	nf_l4proto_log_invalid(skb, state, nf_ct_protonum(ct), "%s", msg);
}

const nf_conntrack_l4proto &nf_ct_l4proto_find(u8 l4proto)
{
	TRACE();
	switch (l4proto) {
	case IPPROTO_UDP:
		return nf_conntrack_l4proto_udp;
	case IPPROTO_TCP:
		return nf_conntrack_l4proto_tcp;
	case IPPROTO_ICMP:
		return nf_conntrack_l4proto_icmp;
	}
	return nf_conntrack_l4proto_generic;
}

u32 nf_confirm(sk_buff &skb, u32 protoff, nf_conn &ct, ip_conntrack_info ctinfo)
{
	TRACE(skb);
	const nf_conn_help *help = nfct_help(ct);

	if (help && help->helper) {
		const u32 ret = help->helper->help(skb, protoff, ct, ctinfo);

		if (ret != NF_ACCEPT)
			return ret;
	}
	return nf_conntrack_confirm(skb);
}

static u32 ipv4_confirm(void *, skb_ptr &skb, const nf_hook_state &)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	nf_conn *ct = nf_ct_get(*skb, ctinfo);

	if (!ct || ctinfo == IP_CT_RELATED_REPLY || current.host->features.nat_helper_hooks)
		return nf_conntrack_confirm(*skb);
	return nf_confirm(*skb, static_cast<u32>(skb_network_offset(*skb)) + ip_hdrlen(*skb), *ct, ctinfo);
}

// D4: the helper's call was a hook of its own, before confirm.
static u32 ipv4_helper(void *, skb_ptr &skb, const nf_hook_state &)
{
	TRACE(skb);
	ip_conntrack_info ctinfo;
	nf_conn *ct = nf_ct_get(*skb, ctinfo);

	if (!ct || ctinfo == IP_CT_RELATED_REPLY)
		return NF_ACCEPT;
	const nf_conn_help *help = nfct_help(*ct);
	if (!help || !help->helper)
		return NF_ACCEPT;
	return help->helper->help(*skb, static_cast<u32>(skb_network_offset(*skb)) + ip_hdrlen(*skb), *ct,
	                          ctinfo);
}

static u32 ipv4_conntrack_in(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	return nf_conntrack_in(*skb, state);
}

static u32 ipv4_conntrack_local(void *, skb_ptr &skb, const nf_hook_state &state)
{
	TRACE(skb);
	if (ntohs(ip_hdr(*skb).frag_off) & (IP_MF | IP_OFFSET)) // a socket with IP_NODEFRAG
		return NF_ACCEPT;
	return nf_conntrack_in(*skb, state);
}

static const nf_hook_ops ipv4_conntrack_ops[] = {
	{.hook = ipv4_conntrack_in,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_PRE_ROUTING,
         .priority = NF_IP_PRI_CONNTRACK},
	{.hook = ipv4_conntrack_local,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_OUT,
         .priority = NF_IP_PRI_CONNTRACK},
	{.hook = ipv4_confirm,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_POST_ROUTING,
         .priority = NF_IP_PRI_CONNTRACK_CONFIRM},
	{.hook = ipv4_confirm,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_IN,
         .priority = NF_IP_PRI_CONNTRACK_CONFIRM},
	// with D4 only
	{.hook = ipv4_helper,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_POST_ROUTING,
         .priority = NF_IP_PRI_CONNTRACK_HELPER},
	{.hook = ipv4_helper,
         .pf = NFPROTO_IPV4,
         .hooknum = NF_INET_LOCAL_IN,
         .priority = NF_IP_PRI_CONNTRACK_HELPER},
};

namespace {

u32 number_of_ops() { return current.host->features.nat_helper_hooks ? 6 : 4; }

} // namespace

// Connections that were tracked before have a window of long ago.
static int nf_ct_tcp_fixup(nf_conn &ct, void *)
{
	TRACE();
	if (nf_ct_protonum(ct) == IPPROTO_TCP && ct.proto.tcp.state == TCP_CONNTRACK_ESTABLISHED)
		ct.proto.tcp.seen[0].td_maxwin = ct.proto.tcp.seen[1].td_maxwin = 0;
	return 0;
}

static int nf_ct_netns_do_get(net &net, u8 nfproto)
{
	TRACE();
	if (nfproto != NFPROTO_IPV4)
		return -EPROTO;
	nf_conntrack_net &cnet = nf_ct_pernet(net);
	if (++cnet.users4 > 1)
		return 0;
	int err = nf_defrag_ipv4_enable(net);
	if (!err)
		err = nf_register_net_hooks(net, ipv4_conntrack_ops, number_of_ops());
	if (err) {
		cnet.users4 = 0;
		return err;
	}
	nf_ct_iterate_cleanup_net(net, nf_ct_tcp_fixup, nullptr);
	return 0;
}

static void nf_ct_netns_do_put(net &net, u8 nfproto)
{
	TRACE();
	nf_conntrack_net &cnet = nf_ct_pernet(net);

	if (nfproto == NFPROTO_IPV4 && cnet.users4 && --cnet.users4 == 0) {
		nf_unregister_net_hooks(net, ipv4_conntrack_ops, number_of_ops());
		nf_defrag_ipv4_disable(net);
	}
}

int nf_ct_netns_get(net &net, u8 nfproto)
{
	TRACE();
	return nf_ct_netns_do_get(net, nfproto);
}

void nf_ct_netns_put(net &net, u8 nfproto)
{
	TRACE();
	nf_ct_netns_do_put(net, nfproto);
}

// For who was redirected here: where did the client mean to go?
static int getorigdst(sock &sk, int, void *user, int &len)
{
	TRACE(sk);
	const auto &inet = static_cast<const inet_sock &>(sk);
	nf_conntrack_tuple tuple;

	lock_sock(sk);
	tuple.src.u3 = inet.inet_rcv_saddr;
	tuple.src.u = inet.inet_sport;
	tuple.dst.u3 = inet.inet_daddr;
	tuple.dst.u = inet.inet_dport;
	tuple.src.l3num = NFPROTO_IPV4;
	tuple.dst.protonum = static_cast<u8>(sk.sk_protocol);
	release_sock(sk);
	if (tuple.dst.protonum != IPPROTO_TCP)
		return -ENOPROTOOPT;
	if (len < static_cast<int>(sizeof(sockaddr_in)))
		return -EINVAL;
	nf_conntrack_tuple_hash *h = nf_conntrack_find_get(sock_net(sk), nf_ct_zone_dflt, tuple);
	if (!h)
		return -ENOENT;
	nf_conn &ct = nf_ct_tuplehash_to_ctrack(*h);
	sockaddr_in sin{};

	sin.sin_family = AF_INET;
	sin.sin_port = ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.u;
	sin.sin_addr = ct.tuplehash[IP_CT_DIR_ORIGINAL].tuple.dst.u3;
	nf_ct_put(&ct);
	std::memcpy(user, &sin, sizeof(sin));
	len = sizeof(sin);
	return 0;
}

int nf_conntrack_proto_init()
{
	TRACE();
	*so_getorigdst = {.pf = AF_INET,
	                  .get_optmin = SO_ORIGINAL_DST,
	                  .get_optmax = SO_ORIGINAL_DST + 1,
	                  .get = getorigdst};
	return nf_register_sockopt(*so_getorigdst);
}

void nf_conntrack_proto_pernet_init(net &net)
{
	TRACE();
	nf_conntrack_generic_init_net(net);
	nf_conntrack_udp_init_net(net);
	nf_conntrack_tcp_init_net(net);
	nf_conntrack_icmp_init_net(net);
}

// net/netfilter/nf_conntrack_proto_generic.c
void nf_conntrack_generic_init_net(net &net)
{
	TRACE();
	net.ct->generic_timeout = 600 * HZ;
}

const nf_conntrack_l4proto nf_conntrack_l4proto_generic{255, false, nullptr, "unknown"};

} // namespace skbwalk
