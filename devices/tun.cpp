// SPDX-License-Identifier: GPL-2.0-only
//
// drivers/net/tun.c, with one queue. tun_net_xmit puts a packet in the ring and tells the reader; tun_do_read
// takes it out. tun_get_user makes a packet of a frame that was written and gives it to netif_receive_skb,
// with bottom halves off. With IFF_VNET_HDR a header says what is unfinished about a frame, both ways; what
// the descriptor's owner takes unfinished he says by set_offload, else packets in the ring are cut and
// summed. As for vhost_net, a frame need not be copied: it is read where it lies, and written as pages that
// become the packet's. Left out: several queues, filters, XDP, NAPI, build_skb for small frames, the socket
// of the descriptor, which what it writes would be charged to.
#include "devices/tun.h"

#include <algorithm>

#include "stack/core/sock.h"
#include "stack/core/uio.h"
#include "stack/ethernet/eth.h"

namespace skbwalk {

namespace {

constexpr u32 TUN_READQ_SIZE = 500;
constexpr u32 GOODCOPY_LEN = 128;
constexpr netdev_features_t TUN_USER_FEATURES =
	NETIF_F_HW_CSUM | NETIF_F_TSO_ECN | NETIF_F_TSO | NETIF_F_TSO6;

struct tun_struct {
	u32 flags = 0;
	netdev_features_t set_features = 0; // of TUN_USER_FEATURES
	bool attached = false;
	sk_buff_head tx_ring;
	void (*readable)(net_device &dev, void *arg) = nullptr;
	void *arg = nullptr;
	rtnl_link_stats64 stats;
	u64 rx_frame_errors = 0;
	~tun_struct() { __skb_queue_purge(tx_ring); }
};

tun_struct &tun_of(const net_device &dev) { return netdev_priv<tun_struct>(dev); }

netdev_tx_t drop(skb_ptr &skb, net_device &dev, skb_drop_reason reason)
{
	++tun_of(dev).stats.tx_dropped;
	if (skb)
		kfree_skb_reason(std::move(skb), reason);
	return NETDEV_TX_OK;
}

} // namespace

static netdev_tx_t tun_net_xmit(skb_ptr &skb, net_device &dev)
{
	TRACE(skb, dev);
	tun_struct &tun = tun_of(dev);

	if (!tun.attached)
		return drop(skb, dev, SKB_DROP_REASON_DEV_READY);
	skb_tx_timestamp(*skb);
	skb_orphan(*skb); // the reader may take its time
	nf_reset_ct(*skb);
	if (skb_queue_len(tun.tx_ring) >= dev.tx_queue_len)
		return drop(skb, dev, SKB_DROP_REASON_FULL_RING);
	__skb_queue_tail(tun.tx_ring, std::move(skb));
	netdev_get_tx_queue(dev, 0)->trans_start = jiffies();
	if (tun.readable)
		tun.readable(dev, tun.arg);
	return NETDEV_TX_OK;
}

static int tun_net_init(net_device &dev)
{
	TRACE(dev);
	dev.hw_features = NETIF_F_SG | NETIF_F_FRAGLIST | TUN_USER_FEATURES;
	dev.features = dev.hw_features | NETIF_F_LLTX;
	dev.vlan_features = dev.features;
	return 0;
}

static netdev_features_t tun_net_fix_features(net_device &dev, netdev_features_t features)
{
	TRACE(dev);
	return (features & tun_of(dev).set_features) | (features & ~TUN_USER_FEATURES);
}

static void tun_net_get_stats64(net_device &dev, rtnl_link_stats64 &stats)
{
	TRACE(dev);
	stats = tun_of(dev).stats;
}

static const net_device_ops tun_netdev_ops = {
	.ndo_init = tun_net_init,
	.ndo_start_xmit = tun_net_xmit,
	.ndo_get_stats64 = tun_net_get_stats64,
	.ndo_fix_features = tun_net_fix_features,
};

static const net_device_ops tap_netdev_ops = {
	.ndo_init = tun_net_init,
	.ndo_start_xmit = tun_net_xmit,
	.ndo_features_check = passthru_features_check,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_get_stats64 = tun_net_get_stats64,
	.ndo_fix_features = tun_net_fix_features,
	.ndo_validate_addr = eth_validate_addr,
};

static void tun_setup(net_device &dev)
{
	TRACE(dev);
	auto tun = std::make_shared<tun_struct>();

	dev.priv_data = tun;
	dev.link_kind = "tun";
	dev.tx_queue_len = TUN_READQ_SIZE;
}

static void tun_net_initialize(net_device &dev)
{
	TRACE(dev);
	if (tun_of(dev).flags & IFF_TAP) {
		ether_setup(dev);
		dev.netdev_ops = &tap_netdev_ops;
		dev.priv_flags &= ~IFF_TX_SKB_SHARING;
		dev.priv_flags |= IFF_LIVE_ADDR_CHANGE;
		eth_hw_addr_random(dev);
	} else {
		constexpr u16 ARPHRD_NONE = 0xFFFE;

		dev.netdev_ops = &tun_netdev_ops;
		dev.hard_header_len = 0;
		dev.min_header_len = 0;
		dev.addr_len = 0;
		dev.mtu = 1500;
		dev.type = ARPHRD_NONE;
		dev.flags = IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST;
	}
	dev.tx_queue_len = TUN_READQ_SIZE;
	dev.min_mtu = ETH_MIN_MTU;
	dev.max_mtu = 65535u - dev.hard_header_len;
}

net_device *tun_set_iff(net &net, const std::string &name, u32 flags,
                        void (*readable)(net_device &dev, void *arg), void *arg, int &err)
{
	TRACE();
	const u32 kind = flags & (IFF_TUN | IFF_TAP);

	if ((kind != IFF_TUN && kind != IFF_TAP) ||
	    (flags & ~(IFF_TUN | IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)) || !(flags & IFF_NO_PI)) {
		err = -EINVAL;
		return nullptr;
	}

	net_device *dev = alloc_netdev(net, name, tun_setup, 1);
	tun_struct &tun = tun_of(*dev);

	tun.flags = flags;
	tun.readable = readable;
	tun.arg = arg;
	tun_net_initialize(*dev);
	tun.attached = true;
	err = register_netdevice(*dev);
	if (err < 0) {
		free_netdev(*dev);
		return nullptr;
	}
	netif_carrier_on(*dev);
	return dev;
}

void tun_chr_close(net_device &dev)
{
	TRACE(dev);
	tun_struct &tun = tun_of(dev);

	tun.attached = false;
	tun.readable = nullptr;
	netif_carrier_off(dev);
	unregister_netdevice(dev);
	__skb_queue_purge(tun.tx_ring);
}

int set_offload(net_device &dev, unsigned long arg)
{
	TRACE(dev);
	netdev_features_t features = 0;

	if (arg & TUN_F_CSUM) {
		features |= NETIF_F_HW_CSUM;
		arg &= ~static_cast<unsigned long>(TUN_F_CSUM);
		if (arg & (TUN_F_TSO4 | TUN_F_TSO6)) {
			if (arg & TUN_F_TSO_ECN)
				features |= NETIF_F_TSO_ECN;
			if (arg & TUN_F_TSO4)
				features |= NETIF_F_TSO;
			if (arg & TUN_F_TSO6)
				features |= NETIF_F_TSO6;
			arg &= ~static_cast<unsigned long>(TUN_F_TSO_ECN | TUN_F_TSO4 | TUN_F_TSO6);
		}
	}
	if (arg)
		return -EINVAL;
	tun_of(dev).set_features = features;
	dev.wanted_features = (dev.wanted_features & ~TUN_USER_FEATURES) | features;
	netdev_update_features(dev);
	return 0;
}

u64 tun_rx_frame_errors(const net_device &dev) { return tun_of(dev).rx_frame_errors; }

namespace {

// Where tun_put_user puts a frame: memory of the reader, or a list of what it is made of.
struct reader {
	iov_iter memory;
	tun_frame *told = nullptr;
};

void tell(const sk_buff &skb, tun_frame &to)
{
	if (skb_headlen(skb))
		to.pieces.push_back({skb.data, skb_headlen(skb)});
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i) {
		const skb_frag_t &f = skb_shinfo(skb).frags[i];

		to.pieces.push_back({skb_frag_address(f), skb_frag_size(f)});
	}
	for (const sk_buff *part = skb_shinfo(skb).frag_list; part; part = part->next)
		tell(*part, to);
}

} // namespace

static long tun_put_user(tun_struct &tun, const sk_buff &skb, reader &to)
{
	TRACE(skb);
	const bool has_header = tun.flags & IFF_VNET_HDR;
	const std::size_t total = skb.len + (has_header ? sizeof(virtio_net_hdr) : 0);

	if (has_header) {
		virtio_net_hdr gso;

		if (!to.told && to.memory.count < sizeof(gso))
			return -EINVAL;
		if (virtio_net_hdr_from_skb(skb, gso, true, 0))
			return -EINVAL;
		if (to.told) {
			to.told->header = gso;
			to.told->pieces.push_back({&to.told->header, sizeof(gso)});
		} else {
			_copy_to_iter(&gso, sizeof(gso), to.memory);
		}
	}
	if (to.told)
		tell(skb, *to.told);
	else if (const int err = skb_copy_datagram_iter(
			 skb, 0, to.memory,
			 static_cast<int>(std::min<std::size_t>(skb.len, to.memory.count))))
		return err;
	++tun.stats.tx_packets;
	tun.stats.tx_bytes += skb.len;
	return static_cast<long>(total);
}

static skb_ptr tun_ring_recv(tun_struct &tun)
{
	TRACE();
	return __skb_dequeue(tun.tx_ring);
}

std::size_t tun_do_read(net_device &dev, void *buf, std::size_t len)
{
	TRACE(dev);
	skb_ptr skb = tun_ring_recv(tun_of(dev));

	if (!skb)
		return 0;
	reader to;

	import_single_range(false, buf, len, to.memory);
	const long ret = tun_put_user(tun_of(dev), *skb, to);

	if (ret < 0) {
		kfree_skb(std::move(skb));
		return 0;
	}
	consume_skb(std::move(skb));
	return std::min(static_cast<std::size_t>(ret), len);
}

std::size_t tun_do_read(net_device &dev, tun_frame &told)
{
	TRACE(dev);
	told.pieces.clear();
	while (skb_ptr skb = tun_ring_recv(tun_of(dev))) {
		reader to;

		to.told = &told;
		const long ret = tun_put_user(tun_of(dev), *skb, to);

		if (ret >= 0) {
			told.skb = std::move(skb);
			return static_cast<std::size_t>(ret);
		}
		kfree_skb(std::move(skb));
		told.pieces.clear();
	}
	return 0;
}

static void tun_rx_batched(skb_ptr skb)
{
	TRACE(skb);
	local_bh_disable();
	netif_receive_skb(std::move(skb));
	local_bh_enable();
}

namespace {

long refuse(net_device &dev, skb_ptr skb, skb_drop_reason reason, int err)
{
	++tun_of(dev).stats.rx_dropped;
	kfree_skb_reason(std::move(skb), reason);
	return err;
}

} // namespace

// Under a page nothing is gained by pages.
static skb_ptr tun_alloc_skb(std::size_t prepad, std::size_t len, std::size_t linear, int &err)
{
	TRACE();
	if (prepad + len < PAGE_SIZE || !linear)
		linear = len;

	skb_ptr skb = alloc_skb_with_frags(prepad + linear, len - linear, 0, err, GFP_KERNEL);

	if (!skb)
		return nullptr;
	skb_reserve(*skb, static_cast<u32>(prepad));
	skb_put(*skb, static_cast<u32>(linear));
	skb->data_len = static_cast<u32>(len - linear);
	skb->len += skb->data_len;
	return skb;
}

namespace {

// What a program writes: memory, and pages that it leaves to the packet.
struct written {
	iov_iter memory;
	std::span<const skb_frag_t> pages;
	u32 page_offset = 0; // in the first of them

	void copy(void *to, std::size_t n)
	{
		const std::size_t first = std::min(n, memory.count);

		_copy_from_iter(to, first, memory);
		u8 *at = static_cast<u8 *>(to) + first;
		for (n -= first; n;) {
			const skb_frag_t &f = pages.front();
			const u32 now = std::min(static_cast<u32>(n), f.size - page_offset);

			std::memcpy(at, skb_frag_address(f) + page_offset, now);
			at += now;
			n -= now;
			page_offset += now;
			if (page_offset == f.size) {
				pages = pages.subspan(1);
				page_offset = 0;
			}
		}
	}
};

// Unlike the kernel, which maps what stays the program's, and tells it when it has it back.
int zerocopy(sk_buff &skb, written &from)
{
	from.copy(skb.data, skb_headlen(skb));
	if (from.memory.count || from.pages.size() > MAX_SKB_FRAGS)
		return -EMSGSIZE;
	u32 i = 0;
	for (const skb_frag_t &f : from.pages) {
		const u32 offset = std::exchange(from.page_offset, 0);

		get_page(*f.pg);
		skb_add_rx_frag(skb, i++, f.pg, f.offset + offset, f.size - offset, f.size - offset);
	}
	return 0;
}

int copy_frags(sk_buff &skb, written &from)
{
	from.copy(skb.data, skb_headlen(skb));
	for (u32 i = 0; i < skb_shinfo(skb).nr_frags; ++i)
		from.copy(skb_frag_address(skb_shinfo(skb).frags[i]),
		          skb_frag_size(skb_shinfo(skb).frags[i]));
	return 0;
}

} // namespace

long tun_get_user(net_device &dev, const void *buf, std::size_t total_len, std::span<const skb_frag_t> rest)
{
	TRACE(dev);
	tun_struct &tun = tun_of(dev);
	const bool tap = tun.flags & IFF_TAP;
	constexpr u32 NET_IP_ALIGN = 0;
	constexpr std::size_t align = NET_SKB_PAD + NET_IP_ALIGN;
	constexpr std::size_t good_linear = SKB_MAX_ORDER_0(align);
	virtio_net_hdr gso{};
	written from;

	import_single_range(true, const_cast<void *>(buf), total_len, from.memory);
	from.pages = rest;
	for (const skb_frag_t &f : rest)
		total_len += skb_frag_size(f);
	std::size_t len = total_len;

	if (tun.flags & IFF_VNET_HDR) {
		if (from.memory.count < sizeof(gso))
			return -EINVAL;
		len -= sizeof(gso);
		from.copy(&gso, sizeof(gso));
		if (gso.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		    gso.csum_start + gso.csum_offset + 2 > gso.hdr_len)
			gso.hdr_len = static_cast<u16>(gso.csum_start + gso.csum_offset + 2);
		if (gso.hdr_len > len)
			return -EINVAL;
	}
	if (!len || len > 65535 + ETH_HLEN ||
	    (tap && (len < ETH_HLEN || (gso.hdr_len && gso.hdr_len < ETH_HLEN))))
		return -EINVAL;

	const bool keeps_pages = !rest.empty() && len >= 2 * GOODCOPY_LEN;
	const std::size_t linear = std::min<std::size_t>(gso.hdr_len   ? gso.hdr_len
	                                                 : keeps_pages ? GOODCOPY_LEN
	                                                               : 0,
	                                                 good_linear);
	int err = 0;
	skb_ptr skb = tun_alloc_skb(align, keeps_pages ? linear : len, linear, err);

	if (!skb) {
		++tun.stats.rx_dropped;
		return err;
	}
	err = keeps_pages ? zerocopy(*skb, from) : copy_frags(*skb, from);
	if (err)
		return refuse(dev, std::move(skb), SKB_DROP_REASON_SKB_UCOPY_FAULT, -EFAULT);
	if (virtio_net_hdr_to_skb(*skb, gso)) {
		++tun.rx_frame_errors;
		kfree_skb_reason(std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED);
		return -EINVAL;
	}
	if (tap) {
		if (!pskb_may_pull(*skb, ETH_HLEN))
			return refuse(dev, std::move(skb), SKB_DROP_REASON_HDR_TRUNC, -ENOMEM);
		skb->protocol = eth_type_trans(*skb, dev);
	} else {
		if (!pskb_may_pull(*skb, 1))
			return refuse(dev, std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED, -EINVAL);

		const u8 version = static_cast<u8>(skb->data[0] >> 4);

		if (version != 4 && version != 6)
			return refuse(dev, std::move(skb), SKB_DROP_REASON_NOT_SPECIFIED, -EINVAL);
		skb_reset_mac_header(*skb);
		skb->protocol = htons(version == 4 ? ETH_P_IP : ETH_P_IPV6);
		skb->dev = &dev;
	}
	skb_reset_network_header(*skb);
	skb_probe_transport_header(*skb);
	if (!(dev.flags & IFF_UP))
		return refuse(dev, std::move(skb), SKB_DROP_REASON_DEV_READY, -EIO);
	++tun.stats.rx_packets;
	tun.stats.rx_bytes += len;
	tun_rx_batched(std::move(skb));
	return static_cast<long>(total_len);
}

} // namespace skbwalk
