// SPDX-License-Identifier: GPL-2.0-only
//
// Receiving, of drivers/net/ethernet/intel/e1000/e1000_main.c: e1000_clean_rx_irq takes the descriptors that
// the card has filled. A small frame is copied and its buffer stays in the ring (e1000_copybreak), around the
// buffer of another a packet is built, and the ring gets a new one (e1000_alloc_rx_buffers). What came is
// said to GRO.
#include <algorithm>

#include "devices/e1000/e1000.h"
#include "stack/core/if_vlan.h"

namespace skbwalk {

namespace {

constexpr u32 copybreak = 256; // bytes; a module parameter in the kernel

} // namespace

static u32 e1000_frag_len(const e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	return SKB_DATA_ALIGN(adapter.rx_buffer_len + E1000_HEADROOM) + SKB_SHINFO_SIZE;
}

// With the headroom before its data.
static netdev_frag e1000_alloc_frag(const e1000_adapter &adapter)
{
	TRACE(adapter.netdev);
	netdev_frag frag = netdev_alloc_frag(e1000_frag_len(adapter));

	if (frag.data)
		frag.data = static_cast<u8 *>(frag.data) + E1000_HEADROOM;
	return frag;
}

static skb_ptr e1000_alloc_rx_skb(e1000_adapter &adapter, u32 bufsz)
{
	TRACE(adapter.netdev);
	skb_ptr skb = napi_alloc_skb(adapter.napi, bufsz);

	if (!skb)
		++adapter.alloc_rx_buff_failed;
	return skb;
}

// Null: it is too big for that, or there is no memory.
static skb_ptr e1000_copybreak(e1000_adapter &adapter, const e1000_rx_buffer &buffer_info, u32 length,
                               const void *data)
{
	TRACE(adapter.netdev);
	if (length > copybreak)
		return nullptr;

	skb_ptr skb = e1000_alloc_rx_skb(adapter, length);

	if (!skb)
		return nullptr;
	dma_sync_single_for_cpu(*adapter.pdev->dev, buffer_info.dma, length, DMA_FROM_DEVICE);
	skb_put_data(*skb, data, length);
	return skb;
}

static void e1000_rx_checksum(e1000_adapter &adapter, u8 status, u8 errors, sk_buff &skb)
{
	TRACE(skb, adapter.netdev);
	skb.ip_summed = CHECKSUM_NONE;
	if (status & E1000_RXD_STAT_IXSM)
		return;
	if (errors & E1000_RXD_ERR_TCPE) { // the stack is to see for itself
		++adapter.hw_csum_err;
		return;
	}
	if (!(status & E1000_RXD_STAT_TCPCS))
		return;
	skb.ip_summed = CHECKSUM_UNNECESSARY;
	++adapter.hw_csum_good;
}

static void e1000_receive_skb(e1000_adapter &adapter, u8 status, u16 vlan, skb_ptr skb)
{
	TRACE(skb, adapter.netdev);
	skb->protocol = eth_type_trans(*skb, *adapter.netdev);
	if (status & E1000_RXD_STAT_VP)
		__vlan_hwaccel_put_tag(*skb, htons(ETH_P_8021Q), vlan & E1000_RXD_SPC_VLAN_MASK);
	napi_gro_receive(adapter.napi, std::move(skb));
}

void e1000_alloc_rx_buffers(e1000_adapter &adapter, e1000_rx_ring &rx_ring, u32 cleaned_count)
{
	TRACE(adapter.netdev);
	u32 i = rx_ring.next_to_use;

	for (; cleaned_count; --cleaned_count) {
		e1000_rx_buffer &buffer_info = rx_ring.buffer_info[i];

		if (!buffer_info.rxbuf.data) {
			const netdev_frag frag = e1000_alloc_frag(adapter);

			if (!frag.data) { // next time
				++adapter.alloc_rx_buff_failed;
				break;
			}
			buffer_info.dma = dma_map_single(*adapter.pdev->dev, frag.data, adapter.rx_buffer_len,
			                                 DMA_FROM_DEVICE);
			if (dma_mapping_error(*adapter.pdev->dev, buffer_info.dma)) {
				page_frag_free(*frag.pg);
				buffer_info.dma = 0;
				++adapter.alloc_rx_buff_failed;
				break;
			}
			buffer_info.rxbuf = frag;
		}
		rx_ring.desc[i].buffer_addr.set(buffer_info.dma);
		if (++i == rx_ring.count)
			i = 0;
	}
	if (rx_ring.next_to_use != i) {
		rx_ring.next_to_use = i;
		ew32(adapter.hw, E1000_RDT, i ? i - 1 : rx_ring.count - 1);
	}
}

namespace {

// The frame of a filled buffer, without its check sequence; null: there is none, or it is not for the stack.
// False: no memory, later.
bool take_frame(e1000_adapter &adapter, e1000_rx_buffer &buffer_info, const e1000_rx_desc &rx_desc,
                skb_ptr &out)
{
	const u32 length = rx_desc.length.get();

	__builtin_prefetch(buffer_info.rxbuf.data);

	skb_ptr skb = e1000_copybreak(adapter, buffer_info, length, buffer_info.rxbuf.data);
	const bool copied = skb.get() != nullptr;

	if (!copied) {
		const netdev_frag whole{static_cast<u8 *>(buffer_info.rxbuf.data) - E1000_HEADROOM,
		                        buffer_info.rxbuf.pg};

		skb = napi_build_skb(whole, e1000_frag_len(adapter));
		if (!skb) {
			++adapter.alloc_rx_buff_failed;
			return false;
		}
		skb_reserve(*skb, E1000_HEADROOM);
		dma_unmap_single(*adapter.pdev->dev, buffer_info.dma, adapter.rx_buffer_len, DMA_FROM_DEVICE);
		buffer_info = {};
	}
	// A frame in several buffers goes, with all of them.
	const bool ends = rx_desc.status & E1000_RXD_STAT_EOP;

	if (!ends)
		adapter.discarding = true;
	if (adapter.discarding || rx_desc.errors & E1000_RXD_ERR_FRAME_ERR_MASK) {
		if (ends)
			adapter.discarding = false;
		consume_skb(std::move(skb));
		return true;
	}
	if (copied)
		skb_trim(*skb, length - ETH_FCS_LEN);
	else
		skb_put(*skb, length - ETH_FCS_LEN);
	out = std::move(skb);
	return true;
}

} // namespace

bool e1000_clean_rx_irq(e1000_adapter &adapter, e1000_rx_ring &rx_ring, int &work_done, int work_to_do)
{
	TRACE(adapter.netdev);
	net_device &netdev = *adapter.netdev;
	u32 i = rx_ring.next_to_clean, cleaned_count = 0;
	u32 total_rx_bytes = 0, total_rx_packets = 0;
	bool cleaned = false;

	while (rx_ring.desc[i].status & E1000_RXD_STAT_DD) {
		e1000_rx_desc &rx_desc = rx_ring.desc[i];
		skb_ptr skb;

		if (work_done >= work_to_do)
			break;
		++work_done;
		if (!take_frame(adapter, rx_ring.buffer_info[i], rx_desc, skb))
			break;
		if (++i == rx_ring.count)
			i = 0;
		__builtin_prefetch(&rx_ring.desc[i]);
		cleaned = true;
		++cleaned_count;
		if (skb) {
			total_rx_bytes += skb->len;
			++total_rx_packets;
			e1000_rx_checksum(adapter, rx_desc.status, rx_desc.errors, *skb);
			e1000_receive_skb(adapter, rx_desc.status, rx_desc.special.get(), std::move(skb));
		}
		rx_desc.status = 0;
		// One at a time would be slow.
		if (cleaned_count >= E1000_RX_BUFFER_WRITE) {
			e1000_alloc_rx_buffers(adapter, rx_ring, cleaned_count);
			cleaned_count = 0;
		}
	}
	rx_ring.next_to_clean = i;
	if (const u32 unused = E1000_DESC_UNUSED(rx_ring))
		e1000_alloc_rx_buffers(adapter, rx_ring, unused);
	adapter.total_rx_packets += total_rx_packets;
	adapter.total_rx_bytes += total_rx_bytes;
	netdev.stats.rx_bytes += total_rx_bytes;
	netdev.stats.rx_packets += total_rx_packets;
	return cleaned;
}

} // namespace skbwalk
