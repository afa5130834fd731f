// SPDX-License-Identifier: GPL-2.0-only
//
// Sending, of drivers/net/ethernet/intel/e1000/e1000_main.c: e1000_xmit_frame counts the descriptors that a
// packet needs (a full ring stops the queue), writes a context descriptor where the card is to cut or to sum
// (e1000_tso, e1000_tx_csum), maps the packet's pieces (e1000_tx_map), writes their descriptors
// (e1000_tx_queue) and tells the card how far they go. e1000_clean_tx_irq frees what was sent and wakes the
// queue.
#include <bit>
#include <cstring>

#include "devices/e1000/e1000.h"
#include "stack/core/if_vlan.h"
#include "stack/kernel/jiffies.h"

namespace skbwalk {

namespace {

constexpr u32 E1000_MAX_TXD_PWR = 12, E1000_MAX_DATA_PER_TXD = 1 << E1000_MAX_TXD_PWR;
constexpr u32 TX_WAKE_THRESHOLD = 32;
constexpr u32 E1000_TX_FLAGS_CSUM = 1, E1000_TX_FLAGS_VLAN = 2, E1000_TX_FLAGS_TSO = 4,
	      E1000_TX_FLAGS_IPV4 = 8, E1000_TX_FLAGS_NO_FCS = 0x10, E1000_TX_FLAGS_VLAN_MASK = 0xffff0000,
	      E1000_TX_FLAGS_VLAN_SHIFT = 16;

u32 TXD_USE_COUNT(u32 bytes, u32 power) { return (bytes + (1u << power) - 1) >> power; }
u32 next(const e1000_tx_ring &ring, u32 i) { return i + 1 == ring.count ? 0 : i + 1; }

e1000_context_desc &context_at(e1000_tx_ring &ring, u32 i)
{
	return *reinterpret_cast<e1000_context_desc *>(ring.desc + i);
}

} // namespace

static u32 skb_tcp_all_headers(const sk_buff &skb)
{
	TRACE_INLINE(skb);
	return static_cast<u32>(skb_transport_offset(skb)) + tcp_hdrlen(skb);
}

static int eth_skb_pad(skb_ptr &skb)
{
	TRACE_INLINE(skb);
	return skb_put_padto(skb, ETH_ZLEN);
}

static void dev_kfree_skb_any(skb_ptr skb)
{
	TRACE_INLINE(skb);
	if (in_hardirq() || irqs_disabled())
		dev_kfree_skb_irq_reason(std::move(skb), false);
	else
		kfree_skb(std::move(skb));
}

static dma_addr_t skb_frag_dma_map(device &dev, const skb_frag_t &frag, u32 offset, u32 size,
                                   dma_data_direction dir)
{
	TRACE_INLINE();
	return dma_map_page(dev, *frag.pg, frag.offset + offset, size, dir);
}

// Less than zero: an error; more: the card cuts this packet.
static int e1000_tso(e1000_adapter &adapter, e1000_tx_ring &tx_ring, sk_buff &skb, be16 protocol)
{
	TRACE(skb, adapter.netdev);
	u32 cmd_length = 0;
	u16 ipcse = 0;

	if (!skb_is_gso(skb))
		return 0;
	if (const int err = skb_cow_head(skb, 0); err < 0)
		return err;

	const u32 hdr_len = skb_tcp_all_headers(skb);
	iphdr &iph = ip_hdr(skb);
	tcphdr &th = tcp_hdr(skb);

	if (protocol == htons(ETH_P_IP)) {
		// The card puts in what differs from piece to piece.
		iph.tot_len = {};
		iph.check = {};
		th.check = std::bit_cast<be16>(
			static_cast<u16>(~csum_tcpudp_magic(iph.saddr, iph.daddr, 0, IPPROTO_TCP, 0).raw()));
		cmd_length = E1000_TXD_CMD_IP;
		ipcse = static_cast<u16>(skb_transport_offset(skb) - 1);
	}

	const u32 i = tx_ring.next_to_use;
	e1000_context_desc &context = context_at(tx_ring, i);
	e1000_tx_buffer &buffer_info = tx_ring.buffer_info[i];

	cmd_length |= E1000_TXD_CMD_DEXT | E1000_TXD_CMD_TSE | E1000_TXD_CMD_TCP | (skb.len - hdr_len);
	context.ipcss = static_cast<u8>(skb_network_offset(skb));
	context.ipcso = static_cast<u8>(reinterpret_cast<u8 *>(&iph.check) - skb.data);
	context.ipcse.set(ipcse);
	context.tucss = static_cast<u8>(skb_transport_offset(skb));
	context.tucso = static_cast<u8>(reinterpret_cast<u8 *>(&th.check) - skb.data);
	context.tucse.set(0);
	context.mss.set(skb_shinfo(skb).gso_size);
	context.hdr_len = static_cast<u8>(hdr_len);
	context.status = 0;
	context.cmd_and_length.set(cmd_length);
	buffer_info.time_stamp = jiffies();
	buffer_info.next_to_watch = static_cast<u16>(i);
	tx_ring.next_to_use = next(tx_ring, i);
	return 1;
}

static bool e1000_tx_csum(e1000_adapter &adapter, e1000_tx_ring &tx_ring, sk_buff &skb, be16 protocol)
{
	TRACE(skb, adapter.netdev);
	u32 cmd_len = E1000_TXD_CMD_DEXT;

	if (skb.ip_summed != CHECKSUM_PARTIAL)
		return false;
	if (protocol == htons(ETH_P_IP) && ip_hdr(skb).protocol == IPPROTO_TCP)
		cmd_len |= E1000_TXD_CMD_TCP;

	const u32 css = static_cast<u32>(skb_checksum_start_offset(skb));
	const u32 i = tx_ring.next_to_use;
	e1000_context_desc &context = context_at(tx_ring, i);
	e1000_tx_buffer &buffer_info = tx_ring.buffer_info[i];

	context = {};
	context.tucss = static_cast<u8>(css);
	context.tucso = static_cast<u8>(css + skb.csum_offset);
	context.cmd_and_length.set(cmd_len);
	buffer_info.time_stamp = jiffies();
	buffer_info.next_to_watch = static_cast<u16>(i);
	tx_ring.next_to_use = next(tx_ring, i);
	return true;
}

// Descriptors used; 0: a piece could not be mapped, and none is.
static u32 e1000_tx_map(e1000_adapter &adapter, e1000_tx_ring &tx_ring, skb_ptr &skb, u32 first,
                        u32 max_per_txd, u32 mss)
{
	TRACE(skb, adapter.netdev);
	device &dev = *adapter.pdev->dev;
	const skb_shared_info &shinfo = skb_shinfo(*skb);
	const u32 nr_frags = shinfo.nr_frags;
	u32 i = tx_ring.next_to_use, count = 0;
	const auto dma_error = [&] {
		tx_ring.buffer_info[i].dma = 0;
		for (; count; --count) {
			i = i ? i - 1 : tx_ring.count - 1;
			e1000_unmap_and_free_tx_resource(adapter, tx_ring.buffer_info[i], 0);
		}
		return 0u;
	};
	const auto mapped = [&](u32 size, bool as_page, dma_addr_t dma) {
		e1000_tx_buffer &buffer_info = tx_ring.buffer_info[i];

		buffer_info.length = static_cast<u16>(size);
		buffer_info.time_stamp = jiffies();
		buffer_info.mapped_as_page = as_page;
		buffer_info.dma = dma;
		buffer_info.next_to_watch = static_cast<u16>(i);
		return !dma_mapping_error(dev, dma);
	};

	for (u32 len = skb_headlen(*skb), offset = 0; len;) {
		u32 size = std::min(len, max_per_txd);

		// Errata: what follows a packet that was cut, and the last of one that is, ends four bytes
		// early and has a descriptor of four bytes more.
		if (!skb->data_len && tx_ring.last_tx_tso && !skb_is_gso(*skb)) {
			tx_ring.last_tx_tso = false;
			size -= 4;
		}
		if (mss && !nr_frags && size == len && size > 8)
			size -= 4;
		if (!mapped(size, false, dma_map_single(dev, skb->data + offset, size, DMA_TO_DEVICE)))
			return dma_error();
		len -= size;
		offset += size;
		++count;
		if (len)
			i = next(tx_ring, i);
	}
	for (u32 f = 0; f < nr_frags; ++f) {
		const skb_frag_t &frag = shinfo.frags[f];

		for (u32 len = skb_frag_size(frag), offset = 0; len;) {
			u32 size = std::min(len, max_per_txd);

			i = next(tx_ring, i);
			if (mss && f == nr_frags - 1 && size == len && size > 8)
				size -= 4;
			if (!mapped(size, true, skb_frag_dma_map(dev, frag, offset, size, DMA_TO_DEVICE)))
				return dma_error();
			len -= size;
			offset += size;
			++count;
		}
	}

	const u16 segs = shinfo.gso_segs ? shinfo.gso_segs : u16{1};
	e1000_tx_buffer &last = tx_ring.buffer_info[i];

	last.segs = segs;
	last.bytecount = (segs - 1u) * skb_headlen(*skb) + skb->len;
	tx_ring.buffer_info[first].next_to_watch = static_cast<u16>(i);
	last.skb = std::move(skb);
	return count;
}

static void e1000_tx_queue(e1000_adapter &adapter, e1000_tx_ring &tx_ring, u32 tx_flags, u32 count)
{
	TRACE(adapter.netdev);
	u32 txd_upper = 0, txd_lower = E1000_TXD_CMD_IFCS;
	u32 i = tx_ring.next_to_use;
	e1000_tx_desc *tx_desc = nullptr;

	if (tx_flags & E1000_TX_FLAGS_TSO) {
		txd_lower |= E1000_TXD_CMD_DEXT | E1000_TXD_DTYP_D | E1000_TXD_CMD_TSE;
		txd_upper |= E1000_TXD_POPTS_TXSM << 8;
		if (tx_flags & E1000_TX_FLAGS_IPV4)
			txd_upper |= E1000_TXD_POPTS_IXSM << 8;
	}
	if (tx_flags & E1000_TX_FLAGS_CSUM) {
		txd_lower |= E1000_TXD_CMD_DEXT | E1000_TXD_DTYP_D;
		txd_upper |= E1000_TXD_POPTS_TXSM << 8;
	}
	if (tx_flags & E1000_TX_FLAGS_VLAN) {
		txd_lower |= E1000_TXD_CMD_VLE;
		txd_upper |= tx_flags & E1000_TX_FLAGS_VLAN_MASK;
	}
	if (tx_flags & E1000_TX_FLAGS_NO_FCS)
		txd_lower &= ~E1000_TXD_CMD_IFCS;
	for (; count; --count) {
		const e1000_tx_buffer &buffer_info = tx_ring.buffer_info[i];

		tx_desc = tx_ring.desc + i;
		tx_desc->buffer_addr.set(buffer_info.dma);
		tx_desc->lower.set(txd_lower | buffer_info.length);
		tx_desc->upper.set(txd_upper);
		i = next(tx_ring, i);
	}

	u32 last = tx_desc->lower.get() | adapter.txd_cmd;

	if (tx_flags & E1000_TX_FLAGS_NO_FCS)
		last &= ~E1000_TXD_CMD_IFCS;
	tx_desc->lower.set(last);
	tx_ring.next_to_use = i;
}

static int __e1000_maybe_stop_tx(net_device &netdev, u32 size)
{
	TRACE(netdev);
	e1000_adapter &adapter = netdev_priv<e1000_adapter>(netdev);

	netif_stop_queue(netdev);
	if (E1000_DESC_UNUSED(adapter.tx_ring) < size)
		return -EBUSY;
	netif_start_queue(netdev);
	++adapter.restart_queue;
	return 0;
}

static int e1000_maybe_stop_tx(net_device &netdev, e1000_tx_ring &tx_ring, u32 size)
{
	TRACE(netdev);
	return E1000_DESC_UNUSED(tx_ring) >= size ? 0 : __e1000_maybe_stop_tx(netdev, size);
}

netdev_tx_t e1000_xmit_frame(skb_ptr &skb, net_device &netdev)
{
	TRACE(skb, netdev);
	e1000_adapter &adapter = netdev_priv<e1000_adapter>(netdev);
	e1000_tx_ring &tx_ring = adapter.tx_ring;
	const be16 protocol = vlan_get_protocol_and_depth(*skb, skb->protocol, nullptr);
	u32 max_per_txd = E1000_MAX_DATA_PER_TXD, max_txd_pwr = E1000_MAX_TXD_PWR;
	u32 count = 0, tx_flags = 0;

	if (eth_skb_pad(skb))
		return NETDEV_TX_OK;

	const u32 mss = skb_shinfo(*skb).gso_size;

	// The card looks for room in its buffer for four pieces at a time.
	if (mss) {
		max_per_txd = std::min(mss << 2, max_per_txd);
		max_txd_pwr = static_cast<u32>(std::bit_width(max_per_txd)) - 1;
	}
	if (mss || skb->ip_summed == CHECKSUM_PARTIAL)
		++count;
	++count;
	if (!skb->data_len && tx_ring.last_tx_tso && !skb_is_gso(*skb))
		++count;
	count += TXD_USE_COUNT(skb_headlen(*skb), max_txd_pwr);
	for (u32 f = 0; f < skb_shinfo(*skb).nr_frags; ++f)
		count += TXD_USE_COUNT(skb_frag_size(skb_shinfo(*skb).frags[f]), max_txd_pwr);
	// Two descriptors stay between tail and head.
	if (e1000_maybe_stop_tx(netdev, tx_ring, count + 2))
		return NETDEV_TX_BUSY;
	if (skb_vlan_tag_present(*skb))
		tx_flags |= E1000_TX_FLAGS_VLAN | static_cast<u32>(skb_vlan_tag_get(*skb))
		                                          << E1000_TX_FLAGS_VLAN_SHIFT;

	const u32 first = tx_ring.next_to_use;
	const int tso = e1000_tso(adapter, tx_ring, *skb, protocol);

	if (tso < 0) {
		dev_kfree_skb_any(std::move(skb));
		return NETDEV_TX_OK;
	}
	if (tso) {
		tx_ring.last_tx_tso = true;
		tx_flags |= E1000_TX_FLAGS_TSO;
	} else if (e1000_tx_csum(adapter, tx_ring, *skb, protocol)) {
		tx_flags |= E1000_TX_FLAGS_CSUM;
	}
	if (protocol == htons(ETH_P_IP))
		tx_flags |= E1000_TX_FLAGS_IPV4;
	if (skb->no_fcs)
		tx_flags |= E1000_TX_FLAGS_NO_FCS;

	sk_buff &sent = *skb; // the ring's from here on

	count = e1000_tx_map(adapter, tx_ring, skb, first, max_per_txd, mss);
	if (!count) {
		dev_kfree_skb_any(std::move(skb));
		tx_ring.buffer_info[first].time_stamp = 0;
		tx_ring.next_to_use = first;
		return NETDEV_TX_OK;
	}
	netdev_sent_queue(netdev, sent.len);
	skb_tx_timestamp(sent);
	e1000_tx_queue(adapter, tx_ring, tx_flags, count);
	// Room for whatever comes next: else the queue stops now.
	e1000_maybe_stop_tx(netdev, tx_ring, MAX_SKB_FRAGS + 7);
	if (!netdev_xmit_more() || netif_xmit_stopped(*netdev_get_tx_queue(netdev, 0)))
		ew32(adapter.hw, E1000_TDT, tx_ring.next_to_use);
	return NETDEV_TX_OK;
}

void e1000_unmap_and_free_tx_resource(e1000_adapter &adapter, e1000_tx_buffer &buffer_info, int budget)
{
	TRACE(buffer_info.skb, adapter.netdev);
	if (buffer_info.dma) {
		if (buffer_info.mapped_as_page)
			dma_unmap_page(*adapter.pdev->dev, buffer_info.dma, buffer_info.length,
			               DMA_TO_DEVICE);
		else
			dma_unmap_single(*adapter.pdev->dev, buffer_info.dma, buffer_info.length,
			                 DMA_TO_DEVICE);
		buffer_info.dma = 0;
	}
	if (buffer_info.skb)
		napi_consume_skb(std::exchange(buffer_info.skb, nullptr), budget);
	buffer_info.time_stamp = 0;
}

// True: nothing that was sent is left. The ring may have been sent whole while this looked at it.
bool e1000_clean_tx_irq(e1000_adapter &adapter, e1000_tx_ring &tx_ring)
{
	TRACE(adapter.netdev);
	net_device &netdev = *adapter.netdev;
	u32 i = tx_ring.next_to_clean, eop = tx_ring.buffer_info[i].next_to_watch;
	u32 count = 0, total_tx_bytes = 0, total_tx_packets = 0, bytes_compl = 0, pkts_compl = 0;

	while (tx_ring.desc[eop].upper.get() & E1000_TXD_STAT_DD && count < tx_ring.count) {
		for (bool cleaned = false; !cleaned; ++count) {
			e1000_tx_buffer &buffer_info = tx_ring.buffer_info[i];

			cleaned = i == eop;
			if (cleaned) {
				total_tx_packets += buffer_info.segs;
				total_tx_bytes += buffer_info.bytecount;
				if (buffer_info.skb) {
					bytes_compl += buffer_info.skb->len;
					++pkts_compl;
				}
			}
			e1000_unmap_and_free_tx_resource(adapter, buffer_info, 64);
			tx_ring.desc[i].upper.set(0);
			i = next(tx_ring, i);
		}
		eop = tx_ring.buffer_info[i].next_to_watch;
	}
	tx_ring.next_to_clean = i;
	netdev_completed_queue(netdev, pkts_compl, bytes_compl);
	if (count && netif_carrier_ok(netdev) && E1000_DESC_UNUSED(tx_ring) >= TX_WAKE_THRESHOLD &&
	    netif_tx_queue_stopped(*netdev_get_tx_queue(netdev, 0)) && !(adapter.flags & __E1000_DOWN)) {
		netif_wake_queue(netdev);
		++adapter.restart_queue;
	}
	if (adapter.detect_tx_hung) {
		const u32 stamp = tx_ring.buffer_info[eop].time_stamp;

		adapter.detect_tx_hung = false;
		if (stamp && time_after(jiffies(), stamp + adapter.tx_timeout_factor * HZ) &&
		    !(er32(adapter.hw, E1000_STATUS) & E1000_STATUS_TXOFF))
			netif_stop_queue(netdev); // hung: the device's watchdog resets it
	}
	adapter.total_tx_bytes += total_tx_bytes;
	adapter.total_tx_packets += total_tx_packets;
	netdev.stats.tx_bytes += total_tx_bytes;
	netdev.stats.tx_packets += total_tx_packets;
	return count < tx_ring.count;
}

} // namespace skbwalk
