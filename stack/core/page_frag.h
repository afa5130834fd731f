// SPDX-License-Identifier: GPL-2.0-only
//
// Pieces of pages that drivers have received into (net/core/skbuff.c, mm/page_alloc.c): netdev_alloc_frag
// gives one, napi_build_skb makes a packet around it, page_frag_free gives it back unused.
#pragma once

#include "stack/core/skbuff.h"

namespace skbwalk {

// Unlike the kernel, which finds the page by the address, a piece names its page.
struct netdev_frag {
	void *data = nullptr;
	page *pg = nullptr;
};
[[nodiscard]] netdev_frag netdev_alloc_frag(u32 fragsz); // data is null when there is no memory
void page_frag_free(page &pg);
// With the frag's reference; null leaves it with the caller.
[[nodiscard]] skb_ptr napi_build_skb(const netdev_frag &frag, u32 frag_size);

} // namespace skbwalk
