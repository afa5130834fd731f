// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/net_namespace.c. Subsystems and drivers register what they do when a namespace comes (init, in
// order) and goes (exit, in the reverse); setup_net and cleanup_net walk that list. The initial namespace is
// there from the first use on, and operations that are registered later are run for it then. Left out: nsids,
// user namespaces, /proc.
//
// Unlike the kernel, cleanup_net runs where it is called and not in a work queue, and a namespace that ended
// stays allocated until its host ends, since packets on their way may still name it.
#include "stack/core/net_namespace.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "stack/core/netdevice.h"
#include "stack/kernel/random.h"

namespace skbwalk {

namespace {

struct namespaces {
	std::vector<const pernet_operations *> pernet_list;
	std::size_t first_device = 0;           // of pernet_list; subsystems stand before
	std::vector<std::unique_ptr<net>> nets; // the initial one first
	std::vector<std::unique_ptr<net>> ended;
	u32 next_inum = 0xf0000000u;
	bool over = false;
};
perhost<namespaces> spaces;

} // namespace

net::~net() { assert(dev_list.empty()); }

static int ops_init(const pernet_operations &ops, net &net)
{
	TRACE();
	return ops.init ? ops.init(net) : 0;
}

static void preinit_net(net &net)
{
	TRACE();
	net.on = current.host;
	get_random_bytes(&net.hash_mix, sizeof(net.hash_mix));
	net.ns_inum = spaces->next_inum++;
}

static int setup_net(net &net)
{
	TRACE();
	preinit_net(net);
	for (const pernet_operations *ops : spaces->pernet_list)
		if (const int err = ops_init(*ops, net))
			return err;
	return 0;
}

// not traced: the kernel has it from the start
[[gnu::noinline, gnu::cold]] static void make_init_net(namespaces &s)
{
	assert(!s.over);
	s.nets.push_back(std::make_unique<net>());
	preinit_net(*s.nets.front());
}

net &init_net()
{
	TRACE_INLINE();
	namespaces &s = *spaces;

	if (__builtin_expect(s.nets.empty(), 0))
		make_init_net(s);
	return *s.nets.front();
}

namespace {

void register_at(const pernet_operations &ops, std::size_t at)
{
	namespaces &s = *spaces;

	init_net();
	s.pernet_list.insert(s.pernet_list.begin() + static_cast<std::ptrdiff_t>(at), &ops);
	for (const auto &n : s.nets) {
		// What the namespaces keep moves along with the list.
		if (n->gen.size() > at)
			n->gen.insert(n->gen.begin() + static_cast<std::ptrdiff_t>(at), nullptr);
		[[maybe_unused]] const int err = ops_init(ops, *n);
		assert(!err);
	}
}

} // namespace

void register_pernet_subsys(const pernet_operations &ops)
{
	TRACE();
	register_at(ops, spaces->first_device++);
}

void register_pernet_device(const pernet_operations &ops)
{
	TRACE();
	register_at(ops, spaces->pernet_list.size());
}

std::shared_ptr<void> &net_generic(net &net, const pernet_operations &ops)
{
	TRACE_INLINE();
	const auto &list = spaces->pernet_list;
	const auto at = std::find(list.begin(), list.end(), &ops);
	const auto slot = static_cast<std::size_t>(at - list.begin());

	assert(at != list.end());
	if (net.gen.size() <= slot)
		net.gen.resize(slot + 1);
	return net.gen[slot];
}

net &copy_net_ns(const std::string &name)
{
	TRACE();
	init_net();
	spaces->nets.push_back(std::make_unique<net>());

	net &n = *spaces->nets.back();

	n.name = name;
	[[maybe_unused]] const int err = setup_net(n);
	assert(!err);
	return n;
}

void cleanup_net(net &net)
{
	TRACE();
	namespaces &s = *spaces;

	for (std::size_t i = s.pernet_list.size(); i-- > 0;)
		if (s.pernet_list[i]->exit)
			s.pernet_list[i]->exit(net);

	const auto at =
		std::find_if(s.nets.begin(), s.nets.end(), [&](const auto &n) { return n.get() == &net; });

	assert(at != s.nets.end());
	s.ended.push_back(std::move(*at));
	s.nets.erase(at);
}

namespace {

struct cleanup_list {
	delayed_work work;
	std::vector<net *> nets; // nobody's any more
};
perhost<cleanup_list> cleanup;

// not traced: in the kernel this is cleanup_net
void cleanup_work(delayed_work &)
{
	for (net *const dead : std::exchange(cleanup->nets, {}))
		cleanup_net(*dead);
}

} // namespace

// What ends with a namespace sleeps. Unlike the kernel, it is left to a worker only where the last reference
// goes in an interrupt.
static void __put_net(net &net)
{
	TRACE();
	if (!in_interrupt()) {
		cleanup_net(net);
		return;
	}
	if (!cleanup->work.function)
		INIT_DELAYED_WORK(cleanup->work, cleanup_work);
	cleanup->nets.push_back(&net);
	queue_delayed_work(cleanup->work, 0);
}

void put_net(net &net)
{
	TRACE_INLINE();
	if (refcount_dec_and_test(net.count))
		__put_net(net);
}

// not traced: the end of a simulated kernel, which the kernel has no function for
void end_namespaces()
{
	namespaces &s = *spaces;
	host &h = *current.host;

	cleanup->nets.clear(); // all go now
	while (!s.nets.empty()) {
		cleanup_net(*s.nets.back());
		rcu_process_callbacks(h);
	}
	s.over = true;
	// What is freed after one grace period can start another.
	for (int pass = 0; pass < 4; ++pass) {
		rcu_process_callbacks(h);
		netdev_run_todo();
	}
}

net *get_net_ns_by_name(const std::string &name)
{
	TRACE();
	for (const auto &n : spaces->nets)
		if (n->name == name && std::ranges::find(cleanup->nets, n.get()) == cleanup->nets.end())
			return n.get();
	return nullptr;
}

std::vector<net *> all_nets(host &h)
{
	TRACE_INLINE();
	std::vector<net *> found;

	for (const auto &n : spaces.of(h).nets)
		found.push_back(n.get());
	return found;
}

int *ipv4_sysctl(netns_ipv4 &ipv4, const char *name)
{
	TRACE_INLINE();
#define SKBWALK_X(field, sysctl, dflt)  \
	if (!std::strcmp(name, sysctl)) \
		return &ipv4.field;
	SKBWALK_IPV4_SYSCTLS(SKBWALK_X)
#undef SKBWALK_X
	return nullptr;
}

} // namespace skbwalk
