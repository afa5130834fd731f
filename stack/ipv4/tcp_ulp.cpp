// SPDX-License-Identifier: GPL-2.0-only
//
// Protocols that sit on top of TCP inside the kernel, such as TLS (net/ipv4/tcp_ulp.c). None is registered on
// a host, so that TCP_ULP finds no name and a socket that ends has nothing to take down.
#include <string>
#include <vector>

#include "stack/ipv4/tcp.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

struct tcp_ulp_ops {
	const char *name;
	int (*init)(sock &sk);
	void (*release)(sock &sk);
};

namespace {

perhost<std::vector<const tcp_ulp_ops *>> tcp_ulp_list;

} // namespace

static const tcp_ulp_ops *__tcp_ulp_find_autoload(const char *name)
{
	TRACE();
	for (const tcp_ulp_ops *ops : *tcp_ulp_list)
		if (std::string(name) == ops->name)
			return ops;
	return nullptr;
}

void tcp_cleanup_ulp(sock &sk)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);

	if (!icsk.icsk_ulp_ops)
		return;
	if (icsk.icsk_ulp_ops->release)
		icsk.icsk_ulp_ops->release(sk);
	icsk.icsk_ulp_ops = nullptr;
}

int tcp_set_ulp(sock &sk, const char *name)
{
	TRACE(sk);
	inet_connection_sock &icsk = inet_csk(sk);
	const tcp_ulp_ops *ops = __tcp_ulp_find_autoload(name);

	if (!ops)
		return -ENOENT;
	if (icsk.icsk_ulp_ops)
		return -EEXIST;
	if (sk.sk_state == TCP_LISTEN)
		return -ENOTCONN;
	if (const int err = ops->init(sk))
		return err;
	icsk.icsk_ulp_ops = ops;
	return 0;
}

} // namespace skbwalk
