// SPDX-License-Identifier: GPL-2.0-only
//
// net/netfilter/nf_conntrack_helper.c: what follows a protocol's own talk for a connection. Unlike the
// kernel, no helper can be loaded, so none has anything to let go of.
#include <cassert>

#include "stack/netfilter/nf_conntrack_private.h"

namespace skbwalk {

void nf_ct_helper_destroy(nf_conn &ct)
{
	TRACE();
	[[maybe_unused]] const nf_conn_help *help = nfct_help(ct);

	assert(!help || !help->helper);
}

} // namespace skbwalk
