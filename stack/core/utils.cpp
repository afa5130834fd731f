// SPDX-License-Identifier: GPL-2.0-only
//
// net/core/utils.c: transport checksums that follow a change of an address or a port.
#include "stack/core/utils.h"

namespace skbwalk {

void inet_proto_csum_replace4(be16 &sum, sk_buff &skb, be32 from, be32 to, bool pseudohdr)
{
	TRACE(skb);
	if (skb.ip_summed != CHECKSUM_PARTIAL) {
		csum_replace4(sum, from, to);
		if (skb.ip_summed == CHECKSUM_COMPLETE && pseudohdr)
			skb.csum = ~csum_add(csum_sub(~skb.csum, from.raw()), to.raw());
	} else if (pseudohdr) {
		const be16 folded = csum_fold(csum_add(csum_sub(csum_unfold(sum), from.raw()), to.raw()));

		sum = std::bit_cast<be16>(static_cast<u16>(~folded.raw()));
	}
}

} // namespace skbwalk
