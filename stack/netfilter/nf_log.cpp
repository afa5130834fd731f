// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_log.c: loggers register here by family and kind, nf_log_packet finds the one that is asked
// for and hands it the packet, and nf_log_buf_* put a line together that nf_log_buf_close prints. Left out:
// binding loggers by /proc, NFPROTO_INET.
#include "stack/netfilter/nf_log.h"

#include <cstdarg>
#include <cstdio>

#include "stack/kernel/printk.h"
#include "stack/kernel/slab.h"

namespace skbwalk {

namespace {

constexpr std::size_t families = 13; // NFPROTO_NUMPROTO

perhost<std::array<std::array<const nf_logger *, NF_LOG_TYPE_MAX>, families>> loggers;
perhost<int> sysctl_nf_log_all_netns;

using nf_loggers = std::array<const nf_logger *, families>; // of a namespace

constexpr std::size_t S_SIZE = 1024 - (sizeof(u32) + 1);

} // namespace

struct nf_log_buf {
	u32 count = 0;
	char buf[S_SIZE + 1];
};

static int nf_log_net_init(net &net);
static void nf_log_net_exit(net &net);
static const pernet_operations nf_log_net_ops{"nf_log", nf_log_net_init, nf_log_net_exit};

namespace {
nf_loggers &loggers_of(net &net)
{
	return *static_cast<nf_loggers *>(net_generic(net, nf_log_net_ops).get());
}
} // namespace

int nf_log_set(net &net, u8 pf, const nf_logger &logger)
{
	TRACE();
	if (pf == NFPROTO_UNSPEC || pf >= families)
		return -EOPNOTSUPP;
	const nf_logger *&log = loggers_of(net)[pf];
	if (!log)
		log = &logger;
	return 0;
}

void nf_log_unset(net &net, const nf_logger &logger)
{
	TRACE();
	for (const nf_logger *&log : loggers_of(net))
		if (log == &logger)
			log = nullptr;
}

int nf_log_register(u8 pf, const nf_logger &logger)
{
	TRACE();
	if (pf >= families)
		return -EINVAL;
	const nf_logger *&place = (*loggers)[pf][logger.type];
	if (place)
		return -EBUSY;
	place = &logger;
	return 0;
}

int nf_logger_find_get(u8 pf, nf_log_type type)
{
	TRACE();
	return (*loggers)[pf][type] ? 0 : -ENOENT;
}

void nf_logger_put(u8 pf, nf_log_type type)
{
	TRACE();
	assert((*loggers)[pf][type]); // modules are not unloaded, so nothing counts their users
}

void nf_log_packet(net &net, u8 pf, u32 hooknum, const sk_buff &skb, const net_device *in,
                   const net_device *out, const nf_loginfo *loginfo, const char *fmt, ...)
{
	TRACE(skb);
	const nf_logger *logger = loginfo ? (*loggers)[pf][loginfo->type] : loggers_of(net)[pf];

	if (!logger)
		return;
	char prefix[NF_LOG_PREFIXLEN];
	va_list args;

	va_start(args, fmt);
	std::vsnprintf(prefix, sizeof(prefix), fmt, args);
	va_end(args);
	logger->logfn(net, pf, hooknum, skb, in, out, loginfo, prefix);
}

int nf_log_buf_add(nf_log_buf &m, const char *f, ...)
{
	TRACE();
	if (m.count < S_SIZE) {
		va_list args;

		va_start(args, f);
		const int len = std::vsnprintf(m.buf + m.count, S_SIZE - m.count, f, args);
		va_end(args);
		if (m.count + static_cast<u32>(len) < S_SIZE) {
			m.count += static_cast<u32>(len);
			return 0;
		}
	}
	m.count = S_SIZE;
	return -1;
}

nf_log_buf &nf_log_buf_open()
{
	TRACE();
	return *::new (kmalloc_trace(sizeof(nf_log_buf), GFP_ATOMIC)) nf_log_buf;
}

void nf_log_buf_close(nf_log_buf &m)
{
	TRACE();
	m.buf[m.count] = 0;
	_printk("%s\n", m.buf);
	kfree(&m);
}

static int nf_log_net_init(net &net)
{
	TRACE();
	net_generic(net, nf_log_net_ops) = std::make_shared<nf_loggers>();
	return 0;
}

static void nf_log_net_exit(net &net)
{
	TRACE();
	net_generic(net, nf_log_net_ops).reset();
}

int netfilter_log_init()
{
	TRACE();
	register_pernet_subsys(nf_log_net_ops);
	return 0;
}

// not traced: for reading and setting the sysctl
int &nf_log_all_netns() { return *sysctl_nf_log_all_netns; }

} // namespace skbwalk
