// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_conntrack.c: a match by the packet's connection. The first rule that has it brings
// connection tracking to the namespace, the last one takes it away.
#include "stack/netfilter/nf_conntrack.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static bool conntrack_addrcmp(be32 kaddr, be32 uaddr, be32 umask)
{
	TRACE();
	return !((kaddr ^ uaddr) & umask);
}

static bool conntrack_mt_origsrc(const nf_conn &ct, const xt_conntrack_mtinfo3 &info)
{
	TRACE();
	return conntrack_addrcmp(ct.tuplehash[0].tuple.src.u3, info.origsrc_addr, info.origsrc_mask);
}

static bool conntrack_mt_origdst(const nf_conn &ct, const xt_conntrack_mtinfo3 &info)
{
	TRACE();
	return conntrack_addrcmp(ct.tuplehash[0].tuple.dst.u3, info.origdst_addr, info.origdst_mask);
}

static bool conntrack_mt_replsrc(const nf_conn &ct, const xt_conntrack_mtinfo3 &info)
{
	TRACE();
	return conntrack_addrcmp(ct.tuplehash[1].tuple.src.u3, info.replsrc_addr, info.replsrc_mask);
}

static bool conntrack_mt_repldst(const nf_conn &ct, const xt_conntrack_mtinfo3 &info)
{
	TRACE();
	return conntrack_addrcmp(ct.tuplehash[1].tuple.dst.u3, info.repldst_addr, info.repldst_mask);
}

static bool port_match(u16 min, u16 max, be16 port, bool invert)
{
	TRACE();
	return (ntohs(port) >= min && ntohs(port) <= max) != invert;
}

static bool ct_proto_port_check_v3(const xt_conntrack_mtinfo3 &info, const nf_conn &ct)
{
	TRACE();
	const nf_conntrack_tuple &orig = ct.tuplehash[0].tuple, &repl = ct.tuplehash[1].tuple;
	const auto fits = [&info](u16 flag, u16 low, u16 high, be16 port) {
		return !(info.match_flags & flag) || port_match(low, high, port, info.invert_flags & flag);
	};

	if ((info.match_flags & XT_CONNTRACK_PROTO) &&
	    (nf_ct_protonum(ct) == info.l4proto) == ((info.invert_flags & XT_CONNTRACK_PROTO) != 0))
		return false;
	return fits(XT_CONNTRACK_ORIGSRC_PORT, info.origsrc_port, info.origsrc_port_high, orig.src.u) &&
	       fits(XT_CONNTRACK_ORIGDST_PORT, info.origdst_port, info.origdst_port_high, orig.dst.u) &&
	       fits(XT_CONNTRACK_REPLSRC_PORT, info.replsrc_port, info.replsrc_port_high, repl.src.u) &&
	       fits(XT_CONNTRACK_REPLDST_PORT, info.repldst_port, info.repldst_port_high, repl.dst.u);
}

static bool conntrack_mt(const sk_buff &skb, xt_action_param &par, u16 state_mask, u16 status_mask)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_conntrack_mtinfo3 *>(par.matchinfo);
	ip_conntrack_info ctinfo;
	const nf_conn *ct = nf_ct_get(skb, ctinfo);
	u32 statebit = XT_CONNTRACK_STATE_INVALID;
	// Does not fit, given what was found?
	const auto fails = [&info](u16 flag, bool found) {
		return found == ((info.invert_flags & flag) != 0);
	};

	if (ct)
		statebit = 1u << (ctinfo % IP_CT_IS_REPLY + 1);
	else if (ctinfo == IP_CT_UNTRACKED)
		statebit = XT_CONNTRACK_STATE_UNTRACKED;
	if (info.match_flags & XT_CONNTRACK_STATE) {
		if (ct && (ct->status & IPS_SRC_NAT))
			statebit |= XT_CONNTRACK_STATE_SNAT;
		if (ct && (ct->status & IPS_DST_NAT))
			statebit |= XT_CONNTRACK_STATE_DNAT;
		if (fails(XT_CONNTRACK_STATE, state_mask & statebit))
			return false;
	}
	if (!ct)
		return info.match_flags & XT_CONNTRACK_STATE;
	if ((info.match_flags & XT_CONNTRACK_DIRECTION) &&
	    fails(XT_CONNTRACK_DIRECTION, CTINFO2DIR(ctinfo) == IP_CT_DIR_ORIGINAL))
		return false;
	if ((info.match_flags & XT_CONNTRACK_ORIGSRC) &&
	    fails(XT_CONNTRACK_ORIGSRC, conntrack_mt_origsrc(*ct, info)))
		return false;
	if ((info.match_flags & XT_CONNTRACK_ORIGDST) &&
	    fails(XT_CONNTRACK_ORIGDST, conntrack_mt_origdst(*ct, info)))
		return false;
	if ((info.match_flags & XT_CONNTRACK_REPLSRC) &&
	    fails(XT_CONNTRACK_REPLSRC, conntrack_mt_replsrc(*ct, info)))
		return false;
	if ((info.match_flags & XT_CONNTRACK_REPLDST) &&
	    fails(XT_CONNTRACK_REPLDST, conntrack_mt_repldst(*ct, info)))
		return false;
	if (!ct_proto_port_check_v3(info, *ct))
		return false;
	if ((info.match_flags & XT_CONNTRACK_STATUS) && fails(XT_CONNTRACK_STATUS, status_mask & ct->status))
		return false;
	if (info.match_flags & XT_CONNTRACK_EXPIRES) {
		const u32 expires = nf_ct_expires(*ct) / HZ;

		if (fails(XT_CONNTRACK_EXPIRES, expires >= info.expires_min && expires <= info.expires_max))
			return false;
	}
	return true;
}

static bool conntrack_mt_v3(const sk_buff &skb, xt_action_param &par)
{
	TRACE(skb);
	const auto &info = *static_cast<const xt_conntrack_mtinfo3 *>(par.matchinfo);

	return conntrack_mt(skb, par, info.state_mask, info.status_mask);
}

static int conntrack_mt_check(const xt_mtchk_param &par)
{
	TRACE();
	return nf_ct_netns_get(*par.net, par.family);
}

static void conntrack_mt_destroy(const xt_mtdtor_param &par)
{
	TRACE();
	nf_ct_netns_put(*par.net, par.family);
}

static constexpr xt_match conntrack_mt_reg{.name = "conntrack",
                                           .revision = 3,
                                           .match = conntrack_mt_v3,
                                           .checkentry = conntrack_mt_check,
                                           .destroy = conntrack_mt_destroy,
                                           .matchsize = sizeof(xt_conntrack_mtinfo3),
                                           .family = NFPROTO_UNSPEC};

int conntrack_mt_init()
{
	TRACE();
	return xt_register_match(conntrack_mt_reg);
}

} // namespace skbwalk
