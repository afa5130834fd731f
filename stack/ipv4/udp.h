// SPDX-License-Identifier: GPL-2.0-only
//
// UDP (include/net/udp.h, include/linux/udp.h). Every bound socket stands in two hashes: by local port, and
// by local port and address; a connected one has no table of its own, the lookup scores it above others. What
// was received is in sk_receive_queue, which softirqs fill, and in reader_queue, to which a reader moves all
// of it at once.
#pragma once

#include "stack/core/netdevice.h"
#include "stack/ipv4/ip.h"

namespace skbwalk {

struct udp_sock : inet_sock {
	int pending = 0; // AF_INET while corked
	u8 corkflag = 0, encap_type = 0, no_check6 = 0;
	bool gro_enabled = false, accept_udp_l4 = false; // UDP_GRO: may datagrams be merged, and stay so?
	bool encap_enabled = false;                      // has its part in udp_encap_needed_key
	u16 len = 0, gso_size = 0;
	sk_buff_head reader_queue;
	int forward_deficit = 0, forward_threshold = 0;
	u32 udp_port_hash = 0, udp_portaddr_hash = 0;
	list_hook udp_node, udp_portaddr_node;
};
inline udp_sock &udp_sk(sock &sk) { return static_cast<udp_sock &>(sk); }
inline const udp_sock &udp_sk(const sock &sk) { return static_cast<const udp_sock &>(sk); }
constexpr int UDP_CORK = 1, UDP_ENCAP = 100, UDP_NO_CHECK6_TX = 101, UDP_NO_CHECK6_RX = 102,
	      UDP_SEGMENT = 103, UDP_GRO = 104;
constexpr int UDP_MAX_SEGMENTS = 1 << 7;

// What a reader needs of a packet, kept where it need not look at the packet itself. Unlike the kernel, it
// stands in cb and not over skb->dev, which a queued packet has no claim to (null).
struct udp_dev_scratch {
	u32 _tsize_state; // truesize, and whether the head has no state to release
	u16 len;
	bool is_linear;
	bool csum_unnecessary;
};
struct udp_skb_cb {
	inet_skb_cb header;
	u16 cscov;
	u8 partial_cov;
	udp_dev_scratch scratch;
};
static_assert(sizeof(udp_skb_cb) <= sizeof(sk_buff::cb));
inline udp_skb_cb &UDP_SKB_CB(sk_buff &skb) { return reinterpret_cast<udp_skb_cb &>(skb.cb); }
inline udp_dev_scratch &udp_skb_scratch(sk_buff &skb) { return UDP_SKB_CB(skb).scratch; }
inline u32 udp_skb_len(sk_buff &skb) { return udp_skb_scratch(skb).len; }
inline bool udp_skb_csum_unnecessary(sk_buff &skb) { return udp_skb_scratch(skb).csum_unnecessary; }
inline bool udp_skb_is_linear(sk_buff &skb) { return udp_skb_scratch(skb).is_linear; }

struct udp_hslot {
	list_of<udp_sock, &udp_sock::udp_node> head;
	u32 count = 0;
	spinlock_t lock;
};
struct udp_hslot2 {
	list_of<udp_sock, &udp_sock::udp_portaddr_node> head;
	u32 count = 0;
	spinlock_t lock;
};
constexpr u32 UDP_HTABLE_SIZE_MIN = 256;
struct udp_table_t {
	std::vector<udp_hslot> hash;
	std::vector<udp_hslot2> hash2;
	u32 mask = 0;
	u32 log = 0;
};
extern perhost<udp_table_t> udp_table;
inline u32 udp_hashfn(const net &net, u32 num, u32 mask) { return (num + net_hash_mix(net)) & mask; }
inline udp_hslot &udp_hashslot(udp_table_t &table, const net &net, u32 num)
{
	return table.hash[udp_hashfn(net, num, table.mask)];
}
inline udp_hslot2 &udp_hashslot2(udp_table_t &table, u32 hash) { return table.hash2[hash & table.mask]; }
inline bool udp_sk_bound_dev_eq(const net &, int bound_dev_if, int dif, int sdif)
{
	if (!bound_dev_if)
		return !sdif;
	return bound_dev_if == dif || bound_dev_if == sdif;
}

// --- header inlines on checksums ---
inline bool __udp_lib_checksum_complete(sk_buff &skb)
{
	TRACE_INLINE(skb);
	return UDP_SKB_CB(skb).cscov == skb.len ? __skb_checksum_complete(skb)
	                                        : __skb_checksum_complete_head(skb, UDP_SKB_CB(skb).cscov);
}
inline bool udp_lib_checksum_complete(sk_buff &skb)
{
	TRACE_INLINE(skb);
	return !skb_csum_unnecessary(skb) && __udp_lib_checksum_complete(skb);
}
inline __wsum udp_csum(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	__wsum csum = csum_partial(skb_transport_header(skb), sizeof(udphdr), skb.csum);

	for (const sk_buff *frag = skb_shinfo(skb).frag_list; frag; frag = frag->next)
		csum = csum_add(csum, frag->csum);
	return csum;
}
inline be16 udp_v4_check(u32 len, be32 saddr, be32 daddr, __wsum base)
{
	return csum_tcpudp_magic(saddr, daddr, len, IPPROTO_UDP, base);
}
inline void udp_csum_pull_header(sk_buff &skb)
{
	TRACE_INLINE(skb);
	if (!skb.csum_valid && skb.ip_summed == CHECKSUM_NONE)
		skb.csum = csum_partial(skb.data, sizeof(udphdr), skb.csum);
	skb_pull_rcsum(skb, sizeof(udphdr));
	UDP_SKB_CB(skb).cscov = static_cast<u16>(UDP_SKB_CB(skb).cscov - sizeof(udphdr));
}

// --- merging and cutting ---
extern perhost<int> udp_encap_needed_key; // a static key: how many sockets want to be found by GRO
skb_segs __udp_gso_segment(sk_buff &gso_skb, netdev_features_t features);
sk_buff *udp_gro_receive(list_head &head, sk_buff &skb, udphdr &uh, sock *sk);
int udp_gro_complete(sk_buff &skb, int nhoff, sock *(*lookup)(const sk_buff &skb, be16 sport, be16 dport));
sock *udp4_lib_lookup_skb(const sk_buff &skb, be16 sport, be16 dport);

extern proto udp_prot;
int udp_rcv(skb_ptr skb);
int __udp4_lib_rcv(skb_ptr skb, udp_table_t &udptable, u8 proto);
int udp_err(sk_buff &skb, u32 info);
int __udp4_lib_err(sk_buff &skb, u32 info, udp_table_t &udptable);
[[nodiscard]] int udp_v4_early_demux(sk_buff &skb);
int udp_sendmsg(sock &sk, msghdr &msg, std::size_t len);
int udp_recvmsg(sock &sk, msghdr &msg, std::size_t len, int flags, int &addr_len);
u32 udp_poll(file &file, socket &sock, poll_table *wait);
void udp_init();
sock *__udp4_lib_lookup(net &net, be32 saddr, be16 sport, be32 daddr, be16 dport, int dif, int sdif,
                        udp_table_t &udptable, sk_buff *skb);
u32 udp_ehashfn(const net &net, be32 laddr, u16 lport, be32 faddr, be16 fport);
int udp_v4_get_port(sock &sk, u16 snum);
int udp_lib_get_port(sock &sk, u16 snum, u32 hash2_nulladdr);
void udp_lib_unhash(sock &sk);
void udp_lib_rehash(sock &sk, u32 newhash);
void udp_v4_rehash(sock &sk);
void udp_table_init(udp_table_t &table);
void udp4_hwcsum(sk_buff &skb, be32 src, be32 dst);
int udp_push_pending_frames(sock &sk);
void udp_flush_pending_frames(sock &sk);
int __udp_disconnect(sock &sk, int flags);
int udp_disconnect(sock &sk, int flags);
int udp_ioctl(sock &sk, int cmd, int &value);
int udp_init_sock(sock &sk);
void udp_destruct_common(sock &sk);
void udp_skb_destructor(sock &sk, sk_buff &skb);
skb_ptr __skb_recv_udp(sock &sk, u32 flags, int &off, int &err);
void skb_consume_udp(sock &sk, skb_ptr skb, int len);
int __udp_enqueue_schedule_skb(sock &sk, skb_ptr &skb); // takes the skb when 0
bool udp_sk_rx_dst_set(sock &sk, dst_entry &dst);
bool __udp_is_mcast_sock(net &net, const sock &sk, be16 loc_port, be32 loc_addr, be16 rmt_port, be32 rmt_addr,
                         int dif, int sdif,
                         u16 hnum); // static inline in udp.c

} // namespace skbwalk
