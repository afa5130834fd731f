// SPDX-License-Identifier: GPL-2.0-only
//
// The check itself: it names each kind of object that a host did not get back, and fails the test that lost
// it.
#include "tests/leak_check.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <filesystem>

#if __has_include(<sanitizer/lsan_interface.h>)
#include <sanitizer/lsan_interface.h>
#endif

#include "sim/world.h"
#include "stack/core/neighbour.h"
#include "stack/core/net_namespace.h"
#include "stack/core/skbuff.h"
#include "stack/ipv4/route.h"
#include "stack/ipv4/tcp.h"

namespace skbwalk {
namespace {

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
// What is lost here on purpose, and what that holds, is not LeakSanitizer's to report.
using lost_on_purpose = __lsan::ScopedDisabler;
#else
struct lost_on_purpose {
	lost_on_purpose() {}
};
#endif

using sim::world;
using testing::Contains;
using testing::HasSubstr;

// What a host says of which `lose` has lost something.
std::vector<std::string> left_by(void (*lose)())
{
	{
		const lost_on_purpose quiet;
		world w{{}};
		host &h = w.add_host("h", 1);
		{
			const enter_cpu in(*h.cpus[0]);

			lose();
		}
		EXPECT_FALSE(w.end().empty());
	}
	return test::leaks_taken();
}

TEST(leak_check, names_a_lost_packet)
{
	EXPECT_THAT(left_by([] { static_cast<void>(alloc_skb(100, GFP_KERNEL).release()); }),
	            Contains("skbuff_head_cache: 1 left in host h"));
}

TEST(leak_check, names_a_packet_that_a_destructor_freed)
{
	EXPECT_THAT(left_by([] { const skb_ptr forgotten = alloc_skb(100, GFP_KERNEL); }),
	            Contains(HasSubstr("freed as NOT_SPECIFIED by a destructor: 1")));
}

TEST(leak_check, names_a_lost_socket)
{
	EXPECT_THAT(
		left_by([] { static_cast<void>(sk_alloc(init_net(), AF_INET, GFP_KERNEL, tcp_prot, true)); }),
		Contains("TCP: 1 left in host h"));
}

TEST(leak_check, names_a_lost_route)
{
	EXPECT_THAT(left_by([] { static_cast<void>(rt_dst_alloc(*init_net().loopback_dev, 0, 1, true)); }),
	            Contains("ip_dst_cache: 1 left in host h"));
}

TEST(leak_check, stops_at_a_lost_neighbour)
{
	EXPECT_DEATH(left_by([] {
			     static_cast<void>(
				     neigh_create(arp_tbl(), be32{{10, 0, 0, 1}}, *init_net().loopback_dev));
		     }),
	             "entries");
}

// Not for itself: the next one runs it.
TEST(leak_check, DISABLED_loses_a_packet)
{
	world w{{}};
	const enter_cpu in(*w.add_host("h", 1).cpus[0]);

	static_cast<void>(alloc_skb(100, GFP_KERNEL).release());
}

TEST(leak_check, fails_the_test_that_loses_a_packet)
{
	const std::string self = std::filesystem::read_symlink("/proc/self/exe");
	std::FILE *out = popen(
		(self + " --gtest_also_run_disabled_tests --gtest_filter=*DISABLED_loses* 2>&1").c_str(),
		"r");
	std::string text;
	char some[4096];

	while (const std::size_t n = std::fread(some, 1, sizeof(some), out))
		text.append(some, n);
	EXPECT_NE(pclose(out), 0);
	EXPECT_THAT(text, HasSubstr("loses_a_packet leaves skbuff_head_cache: 1 left in host h"));
}

} // namespace
} // namespace skbwalk
