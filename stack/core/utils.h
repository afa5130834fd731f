// SPDX-License-Identifier: GPL-2.0-only
//
// Checksums of packets that are changed on their way (net/core/utils.c, include/net/checksum.h).
#pragma once

#include "stack/core/skbuff.h"
#include "stack/wire/checksum.h"

namespace skbwalk {

// Mends `sum`, a transport checksum of the packet, for a field that changed; pseudohdr: the field is one of
// the pseudo header's. A checksum that is yet to be finished covers only that.
void inet_proto_csum_replace4(be16 &sum, sk_buff &skb, be32 from, be32 to, bool pseudohdr);
inline void inet_proto_csum_replace2(be16 &sum, sk_buff &skb, be16 from, be16 to, bool pseudohdr)
{
	TRACE_INLINE(skb);
	inet_proto_csum_replace4(sum, skb, std::bit_cast<be32>(u32{from.raw()}),
	                         std::bit_cast<be32>(u32{to.raw()}), pseudohdr);
}

} // namespace skbwalk
