// SPDX-License-Identifier: GPL-2.0-only
//
// security/selinux/netport.c: the SID of a port, remembered by protocol and number; a bucket keeps the 16
// that came last.
#include <list>

#include "stack/kernel/percpu.h"
#include "stack/kernel/softirq.h"
#include "stack/kernel/spinlock.h"
#include "stack/security/selinux/objsec.h"
#include "stack/security/selinux/ss/services.h"

namespace skbwalk {

namespace {

constexpr u32 SEL_NETPORT_HASH_SIZE = 256, SEL_NETPORT_HASH_BKT_LIMIT = 16;
struct sel_netport {
	u16 port;
	u8 protocol;
	u32 sid;
};
struct netports {
	spinlock_t lock;
	std::list<sel_netport> hash[SEL_NETPORT_HASH_SIZE];
};
perhost<netports> ports;

} // namespace

static u32 sel_netport_hashfn(u16 pnum)
{
	TRACE();
	return pnum & (SEL_NETPORT_HASH_SIZE - 1);
}

static const sel_netport *sel_netport_find(u8 protocol, u16 pnum)
{
	TRACE();
	for (const sel_netport &port : ports->hash[sel_netport_hashfn(pnum)])
		if (port.port == pnum && port.protocol == protocol)
			return &port;
	return nullptr;
}

static void sel_netport_insert(const sel_netport &port)
{
	TRACE();
	auto &bucket = ports->hash[sel_netport_hashfn(port.port)];

	bucket.push_front(port);
	if (bucket.size() > SEL_NETPORT_HASH_BKT_LIMIT)
		bucket.pop_back();
}

static int sel_netport_sid_slow(u8 protocol, u16 pnum, u32 &sid)
{
	TRACE();
	spin_lock_bh(ports->lock);
	if (const sel_netport *port = sel_netport_find(protocol, pnum)) {
		sid = port->sid;
		spin_unlock_bh(ports->lock);
		return 0;
	}
	const int ret = security_port_sid(protocol, pnum, sid);
	if (!ret)
		sel_netport_insert({pnum, protocol, sid});
	spin_unlock_bh(ports->lock);
	return ret;
}

int sel_netport_sid(u8 protocol, u16 pnum, u32 &sid)
{
	TRACE();
	rcu_read_lock();
	const sel_netport *port = sel_netport_find(protocol, pnum);
	if (port)
		sid = port->sid;
	rcu_read_unlock();
	return port ? 0 : sel_netport_sid_slow(protocol, pnum, sid);
}

void sel_netport_flush()
{
	TRACE();
	spin_lock_bh(ports->lock);
	for (auto &bucket : ports->hash)
		bucket.clear();
	spin_unlock_bh(ports->lock);
}

} // namespace skbwalk
