// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_expect.c: connections that a helper (FTP and the like) expects because of
// another. Unlike the kernel, no helper can be loaded, so nothing is ever expected: what is here is the
// question that each ending connection is asked.
#include <cassert>

#include "stack/netfilter/nf_conntrack_private.h"

namespace skbwalk {

// When a connection leaves the table, and once more when it is freed.
void nf_ct_remove_expectations(nf_conn &ct)
{
	TRACE();
	[[maybe_unused]] const nf_conn_help *help = nfct_help(ct);

	assert(!help || !help->helper);
}

} // namespace skbwalk
