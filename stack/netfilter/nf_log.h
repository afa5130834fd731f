// SPDX-License-Identifier: GPL-2.0-only
//
// Whom to tell about a packet (include/net/netfilter/nf_log.h): a logger by family and kind. A rule's LOG
// asks for a kind; who has none, as connection tracking with what is invalid, asks the namespace's.
#pragma once

#include "stack/netfilter/netfilter.h"

namespace skbwalk {

constexpr u8 NF_LOG_TCPSEQ = 0x01, NF_LOG_TCPOPT = 0x02, NF_LOG_IPOPT = 0x04, NF_LOG_UID = 0x08,
	     NF_LOG_NFLOG = 0x10, NF_LOG_MACDECODE = 0x20, NF_LOG_MASK = 0x2f, NF_LOG_DEFAULT_MASK = 0x0f;
constexpr std::size_t NF_LOG_PREFIXLEN = 128;

enum nf_log_type : u8 { NF_LOG_TYPE_LOG, NF_LOG_TYPE_ULOG, NF_LOG_TYPE_MAX };
struct nf_loginfo {
	nf_log_type type = NF_LOG_TYPE_LOG;
	struct {
		u8 level, logflags;
	} log{};
};
using nf_logfn = void (*)(net &net, u8 pf, u32 hooknum, const sk_buff &skb, const net_device *in,
                          const net_device *out, const nf_loginfo *li, const char *prefix);
struct nf_logger {
	const char *name;
	nf_log_type type;
	nf_logfn logfn;
};

// On the current host: 0, -EBUSY where one is, -EINVAL.
int nf_log_register(u8 pf, const nf_logger &logger);
int nf_log_set(net &net, u8 pf, const nf_logger &logger); // where the namespace has none
void nf_log_unset(net &net, const nf_logger &logger);
int nf_logger_find_get(u8 pf, nf_log_type type);
void nf_logger_put(u8 pf, nf_log_type type);
void nf_log_packet(net &net, u8 pf, u32 hooknum, const sk_buff &skb, const net_device *in,
                   const net_device *out, const nf_loginfo *loginfo, const char *fmt, ...)
	__attribute__((format(printf, 8, 9)));
int &nf_log_all_netns(); // the sysctl: containers may write to the host's log

// A line that grows.
struct nf_log_buf;
nf_log_buf &nf_log_buf_open();
int nf_log_buf_add(nf_log_buf &m, const char *f, ...) __attribute__((format(printf, 2, 3)));
void nf_log_buf_close(nf_log_buf &m);

int netfilter_log_init();
int nf_log_syslog_init();

} // namespace skbwalk
