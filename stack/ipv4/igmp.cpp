// SPDX-License-Identifier: GPL-2.0-only
//
// net/ipv4/igmp.c, as far as every host goes: a device that is up listens to all hosts (224.0.0.1), and
// ip_check_mc_rcu() says whether a packet to a group is for us. Left out: joining by sockets, source filters,
// queries and reports (nobody reports 224.0.0.1), and the device's own filter of addresses.
#include "stack/ipv4/igmp.h"
#include "stack/ipv4/inet_sock.h"
#include "stack/ipv4/route.h"

namespace skbwalk {

struct ip_mc_list {
	in_device *interface = nullptr;
	be32 multiaddr{};
	u32 users = 1;
	ip_mc_list *next_rcu = nullptr;
	rcu_head rcu;
};
// What one socket joined.
struct ip_mc_socklist {
	ip_mc_socklist *next_rcu = nullptr;
	be32 multiaddr{};
	int ifindex = 0;
	rcu_head rcu;
};

namespace {

const be32 IGMP_ALL_HOSTS = htonl(0xE0000001);

void free_group(rcu_head *head)
{
	ip_mc_list &im = container_of(*head, &ip_mc_list::rcu);
	im.~ip_mc_list();
	kfree(&im);
}

void clear_groups(in_device &in_dev)
{
	while (ip_mc_list *im = in_dev.mc_list) {
		in_dev.mc_list = im->next_rcu;
		call_rcu(im->rcu, free_group);
	}
}

} // namespace

static void ____ip_mc_inc_group(in_device &in_dev, be32 addr)
{
	TRACE(in_dev.dev);
	for (ip_mc_list *im = in_dev.mc_list; im; im = im->next_rcu)
		if (im->multiaddr == addr) {
			++im->users;
			return;
		}
	void *p = kmalloc_trace(sizeof(ip_mc_list), GFP_KERNEL);
	if (!p)
		return;
	auto *im = ::new (p) ip_mc_list;
	im->interface = &in_dev;
	im->multiaddr = addr;
	im->next_rcu = in_dev.mc_list;
	in_dev.mc_list = im;
	if (!in_dev.dead)
		ip_rt_multicast_event(in_dev);
}

void ip_mc_inc_group(in_device &in_dev, be32 addr)
{
	TRACE(in_dev.dev);
	____ip_mc_inc_group(in_dev, addr);
}

void __ip_mc_dec_group(in_device &in_dev, be32 addr)
{
	TRACE(in_dev.dev);
	for (ip_mc_list **ip = &in_dev.mc_list; ip_mc_list *i = *ip; ip = &i->next_rcu) {
		if (!(i->multiaddr == addr))
			continue;
		if (--i->users == 0) {
			*ip = i->next_rcu;
			call_rcu(i->rcu, free_group);
			if (!in_dev.dead)
				ip_rt_multicast_event(in_dev);
		}
		return;
	}
}

void ip_mc_init_dev(in_device &in_dev)
{
	TRACE(in_dev.dev);
	in_dev.mc_list = nullptr;
}

void ip_mc_up(in_device &in_dev)
{
	TRACE(in_dev.dev);
	ip_mc_inc_group(in_dev, IGMP_ALL_HOSTS);
}

void ip_mc_down(in_device &in_dev)
{
	TRACE(in_dev.dev);
	__ip_mc_dec_group(in_dev, IGMP_ALL_HOSTS);
}

void ip_mc_destroy_dev(in_device &in_dev)
{
	TRACE(in_dev.dev);
	ip_mc_down(in_dev);
	clear_groups(in_dev);
}

// Is a packet to this group for us?
bool ip_check_mc_rcu(in_device &in_dev, be32 mc_addr, be32, u8 proto)
{
	TRACE(in_dev.dev);
	const ip_mc_list *im = in_dev.mc_list;

	while (im && !(im->multiaddr == mc_addr))
		im = im->next_rcu;
	return im || proto == IPPROTO_IGMP;
}

// May this socket have a packet to the group loc_addr?
bool ip_mc_sf_allow(const sock &sk, be32 loc_addr, be32, int dif, int sdif)
{
	TRACE(sk);
	if (!ipv4_is_multicast(loc_addr))
		return true;
	for (const ip_mc_socklist *pmc = inet_sk(sk).mc_list; pmc; pmc = pmc->next_rcu)
		if (pmc->multiaddr == loc_addr && (pmc->ifindex == dif || (sdif && pmc->ifindex == sdif)))
			return true;
	return inet_sk(sk).mc_all;
}

// A socket ends: it leaves what it joined.
void ip_mc_drop_socket(sock &sk)
{
	TRACE(sk);
	inet_sock &inet = inet_sk(sk);

	while (ip_mc_socklist *iml = inet.mc_list) {
		inet.mc_list = iml->next_rcu;
		if (in_device *in_dev = inetdev_by_index(sock_net(sk), iml->ifindex))
			__ip_mc_dec_group(*in_dev, iml->multiaddr);
		call_rcu(iml->rcu, [](rcu_head *head) { kfree(&container_of(*head, &ip_mc_socklist::rcu)); });
	}
}

} // namespace skbwalk
