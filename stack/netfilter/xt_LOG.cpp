// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/xt_LOG.c: the target LOG, which says a packet to the kernel's log and lets the rules go on.
#include <cerrno>

#include "stack/kernel/kmod.h"
#include "stack/netfilter/nf_log.h"
#include "stack/netfilter/xt_modules.h"

namespace skbwalk {

static u32 log_tg(sk_buff &skb, const xt_action_param &par)
{
	TRACE(skb);
	const auto &loginfo = *static_cast<const xt_log_info *>(par.targinfo);
	const nf_loginfo li{NF_LOG_TYPE_LOG, {loginfo.level, loginfo.logflags}};

	nf_log_packet(xt_net(par), xt_family(par), xt_hooknum(par), skb, xt_in(par), xt_out(par), &li, "%s",
	              loginfo.prefix);
	return XT_CONTINUE;
}

static int log_tg_check(const xt_tgchk_param &par)
{
	TRACE();
	const auto &loginfo = *static_cast<const xt_log_info *>(par.targinfo);

	if (par.family != NFPROTO_IPV4 || loginfo.level >= 8 || loginfo.prefix[sizeof(loginfo.prefix) - 1])
		return -EINVAL;
	if (nf_logger_find_get(par.family, NF_LOG_TYPE_LOG) == 0)
		return 0;
	request_module("nf_log_syslog");
	return nf_logger_find_get(par.family, NF_LOG_TYPE_LOG);
}

static void log_tg_destroy(const xt_tgdtor_param &par)
{
	TRACE();
	nf_logger_put(par.family, NF_LOG_TYPE_LOG);
}

static constexpr xt_target log_tg_reg{.name = "LOG",
                                      .target = log_tg,
                                      .checkentry = log_tg_check,
                                      .destroy = log_tg_destroy,
                                      .targetsize = sizeof(xt_log_info),
                                      .family = NFPROTO_IPV4};

int log_tg_init()
{
	TRACE();
	return xt_register_target(log_tg_reg);
}

} // namespace skbwalk
