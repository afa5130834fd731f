// SPDX-License-Identifier: GPL-2.0-only
//
// What the parts of net/ipv4/fib_semantics.c share: all fib_infos of the host, in hash tables by what they
// say, by preferred source and, nexthop by nexthop, by device.
#pragma once

#include "stack/ipv4/ip_fib.h"

namespace skbwalk {

constexpr u32 DEVINDEX_HASHBITS = 8, DEVINDEX_HASHSIZE = 1 << DEVINDEX_HASHBITS;
using info_list = list_of<fib_info, &fib_info::fib_hash>;
using nh_list = list_of<fib_nh, &fib_nh::nh_hash>;
using laddr_list = list_of<fib_info, &fib_info::fib_lhash>;

struct fib_infos {
	spinlock_t lock; // fib_info_lock
	std::vector<info_list> hash;
	std::vector<laddr_list> laddrhash;
	std::array<nh_list, DEVINDEX_HASHSIZE> devhash;
	u32 cnt = 0;

	[[nodiscard]] u32 size() const { return static_cast<u32>(hash.size()); }
};
extern const perhost<fib_infos> fib_infos_of_host;

template <class F> void for_nexthops(const fib_info &fi, F f)
{
	for (int nhsel = 0; nhsel < fib_info_num_path(fi); ++nhsel)
		f(fib_info_nh(fi, nhsel));
}

nh_list &fib_info_devhash_bucket(const net_device &dev);
laddr_list &fib_info_laddrhash_bucket(const net &net, be32 val);
void fib_rebalance(fib_info &fi);

} // namespace skbwalk
