// SPDX-License-Identifier: GPL-2.0-only
//
// sk_buff (include/linux/skbuff.h): the packet. The head (this struct) points to a data area that clones
// share:
//
//      head          data                 tail          end
//       |  headroom   |  headers, payload  |   tailroom  | skb_shared_info: frags, frag_list, GSO, dataref
//
// Two counts: `users` on the head (skb_get), `dataref` on the data (skb_clone). A write through shared data
// asserts.
//
// Ownership in signatures: `skb_ptr` by value is consumed; `sk_buff &` is borrowed; `skb_ptr &` may be
// replaced. An skb ends in exactly one of consume_skb, kfree_skb_reason, __kfree_skb, or being handed on. A
// skb_ptr that still holds one when it is destroyed is a mistake: with assertions that frees it as
// NOT_SPECIFIED and counts it in skb_dropped_unspecified, which every test checks to be zero.
#pragma once

#include <cassert>
#include <cerrno>
#include <utility>

#include "stack/core/dropreason.h"
#include "stack/kernel/list.h"
#include "stack/kernel/refcount.h"
#include "stack/kernel/sanitizers.h"
#include "stack/kernel/slab.h"
#include "stack/kernel/spinlock.h"
#include "stack/kernel/timer.h"
#include "stack/trace/trace.h"
#include "stack/wire/checksum.h"

namespace skbwalk {

struct net_device;
struct dst_entry;
struct sk_buff;
struct sock;
struct net;
struct iov_iter;
struct msghdr;
struct nf_conn;
struct skb_ext;

constexpr u8 CHECKSUM_NONE = 0, CHECKSUM_UNNECESSARY = 1, CHECKSUM_COMPLETE = 2, CHECKSUM_PARTIAL = 3;
constexpr u8 PACKET_HOST = 0, PACKET_BROADCAST = 1, PACKET_MULTICAST = 2, PACKET_OTHERHOST = 3,
	     PACKET_OUTGOING = 4, PACKET_LOOPBACK = 5;
constexpr u32 MAX_SKB_FRAGS = 17;
constexpr u32 NET_SKB_PAD = 64;
constexpr u32 SKB_GSO_TCPV4 = 1, SKB_GSO_DODGY = 2, SKB_GSO_TCP_ECN = 4, SKB_GSO_TCP_FIXEDID = 8,
	      SKB_GSO_TCPV6 = 16, SKB_GSO_UDP_L4 = 1 << 17, SKB_GSO_FRAGLIST = 1 << 18,
	      SKB_GSO_PARTIAL = 1 << 13;

struct skb_frag_t {
	page *pg;
	u32 size;
	u32 offset;
};
inline u32 skb_frag_size(const skb_frag_t &f) { return f.size; }
inline u8 *skb_frag_address(const skb_frag_t &f) { return reinterpret_cast<u8 *>(f.pg->data) + f.offset; }

struct skb_shared_info {
	u8 flags = 0;
	u8 nr_frags = 0;
	u8 tx_flags = 0;
	u16 gso_size = 0;
	u16 gso_segs = 0;
	u32 gso_type = 0;
	u32 tskey = 0;
	sk_buff *frag_list = nullptr;
	u64 hwtstamps = 0;
	atomic_t dataref{};
	skb_frag_t frags[MAX_SKB_FRAGS]; // as many as nr_frags says: the rest is whatever lies there
};
static_assert(offsetof(skb_shared_info, frags) <= 64); // a new packet writes one line of these
// The upper half of dataref counts references to payload only (skb_header_release).
constexpr int SKB_DATAREF_SHIFT = 16, SKB_DATAREF_MASK = (1 << SKB_DATAREF_SHIFT) - 1;

// What nearly every function reads lies in the first 128 bytes: few cache lines, and one byte of an
// instruction says where in them.
struct sk_buff {
	// While on a list (sk_buff_head, backlog) the links; in TCP's trees `rbnode`; `list` in the receive
	// path's lists.
	sk_buff *next = nullptr;
	sk_buff *prev = nullptr;
	u8 *head = nullptr;
	u8 *data = nullptr;
	u32 len = 0;
	u32 data_len = 0;
	u32 tail = 0; // offsets from head
	u32 end = 0;
	u32 truesize = 0;
	refcount_t users;
	u16 mac_len = 0;
	u16 hdr_len = 0;
	u16 queue_mapping = 0;
	u8 cloned : 1 = 0;
	u8 nohdr : 1 = 0;
	u8 fclone : 2 = 0;
	u8 peeked : 1 = 0;
	u8 head_frag : 1 = 0;
	u8 pp_recycle : 1 = 0;
	u8 active_extensions = 0;
	// From here to `sk` a copy takes everything along as it is (__copy_skb_header).
	u8 pkt_type : 3 = 0;
	u8 ignore_df : 1 = 0;
	u8 nf_trace : 1 = 0;
	u8 ip_summed : 2 = 0;
	u8 ooo_okay : 1 = 0;
	u8 l4_hash : 1 = 0;
	u8 sw_hash : 1 = 0;
	u8 wifi_acked : 1 = 0;
	u8 no_fcs : 1 = 0;
	u8 encapsulation : 1 = 0;
	u8 csum_valid : 1 = 0;
	u8 csum_complete_sw : 1 = 0;
	u8 csum_level : 2 = 0;
	u8 dst_pending_confirm : 1 = 0;
	u8 redirected : 1 = 0;
	u8 decrypted : 1 = 0;
	u8 offload_fwd_mark : 1 = 0;
	u8 slow_gro : 1 = 0;
	u8 tc_at_ingress : 1 = 0;
	u16 transport_header = 0xffff;
	u16 network_header = 0;
	u16 mac_header = 0xffff;
	be16 protocol{};
	u32 hash = 0;
	sock *sk = nullptr;
	net_device *dev = nullptr;
	std::uintptr_t _skb_refdst = 0;
	alignas(8) u8 cb[56] = {}; // owned by the layer that has the skb
	u64 tstamp = 0;            // also skb_mstamp_ns
	void (*destructor)(sk_buff &skb) = nullptr;
	nf_conn *_nfct = nullptr;
	rb_hook rbnode;
	list_head tcp_tsorted_anchor; // retransmit queue in time order; also `list` where an skb stands on a
	                              // list_head
	// From here to `alloc_cpu` as well.
	u16 csum_start = 0; // with CHECKSUM_PARTIAL: offset from head
	u16 csum_offset = 0;
	__wsum csum = 0; // with CHECKSUM_COMPLETE, or a copy's sum
	u32 priority = 0;
	int skb_iif = 0;
	be16 vlan_proto{};
	u16 vlan_tci = 0;
	u8 vlan_present : 1 = 0;
	u32 napi_id = 0;
	u32 secmark = 0;
	u32 mark = 0;
	u16 alloc_cpu = 0;
	// Of `tstamp`. Not among the bits above: it is set just before a clone copies these many at once, and
	// a cpu waits where it reads more than what it wrote last.
	bool mono_delivery_time = false;
	page *head_page = nullptr;     // with head_frag: the page of the head
	skb_ext *extensions = nullptr; // what active_extensions names
	u32 trace_id = 0;              // ordinal of the skb in its host, for records
};

// A head and, in the same slab object, room for its first clone: TCP sends clones.
constexpr u8 SKB_FCLONE_UNAVAILABLE = 0, SKB_FCLONE_ORIG = 1, SKB_FCLONE_CLONE = 2;
struct sk_buff_fclones {
	sk_buff skb1;
	sk_buff skb2;
	refcount_t fclone_ref; // one for each of the two that lives
};
constexpr u8 SKBFL_ZEROCOPY_ENABLE = 1;                                         // skb_shared_info::flags
constexpr u8 SKBTX_HW_TSTAMP = 1, SKBTX_SW_TSTAMP = 2, SKBTX_SCHED_TSTAMP = 64; // skb_shared_info::tx_flags
constexpr u16 GSO_BY_FRAGS = 0xffff;

// --- owning pointer ---
// Nobody looks at one that was moved from or released before something else is assigned to it: whose caller
// will look assigns null (std::exchange). Under the address sanitizer an assertion watches that. Without
// assertions such a pointer keeps what it held and none destroys anything: it is passed in a register, as any
// pointer is.
class skb_ptr {
public:
	constexpr skb_ptr() = default;
	constexpr skb_ptr(std::nullptr_t) {}
	explicit skb_ptr(sk_buff *skb) : skb_(skb) {}
#ifdef NDEBUG
	skb_ptr(skb_ptr &&) = default;
	skb_ptr &operator=(skb_ptr &&) = default;
	~skb_ptr() = default;
	[[nodiscard]] sk_buff *release() { return skb_; }
#else
	skb_ptr(skb_ptr &&o) noexcept : skb_(o.release()) {}
	skb_ptr &operator=(skb_ptr &&o) noexcept
	{
		sk_buff *old = std::exchange(skb_, o.release());

		if (__builtin_expect(old && old != gone(), 0))
			dropped(old);
		return *this;
	}
	~skb_ptr()
	{
		if (__builtin_expect(skb_ && skb_ != gone(), 0))
			dropped(skb_);
	}
	[[nodiscard]] sk_buff *release() { return std::exchange(skb_, gone()); }
	// For assertions: was it moved from, by whoever was given a reference?
	[[nodiscard]] bool is_taken() const { return !skb_ || skb_ == gone(); }
#endif
	sk_buff &operator*() const { return *get(); }
	sk_buff *operator->() const { return get(); }
	[[nodiscard]] sk_buff *get() const
	{
#ifdef SKBWALK_ASAN
		assert(skb_ != gone() && "looked at after it was moved from");
#endif
		return skb_;
	}
	explicit operator bool() const { return get() != nullptr; }

private:
	static void dropped(sk_buff *skb); // frees as NOT_SPECIFIED and counts
	static sk_buff *gone()
	{
#ifdef SKBWALK_ASAN
		return reinterpret_cast<sk_buff *>(std::uintptr_t{1});
#else
		return nullptr;
#endif
	}
	sk_buff *skb_ = nullptr;
};
inline const sk_buff *trace_object(const skb_ptr &p) { return p.get(); }

// --- making ---
[[nodiscard]] skb_ptr __alloc_skb(u32 size, gfp_t flags, int alloc_flags, int node);
constexpr int SKB_ALLOC_FCLONE = 1, SKB_ALLOC_RX = 2, SKB_ALLOC_NAPI = 4;
[[nodiscard]] skb_ptr alloc_skb(u32 size, gfp_t flags);
[[nodiscard]] skb_ptr alloc_skb_fclone(u32 size, gfp_t flags);
[[nodiscard]] skb_ptr __netdev_alloc_skb(net_device &dev, u32 len, gfp_t flags);
[[nodiscard]] skb_ptr __napi_alloc_skb(net_device &dev, u32 len, gfp_t flags);
[[nodiscard]] skb_ptr alloc_skb_with_frags(u64 header_len, u64 data_len, int order, int &err, gfp_t flags);
[[nodiscard]] skb_ptr skb_clone(sk_buff &skb, gfp_t flags);
void skb_morph(sk_buff &dst, sk_buff &src);
[[nodiscard]] skb_ptr skb_copy(const sk_buff &skb, gfp_t flags);
[[nodiscard]] skb_ptr __pskb_copy_fclone(sk_buff &skb, int headroom, gfp_t flags, bool fclone);
[[nodiscard]] skb_ptr pskb_copy(sk_buff &skb, gfp_t flags);
[[nodiscard]] skb_ptr skb_share_check(skb_ptr skb, gfp_t flags);
[[nodiscard]] skb_ptr skb_unshare(skb_ptr skb, gfp_t flags);
[[nodiscard]] skb_ptr skb_realloc_headroom(sk_buff &skb, u32 headroom);
[[nodiscard]] skb_ptr skb_expand_head(skb_ptr skb, u32 headroom);
[[nodiscard]] skb_ptr skb_copy_expand(const sk_buff &skb, int newheadroom, int newtailroom, gfp_t flags);
[[nodiscard]] int pskb_expand_head(sk_buff &skb, int nhead, int ntail, gfp_t flags);
[[nodiscard]] int __skb_unclone_keeptruesize(sk_buff &skb, gfp_t flags);
void skb_headers_offset_update(sk_buff &skb, int off);
[[nodiscard]] int skb_cow(sk_buff &skb, u32 headroom);
[[nodiscard]] int skb_cow_head(sk_buff &skb, u32 headroom);
[[nodiscard]] int skb_ensure_writable(sk_buff &skb, u32 write_len);
inline skb_ptr skb_get(sk_buff &skb)
{
	refcount_inc(skb.users);
	return skb_ptr(&skb);
}

// --- ending ---
void kfree_skb_reason(skb_ptr skb, skb_drop_reason reason);
void kfree_skb(skb_ptr skb); // NOT_SPECIFIED
void kfree_skb_list_reason(sk_buff *segs, skb_drop_reason reason);
void consume_skb(skb_ptr skb);
void __kfree_skb(skb_ptr skb); // TCP's way: the caller knows it holds the last reference
void __consume_stateless_skb(skb_ptr skb);
void napi_consume_skb(skb_ptr skb, int budget);
void __kfree_skb_defer(skb_ptr skb);         // to the cpu's cache of heads
void napi_skb_free_stolen_head(skb_ptr skb); // its data is a frag of another's now
void skb_release_head_state(sk_buff &skb);
void kfree_skb_partial(skb_ptr skb, bool head_stolen);
void skb_attempt_defer_free(skb_ptr skb);
void skb_orphan(sk_buff &skb); // header inline: calls the destructor
[[nodiscard]] bool skb_unref(sk_buff &skb);
u64 skb_dropped_unspecified();             // of the current host
u64 &drop_counter(skb_drop_reason reason); // of the current host

// --- data ---
inline skb_shared_info &skb_shinfo(const sk_buff &skb)
{
	return *reinterpret_cast<skb_shared_info *>(skb.head + skb.end);
}
inline u8 *skb_tail_pointer(const sk_buff &skb) { return skb.head + skb.tail; }
inline u8 *skb_end_pointer(const sk_buff &skb) { return skb.head + skb.end; }
inline u32 skb_end_offset(const sk_buff &skb) { return skb.end; }
inline u32 skb_headlen(const sk_buff &skb) { return skb.len - skb.data_len; }
inline u32 skb_headroom(const sk_buff &skb) { return static_cast<u32>(skb.data - skb.head); }
inline bool skb_is_nonlinear(const sk_buff &skb) { return skb.data_len != 0; }
inline u32 skb_tailroom(const sk_buff &skb) { return skb_is_nonlinear(skb) ? 0 : skb.end - skb.tail; }
inline u32 skb_availroom(const sk_buff &skb) { return skb_tailroom(skb); }
inline u32 skb_pagelen(const sk_buff &skb)
{
	u32 n = skb_headlen(skb);
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i)
		n += skb_shinfo(skb).frags[i].size;
	return n;
}
inline bool skb_cloned(const sk_buff &skb)
{
	return skb.cloned && (atomic_read(skb_shinfo(skb).dataref) & SKB_DATAREF_MASK) != 1;
}
bool skb_header_cloned(const sk_buff &skb);
void __skb_header_release(sk_buff &skb);
inline bool skb_shared(const sk_buff &skb) { return refcount_read(skb.users) != 1; }
inline bool skb_has_frag_list(const sk_buff &skb) { return skb_shinfo(skb).frag_list != nullptr; }
inline bool skb_is_gso(const sk_buff &skb) { return skb_shinfo(skb).gso_size != 0; }
inline void skb_gso_reset(sk_buff &skb)
{
	skb_shinfo(skb).gso_size = 0;
	skb_shinfo(skb).gso_segs = 0;
	skb_shinfo(skb).gso_type = 0;
}
void skb_reserve(sk_buff &skb, u32 len);
u8 *skb_put(sk_buff &skb, u32 len);   // out of line in the kernel: traced
u8 *__skb_put(sk_buff &skb, u32 len); // header inline
u8 *skb_put_data(sk_buff &skb, const void *data, u32 len);
u8 *skb_push(sk_buff &skb, u32 len);
u8 *__skb_push(sk_buff &skb, u32 len);
u8 *skb_pull(sk_buff &skb, u32 len); // null when len > skb.len
u8 *__skb_pull(sk_buff &skb, u32 len);
u8 *skb_pull_rcsum(sk_buff &skb, u32 len);
u8 *skb_push_rcsum(sk_buff &skb, u32 len);
void skb_postpull_rcsum(sk_buff &skb, const void *start, u32 len);
void skb_postpush_rcsum(sk_buff &skb, const void *start, u32 len);
void skb_trim(sk_buff &skb, u32 len);
void __skb_trim(sk_buff &skb, u32 len);
[[nodiscard]] int ___pskb_trim(sk_buff &skb, u32 len);
[[nodiscard]] int pskb_trim(sk_buff &skb, u32 len);
[[nodiscard]] int __pskb_trim(sk_buff &skb, u32 len);
[[nodiscard]] int pskb_trim_rcsum(sk_buff &skb, u32 len);
u8 *__pskb_pull_tail(sk_buff &skb, int delta);
[[nodiscard]] bool pskb_may_pull(sk_buff &skb, u32 len);
[[nodiscard]] skb_drop_reason pskb_may_pull_reason(sk_buff &skb, u32 len);
[[nodiscard]] int skb_linearize(sk_buff &skb);
[[nodiscard]] int __skb_linearize(sk_buff &skb);
[[nodiscard]] int pskb_trim_rcsum_slow(sk_buff &skb, u32 len);
[[nodiscard]] int skb_pad(skb_ptr &skb, u32 pad);
[[nodiscard]] int __skb_pad(skb_ptr &skb, u32 pad, bool free_on_error);
void skb_condense(sk_buff &skb);
[[nodiscard]] int skb_copy_bits(const sk_buff &skb, int offset, void *to, int len);
[[nodiscard]] int skb_store_bits(sk_buff &skb, int offset, const void *from, int len);
[[nodiscard]] const void *skb_header_pointer(const sk_buff &skb, int offset, int len, void *buffer);
[[nodiscard]] int skb_zerocopy_clone(sk_buff &nskb, const sk_buff &orig, gfp_t flags);
void skb_split(sk_buff &skb, sk_buff &skb1, u32 len);
int skb_shift(sk_buff &tgt, sk_buff &skb, int shiftlen);
bool skb_try_coalesce(sk_buff &to, sk_buff &from, bool &fragstolen, int &delta_truesize);
void __skb_fill_page_desc(sk_buff &skb, u32 i, page *pg, u32 off, u32 size);
void skb_fill_page_desc(sk_buff &skb, u32 i, page *pg, u32 off, u32 size);
void skb_add_rx_frag(sk_buff &skb, u32 i, page *pg, u32 off, u32 size, u32 truesize);
bool skb_can_coalesce(const sk_buff &skb, u32 i, const page *pg, u32 off);
void skb_frag_ref(const skb_frag_t &f);
void skb_frag_unref(const skb_frag_t &f);
int skb_append_pagefrags(sk_buff &skb, page *pg, u32 offset, u32 size);
void skb_copy_header(sk_buff &to, const sk_buff &from);
void __copy_skb_header(sk_buff &to, const sk_buff &from);

// --- checksums ---
__wsum skb_checksum(const sk_buff &skb, int offset, int len, __wsum csum);
__wsum __skb_checksum(const sk_buff &skb, int offset, int len, __wsum csum);
__wsum skb_copy_and_csum_bits(const sk_buff &skb, int offset, u8 *to, int len);
bool __skb_checksum_complete(sk_buff &skb); // true: bad
bool __skb_checksum_complete_head(sk_buff &skb, int len);
[[nodiscard]] int skb_checksum_help(sk_buff &skb);
[[nodiscard]] bool skb_checksum_init(sk_buff &skb, u8 proto); // true: bad already; pseudo header of IPv4
[[nodiscard]] bool skb_checksum_validate_complete(sk_buff &skb, bool complete,
                                                  __wsum psum); // __skb_checksum_validate_complete
[[nodiscard]] bool skb_checksum_simple_validate(sk_buff &skb);
[[nodiscard]] bool skb_checksum_complete(sk_buff &skb);
[[nodiscard]] bool skb_csum_unnecessary(const sk_buff &skb);
inline int skb_checksum_start_offset(const sk_buff &skb)
{
	return skb.csum_start - static_cast<int>(skb_headroom(skb));
}

// --- headers ---
inline u8 *skb_mac_header(const sk_buff &skb) { return skb.head + skb.mac_header; }
inline u8 *skb_network_header(const sk_buff &skb) { return skb.head + skb.network_header; }
inline u8 *skb_transport_header(const sk_buff &skb) { return skb.head + skb.transport_header; }
inline bool skb_mac_header_was_set(const sk_buff &skb) { return skb.mac_header != 0xffff; }
inline bool skb_transport_header_was_set(const sk_buff &skb) { return skb.transport_header != 0xffff; }
inline void skb_reset_mac_header(sk_buff &skb) { skb.mac_header = static_cast<u16>(skb.data - skb.head); }
inline void skb_reset_network_header(sk_buff &skb)
{
	skb.network_header = static_cast<u16>(skb.data - skb.head);
}
inline void skb_reset_transport_header(sk_buff &skb)
{
	skb.transport_header = static_cast<u16>(skb.data - skb.head);
}
inline void skb_set_mac_header(sk_buff &skb, int off)
{
	skb.mac_header = static_cast<u16>(skb.data - skb.head + off);
}
inline void skb_set_network_header(sk_buff &skb, int off)
{
	skb.network_header = static_cast<u16>(skb.data - skb.head + off);
}
inline void skb_set_transport_header(sk_buff &skb, int off)
{
	skb.transport_header = static_cast<u16>(skb.data - skb.head + off);
}
inline int skb_network_offset(const sk_buff &skb)
{
	return static_cast<int>(skb_network_header(skb) - skb.data);
}
inline int skb_transport_offset(const sk_buff &skb)
{
	return static_cast<int>(skb_transport_header(skb) - skb.data);
}
inline u32 skb_network_header_len(const sk_buff &skb)
{
	return static_cast<u32>(skb.transport_header - skb.network_header);
}
inline void skb_reset_mac_len(sk_buff &skb)
{
	skb.mac_len = static_cast<u16>(skb.network_header - skb.mac_header);
}
inline ethhdr &eth_hdr(const sk_buff &skb) { return *reinterpret_cast<ethhdr *>(skb_mac_header(skb)); }
inline iphdr &ip_hdr(const sk_buff &skb) { return *reinterpret_cast<iphdr *>(skb_network_header(skb)); }
inline tcphdr &tcp_hdr(const sk_buff &skb) { return *reinterpret_cast<tcphdr *>(skb_transport_header(skb)); }
inline udphdr &udp_hdr(const sk_buff &skb) { return *reinterpret_cast<udphdr *>(skb_transport_header(skb)); }
inline icmphdr &icmp_hdr(const sk_buff &skb)
{
	return *reinterpret_cast<icmphdr *>(skb_transport_header(skb));
}
inline arphdr &arp_hdr(const sk_buff &skb) { return *reinterpret_cast<arphdr *>(skb_network_header(skb)); }
inline u32 ip_hdrlen(const sk_buff &skb) { return ip_hdr(skb).ihl() * 4; }
inline u32 tcp_hdrlen(const sk_buff &skb) { return tcp_hdr(skb).doff() * 4; }

// --- destination ---
constexpr std::uintptr_t SKB_DST_NOREF = 1;
inline dst_entry *skb_dst(const sk_buff &skb)
{
	return reinterpret_cast<dst_entry *>(skb._skb_refdst & ~SKB_DST_NOREF);
}
inline void skb_dst_set(sk_buff &skb, dst_entry *dst)
{
	if (dst)
		skb.slow_gro = 1;
	skb._skb_refdst = reinterpret_cast<std::uintptr_t>(dst);
}
inline void skb_dst_set_noref(sk_buff &skb, dst_entry *dst)
{
	if (dst)
		skb.slow_gro = 1;
	skb._skb_refdst = reinterpret_cast<std::uintptr_t>(dst) | SKB_DST_NOREF;
}
inline bool skb_dst_is_noref(const sk_buff &skb) { return (skb._skb_refdst & SKB_DST_NOREF) && skb_dst(skb); }
void dst_release(dst_entry *dst);
void skb_dst_drop(sk_buff &skb);
bool skb_dst_force(sk_buff &skb);
bool skb_valid_dst(const sk_buff &skb);

// --- lists of packets; a list owns what is on it ---
struct sk_buff_head {
	sk_buff *next = nullptr; // first and last; null when empty
	sk_buff *prev = nullptr;
	u32 qlen = 0;
	spinlock_t lock;
	sk_buff_head() = default;
	sk_buff_head(const sk_buff_head &) = delete;
	sk_buff_head &operator=(const sk_buff_head &) = delete;
	~sk_buff_head() { assert(qlen == 0); }
};
inline bool skb_queue_empty(const sk_buff_head &l) { return l.qlen == 0; }
inline bool skb_queue_empty_lockless(const sk_buff_head &l) { return l.qlen == 0; }
inline u32 skb_queue_len(const sk_buff_head &l) { return l.qlen; }
inline sk_buff *skb_peek(const sk_buff_head &l) { return l.next; }
inline sk_buff *skb_peek_tail(const sk_buff_head &l) { return l.prev; }
inline sk_buff *skb_queue_next(const sk_buff_head &, const sk_buff &skb)
{
	return skb.next;
} // null past the last
inline bool skb_queue_is_last(const sk_buff_head &l, const sk_buff &skb) { return l.prev == &skb; }
void __skb_queue_head(sk_buff_head &l, skb_ptr skb); // header inlines
void __skb_queue_tail(sk_buff_head &l, skb_ptr skb);
void __skb_queue_after(sk_buff_head &l, sk_buff &prev, skb_ptr skb);
[[nodiscard]] skb_ptr __skb_unlink(sk_buff &skb, sk_buff_head &l);
[[nodiscard]] skb_ptr __skb_dequeue(sk_buff_head &l);
[[nodiscard]] skb_ptr __skb_dequeue_tail(sk_buff_head &l);
void __skb_queue_purge(sk_buff_head &l);
void skb_queue_splice_tail_init(sk_buff_head &from, sk_buff_head &to);
void skb_queue_head(sk_buff_head &l, skb_ptr skb); // with the list's lock; out of line
void skb_queue_tail(sk_buff_head &l, skb_ptr skb);
[[nodiscard]] skb_ptr skb_dequeue(sk_buff_head &l);
[[nodiscard]] skb_ptr skb_dequeue_tail(sk_buff_head &l);
[[nodiscard]] skb_ptr skb_unlink(sk_buff &skb, sk_buff_head &l);
void skb_queue_purge(sk_buff_head &l);

// TCP's trees, ordered by sequence (TCP_SKB_CB(skb).seq at the head of cb). A tree owns what is in it.
struct skb_seq_less {
	bool operator()(const sk_buff &a, const sk_buff &b) const
	{
		return before(reinterpret_cast<const seq32 &>(a.cb), reinterpret_cast<const seq32 &>(b.cb));
	}
};
using skb_rb_root = rb_tree_of<sk_buff, &sk_buff::rbnode, skb_seq_less>;
inline sk_buff *skb_rb_first(skb_rb_root &r) { return r.empty() ? nullptr : &*r.begin(); }
inline sk_buff *skb_rb_last(skb_rb_root &r) { return r.empty() ? nullptr : &*r.rbegin(); }
sk_buff *skb_rb_next(skb_rb_root &r, sk_buff &skb);
sk_buff *skb_rb_prev(skb_rb_root &r, sk_buff &skb);
u32 skb_rbtree_purge(skb_rb_root &r);

// --- conntrack (include/linux/netfilter/nf_conntrack_common.h) and extensions ---
// Every nf_conn begins with this count.
struct nf_conntrack {
	refcount_t use;
};
struct nf_ct_hook {
	void (*destroy)(nf_conntrack &nfct);
	void (*attach)(sk_buff &nskb, const sk_buff &skb); // a reply is made for skb
	void (*set_closing)(nf_conntrack &nfct);           // its connection was refused
};
void nf_conntrack_destroy(nf_conntrack &nfct); // no reference is left
void nf_ct_set_hook(const nf_ct_hook *hook);   // conntrack comes to the current host, or goes
void nf_ct_attach(sk_buff &nskb, const sk_buff &skb);
void nf_ct_set_closing(nf_conntrack *nfct);

struct nf_bridge_info {
	u8 orig_proto = 0;
	u8 pkt_otherhost : 1 = 0;
	u8 in_prerouting : 1 = 0;
	u8 bridged_dnat : 1 = 0;
	u8 sabotage_in_done : 1 = 0;
	u16 frag_max_size = 0;
	int physinif = 0;
	net_device *physoutdev = nullptr;
	be32 ipv4_daddr{}; // before a bridge hook changed it
	u8 neigh_header[8] = {};
};
enum skb_ext_id : u8 { SKB_EXT_BRIDGE_NF, SKB_EXT_SEC_PATH, TC_SKB_EXT, SKB_EXT_MPTCP, SKB_EXT_NUM };
// Counted, shared by clones, copied before a write.
struct skb_ext {
	refcount_t refcnt;
	u8 offset[SKB_EXT_NUM]; // of each that is there, in units of eight bytes from data
	u8 chunks;              // taken so far
	alignas(8) u8 data[64];
};
skb_ext *__skb_ext_alloc(gfp_t flags);
void *skb_ext_add(sk_buff &skb, skb_ext_id id); // room for it, zeroed by nobody; null when out of memory
void __skb_ext_del(sk_buff &skb, skb_ext_id id);
void __skb_ext_put(skb_ext &ext);
void __skb_ext_copy(sk_buff &to, const sk_buff &from);

// --- GSO ---
// A list of segments by `next`, the first one's `prev` is the last. Null with err == 0: no segmentation is
// needed.
struct skb_segs {
	sk_buff *list = nullptr; // owned
	int err = 0;
};
[[nodiscard]] skb_segs skb_segment(sk_buff &head_skb, netdev_features_t features);
[[nodiscard]] skb_segs skb_gso_segment(sk_buff &skb, netdev_features_t features, bool tx_path);
u32 skb_gso_network_seglen(const sk_buff &skb);
bool skb_gso_validate_network_len(const sk_buff &skb, u32 mtu);
bool skb_gso_validate_mac_len(const sk_buff &skb, u32 len);
u32 skb_gso_transport_seglen(const sk_buff &skb);

// --- receive side helpers ---
void skb_scrub_packet(sk_buff &skb, bool xnet);
void skb_set_owner_w(sk_buff &skb, sock &sk);
void skb_set_owner_r(sk_buff &skb, sock &sk);
bool skb_set_owner_sk_safe(sk_buff &skb, sock &sk);
void skb_clone_tx_timestamp(sk_buff &skb);
void skb_tx_timestamp(sk_buff &skb);
void skb_tstamp_tx(sk_buff &orig_skb); // software time stamp to the socket's error queue
bool skb_defer_rx_timestamp(sk_buff &skb);
u32 skb_get_hash(sk_buff &skb);
void __skb_get_hash_net(sk_buff &skb); // by the flow's ends, into skb.hash
void skb_clear_hash(sk_buff &skb);
void skb_probe_transport_header(sk_buff &skb);
void nf_reset_ct(sk_buff &skb);
void skb_ext_reset(sk_buff &skb);
bool skb_partial_csum_set(sk_buff &skb, u16 start, u16 off);
int skb_copy_datagram_iter(const sk_buff &skb, int offset, iov_iter &to, int len);
int skb_copy_and_csum_datagram_msg(sk_buff &skb, int hlen, msghdr &msg);
int skb_copy_datagram_msg(const sk_buff &skb, int offset, msghdr &msg, int size); // header inline

void skb_init(); // makes the caches of the current host

constexpr u32 SKB_DATA_ALIGN(u32 x) { return (x + 63) & ~63u; }
constexpr u32 SKB_SHINFO_SIZE = SKB_DATA_ALIGN(sizeof(skb_shared_info));
static_assert(SKB_SHINFO_SIZE == 320);
// What a head counts for in truesize: the kernel's sizeof(struct sk_buff), aligned. Windows and buffer limits
// depend on it, so it is the kernel's number and not our struct's.
constexpr u32 SKB_HEAD_TRUESIZE = 256;
constexpr u32 SKB_TRUESIZE(u32 x) { return x + SKB_HEAD_TRUESIZE + SKB_SHINFO_SIZE; }
constexpr u32 SKB_WITH_OVERHEAD(u32 x) { return x - SKB_SHINFO_SIZE; }
constexpr u32 SKB_MAX_ORDER_0(u32 x) { return static_cast<u32>(PAGE_SIZE) - SKB_SHINFO_SIZE - x; }
constexpr u32 SKB_HEAD_ALIGN(u32 x) { return SKB_DATA_ALIGN(x) + SKB_SHINFO_SIZE; }

} // namespace skbwalk

#include "stack/core/skbuff_inline.h"
