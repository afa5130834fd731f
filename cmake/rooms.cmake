# SPDX-License-Identifier: GPL-2.0-only
#
# The one table of rooms. A line is: name | folder | the rooms that it may use (and, through them, all
# that those may use). CMake links by it and tests/tidy checks every #include by it, so an edge that is
# not here exists nowhere. A lower room calls a higher one through the kernel's own tables only.
#
# A file belongs to the room with the longest folder that holds it. A folder that ends in `*` is the beginning
# of its files' names: the kernel has modules of several layers in net/netfilter. `door` is the files of stack/
# itself.
set(SKBWALK_ROOMS
	"kernel    | stack/kernel    | trace"
	"trace     | stack/trace     | kernel"
	"wire      | stack/wire      | kernel trace"
	"core      | stack/core      | wire"
	"ethernet  | stack/ethernet  | core"
	"sched     | stack/sched     | core"
	"netfilter | stack/netfilter | core"
	"xtables   | stack/netfilter/x_* | netfilter"
	"netlabel  | stack/netlabel  | core"
	"security  | stack/security  | netfilter netlabel"
	"packet    | stack/packet    | core"
	"ipv4      | stack/ipv4      | ethernet sched netfilter security packet"
	"conntrack | stack/netfilter/nf_conntrack* | ipv4"
	"nat       | stack/netfilter/nf_nat* | conntrack"
	"xtmodules | stack/netfilter/xt_* | nat xtables"
	"iptables  | stack/ipv4/netfilter | xtmodules"
	"ipv6      | stack/ipv6      | ipv4"
	"llc       | stack/llc       | core"
	"802       | stack/802       | llc"
	"switchdev | stack/switchdev | core"
	"bridge    | stack/bridge    | ipv6 802 switchdev conntrack"
	"door      | stack           | ipv6 bridge iptables"
	"devices   | devices         | door"
	"boot      | sim/host_boot*  | door"
	"world     | sim/world*      | boot"
	"sim       | sim             | devices world"
)

# Headers that hold a table or the hooks of a room above, which the kernel's files below that room
# include too. A line is: the room that includes | the header.
set(SKBWALK_DOORWAYS
	"core | stack/ethernet/eth.h"
	"core | stack/sched/sch_generic.h"
	"core | stack/netfilter/netfilter.h"
	"core | stack/security/security.h"
	"core | stack/security/capability.h"
)
