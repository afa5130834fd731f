// SPDX-License-Identifier: GPL-2.0-only
//
// What the parts of net/core/skbuff.c share and nobody else sees.
#pragma once

#include <array>

#include "stack/core/skbuff.h"
#include "stack/kernel/percpu.h"

namespace skbwalk {

// The kernel's global variables of skbuff.c: of the current host.
struct skbuff_globals {
	kmem_cache *skbuff_head_cache = nullptr;
	kmem_cache *skbuff_fclone_cache = nullptr;
	kmem_cache *skbuff_ext_cache = nullptr;
	const nf_ct_hook *ct_hook = nullptr;
	u32 last_trace_id = 0;
	u64 dropped_unspecified = 0; // by destructors of skb_ptr
	std::array<u64, SKB_DROP_REASON_MAX> drops{};

	skbuff_globals() = default;
	skbuff_globals(const skbuff_globals &) = delete;
	skbuff_globals &operator=(const skbuff_globals &) = delete;
	~skbuff_globals(); // tells tests of dropped_unspecified
};
extern perhost<skbuff_globals> skbuff_host;

[[nodiscard]] u8 *kmalloc_reserve(u32 &size, gfp_t flags, int node);
void skb_release_data(sk_buff &skb);
void skb_free_head(sk_buff &skb);
void skb_release_all(sk_buff &skb);
void skb_clone_fraglist(sk_buff &skb);
void __build_skb_around(sk_buff &skb, u8 *data, u32 frag_size);
// A head from `cache`, made but without data.
[[nodiscard]] sk_buff *make_head(void *memory);

} // namespace skbwalk
